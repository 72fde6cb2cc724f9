"""A question on a real pseudo-terminal, answered by a person who types."""

import fcntl
import io
import json
import os
import pty
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from agentcli.shell.ask import Choice, ask_card
from agentcli.shell.card import Card
from agentcli.shell.keys import PASTE_OFF, PASTE_ON

REVERSIBLE = Card("May this run?", "reversible", "shell", {"command": "ls"}, offers_session=True)
KEEPABLE = replace(REVERSIBLE, always="shell may run unasked for nothing but: ls.")
IRREVERSIBLE = Card(
    "May this run?", "irreversible", "shell", {"command": "rm x"}, needs_typing=True
)


@pytest.fixture(autouse=True)
def _terminal_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")


@contextmanager
def terminal() -> Iterator[tuple[int, int]]:
    person, program = pty.openpty()
    try:
        yield person, program
    finally:
        os.close(person)
        os.close(program)


def ask(
    card: Card, *typed: str, before: str = "", rows: int = 24, arming_s: float = 0.05
) -> tuple[Choice, str]:
    """Return the choice and the screen; each piece is typed once the last was taken in."""
    out, over = io.StringIO(), threading.Event()
    with terminal() as (person, program):
        attributes = termios.tcgetattr(program)
        os.write(person, before.encode())
        keys = (person, program, out, typed, arming_s, over)
        typist = threading.Thread(target=type_all, args=keys)
        typist.start()
        choice = ask_card(card, program, out, lambda: (60, rows), False, arming_s=arming_s)
        in_time = not over.is_set()
        over.set()
        typist.join()
        assert in_time, f"what was typed was no answer:\n{out.getvalue()}"
        assert termios.tcgetattr(program) == attributes
    return choice, out.getvalue()


QUESTIONS = ("[no] ", "stop ", "> ", "s stop]")


class Pasted(str):
    """What comes all at once."""


def type_all(
    person: int,
    program: int,
    out: io.StringIO,
    typed: tuple[str, ...],
    arming_s: float,
    over: threading.Event,
) -> None:
    """Type, and interrupt what still waits long after the last key, so that no test hangs."""
    wait_s = 20.0  # for the first question; a later one may not be asked anew
    for piece in typed:
        waited = 0.0
        while waited < wait_s and not out.getvalue().endswith(QUESTIONS):
            time.sleep(0.01)
            waited += 0.01
        time.sleep(arming_s + 0.1)
        wait_s = 1.0
        is_whole = isinstance(piece, Pasted) or piece.startswith("\x1b")
        for keys in [piece] if is_whole else piece:
            os.write(person, keys.encode())
            while unread(program) and not over.wait(0.005):
                pass
            time.sleep(0.06)
    if not over.wait(10):
        over.set()
        os.write(person, b"\x03")


def unread(program: int) -> int:
    """Return how many bytes wait in a terminal to be read."""
    found = fcntl.ioctl(program, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(found, sys.byteorder)


@pytest.mark.parametrize(
    ("card", "typed", "choice"),
    [
        (REVERSIBLE, ("y",), Choice("yes")),
        (REVERSIBLE, ("a",), Choice("session")),
        (REVERSIBLE, ("A",), Choice("session")),  # no rule is offered here
        (KEEPABLE, ("a",), Choice("session")),
        (KEEPABLE, ("A", "y"), Choice("always")),
        (KEEPABLE, ("A", "n", "y"), Choice("yes")),
        (KEEPABLE, ("A", "\r", "n", "\r"), Choice("no")),
        (REVERSIBLE, ("s",), Choice("stop")),
        (REVERSIBLE, ("\x03",), Choice("stop")),
        (REVERSIBLE, ("\r", "\r"), Choice("no")),
        (REVERSIBLE, ("n", "too risky\r"), Choice("no", "too risky")),
        (REVERSIBLE, (" ", "x", "n", "\r"), Choice("no")),
        (REVERSIBLE, ("\x1b[A", "n", "\r"), Choice("no")),
        (IRREVERSIBLE, ("shell\r",), Choice("yes")),
        (IRREVERSIBLE, ("shelk\x7fl\r",), Choice("yes")),
        (IRREVERSIBLE, ("y\r", "n\r", "\r"), Choice("no")),
        (IRREVERSIBLE, ("yes\r", "\r", "\r"), Choice("no")),
        (IRREVERSIBLE, ("a\r", "s\r"), Choice("stop")),
        (IRREVERSIBLE, ("\x03",), Choice("stop")),
    ],
)
def test_each_answer_means_what_it_says(card: Card, typed: tuple[str, ...], choice: Choice) -> None:
    assert ask(card, *typed)[0] == choice


@pytest.mark.parametrize(
    ("typed", "choice"),
    [
        (("y",), Choice("yes")),
        (("\r", "n"), Choice("no")),
        (("e", "a", "s"), Choice("stop")),
    ],
)
def test_whether_it_happened_has_no_default_and_cannot_be_edited(
    typed: tuple[str, ...], choice: Choice
) -> None:
    past = Card("Did this happen?", "irreversible", "pay", {"eur": 3}, is_past=True)
    assert ask(past, *typed)[0] == choice


@pytest.mark.parametrize("before", ["y", "yyyy\r", "a", "shell\r"])
@pytest.mark.parametrize("card", [REVERSIBLE, IRREVERSIBLE])
def test_what_was_typed_before_the_card_never_answers_it(card: Card, before: str) -> None:
    choice, _ = ask(card, "s", "\r", before=before)
    assert choice == Choice("stop")


def test_what_is_typed_while_it_arms_never_answers_it() -> None:
    out = io.StringIO()
    with terminal() as (person, program):
        early = threading.Timer(0.1, os.write, (person, b"y"))
        late = threading.Timer(0.7, os.write, (person, b"s"))
        early.start()
        late.start()
        choice = ask_card(REVERSIBLE, program, out, lambda: (60, 24), False, arming_s=0.4)
        late.join()
    assert choice == Choice("stop")


def test_a_pasted_yes_is_no_answer() -> None:
    choice, screen = ask(REVERSIBLE, "\x1b[200~y\x1b[201~", "s")
    assert choice == Choice("stop")
    assert PASTE_ON in screen
    assert screen.endswith(PASTE_OFF)


def test_a_long_card_withholds_the_yes_until_its_end_was_shown() -> None:
    card = Card("May this run?", "reversible", "shell", {"command": "\n".join("abcdefghijkl")})
    choice, screen = ask(card, "y", " ", " ", "y", rows=10)
    assert choice == Choice("yes")
    assert screen.index("│ l") < screen.index("y yes, once")


def test_an_edit_returns_new_arguments_and_bad_json_is_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    typed = ("e", "\x15{bad\r", "e", "\x7f" * 4 + 'pwd"}\r')
    choice, screen = ask(REVERSIBLE, *typed)
    assert choice == Choice("edit", arguments={"command": "pwd"})
    assert "not JSON" in screen


def test_the_person_s_editor_is_used_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "editor.py"
    new = json.dumps({"command": "pwd"})
    script.write_text(f"import sys; open(sys.argv[1], 'w').write({new!r})")
    monkeypatch.setenv("VISUAL", f"{sys.executable} {script}")
    choice, _ = ask(REVERSIBLE, "e")
    assert choice == Choice("edit", arguments={"command": "pwd"})


def test_a_question_that_is_taken_back_ends_at_once() -> None:
    cancel, out = threading.Event(), io.StringIO()
    with terminal() as (_, program):
        threading.Timer(0.2, cancel.set).start()
        choice = ask_card(
            REVERSIBLE, program, out, lambda: (60, 24), False, arming_s=0.05, cancel=cancel
        )
    assert choice == Choice("no", "withdrawn")


def test_the_call_is_shown_exactly_with_every_odd_byte_named() -> None:
    card = Card("May this run?", "reversible", "shell", {"command": "a\x1b[2J\u202eb"})
    _, screen = ask(card, "s")
    assert r"command: a\x1b[2J\u202eb" in screen
    assert "\x1b" not in screen.replace(PASTE_ON, "").replace(PASTE_OFF, "")


def test_a_dumb_terminal_gets_no_escape_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in ask(REVERSIBLE, "s")[1]


def test_what_was_typed_for_something_else_is_given_back() -> None:
    choice, _ = ask(REVERSIBLE, "s", before="y and tell me why")
    assert (choice.kind, choice.typed_before) == ("stop", "y and tell me why")


def test_text_that_goes_on_being_typed_never_answers() -> None:
    out = io.StringIO()
    with terminal() as (person, program):

        def type_on() -> None:
            time.sleep(0.3)  # past the arming
            for char in "why not say":
                os.write(person, char.encode())
                time.sleep(0.03)
            time.sleep(0.3)
            os.write(person, b"s")

        typist = threading.Thread(target=type_on)
        typist.start()
        choice = ask_card(REVERSIBLE, program, out, lambda: (60, 24), True, arming_s=0.2)
        typist.join()
    assert (choice.kind, choice.typed_before) == ("stop", "hy not say")


def test_pasted_text_without_marks_never_answers() -> None:
    choice, screen = ask(REVERSIBLE, Pasted("yes, please\r"), "s")
    assert choice == Choice("stop")
    assert "press them one by one" in screen


def test_a_pasted_name_of_the_tool_never_allows_it() -> None:
    choice, _ = ask(IRREVERSIBLE, Pasted("\x1b[200~shell\r\x1b[201~\r"), "\r", "\r")
    assert choice == Choice("no")


def test_no_can_be_said_before_the_end_of_a_long_card_but_not_yes() -> None:
    card = Card("May this run?", "reversible", "shell", {"command": "\n".join("abcdefghijkl")})
    assert ask(card, "y", "\r", "n", "\r", rows=10)[0] == Choice("no")


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '{"a": NaN}', "[1]", "{}{}"])
def test_arguments_that_are_no_plain_object_are_refused(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    assert ask(REVERSIBLE, "e", f"\x15{text}\r", "s")[0] == Choice("stop")


def test_an_editor_that_is_not_there_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    choice, screen = ask(REVERSIBLE, "e", "s")
    assert choice == Choice("stop")
    assert "/no/such/editor: " in screen


def test_a_rule_is_shown_in_words_before_it_is_kept() -> None:
    _, screen = ask(KEEPABLE, "A", "y")
    words = "shell may run unasked for nothing but: ls."
    assert screen.index(words) < screen.index("Keep this rule, and say yes?")
