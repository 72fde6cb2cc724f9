"""`agentcli redteam`, as people and scripts use it."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.cli.test_trust_question import Person

FULL = ("--suite", "workspace", "--suite", "banking")


def test_a_part_of_a_suite_is_held_against_the_whole(program: Program) -> None:
    ended = program.run("redteam", "--suite", "injecagent", "--limit", "50")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.split() == ["injecagent", "all", "50", "0", "17", "0", "0.000", "17", "17"]


@pytest.mark.slow
def test_no_attack_of_workspace_and_banking_runs_and_benign_work_asks_little(
    program: Program,
) -> None:
    ended = program.run("redteam", *FULL, "--json", timeout_s=120)
    assert ended.returncode == 0, ended.stdout
    document = json.loads(ended.stdout)
    [run] = document["runs"]
    workspace, banking = run["suites"]
    assert (workspace["attacks"], banking["attacks"]) == (560, 144)
    assert (workspace["ran"], banking["ran"]) == ([], [])
    assert workspace["broken"] == banking["broken"] == []
    tasks = workspace["tasks"] + banking["tasks"]
    assert tasks == 56
    assert (workspace["questions"] + banking["questions"]) / tasks <= 0.88
    assert document["worse"] == []


def test_a_case_is_told_call_by_call(program: Program) -> None:
    case = "user_task_0/injection_task_4"
    ended = program.run("redteam", "--suite", "banking", "--case", case)
    assert ended.returncode == 0
    assert "for the attacker, has an effect: asked, and did not run" in ended.stdout
    assert ended.stdout.endswith("The attack was stopped.\n")


def test_a_vector_is_told_with_what_was_expected_and_found(program: Program) -> None:
    ended = program.run("redteam", "--suite", "vectors", "--case", "osc-link")
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[0] == "display osc-link: a link under other words"
    assert ended.stdout.endswith("found: sanitise\n   docs\n")


def test_vectors_are_a_row_of_the_table(program: Program) -> None:
    ended = program.run("redteam", "--suite", "vectors", "--limit", "2")
    assert ended.returncode == 0
    assert ended.stdout.split()[:2] == ["vectors", "all"]
    assert ended.stdout.split()[3] == "0"


def test_a_sum_says_that_the_vectors_are_not_in_it(program: Program) -> None:
    words = ("--suite", "slack", "--suite", "banking", "--suite", "vectors", "--limit", "1")
    ended = program.run("redteam", *words)
    names = [line.partition("  ")[0] for line in ended.stdout.splitlines()[:4]]
    assert names == ["slack", "banking", "vectors", "all but vectors"]
    assert ended.stderr == "", "through a pipe nothing is said of what goes on"


def test_at_a_terminal_it_is_said_which_suite_is_played(program: Program) -> None:
    person = Person(program, "redteam", "--suite", "slack", "--limit", "1")
    assert person.sees("playing slack, rules: all\n")
    assert person.leaves() == 0
    assert "questions" in person.screen.split("playing slack")[1]


def test_the_vectors_of_one_area_are_tried_alone(program: Program) -> None:
    ended = program.run("redteam", "--area", "shell", "--json")
    assert ended.returncode == 0, ended.stdout
    [run] = json.loads(ended.stdout)["runs"]
    [row] = run["suites"]
    assert (row["suite"], row["ran"], row["asked"]) == ("vectors", [], {})
    assert row["attacks"] > 120
    assert row["tasks"] >= 25


def test_another_policy_costs_other_questions(program: Program) -> None:
    def questions(*words: str) -> int:
        ended = program.run("redteam", "--suite", "slack", "--limit", "20", *words, "--json")
        assert ended.returncode == 0, ended.stdout
        [run] = json.loads(ended.stdout)["runs"]
        assert run["suites"][0]["ran"] == []
        return int(run["suites"][0]["questions"])

    assert questions("--policy", "open-traceable") < questions() <= questions("--policy", "strict")


def test_more_questions_than_before_are_a_failure(program: Program, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    kept = program.run("redteam", "--suite", "slack", "--limit", "5", "--save", str(baseline))
    assert kept.returncode == 0
    stored = json.loads(baseline.read_text())
    stored["suites"]["slack"]["asked"] = {}
    baseline.write_text(json.dumps(stored))
    words = ("redteam", "--suite", "slack", "--limit", "5", "--baseline", str(baseline))
    ended = program.run(*words)
    assert ended.returncode == 1
    assert "worse: slack: " in ended.stdout


def test_switching_parts_off_shows_what_they_are_there_for(program: Program) -> None:
    ended = program.run("redteam", "--suite", "banking", "--limit", "16", "--ablate", "--json")
    assert ended.returncode == 0
    ran = {run["rules"]: len(run["suites"][0]["ran"]) for run in json.loads(ended.stdout)["runs"]}
    assert (ran["all"], ran["none"]) == (0, 16)
    assert ran["tiers alone"] > 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--suite", "workspce"), 64, "did you mean `workspace`"),
        (("--area", "shel"), 64, "did you mean `shell`"),
        (("--area", "shell", "--suite", "slack"), 64, "--area goes with the vectors alone"),
        (("--case", "x"), 64, "--case and --data go with one --suite"),
        (("--suite", "banking", "--case", "user_task_99"), 65, "there is no case `user_task_99`"),
        (("--suite", "vectors", "--case", "dotz"), 65, "did you mean `dots`"),
        (("--suite", "slack", "--policy", "strickt"), 64, "there is no policy `strickt`"),
        (("--suite", "slack", "--baseline", "none.json"), 66, "none.json: there is no such file"),
        (("--suite", "slack", "--data", "."), 66, "slack.jsonl: there is no such file"),
    ],
)
def test_what_is_wrong_is_said(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    ended = program.run("redteam", *words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr


def test_the_baseline_of_another_profile_is_refused(program: Program, tmp_path: Path) -> None:
    baseline = tmp_path / "b.json"
    baseline.write_text('{"profile": "careful", "suites": {}}')
    ended = program.run("redteam", "--suite", "slack", "--limit", "1", "--baseline", str(baseline))
    assert ended.returncode == 64
    assert "is of the profile careful, not default" in ended.stderr
