import io
from dataclasses import dataclass, field

import pyte

from agentcli.shell.live import LiveRegion


@dataclass
class Terminal(io.StringIO):
    """A screen that remembers every byte it was sent."""

    columns: int = 40
    rows: int = 12
    sent: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.screen = pyte.HistoryScreen(self.columns, self.rows, history=5000)
        self.screen.set_mode(pyte.modes.LNM)
        self.stream = pyte.Stream(self.screen)

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.sent.append(text)
        self.stream.feed(text)
        return len(text)

    def size(self) -> tuple[int, int]:
        return self.screen.columns, self.screen.lines

    def lines(self) -> list[str]:
        """Return the scrollback and the screen as text, without blank lines."""
        history = [
            "".join(row[x].data for x in range(self.screen.columns))
            for row in self.screen.history.top
        ]
        return [line.rstrip() for line in [*history, *self.screen.display] if line.strip()]


def test_finished_lines_stand_once_above_the_live_ones() -> None:
    terminal = Terminal()
    region = LiveRegion(terminal, terminal.size, True)
    for i in range(100):
        region.set_lines([f"live {i}", "status"])
        region.write_above(f"line {i}\n")
    assert terminal.lines() == [*(f"line {i}" for i in range(100)), "live 99", "status"]
    region.close()
    assert terminal.lines() == [f"line {i}" for i in range(100)]


def test_live_lines_that_do_not_fit_are_clipped_and_the_last_ones_stay() -> None:
    terminal = Terminal(columns=20, rows=5)
    region = LiveRegion(terminal, terminal.size, True)
    region.set_lines([f"{i} " + "x" * 50 for i in range(30)])
    shown = terminal.lines()
    assert len(shown) == 4
    assert all(len(line) < 20 for line in shown)
    assert shown[-1].startswith("29")


def test_a_resize_leaves_the_finished_lines_alone() -> None:
    terminal = Terminal(columns=60, rows=20)
    region = LiveRegion(terminal, terminal.size, True)
    for i in range(50):
        region.set_lines([f"live {i} " + "x" * 30])
        terminal.screen.resize(20, 60 + i % 7)  # pyte loses what it cuts off
        region.write_above(f"line {i}\n")
    region.close()
    assert [line for line in terminal.lines() if line.startswith("line")] == [
        f"line {i}" for i in range(50)
    ]


def test_the_screen_is_never_cleared_and_little_more_than_the_text_is_sent() -> None:
    terminal = Terminal(columns=100)
    region = LiveRegion(terminal, terminal.size, True)
    text = [f"line {i} " + "word " * 12 for i in range(2000)]
    for i, line in enumerate(text):
        region.write_above(line + "\n")
        if i % 10 == 0:
            region.set_lines([f"status {i}"])
    sent = "".join(terminal.sent)
    assert "\x1b[2J" not in sent
    assert "\x1b[J" not in sent
    assert len(sent) <= 1.6 * sum(len(line) + 1 for line in text)


def test_nothing_is_sent_when_nothing_changes() -> None:
    terminal = Terminal()
    region = LiveRegion(terminal, terminal.size, True)
    region.set_lines(["same"])
    sent = len(terminal.sent)
    for _ in range(100):
        region.set_lines(["same"])
    assert len(terminal.sent) == sent


def test_a_pipe_gets_the_finished_text_alone() -> None:
    out = io.StringIO()
    region = LiveRegion(out, lambda: (80, 24), False)
    region.set_lines(["live"])
    region.write_above("finished\n")
    region.close()
    assert out.getvalue() == "finished\n"


def test_another_may_have_the_terminal_meanwhile() -> None:
    terminal = Terminal()
    region = LiveRegion(terminal, terminal.size, True)
    region.set_lines(["live"])
    region.suspend()
    region.set_lines(["other"])
    assert terminal.lines() == []
    region.resume()
    assert terminal.lines() == ["other"]
