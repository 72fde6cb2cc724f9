"""Reads a ledger without taking it: for replay, lists and audits, also while it is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agentcli.core.event import Event, Recorded
from agentcli.ledger.follow import Follower
from agentcli.ledger.line import decode_line, mark_of


@dataclass(frozen=True)
class Reading:
    """torn_bytes: of a last line that is not whole, which was never acknowledged."""

    records: list[Recorded]
    torn_bytes: int = 0


def read_ledger(path: Path) -> Reading:
    """Return all records, each checked against the chain.

    Raises MissingFileError, InputError where it is no ledger, LedgerDamagedError with the line.
    """
    with Follower(path) as follower:
        records = follower.news()
        return Reading(records, follower.torn_bytes)


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
