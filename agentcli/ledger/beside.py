"""What stands beside a ledger and belongs to it: private values and whole outputs."""

import hashlib
import os
from pathlib import Path
from typing import get_args

from agentcli.core.event import Event, Input, Outcome, Redacted, RunStarted, ToolEnded
from agentcli.core.record import tag_of
from agentcli.core.redact import name_in
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.vault import CLEANED_FOR_GOOD, find_secret, kept_in
from agentcli.ledger.walk import Fault

# Kinds whose marks stand for something that is kept. A decision repeats what it follows from.
KEPT = frozenset(
    tag_of(kind)
    for kind in (*get_args(Input), *get_args(Outcome))
    if kind not in (*CLEANED_FOR_GOOD, Redacted)
)


class Beside:
    """Takes the events of a run, of KINDS at least, and compares what they name with what is there.

    outputs: handles of whole outputs. redacted: names and handles of what was destroyed.
    """

    KINDS = frozenset(map(tag_of, (RunStarted, ToolEnded, Redacted)))

    def __init__(self) -> None:
        self.outputs, self.redacted = set[str](), set[str]()
        self.version = 0

    def take(self, event: Event) -> None:
        match event:
            case RunStarted(version=version):
                self.version = version
            case ToolEnded(full=full) if full:
                self.outputs.add(full)
            case Redacted(marks=marks, outputs=outputs):
                self.redacted |= {*map(name_in, marks), *outputs}

    def compare(
        self, folder: RunFolder, names: set[str], here: bool
    ) -> tuple[list[Fault], list[str]]:
        """Return what is not as it was, and what could not be looked at.

        names: of all private values that the ledger stands for by a mark.
        here: the run is one of this machine's own, so all of it must be there.
        """
        faults, notes = list[Fault](), list[str]()
        kept = set(kept_in(folder.private))
        gone = names - kept - self.redacted
        if gone and here:
            text = f"gone, not redacted: {len(gone)} private values: {some(gone)}"
            faults.append(Fault("gone", text))
        elif gone:
            notes.append(f"private values that are not here: {len(gone)}")
        # A redaction takes the one key of an older ledger along: then nothing more can be checked.
        checked = [] if self.version == 1 and self.redacted else sorted(kept)
        for name in checked:
            if find_secret(folder.private, name) is None:
                faults.append(Fault("edited", f"private/{name} is not what was written"))
        gone = self.compare_outputs(folder, faults)
        if gone and here:
            text = f"gone, not redacted: {len(gone)} whole outputs: {some(gone)}"
            faults.append(Fault("gone", text))
        elif gone:
            notes.append(f"whole outputs that are not here: {len(gone)}")
        if left := self.redacted & (kept | present(folder, self.redacted)):
            notes.append(
                f"redacted, but still there: {some(left)}. Say it again: "
                f"agentcli audit redact {folder.id}"
            )
        return faults, notes

    def compare_outputs(self, folder: RunFolder, faults: list[Fault]) -> set[str]:
        """Return the handles of whole outputs that are gone; what was changed is a fault."""
        gone = set[str]()
        for handle in sorted(self.outputs - self.redacted):
            path = output_of(folder, handle)
            if path is None:
                gone.add(handle)
            elif handle_of(path) != handle:
                faults.append(Fault("edited", f"outputs/{handle} is not what was written"))
        return gone


def output_of(folder: RunFolder, handle: str) -> Path | None:
    """Return where a whole output is, None if it is not there.

    A handle comes from a ledger, whose writer may have named any file of this machine so.
    """
    path = folder.outputs / handle
    return path if path.parent == folder.outputs and os.path.isfile(path) else None


def handle_of(path: Path) -> str:
    """Return the handle that a whole output has by what it holds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()[:24] + path.suffix


def present(folder: RunFolder, handles: set[str]) -> set[str]:
    return {handle for handle in handles if output_of(folder, handle) is not None}


def some(names: set[str]) -> str:
    more = ", ..." if len(names) > 3 else ""
    return ", ".join(sorted(names)[:3]) + more
