"""Plays a recorded run as it looked, from its ledger alone."""

import time
from collections.abc import Callable, Sequence

from agentcli.core.event import Recorded, Replied, Started, TextDelta
from agentcli.core.message import text_of
from agentcli.core.step import ActId, AskModel
from agentcli.shell.transcript import Transcript

FRAME_S = 1 / 12
LONGEST_WAIT_S = 5.0
PIECE = 12


def play(
    records: Sequence[Recorded],
    transcript: Transcript,
    *,
    speed: float | None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Show each record after the time that it took, divided by `speed`; None: at once.

    Waits of more than 5 s, such as for a person, are cut to that.
    """
    asked: dict[ActId, int] = {}
    last_us = records[0].at_us if records else 0
    for rec in records:
        if speed is not None:
            wait_s = min(LONGEST_WAIT_S, max(0, rec.at_us - last_us) / 1e6) / speed
            match rec.event:
                case Replied(id=id) as replied if id in asked:
                    stream(replied, transcript, wait_s, sleep)
                case _:
                    pass_time(transcript, wait_s, sleep)
        if isinstance(rec.event, Started) and isinstance(rec.event.act, AskModel):
            asked[rec.event.id] = rec.at_us
        transcript.publish(rec)
        transcript.tick()
        last_us = rec.at_us


def pass_time(transcript: Transcript, wait_s: float, sleep: Callable[[float], None]) -> None:
    while wait_s > 0:
        transcript.tick()
        sleep(min(wait_s, FRAME_S))
        wait_s -= FRAME_S


def stream(
    replied: Replied, transcript: Transcript, wait_s: float, sleep: Callable[[float], None]
) -> None:
    """Show a reply's text in pieces over the time that it took to come."""
    text = text_of(replied.blocks)
    pieces = [text[i : i + PIECE] for i in range(0, len(text), PIECE)]
    frames = max(1, int(wait_s / FRAME_S))
    for frame in range(frames):
        upto = pieces[len(pieces) * frame // frames : len(pieces) * (frame + 1) // frames]
        for piece in upto:
            transcript.show(TextDelta(replied.id, piece))
        transcript.tick()
        sleep(wait_s / frames)
