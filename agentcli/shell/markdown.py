"""Markdown that streams in: cut into blocks that never change again, each drawn as lines."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from agentcli.core.visible import visible
from agentcli.shell.cells import cells, styled_cells, words
from agentcli.shell.console import style

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

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
            self._fence, self._language = fence[1] or fence[3], _language(fence[2] or fence[4])

    def _open_fence(self, line: str, marks: str, info: str | None) -> None:
        self._fence, self._language = marks, _language(info)
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


def _language(info: str | None) -> str:
    return ((info or "").split() or [""])[0]


def render(block: Block, width: int, color: bool) -> str:
    """Return the lines of a block, each with its end and none with trailing blanks.

    Prose is wrapped at the width. Code is left as it is, and so is a word that is too long:
    the terminal wraps those, and they are copied whole. Without colour, code keeps its fences
    and backticks, and headings their marks.
    """
    lines = _lines_of(block, width, color)
    if block.gap and (lines or block.kind == "fence"):
        lines = ["", *lines]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def render_text(source: str, width: int, color: bool) -> str:
    """Return a whole Markdown text as lines."""
    stream = MarkdownStream()
    blocks = [*stream.feed(source), *stream.finish()]
    return "".join(render(block, width, color) for block in blocks)


def _lines_of(block: Block, width: int, color: bool) -> list[str]:
    text = visible(block.source).strip("\n") if block.kind != "code" else visible(block.source)
    if block.kind == "code":
        code = text.removesuffix("\n").split("\n")
        return [_code_line(line.rstrip(), block.language, color) for line in code]
    if not text.strip():
        return []
    if block.kind == "fence":
        return [] if color else text.rstrip().split("\n")
    drawing = _Drawing(color, block.number)
    room = max(8, width - block.indent)
    inner = [_without_indent(line, block.indent) for line in text.split("\n")]
    if block.is_rest:
        lines = drawing.inline(_parser().parseInline(" ".join(text.split()))[0], room)
    elif block.head:
        head = [_without_indent(one, block.indent) for one in visible(block.head).splitlines()]
        lines = drawing.blocks(_parser().parse("\n".join(head + inner)), room)[2:]
    else:
        lines = drawing.blocks(_parser().parse("\n".join(inner)), room)
    blank = " " * min(block.indent, width // 2)
    return [f"{blank}{line}" if line else "" for line in lines]


def _without_indent(line: str, indent: int) -> str:
    if "\t" in line[: indent + 1]:
        line = line.expandtabs(4)
    blanks = len(line) - len(line.lstrip(" "))
    return line[min(indent, blanks) :]


def _code_line(line: str, language: str, color: bool) -> str:
    name = "cyan"
    if language in ("diff", "patch"):
        name = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "dim")
    return style(line, name, color=color)


@cache
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # A definition may stand after its use, and what is printed is never changed: so there are
    # none, and [a]: url is text.
    return parser.disable(["reference", "html_block", "html_inline"])


Span = tuple[str, tuple[str, ...]]
_INLINE_STYLES = {"strong_open": "bold", "em_open": "italic", "s_open": "strike"}


class _Drawing:
    """Draws tokens as lines. Entities are read by the parser, so each text is made visible again.

    number: of the first item, if it is an ordered one.
    """

    def __init__(self, color: bool, number: int | None = None) -> None:
        self.color = color
        self.number = number

    def blocks(self, tokens: Sequence["Token"], width: int) -> list[str]:
        """Return the lines of sibling blocks."""
        lines: list[str] = []
        for group in _groups(tokens):
            if lines and not _is_tight(group):
                lines.append("")
            lines += self.block(group, max(8, width))
        return lines

    def block(self, group: Sequence["Token"], width: int) -> list[str]:
        head, inner = group[0], group[1:-1]
        match head.type:
            case "heading_open":
                return self.heading(head, inner[0], width)
            case "paragraph_open":
                return self.inline(inner[0], width)
            case "bullet_list_open" | "ordered_list_open":
                return self.items(head, inner, width)
            case "blockquote_open":
                quoted = self.blocks(inner, width - 2)
                return [f"{style('>', 'dim', color=self.color)} {line}".rstrip() for line in quoted]
            case "table_open":
                return self.table(inner, width)
            case "hr":
                return [style("─" * min(width, 40), "dim", color=True)] if self.color else ["---"]
            case _:
                code = visible(head.content).rstrip("\n").split("\n")
                return [
                    _code_line(line.rstrip(), _language(head.info), self.color) for line in code
                ]

    def heading(self, head: "Token", inline: "Token", width: int) -> list[str]:
        if self.color:
            names = ("bold", "underline") if head.tag == "h1" else ("bold",)
            return self.inline(inline, width, names)
        mark = "#" * int(head.tag[1]) + " "
        return [(mark if at == 0 else "") + line for at, line in enumerate(
            self.inline(inline, width - len(mark)) or [""]
        )]  # fmt: skip

    def items(self, head: "Token", inner: Sequence["Token"], width: int) -> list[str]:
        start = head.attrGet("start")
        number = int(1 if start is None else start) if head.type == "ordered_list_open" else None
        if number is not None and self.number is not None:
            number, self.number = self.number, None
        lines: list[str] = []
        for at, item in enumerate(_groups(inner)):
            mark = "- " if number is None else f"{number + at}. "
            drawn = self.blocks(item[1:-1], width - len(mark)) or [""]
            blank = " " * len(mark)
            lines.append(f"{style(mark[:-1], 'cyan', color=self.color)} {drawn[0]}".rstrip())
            lines += [f"{blank}{line}".rstrip() for line in drawn[1:]]
        return lines

    def inline(self, token: "Token", width: int, base: tuple[str, ...] = ()) -> list[str]:
        return wrapped(self.spans(token, base), width, self.color)

    def spans(self, token: "Token", base: tuple[str, ...] = ()) -> list[Span]:
        """Return the text of a paragraph, a cell or a heading with its styles."""
        spans: list[Span] = []
        names = list(base)
        links: list[tuple[str, int]] = []
        for child in token.children or ():
            match child.type:
                case "softbreak":
                    spans.append((" ", ()))
                case "hardbreak":
                    spans.append(("\n", ()))
                case "code_inline":
                    text = visible(child.content)
                    spans.append(
                        (text, (*names, "cyan")) if self.color else (f"`{text}`", tuple(names))
                    )
                case "strong_open" | "em_open" | "s_open":
                    names.append(_INLINE_STYLES[child.type])
                case "strong_close" | "em_close" | "s_close":
                    names.pop()
                case "link_open":
                    links.append((str(child.attrGet("href") or ""), len(spans)))
                    names.append("underline")
                case "link_close":
                    names.pop()
                    url, begin = links.pop()
                    spans += _target(url, "".join(text for text, _ in spans[begin:]))
                case "image":
                    spans.append((visible(child.content), tuple(names)))
                    spans += _target(str(child.attrGet("src") or ""), child.content)
                case _:
                    spans.append((visible(child.content), tuple(names)))
        return spans

    def table(self, inner: Sequence["Token"], width: int) -> list[str]:
        rows: list[list[Token]] = []
        is_right: list[bool] = []
        for token in inner:
            if token.type == "tr_open":
                rows.append([])
            elif token.type == "inline":
                rows[-1].append(token)
            elif token.type == "th_open":
                is_right.append("right" in str(token.attrGet("style") or ""))
        columns = range(len(rows[0]))
        grid = [[self.cell(cell, 10_000) for cell in row] for row in rows]
        widths = [max(_widest(row[at]) for row in grid) for at in columns]
        room = width - 2 * (len(columns) - 1)
        if sum(widths) > room:
            if room < 8 * len(columns):
                return self.records(rows, width)
            widths = _fitted(widths, room)
            grid = [
                [self.cell(cell, wide) for cell, wide in zip(row, widths, strict=True)]
                for row in rows
            ]
        head = [[style(line, "bold", color=self.color) for line in cell] for cell in grid[0]]
        rule = "  ".join("─" * wide for wide in widths)
        return [
            *_row(head, widths, is_right),
            style(rule, "dim", color=self.color),
            *(line for row in grid[1:] for line in _row(row, widths, is_right)),
        ]

    def cell(self, token: "Token", width: int) -> list[str]:
        return wrapped(self.spans(token), width, self.color, is_strict=True)

    def records(self, rows: Sequence[Sequence["Token"]], width: int) -> list[str]:
        """Return a table that is too wide for the screen as one `head: cell` a line."""
        lines: list[str] = []
        for row in rows[1:] or rows:
            lines += [""] if lines else []
            for name, cell in zip(rows[0], row, strict=True):
                head = [*self.spans(name, ("bold",)), (":", ("bold",)), (" ", ())]
                lines += wrapped([*head, *self.spans(cell)], width, self.color)
        return lines


def _target(url: str, text: str) -> list[Span]:
    """Return the address of a link where its text does not say it already."""
    url, said = visible(url), text.strip()
    if not url or said in (url, url.removeprefix("mailto:")):
        return []
    return [(f" ({url})" if said else url, ("dim",))]


def _groups(tokens: Sequence["Token"]) -> Iterator[Sequence["Token"]]:
    """Yield each token of the outermost level, with all up to its closing one."""
    depth = begin = 0
    for at, token in enumerate(tokens):
        depth += token.nesting
        if depth == 0:
            yield tokens[begin : at + 1]
            begin = at + 1


def _is_tight(group: Sequence["Token"]) -> bool:
    """Return whether no empty line belongs before a block inside a list item."""
    head = group[1] if group[0].type == "paragraph_open" else group[0]
    return group[0].hidden or (head.level > 0 and head.type != "inline")


def _widest(lines: Sequence[str]) -> int:
    return max(map(styled_cells, lines), default=0)


def _fitted(widths: Sequence[int], room: int) -> list[int]:
    """Return widths that fit: narrow columns stay, the wide ones share what is left."""
    fitted = list(widths)
    todo = sorted(range(len(widths)), key=lambda at: widths[at])
    for done, at in enumerate(todo):
        fitted[at] = min(widths[at], room // (len(todo) - done))
        room -= fitted[at]
    return fitted


def _row(
    row: Sequence[Sequence[str]], widths: Sequence[int], is_right: Sequence[bool]
) -> Iterator[str]:
    for at in range(max(map(len, row), default=0)):
        parts = []
        for cell, width, right in zip(row, widths, is_right, strict=True):
            text = cell[at] if at < len(cell) else ""
            blank = " " * (width - styled_cells(text))
            parts.append(blank + text if right else text + blank)
        yield "  ".join(parts).rstrip()


def wrapped(
    spans: Sequence[Span], width: int, color: bool, *, is_strict: bool = False
) -> list[str]:
    """Return styled text as lines of at most `width` columns, broken between words.

    is_strict: also break words that are longer than that.
    """
    lines: list[list[Span]] = [[]]
    used = 0
    blank: list[Span] = []  # written only if a word follows on the same line
    word: list[Span] = []  # a word may be made of several spans: **a**b
    size = 0

    def end_word() -> None:
        nonlocal used, size
        if not word:
            return
        gap = len(blank)
        if used and used + gap + size > width:
            lines.append([])
            used = gap = 0
            blank.clear()
        if is_strict and size > width:
            rows = [(char, names) for text, names in word for char in text]
            for char, names in rows:
                if used and used + gap + cells(char) > width:
                    lines.append([])
                    used = 0
                lines[-1].append((char, names))
                used += cells(char)
        else:
            lines[-1] += blank + word
            used += gap + size
        size = 0
        blank.clear()
        word.clear()

    for text, names in spans:
        pieces = words(text.replace("\t", " "))
        for at, (piece, columns) in enumerate(pieces):
            if piece[0] not in " \n":
                # Neighbours in one span are wide characters: a line may end between them.
                if at and pieces[at - 1][0][0] not in " \n":
                    end_word()
                word.append((piece, names))
                size += columns
                continue
            end_word()
            if "\n" in piece:
                lines += [[] for _ in range(piece.count("\n"))]
                used = 0
                blank.clear()
            elif used and not blank:
                blank.append((" ", names))
    end_word()
    return [_painted(line, color) for line in lines]


def _painted(line: Sequence[Span], color: bool) -> str:
    if not color:
        return "".join(text for text, _ in line)
    merged: list[tuple[list[str], tuple[str, ...]]] = []
    for text, names in line:
        if merged and merged[-1][1] == names:
            merged[-1][0].append(text)
        else:
            merged.append(([text], names))
    return "".join(style("".join(texts), *names, color=True) for texts, names in merged)
