"""Puts back what a call has changed of protected paths that it did not name, such as by code."""

import os
import posixpath
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from agentcli.core.place import Guard, Kind, guard_of, parts_of
from agentcli.tool.repository import adds_no_program
from agentcli.tool.restore import Change, State, kind_of, put_back
from agentcli.tool.snapshot import Kept, Snapshots, differing

TRIES = 3  # what was in a closed folder is seen only once that is open again


def keep_protected(
    snapshots: Snapshots, before: str, after: str, protected: tuple[str, ...]
) -> tuple[list[str], list[str], str]:
    """Put back what is protected, and return what was, what could not be, and the state after.

    before, after: handles of the workspace's states around the call, `after` "" where it has
    become too big to be kept. Raises InputError, TooBigError, OSError.
    """
    if before == after or not protected:
        return [], [], after
    was, done, failed = snapshots.contents(before), set[bytes](), list[bytes]()
    is_guarded = guarding(protected)
    for _ in range(TRIES):
        now = snapshots.contents(after) if after else snapshots.now(is_guarded)
        changes = list(protected_changes(was, now, protected, snapshots))
        if not changes:
            break
        failed = put_back(snapshots, changes)
        done.update(change.path for change in changes)
        after = snapshots.take()
    return sorted_names(done - set(failed)), sorted_names(failed), after


def sorted_names(paths: Iterable[bytes]) -> list[str]:
    return sorted(map(os.fsdecode, paths))


def guarding(protected: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what says whether a path of the workspace is protected, or holds what is."""
    guard = guard_of(protected)
    return lambda path: guard(parts_of(path)) != ""


def protected_changes(
    was: State, now: State, protected: tuple[str, ...], snapshots: Snapshots
) -> Iterator[Change]:
    """Yield what would make the protected paths again what they were.

    A folder that holds some must stay one: a link in its place would lead to others.
    """
    due = set[bytes]()
    look = Look(was, now, snapshots, guard_of(protected))
    changed = differing(was, now)
    for path in changed:
        kind = look.kind(path)
        if kind == "holds" and kind_of(now.get(path)) in ("", "folder"):
            continue
        if kind and not look.is_harmless(path):
            due.add(path)
            if path in was:
                due.update(folder for folder in above(path) if not look.is_there(folder))
    for path in changed:
        if path in due:
            yield Change(path, now.get(path), was.get(path))


def above(path: bytes) -> Iterator[bytes]:
    """Yield the folders that a path is in, the nearest first."""
    while path := path.rpartition(b"/")[0]:
        yield path


@dataclass(frozen=True)
class Look:
    """Tells a change that programs and people make each day from one that is none of theirs."""

    was: State
    now: State
    snapshots: Snapshots
    guard: Guard

    @cached_property
    def root(self) -> bytes:
        return os.fsencode(os.path.realpath(self.snapshots.workspace))

    def kind(self, path: bytes) -> Kind:
        return self.guard(parts_of(os.fsdecode(path)))

    def is_there(self, folder: bytes) -> bool:
        """Say whether a folder is as it was, though `now` may tell of protected paths alone."""
        before, path = self.was.get(folder), os.path.join(self.root, folder)
        if folder in self.now or before is None or os.path.realpath(path) != path:
            return False
        return os.path.isdir(path) and stat.S_IMODE(os.lstat(path).st_mode) == before.mode

    def is_harmless(self, path: bytes) -> bool:
        before, after = self.was.get(path), self.now.get(path)
        if after is None:
            return self.is_gone_with_its_folder(path)
        folder, _, name = path.rpartition(b"/")
        in_git = posixpath.basename(folder) == b".git"
        if kind_of(after) == "folder":
            return before is None and in_git and name == b"hooks"
        if kind_of(after) != "file" or kind_of(before) not in ("", "file"):
            return False
        if before is None and (self.is_copy(name, after) or is_sample(path)):
            return True
        if not (in_git and name == b"config"):
            return False
        old, new = (self.snapshots.data(kept.content) if kept else b"" for kept in (before, after))
        return adds_no_program(old.decode("utf-8", "replace"), new.decode("utf-8", "replace"))

    def is_gone_with_its_folder(self, path: bytes) -> bool:
        """Say whether an ordinary folder went with all that was in it."""
        gone = [one for one in above(path) if not os.path.lexists(os.path.join(self.root, one))]
        return bool(gone) and not self.kind(gone[-1])

    def is_copy(self, name: bytes, kept: Kept) -> bool:
        """Say whether it has the name and the content of a protected file that was there."""
        return any(
            other.content == kept.content and other.mode and self.kind(path) == "in"
            for path, other in self.was.items()
            if path.rpartition(b"/")[2] == name
        )


def is_sample(path: bytes) -> bool:
    """Say whether it is one of the hooks that git lays out and does not run."""
    folder, name = posixpath.split(path)
    return name.endswith(b".sample") and posixpath.basename(folder) == b"hooks"


def told_of_protected(done: list[str], failed: list[str]) -> str:
    """Return what became of the protected paths that a call has changed."""
    lines = []
    for paths, became in ((done, "was put back"), (failed, "COULD NOT BE PUT BACK")):
        if paths:
            more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
            lines.append(
                f"[no call may change {', '.join(paths[:5])}{more}: what it changed there {became}]"
            )
    return "\n".join(lines)
