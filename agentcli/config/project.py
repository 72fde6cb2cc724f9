"""A project's own files for the program, which count only once their content is trusted."""

import datetime
import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from agentcli import asset
from agentcli.errors import ConfigError, LedgerError

FOLDER = ".agentcli"
INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md")
FILES_AT_MOST = 500
BYTES_AT_MOST = 10_000_000


class Trusted(msgspec.Struct, frozen=True):
    """What a user has accepted of one project: the hash of each file. at: when, in ISO 8601."""

    files: dict[str, str]
    at: str = ""


@dataclass(frozen=True)
class Project:
    """The files of its own that a project brings. files: sha256 by path below the root.

    Raises ConfigError where they cannot be told apart for certain: a link that leads out of the
    project, a device, too many.
    """

    root: Path
    trusted: Trusted | None = None
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.root / FOLDER

    @property
    def is_trusted(self) -> bool:
        return self.trusted is not None and self.trusted.files == self.files

    @cached_property
    def digest(self) -> str:
        """A short name of exactly these contents."""
        lines = "".join(f"{name}\0{digest}\n" for name, digest in sorted(self.files.items()))
        return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def changes(self) -> list[tuple[str, str]]:
        """Return each file with what became of it since it was trusted, "" for the same."""
        before = {} if self.trusted is None else self.trusted.files
        names = sorted({*self.files, *before})
        return [(name, change_of(before.get(name), self.files.get(name))) for name in names]

    def refuse_change(self) -> None:
        """Raise ConfigError if the files are not what they were when they were read."""
        if read_files(self.root) != self.files:
            message = f"{self.root}: the project's own files changed while they were read"
            raise ConfigError(message, hint="Look at them: agentcli trust show")


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
    """
    root = root_of(workspace)
    if root is None:
        return None
    files = read_files(root)
    return Project(root, read_trust().get(str(root)), files) if files else None


def root_of(workspace: Path) -> Path | None:
    here = workspace.resolve()
    home = Path.home().resolve()
    own = asset.config_home().resolve()
    for folder in (here, *here.parents):
        if folder == home:
            break
        inner = folder / FOLDER
        if (inner.is_dir() and inner.resolve() != own) or (folder / ".git").exists():
            return folder
    return None if here == home else here


def read_files(root: Path) -> dict[str, str]:
    """Return the sha256 of each of a project's own files. Raises ConfigError."""
    found: dict[str, str] = {}
    size = 0
    for path in candidates(root):
        name = str(path.relative_to(root))
        if not name.isprintable():
            raise ConfigError(f"{name!r} in {root}: a name must be plain UTF-8")
        data = read_inside(root, path)
        size += len(data)
        if len(found) >= FILES_AT_MOST or size > BYTES_AT_MOST:
            raise ConfigError(
                f"{root / FOLDER}: more than {FILES_AT_MOST} files or {BYTES_AT_MOST:,} bytes",
                hint="Only settings.yaml, profiles, tasks and tools belong there.",
            )
        found[name] = hashlib.sha256(data).hexdigest()
    return found


def candidates(root: Path) -> Iterator[Path]:
    for name in INSTRUCTIONS:
        if os.path.lexists(root / name):
            yield root / name
    for folder, folders, names in os.walk(root / FOLDER):
        folders.sort()
        for name in (*names, *(name for name in folders if Path(folder, name).is_symlink())):
            yield Path(folder, name)


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
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


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
    project.refuse_change()
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_trust({**read_trust(), str(project.root): Trusted(dict(project.files), at)})


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
