"""Show lines of a text file, numbered."""

import os
from typing import BinaryIO

from answer import Args, Problem, answer, whole
from lines import PROBE_BYTES, binary_kind, lines
from workspace import open_file, size

LINE_CHARS = 2000
ANSWER_CHARS = 28_000  # the whole answer must not be clipped in its middle
COUNT_BYTES = 300_000_000  # beyond this the rest of the lines is not counted


def read(args: Args) -> str:
    path, offset, limit = args["path"], whole(args, "offset", 1), whole(args, "limit", 1000)
    file, found, place = open_file(path)
    with file:
        start = file.read(PROBE_BYTES)
        if kind := binary_kind(start):
            return _described(place.shown, kind, start, found.st_size)
        if not start:
            return f"{place.shown}: the file is empty"
        file.seek(0)
        return _shown(file, place.shown, found.st_size, offset, limit)


def _described(shown: str, kind: str, start: bytes, size_bytes: int) -> str:
    advice = "convert it with `iconv`" if kind.startswith("UTF") else "not shown as text"
    return (
        f"{shown}: {kind}, {size(size_bytes)} ({size_bytes:,} bytes), {advice}\n"
        f"first bytes: {start[:48].hex(' ')}"
    )


def _shown(file: BinaryIO, name: str, size_bytes: int, offset: int, limit: int) -> str:
    found: list[str] = []
    notes: dict[str, None] = {}
    number = chars = 0
    ended = True
    # A character has at most four bytes.
    for raw, length in lines(file, 4 * LINE_CHARS + 16):
        number += 1
        ended = len(raw) < length or raw.endswith(b"\n")
        if number < offset:
            continue
        line = _text(raw, length, number, notes)
        if found and (len(found) == limit or chars + len(line) + 8 > ANSWER_CHARS):
            break
        found.append(line)
        chars += len(line) + 8
    else:
        if not found:
            raise Problem(f"{name}: has {_count(number)}, so there is no line {offset:,}")
        if not ended:
            notes["no newline at the end"] = None
        return _joined(name, size_bytes, offset, found, f"{number:,}", notes, "")
    more = number - 1
    total, exact = _rest(file, number, ended)
    following = f"\n[to go on: offset {more + 1}]"
    shown = f"{total:,}" if exact else f"more than {total:,}"
    return _joined(name, size_bytes, offset, found, shown, notes, following)


def _text(raw: bytes, length: int, number: int, notes: dict[str, None]) -> str:
    if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
        notes["byte order mark"] = None
        raw, length = raw[3:], length - 3
    whole_line = len(raw) == length
    if whole_line and raw.endswith(b"\r\n"):
        notes["CRLF line ends"] = None
    body = raw.rstrip(b"\n").removesuffix(b"\r") if whole_line else raw
    line = body.decode("utf-8", "replace")
    if whole_line and "\ufffd" in line and b"\xef\xbf\xbd" not in body:
        notes["not all UTF-8: bad bytes are shown as \ufffd"] = None
    if whole_line and len(line) <= LINE_CHARS:
        return line
    left = f"{len(line) - LINE_CHARS:,} characters" if whole_line else f"{size(length)} in all"
    return f"{line[:LINE_CHARS]} [... line clipped: {left}]"


def _rest(file: BinaryIO, number: int, ended: bool) -> tuple[int, bool]:
    """Return how many lines there are in all, and whether that is exact."""
    last, read_bytes = b"\n", 0
    while chunk := file.read(1 << 20):
        number += chunk.count(b"\n")
        last = chunk[-1:]
        read_bytes += len(chunk)
        if read_bytes >= COUNT_BYTES:
            return number, os.fstat(file.fileno()).st_size == file.tell()
    return number + (last != b"\n"), True


def _joined(
    name: str,
    size_bytes: int,
    offset: int,
    found: list[str],
    total: str,
    notes: dict[str, None],
    following: str,
) -> str:
    last = offset + len(found) - 1
    about = ", ".join([size(size_bytes), *notes])
    width = len(str(last))
    body = "\n".join(f"{offset + i:>{width}}\t{line}" for i, line in enumerate(found))
    return f"{name}: lines {offset:,}-{last:,} of {total} ({about})\n{body}{following}"


def _count(number: int) -> str:
    return "1 line" if number == 1 else f"{number:,} lines"


answer(read)
