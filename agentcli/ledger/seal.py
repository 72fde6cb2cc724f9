"""The sealed head of a ledger: how far it had come, in words that only this machine can write.

It stands in two places. `head.json` beside the ledger goes where the ledger goes. The witness, in
another folder, stays: it tells when the whole folder of a run was put back as it was before.
"""

import contextlib
import fcntl
import hmac
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from agentcli.core.record import Record, encode
from agentcli.errors import LedgerError
from agentcli.ledger.vault import sync_folder

KEY_BYTES = 32
# Of one size for ever, so that one write in place is the whole of it, in one sector of a disk.
HEAD_BYTES = 512
HEAD, SEALS, KEY = "head.json", "seals", "seal.key"
HAS_SEAL = 2  # ledgers of this version and later are sealed as they are written


class Head(Record, frozen=True):
    """The first `count` records of a run: `size_bytes` long, the last one's hash and epoch.

    open: its writer may have written more since, and died before it could seal that.
    key: which key seals it. mac: HMAC-SHA256 with that key over all the rest.
    """

    run: str
    count: int
    hash: str
    epoch: int
    size_bytes: int
    open: bool = False
    key: str = ""
    mac: str = ""

    def sealed(self, key: bytes) -> "Head":
        return seal_by(key, replace(self, key=name_of(key), mac=""))

    def is_sealed_by(self, key: bytes) -> bool:
        due = mac_of(key, replace(self, mac=""))
        return self.key == name_of(key) and hmac.compare_digest(due, self.mac)


def seal_by(key: bytes, head: Head) -> Head:
    return replace(head, mac=mac_of(key, head))


def mac_of(key: bytes, head: Head) -> str:
    return hmac.digest(key, encode(head), "sha256").hex()


def name_of(key: bytes) -> str:
    """Return what a key is called, which says nothing of it."""
    return hmac.digest(key, b"agentcli seal", "sha256").hex()[:16]


def read_head(path: Path) -> Head | None:
    """Return a head as it stands there, by whomever; None where none is, or not yet.

    Raises LedgerError for what is no head, OSError.
    """
    try:
        with path.open("rb") as file:
            data = file.read(HEAD_BYTES + 1)
    except FileNotFoundError:
        return None
    if not data.strip():
        return None
    try:
        return msgspec.json.decode(data, type=Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise LedgerError(f"{path}: not a sealed head: {error}") from error


def find_key(state: Path) -> bytes | None:
    """Return the key of this machine, None where there is none yet. Raises LedgerError."""
    try:
        key = (state / KEY).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LedgerError(f"{state / KEY}: {error.strerror}") from error
    return key if len(key) == KEY_BYTES else None


def make_key(state: Path) -> bytes:
    """Return the key of this machine, made once however many ask at once. Raises LedgerError."""
    if (found := find_key(state)) is not None:
        return found
    path = state / KEY
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            key = os.pread(file, KEY_BYTES, 0)
            if len(key) < KEY_BYTES:  # nobody has made it, or died while making it
                key = secrets.token_bytes(KEY_BYTES)
                os.pwrite(file, key, 0)
                os.fsync(file)
                sync_folder(state)
            return key
        finally:
            os.close(file)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be made: {error.strerror}") from error


def witness_of(state: Path, folder: Path) -> Path | None:
    """Return where the witness of a run is; None for one that is not among the runs here."""
    here = folder.resolve().parent == (state / "runs").resolve()
    return state / SEALS / f"{folder.name}.json" if here else None


def own_heads(key: bytes, paths: Iterable[Path]) -> list[Head]:
    """Return the heads that are there and sealed with this key."""
    found = []
    for path in paths:
        with contextlib.suppress(LedgerError, OSError):  # it binds nobody; `audit` tells of it
            head = read_head(path)
            if head is not None and head.is_sealed_by(key):
                found.append(head)
    return found


def is_sealed_here(state: Path, folder: Path) -> bool:
    """Say whether the run of a folder has a head of this machine. Raises LedgerError."""
    key, witness = find_key(state), witness_of(state, folder)
    places = [folder / HEAD, *([] if witness is None else [witness])]
    return key is not None and bool(own_heads(key, places))


class Seal:
    """Keeps the sealed head of one run, for its one writer. Makes the key if there is none.

    Raises LedgerError.
    """

    def __init__(self, state: Path, folder: Path) -> None:
        self.key, self.run = make_key(state), folder.name
        self.name = name_of(self.key)
        witness = witness_of(state, folder)
        self.paths = [folder / HEAD, *([] if witness is None else [witness])]
        self.files: list[int] = []

    def heads(self) -> list[Head]:
        """Return the heads that are there and sealed by this machine, the one beside first."""
        return own_heads(self.key, self.paths)

    def newest(self) -> Head | None:
        """Return the head that says most, to hold the ledger against."""
        return max(self.heads(), key=lambda head: (head.count, head.epoch), default=None)

    def open(self, head: Head, sync_file: Callable[[int], None] = os.fsync) -> None:
        """Take both files, and say in them that a writer is at work. Raises OSError."""
        for path in self.paths:
            new = not path.exists()
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self.files.append(os.open(path, flags, 0o600))
            self.write(head, self.files[-1:])
            os.ftruncate(self.files[-1], HEAD_BYTES)
            sync_file(self.files[-1])
            if new:
                sync_folder(path.parent, sync_file)

    def write(self, head: Head, files: list[int] | None = None, *, is_open: bool = True) -> None:
        """Say how far the ledger is safe. Not synced: after a power cut it may say less.

        Raises OSError.
        """
        named = replace(head, run=self.run, open=is_open, key=self.name, mac="")
        data = encode(seal_by(self.key, named)).ljust(HEAD_BYTES - 1) + b"\n"
        for file in self.files if files is None else files:
            os.pwrite(file, data, 0)

    def hold(self, head: Head) -> None:
        """Seal a ledger that was not written by a journal: it ends here. Raises LedgerError."""
        try:
            self.open(head)
        except OSError as error:
            raise LedgerError(f"{self.paths[0]}: cannot be sealed: {error.strerror}") from error
        finally:
            self.close(head)

    def close(self, head: Head | None, sync_file: Callable[[int], None] = os.fsync) -> None:
        """Let go of both files. head: how the ledger was left, None if nobody knows."""
        with contextlib.suppress(OSError):  # then they say less, as after a power cut
            if head is not None:
                self.write(head, is_open=False)
                for file in self.files:
                    sync_file(file)
        for file in self.files:
            os.close(file)
        self.files = []
