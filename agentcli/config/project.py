"""A project's own files for the program, which count only once their content is trusted."""

import datetime
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import msgspec

from agentcli import asset
from agentcli.errors import ConfigError, LedgerError

FOLDER = ".agentcli"
INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md")
FILES_AT_MOST = 500
BYTES_AT_MOST = 10_000_000
DEPTH_AT_MOST = 16


class Trusted(msgspec.Struct, frozen=True):
    """What a user has accepted of one project: the hash of each file. at: when, in ISO 8601."""

    files: dict[str, str]
    at: str = ""


@dataclass(frozen=True)
class Project:
    """The files of its own that a project brings, each read once.

    contents: bytes by path below the root.
    """

    root: Path
    trusted: Trusted | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, str]:
        """Return the sha256 of each file."""
        return {name: hashlib.sha256(data).hexdigest() for name, data in self.contents.items()}

    @property
    def is_trusted(self) -> bool:
        return self.trusted is not None and self.trusted.files == self.files

    @cached_property
    def digest(self) -> str:
        """A short name of exactly these contents."""
        lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def accepted(self) -> Path:
        """Where the program's own copy of exactly these contents is, once they are trusted.

        What counts is read there and nowhere else: no tool can reach it, so nothing can change
        between the look at the project and its use.
        """
        return asset.state_home() / "trust" / f"{self.root.name[:40]}-{self.digest}"

    @property
    def folder(self) -> Path:
        return self.accepted / FOLDER

    def changes(self) -> list[tuple[str, str]]:
        """Return each file with what became of it since it was trusted, "" for the same."""
        before = {} if self.trusted is None else self.trusted.files
        names = sorted({*self.files, *before})
        return [(name, change_of(before.get(name), self.files.get(name))) for name in names]


def change_of(before: str | None, now: str | None) -> str:
    if before == now:
        return ""
    if before is None:
        return "new"
    return "gone" if now is None else "changed"


def find_project(workspace: Path) -> Project | None:
    """Return the project around a folder, None if it brings no files of its own.

    Its root is the nearest folder, upwards, that holds `.agentcli` or `.git`, else the folder
    itself. The home folder is no project.

    Raises ConfigError where its files cannot be told apart for certain: a link that leads out of
    the project, a device, too many.
    """
    root = root_of(workspace)
    if root is None:
        return None
    contents = read_files(root)
    if not contents:
        return None
    project = Project(root, read_trust().get(str(root)), contents)
    if project.is_trusted and not is_kept(project):
        return replace(project, trusted=None)
    return project


def root_of(workspace: Path) -> Path | None:
    here = workspace.resolve()
    home = asset.user_home()
    own = asset.config_home().resolve()
    for folder in (here, *here.parents):
        if folder == home:
            break
        inner = folder / FOLDER
        if (inner.is_dir() and inner.resolve() != own) or (folder / ".git").exists():
            return folder
    return None if here == home else here


def read_files(root: Path) -> dict[str, bytes]:
    """Return a project's own files by their path below the root. Raises ConfigError."""
    found: dict[str, bytes] = {}
    size = 0
    for path in candidates(root):
        name = str(path.relative_to(root))
        if not name.isprintable():
            raise ConfigError(f"{name!r} in {root}: a name must be plain UTF-8")
        found[name] = read_inside(root, path)
        size += len(found[name])
        if len(found) > FILES_AT_MOST or size > BYTES_AT_MOST:
            raise ConfigError(
                f"{root / FOLDER}: more than {FILES_AT_MOST} files or {BYTES_AT_MOST:,} bytes",
                hint="Only settings.yaml, profiles, policies, tasks and tools belong there.",
            )
    return found


def candidates(root: Path) -> Iterator[Path]:
    """Yield the files, and links to what may be folders. Raises ConfigError."""
    for name in INSTRUCTIONS:
        if os.path.lexists(root / name):
            yield root / name
    folders = [(root / FOLDER, 0)] if (root / FOLDER).is_dir() else []
    seen = 0
    while folders:
        folder, depth = folders.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            raise ConfigError(f"{folder}: cannot be read: {error.strerror}") from error
        seen += len(entries)
        if depth > DEPTH_AT_MOST or seen > 2 * FILES_AT_MOST:
            raise ConfigError(f"{root / FOLDER}: holds too much, or too deep")
        for entry in entries:
            path = folder / entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append((path, depth + 1))
            else:
                yield path


def read_inside(root: Path, path: Path) -> bytes:
    """Return a file's bytes. Raises ConfigError unless it is a regular file of the project."""
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(root.resolve()):
            raise ConfigError(f"{path}: leads out of the project, to {target}")
        with open(os.open(target, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ConfigError(f"{path}: must be a regular file")
            return file.read(BYTES_AT_MOST + 1)
    except (OSError, RuntimeError) as error:  # the latter for links in a circle
        why = error.strerror if isinstance(error, OSError) else "links in a circle"
        raise ConfigError(f"{path}: cannot be read: {why}") from error


def trust_file() -> Path:
    return asset.state_home() / "trust.json"


def read_trust() -> dict[str, Trusted]:
    """Return what is trusted, by the root of each project. Raises ConfigError."""
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


def grant(project: Project) -> None:
    """Trust a project's files exactly as they were read. Raises LedgerError, ConfigError."""
    keep(project)
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_trust({**read_trust(), str(project.root): Trusted(project.files, at)})


def keep(project: Project) -> None:
    """Write the program's own copy of what is accepted. Raises LedgerError."""
    beside = project.accepted.with_name(f".{project.digest}.{os.getpid()}")
    try:
        project.accepted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.rmtree(beside, ignore_errors=True)
        for name, data in project.contents.items():
            path = beside / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.write_bytes(data)
        shutil.rmtree(project.accepted, ignore_errors=True)
        os.replace(beside, project.accepted)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise LedgerError(f"{project.accepted}: cannot be written: {error.strerror}") from error


def is_kept(project: Project) -> bool:
    """Return whether the program's own copy is there and is what was accepted."""
    try:
        return all(
            (project.accepted / name).read_bytes() == data
            for name, data in project.contents.items()
        )
    except OSError:
        return False


def revoke(root: Path) -> bool:
    """Trust a project no more; return whether it was. Raises LedgerError, ConfigError."""
    known = read_trust()
    if known.pop(str(root), None) is None:
        return False
    write_trust(known)
    return True


def write_trust(known: dict[str, Trusted]) -> None:
    path = trust_file()
    beside = path.with_name(f".trust.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside.touch(mode=0o600)
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(known, order="sorted")))
        os.replace(beside, path)
    except OSError as error:
        raise LedgerError(f"{path}: cannot be written: {error.strerror}") from error
