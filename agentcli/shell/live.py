"""A few lines at the bottom of a terminal that change, below text that never does."""

from collections.abc import Callable
from typing import TextIO

from agentcli.shell.cells import clip, styled_cells

MOST_LINES = 12
BEGIN_FRAME, END_FRAME = "\x1b[?2026h", "\x1b[?2026l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


class LiveRegion:
    """Draws on a terminal; on anything else only finished text is written.

    size: gives columns and lines. color: escapes are welcome, so frames may be marked as one.
    Only its own lines are ever erased, each by itself: the scrollback is not touched.
    """

    def __init__(self, out: TextIO, size: Callable[[], tuple[int, int]], color: bool) -> None:
        self.out, self.size, self.color = out, size, color
        self.is_live = out.isatty()
        self.wanted: list[str] = []
        self.drawn: list[str] = []
        self.drawn_width = 0
        self.pending = ""  # finished text whose line is not at its end yet
        self.suspended = False

    def write_above(self, text: str) -> None:
        """Write finished text once, above the live lines."""
        if not self.is_live or self.suspended:
            self.emit(text)
            return
        whole, newline, rest = (self.pending + text).rpartition("\n")
        self.pending = rest
        if newline:
            self.emit(self.frame(self.erased() + whole + newline + self.lines_now()))

    def set_lines(self, lines: list[str]) -> None:
        """Show these lines, as many as fit; nothing is written if nothing changes."""
        self.wanted = lines
        if self.is_live and not self.suspended:
            shown = self.fitting()
            if shown != self.drawn:
                self.emit(self.frame(self.erased() + self.lines_now()))

    def suspend(self) -> None:
        """Take the live lines away and leave the terminal to somebody else."""
        if self.is_live and not self.suspended:
            self.emit(self.erased() + self.cursor(SHOW))
            self.suspended = True

    def resume(self) -> None:
        if self.suspended:
            self.suspended = False
            self.emit(self.lines_now())

    def close(self) -> None:
        """Take the live lines away and leave the terminal as it was found."""
        if not self.is_live:
            return
        text = "" if self.suspended else self.erased()
        rest, self.pending = self.pending, ""
        self.wanted = []
        self.emit(text + (rest + "\n" if rest else "") + self.cursor(SHOW))

    def fitting(self) -> list[str]:
        columns, lines = self.size()
        most = max(1, min(MOST_LINES, lines - 1))
        return [clip(line, columns - 1) for line in self.wanted[-most:]]

    def lines_now(self) -> str:
        """Return what draws the wanted lines where the cursor is, at a line's beginning."""
        self.drawn, self.drawn_width = self.fitting(), self.size()[0]
        if not self.drawn:
            return self.cursor(SHOW)
        return self.cursor(HIDE) + "\n".join(self.drawn)

    def erased(self) -> str:
        """Return what takes the drawn lines away and goes to where they began."""
        if not self.drawn:
            return ""
        # A narrower window has folded the lines: one may now take several rows.
        width = max(1, self.size()[0])
        rows = sum(-(-max(1, styled_cells(line)) // width) for line in self.drawn)
        rows = len(self.drawn) if width >= self.drawn_width else rows
        self.drawn = []
        return "\r\x1b[2K" + "\x1b[1A\x1b[2K" * (rows - 1)

    def frame(self, text: str) -> str:
        return f"{BEGIN_FRAME}{text}{END_FRAME}" if self.color else text

    def cursor(self, escape: str) -> str:
        return escape if self.color else ""

    def emit(self, text: str) -> None:
        if text:
            self.out.write(text)
            self.out.flush()
