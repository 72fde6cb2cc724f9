"""Finds the protected file of which a path is another name: a hard link leads nowhere, it is it."""

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from agentcli.core.place import guard_of, parts_of
from agentcli.tool.named import inside_of, is_below
from agentcli.tool.snapshot import identity

ENTRIES_AT_MOST = 200_000
FileId = tuple[int, int]


def twins_of(root: Path, names: Iterable[str], protected: tuple[str, ...]) -> dict[str, str]:
    """Return the protected path that each of these is another name of, of those that are one.

    In the workspace that is a path from its root. "" where it cannot be found out. Costs a look at
    each name, and a search only where a file has several.
    """
    real_root = os.path.realpath(root)
    ids = {name: id for name in names if (id := shared_id(real_root, name))} if protected else {}
    if not ids:
        return {}
    try:
        found = protected_files(real_root, set(ids.values()), protected)
    except (OSError, LookupError):
        return dict.fromkeys(ids, "")
    return {name: found[id] for name, id in ids.items() if id in found}


def shared_id(root: str, name: str) -> FileId | None:
    """Return what is the same for a file under all its names, None if it has but one."""
    try:
        info = os.stat(os.path.join(root, inside_of(root, name)))
    except (OSError, ValueError):
        return None
    several = stat.S_ISREG(info.st_mode) and info.st_nlink > 1
    return identity(info) if several else None


def protected_files(root: str, ids: set[FileId], protected: tuple[str, ...]) -> dict[FileId, str]:
    """Return the protected path of each of these files that has one.

    Raises LookupError where there are too many files to look at, and OSError.
    """
    guard, found = guard_of(protected), dict[FileId, str]()
    inodes = {inode for _, inode in ids}
    for count, (path, inode) in enumerate(candidates(root, protected)):
        if count >= ENTRIES_AT_MOST:
            raise LookupError(root)
        if inode in inodes and guard(parts_of(name := inside_of(root, path))) == "in":
            id = identity(os.lstat(path))
            if id in ids:
                found[id] = name
    return found


def candidates(root: str, protected: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield path and inode of all in the workspace, and of what is protected out of it.

    What is protected by a name alone is looked for in the home folder.
    """
    yield from below(root)
    home = os.path.expanduser("~")
    for pattern in protected:
        for path in glob.iglob(os.path.join(home, pattern), include_hidden=True):
            if not is_below(path, root):
                yield path, os.lstat(path).st_ino
                yield from below(path)


def below(folder: str) -> Iterator[tuple[str, int]]:
    """Yield path and inode of all that is in a folder, at any depth. Links are not followed."""
    folders = [folder]
    while folders:
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                yield entry.path, entry.inode()
