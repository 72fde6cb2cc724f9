"""Takes out of the store what no run needs any more; contents are shared by all runs."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentcli.tool.snapshot import DIGEST, blob_path, paths_in

ASIDE = ".unneeded"


@dataclass(frozen=True)
class Freed:
    contents: int = 0
    size_bytes: int = 0


def collect(store: Path, named: set[str], is_quiet: Callable[[], bool]) -> Freed | None:
    """Delete all contents but those of the snapshots that are named.

    is_quiet: says whether no run is under way and none was since `named` was found. A snapshot
    that is being taken names contents that no ledger knows yet. So what is not needed is first
    set aside, and deleted only if nobody can have taken one meanwhile; else all is put back and
    None returned. What an earlier process left aside is put back first. Raises OSError.
    """
    if not store.is_dir():
        return Freed()
    aside = store / ASIDE
    put_back(aside, store)
    if not is_quiet():
        return None
    needed = named | contents_of(store, named)
    aside.mkdir(mode=0o700, exist_ok=True)
    freed, size = 0, 0
    for path in kept_files(store):
        if path.name not in needed:
            size += path.stat().st_size
            os.rename(path, aside / path.name)
            freed += 1
    if not is_quiet():
        put_back(aside, store)
        return None
    shutil.rmtree(aside)
    return Freed(freed, size)


def unneeded(store: Path, named: set[str]) -> Freed:
    """Return what `collect` would free. Raises OSError."""
    if not store.is_dir():
        return Freed()
    needed = named | contents_of(store, named)
    sizes = [path.stat().st_size for path in kept_files(store) if path.name not in needed]
    return Freed(len(sizes), sum(sizes))


def put_back(aside: Path, store: Path) -> None:
    if not aside.is_dir():
        return
    for path in aside.iterdir():
        home = blob_path(store, path.name)
        home.parent.mkdir(mode=0o700, exist_ok=True)
        os.rename(path, home)
    aside.rmdir()


def kept_files(store: Path) -> Iterator[Path]:
    for folder in sorted(store.iterdir()):
        if len(folder.name) == 2 and folder.is_dir():
            yield from (path for path in folder.iterdir() if DIGEST.fullmatch(path.name))


def contents_of(store: Path, handles: set[str]) -> set[str]:
    """Return the hashes of the contents that the snapshots name; what is no snapshot names none."""
    found: set[str] = set()
    for handle in handles:
        with suppress(OSError, ValueError, RecursionError):
            data = blob_path(store, handle).read_bytes()
            found.update(kept.content for kept in paths_in(data))
    return found
