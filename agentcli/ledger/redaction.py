"""Destroys private values and whole outputs of a run for good; its ledger stays whole."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agentcli.core.event import Redacted, ToolEnded
from agentcli.core.redact import mark_of, name_in
from agentcli.errors import InputError, LedgerError
from agentcli.ledger.beside import Beside, output_of, present
from agentcli.ledger.file import FileJournal
from agentcli.ledger.find import all_runs
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.read import records_of
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault, find_secret, kept_in, sync_folder

MARK = re.compile(rb"\[REDACTED:([a-z_]+):([0-9a-f]{16})\]")


@dataclass(frozen=True)
class Secret:
    """A private value that is kept. mark: what stands for it. places: how often it does."""

    mark: str
    kind: str
    places: int


@dataclass(frozen=True)
class Output:
    """A whole output that is kept. record: of the call that it is of."""

    handle: str
    size_bytes: int
    record: int


@dataclass(frozen=True)
class Found:
    """What there is to be destroyed."""

    secrets: list[Secret]
    outputs: list[Output]

    def chosen(self, wanted: list[str]) -> "Found":
        """Return those of some names: a mark, the name in it, or an output's handle.

        Raises InputError.
        """
        names = {name_in(secret.mark): secret for secret in self.secrets}
        handles = {output.handle: output for output in self.outputs}
        secrets, outputs = list[Secret](), list[Output]()
        for word in dict.fromkeys(wanted):
            if (secret := names.get(name_in(word))) is not None:
                secrets.append(secret)
            elif (output := handles.get(word.removeprefix("outputs/"))) is not None:
                outputs.append(output)
            else:
                hint = "See what there is: agentcli audit redact RUN"
                raise InputError(f"{word}: no private value and no output of this run", hint=hint)
        return Found(secrets, outputs)


def find_private(folder: RunFolder) -> Found:
    """Return all that a run keeps and could be destroyed. Raises LedgerError."""
    places, kinds = Counter[str](), dict[str, str]()
    for path in (folder.ledger, folder.path / "plan.json"):
        try:
            with path.open("rb") as file:
                for line in file:
                    for kind, name in MARK.findall(line) if b"[REDACTED:" in line else ():
                        places[name.decode()] += 1
                        # A name has one kind as a rule; a mark that someone typed has its own.
                        kinds.setdefault(name.decode(), kind.decode())
        except OSError as error:
            raise LedgerError(f"{path}: {error.strerror}") from error
    secrets = []
    for name in kept_in(folder.private):
        kind = kinds.get(name, "unused")
        secrets.append(Secret(mark_of(kind, name), kind, places[name]))
    outputs = dict[str, Output]()
    for rec in records_of(folder.ledger, ToolEnded):
        match rec.event:
            case ToolEnded(full=full) if (whole := output_of(folder, full)) is not None:
                outputs.setdefault(full, Output(full, whole.stat().st_size, rec.seq))
    return Found(secrets, list(outputs.values()))


def kept_elsewhere(state: Path, folder: RunFolder, found: Found) -> list[str]:
    """Return the other runs, forks and replays as a rule, that keep any of this under any name."""
    values = {find_secret(folder.private, name_in(secret.mark)) for secret in found.secrets}
    handles = {output.handle for output in found.outputs}

    def keeps(run: RunFolder) -> bool:
        kept = (find_secret(run.private, name) for name in kept_in(run.private))
        return bool(present(run, handles)) or any(value in values for value in kept if value)

    others = (run for run in all_runs(state) if run.path.resolve() != folder.path.resolve())
    return [run.id for run in others if keeps(run)]


def redact(
    state: Path, folder: RunFolder, found: Found, reason: str, now_us: Callable[[], int]
) -> None:
    """Write that they are destroyed, and once that is safe, destroy them.

    Raises LedgerBusyError while the run is under way, LedgerDamagedError, LedgerError.
    """
    told = Beside()
    for rec in records_of(folder.ledger, Redacted):
        told.take(rec.event)
    marks = tuple(s.mark for s in found.secrets if name_in(s.mark) not in told.redacted)
    outputs = tuple(o.handle for o in found.outputs if o.handle not in told.redacted)
    vault = Vault(folder.private, pii=folder.pii)
    with FileJournal(folder.ledger, vault, now_us, seal=Seal(state, folder.path)) as journal:
        if marks or outputs:
            journal.seal(Redacted(marks, outputs, vault.redactor.clean(reason)))
            asyncio.run(journal.sync())
        names = [name_in(secret.mark) for secret in found.secrets]
        try:
            # The one salt of a ledger of version 1: with it, short values could be guessed.
            for name in [*names, *(["key"] if names else [])]:
                (folder.private / name).unlink(missing_ok=True)
            for output in found.outputs:
                (folder.outputs / output.handle).unlink(missing_ok=True)
            for place in (folder.private, folder.outputs):
                if place.is_dir():
                    sync_folder(place)
        except OSError as error:
            hint = f"It is written down as redacted, but still there. Then: {again(folder)}"
            raise LedgerError(f"{folder.path}: {error.strerror}", hint=hint) from error


def again(folder: RunFolder) -> str:
    return f"agentcli audit redact {folder.id}"
