"""Tasks from YAML: what they ask for, and how one can tell that it was done."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import SANDBOX, Program, call

pytestmark = pytest.mark.skipif(
    SANDBOX == "local", reason="shell checks would ask on the bare host"
)


def run_task(program: Program, task: dict[str, Any], model: str, *words: str) -> dict[str, Any]:
    (program.folder / "t.yaml").write_text(yaml.safe_dump(task))
    ended = program.run("run", "t.yaml", "--model", model, "--sandbox", SANDBOX, "--json", *words)
    document: dict[str, Any] = json.loads(ended.stdout)
    assert document["exit_code"] == ended.returncode
    return document


@pytest.mark.parametrize("name", ["median", "orders"])
def test_a_shipped_task_does_something_real_and_holds_its_checks(
    program: Program, name: str
) -> None:
    words = ("--model", f"scripted:{name}", "--sandbox", SANDBOX, "--json")
    ended = program.run("run", name, *words)
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["status"]) == (0, "done"), document
    assert list(program.folder.iterdir()) == [], "it works on a copy"
    if name == "orders":
        report = Path(document["ledger"]).parent / "workspace" / "report.md"
        total = document["structured"]["revenue"]
        assert f"{total:.2f} euros" in report.read_text()


def test_variables_are_filled_in_and_quoted_in_commands(program: Program) -> None:
    task = {
        "goal": "Greet ${who} for $$5.",
        "variables": {"who": {"description": "whom"}},
        "checks": [{"command": "test \"${who}\" = 'a; $(touch oops)'"}],
    }
    model = program.script({"expect": "Greet a; $(touch oops) for $5.", "text": "ok"})
    document = run_task(program, task, model, "--var", "who=a; $(touch oops)")
    assert document["status"] == "done"
    assert not (program.folder / "oops").exists()


@pytest.mark.parametrize(
    ("checks", "says"),
    [
        ([{"file": "missing.md"}], "missing.md: not there"),
        ([{"file": "../../etc/passwd"}], "not there"),
        ([{"command": "exit 3"}], "[exit 3]"),
    ],
)
def test_a_check_that_does_not_hold_fails_the_task(
    program: Program, checks: list[dict[str, str]], says: str
) -> None:
    document = run_task(program, {"goal": "x", "checks": checks}, program.script({"text": "ok"}))
    assert (document["exit_code"], document["status"]) == (1, "failed")
    assert says in document["message"]


def test_an_answer_that_does_not_fit_its_schema_is_mended(program: Program) -> None:
    task = {"goal": "x", "answer": {"schema": {"type": "object", "required": ["n"]}}}
    model = program.script(
        {"text": "n is 1"}, {"expect": "does not fit", "text": "{}"}, {"text": '{"n": 1}'}
    )
    document = run_task(program, task, model)
    assert (document["status"], document["structured"]) == ("done", {"n": 1})
    never = run_task(program, task, program.script(*[{"text": "no"}] * 4))
    assert (never["exit_code"], never["turns"]) == (1, 3)


def test_the_answer_must_match_a_pattern(program: Program) -> None:
    task = {"goal": "x", "answer": {"pattern": "^done: \\d+$"}}
    assert run_task(program, task, program.script({"text": "done: 7"}))["exit_code"] == 0


def test_the_answer_goes_to_the_file_that_the_task_names(program: Program) -> None:
    task = {"goal": "x", "output": "out/answer.md"}
    run_task(program, task, program.script({"text": "The answer."}))
    assert (program.folder / "out" / "answer.md").read_text() == "The answer.\n"


@pytest.mark.parametrize("trap", ["mkfifo answer.md", "ln -s /etc/passwd answer.md"])
def test_what_a_tool_left_in_the_answer_s_place_is_replaced(program: Program, trap: str) -> None:
    model = program.script(call("shell", command=trap), {"text": "The answer."})
    document = run_task(program, {"goal": "x", "output": "answer.md"}, model)
    assert document["exit_code"] == 0
    assert not (program.folder / "answer.md").is_symlink()
    assert (program.folder / "answer.md").read_text() == "The answer.\n"


def test_an_answer_that_cannot_be_written_is_told(program: Program) -> None:
    model = program.script({"text": "ok"})
    document = run_task(program, {"goal": "x"}, model, "--output", "/proc/x")
    assert (document["status"], document["exit_code"]) == ("failed", 73)
    assert document["answer"] == "ok"


def test_a_hostile_answer_cannot_make_its_pattern_hang(program: Program) -> None:
    task = {"goal": "x", "answer": {"pattern": "^(\\w+\\s?)*$"}}
    document = run_task(program, task, program.script(*[{"text": "a" * 60 + "!"}] * 3))
    assert document["exit_code"] == 1


def test_an_output_outside_of_the_workspace_is_refused(program: Program) -> None:
    (program.folder / "t.yaml").write_text("goal: x\noutput: ../x.md\n")
    ended = program.run("run", "t.yaml", "--model", program.script({"text": "a"}))
    assert ended.returncode == 65
    assert "outside of the workspace" in ended.stderr
    assert not (program.folder.parent / "x.md").exists()


def test_steps_are_prompts_of_one_conversation(program: Program) -> None:
    task = {"steps": ["First ${n}.", "Second."], "variables": {"n": {"default": 1}}}
    model = program.script(
        {"expect": "First 1.", **call("calculator", expression="1+1")},
        {"text": "two"},
        {"expect": "Second.", "text": "and the rest"},
    )
    document = run_task(program, task, model)
    assert (document["status"], document["answer"]) == ("done", "and the rest")


def test_a_task_that_was_cut_off_resumes_with_its_checks(program: Program) -> None:
    task = {"goal": "x", "checks": [{"file": "made"}], "limits": {"steps": 1}}
    model = program.script(call("shell", command="touch made"), {"text": "ok"})
    document = run_task(program, task, model)
    assert document["exit_code"] == 76
    resumed = program.run("resume", document["run"], "--steps", "5", "--json")
    assert json.loads(resumed.stdout)["status"] == "done"


def test_a_recorded_run_answers_in_place_of_a_model(program: Program) -> None:
    first = program.play(call("calculator", expression="2+2"), {"text": "four"})
    words = ("--prompt", "Go.", "--model", f"recorded:{first.document['run']}", "--json")
    again = json.loads(program.run("run", *words, "--sandbox", SANDBOX).stdout)
    assert (again["answer"], again["calls"]) == ("four", 1)
