"""Puts back what calls have changed in a workspace: just their paths, and nothing by force."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from agentcli.tool.snapshot import Kept, Snapshots, differing

State = dict[bytes, Kept]


@dataclass(frozen=True)
class Change:
    """One path, as it is and as it is to be. None: not there."""

    path: bytes
    now: Kept | None
    then: Kept | None


@dataclass
class Restoring:
    """left: paths that somebody has changed since, so that they are not put back."""

    changes: list[Change] = field(default_factory=list)
    left: list[bytes] = field(default_factory=list)


def restoring(now: State, before: State, after: State, *, force: bool = False) -> Restoring:
    """Return what undoes a call that made `after` of `before`, where the workspace is `now`.

    A path that is neither as the call left it nor as it was before is left, unless by force.
    """
    found = Restoring()
    for path in differing(before, after):
        is_now, was = now.get(path), before.get(path)
        if is_now == was:
            continue
        if is_now == after.get(path) or force:
            found.changes.append(Change(path, is_now, was))
        else:
            found.left.append(path)
    return found


def after_changes(now: State, changes: list[Change]) -> State:
    """Return the state that a workspace will have."""
    state = dict(now)
    for change in changes:
        if change.then is None:
            state.pop(change.path, None)
        else:
            state[change.path] = change.then
    return state


def put_back(snapshots: Snapshots, changes: list[Change]) -> list[bytes]:
    """Make the changes and return the paths that could not be changed, sorted.

    No link on the way is followed. Done twice it is as done once, so a cut one is done again.
    Raises InputError if what was kept is gone.
    """
    root = os.open(snapshots.workspace, os.O_RDONLY | os.O_DIRECTORY)
    failed: set[bytes] = set()
    try:
        # What is in a folder goes before it, and comes after it.
        for change in sorted(changes, key=lambda c: c.path, reverse=True):
            if change.now is not None and kind_of(change.now) != kind_of(change.then):
                with noted(change.path, failed), parent_of(root, change.path) as (folder, name):
                    remove(folder, name, change.now)
        for change in sorted(changes, key=lambda c: c.path):
            if change.then is not None and change.path not in failed:
                content = change.then.content
                data = snapshots.data(content) if kind_of(change.then) == "file" else b""
                with noted(change.path, failed), parent_of(root, change.path) as (folder, name):
                    put(folder, name, change.then, data)
    finally:
        os.close(root)
    return sorted(failed)


@contextmanager
def noted(path: bytes, failed: set[bytes]) -> Iterator[None]:
    try:
        yield
    except OSError:
        failed.add(path)


@contextmanager
def parent_of(root: int, path: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the open folder of a path and its name there; no link is followed on the way."""
    *folders, name = path.split(b"/")
    folder = os.dup(root)
    try:
        for part in folders:
            flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
            inner = os.open(part, flags, dir_fd=folder)
            os.close(folder)
            folder = inner
        yield folder, name
        os.fsync(folder)
    finally:
        os.close(folder)


def kind_of(kept: Kept | None) -> str:
    """Return what is kept of a path: file, link or folder; "" for nothing."""
    if kept is None:
        return ""
    if not kept.content:
        return "folder"
    return "file" if kept.mode else "link"


def remove(folder: int, name: bytes, now: Kept) -> None:
    """Remove what a call had made. A folder that holds anything else stays, by an OSError."""
    with suppress(FileNotFoundError):
        if kind_of(now) == "folder":
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)


def put(folder: int, name: bytes, then: Kept, data: bytes) -> None:
    match kind_of(then):
        case "folder":
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=folder)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            try:
                os.fchmod(inner, then.mode)
                give_to_owner(inner, folder)
            finally:
                os.close(inner)
        case "link":
            beside = free_beside(folder, name)
            os.symlink(then.content.encode("latin-1"), beside, dir_fd=folder)
            os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
        case _:
            put_file(folder, name, then, data)


def put_file(folder: int, name: bytes, then: Kept, data: bytes) -> None:
    """Write a file whole: it stands under its name only once it is safe."""
    beside = free_beside(folder, name)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(beside, flags, 0o600, dir_fd=folder)
    try:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fchmod(file, then.mode)
            give_to_owner(file, folder)
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except OSError:
        with suppress(OSError):
            os.unlink(beside, dir_fd=folder)
        raise


def free_beside(folder: int, name: bytes) -> bytes:
    """Return where a file is written first: of the same name each time, so that what a killed
    process has left there goes once the file is put back.
    """
    beside = b".agentcli-" + hashlib.sha256(name).hexdigest()[:12].encode()
    with suppress(FileNotFoundError):
        os.unlink(beside, dir_fd=folder)
    return beside


def give_to_owner(file: int, folder: int) -> None:
    """Give what root makes to whom the folder belongs."""
    if os.geteuid() == 0:
        owner = os.fstat(folder)
        os.fchown(file, owner.st_uid, owner.st_gid)
