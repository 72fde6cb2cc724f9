"""Records that do not follow from each other, though each line is just what was written."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agentcli.errors import LedgerDamagedError

# What is raised over such records: whoever folds or decides by them takes them for true.
FORGED = (AssertionError, AttributeError, LookupError, TypeError, ValueError)


@contextmanager
def told_as_damage(ledger: Path) -> Iterator[None]:
    """Raise LedgerDamagedError, naming the ledger, for what records that are forged raise."""
    try:
        yield
    except FORGED as error:
        message = f"{ledger}: its records do not follow from each other: {error}"
        raise LedgerDamagedError(message) from error
