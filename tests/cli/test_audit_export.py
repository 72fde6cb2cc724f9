"""`audit export --sqlite`: the tables of real runs say what `runs show` says."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Program, call
from tests.compose.test_database import QUERY


def play(program: Program) -> str:
    turns = (call("calculator", expression="6*7"), call("shel", command="x"), {"text": "42"})
    return str(program.play(*turns).document["run"])


def test_the_tables_sum_up_to_what_is_shown_of_each_run(program: Program) -> None:
    runs = [play(program), play(program)]
    program.run("run", "--prompt", "Go.", "--model", program.script({"text": "ok"}))
    told = program.run("audit", "export", *runs, "--sqlite", "x.sqlite")
    assert (told.returncode, told.stdout) == (0, "x.sqlite: 2 runs, 4 calls\n")
    tables = sqlite3.connect(program.folder / "x.sqlite")
    assert tables.execute("PRAGMA foreign_key_check").fetchall() == []
    for run in runs:
        shown = json.loads(program.run("runs", "show", run, "--json").stdout)
        names = list(shown["usage"])
        sums = ", ".join(f"SUM({name})" for name in (*names, "turns", "cost_uusd"))
        of_steps = tables.execute(f"SELECT {sums} FROM STEP WHERE run_id = ?", (run,)).fetchone()
        assert of_steps[:-1] == (*shown["usage"].values(), shown["turns"])
        assert f"{of_steps[-1] / 1e6:.6f}" == shown["cost_usd"]
        (row,) = tables.execute("SELECT status, calls FROM RUN WHERE run_id = ?", (run,))
        assert row == (shown["status"], shown["calls"])
        found = tables.execute(QUERY, (run,)).fetchall()
        assert [row[1:3] for row in found] == [("calculator", 1), ("shel", 0)]
        assert isinstance(found[0][4], int)


def test_all_runs_and_bundles_go_into_one_file(program: Program, tmp_path: Path) -> None:
    run = play(program)
    program.run("runs", "export", run, "--bundle", "x.agentrun")
    for words in (("--all",), ("x.agentrun",), (run, "last")):
        told = program.run("audit", "export", *words, "--sqlite", "y", "--force")
        assert (told.returncode, told.stdout) == (0, "y: 1 run, 2 calls\n"), told.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("last",), 64, "--sqlite FILE"),
        (("--sqlite", "x"), 64, "which runs?"),
        (("last", "--all", "--sqlite", "x"), 64, "which runs?"),
        (("nope", "--sqlite", "x"), 66, "no such run"),
        (("last", "--sqlite", "no/x"), 73, "cannot be written"),
        (("last", "--sqlite", "."), 65, "is there already"),
    ],
)
def test_what_is_asked_wrongly_is_a_sentence(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    play(program)
    ended = program.run("audit", "export", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")
    assert list(program.folder.iterdir()) == []
