"""All of a call is on the screen at some time before a yes to it counts."""

from collections.abc import Callable
from functools import partial

import pyte
import pytest

from agentcli.shell.ask import answer, question_of
from agentcli.shell.card import Card, card_lines
from agentcli.shell.pager import SMALLER, Pager

TALL = "\n".join(f"line {i}" for i in range(10_000))
WIDE = "x" * 1_000_000
CARD = Card(
    "May this run?", "reversible", "shell", {"command": "a\n漢字漢字漢字漢字漢字\n" + "b" * 99}
)
TYPED = Card("May this run?", "irreversible", "shell", {"command": "c" * 99}, needs_typing=True)


class Person:
    """Keys and a screen. shown: all that stood on it while the program waited for a key."""

    def __init__(self, columns: int, rows: int, press: Callable[["Person"], str]) -> None:
        self.size, self.press, self.typed_before = (columns, rows), press, ""
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.Stream(self.screen)
        self.said = ""
        self.shown: list[str] = []

    def arm(self) -> None:
        return

    def say(self, text: str) -> None:
        self.said += text
        self.stream.feed(text.replace("\n", "\r\n"))

    def read_key(self) -> str:
        self.shown += self.screen.display
        return self.press(self)

    def read_line(self, prompt: str, **_: object) -> str:
        self.say(prompt)
        return self.read_key()

    def resize(self, columns: int, rows: int) -> None:
        self.size = (columns, rows)
        self.screen.resize(rows, columns)

    def asked(self, card: Card) -> str:
        return answer(card, self, lambda: self.size, False).kind  # type: ignore[arg-type]


def space_or(key: str) -> Callable[[Person], str]:
    """Press space while there is more, else the key."""
    return lambda person: " " if ": space" in " ".join(person.said[-90:].split()) else key


@pytest.mark.parametrize(("columns", "rows"), [(20, 5), (20, 24), (80, 5), (80, 24), (37, 7)])
@pytest.mark.parametrize("card", [CARD, TYPED])
def test_every_line_of_a_card_is_seen_before_its_question(
    card: Card, columns: int, rows: int
) -> None:
    person = Person(columns, rows, space_or("shell" if card.needs_typing else "y"))
    assert person.asked(card) == "yes"
    seen = {line.replace(" ", "") for line in person.shown}
    wanted = [line.replace(" ", "") for line in card_lines(card, columns, False)]
    assert [line for line in wanted if line not in seen] == []


@pytest.mark.parametrize("text", [TALL, WIDE])
def test_a_huge_call_takes_as_many_screens_as_it_needs(text: str) -> None:
    card = Card("May this run?", "reversible", "shell", {"command": text})
    lines = card_lines(card, 200, False)
    left: list[int] = []

    def press(person: Person) -> str:
        left.append(int(person.said.rpartition("[")[2].partition(" ")[0]))
        return " "

    person = Person(200, 1000, press)
    pager = Pager(person, lambda: person.size, False)  # type: ignore[arg-type]
    person.stream.feed = lambda data: None  # type: ignore[method-assign]
    person.read_key = lambda: press(person)  # type: ignore[method-assign]
    assert pager.show(partial(card_lines, card, color=False), question_of(card)) == ""
    assert person.said.count("\n  │ ") + person.said.count("\n  ┊ ") == len(lines) - 3
    assert left == list(range(len(lines) - 999, 0, -999))


@pytest.mark.parametrize(("columns", "rows"), [(80, 1), (80, 4), (19, 24), (1, 1)])
def test_a_terminal_that_is_too_small_gets_no_yes_until_it_is_larger(
    columns: int, rows: int
) -> None:
    keys = iter(["y", "a", " ", "grow", "y"])

    def press(person: Person) -> str:
        if (key := next(keys)) != "grow":
            return key
        person.resize(80, 24)
        return " "

    person = Person(columns, rows, press)
    assert person.asked(CARD) == "yes"
    assert next(keys, None) is None
    assert f"[{columns} columns and {rows} rows are too few" in person.said
    assert "make them 20 and 5, then space" in person.said


def test_no_can_be_said_however_small_the_terminal_is() -> None:
    keys = iter(["n", ""])
    assert Person(10, 1, lambda person: next(keys)).asked(CARD) == "no"


@pytest.mark.parametrize("at", [1, 2])
def test_a_terminal_that_becomes_smaller_shows_all_of_it_again(at: int) -> None:
    presses = 0

    def press(person: Person) -> str:
        nonlocal presses
        presses += 1
        if presses == at:
            person.resize(22, 6)
        return space_or("y")(person)

    person = Person(40, 7, press)
    assert person.asked(CARD) == "yes"
    assert person.said.count(SMALLER) == 1
    again = person.said.partition(SMALLER)[2]
    assert [line for line in card_lines(CARD, 22, False) if line not in again] == []


def test_a_terminal_that_becomes_larger_shows_nothing_twice() -> None:
    def press(person: Person) -> str:
        person.resize(100, 30)
        return "y"

    person = Person(80, 24, press)
    assert person.asked(CARD) == "yes"
    assert person.said.count("May this run?") == 1


def test_a_long_rule_is_shown_whole_before_it_can_be_kept() -> None:
    rule = "shell may run unasked for nothing but: " + "x" * 500 + " END"
    card = Card("May this run?", "reversible", "shell", {"command": "ls"}, always=rule)
    seen_at: list[bool] = []

    def press(person: Person) -> str:
        if ": space" in person.said[-90:]:
            return " "
        seen_at.append("END" in person.said)
        return "y" if "Keep this rule" in person.said else "A"

    person = Person(40, 8, press)
    assert person.asked(card) == "always"
    assert seen_at == [False, True]
