"""Make any text harmless for a terminal: the one border between foreign text and the screen."""

import re
import unicodedata

# Emoji that may be joined to others. Unicode's table of pictographs is not in the standard
# library; these ranges hold all that occur in joined sequences.
PICTOGRAPHS = "\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u2600-\u27bf"
PICTOGRAPHS += "\u2b05-\u2b55\U0001f000-\U0001faff"
# What else may be asked for as an emoji or as text.
TWO_FORMS = PICTOGRAPHS + "\u25aa-\u25fe\u2934\u2935\u3030\u303d\u3297\u3299"

# Beside C0, DEL and C1: soft hyphen, invisible fillers, bidi controls, zero width, line and
# paragraph separators, BOM, annotation marks, marks of shorthand, music and hieroglyphs that have
# no form of their own, tags, variation selectors, no characters, halves of surrogate pairs.
UNSAFE = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\ud800-\udfff"
)
_HARMLESS_ASCII = bytes([9, 10, *range(32, 127)])  # six times faster than a character class
_UNSAFE = re.compile(f"[{UNSAFE}]")
_PICTOGRAPH = re.compile(f"[{PICTOGRAPHS}]")
_TWO_FORMS = re.compile(f"[{TWO_FORMS}]")
_KEY = re.compile("[0-9#*]")
_KEYCAP = "\u20e3"

# ECMA-48. A payload ends where the next sequence begins, so that many unfinished ones cost
# no more than one scan of the text.
_PAYLOAD = r"[^\x07\x1b\x90\x98\x9b-\x9f]*"
_STRING = r"(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])" + _PAYLOAD
_CONTROL = r"(?:\x1b\[|\x9b)[0-?]*[ -/]*"
_SEQUENCE = re.compile(
    rf"{_CONTROL}[@-~]|{_STRING}(?:\x07|\x1b\\|\x9c)|\x1b[ -/]+[0-~]|\x1b[0-OQ-WYZ\\`-~]"
)
_INTRODUCER = re.compile(r"[\x1b\x90\x98\x9b\x9d-\x9f]")
_UNFINISHED = re.compile(rf"(?:{_STRING}\x1b?|{_CONTROL}|\x1b[ -/]*)\Z")

_WORD = re.compile(r"\w+")
_LATIN = re.compile("[A-Za-z]")
_LOOKALIKE = re.compile("[\u0370-\u052f\u1c80-\u1c8f\u1f00-\u1fff\u2de0-\u2dff\ua640-\ua69f]")
# Blank though no blank, or drawn over the character before: struck out, or as another letter.
UNCLEAR = "\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u2800\ufe20-\ufe2f\U0001d159"
MOST_MARKS = 3  # on one letter, in any script
_ESCAPED = re.compile(
    rf"[^ -~\n\u00a1-\U0010ffff]|[{UNSAFE}{UNCLEAR}]"
    r"|\\(?=x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})"
)


def visible(text: str) -> str:
    """Return the text as a terminal may show it.

    Complete escape sequences are dropped. Other control, bidi and invisible characters are shown
    as <U+XXXX>, CRLF and CR become LF. Tabs stay, and so do joiners between two emoji and the
    selectors that ask for an emoji: elsewhere a selector changes nothing and can hide data.
    """
    if text.isascii() and not text.encode().translate(None, _HARMLESS_ASCII):
        return text
    if _UNSAFE.search(text) is None:
        return text
    return _shown(_SEQUENCE.sub("", text))


def visible_line(text: str) -> str:
    """Return what `visible` does as a part of one line: a blank for each line end and tab."""
    return visible(text).replace("\n", " ").replace("\t", " ")


def escaped(text: str) -> str:
    r"""Return the text for an approval: nothing is dropped, each odd character is named.

    What is not plainly printable becomes \x1b, \u202e or \U000e0041; LF alone stays. Also named:
    Greek and Cyrillic letters in a word with Latin ones, as they look like Latin, and accents
    that are characters of their own. A backslash that could be taken for one of these is itself
    \x5c, so no two texts look the same.
    """
    text = _ESCAPED.sub(_named, text)
    if text.isascii():
        return text
    text = _without_stacks(_WORD.sub(_without_lookalikes, text))
    return text if _is_plain(text) else "".join(c if _is_plain(c) else _name(c) for c in text)


def escaped_line(text: str, limit: int = 200) -> str:
    """Return the text for one line of a message: clipped, and each odd character named."""
    clipped = text if len(text) <= limit else f"{text[:limit]}..."
    return escaped(clipped).replace("\n", r"\n")


class VisibleStream:
    """`visible` for text that comes in pieces, cut anywhere.

    A sequence that is not finished at the end of a piece is held back. After `hold` characters
    it is shown, so that nobody can stop the output by beginning a sequence.
    """

    def __init__(self, *, hold: int = 256) -> None:
        self._hold = hold
        self._held = ""  # the begin of a sequence
        self._last = ""  # without sequences: what its successor decides on
        self._before = ""  # the two characters before that

    def feed(self, text: str) -> str:
        """Return what of the text so far can be shown and has not been."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text) if _INTRODUCER.search(text) else None
        if unfinished is None or len(unfinished[0]) > self._hold:
            self._held = ""
        else:
            self._held = unfinished[0]
            text = text[: unfinished.start()]
        text = self._last + _SEQUENCE.sub("", text)
        self._last = text[-1:] if text.endswith(("\r", "\u200d", "\ufe0f")) else ""
        # Looked at, not taken: the held character stands after the text in any case.
        shown = _shown(text, self._before, len(text) - len(self._last))
        self._before = (self._before + text)[: len(self._before) + len(text) - len(self._last)][-2:]
        return shown

    def finish(self) -> str:
        """Return what was held back. The stream can be used for another text then."""
        rest = _shown(self._last + _SEQUENCE.sub("", self._held), self._before)
        self._held = self._last = self._before = ""
        return rest


def _shown(text: str, before: str = "", end: int | None = None) -> str:
    """Return text[:end] with its unsafe characters named; `before` is what stood before it."""
    whole = before + text
    stop = len(whole) if end is None else len(before) + end
    parts = []
    done = len(before)
    for match in _UNSAFE.finditer(whole, done, stop):
        at = match.start()
        parts += [whole[done:at], _one_shown(whole, at)]
        done = at + 1
    return "".join([*parts, whole[done:stop]])


def _one_shown(text: str, at: int) -> str:
    char, following = text[at], text[at + 1 : at + 2]
    if char == "\r":
        return "" if following == "\n" else "\n"
    if char in "\ufe0e\ufe0f" and at and _TWO_FORMS.match(text[at - 1]):
        return char
    if char == "\ufe0f" and following == _KEYCAP and at and _KEY.match(text[at - 1]):
        return char
    if char == "\u200d" and _PICTOGRAPH.match(following):
        base = at - 2 if text[at - 1 : at] == "\ufe0f" else at - 1
        if base >= 0 and _PICTOGRAPH.match(text[base]):
            return char
    return f"<U+{ord(char):04X}>"


def _named(match: re.Match[str]) -> str:
    return _name(match[0])


def _name(char: str) -> str:
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _without_lookalikes(match: re.Match[str]) -> str:
    word = match[0]
    if word.isascii() or not _LATIN.search(word):
        return word
    return _LOOKALIKE.sub(_named, word)


def _without_stacks(text: str) -> str:
    """Name the marks that stand on nothing, or on so many that none can be made out."""
    parts, stacked = [], MOST_MARKS
    for char in text:
        is_mark = unicodedata.category(char)[0] == "M"
        stacked = stacked + 1 if is_mark else MOST_MARKS if char in " \n" else 0
        parts.append(_name(char) if is_mark and stacked > MOST_MARKS else char)
    return "".join(parts)


def _is_plain(text: str) -> bool:
    return text.replace("\n", "").isprintable()
