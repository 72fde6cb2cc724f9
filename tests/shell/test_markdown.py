"""Markdown that streams in: nothing is lost, nothing changes, and the cost grows with the text."""

import random
import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.shell.cells import styled_cells
from agentcli.shell.draw import render
from agentcli.shell.markdown import TABLE_LIMIT, Block, MarkdownStream

PIECES = [
    "a", "word ", "\n", "\n\n", "  ", "    ", "\t", "- ", "* ", "1. ", "7) ", "```", "~~~", "`",
    "# ", "> ", "|", "|-|-|", "---", "===", "**", "_", "[x](y)", "<", "&#8238;", "漢", "\r\n", "\r",
    "\x1b[31m", "\x00", "x" * 90,
]  # fmt: skip
SOURCES = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


def in_pieces(text: str, sizes: random.Random) -> Iterator[str]:
    at = 0
    while at < len(text):
        size = sizes.choice((1, 2, 4, 60, 5_000))
        yield text[at : at + size]
        at += size


def streamed(pieces: Iterator[str]) -> list[Block]:
    stream = MarkdownStream()
    blocks: list[Block] = []
    fed = ""
    for piece in pieces:
        fed += piece
        blocks += stream.feed(piece)
        assert "".join(block.source for block in blocks) + stream.open == fed
    return blocks + stream.finish()


def render_text(source: str, width: int, color: bool) -> str:
    return "".join(render(block, width, color) for block in streamed(iter([source])))


@settings(max_examples=60, deadline=None)
@given(SOURCES | st.text(st.characters(exclude_categories=["Cs"])), st.integers(1, 6), st.randoms())
def test_any_chunking_gives_the_same_blocks_and_loses_nothing(
    text: str, times: int, sizes: random.Random
) -> None:
    text *= times
    whole = streamed(iter([text]))
    assert "".join(block.source for block in whole) == text
    assert streamed(in_pieces(text, sizes)) == whole


@settings(max_examples=60, deadline=None)
@given(SOURCES, st.integers(1, 60))
def test_what_is_drawn_holds_no_foreign_escape_and_no_trailing_blank(text: str, width: int) -> None:
    drawn = render_text(text, width, color=False)
    assert re.findall("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", drawn) == []
    assert [line for line in drawn.split("\n") if line != line.rstrip()] == []
    bare = re.sub(r"\x1b\[[0-9;]*m", "", render_text(text, width, color=True))
    assert "\x1b" not in bare


SOURCE = """\
# Title
Some *emph* and **bold** with `code`, [a link](http://x.y/z) and <http://a.b>.

Steps:
1. One that is long enough to go over the line's end.
1. Two
   ```sh
   make  all
   ```
   - nested

   more of two
- other

> quoted text
> ```
> code
> ```
Done
----
| name | size |
|------|-----:|
| 漢字 | 1 |
| **b** | 250 |
***
~~~
long code is not wrapped, whatever the width may be of the screen
~~~
"""

PLAIN = """\
# Title

Some emph and bold with `code`, a
link (http://x.y/z) and http://a.b.

Steps:
1. One that is long enough to go
   over the line's end.
2. Two
   ```sh
   make  all
   ```
   - nested

   more of two
- other

> quoted text
> code

## Done

name  size
────  ────
漢字     1
b      250

---

~~~
long code is not wrapped, whatever the width may be of the screen
~~~
"""


def test_every_kind_of_block_is_drawn_so_without_colour() -> None:
    assert render_text(SOURCE.replace("> ```\nDone", "> ```\n\nDone"), 36, color=False) == PLAIN


def test_with_colour_fences_and_marks_give_way_to_styles() -> None:
    text = "# H\n**b** `c` [t](u)\n```py\nx = 1\n```\n```diff\n-a\n+b\n```\n- i\n"
    assert render_text(text, 40, color=True) == (
        "\x1b[1;4mH\x1b[0m\n\n\x1b[1mb\x1b[0m \x1b[36mc\x1b[0m \x1b[4mt\x1b[0m\x1b[2m (u)\x1b[0m\n"
        "\n\x1b[36mx = 1\x1b[0m\n\n\x1b[31m-a\x1b[0m\n\x1b[32m+b\x1b[0m\n\x1b[36m-\x1b[0m i\n"
    )


def test_a_link_cannot_hide_where_it_goes() -> None:
    text = "[http://good.example](http://evil.example) [a&#8238;b](u) ![i](v)"
    assert render_text(text, 90, color=False) == (
        "http://good.example (http://evil.example) a<U+202E>b (u) i (v)\n"
    )


def test_wide_characters_are_wrapped_by_their_columns() -> None:
    drawn = render_text("漢字かな交じり文が続く。" * 4 + " 👩🏽‍🚀 ok", 20, color=False)
    assert max(map(styled_cells, drawn.splitlines())) <= 20
    assert "".join(drawn.split()) == "漢字かな交じり文が続く。" * 4 + "👩🏽‍🚀ok"


def test_a_table_too_wide_is_wrapped_or_becomes_records() -> None:
    text = "| key | what it means |\n|--|--|\n| a | one two three four five |\n"
    assert render_text(text, 20, color=False) == (
        "key  what it means\n───  ───────────────\na    one two three\n     four five\n"
    )
    assert render_text(text, 12, color=False) == (
        "key: a\nwhat it\nmeans: one\ntwo three\nfour five\n"
    )


def test_a_line_of_code_is_handed_out_when_its_end_came() -> None:
    stream = MarkdownStream()
    assert stream.feed("```py\nx =") == [Block("fence", "```py\n", "py")]
    assert stream.open_block == Block("code", "x =", "py")
    assert stream.feed(" 1\n\n``") == [Block("code", "x = 1\n", "py"), Block("code", "\n", "py")]
    assert stream.feed("`\nend") == [Block("fence", "```\n", "py")]
    assert stream.finish() == [Block("markdown", "end", gap=True)]


def test_a_list_item_is_handed_out_when_the_next_begins() -> None:
    stream = MarkdownStream()
    assert stream.feed("3. a\n3. b\n   c\n") == [Block("markdown", "3. a\n", number=3)]
    assert stream.feed("   - d\n") == [Block("markdown", "3. b\n   c\n", number=4)]
    assert stream.finish() == [Block("markdown", "   - d\n", indent=3)]


@pytest.mark.parametrize(
    "text", ["word " * 20_000, "x" * 100_000, "a\n" * 50_000, "> q\n" * 20_000,
             "- a\n  b\n" * 9_000, "|a|b|\n|-|-|\n" + "|1|2|\n" * 9_000, "    code\n" * 9_000,
             "1. " * 30_000]
)  # fmt: skip
def test_no_open_block_grows_without_bound(text: str) -> None:
    stream = MarkdownStream()
    largest = 0
    for at in range(0, len(text), 997):
        stream.feed(text[at : at + 997])
        largest = max(largest, len(stream.open))
    assert largest <= TABLE_LIMIT + 1_000


def test_the_parts_of_a_long_paragraph_and_table_read_on() -> None:
    drawn = render_text("word " * 2_000, 50, color=False)
    assert drawn.split() == ["word"] * 2_000
    assert "\n\n" not in drawn
    table = render_text("|a|b|\n|-|-|\n" + "|1|2|\n" * 3_000, 50, color=False)
    assert table == "a  b\n─  ─\n" + "1  2\n" * 3_000


def work(text: str) -> int:
    """Return how many Python calls it takes to stream the text and draw it 12 times a second."""
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    stream = MarkdownStream()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for at in range(0, len(text), 60):
            for block in stream.feed(text[at : at + 60]):
                render(block, 80, color=True)
            render(stream.open_block, 80, color=True)
        for block in stream.finish():
            render(block, 80, color=True)
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("text", [SOURCE, "```\nx = 1\n", "- a\n", "a b ", "|a|b|\n|-|-|\n"])
def test_the_work_grows_with_the_text_and_not_its_square(text: str) -> None:
    short = text * (4_000 // len(text))
    assert work(short * 3) < 3.6 * work(short)
