"""Find the lines of files that match a pattern."""

import re
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from answer import Args, Problem, TimeUp, answer, deadline, visible, whole
from lines import PROBE_BYTES, binary_kind, lines
from workspace import SKIPPED, Place, locate, matcher, open_folder, open_place, walk

SECONDS = 20.0
LINE_BYTES = 200_000  # of a longer line only the beginning is searched
SHOWN_CHARS = 300
ANSWER_CHARS = 28_000

Search = Callable[[str], tuple[int, int] | None]


@dataclass
class Found:
    """What was found so far. `stopped`: why there may be more, "" when there is none."""

    limit: int
    out: list[str] = field(default_factory=list)
    chars: int = 0
    matches: int = 0
    files: int = 0
    searched: int = 0
    binary: int = 0
    closed: int = 0
    stopped: str = ""

    def add(self, line: str) -> None:
        self.out.append(line)
        self.chars += len(line) + 1


def search(args: Args) -> str:
    matches = _search(args)
    fits = matcher(args["glob"]) if args.get("glob") else None
    found = Found(whole(args, "limit", 100))
    skipped: set[str] = set()
    path, context = args.get("path", "."), whole(args, "context", 0)
    try:
        with deadline(SECONDS, "search fewer files, or a simpler pattern"):
            for place in _files(path, fits, skipped):
                _search_file(place, matches, context, found)
                if found.stopped:
                    break
    except TimeUp as late:
        if not found.matches:
            raise
        found.stopped = str(late)
    return _report(found, skipped)


def _search(args: Args) -> Search:
    pattern, ignore_case = args["pattern"], args.get("ignore_case", False)
    if "\n" in pattern:
        raise Problem("pattern: a search goes line by line, so it cannot hold a line break")
    if args.get("fixed", False) and not ignore_case:

        def plain(line: str) -> tuple[int, int] | None:
            at = line.find(pattern)
            return None if at < 0 else (at, at + len(pattern))

        return plain
    try:
        text = re.escape(pattern) if args.get("fixed", False) else pattern
        compiled = re.compile(text, re.IGNORECASE if ignore_case else 0)
    except (re.error, OverflowError, RecursionError) as wrong:
        raise Problem(
            f"pattern: {visible(pattern[:100])} is not a regular expression: {wrong}; "
            "escape what is meant as it is, or set fixed to true"
        ) from None

    def by_pattern(line: str) -> tuple[int, int] | None:
        match = compiled.search(line)
        return match and match.span()

    return by_pattern


def _files(path: str, fits: Callable[[str], bool] | None, skipped: set[str]) -> Iterator[Place]:
    place = locate(path)
    try:
        start = open_folder(path)
    except Problem:
        open_place(place, path)[0].close()  # raises for what is no file
        yield place
        return
    everything = any(part in SKIPPED for part in start.parts)
    for folder, parts, facts in walk(start.folder, 100, everything, skipped):
        if stat.S_ISREG(facts.st_mode) and (fits is None or fits("/".join(parts))):
            yield Place(folder, parts[-1], start.root, (*start.parts, *parts))


def _search_file(place: Place, matches: Search, context: int, found: Found) -> None:
    try:
        file, _ = open_place(place, place.shown)
    except Problem:
        found.closed += 1
        return
    with file:
        if binary_kind(file.read(PROBE_BYTES)):
            found.binary += 1
            return
        file.seek(0)
        found.searched += 1
        _search_lines(place.shown, lines(file, LINE_BYTES), matches, context, found)


def _search_lines(
    name: str, source: Iterator[tuple[bytes, int]], matches: Search, context: int, found: Found
) -> None:
    before: deque[tuple[int, str]] = deque(maxlen=context)
    first, last_shown, after = True, 0, 0
    for number, (raw, _) in enumerate(source, start=1):
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if number == 1:
            line = line.removeprefix("\ufeff")
        if (span := matches(line)) is not None:
            if found.matches >= found.limit:
                found.stopped = f"stopped at the limit of {found.limit:,} matching lines"
                return
            if found.chars > ANSWER_CHARS:
                found.stopped = "stopped: the answer is full"
                return
            start = before[0][0] if before else number
            if context and found.out and (first or start > last_shown + 1):
                found.add("--")
            for at, text in before:
                found.add(f"{name}-{at}- {_clipped(text, (0, 0))}")
            before.clear()
            found.add(f"{name}:{number}: {_clipped(line, span)}")
            found.matches, found.files = found.matches + 1, found.files + first
            first, last_shown, after = False, number, context
        elif after:
            found.add(f"{name}-{number}- {_clipped(line, (0, 0))}")
            last_shown, after = number, after - 1
        elif context:
            before.append((number, line))


def _clipped(line: str, span: tuple[int, int]) -> str:
    """Return a line, of a long one the part around its match."""
    if len(line) <= SHOWN_CHARS:
        return line
    start = max(0, min(span[0] - 60, len(line) - SHOWN_CHARS))
    end = start + SHOWN_CHARS
    head = f"[... {start:,}] " if start else ""
    tail = f" [... {len(line) - end:,} more]" if end < len(line) else ""
    return f"{head}{line[start:end]}{tail}"


def _report(found: Found, skipped: set[str]) -> str:
    notes = []
    if found.binary:
        notes.append(f"{_count(found.binary, 'binary file')} passed over")
    if found.closed:
        notes.append(f"{_count(found.closed, 'file')} could not be opened")
    if skipped:
        notes.append(f"not entered: {', '.join(sorted(skipped)[:20])}")
    if found.stopped:
        notes.append(f"{found.stopped}; there may be more: narrow by `path`, `glob` or `pattern`")
    elif not found.matches:
        notes.insert(0, f"no match in {_count(found.searched, 'file')}")
    else:
        where = f"in {found.files:,} of {_count(found.searched, 'file')}"
        notes.insert(0, f"{_count(found.matches, 'matching line')} {where}")
    return "\n".join([*found.out, f"[{'; '.join(notes)}]"])


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


answer(search)
