"""The demo, as the real program: what a first user sees with no key and no network."""

import os
import socket
from pathlib import Path

import pytest

from tests.cli.conftest import SANDBOX, Program
from tests.cli.test_chat import talking

pytestmark = pytest.mark.skipif(SANDBOX == "local", reason="the demo needs a sandbox")


def test_it_shows_a_real_run_that_proves_itself(program: Program) -> None:
    ended = program.run("demo", "--yes", "--sandbox", SANDBOX)
    assert (ended.returncode, ended.stderr) == (0, "")
    told = ended.stdout
    assert "May this run?" in told
    assert "y yes, once  (by --yes)" in told
    assert "write_file: ask by the rule tool_asks" in told
    assert "write_file: yes by --yes" in told
    assert "every decision follows from the facts before it" in told
    report = Path(told.split("report: ")[1].split("\n")[0])
    assert "north" in report.read_text()
    assert program.run("replay", "last", "--verify").returncode == 0
    assert "demo" in program.run("runs", "list").stdout
    assert list(program.folder.iterdir()) == []


def test_it_needs_neither_the_users_settings_nor_heeds_them(program: Program) -> None:
    (program.home / "profiles").mkdir()
    for name in ("analyst", "default"):
        (program.home / "profiles" / f"{name}.yaml").write_text("tools: []\n")
    (program.home / "settings.yaml").write_text("budget: {steps: 1}\n")
    (program.home / "scripts").mkdir()
    (program.home / "scripts" / "orders.yaml").write_text("turns: []\n")
    program.environ["AGENTCLI_STEPS"] = "1"
    assert program.run("demo", "--yes", "--sandbox", SANDBOX).returncode == 0


def test_without_a_terminal_it_says_how_to_answer(program: Program) -> None:
    ended = program.run("demo")
    assert (ended.returncode, ended.stdout) == (64, "")
    assert "--yes" in ended.stderr


@pytest.mark.parametrize(("key", "sees", "code"), [("y", "ended        done", 0), ("n", "Why", 1)])
def test_a_person_answers_its_one_question(
    program: Program, key: str, sees: str, code: int
) -> None:
    with talking(program, "demo", "--sandbox", SANDBOX) as person:
        person.sees(r"n no · s stop \[no\]")
        person.types(key)
        person.sees(sees)
        if key == "n":
            person.types("\r")
            person.sees("ledger:")


def test_where_nothing_can_hold_the_tools_it_says_what_is_missing(
    program: Program, tmp_path: Path
) -> None:
    python = tmp_path / "bin"
    python.mkdir()
    program.environ = {"PATH": str(python), "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    ended = program.run("demo", "--yes")
    assert (ended.returncode, ended.stdout) == (69, "")
    assert "no Docker engine answers" in ended.stderr
    assert "apt-get install bubblewrap" in ended.stderr


def test_an_engine_that_hangs_does_not_hang_it(program: Program, tmp_path: Path) -> None:
    path = str(tmp_path / "engine.sock")
    with socket.socket(socket.AF_UNIX) as engine:
        engine.bind(path)
        engine.listen()
        program.environ = {"DOCKER_HOST": f"unix://{path}"}
        assert program.run("demo", "--yes", timeout_s=20).returncode == 0
    assert os.path.exists(path)
