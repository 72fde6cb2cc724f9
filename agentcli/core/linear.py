"""Regular expressions that cannot hang: each search takes a bounded number of steps.

Rules are held against what a model writes, and Python's own engine can be made to take years over
that. This one reads each character once, whatever the expression is. Known: literals, `.`,
classes, \\d \\w \\s \\b and their opposites, groups, `|`, `*`, `+`, `?`, `{m,n}`, `^`, `$` (the
end of the text) and a first `(?i)`. Not known: look-around and what refers back.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

MOST_CODE = 2_000
MOST_TEXT = 50_000
MOST_STEPS = 1_000_000
MOST_REPEATS = 500
MOST_NODES = 1_000  # that are kept for later texts
DEEPEST = 50

Kind = Literal["set", "jump", "split", "edge"]
Before = Literal["start", "word", "other"]
Test = Callable[[str], bool]
SPECIAL = "\\.[](){}*+?|^$"
CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


class TooMuchError(ValueError):
    """The search was given up: nothing is known of the text."""


@dataclass(frozen=True)
class Step:
    """One instruction. `set` takes a character; the others none.

    to: where it goes on, for `split` in two places. edge: what must hold between two characters.
    """

    kind: Kind
    to: tuple[int, ...] = ()
    test: Test | None = None
    edge: str = ""


def is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


CLASSES: dict[str, Test] = {"d": str.isdecimal, "w": is_word, "s": str.isspace}


@dataclass
class Parser:
    """Reads an expression. Raises ValueError saying what cannot be read, and where."""

    text: str
    at: int = 0
    folds: bool = False
    code: list[Step] = field(default_factory=list)

    def parse(self) -> list[Step]:
        if self.text.startswith("(?i)"):
            self.at, self.folds = 4, True
        tree = self.choice(0)
        if self.at < len(self.text):
            raise self.wrong("nothing is open that this could close")
        self.build(tree)
        return self.code

    def wrong(self, why: str) -> ValueError:
        return ValueError(f"at character {self.at + 1}: {why}")

    @property
    def next(self) -> str:
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self) -> str:
        char = self.next
        self.at += 1
        return char

    # A tree is (name, ...): its parts are trees, tests or numbers.
    def choice(self, depth: int) -> tuple[object, ...]:
        if depth > DEEPEST:
            raise self.wrong(f"groups are nested more than {DEEPEST} deep")
        branches = [self.sequence(depth)]
        while self.next == "|":
            self.at += 1
            branches.append(self.sequence(depth))
        return branches[0] if len(branches) == 1 else ("choice", *branches)

    def sequence(self, depth: int) -> tuple[object, ...]:
        parts = []
        while self.next and self.next not in "|)":
            parts.append(self.repeated(self.one(depth)))
        return ("sequence", *parts)

    def repeated(self, tree: tuple[object, ...]) -> tuple[object, ...]:
        found = self.count()
        if found is None:
            return tree
        if self.next == "?":
            self.at += 1  # whether it is lazy does not change if there is a match
        if self.next in tuple("*+{"):
            raise self.wrong("repeats what is repeated already")
        return ("repeat", tree, *found)

    def count(self) -> tuple[int, int] | None:
        match self.next:
            case "*" | "+" | "?" as char:
                self.at += 1
                return {"*": (0, -1), "+": (1, -1), "?": (0, 1)}[char]
            case "{":
                end = self.text.find("}", self.at)
                first, comma, last = self.text[self.at + 1 : max(end, 0)].partition(",")
                if not first.isdecimal() or not (last.isdecimal() or not last):
                    raise self.wrong("expected {m}, {m,} or {m,n}; for a brace write \\{")
                self.at = end + 1
                least = int(first[:9])
                most = int(last[:9]) if last else (-1 if comma else least)
                if max(least, most) > MOST_REPEATS or -1 < most < least:
                    raise self.wrong(f"repeats must grow and be at most {MOST_REPEATS}")
                return least, most
            case _:
                return None

    def one(self, depth: int) -> tuple[object, ...]:
        char = self.take()
        match char:
            case "(":
                return self.group(depth)
            case "[":
                return ("set", self.set())
            case ".":
                return ("set", lambda char: char != "\n")
            case "^" | "$":
                return ("edge", char)
            case "\\":
                if self.next in ("b", "B"):
                    return ("edge", self.take())
                return ("set", self.escaped())
            case "*" | "+" | "?" | "{":
                self.at -= 1
                raise self.wrong("there is nothing to repeat")
            case _:
                return ("set", self.literal(char))

    def group(self, depth: int) -> tuple[object, ...]:
        if self.next == "?":
            if not self.text.startswith("?:", self.at):
                raise self.wrong("no look-around, names or flags here; (?i) only at the start")
            self.at += 2
        tree = self.choice(depth + 1)
        if self.take() != ")":
            raise self.wrong("a group is not closed")
        return tree

    def escaped(self) -> Test:
        char = self.take()
        if char.lower() in CLASSES and char:
            test = CLASSES[char.lower()]
            return test if char.islower() else lambda c: not test(c)
        return self.literal(self.plain(char))

    def plain(self, char: str) -> str:
        """Return the character that stands behind a backslash."""
        if char in CONTROL:
            return CONTROL[char]
        if not char or char.isalnum():
            self.at -= 1
            raise self.wrong(f"\\{char} is not known here")
        return char

    def literal(self, wanted: str) -> Test:
        if self.folds:
            return lambda char: char == wanted or char.casefold() == wanted.casefold()
        return lambda char: char == wanted

    def set(self) -> Test:
        negated = self.next == "^"
        self.at += negated
        tests: list[Test] = []
        first = True
        while self.next != "]" or first:
            first = False
            if not self.next:
                raise self.wrong("a class is not closed")
            tests.append(self.item())
        self.at += 1
        return lambda char: any(test(char) for test in tests) != negated

    def item(self) -> Test:
        char = self.take()
        if char == "\\":
            if self.next.lower() in CLASSES and self.next:
                return self.escaped()
            char = self.plain(self.take())
        if self.next == "-" and self.text[self.at + 1 : self.at + 2] not in ("]", ""):
            self.at += 1
            last = self.take()
            last = self.plain(self.take()) if last == "\\" else last
            if last < char:
                raise self.wrong("a range ends before it begins")
            return self.range(char, last)
        return self.literal(char)

    def range(self, first: str, last: str) -> Test:
        if self.folds:
            return lambda char: any(
                first <= form <= last for form in (char, char.lower(), char.upper())
            )
        return lambda char: first <= char <= last

    def add(self, step: Step) -> int:
        if len(self.code) >= MOST_CODE:
            raise ValueError("is too large: fewer or smaller repeats")
        self.code.append(step)
        return len(self.code) - 1

    def build(self, tree: tuple[object, ...]) -> None:
        """Add the instructions of a tree; they go on behind themselves."""
        # Any shape of a tree: `object` keeps the parts apart only by their names.
        match tree:
            case ("set", test):
                here = len(self.code)
                self.add(Step("set", (here + 1,), test))  # type: ignore[arg-type]
            case ("edge", str(edge)):
                here = len(self.code)
                self.add(Step("edge", (here + 1,), edge=edge))
            case ("sequence", *parts):
                for part in parts:
                    self.build(part)  # type: ignore[arg-type]
            case ("choice", *branches):
                self.build_choice(branches)
            case ("repeat", inner, int(least), int(most)):
                for _ in range(least):
                    self.build(inner)  # type: ignore[arg-type]
                if most < 0:
                    self.build_loop(inner)
                for _ in range(most - least):
                    split = self.add(Step("split"))
                    self.build(inner)  # type: ignore[arg-type]
                    self.code[split] = Step("split", (split + 1, len(self.code)))

    def build_choice(self, branches: list[object]) -> None:
        ends = []
        for branch in branches[:-1]:
            split = self.add(Step("split"))
            self.build(branch)  # type: ignore[arg-type]
            ends.append(self.add(Step("jump")))
            self.code[split] = Step("split", (split + 1, len(self.code)))
        self.build(branches[-1])  # type: ignore[arg-type]
        for end in ends:
            self.code[end] = Step("jump", (len(self.code),))

    def build_loop(self, inner: object) -> None:
        split = self.add(Step("split"))
        self.build(inner)  # type: ignore[arg-type]
        self.add(Step("jump", (split,)))
        self.code[split] = Step("split", (split + 1, len(self.code)))


@dataclass
class Node:
    """Where a search stands: the instructions that may come next, and what came before."""

    steps: frozenset[int]
    before: Before
    # By the next character: where it leads, None for a match, and the steps that this takes.
    next: dict[str, "tuple[Node | None, int]"] = field(default_factory=dict)


class Linear:
    """A compiled expression. Raises ValueError for what is none."""

    def __init__(self, pattern: str) -> None:
        self.code = Parser(pattern).parse()
        self.end = len(self.code)
        self.nodes: dict[tuple[frozenset[int], Before], Node] = {}
        self.needs = needed(pattern)

    def found_in(self, text: str) -> bool:
        """Say whether the expression fits anywhere in a text.

        Raises TooMuchError: nothing is known of a text that is too long or too odd. What counts is
        the text alone: steps that were taken for an earlier one are counted all the same.
        """
        if self.needs and self.needs not in text:
            return False
        if len(text) > MOST_TEXT:
            raise TooMuchError(f"has more than {MOST_TEXT:,} characters")
        if len(self.nodes) > MOST_NODES:
            self.nodes.clear()
        node, left = self.node(frozenset([0]), "start"), MOST_STEPS
        for char in text:
            try:
                after, cost = node.next[char]
            except KeyError:
                after, cost = node.next[char] = self.follow(node, char)
            left -= cost
            if left < 0:
                raise TooMuchError("takes too long")
            if after is None:
                return True
            node = after
        return self.end in self.reach(node, "")

    def node(self, steps: frozenset[int], before: Before) -> Node:
        return self.nodes.setdefault((steps, before), Node(steps, before))

    def follow(self, node: Node, char: str) -> tuple[Node | None, int]:
        reached = self.reach(node, char)
        if self.end in reached:
            return None, len(reached)
        steps = {0}  # a match may begin anywhere
        for number in reached:
            step = self.code[number]
            if step.kind == "set" and step.test is not None and step.test(char):
                steps.update(step.to)
        after = self.node(frozenset(steps), "word" if is_word(char) else "other")
        return after, len(reached)

    def reach(self, node: Node, char: str) -> set[int]:
        """Return all that can come next without taking a character; char: "" at the end."""
        reached, todo = set[int](), list(node.steps)
        while todo:
            number = todo.pop()
            if number in reached:
                continue
            reached.add(number)
            if number == self.end:
                continue
            step = self.code[number]
            if step.kind != "set" and (step.kind != "edge" or holds(step.edge, node.before, char)):
                todo += step.to
        return reached


def holds(edge: str, before: Before, char: str) -> bool:
    match edge:
        case "^":
            return before == "start"
        case "$":
            return not char
        case _:
            is_edge = (before == "word") != (bool(char) and is_word(char))
            return is_edge == (edge == "b")


def needed(pattern: str) -> str:
    """Return a text without which an expression cannot fit, "" if none is known.

    It only saves time: that of a pattern without choices and with nothing folded.
    """
    if "|" in pattern or "(" in pattern or "[" in pattern:
        return ""
    return max(pieces(pattern), key=len, default="")


def pieces(pattern: str) -> Iterator[str]:
    """Yield the runs of literals of an expression that has no groups."""
    piece, at = "", 0
    while at < len(pattern):
        char, size = pattern[at], 1
        if char == "\\":
            char, size = pattern[at + 1 : at + 2], 2
            if char.isalnum():
                yield piece
                piece, char = "", ""
        elif char in SPECIAL:
            yield piece
            piece, char = "", ""
            if pattern[at] == "{":
                size = pattern.find("}", at) - at + 1
        following = pattern[at + size : at + size + 1]
        if char and following and following in "*?{":
            yield piece
            piece, char = "", ""
        piece += char
        if char and following == "+":
            yield piece
            piece = ""
        at += max(size, 1)
    yield piece


@lru_cache(maxsize=2_000)
def linear(pattern: str) -> Linear:
    """Return a compiled expression. Raises ValueError."""
    return Linear(pattern)
