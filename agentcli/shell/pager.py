"""Shows what a person is asked about a screen at a time, and knows whether all of it was seen."""

from collections.abc import Callable
from dataclasses import dataclass

from agentcli.shell.cells import cells
from agentcli.shell.console import style
from agentcli.shell.keys import END, Keys

LEAST = (20, 5)  # columns and rows in which a call can be shown
SMALLER = "(the terminal has become smaller: all of it is shown again)\n"


@dataclass
class Pager:
    """size: columns and rows of the terminal as it is now. seen: as it was when all was shown."""

    keys: Keys
    size: Callable[[], tuple[int, int]]
    color: bool
    seen: tuple[int, int] | None = None

    @property
    def holds(self) -> bool:
        """Whether all was shown, and on a terminal that has not become smaller since."""
        return self.seen is not None and is_in(self.seen, self.size()) and is_in(LEAST, self.seen)

    def show(self, draw: Callable[[int], list[str]], question: str) -> str:
        """Show all lines that `draw` returns for so many columns, with room for the question.

        Return "" once all of it was seen, else the key that the person has left it by: n or s.
        """
        while True:
            if self.seen is not None and is_in(LEAST, self.seen):
                self.keys.say(SMALLER)
            self.seen = columns, rows = self.size()
            if is_in(LEAST, self.seen):
                left = self.show_pages(draw(columns), question)
            else:
                left = self.wait(
                    f"[{columns} columns and {rows} rows are too few to show the call: make them "
                    f"{LEAST[0]} and {LEAST[1]}, then space, then you can say yes; n no, s stop]"
                )
            if left != " ":
                return left

    def show_pages(self, lines: list[str], question: str) -> str:
        """Return what `show` does, and a blank if it has to begin anew."""
        columns, rows = self.seen or LEAST
        while lines and len(lines) > rows - height(question, columns):
            page = max(1, rows - height(more(lines), columns))
            self.keys.say("\n".join(lines[:page]) + "\n")
            lines = lines[page:]
            if (key := self.wait(more(lines))) != " " or not self.holds:
                return key
        self.keys.say("".join(f"{line}\n" for line in lines))
        return ""

    def wait(self, words: str) -> str:
        """Say how one sees the rest; return what the person wants: a blank, n or s."""
        self.keys.arm()
        self.keys.say(style(words, "reverse", color=self.color))
        while (key := self.keys.read_key()) not in (" ", "n", "s", END):
            continue
        self.keys.say("\n")
        return "n" if key == END else str(key)


def more(lines: list[str]) -> str:
    return f"[{len(lines)} more lines: space, then you can say yes; n no, s stop]"


def height(question: str, columns: int) -> int:
    """Return the rows that a question takes, with the one below it where it ends with a line."""
    return sum(max(1, -(-cells(line) // columns)) for line in question.split("\n"))


def is_in(inner: tuple[int, int], outer: tuple[int, int]) -> bool:
    return inner[0] <= outer[0] and inner[1] <= outer[1]
