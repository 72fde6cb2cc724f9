"""A table of rules that say what to look for in text, and how that is found quickly."""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from agentcli.core.linear import Linear

LOOK = re.compile(r"\(\?<?[=!]")


class Rule:
    """What one kind of secret looks like; the group `secret`, or else all, is the secret.

    word: in lower case, without which it cannot match.
    size: tells how much of the beginning of what looks so is a secret, 0 for nothing.
    """

    def __init__(
        self, kind: str, pattern: str, word: str, size: Callable[[str], int] = len
    ) -> None:
        self.kind, self.word, self.written, self.size = kind, word, pattern, size
        self.group = "secret" if "(?P<secret>" in pattern else 0

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(self.written)

    @cached_property
    def linear(self) -> Linear:
        return Linear(without_bounds(self.written))

    def may_fit(self, plain: str, low: str) -> bool:
        """Say whether there may be such a secret: quickly.

        plain: the text in ASCII. low: the text in lower case.
        """
        return self.word in low and self.linear.found_in(plain)

    def spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        at = 0
        while (match := self.pattern.search(text, at)) is not None:
            start, end = match.span(self.group)
            size = self.size(text[start:end])
            if size:
                yield start, start + size, self.kind
            at = max(start + size, match.start() + 1)


class Table:
    """Rules that hold together."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rules)

    @cached_property
    def linear(self) -> Linear:
        """All rules as one expression, for an engine that reads a text but once."""
        return Linear("|".join(f"(?:{without_bounds(rule.written)})" for rule in self.rules))

    def find(self, text: str, plain: str) -> Iterator[tuple[int, int, str]]:
        """Yield where secrets are, as (start, end, kind): quickly, for nearly no text holds one.

        plain: the text in ASCII.
        """
        if not self.linear.found_in(plain):
            return
        low = text.lower()
        for rule in self.rules:
            if rule.may_fit(plain, low):
                yield from rule.spans(text)


class Plain(dict[int, str]):
    """What stands in ASCII for the letters of all others: what a rule finds, it finds there too."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        if code < 128:
            found = letter
        elif letter.isspace():
            found = " "
        elif letter.isdecimal():
            found = "0"
        elif letter.isalnum():
            # Some are, whatever the case, letters of ASCII: the long s, the sign of Kelvin.
            forms = letter.casefold()[0], letter.upper()[0]
            found = next((form for form in forms if form.isascii()), "x")
        else:
            found = "~"
        self[code] = found
        return found


PLAIN = Plain()


def in_ascii(text: str) -> str:
    """Return a text of the same length in ASCII in which rules find all that is in the first."""
    return text if text.isascii() else text.translate(PLAIN)


def without_bounds(pattern: str) -> str:
    """Return an expression without names and what looks around: it finds all that the first does.

    For ASCII alone, where Python's own blanks are the others' and four more.
    """
    kept, at = "", 0
    while at < len(pattern):
        if LOOK.match(pattern, at):
            at = end_of_group(pattern, at)
        else:
            kept += pattern[at : at + 1 + (pattern[at] == "\\")]
            at += 1 + (pattern[at] == "\\")
    bare = re.sub(r"\(\?P<\w+>", "(?:", kept).replace(r"\b", "")
    return re.sub(r"\\s(?=[+*])", r"[\\s\\x1c-\\x1f]", bare)


def end_of_group(pattern: str, at: int) -> int:
    """Return where the group that begins here has ended."""
    depth, in_class = 0, False
    while True:
        letter = pattern[at]
        if letter == "\\":
            at += 1
        elif in_class:
            in_class = letter != "]"
        elif letter == "[":
            in_class = True
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        at += 1
        if not depth:
            return at
