"""How many columns text takes in a terminal, and how it is cut and wrapped to fit."""

import re
from collections.abc import Iterator
from functools import lru_cache

SGR = re.compile(r"\x1b\[[0-9;]*m")

# One may not begin a line with these, nor end one with those.
_NOT_FIRST = frozenset("、。,.,!?!?:;:;)]}>)]}〉》」』】〕’”…ーぁぃぅぇぉっゃゅょ々%")
_NOT_LAST = frozenset("([{<([{〈《「『【〔‘“")
_PIECE = re.compile(r"[ \n]+|[^ \n]+")


@lru_cache(4096)
def char_cells(char: str) -> int:
    """Return the columns of one character: 0, 1 or 2."""
    from wcwidth import wcwidth

    # Terminals disagree on whether a variation selector widens an emoji: count the wider.
    return 1 if char == "\ufe0f" else max(0, wcwidth(char))


def cells(text: str) -> int:
    """Return the columns that the text takes at most. It holds no escapes and no line ends.

    Joined emoji count one by one: terminals that cannot join them draw them so, and a line
    that turns out shorter than counted does no harm.
    """
    return len(text) if text.isascii() else sum(map(char_cells, text))


def styled_cells(text: str) -> int:
    """Return the columns of text that may hold colours."""
    return cells(SGR.sub("", text) if "\x1b" in text else text)


def clip(text: str, width: int) -> str:
    """Return as much of the text as fits, with an ellipsis where something is left out.

    Colours are kept, and ended where they are cut.
    """
    if styled_cells(text) <= width:
        return text
    if width < 1:
        return ""
    kept, room = [], width - 1
    for part in _parts(text):
        if part.startswith("\x1b"):
            kept.append(part)
        elif room >= 0:
            fits = cut(part, room)
            kept.append(fits)
            room -= cells(fits)
            if fits != part:
                kept.append("…")
                room = -1
    return "".join(kept)


def _parts(text: str) -> Iterator[str]:
    """Yield colours and the text between them in turn."""
    done = 0
    for match in SGR.finditer(text):
        if match.start() > done:
            yield text[done : match.start()]
        yield match[0]
        done = match.end()
    if done < len(text):
        yield text[done:]


def cut(text: str, width: int) -> str:
    """Return the longest beginning of the text that fits."""
    if text.isascii():
        return text[:width]
    room = width
    for at, char in enumerate(text):
        room -= char_cells(char)
        if room < 0:
            return text[:at]
    return text


def folded(text: str, width: int) -> list[str]:
    """Return one line as rows of at most `width` columns; nothing is left out or moved."""
    width = max(2, width)
    if text.isascii():
        return [text[at : at + width] for at in range(0, len(text), width)] or [""]
    rows, begin, used = [], 0, 0
    for at, char in enumerate(text):
        size = char_cells(char)
        if used + size > width:
            rows.append(text[begin:at])
            begin, used = at, 0
        used += size
    return [*rows, text[begin:]]


def folded_at_blanks(text: str, width: int) -> list[str]:
    """Return what `folded` does, but end a row after a blank if it is more than half full there."""
    width = max(2, width)
    rows, begin = [], 0
    while begin < len(text):
        row = cut(text[begin : begin + 4 * width], width)
        if begin + len(row) < len(text):
            blank = row.rfind(" ") + 1
            row = row[:blank] if cells(row[:blank]) * 2 > width else row
        rows.append(row)
        begin += len(row)
    return rows or [""]


def words(text: str) -> list[tuple[str, int]]:
    """Return the pieces between which a line may end, with their columns.

    A piece is a run of blanks, a word, or one wide character with the marks that belong to it.
    """
    if text.isascii():
        return [(piece, len(piece)) for piece in _PIECE.findall(text)]
    return [
        (part, cells(part))
        for piece in _PIECE.findall(text)
        for part in ([piece] if piece.isascii() else _wide_split(piece))
    ]


def _wide_split(word: str) -> Iterator[str]:
    begin = 0
    for at in range(1, len(word)):
        last, char = word[at - 1], word[at]
        if not (_is_ideograph(last) or _is_ideograph(char)):
            continue
        if char in _NOT_FIRST or last in _NOT_LAST or char_cells(char) == 0 or char == "\ufe0f":
            continue
        yield word[begin:at]
        begin = at
    yield word[begin:]


def _is_ideograph(char: str) -> bool:
    return "\u2e80" <= char <= "\uffdc" and char_cells(char) == 2
