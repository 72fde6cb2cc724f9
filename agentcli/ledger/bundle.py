"""A run in one file: to keep it, to send it, to replay it elsewhere."""

import contextlib
import gzip
import hashlib
import os
import re
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from agentcli.core.record import Record
from agentcli.errors import InputError, LedgerError, MissingFileError
from agentcli.ledger.export import PRIVATE, exported, scratch_folder
from agentcli.ledger.find import find_run, runs_folder
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.follow import Follower
from agentcli.ledger.read import each_record
from agentcli.ledger.vault import write_private

BUNDLE_VERSION = 1
MANIFEST = "manifest.json"
MOST_BYTES = 1 << 30
MOST_FILES = 10_000
MOST_MANIFEST_BYTES = 4 << 20
NAME = re.compile(
    r"ledger\.jsonl|plan\.json|fork\.json|head\.json|head\.json\.sig|title"
    r"|outputs/[0-9a-f]{24}\.txt|private/(?:key|[0-9a-f]{16})"
)
RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-z]{3,16}")
SUFFIXES = (".agentrun", ".tar.gz", ".tgz")
BLOCK = tarfile.BLOCKSIZE


class Member(Record, frozen=True):
    sha256: str
    size_bytes: int


class Manifest(Record, frozen=True, tag="agentcli_run"):
    """The first member of a bundle. files: all others, in their order."""

    run: str
    files: dict[str, Member]
    program: str = ""
    version: int = BUNDLE_VERSION


@dataclass(frozen=True)
class Packed:
    """What was written. secrets: how many private files were left out or taken along."""

    records: int
    outputs: int
    secrets: int
    size_bytes: int


def write_bundle(folder: RunFolder, path: Path, *, with_private: bool, force: bool) -> Packed:
    """Write a run as it is now to a new file, 0600, under its name only once it is whole.

    force: put it in the place of a file that is there.
    Raises InputError, LedgerDamagedError for a run that nobody could read, LedgerError.
    """
    started = folder.started()
    heads = {file.name: file.read_bytes() for file in head_files(folder)}
    with Follower(folder.ledger) as follower:
        records = sum(1 for _ in follower.each())
        ledger = follower.read(0, follower.offset)
    outputs = plain_files(folder.outputs)
    secrets = plain_files(folder.private)
    contents: dict[str, bytes | Path] = {
        "ledger.jsonl": ledger,
        "plan.json": folder.path / "plan.json",
        **({"title": folder.label.encode()} if folder.label else {}),
        **({"fork.json": folder.path / "fork.json"} if folder.fork() else {}),
        **heads,
        **{f"outputs/{file.name}": file for file in outputs},
        **{f"private/{file.name}": file for file in secrets if with_private},
    }
    with exported(path, PRIVATE, force=force) as file:
        pack(Manifest(folder.run(), {}, started.program), contents, file)
        size = file.tell()
    return Packed(records, len(outputs), sum(file.name != "key" for file in secrets), size)


def head_files(folder: RunFolder) -> list[Path]:
    """Return the sealed head and its signature. Read before the ledger, they never say more."""
    found = (folder.path / name for name in ("head.json", "head.json.sig"))
    return [file for file in found if file.is_file() and file.stat().st_size]


def plain_files(folder: Path) -> list[Path]:
    """Return the files of a folder that a bundle may hold, in order."""
    if not folder.is_dir():
        return []
    found = (file for file in folder.iterdir() if file.is_file() and not file.is_symlink())
    return sorted(file for file in found if NAME.fullmatch(f"{folder.name}/{file.name}"))


def copy_outputs(source: RunFolder, target: RunFolder) -> None:
    """Put the whole outputs of one run beside another one, too. Raises LedgerError."""
    try:
        target.outputs.mkdir(mode=0o700, exist_ok=True)
        for path in plain_files(source.outputs):
            write_private(target.outputs / path.name, path.read_bytes())
    except OSError as error:
        raise LedgerError(f"{target.outputs}: cannot be written: {error.strerror}") from error


def pack(about: Manifest, contents: dict[str, bytes | Path], file: BinaryIO) -> None:
    """Write a bundle. The same contents make the same bytes.

    Raises InputError for too much, MissingFileError.
    """
    files = {name: member_of(bytes_of(content)) for name, content in contents.items()}
    refuse_too_much(about.run, files)
    manifest = msgspec.json.format(
        msgspec.json.encode(Manifest(about.run, files, about.program)), indent=1
    )
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as out:
        for name, content in {MANIFEST: manifest, **contents}.items():
            data = bytes_of(content)
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), 0o600
            out.write(info.tobuf(tarfile.USTAR_FORMAT) + data + padding(len(data)))
        out.write(bytes(2 * BLOCK))


def bytes_of(content: bytes | Path) -> bytes:
    try:
        return content if isinstance(content, bytes) else content.read_bytes()
    except OSError as error:
        raise MissingFileError(f"{content!s}: {error.strerror}") from error


def member_of(data: bytes) -> Member:
    return Member(hashlib.sha256(data).hexdigest(), len(data))


def padding(size: int) -> bytes:
    return bytes(-size % BLOCK)


def refuse_too_much(what: str, files: dict[str, Member]) -> None:
    size = sum(member.size_bytes for member in files.values())
    if len(files) > MOST_FILES or size > MOST_BYTES:
        message = f"{what}: {len(files)} files of {size:,} bytes; a bundle holds at most"
        raise InputError(f"{message} {MOST_FILES:,} of {MOST_BYTES:,}")


class Unpacking:
    """Reads a bundle that anybody may have made: only what our own program writes is in it.

    Just plain files under the few names that a run has, each as its manifest says. What tar
    can do beyond that, links, devices, long names, is refused and not interpreted.
    """

    def __init__(self, path: Path, file: gzip.GzipFile) -> None:
        self.path, self.file = path, file

    def unpack(self, into: Path) -> RunFolder:
        """Unpack into a new folder, named by the run, in this one. Raises InputError."""
        name, size = self.header() or ("", 0)
        if name != MANIFEST or size > MOST_MANIFEST_BYTES:
            raise self.error("it does not begin with a manifest")
        manifest = self.manifest(self.take(size))
        self.take(-size % BLOCK)
        folder = RunFolder(into / manifest.run)
        for part in (folder.path, folder.outputs):
            part.mkdir(mode=0o700)
        left = dict(manifest.files)
        while (found := self.header()) is not None:
            name, size = found
            member = left.pop(name, None)
            if member is None or size != member.size_bytes:
                raise self.error(f"{name!r} is not what the manifest says")
            if name.startswith("private/"):
                folder.private.mkdir(mode=0o700, exist_ok=True)
            self.keep(name, member, folder.path / name)
        if left:
            raise self.error(f"{next(iter(left))} is missing")
        if folder.run() != manifest.run:
            raise self.error("its ledger is another run's")
        return folder

    def manifest(self, data: bytes) -> Manifest:
        try:
            version = msgspec.json.decode(data).get("version")
            if isinstance(version, int) and version > BUNDLE_VERSION:
                raise self.error(f"made as version {version}; this program knows {BUNDLE_VERSION}")
            manifest = msgspec.json.decode(data, type=Manifest)
        except (msgspec.MsgspecError, RecursionError, AttributeError) as error:
            raise self.error(f"its manifest is none: {error}") from error
        for name in manifest.files:
            if not NAME.fullmatch(name):
                raise self.error(f"no run has a file {name!r}")
        if not RUN_ID.fullmatch(manifest.run):
            raise self.error(f"{manifest.run!r} is no run's id")
        if any(member.size_bytes < 0 for member in manifest.files.values()):
            raise self.error("its manifest has a size below 0")
        refuse_too_much(str(self.path), manifest.files)
        return manifest

    def header(self) -> tuple[str, int] | None:
        """Return the name and size of the next file, None at the end."""
        block = self.take(BLOCK)
        if not any(block):
            return None
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise self.error(f"a header is none: {error}") from error
        if info.type != tarfile.REGTYPE:
            raise self.error(f"{info.name!r} is not a plain file")
        if info.size < 0:
            raise self.error(f"{info.name!r} has a size below 0")
        return info.name, info.size

    def keep(self, name: str, member: Member, path: Path) -> None:
        digest, left = hashlib.sha256(), member.size_bytes
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while left:
                data = self.take(min(left, 1 << 20))
                digest.update(data)
                file.write(data)
                left -= len(data)
        self.take(-member.size_bytes % BLOCK)
        if digest.hexdigest() != member.sha256:
            raise self.error(f"{name} was changed: its digest is not the manifest's")

    def take(self, size: int) -> bytes:
        try:
            data = self.file.read(size) if size else b""
        except gzip.BadGzipFile as error:
            raise self.error("not a bundle of a run") from error
        except (EOFError, zlib.error) as error:
            raise self.error("damaged or cut off") from error
        except OSError as error:
            raise MissingFileError(f"{self.path}: {error.strerror}") from error
        if len(data) != size:
            raise self.error("cut off")
        return data

    def error(self, what: str) -> InputError:
        hint = "A bundle is made by: agentcli runs export RUN --bundle FILE"
        return InputError(f"{self.path}: {what}", hint=hint)


def unpack(path: Path, into: Path) -> RunFolder:
    """Unpack a bundle. Raises MissingFileError, InputError, LedgerError where there is no room."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a file, so no bundle")
        raw = path.open("rb")
    except OSError as error:
        raise MissingFileError(f"{path}: {error.strerror}") from error
    with raw, gzip.GzipFile(fileobj=raw) as file:
        try:
            return Unpacking(path, file).unpack(into)
        except OSError as error:
            raise LedgerError(f"{into}: cannot be written: {error.strerror}") from error


@contextlib.contextmanager
def opened_run(state: Path, wanted: str) -> Iterator[RunFolder]:
    """Yield the run of an id, a prefix, a path or `last`, or the one that a bundle holds.

    A bundle is unpacked for as long as it is looked at.
    Raises MissingFileError, InputError, LedgerError.
    """
    if not is_bundle(wanted):
        yield find_run(state, wanted)
        return
    with scratch_folder() as folder:
        yield unpack(Path(wanted), folder)


def is_bundle(wanted: str) -> bool:
    """Say whether a run is named by a bundle's file."""
    if wanted.endswith(SUFFIXES):
        return True
    return "/" in wanted and not wanted.endswith(".jsonl") and Path(wanted).is_file()


def import_run(state: Path, path: Path) -> tuple[RunFolder, bool]:
    """Put the run of a bundle among the others; False if it is there already, all the same.

    Raises MissingFileError, InputError, LedgerDamagedError, LedgerError.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        runs_folder(state).mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=state, prefix=".import-") as beside:
            folder = unpack(path, Path(beside))
            for _ in each_record(folder.ledger):
                pass  # it is read to be checked
            folder.given()
            target = RunFolder(runs_folder(state) / folder.id)
            if target.path.exists():
                refuse_other(folder, target)
                return target, False
            folder.imported.touch(mode=0o600)
            os.rename(folder.path, target.path)
            return target, True
    except OSError as error:
        raise LedgerError(f"{state}: cannot be written: {error.strerror}") from error


def refuse_other(new: RunFolder, old: RunFolder) -> None:
    for name in ("ledger.jsonl", "plan.json", *(["fork.json"] if new.fork() else [])):
        try:
            same = (new.path / name).read_bytes() == (old.path / name).read_bytes()
        except OSError:
            same = False
        if not same:
            hint = "A bundle can be looked at where it is: agentcli replay FILE"
            raise InputError(f"{old.path}: is there already, with another {name}", hint=hint)
