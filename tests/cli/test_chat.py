"""A conversation in a real terminal, typed by a person."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pexpect
import pyte
import pytest

from tests.cli.conftest import SANDBOX, Program, call

LINES, COLUMNS = 40, 100


class Person:
    """Sits at a terminal on which the program runs."""

    def __init__(self, child: Any, size: tuple[int, int]) -> None:
        self.child = child
        self.screen = pyte.HistoryScreen(size[1], size[0], history=1000)
        self.stream = pyte.Stream(self.screen)

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def types(self, text: str) -> None:
        self.child.send(text)

    def presses(self, keys: str) -> None:
        """Press one key after the other, as what answers a question is typed."""
        for key in keys:
            self.look(0.08)
            self.child.send(key)

    def sees(self, pattern: str, timeout_s: float = 20) -> str:
        """Wait until the screen shows the pattern and return what it shows."""
        for _ in range(int(timeout_s * 20)):
            self.look(0.05)
            if re.search(pattern, self.text()):
                return self.text()
        raise AssertionError(f"never saw {pattern!r}:\n{self.text()}")

    def look(self, wait_s: float) -> None:
        with suppress(pexpect.TIMEOUT, pexpect.EOF):
            self.stream.feed(self.child.read_nonblocking(1 << 16, wait_s))

    def text(self) -> str:
        columns = range(self.screen.columns)
        history = ("".join(row[x].data for x in columns) for row in self.screen.history.top)
        return "\n".join(line.rstrip() for line in [*history, *self.screen.display]).strip()

    def leaves(self) -> int:
        """Press Ctrl+D and return the exit code."""
        self.types("\x04")
        self.sees("ledger: /")
        self.child.expect(pexpect.EOF)
        self.stream.feed(self.child.before)
        # The terminal folds the last line where it will.
        assert "resume:agentcliresume" in "".join(self.text().split())
        self.child.close()
        return int(self.child.exitstatus)


@contextmanager
def talking(
    program: Program, *words: str, size: tuple[int, int] = (LINES, COLUMNS)
) -> Iterator[Person]:
    program.environ = {"TERM": "xterm-256color", "NO_COLOR": "", "PROMPT_TOOLKIT_NO_CPR": "1"}
    argv = program.argv(*words)
    child = pexpect.spawn(
        argv[0],
        argv[1:],
        cwd=str(program.folder),
        env=program.env(),
        dimensions=size,
        encoding="utf-8",
    )
    try:
        yield Person(child, size)
    finally:
        child.close(force=True)


def test_a_conversation_has_turns_tools_and_an_end_that_can_be_resumed(program: Program) -> None:
    model = program.script(
        {"text": "Hello **you**."},
        call("calculator", expression="6*7"),
        {"text": "It is 42."},
        {"text": "Welcome back."},
    )
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("Hi\r")
        person.sees(r"Hello you\.")
        person.types("6*7?\r")
        shown = person.sees(r"It is 42\.")
        assert "✓ calculator 6*7" in shown
        assert person.leaves() == 0
    assert program.run("replay", "last", "--verify").returncode == 0
    with talking(program, "resume", "last") as person:
        person.sees(r"It is 42\.")
        person.types("Again\r")
        person.sees(r"Welcome back\.")
        assert person.leaves() == 0
    assert program.run("replay", "last", "--verify").returncode == 0


def test_ctrl_c_stops_the_step_and_keeps_the_session(program: Program) -> None:
    model = program.script(
        {"text": "A slow answer " * 200, "token_ms": 50}, {"text": "I am still here."}
    )
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("Talk\r")
        person.sees("A slow answer")
        person.types("\x03")
        person.types("Well?\r")
        person.sees(r"I am still here\.")
        assert person.leaves() == 0
    assert program.run("replay", "last", "--verify").returncode == 0


@pytest.mark.skipif(SANDBOX == "local", reason="needs a sandbox in which a change can be undone")
def test_a_call_is_asked_about_and_early_keys_do_not_answer(program: Program) -> None:
    model = program.script(
        call("write_file", path="a.txt", content="x\n"), {"text": "Not done."}, {"text": "ok"}
    )
    words = ("chat", "-p", "careful", "--model", model, "--sandbox", SANDBOX)
    with talking(program, *words) as person:
        person.sees("/help says more")
        person.types("Write\r")
        person.types("y")
        shown = person.sees(r"n no · s stop \[no\]")
        assert "content: x" in shown.replace("\n  │ ", " ")
        assert not (program.folder / "a.txt").exists()
        person.types("\r")
        person.sees("Why")
        person.types("\r")
        person.sees(r"Not done\.")
        assert not (program.folder / "a.txt").exists()


@pytest.mark.skipif(SANDBOX == "local", reason="needs a sandbox in which a change can be undone")
def test_a_turn_is_undone_in_the_chat_and_the_model_is_told(program: Program) -> None:
    model = program.script(
        call("write_file", path="a.txt", content="x\n"),
        {"text": "First."},
        call("write_file", path="b.txt", content="y\n"),
        {"text": "Second."},
        {
            "expect": "these calls of yours undone: write_file, call 1 of your reply 1 in turn 2",
            "text": "I see.",
        },
    )
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("/undo\r")
        person.sees("There is nothing to undo")
        person.types("One\r")
        person.sees(r"First\.")
        person.types("Two\r")
        person.sees(r"Second\.")
        person.types("/undo\r")
        person.sees(r"removes b\.txt(.|\n)*Undo this call\?")
        person.types("n")
        person.sees(r"Nothing was undone\.")
        assert (program.folder / "b.txt").exists()
        person.types("/undo\r")
        person.sees(r"Nothing was undone\.(.|\n)*Undo this call\?")
        person.types("y")
        person.sees("✓ put back files")
        assert not (program.folder / "b.txt").exists()
        assert (program.folder / "a.txt").exists(), "of the turn before"
        person.types("Well?\r")
        person.sees(r"I see\.")
        person.types("/undo nothing.like.it\r")
        person.sees("no call that has changed anything is named so")
        assert person.leaves() == 0
    assert program.run("replay", "last", "--verify").returncode == 0


def test_text_typed_while_it_works_reaches_the_model(program: Program) -> None:
    model = program.script(
        {"text": "slow " * 40, "token_ms": 30},
        {"expect": "and this", "text": "Heard."},
    )
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("First\r")
        person.sees("slow slow")
        person.types("and this\r")
        person.sees(r"Heard\.")
        assert person.leaves() == 0


def test_a_budget_that_runs_out_is_raised_in_the_chat(program: Program) -> None:
    model = program.script({"text": "Paid."})
    words = ("chat", "--model", model, "--sandbox", SANDBOX, "--usd", "0.001")
    with talking(program, *words) as person:
        person.sees("/help says more")
        person.types("Hi\r")
        person.sees("/budget 5")
        person.types("/budget 5\r")
        person.sees(r"Paid\.")
        assert person.leaves() == 0


def test_a_failing_model_is_an_answer_and_not_the_end(program: Program) -> None:
    model = program.script({"fault": {"auth": "The key is wrong.", "times": 1}})
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("Hi\r")
        person.sees(r"The key is wrong\.")
        person.types("Again\r")
        person.sees(r"Again(.|\n)*The key is wrong\.")
        assert person.leaves() == 0


def test_what_to_do_about_a_failure_is_said_once_it_is_the_last(program: Program) -> None:
    (program.folder / "p.yaml").write_text("extends: default\ntries: 2\n")
    fault = {"kind": "transient", "message": "No network.\nLook at the plug.", "times": 9}
    model = program.script({"fault": fault})
    words = ("chat", "-p", "./p.yaml", "--model", model, "--sandbox", SANDBOX)
    with talking(program, *words) as person:
        person.sees("/help says more")
        person.types("Hi\r")
        shown = person.sees(r"Look at the plug\.")
        assert (shown.count("No network."), shown.count("Look at the plug.")) == (2, 1)
        assert person.leaves() == 0


def test_a_chat_that_is_open_elsewhere_is_watched_or_forked(program: Program) -> None:
    model = program.script({"text": "Hello."}, {"text": "In the fork."})
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as first:
        first.sees("/help says more")
        first.types("Hi\r")
        first.sees(r"Hello\.")
        with talking(program, "resume", "last") as second:
            second.sees("another process is writing it")
            second.types("x\r\r")
            second.child.expect(pexpect.EOF)
            second.child.close()
            assert second.child.exitstatus == 73
        with talking(program, "resume", "last") as second:
            second.sees("w to watch it")
            second.types("w\r")
            second.sees(r"Hello\.")
            second.types("q")
            second.child.expect(pexpect.EOF)
        with talking(program, "resume", "last") as second:
            second.sees("f to go on in a fork")
            second.types("f\r")
            second.sees("a fork of .*(.|\n)*/help says more")
            second.types("And?\r")
            second.sees(r"In the fork\.")
            assert second.leaves() == 0
        assert first.leaves() == 0


def test_a_terminated_chat_is_kept_whole(program: Program) -> None:
    model = program.script({"text": "Hello."}, {"text": "Back."})
    with talking(program, "chat", "--model", model, "--sandbox", SANDBOX) as person:
        person.sees("/help says more")
        person.types("Hi\r")
        person.sees(r"Hello\.")
        os.kill(person.child.pid, signal.SIGTERM)
        person.sees("ledger: /")
        person.child.expect(pexpect.EOF)
        person.child.close()
        assert person.child.exitstatus == 143
    with talking(program, "resume", "last") as person:
        person.sees(r"Hello\.")
        person.types("Again\r")
        person.sees(r"Back\.")
