"""Reads a ledger without taking it: for replay, lists and audits, also while it is written."""

from dataclasses import dataclass
from pathlib import Path

from agentcli.core.event import Recorded
from agentcli.ledger.follow import Follower


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
