"""A project's own files for the program, which count only once their content is trusted."""

import datetime
import os
import pwd
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from agentcli import asset
from agentcli.config.lock import locked
from agentcli.config.trust import (
    Trusted,
    copy_of,
    digest_of,
    drop_copy,
    hashes_of,
    is_kept,
    read_copy,
    read_trust,
    trust_file,
    write_copy,
    write_trust,
)
from agentcli.errors import ConfigError, InputError, MissingFileError

FOLDER = ".agentcli"
INSTRUCTIONS = ("AGENTS.md", "CLAUDE.md")
INSTRUCTIONS_CHARS = 40_000
FILES_AT_MOST = 500
BYTES_AT_MOST = 10_000_000
DEPTH_AT_MOST = 16
NOTHING = Trusted()
# Why a project's files are not in force: never accepted, changed since, or no longer to be proved.
Doubt = Literal["", "new", "changed", "lost"]


@dataclass(frozen=True)
class Project:
    """The files of its own that a project brings, each read once.

    contents: bytes by path below the root. owners: the users whose these files are.
    record: what was said about the project before.
    """

    root: Path
    record: Trusted = NOTHING
    contents: Mapping[str, bytes] = field(default_factory=dict)
    owners: frozenset[int] = frozenset()

    @cached_property
    def files(self) -> dict[str, str]:
        """Return the sha256 of each file."""
        return hashes_of(self.contents)

    @property
    def names(self) -> list[str]:
        """What of its own stands at its root, such as AGENTS.md and `.agentcli`."""
        return sorted({name.partition("/")[0] for name in self.files})

    @cached_property
    def doubt(self) -> Doubt:
        """Say why its files do not count; "" for one that is trusted, as a whole or not at all."""
        if not self.record.files:
            return "new"
        if self.record.files != self.files:
            return "changed"
        return "" if is_kept(self.accepted, self.files) else "lost"

    @property
    def is_trusted(self) -> bool:
        return not self.doubt

    @property
    def is_refused(self) -> bool:
        """Say whether exactly these contents were answered with no."""
        return self.record.refused == self.digest

    @cached_property
    def digest(self) -> str:
        """A short name of exactly these contents."""
        return digest_of(self.files)

    @property
    def accepted(self) -> Path:
        """Where the program's own copy of exactly these contents is, once they are trusted.

        What counts is read there and nowhere else: no tool can reach it, so nothing can change
        between the look at the project and its use.
        """
        return copy_of(self.root, self.files)

    @property
    def folder(self) -> Path:
        return self.accepted / FOLDER

    def changes(self) -> list[tuple[str, str]]:
        """Return each file with what became of it since it was trusted, "" for the same."""
        before = self.record.files
        names = sorted({*self.files, *before})
        return [(name, change_of(before.get(name), self.files.get(name))) for name in names]

    def before(self) -> dict[str, bytes]:
        """Return what was accepted last, so far as the program's own copy of it is whole."""
        return read_copy(copy_of(self.root, self.record.files), self.record.files)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let what is wrong with the accepted copy be told of the file that one can mend."""
        try:
            yield
        except (ConfigError, MissingFileError, InputError) as error:
            told = str(error).replace(str(self.accepted), str(self.root))
            raise type(error)(told, hint=error.hint) from error

    @property
    def strangers(self) -> list[str]:
        """The names of others than the user and root whose files these are."""
        return sorted(user_name(uid) for uid in self.owners - {0, os.geteuid()})


@dataclass(frozen=True)
class Proposed(Project):
    """A project as it would be once it is trusted. copy: of its files, which stands elsewhere."""

    copy: Path = Path()

    @property
    def accepted(self) -> Path:
        return self.copy


def proposed(root: Path, contents: Mapping[str, bytes], copy: Path) -> Project:
    """Return a project as it would be, were these contents trusted, which `copy` holds."""
    return Proposed(root, Trusted(hashes_of(contents)), contents, copy=copy)


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"


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
    contents, owners = read_files(root)
    if not contents:
        return None
    if not str(root).isprintable():
        raise ConfigError(f"{str(root)!r}: the path of a project must be plain UTF-8")
    return Project(root, read_trust().get(str(root), NOTHING), contents, owners)


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


def read_files(root: Path) -> tuple[dict[str, bytes], frozenset[int]]:
    """Return a project's own files by their path below the root, and whose they are.

    Raises ConfigError.
    """
    found: dict[str, bytes] = {}
    owners = {(root / FOLDER).stat().st_uid} if (root / FOLDER).is_dir() else set[int]()
    size = 0
    for path in candidates(root):
        name = str(path.relative_to(root))
        if not name.isprintable():
            raise ConfigError(f"{name!r} in {root}: a name must be plain UTF-8")
        found[name], owner = read_inside(root, path)
        owners.add(owner)
        size += len(found[name])
        if len(found) > FILES_AT_MOST or size > BYTES_AT_MOST:
            raise ConfigError(
                f"{path}: with it these are more than {FILES_AT_MOST} files"
                f" or {BYTES_AT_MOST:,} bytes",
                hint=f"Only settings, profiles, policies, tasks and tools belong in {FOLDER}.",
            )
    return found, frozenset(owners)


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


def read_inside(root: Path, path: Path) -> tuple[bytes, int]:
    """Return a file's bytes and its owner.

    Raises ConfigError unless it is a regular file of the project.
    """
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(root.resolve()):
            raise ConfigError(f"{path}: leads out of the project, to {target}")
        how = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(target, how), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ConfigError(f"{path}: must be a regular file")
            return file.read(BYTES_AT_MOST + 1), found.st_uid
    except (OSError, RuntimeError) as error:  # the latter for links in a circle
        why = error.strerror if isinstance(error, OSError) else "links in a circle"
        raise ConfigError(f"{path}: cannot be read: {why}") from error


def grant(project: Project) -> None:
    """Trust a project's files exactly as they were read. Raises LedgerError, ConfigError."""
    at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    with locked(trust_file()):
        write_copy(project.accepted, project.contents)
        known = {**read_trust(), str(project.root): Trusted(project.files, at)}
        write_trust(known)
        drop_copy(copy_of(project.root, project.record.files), known)


def refuse(project: Project) -> None:
    """Remember a no to exactly these contents. Raises LedgerError, ConfigError."""
    with locked(trust_file()):
        known = read_trust()
        record = known.get(str(project.root), NOTHING)
        refused = msgspec.structs.replace(record, refused=project.digest)
        write_trust({**known, str(project.root): refused})


def revoke(root: Path) -> bool:
    """Trust a project no more; return whether it was. Raises LedgerError, ConfigError."""
    with locked(trust_file()):
        known = read_trust()
        record = known.pop(str(root), None)
        if record is None:
            return False
        write_trust(known)
        drop_copy(copy_of(root, record.files), known)
        return bool(record.files)


@dataclass(frozen=True)
class Standing:
    """What became of a project that was trusted. digest: of what was accepted.

    state: in force; changed since; gone; lost, as the program's own copy is no longer what was
    accepted; unusable, as its files cannot be told apart for certain.
    """

    root: Path
    at: str
    digest: str
    files: int
    state: Literal["in force", "changed", "gone", "lost", "unusable"]


def standings() -> Iterator[Standing]:
    """Yield all projects that were trusted, by their path. Raises ConfigError."""
    for root, record in sorted(read_trust().items()):
        if record.files:
            digest, count = digest_of(record.files), len(record.files)
            yield Standing(Path(root), record.at, digest, count, state_of(Path(root), record))


def state_of(
    root: Path, record: Trusted
) -> Literal["in force", "changed", "gone", "lost", "unusable"]:
    try:
        if not root.is_dir():
            return "gone"
        doubt = Project(root, record, read_files(root)[0]).doubt
    except (ConfigError, OSError):
        return "unusable"
    return "lost" if doubt == "lost" else "changed" if doubt else "in force"
