"""Replace a piece of text in a file by another."""

import difflib
import os
import re

from answer import Args, Problem, answer
from workspace import EDIT_BYTES, Place, diff, open_file, open_place, place_to_write, replace, size

BOM = b"\xef\xbb\xbf"
SHOWN_DIFF = 4000
NUMBERED = re.compile(r"\s*\d+\t")


def edit(args: Args) -> str:
    path, old, new, everywhere = args["path"], args["old"], args["new"], args.get("all", False)
    if not old:
        raise Problem("old: is empty: name the text to replace, or use write_file for a new file")
    if old == new:
        raise Problem("new: is the same as old, so there is nothing to change")
    place, before = place_to_write(path, create=False)
    if before is None:
        open_file(path)  # says what is near
        raise Problem(f"{place.shown}: was created meanwhile: read it first")
    if before.st_size > EDIT_BYTES:
        raise Problem(f"{place.shown}: is above {size(EDIT_BYTES)}: change it with a program")
    file, now = open_place(place, path)
    with file:
        raw = file.read()
    mark = BOM if raw.startswith(BOM) else b""
    text = _decoded(raw.removeprefix(mark), place)
    changed, at = _replaced(text, old, new, everywhere, place)
    try:
        content = mark + changed.encode()
    except UnicodeEncodeError:
        raise Problem("new: holds half a character, which no text file can hold") from None
    change = diff(text, changed, place.shown)
    if os.environ.get("AGENTCLI_PREVIEW") == "1":
        return change
    replace(place, content, now)
    many = f"{len(at):,} places" if len(at) > 1 else "1 place"
    summary = f"{place.shown}: replaced {many}, {_lines_at(text, at)}"
    if len(change) <= SHOWN_DIFF:
        summary += f"\n{change.replace(chr(13) + chr(10), chr(10))}"
    return summary.rstrip("\n")


def _decoded(raw: bytes, place: Place) -> str:
    if b"\0" in raw:
        raise Problem(f"{place.shown}: is binary and not edited as text: use a program")
    try:
        return raw.decode()
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise Problem(
            f"{place.shown}: is not UTF-8 (line {line:,}): use a program that knows its encoding"
        ) from None


def _replaced(
    text: str, old: str, new: str, everywhere: bool, place: Place
) -> tuple[str, list[int]]:
    """Return the new text, and where in the old one the replaced pieces began."""
    for find, put in _spellings(text, old, new):
        at = _found(text, find, overlapping=not everywhere)
        if len(at) > 1 and not everywhere:
            raise Problem(
                f"old: occurs {len(at):,} times in {place.shown}, {_lines_at(text, at)}: take in a "
                "line before or after so that it occurs once, or set all to true"
            )
        if at:
            return text.replace(find, put), at
    raise Problem(f"old: does not occur in {place.shown}; {_advice(text, old)}")


def _spellings(text: str, old: str, new: str) -> list[tuple[str, str]]:
    """Return what to look for: as given, then with the line ends of the file."""
    if "\r\n" not in text:
        return [(old, new)]
    find, put = (re.sub("\r?\n", "\r\n", part) for part in (old, new))
    bare = text.count("\n") - text.count("\r\n")
    return [(old, new), (find, put)] if bare else [(find, put)]


def _found(text: str, piece: str, *, overlapping: bool) -> list[int]:
    found = []
    at = text.find(piece)
    while at >= 0:
        found.append(at)
        at = text.find(piece, at + (1 if overlapping else len(piece)))
    return found


def _lines_at(text: str, at: list[int]) -> str:
    numbers: list[int] = []
    line, seen = 1, 0
    for start in at[:12]:
        line += text.count("\n", seen, start)
        seen = start
        numbers.append(line)
    listed = ", ".join(f"{number:,}" for number in dict.fromkeys(numbers))
    more = f" and {len(at) - 12:,} more" if len(at) > 12 else ""
    return f"line{'s' if len(set(numbers)) > 1 or more else ''} {listed}{more}"


def _advice(text: str, old: str) -> str:
    wanted = old.strip("\r\n").splitlines() or [""]
    if all(NUMBERED.match(line) for line in wanted):
        return "leave out the line numbers and tabs that read_file puts before the lines"
    lines = text.split("\n")[:200_000]
    squeezed = [" ".join(line.split()) for line in lines]
    block = [" ".join(line.split()) for line in wanted]
    heads = [i for i, line in enumerate(squeezed) if block[0] and block[0] in line]
    for start in heads[:1000]:
        if squeezed[start : start + len(block)] == block:
            shown = _shown(lines, start, len(block))
            return f"only white space differs from this, copy it exactly:\n{shown}"
    probe = max(block, key=len)
    near = difflib.get_close_matches(probe[:300], list(dict.fromkeys(squeezed))[:5000], 3, 0.6)
    if not near:
        return "nothing in it is near: read the file again"
    starts = [squeezed.index(line) for line in near]
    shown = "\n".join(_shown(lines, start, 1) for start in sorted(starts))
    return f"the nearest lines are:\n{shown}"


def _shown(lines: list[str], start: int, number: int) -> str:
    some = lines[start : start + min(number, 20)]
    return "\n".join(f"{start + i}\t{line[:300]}" for i, line in enumerate(some, start=1))


answer(edit)
