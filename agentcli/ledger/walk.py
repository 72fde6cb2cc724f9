"""Finds every place where a ledger is not what was written, and says what became of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from agentcli.core.event import Recorded
from agentcli.core.record import tag_of
from agentcli.errors import InputError, MissingFileError
from agentcli.ledger.line import FIRST, HEAD, MOST_LINE_BYTES, START, TAIL, refuse_newer

MOST_FAULTS = 100
# Where another record begins in a line whose end was changed.
INSIDE = re.compile(rb'\{"hash":"[0-9a-f]{64}","kind":"recorded","seq":')
MARKED, MARK = b"[REDACTED:", re.compile(rb"\[REDACTED:[a-z_]+:([0-9a-f]{16})\]")

Word = Literal[
    "edited",
    "missing",
    "out of order",
    "duplicate",
    "foreign line ends",
    "truncated",
    "older copy",
    "head mismatch",
    "added",
    "unsealed",
    "copy",
    "not allowed",
    "signature",
    "gone",
    "not signed",
]


@dataclass(frozen=True)
class Fault:
    """What is wrong, from record `first` to `last`; of no record in particular, both are 0.

    line, byte: where it stands in the file, 0 where it does not. text: all of it, in words.
    """

    word: Word
    text: str
    first: int = 0
    last: int = 0
    line: int = 0
    byte: int = 0


class Kind(msgspec.Struct):
    kind: str


class Header(msgspec.Struct):
    """What of a line is looked at where the rest does not matter."""

    seq: int
    epoch: int
    event: Kind


HEADER = msgspec.json.Decoder(Header)
WHOLE = msgspec.json.Decoder(Recorded)
NO_RECORD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


@dataclass
class Walk:
    """A walk over all lines. It goes on behind a fault: each line holds its own hash.

    wanted: kinds of events that are looked at as a whole, by `records`.
    sealed: numbers and hashes of records. seen: those of them that are there.
    names: of the private values that records of the kinds `kept` stand for by a mark.
    count, epoch, hash: of the last record that is there, in the order of their numbers.
    good_bytes, good_lines: how far the ledger is as it was written.
    torn_bytes: what follows the last end of a line.
    """

    path: Path
    wanted: frozenset[str] = frozenset()
    sealed: frozenset[tuple[int, str]] = frozenset()
    seen: set[tuple[int, str]] = field(default_factory=set)
    kept: frozenset[str] = frozenset()
    names: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    more_faults: int = 0
    count: int = 0
    epoch: int = 0
    hash: str = FIRST
    lines: int = 0
    size_bytes: int = 0
    torn_bytes: int = 0
    good_bytes: int = 0
    good_lines: int = 0

    def __post_init__(self) -> None:
        self.prev = FIRST.encode()  # what the next line is bound to
        self.other = b""  # or this, after a line whose own hash may be what was changed
        self.open: list[tuple[int, int, int, int]] = []  # first, last, line, byte of what misses
        self.whole = True  # no fault so far
        self.bad = False  # the line before is one
        self.crlf = False

    def records(self) -> Iterator[Recorded]:
        """Yield the records of the kinds that are wanted, where their lines can be trusted.

        Raises MissingFileError, InputError where it is no ledger, LedgerError for a newer one.
        """
        with opened(self.path) as file:
            first = file.readline(1 << 20)
            if not first:
                raise InputError(f"{self.path}: an empty file, not a ledger")
            refuse_newer(self.path, first)
            if first[: len(HEAD)] != HEAD and not INSIDE.search(first + file.read(1 << 16)):
                raise InputError(f"{self.path}: not a ledger of this program")
            file.seek(0)
            yield from self.walk(file)
        self.settle()

    def walk(self, file: BinaryIO) -> Iterator[Recorded]:
        wanted, sealed = self.wanted, {count for count, _ in self.sealed}
        lines = Lines(file)
        for line in lines:
            due = sha256(self.prev + line[START:]).hexdigest()
            if line[:START] == HEAD + due.encode() + TAIL:
                try:
                    head = HEADER.decode(line)
                    fits = head.seq == self.count + 1 and head.epoch >= self.epoch
                    found = WHOLE.decode(b"{" + line[START:]) if head.event.kind in wanted else None
                except NO_RECORD:
                    fits, found = False, None
                if fits:
                    self.lines += 1
                    self.size_bytes += len(line)
                    self.count, self.epoch, self.hash = head.seq, head.epoch, due
                    self.prev, self.other, self.bad = due.encode(), b"", False
                    if self.whole:
                        self.good_bytes, self.good_lines = self.size_bytes, self.lines
                    if head.seq in sealed:
                        self.seen.add((head.seq, due))
                    if MARKED in line and head.event.kind in self.kept:
                        self.names.update(name.decode() for name in MARK.findall(line))
                    if found is not None:
                        yield found
                    continue
            found = self.look_at(line, lines)
            if found is not None:
                yield found

    def look_at(self, line: bytes, lines: "Lines") -> Recorded | None:
        """Take a line that is not just what is due, and say what it is."""
        if (more := INSIDE.search(line, 1)) is not None:
            lines.push(line[more.start() :])
            line = line[: more.start()]
        elif not line.endswith(b"\n") and len(line) < MOST_LINE_BYTES:
            self.torn_bytes = len(line)
            return None
        self.lines += 1
        at = self.size_bytes
        self.size_bytes += len(line)
        if line.endswith(b"\r\n"):
            line = line[:-2] + b"\n"
            if not self.crlf:
                self.crlf = True
                text = "its lines end in CR LF: something has converted it as a text"
                self.fault(Fault("foreign line ends", text, 0, 0, self.lines, at))
        if len(line) >= MOST_LINE_BYTES or line[: len(HEAD)] != HEAD:
            self.foreign(line, at, lines)
            return None
        own = line[len(HEAD) : START - len(TAIL)]
        fits = is_bound(self.prev, line) or (self.other and is_bound(self.other, line))
        found = decoded(line)
        if found is None or found.seq == self.count + 1:
            if found is None or not fits or found.epoch < self.epoch:
                self.edited(line, at, lines)
                return None
        elif self.is_in_place(own, lines):
            self.edited(line, at, lines)
            return None
        elif found.seq <= self.count:
            self.out_of_order(found.seq, at)
            return None
        else:
            self.open.append((self.count + 1, found.seq - 1, self.lines, at))
            self.whole = False
        self.take(found, own)
        return found if tag_of(type(found.event)) in self.wanted else None

    def take(self, found: Recorded, own: bytes) -> None:
        self.count, self.epoch, self.hash = found.seq, found.epoch, own.decode("ascii", "replace")
        self.prev, self.other, self.bad = own, b"", False
        self.seen.add((found.seq, self.hash))

    def is_in_place(self, own: bytes, lines: "Lines") -> bool:
        """Say whether this line, whatever it says, was written as the one that is due here."""
        if (self.count + 1, own.decode("ascii", "replace")) in self.sealed:
            return True
        following = lines.peek()
        head = header(following)
        if head is None:
            return False
        return head.seq == self.count + 2 and is_bound(own, following)

    def edited(self, line: bytes, at: int, lines: "Lines") -> None:
        """Take a changed line for the one that is due here. Its hash may be what was changed."""
        due = self.count + 1
        if is_bound(self.prev, lines.peek()):
            text = "a line that does not belong there"
            self.fault(Fault("added", text, due, due, self.lines, at))
            return
        self.fault(Fault("edited", "it is not what was written", due, due, self.lines, at))
        self.count, self.bad = due, True
        self.other = sha256(self.prev + line[START:]).hexdigest().encode()
        self.prev = line[len(HEAD) : START - len(TAIL)]
        self.hash = self.prev.decode("ascii", "replace")
        self.seen |= {(due, self.hash), (due, self.other.decode())}

    def foreign(self, line: bytes, at: int, lines: "Lines") -> None:
        """Take what is no record: a changed line, or one more piece of it."""
        if self.bad:
            return
        if len(line) >= MOST_LINE_BYTES:
            due = self.count + 1
            rest = lines.skip()
            self.size_bytes += rest
            text = f"a line of {len(line) + rest:,} bytes, longer than any record"
            self.fault(Fault("edited", text, due, due, self.lines, at))
            self.count, self.bad = due, True
            self.prev = self.other = b""
            return
        self.edited(line, at, lines)

    def out_of_order(self, seq: int, at: int) -> None:
        for place, (first, last, line, byte) in enumerate(self.open):
            if first <= seq <= last:
                parts = [(first, seq - 1, line, byte), (seq + 1, last, line, byte)]
                self.open[place : place + 1] = [part for part in parts if part[0] <= part[1]]
                text = "it stands behind later ones"
                self.fault(Fault("out of order", text, seq, seq, self.lines, at))
                return
        self.fault(Fault("duplicate", "it is there once more", seq, seq, self.lines, at))

    def is_there(self, seq: int) -> bool:
        """Say whether a record of this number is there, as it was written or not."""
        return seq <= self.count and not any(
            fault.word == "missing" and fault.first <= seq <= fault.last for fault in self.faults
        )

    def fault(self, fault: Fault) -> None:
        self.whole = False
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(fault)
        else:
            self.more_faults += 1

    def settle(self) -> None:
        """Name what was missed and never came."""
        for first, last, line, byte in self.open:
            text = "the lines between are gone"
            self.fault(Fault("missing", text, first, last, line, byte))
        self.open = []
        self.faults.sort(key=lambda fault: fault.line)


class Lines:
    """The lines of a file, none of them longer than fits into memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.back = file, list[bytes]()
        self.read = partial(file.readline, MOST_LINE_BYTES)

    def __iter__(self) -> Iterator[bytes]:
        while line := self.back.pop() if self.back else self.read():
            yield line

    def push(self, line: bytes) -> None:
        self.back.append(line)

    def peek(self) -> bytes:
        if not self.back and (line := self.read()):
            self.back.append(line)
        return self.back[-1] if self.back else b""

    def skip(self) -> int:
        """Pass over the rest of a line that is too long, and return its length."""
        size = 0
        while part := self.back.pop() if self.back else self.read():
            size += len(part)
            if part.endswith(b"\n"):
                break
        return size


def opened(path: Path) -> BinaryIO:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: not a file, so no ledger")
    try:
        return path.open("rb")
    except OSError as error:
        raise MissingFileError(f"{path}: {error.strerror}") from error


def is_bound(prev: bytes, line: bytes) -> bool:
    due = sha256(prev + line[START:]).hexdigest().encode()
    return line[:START] == HEAD + due + TAIL


def decoded(line: bytes) -> Recorded | None:
    try:
        return WHOLE.decode(b"{" + line[START:])
    except NO_RECORD:
        return None


def header(line: bytes) -> Header | None:
    try:
        return HEADER.decode(line)
    except NO_RECORD:
        return None
