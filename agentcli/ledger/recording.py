"""What a run recorded, with the secrets given back that its ledger does not hold."""

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from agentcli.core.event import Recorded
from agentcli.core.redact import restore
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.read import each_record
from agentcli.ledger.vault import find_secret, restored


def restorer(folder: RunFolder) -> Callable[[str], str]:
    """Return what gives a text back as it was; marks whose secret is gone stay. Writes nothing."""
    known: dict[str, str | None] = {}

    def find(mark: str) -> str | None:
        if mark not in known:
            known[mark] = find_secret(folder.private, mark)
        return known[mark]

    return lambda text: restore(text, find)


def recorded(folder: RunFolder) -> Iterator[Recorded]:
    """Yield the records of a run as they were before they were redacted.

    Raises as `each_record` does.
    """
    change = restorer(folder)
    for rec in each_record(folder.ledger):
        yield replace(rec, event=restored(rec.event, change))
