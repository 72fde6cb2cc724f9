"""A run on a terminal of lines: finished above, live below."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TextIO

from agentcli.compose.front import Front
from agentcli.compose.oneshot import OneShot, run_to_end
from agentcli.compose.outcome import Outcome
from agentcli.core.event import Paused, Recorded
from agentcli.core.question import Answer, Question
from agentcli.core.visible import visible
from agentcli.shell import terminal
from agentcli.shell.headless import answer_to, last_lines
from agentcli.shell.live import LiveRegion
from agentcli.shell.player import FRAME_S
from agentcli.shell.transcript import Transcript


def run_in_terminal(shot: OneShot) -> Outcome:
    """Run with a person watching, who is asked where the rules want it.

    The answer is shown as it comes, on stdout if that is the terminal; else it is written to
    stdout at the end, alone.
    """
    out = sys.stdout if sys.stdout.isatty() else sys.stderr

    async def ask(question: Question) -> Answer:
        return await terminal.ask_person(question, out, Paused("interrupted"))

    outcome = show_run(shot, out, ask)
    if out is not sys.stdout:
        answer_to(sys.stdout, outcome.answer)
    for line in last_lines(outcome, shot, terminal.width()):
        print(visible(line), file=sys.stderr)
    return outcome


def show_run(
    shot: OneShot,
    out: TextIO,
    ask: Callable[[Question], Awaitable[Answer]],
    say_before: Callable[[Recorded], str] = lambda rec: "",
) -> Outcome:
    """Run and show it on `out`. ask: gets an answer while nothing is drawn.

    say_before: what is to be said before a record is shown, "" for nothing.
    """
    color = terminal.is_color(out)
    region = LiveRegion(out, terminal.size, color)
    transcript = Transcript(region, terminal.width, color)

    def publish(rec: Recorded) -> None:
        if words := say_before(rec):
            region.write_above(words)
        transcript.publish(rec)

    async def show_card(question: Question) -> Answer:
        region.suspend()
        try:
            return await ask(question)
        finally:
            region.resume()

    def say(text: str) -> None:
        region.write_above(f"{text}\n")

    async def go() -> Outcome:
        ticker = asyncio.create_task(tick(transcript))
        front = Front(publish, transcript.show, show_card, transcript.recall, say)
        try:
            return await replace(shot, front=front).go()
        finally:
            ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticker

    try:
        outcome = run_to_end(go())
        transcript.tick()
    finally:
        region.close()
    return outcome


async def tick(transcript: Transcript) -> None:
    while True:
        transcript.tick()
        await asyncio.sleep(FRAME_S)
