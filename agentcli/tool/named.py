"""What the files that a call names hold, so that a yes to it is for just that content."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from agentcli.core.place import parts_of
from agentcli.core.step import Args
from agentcli.tool.below import FILE, open_below
from agentcli.tool.manifest import Manifest, Restore

INSIDE = "/workspace"


def names_in(manifest: Manifest, args: Args) -> list[str]:
    """Return what the arguments of a call name that its undo would put back."""
    undo = manifest.compensate
    if not isinstance(undo, Restore) or undo.restore == "workspace":
        return []
    return [str(args[name]) for name in undo.restore if name in args]


def named_files(
    root: Path, names: Iterable[str], is_hidden: Callable[[str], bool]
) -> dict[str, str]:
    """Return the content's hash of each of these files that is in the workspace.

    "" for one that is not there, is no plain file, is hidden or is led to by a link out of the
    workspace: none of these is read.
    """
    found = {}
    for name in names:
        inside = inside_of(str(root), name)
        if not os.path.isabs(inside):
            found[name] = content_of(os.path.realpath(root), inside, is_hidden)
    return found


def places_of(root: Path, names: Iterable[str]) -> dict[str, str]:
    """Return where each of these really leads, of those of which links make it another place.

    In the workspace that is a path from its root. "" where it cannot be found out.
    """
    found, real_root = {}, os.path.realpath(root)
    for name in names:
        inside = name.removeprefix(INSIDE).lstrip("/") if is_below(name, INSIDE) else name
        try:
            real = os.path.realpath(os.path.join(real_root, inside))
        except (OSError, ValueError):
            found[name] = ""
            continue
        if is_below(real, real_root):
            real = os.path.relpath(real, real_root)
        if parts_of(real) != parts_of(name):
            found[name] = real
    return found


def inside_of(root: str, name: str) -> str:
    """Return a path as seen from the workspace, one out of it from the root of all."""
    inside = name.removeprefix(INSIDE).lstrip("/") if is_below(name, INSIDE) else name
    if os.path.isabs(inside) and is_below(inside, root):
        inside = os.path.relpath(inside, root)
    return inside


def is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def content_of(root: str, name: str, is_hidden: Callable[[str], bool]) -> str:
    try:
        real = os.path.realpath(os.path.join(root, name))
        parts = os.path.relpath(real, root).split("/")
        if parts[0] == ".." or any(map(is_hidden, (*parts, *name.split("/")))):
            return ""
        return hash_below(root, parts)
    except (OSError, ValueError):
        return ""


def hash_below(root: str, parts: list[str]) -> str:
    """Return the hash of a file below a folder, whatever is done to the tree meanwhile."""
    file = open_below(root, parts, FILE)
    with open(file, "rb") as opened:
        info = os.fstat(file)
        if not stat.S_ISREG(info.st_mode):
            return ""
        if info.st_nlink > 1:
            # Its other name may be that of a hidden file: it is known by its stamp, not read.
            stamp = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
            return hashlib.sha256(repr(stamp).encode()).hexdigest()
        return hashlib.file_digest(opened, "sha256").hexdigest()
