"""`runs prune`: says what goes, asks, and deletes only then."""

import re
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import Program
from tests.fake.kept import keep_run

OLD = "20231114-221400-000abc"


def old_run(program: Program) -> Path:
    from agentcli.core.event import Ended

    return keep_run(program.home, Ended("done"), run=OLD, title="Old \x1b[31mone").path


def test_without_a_terminal_it_needs_a_yes(program: Program) -> None:
    path = old_run(program)
    new = program.play({"text": "ok"}).document["run"]
    ended = program.run("runs", "prune", "--older", "30d")
    assert (ended.returncode, "nobody can be asked" in ended.stderr) == (64, True)
    assert "runs prune --older 30d --yes" in ended.stderr
    dry = program.run("runs", "prune", "--older", "30d", "--dry-run")
    assert (dry.returncode, path.exists()) == (0, True)
    assert re.fullmatch(
        rf"1 run, [\d,]+ bytes\n  {OLD}  2023-11-14 \d\d:13  done  Old one\n"
        r"Nothing is deleted: --dry-run\.\n",
        dry.stdout,
    ), dry.stdout
    gone = program.run("runs", "prune", "--older", "30d", "--yes")
    assert (gone.returncode, gone.stdout.splitlines()[-1]) == (0, "Deleted: 1 run.")
    assert not path.exists()
    assert [run.name for run in (program.home / "runs").iterdir()] == [new]
    none = program.run("runs", "prune", "--older", "30d")
    assert (none.returncode, none.stdout) == (0, "No run that may go is older than 30d.\n")


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 77), ("", 77)])
def test_in_a_terminal_it_asks(program: Program, answer: str, code: int) -> None:
    path = old_run(program)
    command, *words = program.argv("runs", "prune", "--older", "8w")
    env = {**program.env(), "TERM": "xterm"}
    child = pexpect.spawn(command, words, env=env, cwd=str(program.folder), timeout=30)
    child.expect("Delete them for good")
    assert path.exists()
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()
    assert (child.exitstatus, path.exists()) == (code, code == 77)


def test_what_was_half_deleted_is_gone_on_with(program: Program) -> None:
    path = old_run(program)
    path.rename(path.with_name(f".pruned-{OLD}"))
    dry = program.run("runs", "prune", "--older", "30d", "--dry-run")
    assert dry.stdout == "No run that may go is older than 30d.\n"
    told = program.run("runs", "prune", "--older", "30d").stdout
    assert told.startswith("Going on with what was being deleted: 1 run.\n")
    assert list((program.home / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "Say --older AGE"),
        (("--older", "30"), "expected hours, days or weeks"),
        (("--older", "0d"), "expected hours, days or weeks"),
        (("--older", "1d", "--yes", "--dry-run"), "does not go with"),
    ],
)
def test_what_is_asked_wrongly_is_a_sentence(
    program: Program, words: tuple[str, ...], says: str
) -> None:
    path = old_run(program)
    ended = program.run("runs", "prune", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout, path.exists()) == (64, "", True)


def test_without_any_run_there_is_nothing_to_do(program: Program) -> None:
    told = program.run("runs", "prune", "--older", "1h", "--yes")
    assert (told.returncode, told.stdout) == (0, "No run that may go is older than 1h.\n")
