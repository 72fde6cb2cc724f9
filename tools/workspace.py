"""The one way in which a script touches files: below its roots, never through a link out of one.

A path is walked a folder at a time from a descriptor of its root, no link is followed by the
system, and `..` goes back along the way that was come. So nothing that another process does to
the tree meanwhile leads outside.
"""

import contextlib
import difflib
import errno
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from answer import Problem, visible

SKIPPED = frozenset(
    [
        *(".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", ".tox"),
        *(".mypy_cache", ".pytest_cache", ".ruff_cache"),
    ]
)
MAX_LINKS = 40
EDIT_BYTES = 10_000_000
DIFF_LINES = 3000

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_PROTECTED_FOLDERS = frozenset([".git", "git~1", ".agentcli"])
_PROTECTED_FILES = frozenset(
    [
        *(".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile"),
        *(".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".mkshrc"),
        *(".cshrc", ".tcshrc", ".login", ".logout", ".inputrc", ".xprofile", ".envrc"),
        "config.fish",
    ]
)


@dataclass(frozen=True)
class Place:
    """A name in an open folder. The name itself is no link, as far as could be seen.

    shown: the path for people. parts: the real names from the root.
    """

    folder: int
    name: str
    root: str
    parts: tuple[str, ...]

    @property
    def shown(self) -> str:
        inside = "/".join(self.parts) or "."
        return visible(inside if self.root == WORKSPACE else f"{self.root}/{inside}")


WORKSPACE = os.path.realpath(os.getcwd())
# Where something is mounted, all of it is below one folder, which holds nothing else.
_MOUNTS = os.environ.get("AGENTCLI_MOUNTS", "")
_ROOTS = (WORKSPACE, "/outputs", "/tmp", *filter(None, [_MOUNTS]))


def locate(path: str, *, create: bool = False) -> Place:
    """Return where a path leads. `create`: make the folders that are missing on the way.

    Raises Problem when it leads out of its root, or through something that is not a folder.
    """
    root, rest = _root_of(path)
    folders = [_open_root(root)]
    names: list[str] = []
    links = 0
    while rest:
        part = rest.pop(0)
        if part in ("", "."):
            continue
        if part == "..":
            if not names:
                raise _outside(path)
            names.pop()
            os.close(folders.pop())
            continue
        if (target := _link(part, folders[-1])) is not None:
            links += 1
            if links > MAX_LINKS:
                raise Problem(f"{visible(path)}: too many symbolic links")
            if target.startswith("/"):
                inside = _inside(target, root)
                if inside is None:
                    raise _outside(path, target)
                names, folders = [], folders[:1]
                rest = inside + rest
            else:
                rest = target.split("/") + rest
            continue
        if not any(more not in ("", ".") for more in rest):
            return Place(folders[-1], part, root, (*names, part))
        if create:
            refuse_protected((*names, part), path)
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, dir_fd=folders[-1])
        try:
            folders.append(_enter(Place(folders[-1], part, root, (*names, part)), path))
        except Missing as missing:
            raise missing.below(rest) from None
        names.append(part)
    return Place(folders[-1], ".", root, tuple(names))


def open_file(path: str) -> tuple[BinaryIO, os.stat_result, Place]:
    """Return a regular file, opened for reading. Raises Problem for anything else."""
    place = locate(path)
    return *open_place(place, path), place


def open_place(place: Place, path: str) -> tuple[BinaryIO, os.stat_result]:
    # O_NONBLOCK: opening a pipe must not wait for its writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        handle = os.open(place.name, flags, dir_fd=place.folder)
    except FileNotFoundError:
        raise Problem(f"{visible(path)}: there is no such file{_near(place)}") from None
    except OSError as wrong:
        reason = "it changed meanwhile, try again" if wrong.errno == errno.ELOOP else wrong.strerror
        raise Problem(f"{visible(path)}: cannot be opened: {reason}") from None
    found = os.fstat(handle)
    if stat.S_ISDIR(found.st_mode):
        raise Problem(f"{visible(path)}: is a folder: use list_files")
    if not stat.S_ISREG(found.st_mode):
        raise Problem(f"{visible(path)}: is {kind_of(found.st_mode)}, not a regular file")
    return open(handle, "rb"), found


def open_folder(path: str) -> Place:
    """Return a folder as the place `.` in itself."""
    place = locate(path)
    folder = _enter(place, path)
    return Place(folder, ".", place.root, place.parts)


def walk(
    folder: int, deep: int, everything: bool, skipped: set[str], above: tuple[str, ...] = ()
) -> Iterator[tuple[int, tuple[str, ...], os.stat_result]]:
    """Yield what is below a folder, sorted, as (its folder, parts below the start, facts).

    Links are yielded and not followed; `skipped` takes the names of what was passed over.
    """
    for name in sorted(os.listdir(folder)):
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            continue  # gone meanwhile
        is_folder = stat.S_ISDIR(found.st_mode)
        if is_folder and name in SKIPPED and not everything:
            skipped.add(name)
            continue
        yield folder, (*above, name), found
        if is_folder and len(above) + 1 < deep:
            try:
                inner = os.open(name, _FOLDER, dir_fd=folder)
            except OSError:
                skipped.add(f"{visible('/'.join((*above, name)))} (cannot be opened)")
                continue
            try:
                yield from walk(inner, deep, everything, skipped, (*above, name))
            finally:
                os.close(inner)


def matcher(glob: str) -> Callable[[str], bool]:
    """Return what tells whether a path fits: `*.py` at any depth, `src/**/*.py` from the top."""
    out = "" if "/" in glob else "(?:.*/)?"
    rest = glob.removeprefix("./").removeprefix("/")
    if len(re.findall(r"\*+", rest)) > 8:
        raise Problem("glob: has more than 8 stars: make it simpler")
    depth = 0
    while rest:
        if found := re.match(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^]/]*\]|[{},]|(?s:.)", rest):
            token, rest = found[0], rest[found.end() :]
        if token == "**/":
            out += "(?:.*/)?"
        elif token == "**":
            out += ".*"
        elif token == "*":
            out += "[^/]*"
        elif token == "?":
            out += "[^/]"
        elif token[0] == "[" and len(token) > 2:
            inner = token[1:-1].replace("\\", "\\\\")
            out += f"[^/{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
        elif token == "{":
            depth += 1
            out += "(?:"
        elif token == "}" and depth:
            depth -= 1
            out += ")"
        elif token == "," and depth:
            out += "|"
        else:
            out += re.escape(token)
    try:
        pattern = re.compile(out, re.DOTALL)
    except re.error as wrong:
        raise Problem(f"glob: {visible(glob)} cannot be read: {wrong}") from None
    return lambda path: pattern.fullmatch(path) is not None


def refuse_protected(parts: tuple[str, ...], path: str) -> None:
    """Raise Problem for a path that others execute or are governed by, however it is spelled."""
    for part in parts:
        # Some file systems fold case, drop invisible characters, or compare by normal form.
        bare = unicodedata.normalize("NFKC", part)
        bare = "".join(c for c in bare if unicodedata.category(c) != "Cf").casefold()
        bare = bare.rstrip(". ")
        if bare in _PROTECTED_FOLDERS or bare in _PROTECTED_FILES:
            raise Problem(
                f"{visible(path)}: `{visible(part)}` is protected and never written by this tool: "
                "ask the user to change it"
            )


def place_to_write(path: str, *, create: bool) -> tuple[Place, os.stat_result | None]:
    """Return where a file would be written, and what is there now.

    create: make missing folders; without it, a place below a missing one has the folder -1.
    """
    root, parts = _root_of(path)
    if root == "/outputs":
        raise Problem(f"{visible(path)}: /outputs can only be read")
    if path.endswith("/"):
        raise Problem(f"{visible(path)}: ends in a slash, name a file")
    refuse_protected(tuple(parts), path)  # before any folder is made
    try:
        place = locate(path, create=create)
    except Missing as missing:
        if create or missing.place.folder == -2:
            raise
        place = missing.place
    refuse_protected(place.parts, path)  # and where links have led
    if place.name == ".":
        raise Problem(f"{visible(path)}: is a folder, name a file in it")
    if place.folder < 0:
        return place, None
    try:
        found = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
    except FileNotFoundError:
        return place, None
    except OSError as wrong:
        raise Problem(f"{visible(path)}: cannot be written: {wrong.strerror}") from None
    if stat.S_ISDIR(found.st_mode):
        raise Problem(f"{visible(path)}: is a folder, name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise Problem(f"{visible(path)}: is {kind_of(found.st_mode)}, not a regular file")
    if not found.st_mode & 0o222:
        raise Problem(f"{visible(path)}: is read-only: make it writable first if that is meant")
    return place, found


def replace(place: Place, content: bytes, before: os.stat_result | None) -> None:
    """Put the whole content in place at once, with the permissions of what was there.

    Raises Problem when the file is no longer the one of `before`.
    """
    umask = os.umask(0o077)
    os.umask(umask)
    mode = stat.S_IMODE(before.st_mode) & 0o777 if before else 0o666 & ~umask
    temporary = f".agentcli-{os.getpid()}-{os.urandom(6).hex()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(temporary, flags, 0o600, dir_fd=place.folder)
    try:
        with open(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        try:
            now = os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        except FileNotFoundError:
            now = None
        if _version(now) != _version(before):
            raise Problem(f"{place.shown}: was changed by another meanwhile: read it again")
        os.replace(temporary, place.name, src_dir_fd=place.folder, dst_dir_fd=place.folder)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=place.folder)
        raise


def _version(found: os.stat_result | None) -> tuple[int, ...]:
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else ()


def diff(old: str, new: str, shown: str, *, created: bool = False) -> str:
    """Return a unified diff. Of a very long change, the lines are not matched with each other."""
    before, after = _lines(old), _lines(new)
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    names = ("/dev/null" if created else f"a/{shown}", f"b/{shown}")
    if max(len(before), len(after)) - head - tail <= DIFF_LINES:
        lines = list(difflib.unified_diff(before, after, *names))
    else:
        gone, come = before[head : len(before) - tail], after[head : len(after) - tail]
        lines = [
            f"--- {names[0]}\n",
            f"+++ {names[1]}\n",
            f"@@ -{head + 1},{len(gone)} +{head + 1},{len(come)} @@\n",
            *(f"-{line}" for line in gone),
            *(f"+{line}" for line in come),
        ]
    end = "\n\\ No newline at end of file\n"
    return "".join(line if line.endswith("\n") else line + end for line in lines)


def _lines(text: str) -> list[str]:
    # Not splitlines: a form feed ends no line of a file.
    return [line for line in re.split(r"(?<=\n)", text) if line]


def kind_of(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a symbolic link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a device",
        stat.S_IFBLK: "a device",
    }
    return kinds.get(stat.S_IFMT(mode), "a file")


def size(size_bytes: int) -> str:
    amount, units = float(size_bytes), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.0f} {units[0]}" if units[0] == "B" else f"{amount:.1f} {units[0]}"


class Missing(Problem):
    """A folder on the way is not there. `place`: that folder."""

    def __init__(self, message: str, place: Place) -> None:
        super().__init__(message)
        self.place = place

    def below(self, rest: list[str]) -> "Missing":
        """Return the same with the place to which the rest of the path would lead."""
        parts = (*self.place.parts, *(part for part in rest if part not in ("", ".")))
        folder = -2 if ".." in rest else -1
        return Missing(str(self), Place(folder, parts[-1], self.place.root, parts))


def _root_of(path: str) -> tuple[str, list[str]]:
    if "\0" in path:
        raise Problem("a path cannot hold a NUL character")
    if not path:
        raise Problem("the path is empty: use `.` for the workspace")
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise Problem(f"{visible(path)}: is not a path: it holds half a character") from None
    if path.startswith("~"):
        raise Problem(f"{visible(path)}: `~` is not read here: use a path below the workspace")
    if not path.startswith("/"):
        return WORKSPACE, path.split("/")
    for root in _ROOTS:
        if (inside := _inside(path, root)) is not None:
            return root, inside
    raise _outside(path)


def _inside(path: str, root: str) -> list[str] | None:
    parts, start = path.split("/"), root.split("/")
    return parts[len(start) :] if parts[: len(start)] == start else None


def _open_root(root: str) -> int:
    try:
        # The root itself may be a link, as /tmp is on macOS.
        return os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        raise Problem(f"{root}: there is no such folder here") from None


def _link(name: str, folder: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=folder)
    except OSError:
        return None


def _enter(place: Place, path: str) -> int:
    try:
        return os.open(place.name, _FOLDER, dir_fd=place.folder)
    except FileNotFoundError:
        message = f"{visible(path)}: there is no folder `{place.shown}`{_near(place)}"
        raise Missing(message, place) from None
    except OSError as wrong:
        if wrong.errno in (errno.ENOTDIR, errno.ELOOP):
            raise Problem(f"{visible(path)}: `{place.shown}` is not a folder") from None
        raise Problem(f"{visible(path)}: cannot be opened: {wrong.strerror}") from None


def _outside(path: str, target: str = "") -> Problem:
    through = f" through a link to {visible(target)}" if target else ""
    return Problem(
        f"{visible(path)}: leads out of the workspace{through}: "
        f"use a path below it, such as `src/main.py`, or one in {_others()}"
    )


def _others() -> str:
    return ", ".join(_ROOTS[1:-1]) + f" or {_ROOTS[-1]}"


def _near(place: Place) -> str:
    try:
        names = os.listdir(place.folder)[:5000]
    except OSError:
        return ""
    known = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(place.name.casefold(), known, n=3, cutoff=0.6)
    shown = ", ".join(f"`{visible(known[name])}`" for name in near)
    return f"; near names in that folder: {shown}" if shown else ""
