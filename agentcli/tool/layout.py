"""Lays out what a workspace once was in a new folder, to go on from there."""

import hashlib
import os
from pathlib import Path

from agentcli.errors import LedgerDamagedError, LedgerError, MissingFileError
from agentcli.tool.snapshot import DIGEST, Kept, blob_path, paths_in


def lay_out(store: Path, handle: str, folder: Path) -> int:
    """Make a folder with all that a snapshot holds, and return how many paths that are.

    folder: must not be there yet. Links are made last and as links, so nothing is written
    through one. What was hidden from tools was never kept.
    Raises MissingFileError, LedgerDamagedError, LedgerError where it cannot be written.
    """
    kept = read_snapshot(store, handle)
    try:
        folder.mkdir(mode=0o700)
        folders = [one for one in kept if not one.content]
        for one in folders:
            os.mkdir(place(folder, one), 0o700)
        links = [one for one in kept if one.content and is_link(store, one)]
        for one in kept:
            if one.content and one not in links:
                write_file(place(folder, one), read_blob(store, one.content), one.mode)
        for one in links:
            os.symlink(one.content.encode("latin-1"), place(folder, one))
        for one in reversed(folders):  # a folder that may not be written is closed at the end
            os.chmod(place(folder, one), one.mode & 0o777)
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        message = f"{folder}: the state {handle[:12]} of the workspace cannot be: {error}"
        raise LedgerDamagedError(message) from error
    except OSError as error:
        raise LedgerError(f"{folder}: cannot be written: {error.strerror}") from error
    return len(kept)


def read_snapshot(store: Path, handle: str) -> list[Kept]:
    """Return all paths of a snapshot, those above before those below, each within its folder."""
    data = read_blob(store, handle)
    try:
        kept = paths_in(data)
    except (ValueError, RecursionError) as error:
        raise LedgerDamagedError(f"{handle[:12]}: no state of a workspace: {error}") from error
    return sorted(kept, key=lambda one: one.path)


def read_blob(store: Path, digest: str) -> bytes:
    if not DIGEST.fullmatch(digest):
        raise LedgerDamagedError(f"{digest!r} names no state of a workspace")
    path = blob_path(store, digest)
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"{path}: what the workspace was is not kept here: {error.strerror}"
        raise MissingFileError(message) from error
    if hashlib.sha256(data).hexdigest() != digest:
        raise LedgerDamagedError(f"{path}: it is not what was kept")
    return data


def is_link(store: Path, one: Kept) -> bool:
    """Say whether a path is a link: its content then is where it leads, and not kept as a file."""
    if one.mode or not DIGEST.fullmatch(one.content):
        return not one.mode
    return not blob_path(store, one.content).exists()


def place(folder: Path, one: Kept) -> bytes:
    return os.path.join(os.fsencode(folder), one.path)


def write_file(path: bytes, data: bytes, mode: int) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(file, "wb") as out:
        out.write(data)
        os.fchmod(file, mode & 0o777)
