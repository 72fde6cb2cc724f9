"""Finds what was said and done in ledgers, as they are stored: secrets are marks there."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from agentcli.core.event import (
    Answered,
    Checked,
    Event,
    Failed,
    Judged,
    Replied,
    RunStarted,
    Started,
    ToolEnded,
    UserSaid,
)
from agentcli.core.message import text_of
from agentcli.core.policy import Deny
from agentcli.core.step import Prepare
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import decode_line

BEFORE, AFTER = 30, 60


@dataclass(frozen=True)
class Hit:
    """Where a text was found: in this record, in what kind of text. found: as it stands there."""

    run: str
    record: int
    kind: str
    before: str
    found: str
    after: str


def search_run(run: RunFolder, text: str, warn: Callable[[str], None]) -> Iterator[Hit]:
    """Yield the first place in each text of a run that holds `text`, in any case.

    warn: told of lines that cannot be read; the others are searched all the same.
    """
    ascii_only = re.ASCII if text.isascii() else re.NOFLAG
    wanted = re.compile(re.escape(text), re.IGNORECASE | ascii_only)
    # What is plain stands in a line as it is, so most lines need not be decoded.
    word = max(text.lower().split(), key=len, default="")
    plain = word.encode() if re.fullmatch(r"[a-z0-9_.,:;/()-]+", word) else b""
    if (match := wanted.search(run.label)) is not None:
        yield hit_of(run.id, 1, "title", run.label, match)
    try:
        with run.ledger.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if plain and plain not in line.lower():
                    continue
                try:
                    event = decode_line(line).event
                except (msgspec.MsgspecError, RecursionError):
                    warn(f"{run.ledger}: line {number} cannot be read")
                    continue
                for kind, said in texts_of(event):
                    if (match := wanted.search(said)) is not None:
                        yield hit_of(run.id, number, kind, said, match)
    except OSError as error:
        warn(f"{run.ledger}: {error.strerror}")


def hit_of(run: str, number: int, kind: str, text: str, match: re.Match[str]) -> Hit:
    start, end = match.span()
    before = flat(text[max(0, start - 4 * BEFORE) : start])
    after = flat(text[end : end + 4 * AFTER])
    return Hit(run, number, kind, before[-BEFORE:].lstrip(), flat(match[0]), after[:AFTER].rstrip())


def flat(text: str) -> str:
    """Return a text in one line."""
    return re.sub(r"\s+", " ", text)


def texts_of(event: Event) -> Iterator[tuple[str, str]]:
    """Yield what an event holds of what was said and done, with a word for what it is."""
    match event:
        case RunStarted(title=title, agent=agent):
            yield "title", title
            yield "prompt", "\n".join([agent.text, *agent.steps]).strip()
        case UserSaid(text=text):
            yield "prompt", text
        case Replied(blocks=blocks):
            yield "reply", text_of(blocks)
        case Started(act=Prepare(call=call)):
            yield "call", f"{call.tool} {' '.join(str(value) for value in call.args.values())}"
        case ToolEnded(output=output):
            yield "output", output
        case Failed(message=message):
            yield "failure", message
        case Judged(verdict=Deny(reason=reason)):
            yield "refusal", reason
        case Answered(reason=reason):
            yield "answer", reason
        case Checked(problems=problems):
            yield "check", "\n".join(problems)
