"""What a user has accepted of projects: the record of it, and the program's own copies."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from agentcli import asset
from agentcli.errors import ConfigError, LedgerError


class Trusted(msgspec.Struct, frozen=True):
    """What a user has said about one project.

    files: the hash of each that was accepted, none where nothing was. at: when, in ISO 8601.
    refused: the digest of what was last answered with no.
    """

    files: dict[str, str] = {}
    at: str = ""
    refused: str = ""


def hashes_of(contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the sha256 of each file."""
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}


def digest_of(files: Mapping[str, str]) -> str:
    """Return a short name of exactly these contents. files: the hash of each."""
    lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


def copy_of(root: Path, files: Mapping[str, str]) -> Path:
    """Return where the program's own copy of a project's accepted files is."""
    return asset.state_home() / "trust" / f"{root.name[:40]}-{digest_of(files)}"


def trust_file() -> Path:
    return asset.state_home() / "trust.json"


def read_trust() -> dict[str, Trusted]:
    """Return what was said about each project, by its root. Raises ConfigError."""
    path = trust_file()
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Trusted])
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        hint = f"Remove it, and trust again what you trust: rm {path}"
        raise ConfigError(f"{path}: damaged: {error}", hint=hint) from error


def write_trust(known: Mapping[str, Trusted]) -> None:
    """Write what was said about each project. Raises LedgerError."""
    path = trust_file()
    beside = path.with_name(f".trust.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_file(beside, msgspec.json.format(msgspec.json.encode(known, order="sorted")))
        os.replace(beside, path)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from error


def write_copy(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write the program's own copy of what is accepted, for its user alone. Raises LedgerError."""
    beside = folder.with_name(f".{folder.name}.{os.getpid()}")
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.parent.chmod(0o700)
        shutil.rmtree(beside, ignore_errors=True)
        lay_out(beside, contents)
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(beside, folder)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise LedgerError(f"{folder}: cannot be written: {error.strerror}") from error


def lay_out(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write files below a folder, for its user alone, whatever the umask. Raises OSError."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, data in contents.items():
        path = folder / name
        # mkdir gives the mode to the last folder alone.
        for above in reversed(path.relative_to(folder).parents[:-1]):
            (folder / above).mkdir(mode=0o700, exist_ok=True)
        write_file(path, data)


def write_file(path: Path, data: bytes) -> None:
    """Write a file for its user alone, whatever the umask. Raises OSError."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)


def read_copy(folder: Path, files: Mapping[str, str]) -> dict[str, bytes]:
    """Return of the accepted files those of which the copy is still what was accepted."""
    found = {}
    for name in files:
        with suppress(OSError):
            found[name] = (folder / name).read_bytes()
    hashes = hashes_of(found)
    return {name: data for name, data in found.items() if hashes[name] == files[name]}


def is_kept(folder: Path, files: Mapping[str, str]) -> bool:
    """Return whether the program's own copy is exactly what was accepted, and nothing beside it."""
    return set(names_in(folder)) == files.keys() == read_copy(folder, files).keys()


def names_in(folder: Path) -> Iterator[str]:
    """Yield the path of all in a folder that is no folder, a link to one included."""
    for path, folders, files in os.walk(folder):
        links = [name for name in folders if os.path.islink(os.path.join(path, name))]
        for name in (*files, *links):
            yield os.path.relpath(os.path.join(path, name), folder)


def drop_copy(folder: Path, known: Mapping[str, Trusted]) -> None:
    """Remove a copy that none of these projects needs any more."""
    if not any(copy_of(Path(root), record.files) == folder for root, record in known.items()):
        shutil.rmtree(folder, ignore_errors=True)
