"""A few lines at the bottom of a terminal that change, below text that never does."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from agentcli.core.visible import visible
from agentcli.shell.cells import SGR, cells, clip, styled_cells

MOST_LINES = 12
FRAMES_PER_S = 20
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
ERASE_LINE, ERASE_REST = "\x1b[2K", "\x1b[K"


class LiveRegion:
    """Draws on a terminal; on anything else, or without escapes, only finished text is written.

    size: gives columns and lines. color: whether escapes may be written.
    Writes at most FRAMES_PER_S times a second: what comes in between is written by the next
    call of any method, so call `set_lines` or `tick` from a timer while anything moves.

    Between frames the cursor stands where the live lines begin. A terminal that folds lines
    anew when it is resized takes the cursor along, so the place is known whatever it does.
    """

    def __init__(
        self,
        out: TextIO,
        size: Callable[[], tuple[int, int]],
        color: bool,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.out, self.size, self.color, self.clock = out, size, color, clock
        self.is_live = color and out.isatty()
        self.wanted: list[str] = []
        self.drawn: list[str] = []
        self.drawn_size = (0, 0)
        self.text = ""  # finished, not yet written
        self.next_at = 0.0
        self.is_suspended = False
        self.is_hidden = False

    def __enter__(self) -> "LiveRegion":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def write_above(self, text: str) -> None:
        """Write finished text once, above the live lines. Of escapes, colours alone get through."""
        text = harmless(text, self.color)
        if self.is_live:
            self.text += text
            self.tick()
        else:
            self.emit(text)

    def set_lines(self, lines: list[str]) -> None:
        """Show these lines, the last ones if there are too many."""
        self.wanted = lines
        self.tick()

    def tick(self) -> None:
        """Write what has changed, unless the last frame is too fresh."""
        if self.is_live and not self.is_suspended and self.clock() >= self.next_at:
            self.draw()

    def suspend(self) -> None:
        """Take the live lines away and leave the terminal to somebody else until `resume`."""
        if self.is_live and not self.is_suspended:
            self.leave()
            self.is_suspended = True

    def resume(self) -> None:
        if self.is_suspended:
            self.is_suspended = False
            self.draw()

    def close(self) -> None:
        """Write all text, take the live lines away and leave the terminal as it was found."""
        if self.is_live:
            self.is_suspended = False
            self.text += "\n" if self.text and not self.text.endswith("\n") else ""
            self.wanted = []
            self.leave()

    def leave(self) -> None:
        wanted, self.wanted = self.wanted, []
        self.draw()
        self.wanted = wanted

    def draw(self) -> None:
        columns, rows = self.size()
        most = max(1, min(MOST_LINES, rows - 1))
        lines = [
            # The last column stays free: what a terminal does after writing there differs.
            clip(harmless(line, True).replace("\n", " ").replace("\t", " "), columns - 1)
            for line in self.wanted[-most:]
        ]
        whole, newline, self.text = self.text.rpartition("\n")
        frame = ""
        if self.drawn and self.drawn_size != (columns, rows):
            frame += self.erased(columns, rows)
        if newline:
            frame += self.inserted(whole.split("\n"), columns, rows)
        frame += self.changed(lines)
        self.drawn, self.drawn_size = lines, (columns, rows)
        if bool(lines) != self.is_hidden:
            self.is_hidden = bool(lines)
            frame += HIDE if lines else SHOW
        if frame:
            self.emit(f"{BEGIN_FRAME}{frame}{END_FRAME}")
            self.next_at = self.clock() + 1 / FRAMES_PER_S

    def erased(self, columns: int, rows: int) -> str:
        """Return what takes the drawn lines away, from where they began."""
        # A narrower window may have folded them. Erasing more than that hits empty rows only.
        taken = sum(-(-max(1, styled_cells(line)) // columns) for line in self.drawn)
        down = max(len(self.drawn), min(taken, rows - 1)) - 1
        self.drawn = []
        return ERASE_LINE + f"\n{ERASE_LINE}" * down + "\r" + up(down)

    def inserted(self, lines: list[str], columns: int, rows: int) -> str:
        """Return what writes the lines where the cursor is and moves the live lines down."""
        if not self.drawn:
            return "\r\n".join(lines) + "\r\n"
        if rows <= len(self.drawn) or any(
            "\t" in line or styled_cells(line) >= columns for line in lines
        ):
            return self.erased(columns, rows) + "\r\n".join(lines) + "\r\n"
        frame = ""
        most = rows - len(self.drawn)
        for at in range(0, len(lines), most):
            some = lines[at : at + most]
            # The bottom of the screen is scrolled up first: then nothing is pushed over it.
            down = len(self.drawn) - 1 + len(some)
            frame += "\n" * down + up(down) + f"\r\x1b[{len(some)}L"
            frame += "\r\n".join(some) + "\r\n"
        return frame

    def changed(self, lines: list[str]) -> str:
        """Return what makes the drawn lines these, from and to where they begin."""
        frame, row = "", 0
        for at in range(max(len(lines), len(self.drawn))):
            new = lines[at] if at < len(lines) else None
            old = self.drawn[at] if at < len(self.drawn) else None
            if new == old:
                continue
            frame += "\r" + "\n" * (at - row)
            row = at
            frame += ERASE_LINE if new is None else rewritten(old or "", new)
        return f"{frame}\r{up(row)}" if frame else ""

    def emit(self, text: str) -> None:
        if text:
            self.out.write(text)
            self.out.flush()


def rewritten(old: str, new: str) -> str:
    """Return what makes one line the other, from its beginning; what they share is kept."""
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same] and " " <= old[same] < "\x7f":
        same += 1
    shorter = ERASE_REST if styled_cells(new) < styled_cells(old) else ""
    # Marks that join the character before them are written together with it.
    while 0 < same < len(new) and cells(new[same]) == 0 and new[same] != "\x1b":
        same -= 1
    return (f"\x1b[{same}C" if same > 3 else new[:same]) + new[same:] + shorter


def up(rows: int) -> str:
    return f"\x1b[{rows}A" if rows else ""


def harmless(text: str, color: bool) -> str:
    """Return the text made visible, with its colours if they may be written."""
    if "\x1b" not in text:
        return visible(text)
    colors = SGR.findall(text) if color else []
    parts = [visible(part) for part in SGR.split(text)]
    if not color:
        return "".join(parts)
    return "".join(part + code for part, code in zip(parts, [*colors, ""], strict=True))
