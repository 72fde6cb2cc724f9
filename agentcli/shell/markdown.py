"""Markdown that streams in, cut into blocks that never change again."""

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    pass

LIMIT = 2_000  # characters: what is longer is handed out in parts
TABLE_LIMIT = 4_000
TAIL = 1_000  # of an open block, this much is drawn again and again
TAIL_ROWS = 16

_FENCE = re.compile(r"(`{3,})([^`]*)$|(~{3,})(.*)$")
_HEADING = re.compile(r"#{1,6}(?:[ \t]|$)")
_RULE = re.compile(r"(?:(?:-[ \t]*){3,}|(?:_[ \t]*){3,}|(?:\*[ \t]*){3,})$")
_UNDERLINE = re.compile(r"(?:=+|-+)[ \t]*$")
_DELIMITERS = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")
_MARK = re.compile(r"(?:[-+*]|(\d{1,9})[.)])(?=[ \t]|$)")


@dataclass(frozen=True, slots=True)
class Block:
    """A finished piece of Markdown. The sources of all blocks of a stream are the whole text.

    kind: "code" is a line inside a fence, "fence" the line that opens or closes it.
    gap: an empty line stands before it. indent: the columns of the list item that it is in.
    number: of an item in an ordered list. is_rest: it goes on from a long paragraph.
    head: the first two lines of the table that it goes on from.
    """

    kind: Literal["markdown", "code", "fence"]
    source: str
    language: str = ""
    gap: bool = False
    indent: int = 0
    number: int | None = None
    is_rest: bool = False
    head: str = ""


@dataclass(frozen=True, slots=True)
class _Item:
    """A list item that is not over. offset: the column of its text. mark: its last character."""

    offset: int
    mark: str
    number: int | None


class MarkdownStream:
    """Feed it text in pieces of any size: the same text gives the same blocks.

    A block ends at a blank line or where a line begins another; each list item is one, a line
    of code is one. So no line is looked at twice, and what is open stays small: a long
    paragraph is cut after LIMIT characters, a long table after TABLE_LIMIT.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._partial: list[str] = []  # the line that is still being written
        self._partial_size = 0
        self._lines: list[str] = []  # of the open block, complete, after blank ones
        self._size = 0
        self._kind: Literal["", "paragraph", "item", "table", "quote", "indented"] = ""
        self._block = Block("markdown", "")  # what is known of the open block
        self._items: list[_Item] = []  # that the open block is in, outermost first
        self._fence = ""  # the marks that close it
        self._language = ""
        self._after_blank = False
        self._is_first = True
        self._done: list[Block] = []

    @property
    def open(self) -> str:
        """The source that has not been handed out."""
        return "".join(self._lines) + "".join(self._partial)

    @property
    def open_block(self) -> Block:
        """The end of what has not been handed out, as much as a live region has room for."""
        source = self.open
        if self._fence:
            return Block("code", source[-TAIL:], self._language)
        if not self._kind:
            return Block("markdown", source, gap=not self._is_first, indent=self._base)
        if self._kind == "table" and len(self._lines) > TAIL_ROWS + 2:
            source = "".join([*self._lines[-TAIL_ROWS:], *self._partial])
            return replace(self._block, source=source, gap=False, head=self._table_head())
        if self._kind in ("paragraph", "item") and len(source) > TAIL:
            source = source[-TAIL:].partition(" ")[2] or source[-TAIL:]
            return replace(
                self._block, source=source, gap=False, number=None, indent=self._base, is_rest=True
            )
        return replace(self._block, source=source)

    def feed(self, text: str) -> list[Block]:
        """Return the blocks that the text has finished."""
        at = 0
        while at < len(text):
            end = text.find("\n", at) + 1 or len(text)
            if not self._fence:
                # The cut depends on the size alone, however the text was cut into pieces.
                end = min(end, at + LIMIT - self._partial_size)
            self._partial.append(text[at:end])
            self._partial_size += end - at
            at = end
            if text[end - 1] == "\n":
                self._take(self._taken_partial())
            elif self._partial_size >= LIMIT and not self._fence:
                self._cut_line()
        done, self._done = self._done, []
        return done

    def finish(self) -> list[Block]:
        """Return what is left as blocks. The stream can be used for another text then."""
        if self._partial:
            self._take(self._taken_partial())
        self._close()
        if self._lines:
            self._hand_out(Block("markdown", "".join(self._lines)))
        done = self._done
        self._begin()
        return done

    @property
    def _base(self) -> int:
        return self._items[-1].offset if self._items else 0

    def _taken_partial(self) -> str:
        line = "".join(self._partial)
        self._partial, self._partial_size = [], 0
        return line

    def _cut_line(self) -> None:
        """Treat a long line as two, cut behind a blank if there is one near its end."""
        line = self._taken_partial()
        cut = line.rfind(" ", len(line) - 200) + 1 or len(line)
        self._take(line[:cut])
        if self._fence:
            self._partial = [line[cut:]]
        else:
            self._close()
            self._go_on("paragraph", replace(self._new_block(False), is_rest=True))
            self._partial = [line[cut:]] if line[cut:] else []
        self._partial_size = len(line) - cut

    def _take(self, line: str) -> None:
        text = line.strip(" \t\r\n")
        if self._fence:
            self._take_code(line, text)
        elif not text:
            self._take_blank(line)
        else:
            self._take_text(line, text)
            limit = TABLE_LIMIT if self._kind == "table" else LIMIT
            if self._kind and self._size >= limit:
                self._cut_block()

    def _take_code(self, line: str, text: str) -> None:
        is_end = text.startswith(self._fence) and not text.strip(self._fence[0])
        if is_end:
            self._fence = ""
        self._hand_out(Block("fence" if is_end else "code", line, self._language))

    def _take_blank(self, line: str) -> None:
        self._lines.append(line)
        self._close()
        self._after_blank = True

    def _take_text(self, line: str, text: str) -> None:
        indent = _indent(line)
        mark = _MARK.match(text)
        is_rule = _RULE.match(text) is not None
        is_inner = indent - self._base >= 4
        if self._kind == "paragraph" and indent >= self._base:
            if self._takes_underline(line, text):
                return
            # "1986. A year" inside a paragraph is no list, nor is a bare mark.
            if mark and not self._items and (mark[1] not in (None, "1") or text == mark[0]):
                mark = None
        starts = not is_inner and (
            mark or is_rule or text[0] == ">" or _HEADING.match(text) or _FENCE.match(text)
        )
        if self._kind == "indented" and not is_inner:
            self._close()
        if self._kind and not starts:
            self._append(line)
            return
        if self._kind == "quote" and text[0] == ">" and indent >= self._base:
            self._append(line)
            return
        self._close()
        before = self._leave_items(indent)
        if indent - self._base >= 4:
            self._open_as("indented", line)
        elif fence := _FENCE.match(text):
            self._open_fence(line, fence[1] or fence[3], fence[2] or fence[4])
        elif is_rule or _HEADING.match(text):
            self._open_as("paragraph", line)
            self._close()
        elif mark:
            self._open_item(line, text, mark, before)
        else:
            self._open_as("quote" if text[0] == ">" else "paragraph", line)

    def _takes_underline(self, line: str, text: str) -> bool:
        """Return whether the line made the open paragraph a heading or a table."""
        rows = [one for one in self._lines if one.strip()]
        if self._block.is_rest:
            return False
        if len(rows) == 1 and "|" in rows[0] and "|" in text and _DELIMITERS.match(text):
            self._append(line)
            self._kind = "table"
            return True
        if _UNDERLINE.match(text):
            self._append(line)
            self._close()
            return True
        return False

    def _leave_items(self, indent: int) -> _Item | None:
        """Return the outermost item that a line with this indent is not in any more."""
        left = None
        while self._items and self._items[-1].offset > indent:
            left = self._items.pop()
        return left

    def _open_item(self, line: str, text: str, mark: re.Match[str], before: _Item | None) -> None:
        number = int(mark[1]) if mark[1] else None
        if number is not None and before and before.mark == mark[0][-1] and before.number:
            number = before.number + 1
        self._open_as("item", line, number)
        content = text[len(mark[0]) :].expandtabs(4)
        blanks = len(content) - len(content.lstrip(" "))
        wide = blanks if 1 <= blanks <= 4 and content.strip() else 1
        offset = _indent(line) + len(mark[0]) + wide
        self._items.append(_Item(offset, mark[0][-1], number))
        if fence := _FENCE.match(content.strip()):
            self._close()
            self._fence, self._language = fence[1] or fence[3], language_of(fence[2] or fence[4])

    def _open_fence(self, line: str, marks: str, info: str | None) -> None:
        self._fence, self._language = marks, language_of(info)
        block = self._new_block(is_item=False)
        self._hand_out(
            replace(block, kind="fence", source=self._taken_lines(line), language=self._language)
        )

    def _open_as(
        self, kind: Literal["paragraph", "item", "quote", "indented"], line: str,
        number: int | None = None,
    ) -> None:  # fmt: skip
        self._kind = kind
        self._block = replace(self._new_block(kind == "item"), number=number)
        self._append(line)

    def _go_on(self, kind: Literal["paragraph", "table"], block: Block) -> None:
        """Begin a block that is a part of the one before."""
        self._kind = kind
        self._block = replace(block, gap=False, number=None)

    def _new_block(self, is_item: bool) -> Block:
        gap = self._after_blank or not (self._items or is_item)
        return Block("markdown", "", gap=gap and not self._is_first, indent=self._base)

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line)

    def _cut_block(self) -> None:
        kind, head = self._kind, self._table_head()
        self._close()
        if kind == "table":
            self._go_on("table", replace(self._new_block(False), head=head))
        elif kind in ("paragraph", "item"):
            self._go_on("paragraph", replace(self._new_block(False), is_rest=True))

    def _table_head(self) -> str:
        rows = [one for one in self._lines if one.strip()]
        return self._block.head or "".join(rows[:2])

    def _close(self) -> None:
        """Hand out the open block, if there is one."""
        if self._kind:
            source = self._taken_lines()
            self._kind = ""
            if source:
                self._hand_out(replace(self._block, source=source))

    def _taken_lines(self, line: str = "") -> str:
        source = "".join(self._lines) + line
        self._lines, self._size = [], 0
        return source

    def _hand_out(self, block: Block) -> None:
        self._done.append(block)
        self._after_blank = self._is_first = False


def _indent(line: str) -> int:
    line = line[: len(line) - len(line.lstrip(" \t"))]
    return len(line.expandtabs(4))


def language_of(info: str | None) -> str:
    return ((info or "").split() or [""])[0]
