"""The question about a project's own files, at a terminal, as the real program."""

import os
import pty
import select
import subprocess
import time

import pytest

from tests.cli.conftest import SANDBOX, Program
from tests.cli.test_chat import talking
from tests.cli.test_project import prompt_of
from tests.cli.test_trust import TOOL, bring


class Person:
    """Someone at a terminal, in which the program runs."""

    def __init__(self, program: Program, *words: str) -> None:
        self.screen = ""
        self.terminal, theirs = pty.openpty()
        self.child = subprocess.Popen(
            program.argv(*words),
            cwd=program.folder,
            env={**program.env(), "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def sees(self, words: str, timeout_s: float = 60) -> bool:
        """Wait until the screen has shown these words, or the program has ended without."""
        until = time.monotonic() + timeout_s
        while words not in self.screen and time.monotonic() < until:
            if select.select([self.terminal], [], [], 0.1)[0]:
                try:
                    piece = os.read(self.terminal, 65_536)
                except OSError:
                    piece = b""
                if not piece:
                    break
                self.screen += piece.decode(errors="replace").replace("\r\n", "\n")
        return words in self.screen

    def types(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def leaves(self) -> int:
        """Wait for the end of the program, and return its exit code."""
        self.sees("\0never\0")
        os.close(self.terminal)
        try:
            return self.child.wait(20)
        finally:
            self.child.kill()


def at_terminal(program: Program, *words: str) -> Person:
    model = program.script({"text": "done"})
    return Person(program, "run", "--prompt", "x", "--model", model, "--sandbox", SANDBOX, *words)


QUESTION = "Let these files of the project count, exactly as they are?"


def test_at_a_terminal_a_run_asks_once_for_each_change_and_shows_it(program: Program) -> None:
    (program.folder / "AGENTS.md").write_text("Be kind.\n")
    person = at_terminal(program)
    assert person.sees(QUESTION)
    person.types("y")
    assert person.leaves() == 0
    assert f"AGENTS.md in {program.folder} is in force, as you accepted it" in person.screen
    assert "Be kind." in prompt_of(program)

    person = at_terminal(program)  # the same: nothing to ask
    assert person.leaves() == 0
    assert QUESTION not in person.screen

    (program.folder / "AGENTS.md").write_text("Be \x1b[31mcruel.\n")
    person = at_terminal(program)
    assert person.sees(QUESTION)
    assert "  │ -Be kind.\n  │ +Be \\x1b[31mcruel.\n" in person.screen
    person.types("n")
    assert person.leaves() == 0
    assert "AGENTS.md in" in person.screen.split("They do not count.")[1]
    assert "has changed since it was trusted, so it is not used" in person.screen
    assert "Be " not in prompt_of(program)

    person = at_terminal(program)  # answered already
    assert person.leaves() == 0
    assert QUESTION not in person.screen
    assert "has changed since it was trusted, so it is not used" in person.screen


def test_what_was_typed_before_the_question_is_no_answer(program: Program) -> None:
    (program.folder / "AGENTS.md").write_text("Be kind.\n")
    person = at_terminal(program)
    person.types("yyyy")
    assert person.sees(QUESTION)
    time.sleep(1)
    assert "in force" not in person.screen
    person.types("n")
    assert person.leaves() == 0
    assert "Be kind." not in prompt_of(program)


@pytest.mark.parametrize("text", ["Be kind.\n" * 400, "Be kind. " * 8_000])
def test_what_is_too_long_to_ask_about_is_named_and_stays_inert(
    program: Program, text: str
) -> None:
    (program.folder / "AGENTS.md").write_text(text)
    person = at_terminal(program)
    assert person.leaves() == 0
    assert "The project's own files are too long to be asked about here: " in person.screen
    assert "characters.\nSee them: agentcli trust show" in person.screen
    assert QUESTION not in person.screen
    assert "Be kind." not in prompt_of(program)


def test_a_chat_asks_before_its_first_prompt(program: Program) -> None:
    bring(program, tools__hello=TOOL)
    model = program.script({"text": "done"})
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        shown_first = person.sees("Let these files of the project count.* y yes")
        assert "tool hello: read_only, cannot send data out" in shown_first
        person.types("y")
        assert "is in force" in " ".join(person.sees("/help says more").split())
        assert person.leaves() == 0
    assert "hello" in program.run("tools", "list").stdout


def test_a_grant_at_a_terminal_shows_what_it_asks_about(program: Program) -> None:
    (program.folder / "AGENTS.md").write_text("Be kind.\n")
    person = Person(program, "trust", "grant")
    assert person.sees(QUESTION)
    assert "  │ Be kind.\n" in person.screen
    person.types("y")
    assert person.leaves() == 0
    assert "Be kind." in prompt_of(program)


def test_what_takes_more_than_a_screen_is_asked_about_once_all_of_it_was_seen(
    program: Program,
) -> None:
    (program.folder / "AGENTS.md").write_text("".join(f"Rule {n}.\n" for n in range(40)))
    for key in ("n", " "):
        person = Person(program, "trust", "grant")
        assert person.sees("more lines: space, then you can say yes")
        assert QUESTION not in person.screen
        assert "Rule 39." not in person.screen
        person.types(key)
        if key == "n":
            assert person.leaves() == 77
            assert "Not trusted." in person.screen
    while not person.sees(QUESTION, timeout_s=2):
        person.types(" ")
    assert "Rule 39." in person.screen
    person.types("y")
    assert person.leaves() == 0
    assert "Rule 39." in prompt_of(program)


def test_for_a_machine_nothing_is_asked_even_at_a_terminal(program: Program) -> None:
    (program.folder / "AGENTS.md").write_text("Be kind.\n")
    person = at_terminal(program, "--json")
    assert person.leaves() == 0
    assert QUESTION not in person.screen
    assert "is not trusted, so it is not used" in person.screen
