import re
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.visible import VisibleStream, escaped, escaped_line, visible, visible_line

FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff"
    "\u115f\u1160\u3164\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
PIECES = [
    "\x1b", "\x9b", "\x9d", "\x90", "\x9c", "\x07", "[", "]", "P", "\\", "2J", "31m", "8;;", ";",
    "\r", "\n", "\t", " ", "a", "\u200d", "\ufe0f", "\U000e0100", "\u202e", "👩", "🏽", "❤", "漢",
    "\ud83d", "\x00", "1", "\u20e3", "\ufe0e", "☎", "\u0336", "\u2800",
]  # fmt: skip
HOSTILE = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=3), max_size=60)


@given(st.text(st.characters()) | HOSTILE.map("".join))
def test_nothing_that_moves_hides_or_reorders_gets_through(text: str) -> None:
    shown = visible(text)
    assert FORBIDDEN.findall(shown) == []
    assert all(one.isprintable() for one in re.findall("(?s).", escaped(text)) if one != "\n")
    shown.encode()


@given(st.text(st.characters()) | HOSTILE.map("".join))
def test_what_is_shown_is_shown_as_it_is_the_second_time(text: str) -> None:
    assert visible(visible(text)) == visible(text)


@given(HOSTILE, st.integers(1, 7))
def test_text_in_pieces_is_shown_like_the_whole(parts: list[str], size: int) -> None:
    text = "".join(parts)
    stream = VisibleStream(hold=1_000)
    shown = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert "".join([*shown, stream.finish()]) == visible(text)


@given(HOSTILE)
def test_no_piece_of_a_stream_holds_anything_forbidden(parts: list[str]) -> None:
    stream = VisibleStream(hold=4)
    shown = [*map(stream.feed, parts), stream.finish()]
    assert [FORBIDDEN.findall(one) for one in shown if FORBIDDEN.search(one)] == []


@given(HOSTILE.map("".join), HOSTILE.map("".join))
def test_no_two_texts_look_the_same_in_an_approval(one: str, other: str) -> None:
    assert unescaped(escaped(one)) == one
    assert (escaped(one) == escaped(other)) == (one == other)


def unescaped(text: str) -> str:
    pattern = r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))"
    return re.sub(pattern, lambda found: chr(int(found[1] or found[2] or found[3], 16)), text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2J\x1b[3;4Hb", "ab"),
        (
            "\x1b]0;title\x07a\x1b]52;c;aGk=\x1b\\b\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\",
            "ablink",
        ),
        ("\x9b31mred\x9d0;t\x9c", "red"),
        ("\x1bPq data\x1b\\a\x1b(Bb\x1bcc", "abc"),
        ("10%\r20%\r\nend\n", "10%\n20%\nend\n"),
        ("a\bb\x7f\x00", "a<U+0008>b<U+007F><U+0000>"),
        ("\u202egnp.exe\u200b\ufeff\U000e0041", "<U+202E>gnp.exe<U+200B><U+FEFF><U+E0041>"),
        (
            "👩\u200d👩\u200d👧 👩🏽\u200d🚀 ❤\ufe0f\u200d🔥",
            "👩\u200d👩\u200d👧 👩🏽\u200d🚀 ❤\ufe0f\u200d🔥",
        ),
        ("pay\u200dpal", "pay<U+200D>pal"),
        ("a\ufe0f\ufe01\U000e0100\u6f22\ufe00", "a<U+FE0F><U+FE01><U+E0100>漢<U+FE00>"),
        ("1\ufe0f\u20e3 2\ufe0f3 ☎\ufe0e☎\ufe0f", "1\ufe0f\u20e3 2<U+FE0F>3 ☎\ufe0e☎\ufe0f"),
        (
            "\ufffe\uffff\U0001d173\U0001bca0\U000e01f0",
            "<U+FFFE><U+FFFF><U+1D173><U+1BCA0><U+E01F0>",
        ),
        ("\x1b[31", "<U+001B>[31"),
        ("\x1b\x1b[m[2J", "<U+001B>[2J"),
    ],
)
def test_each_kind_of_text_is_shown_so(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_an_approval_names_what_a_reader_would_not_see() -> None:
    text = "rm -rf \x1b[8m/\x1b[0m\ttr\u0430sh \u202e C:\\x1b \\d+ 漢字 é\r\n\u3000\U000e0041"
    assert escaped(text) == (
        r"rm -rf \x1b[8m/\x1b[0m\x09tr\u0430sh \u202e C:\x5cx1b \d+ 漢字 é\x0d" + "\n"
        r"\u3000\U000e0041"
    )


def test_an_approval_names_marks_that_cover_or_join_something() -> None:
    text = "r\u0336m cafe\u0301 \u0e01\u0e35\u0e49 \u0900 \u0915" + "\u0902" * 4 + " a\u2800b"
    assert escaped(text) == (
        r"r\u0336m cafe\u0301 " + "\u0e01\u0e35\u0e49" + r" \u0900 "
        "\u0915" + "\u0902" * 3 + r"\u0902 a\u2800b"
    )


@given(HOSTILE.map("".join))
def test_a_line_is_one_line(text: str) -> None:
    assert "\n" not in escaped_line(text)
    assert not set("\n\t") & set(visible_line(text))
    assert FORBIDDEN.findall(escaped_line(text) + visible_line(text)) == []


def test_a_sequence_that_never_ends_is_shown_in_the_end() -> None:
    stream = VisibleStream(hold=8)
    assert [stream.feed("a\x1b]0;"), stream.feed("evil"), stream.feed("b")] == [
        "a", "", "<U+001B>]0;evilb",
    ]  # fmt: skip


def test_every_character_of_a_format_kind_is_named_in_an_approval() -> None:
    odd = [chr(i) for i in range(0x110000) if unicodedata.category(chr(i)) in ("Cf", "Cc", "Zl")]
    assert [one for one in odd if one != "\n" and one in escaped(one)] == []


@pytest.mark.parametrize(
    "text", ["\x1b", "\x1b]", "\x1b[0", "\x1b[0m", "\x9d", "\x1b ", "\\x", "a"]
)
@pytest.mark.parametrize("show", [visible, escaped])
def test_the_cost_grows_with_the_length(show: object, text: str) -> None:
    assert callable(show)
    short, long = text * 2_000, text * 40_000
    assert seconds(show, long) < 60 * max(seconds(show, short), 1e-4)


def seconds(show: object, text: str) -> float:
    assert callable(show)
    begin = time.process_time()
    show(text)
    return time.process_time() - begin
