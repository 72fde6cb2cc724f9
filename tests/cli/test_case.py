"""A run becomes a test that passes, and fails when what it is about has changed."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace as other_program
from pathlib import Path

import pytest
from msgspec.structs import replace

from agentcli.core.event import Event, Judged, Prepared, Replied
from agentcli.core.policy import Allow
from agentcli.core.step import Call
from agentcli.ledger.bundle import opened_run, write_bundle
from agentcli.ledger.line import Chain, decode_line
from tests.cli.conftest import Program
from tests.cli.test_redrive import CHANGES, SECRET

# What a later program could do otherwise: it takes effect in the program that the test runs.
OTHER_RULES = """
import agentcli.core.policy as policy
old = policy.judge
policy.judge = lambda rules, grants, call, facts: (
    policy.Deny("other") if call.tool == "shell" else old(rules, grants, call, facts)
)
"""


def pytest_in(program: Program, folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """Run the tests of a folder where there is no key, no sandbox and no configuration."""
    path = ":".join([*more, program.env()["PYTHONPATH"]])
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)],
        cwd=folder,
        env={"PATH": "/nonexistent", "PYTHONPATH": path, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def make(program: Program) -> Path:
    program.play(*CHANGES)
    made = program.run("runs", "case", "last", "--to", "cases", "--name", "mine")
    assert (made.returncode, made.stderr) == (0, "")
    return program.folder / "cases"


def test_a_case_is_short_passes_and_leaves_nothing_behind(program: Program) -> None:
    cases = make(program)
    assert sorted(path.name for path in cases.iterdir()) == ["mine.agentrun", "test_mine.py"]
    text = (cases / "test_mine.py").read_text()
    assert len(text.splitlines()) < 45
    assert max(map(len, text.splitlines())) <= 100
    assert "ANSWER = 'It is 42.'" in text
    assert "STEPS, CALLS = 10, 3" in text
    ended = pytest_in(program, cases)
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
    assert len(list((program.home / "runs").iterdir())) == 1


def test_it_fails_when_the_program_decides_otherwise(program: Program, tmp_path: Path) -> None:
    cases = make(program)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(OTHER_RULES)
    ended = pytest_in(program, cases, str(tmp_path / "other"))
    assert (ended.returncode, "2 failed" in ended.stdout) == (1, True), ended.stdout
    assert "differs in judged" in ended.stdout


def decision(event: Event) -> Event:
    if isinstance(event, Judged) and isinstance(event.verdict, Allow):
        return replace(event, verdict=replace(event.verdict, rule="other_rule"))
    return event


def a_call(event: Event) -> Event:
    if isinstance(event, Prepared) and event.call.tool == "calculator":
        return replace(event, call=Call("calculator", {"expression": "6*8"}))
    return event


def answer(event: Event) -> Event:
    if isinstance(event, Replied) and event.stop == "end_turn":
        return replace(event, blocks=({"type": "text", "text": "It is 43."},))
    return event


@pytest.mark.parametrize(
    ("change", "failed"), [(decision, "2 failed"), (a_call, "2 failed"), (answer, "1 failed")]
)
def test_it_fails_when_the_recording_is_another_one(
    program: Program, tmp_path: Path, change: Callable[[Event], Event], failed: str
) -> None:
    """Whoever records the run anew gets a good chain; the test must see what has changed."""
    cases = make(program)
    bundle = cases / "mine.agentrun"
    with opened_run(tmp_path, str(bundle)) as folder:
        chain, lines = Chain(), []
        for line in folder.ledger.read_bytes().splitlines(keepends=True):
            rec = decode_line(line)
            chain.epoch = rec.epoch
            lines.append(chain.write(change(rec.event), rec.at_us)[1])
        folder.ledger.write_bytes(b"".join(lines))
        write_bundle(folder, bundle, with_private=False, force=True)
    ended = pytest_in(program, cases)
    assert (ended.returncode, failed in ended.stdout) == (1, True), ended.stdout


def test_titles_answers_and_secrets_do_no_harm(program: Program) -> None:
    text = f'"""\nimport os\x1b[2J\\\u202e {SECRET}'
    model = program.script({"text": text + "\nmore" * 3})
    program.run("run", "--prompt", f'Say """ \\ {SECRET}', "--model", model)
    made = program.run("runs", "case")
    assert made.returncode == 0, made.stderr
    (test,) = program.folder.glob("test_run_*.py")
    assert re.fullmatch(r"[ -~\n]+", test.read_text())
    data = test.read_bytes() + next(program.folder.glob("*.agentrun")).read_bytes()
    assert SECRET.encode() not in data
    ended = pytest_in(program, program.folder)
    assert ended.returncode == 0, ended.stdout


def test_no_case_is_written_that_could_not_pass(program: Program) -> None:
    program.play({"text": "ok"})
    again = ("runs", "case", "last", "--name", "mine")
    assert program.run(*again).returncode == 0
    there = program.run(*again)
    assert (there.returncode, "is there already" in there.stderr) == (65, True)
    assert program.run(*again, "--force").returncode == 0
    wrong = program.run("runs", "case", "last", "--name", "../x")
    assert (wrong.returncode, "expected a-z" in wrong.stderr) == (64, True)
    names = sorted(path.name for path in program.folder.iterdir())
    waits = other_program(program, environ={})
    model = program.script(
        {"calls": [{"tool": "write_file", "args": {"path": "a", "content": "x"}}]}, {"text": "ok"}
    )
    words = ("--profile", "careful", "--sandbox", "local", "--model", model)
    parked = waits.run("run", "--prompt", "Go.", *words)
    assert parked.returncode == 77
    none = program.run("runs", "case")
    assert none.returncode == 65
    assert "no case can be made of it" in none.stderr
    assert "main/call.1.0: the answer" in none.stderr or "main/call.1.0: answer" in none.stderr
    assert sorted(path.name for path in program.folder.iterdir()) == names
