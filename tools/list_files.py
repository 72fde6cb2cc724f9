"""List what is below a folder."""

import os
import stat

from answer import Args, answer, visible, whole
from workspace import SKIPPED, kind_of, matcher, open_folder, size, walk

ANSWER_CHARS = 28_000


def listing(args: Args) -> str:
    glob = args.get("glob")
    fits = matcher(glob) if glob else None
    depth, limit = whole(args, "depth", 50 if fits else 3), whole(args, "limit", 400)
    place = open_folder(args.get("path", "."))
    everything = any(part in SKIPPED for part in place.parts)
    skipped: set[str] = set()
    found: list[str] = []
    files = folders = chars = more = 0
    for folder, parts, facts in walk(place.folder, depth, everything, skipped):
        path = "/".join(parts)
        is_folder = stat.S_ISDIR(facts.st_mode)
        if fits and not fits(path):
            continue
        line = _line(folder, path, parts, facts, closed=len(parts) == depth)
        if len(found) >= limit or chars + len(line) > ANSWER_CHARS:
            more += 1
            continue
        found.append(line)
        chars += len(line) + 1
        folders, files = folders + is_folder, files + (not is_folder)
    what = f"that fit {visible(glob)}" if glob else f"to depth {depth}"
    text = f"{place.shown}: {_count(files, 'file')}, {_count(folders, 'folder')} {what}"
    text = "\n".join([text, *found])
    if more:
        text += f"\n[{more:,} more not listed: name a folder as `path`, or narrow by `glob`]"
    if skipped:
        text += f"\n[not entered: {', '.join(sorted(skipped)[:20])}]"
    return text


def _line(
    folder: int, path: str, parts: tuple[str, ...], facts: os.stat_result, *, closed: bool
) -> str:
    shown = visible(path)
    if stat.S_ISDIR(facts.st_mode):
        return f"{shown}/ ..." if closed and _holds_any(folder, parts[-1]) else f"{shown}/"
    if stat.S_ISREG(facts.st_mode):
        return f"{shown}  {size(facts.st_size)}"
    if stat.S_ISLNK(facts.st_mode):
        try:
            return f"{shown} -> {visible(os.readlink(parts[-1], dir_fd=folder))}"
        except OSError:
            return f"{shown} -> ?"
    return f"{shown}  ({kind_of(facts.st_mode)})"


def _holds_any(folder: int, name: str) -> bool:
    try:
        handle = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    except OSError:
        return False
    try:
        with os.scandir(handle) as entries:
            return next(entries, None) is not None
    finally:
        os.close(handle)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


answer(listing)
