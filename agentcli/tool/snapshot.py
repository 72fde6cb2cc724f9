"""Keeps what a workspace was before a call, by content, so that the call can be undone."""

import errno
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agentcli.core.sandbox import hidden_names
from agentcli.errors import InputError
from agentcli.tool.below import FILE, FOLDER, open_below

FILES_AT_MOST = 20_000
BYTES_AT_MOST = 256 * 1024 * 1024
# A file changed twice within one tick of the file system's clock keeps its stamp.
TICK_NS = 20_000_000
DIGEST = re.compile(r"[0-9a-f]{64}")
SYNC_EACH_AT_MOST = 500
# What opening says of a path that went, or became a link or a pipe, since it was listed.
GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO)


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One path of a snapshot, in bytes, since a name need not be UTF-8.

    content: the hash of a file's bytes, the target of a link, "" for a folder.
    """

    path: bytes
    mode: int
    content: str

    @staticmethod
    def of(path: str, mode: int, content: str) -> "Kept":
        return Kept(os.fsencode(path), mode, content)


def paths_in(data: bytes) -> list[Kept]:
    """Return all paths of a snapshot, each within its workspace. Raises ValueError for none."""
    kept = msgspec.json.decode(data, type=list[Kept])
    for one in kept:
        # Whoever could write into a workspace could have such a list kept, as a file's content.
        if b"\0" in one.path or any(part in (b"", b".", b"..") for part in one.path.split(b"/")):
            raise ValueError(f"it names {one.path!r}, which is no path")
    return kept


def blob_path(store: Path, digest: str) -> Path:
    """Return where the store keeps the content of this hash."""
    return store / digest[:2] / digest


class Stamp(msgspec.Struct, frozen=True):
    size: int
    mtime_ns: int
    ctime_ns: int  # a program can set the other back
    inode: int


class TooBigError(Exception):
    """The workspace holds more than is kept, or what cannot be kept."""


@dataclass
class Snapshots:
    """The snapshots of one workspace. Contents are stored once each, whatever run needs them.

    hidden: names of files that are left out, under whatever name: tools cannot reach them.
    """

    workspace: Path
    store: Path
    hidden: tuple[str, ...] = ()
    seen: dict[str, tuple[Stamp, str]] = field(default_factory=dict)

    def take(self) -> str:
        """Return the handle of the workspace as it is now, "" if it is too big to be kept."""
        self.store.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh: list[Path] = []
        try:
            kept = self.walk(fresh)
        except TooBigError:
            return ""
        handle = self.put(msgspec.json.encode(sorted(kept, key=lambda k: k.path)), fresh)
        make_safe(fresh)
        return handle

    def walk(self, fresh: list[Path], fits: Callable[[str], bool] | None = None) -> list[Kept]:
        """Return what is there. fits: which paths alone are wanted, None for all."""
        kept: list[Kept] = []
        files: list[tuple[str, os.stat_result]] = []
        secret: set[tuple[int, int]] = set()
        is_hidden = hidden_names(self.hidden)
        now, total = time.time_ns(), 0
        folders = [""]
        while folders:
            folder = folders.pop()
            for path, info in self.entries(folder, closed_is_empty=fits is not None):
                if len(kept) + len(files) >= FILES_AT_MOST:
                    raise TooBigError(path)
                mode = stat.S_IMODE(info.st_mode)
                if stat.S_ISDIR(info.st_mode):
                    folders.append(path)
                if fits is not None and not fits(path):
                    continue
                if stat.S_ISDIR(info.st_mode):
                    kept.append(Kept.of(path, mode, ""))
                    continue
                if stat.S_ISLNK(info.st_mode):
                    kept.append(Kept.of(path, 0, self.target(path)))
                elif stat.S_ISREG(info.st_mode):
                    files.append((path, info))
                if is_hidden(os.path.basename(path)):
                    # Of a link, what it leads to.
                    with suppress(OSError):
                        secret.add(identity(os.stat(self.workspace / path)))
        for path, info in files:
            if identity(info) in secret:
                continue
            total += info.st_size
            if total > BYTES_AT_MOST:
                raise TooBigError(path)
            content = self.content(path, info, now, fresh)
            if content is not None:
                # Mode 0 is that of a link.
                kept.append(Kept.of(path, stat.S_IMODE(info.st_mode) or stat.S_IRUSR, content))
        return kept

    def entries(
        self, folder: str, *, closed_is_empty: bool = False
    ) -> list[tuple[str, os.stat_result]]:
        """Return what is in a folder, without what goes meanwhile or becomes a link.

        Raises TooBigError if it cannot be read, unless that is to count as nothing.
        """
        found: list[tuple[str, os.stat_result]] = []
        try:
            inner = open_below(self.workspace, parts_of(folder), FOLDER)
            try:
                with os.scandir(inner) as entries:
                    for entry in entries:
                        path = f"{folder}/{entry.name}" if folder else entry.name
                        with suppress(FileNotFoundError):
                            found.append((path, entry.stat(follow_symlinks=False)))
            finally:
                os.close(inner)
        except OSError as error:
            if error.errno not in GONE and not closed_is_empty:
                raise TooBigError(folder) from error
        return found

    def target(self, path: str) -> str:
        """Return where a link leads, byte for byte."""
        with suppress(OSError):
            return os.fsencode(os.readlink(self.workspace / path)).decode("latin-1")
        return ""

    def content(self, path: str, info: os.stat_result, now: int, fresh: list[Path]) -> str | None:
        """Return the hash of a file that is kept now, None if it has gone or is one no more."""
        stamp = Stamp(info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
        known = self.seen.get(path)
        if known is not None and known[0] == stamp and self.path_of(known[1]).exists():
            return known[1]
        try:
            with open(open_below(self.workspace, parts_of(path), FILE), "rb") as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    return None
                data = file.read(BYTES_AT_MOST + 1)
        except OSError as error:
            if error.errno in GONE:
                return None
            raise TooBigError(path) from error
        if len(data) > BYTES_AT_MOST:
            raise TooBigError(path)
        digest = self.put(data, fresh)
        if max(info.st_mtime_ns, info.st_ctime_ns) < now - TICK_NS:
            self.seen[path] = (stamp, digest)
        return digest

    def put(self, data: bytes, fresh: list[Path]) -> str:
        digest = hashlib.sha256(data).hexdigest()
        path = self.path_of(digest)
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            beside = path.with_name(f".{digest}.{os.getpid()}")
            beside.touch(mode=0o600)
            beside.write_bytes(data)
            os.replace(beside, path)
            fresh.append(path)
        return digest

    def path_of(self, digest: str) -> Path:
        return blob_path(self.store, digest)

    def contents(self, handle: str) -> dict[bytes, Kept]:
        """Return what a snapshot holds, by path. Raises InputError if it is gone or not whole."""
        try:
            return {kept.path: kept for kept in paths_in(self.data(handle))}
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path_of(handle)}: not a snapshot: {error}") from error

    def data(self, digest: str) -> bytes:
        """Return kept bytes. Raises InputError if they are gone or changed."""
        path = self.path_of(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: what was kept is gone: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise InputError(f"{path}: what was kept is not what it was")
        return data

    def now(self, fits: Callable[[str], bool] | None = None) -> dict[bytes, Kept]:
        """Return what the workspace holds now, by path. Raises TooBigError.

        fits: which paths alone are wanted, of those that can be seen; None for all.
        """
        return {k.path: k for k in self.walk([], fits)}

    def changes(self, handle: str) -> list[str]:
        """Return the paths in which the workspace differs from a snapshot, sorted."""
        return [os.fsdecode(path) for path in differing(self.contents(handle), self.now())]


def parts_of(path: str) -> list[str]:
    return path.split("/") if path else []


def differing(one: dict[bytes, Kept], other: dict[bytes, Kept]) -> list[bytes]:
    """Return the paths in which two states differ, sorted."""
    return sorted(path for path in one.keys() | other.keys() if one.get(path) != other.get(path))


def identity(info: os.stat_result) -> tuple[int, int]:
    """Return what is the same for one file under all its names."""
    return info.st_dev, info.st_ino


def make_safe(fresh: list[Path]) -> None:
    """Return once the new files would outlive a power cut."""
    if len(fresh) > SYNC_EACH_AT_MOST:
        os.sync()
        return
    for path in [*fresh, *{path.parent for path in fresh}]:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
