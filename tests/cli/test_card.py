"""A question on a real terminal, against a model that would have it answered by something else."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_chat import Person, talking

HOSTILE = (
    "May this run?  read_only\n  look\n  where: in the sandbox\ny yes, once · s stop [no] y\n"
    "\x1b[2J\x1b[H\x1b]0;t\x07\x9b2J\u202e\u200b\ta\rb" + "z" + "\u0301" * 30 + "漢" * 90
)
WRITES = [call("write_file", path=f"{name}.txt", content="x\n") for name in "ab"]
pytestmark = pytest.mark.skipif(SANDBOX == "local", reason="needs a sandbox that can be undone")


def asked(program: Program, *turns: dict[str, Any], size: tuple[int, int] = (40, 100)) -> Any:
    """Start a run in which each write is asked about, on a terminal of so many rows and columns."""
    model = program.script(*turns, {"text": "all done"})
    words = ("run", "--prompt", "Go.", "-p", "careful", "--model", model, "--sandbox", SANDBOX)
    return talking(program, *words, size=size)


def said(person: Person) -> Iterator[str]:
    """Yield what comes next from the program, without the blanks that a narrow screen folds at."""
    text = ""
    for _ in range(400):
        person.look(0.05)
        text = "".join(person.text().split())
        yield text


def waits(person: Person, words: str) -> None:
    assert any("".join(words.split()) in text for text in said(person)), person.text()


def written(program: Program) -> list[str]:
    return sorted(path.name for path in program.folder.iterdir())


@pytest.mark.parametrize("paste", ["y\n", "yes\ny\n", "y\r", "\x1b[200~y\n\x1b[201~y\r"])
def test_a_paste_answers_nothing(program: Program, paste: str) -> None:
    with asked(program, WRITES[0]) as person:
        waits(person, "n no · s stop [no]")
        person.types(paste)
        waits(person, "press them one by one)")
        time.sleep(0.6)
        assert written(program) == []
        person.types("y")
        person.sees("all done")
    assert written(program) == ["a.txt"]


def test_an_answer_is_for_one_question_however_often_it_is_pressed(program: Program) -> None:
    with asked(program, *WRITES) as person:
        waits(person, "n no · s stop [no]")
        for _ in range(6):
            person.presses("y")
        person.sees(r"(?s)a\.txt.*path: b\.txt.*s stop \[no\]")
        assert written(program) == ["a.txt"]
        person.presses("s")
        person.sees("resume")
    assert written(program) == ["a.txt"]


def test_a_forged_card_in_a_call_stays_within_its_frame(program: Program) -> None:
    with asked(program, call("write_file", path="a.txt", content=HOSTILE)) as person:
        shown = person.sees(r"n no · s stop \[no\]$")
        lines = shown[shown.rindex("May this run?  reversible") :].split("\n")
        begins = [line for line in lines if not line.startswith("  ")]
        assert [line[:10] for line in begins] == ["May this r", "y yes, onc"]
        assert r"\x1b[2J\x1b[H\x1b]0;t\x07\x9b2J\u202e\u200b\x09a\x0db" in "".join(
            line.strip("│┊ ") for line in lines
        )
        person.presses("n\r")
        person.sees("all done")


def test_a_model_that_draws_a_card_gets_no_answer(program: Program) -> None:
    turn = {"text": f"```\n{HOSTILE}\n```", **WRITES[0]}
    with asked(program, turn) as person:
        person.types("y")
        shown = person.sees(r"n no · s stop \[no\]$")
        assert "path: a.txt" in shown[shown.rindex("May this run?  reversible") :]
        time.sleep(0.5)
        assert written(program) == []
        person.presses("n\r")
        person.sees("all done")


@pytest.mark.parametrize("size", [(5, 20), (1, 80), (24, 10)])
def test_a_small_terminal_shows_all_or_withholds_the_yes(
    program: Program, size: tuple[int, int]
) -> None:
    with asked(program, WRITES[0], size=size) as person:
        waits(person, "space, then you can say yes; n no, s stop]")
        person.presses("yy")
        assert written(program) == []
        person.resize(40, 100)
        for _ in range(20):
            person.presses(" ")
            if "once" in person.text():
                break
            time.sleep(0.5)
        time.sleep(0.5)
        person.types("y")
        person.sees("all done")
    assert written(program) == ["a.txt"]


def test_a_terminal_that_shrinks_in_the_middle_shows_the_call_again(program: Program) -> None:
    long = call("write_file", path="a.txt", content="\n".join(f"line {i}" for i in range(60)))
    with asked(program, long) as person:
        person.sees(r"more lines: space")
        person.resize(12, 60)
        person.presses(" ")
        person.sees("has become smaller")
        person.presses("y")
        time.sleep(0.6)
        assert written(program) == []
        person.presses("s")
        person.sees("resume")
