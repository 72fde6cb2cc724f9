"""Reads a ledger and goes on as it grows, without ever taking its lock."""

import fcntl
import os
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from agentcli.core.event import Recorded
from agentcli.errors import InputError, LedgerDamagedError, MissingFileError
from agentcli.ledger.line import HEAD, MOST_LINE_BYTES, Chain, refuse_newer

BLOCK = 4 << 20
LOCKS = Path("/proc/locks")


class Follower:
    """Each `news` and each `each` reads what was appended since the last one, and nothing twice.

    A last line without its end is still being written, or was never acknowledged: it is left
    for the next call. torn_bytes: how long it is.

    Raises MissingFileError, InputError where it is no file.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.chain = path, Chain()
        self.offset = self.torn_bytes = 0
        self.stamp = (0, 0)
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file, so no ledger")
        try:
            self.file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise MissingFileError(f"{path}: {error.strerror}") from error

    def news(self) -> list[Recorded]:
        """Return the records that have come, all at once. Raises as `each` does."""
        return list(self.each())

    def each(self) -> Iterator[Recorded]:
        """Yield the records that have come, each checked against the chain.

        Raises LedgerDamagedError with the line, LedgerError if a newer program wrote it,
        InputError where no record is and nobody is about to write one.
        """
        found = os.fstat(self.file)
        if not found.st_size and not self.is_written():
            raise InputError(f"{self.path}: an empty file, not a ledger")
        if self.stamp == (stamp := (found.st_size, found.st_mtime_ns)):
            return
        self.stamp = stamp
        if found.st_size < self.offset:
            raise LedgerDamagedError(f"{self.path}: it has become shorter")
        torn = b""
        for lines, torn in self.blocks(found.st_size):
            if not self.offset:
                self.refuse_other(lines[0] if lines else torn)
            yield from self.take(lines)
            if len(torn) > MOST_LINE_BYTES:
                message = f"{self.where()}: it goes on without an end, longer than any record"
                raise LedgerDamagedError(message)
        self.torn_bytes = len(torn)
        if not (self.offset or self.is_written()):
            raise InputError(f"{self.path}: without a whole record, not a ledger")

    def blocks(self, end: int) -> Iterator[tuple[list[bytes], bytes]]:
        """Yield whole lines, as many as come at once, and the beginning of the next one."""
        torn, at = b"", self.offset
        while at < end:
            part = self.read(at, min(at + BLOCK, end))
            if not part:
                break
            at += len(part)
            *lines, torn = (torn + part).split(b"\n")
            yield lines, torn

    def take(self, lines: list[bytes]) -> Iterator[Recorded]:
        for line in lines:
            try:
                yield self.chain.read(line + b"\n")
            except LedgerDamagedError as error:
                raise LedgerDamagedError(f"{self.where()}: {error}") from error
            self.offset += len(line) + 1

    def refuse_other(self, first: bytes) -> None:
        refuse_newer(self.path, first)
        if not first.startswith(HEAD[: len(first)]):
            raise InputError(f"{self.path}: not a ledger of this program")

    def where(self) -> str:
        return f"{self.path}: line {self.chain.seq + 1}, byte {self.offset}"

    def read(self, at: int, end: int) -> bytes:
        """Return the bytes between two places, as far as they are there."""
        parts = []
        while at < end and (part := os.pread(self.file, min(end - at, 1 << 30), at)):
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def is_written(self) -> bool:
        """Say whether a living process holds the ledger to write it."""
        return is_locked(self.file, self.path)

    def close(self) -> None:
        os.close(self.file)

    def __enter__(self) -> "Follower":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


def is_locked(file: int, path: Path) -> bool:
    """Say whether somebody has locked an open file with flock, without trying to lock it.

    A try would succeed for a moment, in which the rightful writer could be refused.
    """
    try:
        locks = LOCKS.read_text()
    except OSError:
        return is_locked_elsewhere(file)
    inode = str(os.fstat(file).st_ino)
    for line in locks.splitlines():
        # 1: FLOCK  ADVISORY  WRITE 4711 08:01:1234 0 EOF; a waiting one has -> after its number
        match line.split():
            case [_, "FLOCK", _, "WRITE", pid, where, *_]:
                # The device is not compared: some file systems name another one here.
                if where.rpartition(":")[2] == inode and has_open(pid, path):
                    return True
    return False


def has_open(pid: str, path: Path) -> bool:
    """Say whether a process has a file open; yes where that cannot be seen."""
    try:
        links = list(Path("/proc", pid, "fd").iterdir())
    except FileNotFoundError:
        return False
    except OSError:
        return True
    real = str(path.resolve())
    for link in links:
        try:
            if os.readlink(link) == real:
                return True
        except OSError:
            continue
    return False


def is_locked_elsewhere(file: int) -> bool:
    """Ask as macOS answers: there, a question of lockf's sees the locks of flock too."""
    if sys.platform != "darwin":
        return False
    try:
        asked = struct.pack("qqihh", 0, 0, 0, fcntl.F_WRLCK, os.SEEK_SET)
        answer = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except OSError:
        return False
    return bool(struct.unpack("qqihh", answer)[3] != fcntl.F_UNLCK)
