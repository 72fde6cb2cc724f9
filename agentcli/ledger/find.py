"""Finds runs: by id, unique prefix, path or `last`, and makes the folder of a new one."""

import datetime
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from agentcli.core.visible import escaped_line
from agentcli.errors import AgentcliError, InputError, LedgerError, MissingFileError
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.seal import HAS_SEAL, is_sealed_here

HIDDEN = "."  # what begins so in the folder of runs is none: a run that is being deleted
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"


def runs_folder(state: Path) -> Path:
    return state / "runs"


def new_run(state: Path, now: datetime.datetime) -> RunFolder:
    """Make the folder of a new run, whose id sorts by time to the millisecond.

    Raises LedgerError.
    """
    chance = "".join(secrets.choice(ALPHABET) for _ in range(3))
    milliseconds = f"{now.microsecond // 1000:03d}"
    path = runs_folder(state) / f"{now:%Y%m%d-%H%M%S}-{milliseconds}{chance}"
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.mkdir(mode=0o700, parents=True)
    except OSError as error:
        hint = "Set AGENTCLI_HOME to a folder that can be written."
        raise LedgerError(f"{path}: cannot be made: {error.strerror}", hint=hint) from error
    return RunFolder(path)


def all_runs(state: Path) -> Iterator[RunFolder]:
    """Yield the runs that have a ledger, the newest first."""
    folder = runs_folder(state)
    if folder.is_dir():
        for path in sorted(folder.iterdir(), reverse=True):
            if not path.name.startswith(HIDDEN) and (path / "ledger.jsonl").is_file():
                yield RunFolder(path)


def find_run(state: Path, wanted: str) -> RunFolder:
    """Return the run of an id, a unique prefix, a ledger's path, or `last`.

    Raises MissingFileError, InputError.
    """
    if not wanted:
        raise InputError("which run? Give its id, a part of it, a path, or last")
    is_path = "/" in wanted or wanted.endswith(".jsonl")
    folder = at_path(state, wanted) if is_path else named_run(state, wanted)
    refuse_odd(folder)
    return replace(folder, unsealed=lacks_seal(state, folder))


def lacks_seal(state: Path, folder: RunFolder) -> bool:
    """Say whether a ledger that must have a sealed head of this machine has none."""
    if is_sealed_here(state, folder.path):
        return False
    try:
        return folder.started().version >= HAS_SEAL
    except AgentcliError:  # of that, others tell
        return False


def at_path(state: Path, wanted: str) -> RunFolder:
    path = Path(wanted)
    if not path.exists():
        raise MissingFileError(f"{escaped_line(wanted)}: no such ledger")
    if not path.is_dir() and path.name != "ledger.jsonl":
        raise InputError(
            f"{escaped_line(wanted)}: a ledger is ledger.jsonl in the folder of its run"
        )
    real = path.resolve() if path.is_dir() else path.resolve().parent
    return RunFolder(real, outside=real.parent != runs_folder(state).resolve())


def refuse_odd(folder: RunFolder) -> None:
    """Raise InputError where something is no plain file: a link leads elsewhere, a pipe never ends.

    Nothing of ours is one but the socket of a run under way, which nobody reads.
    """
    for place in (folder.path, folder.private, folder.outputs):
        try:
            with os.scandir(place) as found:
                odd = [entry for entry in found if not is_plain(entry)]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise MissingFileError(f"{place}: {error.strerror}") from error
        if odd:
            raise InputError(f"{odd[0].path}: is a link, a pipe or a device, which no run has")


def is_plain(entry: "os.DirEntry[str]") -> bool:
    mode = entry.stat(follow_symlinks=False).st_mode
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISSOCK(mode)


def named_run(state: Path, wanted: str) -> RunFolder:
    runs = list(all_runs(state))
    if wanted == "last":
        if not runs:
            raise MissingFileError(f"there are no runs in {runs_folder(state)} yet")
        # What was imported is named as its maker liked, and a replay is looked at once: neither
        # must stand before one's own last work.
        return next((run for run in runs if run.goes_on), runs[0])
    found = [run for run in runs if run.id == wanted] or [
        run for run in runs if run.id.startswith(wanted) or run.id.endswith(wanted)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(run.id for run in found[:3])
        raise InputError(f"{escaped_line(wanted)}: {len(found)} runs are named so: {some} ...")
    hint = f"A path is written ./{wanted}" if os.path.exists(wanted) else ""
    hint = hint or "List them: agentcli runs list"
    raise MissingFileError(f"{escaped_line(wanted)}: no such run", hint=hint)
