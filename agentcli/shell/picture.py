"""Draws a run as it looked on a terminal: one SVG that needs nothing from outside."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape

from agentcli.core.event import Recorded
from agentcli.core.visible import visible_line
from agentcli.shell.cells import SGR, cells, char_cells
from agentcli.shell.console import style
from agentcli.shell.live import harmless
from agentcli.shell.player import Page, Player

FONT = "ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"
FONT_PX, CELL_PX, LINE_PX = 14, 8.43, 20
EDGE_PX, BAR_PX, MARGIN_PX = 22, 40, 8
BACK, BAR, RIM, FORE, DIM, TITLE = "#0d1117", "#161b22", "#30363d", "#e6edf3", "#848d97", "#9198a1"
DOTS = ("#ff5f57", "#febc2e", "#28c840")
COLORS = {
    "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341",
    "34": "#79c0ff", "35": "#d2a8ff", "36": "#76e3ea",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a character looks."""

    color: str = ""
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False

    def after(self, code: str) -> "Look":
        """Return the look after one number of a colour sequence; unknown ones change nothing."""
        match code:
            case "" | "0":
                return Look()
            case "1":
                return replace(self, bold=True)
            case "2":
                return replace(self, dim=True)
            case "22":
                return replace(self, bold=False, dim=False)
            case "3" | "23":
                return replace(self, italic=code == "3")
            case "4" | "24":
                return replace(self, underline=code == "4")
            case "7" | "27":
                return replace(self, reverse=code == "7")
            case "9" | "29":
                return replace(self, strike=code == "9")
            case "39":
                return replace(self, color="")
            case _:
                return replace(self, color=COLORS[code]) if code in COLORS else self


@dataclass(frozen=True)
class Piece:
    """Text of one look that begins in a column; a wide character stands alone."""

    column: int
    text: str
    look: Look

    def takes(self, look: Look) -> bool:
        """Say whether a narrow character of this look may be added."""
        return self.look == look and cells(self.text) == len(self.text)


def picture_of(
    records: Sequence[Recorded], title: str, summary: str, width: int, most: int | None
) -> str:
    """Return the SVG of a run that was played at once on a terminal of `width` columns.

    summary: a last line. most: how many lines at most; the middle is left out of a longer run.
    """
    page = Page()
    player = Player(page, lambda: width, True)
    player.add(records)
    player.go_to(len(records))
    text = "".join(page.parts).rstrip("\n")
    lines = f"{text}\n\n{style(summary, 'dim', color=True)}".splitlines()
    rows = [row for line in lines for row in rows_of(harmless(line, True), width)]
    return svg_of(shortened(rows, most), title, width)


def shortened(rows: list[list[Piece]], most: int | None) -> list[list[Piece]]:
    while rows and not rows[0]:
        rows = rows[1:]
    while rows and not rows[-1]:
        rows = rows[:-1]
    if most is None or len(rows) <= most:
        return rows
    head = most * 2 // 3
    tail = most - head - 1
    note = Piece(0, f"… {len(rows) - head - tail} more lines", Look(dim=True))
    return [*rows[:head], [note], *rows[len(rows) - tail :]]


def rows_of(line: str, width: int) -> list[list[Piece]]:
    """Return a line folded to the width, between words where it can be: rows of pieces."""
    chars = [(char, look) for text, look in looks_of(line) for char in text]
    rows = []
    while chars:
        end = fitting(chars, width)
        rows.append(trimmed(pieces_of(chars[:end])))
        chars = chars[end:]
    return rows or [[]]


def fitting(chars: list[tuple[str, Look]], width: int) -> int:
    """Return how many characters go into one row."""
    column, blank = 0, 0
    for at, (char, _) in enumerate(chars):
        column += char_cells(char)
        if column > width and not char.isspace():
            return blank or max(1, at)
        # A break that leaves most of the row empty looks worse than one in a word.
        if char == " " and column > width // 2:
            blank = at + 1
    return len(chars)


def pieces_of(chars: Iterable[tuple[str, Look]]) -> list[Piece]:
    row: list[Piece] = []
    column = 0
    for char, look in chars:
        size = char_cells(char)
        last = row[-1] if row else None
        if last is not None and (size == 0 or (size == 1 and last.takes(look))):
            row[-1] = replace(last, text=last.text + char)
        else:
            row.append(Piece(column, char, look))
        column += size
    return row


def looks_of(line: str) -> Iterator[tuple[str, Look]]:
    """Yield the parts of a line, each with its look."""
    look, at = Look(), 0
    for match in SGR.finditer(line):
        yield line[at : match.start()].expandtabs(8), look
        for code in match[0][2:-1].split(";"):
            look = look.after(code)
        at = match.end()
    yield line[at:].expandtabs(8), look


def trimmed(row: list[Piece]) -> list[Piece]:
    while row and not row[-1].text.strip() and not row[-1].look.reverse:
        row = row[:-1]
    return row


def svg_of(rows: Sequence[Sequence[Piece]], title: str, width: int) -> str:
    inner = width * CELL_PX
    wide = inner + 2 * EDGE_PX
    high = BAR_PX + 2 * EDGE_PX - 6 + max(1, len(rows)) * LINE_PX
    name = escape(visible_line(title))
    dots = "".join(
        f'<circle cx="{px(22 + 20 * i)}" cy="{BAR_PX / 2:g}" r="6" fill="{color}"/>'
        for i, color in enumerate(DOTS)
    )
    head = f"M0 {BAR_PX}V10a10 10 0 0 1 10-10H{px(wide - 10)}a10 10 0 0 1 10 10V{BAR_PX}z"
    body = "\n".join(filter(None, (row_svg(row, at) for at, row in enumerate(rows))))
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}"\
 width="{px(wide + 2 * MARGIN_PX)}" height="{px(high + 2 * MARGIN_PX)}"\
 viewBox="{-MARGIN_PX} {-MARGIN_PX} {px(wide + 2 * MARGIN_PX)} {px(high + 2 * MARGIN_PX)}">
<title>{name}</title>
<rect width="{px(wide)}" height="{px(high)}" rx="10" fill="{BACK}"/>
<path d="{head}" fill="{BAR}"/>
<path d="M0 {BAR_PX}H{px(wide)}" stroke="{RIM}"/>
<rect width="{px(wide)}" height="{px(high)}" rx="10" fill="none" stroke="{RIM}"/>
{dots}
<g font-family="{FONT}" font-size="{FONT_PX}" fill="{FORE}">
<text x="{px(wide / 2)}" y="{BAR_PX / 2 + 5:g}" text-anchor="middle" font-size="13"\
 fill="{TITLE}">{name}</text>
{body}
</g>
</svg>
"""


def row_svg(row: Sequence[Piece], at: int) -> str:
    top = BAR_PX + EDGE_PX - 6 + at * LINE_PX
    return "".join(piece_svg(piece, top) for piece in row if piece.text.strip() or is_marked(piece))


def is_marked(piece: Piece) -> bool:
    return piece.look.reverse or piece.look.underline or piece.look.strike


def piece_svg(piece: Piece, top: float) -> str:
    """Return one piece, held to its columns whatever font it is drawn in."""
    look = piece.look
    lead = "" if is_marked(piece) else piece.text[: len(piece.text) - len(piece.text.lstrip(" "))]
    text = piece.text[len(lead) :]
    text = text if is_marked(piece) else text.rstrip(" ")
    left = EDGE_PX + (piece.column + len(lead)) * CELL_PX
    wide = px(cells(text) * CELL_PX)
    color = look.color or (DIM if look.dim else "")
    back = ""
    if look.reverse:
        fill = color or FORE
        back = f'<rect x="{px(left)}" y="{px(top)}" width="{wide}" height="{LINE_PX}"'
        back, color = f'{back} fill="{fill}"/>', BACK
    lines = " ".join(["underline"] * look.underline + ["line-through"] * look.strike)
    attributes = {
        "x": px(left),
        "y": px(top + 14.5),
        "textLength": wide,
        "fill": color,
        "font-weight": "bold" if look.bold else "",
        "font-style": "italic" if look.italic else "",
        "text-decoration": lines,
        "opacity": "0.75" if look.dim and look.color else "",
    }
    written = "".join(f' {name}="{value}"' for name, value in attributes.items() if value)
    # Blanks that do not break stay, in any viewer.
    return f"{back}<text{written}>{escape(text).replace(' ', chr(0xA0))}</text>"


def px(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
