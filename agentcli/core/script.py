"""Says which letters of a name only look like Latin ones: of a host, a path or a command."""

import re
import unicodedata
from collections.abc import Iterator
from string import ascii_letters
from typing import Any

# Written together as a matter of course.
TOGETHER = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "HALFWIDTH")
MOST = 5
_PART = re.compile(r"[^\W_]+")
_NAME = re.compile(r"[\w.-]+")
LONGEST_LABEL = 63  # of the name of a machine
_PUNYCODE = re.compile(r"\bxn--[a-z0-9-]+", re.IGNORECASE)
# Cyrillic and Greek letters that are drawn as Latin ones: a host of them alone looks Latin.
_DRAWN_AS_LATIN = re.compile(
    "[\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0455\u0456\u0458\u04bb\u04cf\u0501\u051b\u051d"
    "\u044c\u03b1\u03b9\u03ba\u03bd\u03bf\u03c1\u03c5\u03c7]+\\Z"
)


def script_of(char: str) -> str:
    """Return the script of a letter as a word, "" for what is in none, such as a digit."""
    if not char.isalpha():
        return ""
    word = unicodedata.name(char, "unknown").split()[0]
    return "CJK" if word in TOGETHER else word


def mixed_scripts(value: Any) -> str:
    """Return a note on the letters in plain JSON data that may be taken for others, "" for none.

    These are the foreign ones of a word that has Latin ones too, those of a host that could as
    well be Latin, and what an ASCII form of a host stands for.
    """
    found: dict[str, None] = {}
    for text in texts_in(value):
        found.update(dict.fromkeys(_odd_letters(text)))
    listed = list(found)
    more = f" and {len(listed) - MOST} more" if len(listed) > MOST else ""
    return f"mixed scripts: {', '.join(listed[:MOST])}{more}" if listed else ""


def texts_in(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list() | tuple():
            for item in value:
                yield from texts_in(item)
        case dict():
            for name, item in value.items():
                yield from texts_in(name)
                yield from texts_in(item)


def _odd_letters(text: str) -> Iterator[str]:
    for coded in _PUNYCODE.findall(text):
        yield f"{coded} is {_decoded(coded)}"
    if text.isascii():
        return
    for part in _PART.findall(text):
        scripts = {char: script_of(char) for char in part}
        if "LATIN" in scripts.values():
            for char, script in scripts.items():
                if script not in ("", "LATIN", "CJK"):
                    yield _told(char, script)
    for name in _NAME.findall(text):
        for label in _labels_of_host(name):
            if _DRAWN_AS_LATIN.match(label):
                yield from (_told(char, script_of(char)) for char in label)


def _labels_of_host(name: str) -> list[str]:
    """Return what stands before a label that begins as a domain does, such as .com."""
    found, is_host = [], False
    for label in reversed(name.split(".")):  # from its end: in one walk, however long it is
        if is_host and label:
            found.append(label)
        is_host = bool(label) and (is_host or label[0] in ascii_letters)
    return found[::-1]


def _told(char: str, script: str) -> str:
    return f"{char} ({script.capitalize()})"


def _decoded(label: str) -> str:
    if len(label) > LONGEST_LABEL:
        return "no name"
    try:
        return label[4:].encode().decode("punycode")
    except (UnicodeError, ValueError, OverflowError):
        return "no name"
