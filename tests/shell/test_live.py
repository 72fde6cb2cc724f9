import io
import random
import re
from dataclasses import dataclass, field

import pytest

from agentcli.shell.cells import cells
from agentcli.shell.live import LiveRegion

TOKEN = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|(.)", re.DOTALL)


@dataclass
class Terminal(io.StringIO):
    """A screen of lines that remembers every byte it was sent.

    folds: on a resize it folds long lines anew, as most terminals do; else it cuts them off.
    """

    columns: int = 40
    rows: int = 12
    folds: bool = False
    sent: list[str] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    grid: list[str] = field(default_factory=lambda: [""])
    row: int = 0
    column: int = 0
    is_shown: bool = True

    def __post_init__(self) -> None:
        super().__init__()

    def isatty(self) -> bool:
        return True

    def size(self) -> tuple[int, int]:
        return self.columns, self.rows

    def write(self, text: str) -> int:
        self.sent.append(text)
        for code, name, char in TOKEN.findall(text):
            if char:
                self.put(char)
            else:
                self.obey(name, code)
        return len(text)

    def put(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":  # the line discipline makes it CR LF
            self.column, self.row = 0, self.row + 1
            self.fit()
        else:
            if self.column + cells(char) > self.columns:
                self.put("\n")
            line = self.grid[self.row].ljust(self.column)
            self.grid[self.row] = line[: self.column] + char + line[self.column + 1 :]
            self.column += 1

    def obey(self, name: str, code: str) -> None:
        count = int(code or 1) if name in "ACL" else 0
        match name, code:
            case "A", _:
                self.row = max(0, self.row - count)
            case "C", _:
                self.column += count
            case "L", _:
                self.grid[self.row : self.row] = [""] * count
                del self.grid[self.rows :]
            case "K", "2":
                self.grid[self.row] = ""
            case "K", "":
                self.grid[self.row] = self.grid[self.row][: self.column]
            case (("h" | "l"), "25"):
                self.is_shown = name == "h"
            case ("m", _) | (("h" | "l"), "2026"):
                pass
            case _:
                raise AssertionError(f"unexpected escape {code}{name}")

    def fit(self) -> None:
        while len(self.grid) <= self.row:
            self.grid.append("")
        while len(self.grid) > self.rows:
            if self.row < self.rows and not any(self.grid[self.rows :]):
                del self.grid[self.rows :]
                return
            self.history.append(self.grid.pop(0))
            self.row = max(0, self.row - 1)

    def resize(self, columns: int, rows: int) -> None:
        if self.folds:
            above = self.folded(self.grid[: self.row], columns) if self.row else []
            self.grid = above + self.folded(self.grid[self.row :], columns)
            self.row = len(above)
        else:
            self.grid = [line[:columns] for line in self.grid]
        self.columns, self.rows = columns, rows
        if self.row < rows:  # what does not fit below the cursor goes first
            del self.grid[rows:]
        self.fit()

    def folded(self, grid: list[str], columns: int) -> list[str]:
        """Return rows; one that goes on in the next ends with NUL."""
        rows: list[str] = []
        for line in "\n".join(grid).replace("\0\n", "").split("\n"):
            parts = [line[i : i + columns] for i in range(0, max(1, len(line)), columns)]
            rows += [f"{part}\0" for part in parts[:-1]] + parts[-1:]
        return rows

    def lines(self) -> list[str]:
        """Return the scrollback and the screen, without blank lines."""
        return [line.rstrip() for line in [*self.history, *self.grid] if line.strip()]


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def make_region(terminal: Terminal) -> tuple[LiveRegion, Clock]:
    clock = Clock()
    return LiveRegion(terminal, terminal.size, True, clock=clock), clock


@pytest.mark.parametrize("step_s", [0.0, 0.01, 1.0])
@pytest.mark.parametrize("rows", [5, 12])
def test_finished_lines_stand_once_above_the_live_ones(step_s: float, rows: int) -> None:
    terminal = Terminal(rows=rows)
    region, clock = make_region(terminal)
    for i in range(100):
        clock.now_s += step_s
        region.set_lines([f"live {i}", "status"][: 1 + i % 2])
        region.write_above(f"line {i}\n")
    clock.now_s += 1
    region.tick()
    assert terminal.lines() == [*(f"line {i}" for i in range(100)), "live 99", "status"]
    assert not terminal.is_shown
    region.close()
    assert terminal.lines() == [f"line {i}" for i in range(100)]
    assert terminal.is_shown
    assert (terminal.grid[terminal.row], terminal.column) == ("", 0)


def test_text_that_is_wider_than_the_screen_pushes_the_live_lines_down() -> None:
    terminal = Terminal(columns=20, rows=6)
    region, clock = make_region(terminal)
    for i in range(10):
        clock.now_s += 1
        region.set_lines([f"live {i}", "status"])
        region.write_above(f"{i}" * 50 + "\n")
    region.close()
    assert "".join(terminal.lines()) == "".join(f"{i}" * 50 for i in range(10))


def test_live_lines_that_do_not_fit_are_clipped_and_the_last_ones_stay() -> None:
    terminal = Terminal(columns=20, rows=5)
    region, _ = make_region(terminal)
    region.set_lines([f"{i} " + "漢" * 50 for i in range(30)])
    assert [line[:2] for line in terminal.lines()] == ["26", "27", "28", "29"]
    assert all(cells(line) < 20 for line in terminal.lines())


@pytest.mark.parametrize("folds", [False, True])
@pytest.mark.parametrize("seed", range(20))
def test_resizes_leave_every_finished_line_where_it_is(folds: bool, seed: int) -> None:
    draw = random.Random(seed)
    terminal = Terminal(columns=60, rows=20, folds=folds)
    region, clock = make_region(terminal)
    for i in range(60):
        clock.now_s += draw.choice((0.01, 1.0))
        live = [f"live {i} " + "x" * draw.randrange(100) for _ in range(draw.randrange(14))]
        region.set_lines(live)
        region.write_above(f"line {i}\n")
        terminal.resize(draw.randrange(20, 120), draw.randrange(5, 30))
    region.close()
    lines = terminal.lines()
    assert [line for line in lines if line.startswith("line")] == [f"line {i}" for i in range(60)]


@pytest.mark.parametrize("lines_per_s", [10, 50, 5_000])
def test_the_screen_is_never_cleared_and_little_more_than_the_text_is_sent(
    lines_per_s: int,
) -> None:
    terminal = Terminal(columns=100, rows=24)
    region, clock = make_region(terminal)
    text = [f"line {i} " + "word " * 12 for i in range(2000)]
    for line in text:
        clock.now_s += 1 / lines_per_s
        region.write_above(line + "\n")
        region.set_lines(["", f"⏺ waiting for the model {clock.now_s:.0f} s"])
    region.close()
    sent = "".join(terminal.sent)
    assert re.findall(r"\x1b\[[0-9]*J", sent) == []
    assert len(sent.encode()) <= 1.5 * sum(len(line) + 1 for line in text)
    assert terminal.lines() == [line.rstrip() for line in text]


def test_it_draws_no_more_often_than_an_eye_can_follow() -> None:
    terminal = Terminal()
    region, clock = make_region(terminal)
    for i in range(1_000):
        clock.now_s += 0.001
        region.set_lines([f"live {i}"])
    assert len(terminal.sent) <= 21


def test_nothing_is_sent_when_nothing_changes() -> None:
    terminal = Terminal()
    region, clock = make_region(terminal)
    region.set_lines(["same"])
    sent = len(terminal.sent)
    for _ in range(100):
        clock.now_s += 1
        region.set_lines(["same"])
    assert len(terminal.sent) == sent


def test_a_line_that_grows_is_not_written_anew() -> None:
    terminal = Terminal(columns=80)
    region, clock = make_region(terminal)
    for text in ("the quick", "the quick 漢字 fox", "the quick 漢字 fox jumps", "the slow"):
        clock.now_s += 1
        region.set_lines([text])
        assert terminal.lines() == [text]
    assert sum("the quick" in one for one in terminal.sent) == 1


@pytest.mark.parametrize("color", [False, True])
def test_a_pipe_gets_the_finished_text_alone(color: bool) -> None:
    out = io.StringIO()
    region = LiveRegion(out, lambda: (80, 24), color)
    region.set_lines(["live"])
    region.write_above("\x1b[1mfinished\x1b[0m\x1b[2J\a\n")
    region.close()
    assert out.getvalue() == ("\x1b[1mfinished\x1b[0m" if color else "finished") + "<U+0007>\n"


def test_a_terminal_without_colour_gets_no_escape_at_all() -> None:
    terminal = Terminal()
    with LiveRegion(terminal, terminal.size, False) as region:
        region.set_lines(["live"])
        region.write_above("\x1b[1mfinished\x1b[0m\n")
    assert "".join(terminal.sent) == "finished\n"


def test_no_text_can_move_the_cursor() -> None:
    terminal = Terminal()
    region, _ = make_region(terminal)
    region.set_lines(["\x1b[2Jlive\x1b[5A\r\nstatus\x9b2J"])
    region.write_above("\x1b[10Aup\x1b]0;title\x07\b\x1b[31mred\x1b[0m\n")
    region.close()
    assert terminal.lines() == ["up<U+0008>red"]


def test_another_may_have_the_terminal_meanwhile() -> None:
    terminal = Terminal()
    region, clock = make_region(terminal)
    region.set_lines(["live"])
    region.write_above("before\n")
    region.suspend()
    assert (terminal.lines(), terminal.is_shown) == (["before"], True)
    clock.now_s += 1
    region.set_lines(["other"])
    region.write_above("meanwhile\n")
    terminal.write("card\n")
    region.resume()
    assert terminal.lines() == ["before", "card", "meanwhile", "other"]


def test_the_last_text_is_written_even_without_an_end() -> None:
    terminal = Terminal()
    with LiveRegion(terminal, terminal.size, True, clock=Clock()) as region:
        region.write_above("one\ntwo")
    assert terminal.lines() == ["one", "two"]
