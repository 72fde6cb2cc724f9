"""One word of a shell command: what is known of it before it runs."""

from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Word:
    """text: as the program would get it; as it is written where that is not known.

    fixed: the text is known. single: it is just one word.
    head: how the word begins, or all the words that it becomes; "" where that is not known.
    """

    text: str
    fixed: bool = True
    single: bool = True
    head: str = ""

    @property
    def is_operand(self) -> bool:
        """Return whether it is surely no flag."""
        head = self.text if self.fixed else self.head
        return not head.startswith("-") if self.fixed else bool(head) and head[0] != "-"


@cache
def flags_of(spec: str) -> dict[str, str]:
    """Return the flags of a list in known.py: each with "" or the `:` or `=` after it."""
    marks = {item: item[-1] if item[-1] in ":=" else "" for item in spec.split()}
    return {item.rstrip(":="): mark for item, mark in marks.items()}


def split_flags(words: list[Word], flags: dict[str, str]) -> tuple[list[str], list[Word], str]:
    """Return the flags and the other arguments, and the first word that is neither for sure.

    As getopt_long reads them, except that no name may be cut short. A value in a word of its own
    that looks like a flag is taken for no value: the two of us may differ on that flag.
    """
    found: list[str] = []
    others: list[Word] = []
    rest = iter(words)
    for word in rest:
        if word.fixed and word.text == "--":
            others += rest
        elif (word.fixed and word.text == "-") or word.is_operand:
            others.append(word)
        else:
            name, needs_value = flag_in(word, flags)
            if not name:
                return found, others, word.text
            found += name
            if needs_value:
                value = next(rest, None)
                if value is None or not is_value(value):
                    return found, others, word.text
    return found, others, ""


def flag_in(word: Word, flags: dict[str, str]) -> tuple[list[str], bool]:
    """Return the flags that a word holds, none if not all are known, and if a value follows."""
    text = word.text if word.fixed else word.head if word.single else ""
    if text.startswith("--"):
        name, is_joined, _ = text.partition("=")
        mark = flags.get(name)
        if mark is None or (is_joined and not mark) or (not is_joined and not word.fixed):
            return [], False
        return [name], mark == ":" and not is_joined
    if not word.fixed:
        return [], False
    if text in flags and not flags[text]:
        return [text], False  # such as -vv
    if "-#" in flags and text[1:].isascii() and text[1:].isdigit():
        return ["-#"], False
    found = []
    for i, letter in enumerate(text[1:], 2):
        mark = flags.get(f"-{letter}")
        if mark is None:
            return [], False
        found.append(f"-{letter}")
        if mark:
            return found, mark == ":" and i == len(text)
    return found, False


def is_value(word: Word) -> bool:
    number = word.fixed and word.text[1:].isdigit()
    return word.single and (word.is_operand or number or word.text == "-")
