"""Reads a ledger without taking it: for replay, lists and audits, also while it is written."""

from dataclasses import dataclass
from pathlib import Path

from agentcli.core.event import Recorded
from agentcli.errors import InputError, LedgerDamagedError, MissingFileError
from agentcli.ledger.line import Chain, refuse_newer


@dataclass(frozen=True)
class Reading:
    """torn_bytes: of a last line that is not whole, which was never acknowledged."""

    records: list[Recorded]
    torn_bytes: int = 0


def read_ledger(path: Path) -> Reading:
    """Return all records, each checked against the chain.

    Raises MissingFileError, InputError where it is no ledger, LedgerDamagedError with the line.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file, so no ledger")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MissingFileError(f"{path}: {error.strerror}") from error
    lines = data.splitlines(keepends=True)
    if not lines:
        raise InputError(f"{path}: an empty file, not a ledger")
    refuse_newer(path, lines[0])
    chain, records, offset = Chain(), list[Recorded](), 0
    for number, line in enumerate(lines, start=1):
        try:
            records.append(chain.read(line))
        except LedgerDamagedError as error:
            if number == len(lines) and not line.endswith(b"\n"):
                return Reading(records, len(line))
            raise LedgerDamagedError(f"{path}: line {number}, byte {offset}: {error}") from error
        offset += len(line)
    return Reading(records)
