"""Finds the files that a sandbox must not show, and what stands in their place."""

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agentcli.core.sandbox import SandboxSpec, hidden_names
from agentcli.core.visible import escaped
from agentcli.errors import UnavailableError

ENTRIES_AT_MOST = 1_000_000
FILES_AT_MOST = 500  # each is a mount of its own
NAMED_AT_MOST = 5
MASK = (
    "# This file is kept out of the sandbox, and nothing in here can read it: its name is one of\n"
    "# those that `sandbox: hidden` lists. If what it holds is needed, ask the user.\n"
)
HINT = "Work in a smaller folder (-C FOLDER), or set `sandbox: {hidden: []}` in the profile."
FileId = tuple[int, int]  # device and inode: the same file under any name


@dataclass(frozen=True)
class Root:
    """A folder or file of the host, and where it is inside."""

    path: str
    inside: str
    writable: bool

    def inside_of(self, path: str) -> str:
        return self.inside + path[len(self.path) :]


@dataclass
class Search:
    """One search of all that a sandbox will see, as its user.

    No folder is passed over for its name: one that is skipped would be one that can be read.
    unseen: folders below which the sandbox does not see what is here.
    """

    roots: tuple[Root, ...]
    names: tuple[str, ...]
    user: tuple[int, int]
    unseen: frozenset[str] = frozenset()
    count: int = 0
    found: dict[str, str] = field(default_factory=dict)
    shared: set[FileId] = field(default_factory=set)  # files with more names than one

    def run(self) -> dict[str, str]:
        fits = hidden_names(self.names)
        for root in self.roots:
            for entry in self.entries(root):
                if fits(entry.name):
                    self.take(root, entry)
        if self.shared:
            inodes = {inode for _, inode in self.shared}
            for root in self.roots:
                for entry in self.entries(root):
                    if entry.inode() in inodes and file_id(entry.path) in self.shared:
                        self.add(root, entry.path)
        for root in self.roots:
            same = fits(os.path.basename(root.path)) or file_id(root.path) in self.shared
            if root.inside in self.found or (same and not os.path.isdir(root.path)):
                raise UnavailableError(
                    f"{shown(root.path)} is one of the files that are kept out of sandboxes",
                    hint="Do not mount it, or change `sandbox: hidden` in the profile.",
                )
        return dict(sorted(self.found.items()))

    def entries(self, root: Root) -> Iterator["os.DirEntry[str]"]:
        """Yield all below a root that is no folder. Links are not followed."""
        folders = [root.path]
        while folders:
            folder = folders.pop()
            if folder in self.unseen and not root.writable and folder != root.path:
                continue
            try:
                with os.scandir(folder) as entries:
                    for entry in entries:
                        self.count += 1
                        if self.count > ENTRIES_AT_MOST:
                            raise UnavailableError(
                                f"{shown(root.path)}: more than {ENTRIES_AT_MOST:,} files to "
                                "search for those that are kept out of the sandbox",
                                hint=HINT,
                            )
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.path)
                        else:
                            yield entry
            except (FileNotFoundError, NotADirectoryError):
                continue  # gone meanwhile, or the root is a file
            except OSError as error:
                if self.can_enter(folder):
                    message = f"{shown(folder)}: cannot be searched for files to keep out"
                    hint = f"Open it to yourself (chmod u+rx), or: {HINT}"
                    raise UnavailableError(f"{message}: {error.strerror}", hint=hint) from error

    def can_enter(self, folder: str) -> bool:
        """Say whether the sandbox's user could get into a folder that is closed to us."""
        try:
            info = os.lstat(folder)
        except OSError:
            return True
        uid, gid = self.user
        # Its owner can open it again; in rootless Docker the root inside is us.
        if info.st_uid in (uid, os.geteuid()):
            return True
        return bool(info.st_mode & (0o010 if gid == info.st_gid else 0o001))

    def take(self, root: Root, entry: "os.DirEntry[str]") -> None:
        """Add a file of a hidden name; of a link, what it leads to."""
        try:
            info = os.stat(entry.path)
        except OSError:
            return  # gone meanwhile, or a link that leads nowhere
        if not entry.is_symlink():
            self.add(root, entry.path)
        else:
            target = os.path.realpath(entry.path)
            if os.path.isdir(target):
                return
            for other in self.roots:
                if f"{target}/".startswith(f"{other.path}/"):
                    self.add(other, target)
        if info.st_nlink > 1:
            self.shared.add((info.st_dev, info.st_ino))

    def add(self, root: Root, path: str) -> None:
        try:
            path.encode()
        except UnicodeEncodeError:
            message = f"{shown(path)}: a file to keep out must have a path in UTF-8"
            raise UnavailableError(message, hint=HINT) from None
        self.found[root.inside_of(path)] = path
        if len(self.found) > FILES_AT_MOST:
            message = f"more than {FILES_AT_MOST} files are to be kept out of the sandbox"
            raise UnavailableError(message, hint=HINT)


def find_hidden(spec: SandboxSpec, user: tuple[int, int]) -> dict[str, str]:
    """Return the paths of the files to keep out: those inside, sorted, with those here.

    Those whose name is hidden, what links of such a name lead to, and all of these under any
    other name. user: who jobs are.

    Raises UnavailableError when that cannot be known for certain.
    """
    if not spec.hidden:
        return {}
    work = [Root(spec.workspace, "/workspace", spec.writable)] if spec.workspace else []
    mounts = [Root(mount.path, mount.inside, mount.writable) for mount in spec.mounts]
    unseen = mount_points() if spec.backend == "docker" else frozenset[str]()
    return Search((*work, *mounts), spec.hidden, user, unseen).run()


def watch_over(hidden: Mapping[str, str]) -> Callable[[], str]:
    """Return what says why the masks may not cover the files any more, "" while they do.

    An editor that saves by putting a new file in the place of the old one, or a rename, takes
    the mask away: a mount goes with the name that it was made on.
    """
    before = {path: file_id(path) for path in hidden.values()}

    def changed() -> str:
        for path, known in before.items():
            if file_id(path) != known:
                return f"{shown(path)}, which is kept out of it, was replaced or moved"
        return ""

    return changed


def mount_points() -> frozenset[str]:
    """Return where file systems are mounted, nothing where the system does not tell."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            words = [line.split(" ")[4] for line in file]
    except OSError:
        return frozenset()
    # The kernel writes a blank, a tab, a newline and a backslash as \040 and so on.
    octal = re.compile(r"\\([0-7]{3})")
    return frozenset(octal.sub(lambda found: chr(int(found[1], 8)), word) for word in words)


def shown(path: str) -> str:
    """Return a path on one line."""
    return escaped(path).replace("\n", r"\x0a")


def file_id(path: str) -> FileId:
    try:
        info = os.lstat(path)
    except OSError:
        return (-1, -1)
    return info.st_dev, info.st_ino


@contextmanager
def mask_file() -> Iterator[str]:
    """Yield the path of what is put over a hidden file. Once mounted, it is needed no more."""
    with tempfile.TemporaryDirectory(prefix="agentcli-") as folder:
        os.chmod(folder, 0o755)
        path = Path(folder, "kept-out")
        path.write_text(MASK)
        path.chmod(0o444)
        yield str(path)


def notes_on(spec: SandboxSpec, hidden: Iterable[str]) -> tuple[str, ...]:
    """Return what people are told of the mounts, and of the files that are kept out."""
    notes = [
        f"{mount.inside} is {shown(mount.path)}, "
        + ("writable: what is changed there cannot be undone" if mount.writable else "read-only")
        for mount in spec.mounts
    ]
    names = [shown(path.removeprefix("/workspace/")) for path in hidden]
    if names:
        some, more = ", ".join(names[:NAMED_AT_MOST]), len(names) - NAMED_AT_MOST
        notes.append(f"kept out: {some}" + (f" and {more} more" if more > 0 else ""))
    return tuple(notes)
