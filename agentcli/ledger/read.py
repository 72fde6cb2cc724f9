"""Reads a ledger without taking it: for replay, lists and audits, also while it is written."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from agentcli.core.event import Event, Recorded
from agentcli.ledger.follow import Follower
from agentcli.ledger.line import decode_line, mark_of


def read_ledger(path: Path) -> list[Recorded]:
    """Return all records. Raises as `each_record` does."""
    return list(each_record(path))


def each_record(path: Path) -> Iterator[Recorded]:
    """Yield all records, each checked against the chain.

    Raises MissingFileError, InputError where it is no ledger, LedgerDamagedError with the line.
    """
    with Follower(path) as follower:
        yield from follower.each()


def records_of(path: Path, *kinds: type[Event]) -> Iterator[Recorded]:
    """Yield the records of some kinds, for a quick look: no other line is decoded or checked.

    A line that cannot be read is passed over. Raises OSError.
    """
    marks = [mark_of(kind) for kind in kinds]
    with path.open("rb") as file:
        for line in file:
            if any(mark in line for mark in marks):
                try:
                    rec = decode_line(line)
                except (msgspec.MsgspecError, RecursionError):
                    continue
                if isinstance(rec.event, kinds):
                    yield rec
