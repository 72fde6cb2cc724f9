"""Write a whole text file, at once or not at all."""

import os

from answer import Args, Problem, answer
from workspace import EDIT_BYTES, Place, diff, open_place, place_to_write, replace, size


def write(args: Args) -> str:
    path = args["path"]
    try:
        content = args["content"].encode()
    except UnicodeEncodeError:
        raise Problem("content: holds half a character, which no text file can hold") from None
    if len(content) > EDIT_BYTES:
        raise Problem(f"content: is above {size(EDIT_BYTES)}: write it with a program")
    preview = os.environ.get("AGENTCLI_PREVIEW") == "1"
    place, before = place_to_write(path, create=not preview)
    if before is None:
        if preview:
            return diff("", args["content"], place.shown, created=True) or f"{place.shown}: empty"
        replace(place, content, None)
        return f"created {place.shown}: {_measure(content)}"
    old = _content(place, path) if before.st_size <= EDIT_BYTES else None
    if old == content:
        return f"{place.shown} holds exactly this already; nothing was changed"
    was = _measure(old) if old is not None else size(before.st_size)
    if preview:
        return _diff(place, old, args["content"], was)
    replace(place, content, before)
    return f"replaced {place.shown}: {_measure(content)} (before: {was})"


def _content(place: Place, path: str) -> bytes | None:
    try:
        file, _ = open_place(place, path)
    except Problem:
        return None  # it may be written and not read
    with file:
        return file.read()


def _diff(place: Place, old: bytes | None, new: str, was: str) -> str:
    try:
        if old is not None and b"\0" not in old:
            return diff(old.decode(), new, place.shown)
    except UnicodeDecodeError:
        pass
    return f"{place.shown}: all of it is replaced; what it holds now is no text ({was})"


def _measure(content: bytes) -> str:
    number = content.count(b"\n") + (not content.endswith(b"\n") and content != b"")
    return f"{number:,} line{'' if number == 1 else 's'}, {size(len(content))}"


answer(write)
