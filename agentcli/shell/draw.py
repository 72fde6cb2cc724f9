"""Draws a block of Markdown as lines for a terminal: clean text, wrapped by its width."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING

from agentcli.core.visible import visible
from agentcli.shell.cells import cells, styled_cells, words
from agentcli.shell.console import style
from agentcli.shell.markdown import Block, language_of

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


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
                    _code_line(line.rstrip(), language_of(head.info), self.color) for line in code
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
