"""Deletes old runs, and what only they have kept. Nothing is deleted that nobody has asked for."""

import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from agentcli.compose.report import is_running
from agentcli.compose.standing import Standing, standing_of
from agentcli.core.event import Ended
from agentcli.errors import AgentcliError, LedgerBusyError, LedgerError
from agentcli.ledger.effects import dead_letters, effects_of
from agentcli.ledger.find import all_runs, runs_folder
from agentcli.ledger.folder import RunFolder, last_event, last_record
from agentcli.ledger.follow import Follower
from agentcli.ledger.read import each_record
from agentcli.ledger.vault import sync_folder
from agentcli.tool.store import Freed, collect, unneeded

GOING = ".pruned-"
# Whatever could be the handle of a snapshot in a ledger, whatever field it stands in.
HANDLE = re.compile(rb'"([0-9a-f]{64})"')
PIECE = 1 << 24
OVERLAP = 66
UNDOES = b'"origin":"undo"'
UNFINISHED = ("parked", "open", "damaged")


@dataclass(frozen=True)
class Old:
    """A run that may go. last_us: when its last record was written."""

    folder: RunFolder
    standing: Standing
    last_us: int
    size_bytes: int


def old_runs(state: Path, before_us: int, *, unfinished: bool) -> list[Old]:
    """Return the runs whose last record is older, the oldest first; none that is under way.

    unfinished: also those with which something is left to do: that could go on, that another one
    that could go on is played from, that have dead letters; and those that cannot be read.
    """
    found = []
    needed = set() if unfinished else played_from(state)
    for folder in all_runs(state):
        try:
            last = last_record(folder.ledger)
            event = last.event if last else None
            standing = standing_of(event, is_running=is_running(folder, event))
            if last is None:
                standing = Standing("damaged")
            stamp = last.at_us if last else int(folder.ledger.stat().st_mtime * 1e6)
        except (AgentcliError, OSError):
            continue  # what cannot even be looked at stays
        wanted = standing.status in ("done", "failed", *(UNFINISHED if unfinished else ()))
        if not wanted or stamp >= before_us or folder.path.resolve() in needed:
            continue
        if unfinished or not has_dead_letters(folder):
            found.append(Old(folder, standing, stamp, size_of(folder.path)))
    return sorted(found, key=lambda old: old.last_us)


def played_from(state: Path) -> set[Path]:
    """Return the folders of runs whose model's words a run that could go on still needs."""
    found = set()
    for folder in all_runs(state):
        with suppress(AgentcliError, OSError):
            kind, _, rest = folder.plan().model.partition(":")
            if kind == "recorded" and not isinstance(last_event(folder.ledger), Ended):
                found.add((runs_folder(state) / rest).resolve())  # an id, or a whole path
    return found


def has_dead_letters(folder: RunFolder) -> bool:
    try:
        with folder.ledger.open("rb") as file:  # quickly, as hardly any run was ever undone
            if not any(UNDOES in line for line in file):
                return False
        return any(dead_letters(effects_of(each_record(folder.ledger))))
    except (AgentcliError, OSError):
        return False


def size_of(path: Path) -> int:
    """Return how many bytes the files below a folder hold; links are not followed."""
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(folder, name)).st_size
    return total


def prune(state: Path, folders: Sequence[RunFolder]) -> tuple[list[RunFolder], Freed | None]:
    """Delete these runs and what they alone have kept in the store.

    Returns those that are gone, and what the store has lost: None if a run is under way, as its
    needs are not known; the next time frees it. A run that meanwhile goes on stays. What a process
    has left half deleted is finished. Raises LedgerError.
    """
    gone = []
    try:
        with alone(state):
            finish(state)
            for folder in folders:
                with held(folder) as is_ours:
                    if is_ours:
                        hide(folder)
                        gone.append(folder)
            finish(state)
            return gone, collect_store(state)
    except OSError as error:
        message = f"{error.filename or state}: cannot be deleted: {error.strerror}"
        hint = "What is left is finished by: agentcli runs prune --older ..."
        raise LedgerError(message, hint=hint) from error


@contextmanager
def alone(state: Path) -> Iterator[None]:
    """Let no other process delete runs meanwhile. Raises LedgerBusyError, OSError."""
    file = os.open(runs_folder(state), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise LedgerBusyError("another process is deleting runs", hint="Try again.") from error
    finally:
        os.close(file)


@contextmanager
def held(folder: RunFolder) -> Iterator[bool]:
    """Hold a run's ledger as its writer would; False if another process does, or it is gone."""
    try:
        file = os.open(folder.ledger, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield False
        return
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(file)


def hide(folder: RunFolder) -> None:
    """Give a run's folder a name under which it is none any more: from here on it is deleted."""
    os.rename(folder.path, folder.path.with_name(GOING + folder.id))
    sync_folder(folder.path.parent)


def finish(state: Path) -> None:
    """Delete the folders and seals of runs that are to go."""
    for path in half_deleted(state):
        run = path.name.removeprefix(GOING)
        (state / "seals" / f"{run}.json").unlink(missing_ok=True)
        for folder, names, _ in os.walk(path):
            for name in names:  # a tool may have closed a folder of the workspace
                inner = os.path.join(folder, name)
                if not os.path.islink(inner):
                    os.chmod(inner, 0o700)
        shutil.rmtree(path)


def half_deleted(state: Path) -> list[Path]:
    folder = runs_folder(state)
    return sorted(folder.glob(f"{GOING}*")) if folder.is_dir() else []


def collect_store(state: Path) -> Freed | None:
    before = sizes(state)

    def is_quiet() -> bool:
        return sizes(state) == before and not any(map(is_held, all_runs(state)))

    named = set[str]().union(*(handles_in(run.ledger) for run in all_runs(state)))
    return collect(state / "store", named, is_quiet)


def would_free(state: Path, folders: Sequence[RunFolder]) -> Freed:
    """Return what the store would lose with these runs. Raises LedgerError."""
    going = {folder.path for folder in folders}
    try:
        staying = (run for run in all_runs(state) if run.path not in going)
        named = set[str]().union(*(handles_in(run.ledger) for run in staying))
        return unneeded(state / "store", named)
    except OSError as error:
        raise LedgerError(f"{error.filename}: cannot be read: {error.strerror}") from error


def sizes(state: Path) -> dict[str, int]:
    return {run.id: run.ledger.stat().st_size for run in all_runs(state)}


def is_held(run: RunFolder) -> bool:
    with Follower(run.ledger) as follower:
        return follower.is_written()


def handles_in(ledger: Path) -> set[str]:
    """Return all that could be a handle, also where a ledger is damaged: rather too much."""
    found: set[str] = set()
    with ledger.open("rb") as file:
        tail = b""
        while piece := file.read(PIECE):
            found.update(match.decode() for match in HANDLE.findall(tail + piece))
            tail = (tail + piece)[-OVERLAP:]
    return found
