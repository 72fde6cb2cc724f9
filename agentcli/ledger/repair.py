"""Cuts a damaged ledger back to what can be trusted. No byte of it is ever lost."""

import fcntl
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from agentcli.core.event import Recovered
from agentcli.errors import InputError, LedgerBusyError, LedgerDamagedError, LedgerError
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import Chain
from agentcli.ledger.proof import Proof, heads_of, hold_against, tell_unsealed
from agentcli.ledger.seal import HAS_SEAL, Head, Seal, witness_of
from agentcli.ledger.vault import sync_folder, write_all
from agentcli.ledger.walk import Fault, Walk


@dataclass(frozen=True)
class Cut:
    """What is to be done. faults: why; none if there is nothing to do.

    end: what is left. size_bytes: of the file as it was looked at; the rest is set aside.
    line: the first that goes, and lines: how many do, a torn one too.
    lost: how many records that were sealed are not left.
    epoch: the first that nothing was written in.
    """

    faults: list[Fault]
    end: Head
    size_bytes: int
    line: int
    lines: int
    lost: int
    epoch: int

    @property
    def cut_bytes(self) -> int:
        return self.size_bytes - self.end.size_bytes


def find_cut(state: Path, folder: RunFolder) -> Cut:
    """Return what a repair would do. Raises as `prove` does, LedgerDamagedError where none can."""
    if folder.outside or folder.imported.exists():
        hint = "Remove its folder, and import it again." if folder.imported.exists() else ""
        raise InputError(f"{folder.foreign}, so it is never gone on with", hint=hint)
    heads = heads_of(state, folder)
    sealed = frozenset((head.count, head.hash) for head in heads.ours)
    good = read_good(folder.ledger, sealed)
    walk = good.walk
    proof = Proof(folder.id, faults=[*heads.faults, *walk.faults])
    hold_against(proof, heads, walk, "")
    if not heads.ours:
        version = folder.started().version if good.count else 0
        tell_unsealed(proof, heads, folder, witness_of(state, folder.path) is not None, version)
        if not proof.faults and version >= HAS_SEAL:
            proof.faults.append(Fault("unsealed", "its sealed heads are another machine's"))
    refuse_hopeless(folder, proof, good.count)
    newest = heads.newest
    count, size, digest, epoch = good.count, good.size_bytes, good.hash, good.epoch
    if newest is not None and not newest.open and good.count > newest.count > 0:
        count, size, digest, epoch = newest.count, newest.size_bytes, newest.hash, newest.epoch
    last = max([epoch, walk.epoch, *(head.epoch for head in heads.ours)])
    whole = walk.size_bytes + walk.torn_bytes
    return Cut(
        proof.faults,
        Head(folder.id, count, digest, epoch, size),
        whole,
        count + 1,
        walk.lines - count + bool(walk.torn_bytes),
        max(0, max((head.count for head in heads.ours), default=0) - count),
        last + 1,
    )


@dataclass(frozen=True)
class Good:
    """The beginning of a ledger that is just as it was written."""

    walk: Walk
    count: int
    epoch: int
    hash: str
    size_bytes: int


def read_good(path: Path, sealed: frozenset[tuple[int, str]]) -> Good:
    walk = Walk(path, sealed=sealed)
    for _ in walk.records():
        pass
    if not walk.faults:
        return Good(walk, walk.count, walk.epoch, walk.hash, walk.good_bytes)
    chain, size = Chain(), 0
    with path.open("rb") as file:
        for _ in range(walk.good_lines):
            line = file.readline()
            chain.read(line)
            size += len(line)
    return Good(walk, chain.seq, chain.epoch, chain.hash, size)


def refuse_hopeless(folder: RunFolder, proof: Proof, good: int) -> None:
    words = {fault.word for fault in proof.faults}
    what = hint = ""
    if "foreign line ends" in words:
        what = "its lines end in CR LF"
        hint = f"Turn them back first, on a copy: sed 's/\\r$//' {folder.ledger}"
    elif proof.faults and not good:
        what, hint = "not even its first record can be trusted", "Put it back from a copy."
    elif any(
        fault.word == "head mismatch" and fault.first and fault.first <= good
        for fault in proof.faults
    ):
        what = "it was written anew, so which record was changed first cannot be told"
        hint = "Put it back from a copy, or watch it as it is: agentcli replay " + folder.id
    if what:
        raise LedgerDamagedError(f"{folder.ledger}: cannot be repaired: {what}", hint=hint)


def repair(state: Path, folder: RunFolder, cut: Cut, now_us: int) -> str:
    """Do it, and return the name of the file that holds what was cut off, "" for none.

    Raises LedgerBusyError, LedgerError.
    """
    path = folder.ledger
    try:
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file).st_size != cut.size_bytes:
                raise LedgerBusyError(f"{path}: it has changed since it was looked at")
            kept, digest = set_aside(file, path, cut)
            os.ftruncate(file, cut.end.size_bytes)
            os.fdatasync(file)
            chain = Chain()
            chain.seq, chain.epoch, chain.hash = cut.end.count, cut.epoch, cut.end.hash
            recovered = Recovered(cut.epoch, "repair", cut.cut_bytes, digest, kept)
            line = chain.write(recovered, now_us)[1]
            write_all(file, line)
            os.fdatasync(file)
            size = cut.end.size_bytes + len(line)
            end = Head(folder.id, chain.seq, chain.hash, chain.epoch, size)
            Seal(state, folder.path).hold(end)
            return kept
        finally:
            os.close(file)
    except BlockingIOError as error:
        raise LedgerBusyError(f"{path}: another process is writing it") from error
    except OSError as error:
        raise LedgerError(f"{path}: cannot be repaired: {error.strerror}") from error


def set_aside(file: int, path: Path, cut: Cut) -> tuple[str, str]:
    """Copy what goes to a file of its own, safely, and return its name and digest."""
    digest = hashlib.sha256()
    if not cut.cut_bytes:
        return "", digest.hexdigest()
    number = 1
    while True:
        beside = path.with_name(f"{path.name}.damaged-{number}")
        try:
            out = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            break
        except FileExistsError:
            number += 1
    at = cut.end.size_bytes
    with open(out, "wb") as copy:
        while part := os.pread(file, 1 << 20, at):
            digest.update(part)
            copy.write(part)
            at += len(part)
        copy.flush()
        os.fsync(copy.fileno())
    sync_folder(path.parent)
    return beside.name, digest.hexdigest()
