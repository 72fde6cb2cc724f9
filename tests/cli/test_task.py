"""Tasks from YAML: what they ask for, and how one can tell that it was done."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentcli.ledger.read import read_ledger
from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_chat import talking
from tests.cli.test_held import told
from tests.sandbox.box import IMAGE, why_not

pytestmark = pytest.mark.skipif(
    SANDBOX == "local", reason="shell checks would ask on the bare host"
)


def run_task(program: Program, task: dict[str, Any], model: str, *words: str) -> dict[str, Any]:
    (program.folder / "t.yaml").write_text(yaml.safe_dump(task))
    ended = program.run("run", "t.yaml", "--model", model, "--sandbox", SANDBOX, "--json", *words)
    document: dict[str, Any] = json.loads(ended.stdout)
    assert document["exit_code"] == ended.returncode
    return document


def play(program: Program, name: str, *words: str) -> dict[str, Any]:
    """Run a shipped task by name with its own script and return its document."""
    if name == "orders":  # nobody is here whom its profile could ask
        (program.home / "profiles").mkdir()
        (program.home / "profiles" / "unasked.yaml").write_text("extends: analyst\nask: []\n")
        words = ("-p", "unasked", *words)
    ended = program.run("run", name, "--model", "scripted", "--json", *words)
    document: dict[str, Any] = json.loads(ended.stdout)
    assert (ended.returncode, document["status"]) == (0, "done"), document
    assert list(program.folder.iterdir()) == [], "it works on a copy"
    verified = program.run("replay", document["run"], "--verify")
    assert (verified.returncode, verified.stdout[:3]) == (0, "ok:"), verified
    return document


def made(document: dict[str, Any], name: str) -> str:
    return (Path(document["ledger"]).parent / "workspace" / name).read_text()


def test_the_shipped_coder_mends_the_function_and_leaves_its_tests(program: Program) -> None:
    document = play(program, "median", "--sandbox", SANDBOX)
    assert "ordered = sorted(values)" in made(document, "median/stats.py")


def test_the_shipped_analyst_s_report_agrees_with_what_python_printed(program: Program) -> None:
    document = play(program, "orders", "--sandbox", SANDBOX)
    assert document["structured"] == {
        "revenue": 24532.0,
        "best_region": "north",
        "lines_left_out": 4,
    }
    lines = Path(document["ledger"]).read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    printed = [event["output"] for event in events if event["kind"] == "tool_ended"][1]
    report = made(document, "report.md")
    rows = re.findall(r"^\| \w+ \| [\d,.]+ \|$", printed, re.MULTILINE)
    assert rows == re.findall(r"^\| \w+ \| [\d,.]+ \|$", report, re.MULTILINE)
    assert len(rows) == 4
    assert re.findall(r"line (\d+)", printed) == re.findall(r"line (\d+):", report)
    assert "**24,532.00 euros** in 60 lines" in report
    for word in re.findall(r"\b2026-09-31\b|(?<=`)\w+(?=`)", report):
        assert word in printed, "it knows no more of a broken line than was printed"


def test_a_report_with_a_wrong_total_fails_the_shipped_task(program: Program) -> None:
    (program.home / "profiles").mkdir()
    (program.home / "profiles" / "unasked.yaml").write_text("extends: analyst\nask: []\n")
    content = "Revenue was 24,530.00 euros.\n\n| region | revenue |\n| --- | --- |\n"
    answer = {"revenue": 24530.0, "best_region": "north", "lines_left_out": 4}
    model = program.script(
        call("write_file", path="report.md", content=content), {"text": json.dumps(answer)}
    )
    words = ("--model", model, "-p", "unasked", "--sandbox", SANDBOX, "--json")
    ended = program.run("run", "orders", *words)
    assert ended.returncode == 1
    assert "the total is not 24532.00" in json.loads(ended.stdout)["message"]


def test_the_shipped_reader_s_sources_say_what_it_says_they_do(program: Program) -> None:
    document = play(program, "handbook", "--sandbox", SANDBOX)
    assert "86.40 euros" in document["structured"]["answer"]
    sources = document["structured"]["sources"]
    for source in sources:
        assert source["words"] in made(document, source["file"]).splitlines()[source["line"] - 1]
    assert {source["file"] for source in sources} == {
        f"handbook/{page}.md" for page in ("approvals", "changes", "expenses", "travel")
    }


def test_the_shipped_reviewer_finds_both_defects_where_they_are(program: Program) -> None:
    document = play(program, "review", "--sandbox", SANDBOX)
    review = document["structured"]
    found = [(f["file"], f["severity"]) for f in review["findings"]]
    assert (review["verdict"], found) == (
        "mend_first",
        [("lending/store.py", "critical"), ("lending/fees.py", "medium")],
    )
    lines = [made(document, f"review/{f['file']}").splitlines() for f in review["findings"]]
    at = [text[f["line"] - 1] for text, f in zip(lines, review["findings"], strict=True)]
    assert "LIKE '%{words}%'" in at[0]
    assert "late < FREE_DAYS" in at[1]


def test_the_shipped_default_makes_a_list_of_actions(program: Program) -> None:
    actions = made(play(program, "minutes", "--sandbox", SANDBOX), "actions.md")
    assert actions.count("\n| ") == 8
    assert actions.index("Tue 2026-10-13") < actions.index("Mon 2026-10-19")


def test_the_shipped_quarantine_lists_what_letters_want_and_sees_none_of_them(
    program: Program,
) -> None:
    document = play(program, "letters", "--sandbox", SANDBOX)
    assert document["structured"] == {"total": 303.75, "first_due": "2026-12-01"}
    due = made(document, "due.md").splitlines()
    assert due[2] == "| second | Town of Aldmoor, Waterworks | 143.05 | 2026-12-01 |"
    assert len(list(Path(document["ledger"]).parent.glob("workspace/letters/*"))) == 3
    records = read_ledger(Path(document["ledger"]))
    assert "DE02 1203" in told(records, reader=True)
    assert not re.search("DE02 1203|Aldmoor|NOTE TO ANY", told(records))


@pytest.mark.docker
@pytest.mark.skipif(bool(why_not("docker")), reason=why_not("docker") or "docker works")
@pytest.mark.parametrize("name", ["handbook", "letters", "median", "minutes", "orders", "review"])
def test_each_shipped_task_runs_in_a_container(program: Program, name: str) -> None:
    for folder in (program.folder.parent, program.folder.parent.parent):
        folder.chmod(0o711)  # the sandbox's user comes by way of these
    (program.home / "settings.yaml").write_text(f"sandbox: {{image: '{IMAGE}'}}\n")
    play(program, name, "--sandbox", "docker")


def test_the_shipped_analyst_asks_before_it_writes_its_report(program: Program) -> None:
    words = ("run", "orders", "--model", "scripted", "--sandbox", SANDBOX)
    with talking(program, *words) as person:
        card = person.sees(r"May this run(.|\n)*y yes, once")
        assert "write_file\n  path: report.md" in card
        person.types("y")
        person.sees("done · 4 turns")
    parked = program.run(*words, "--json")
    assert parked.returncode == 77
    assert program.run("resume", "last", "--json").returncode == 77, "nobody is there still"


def test_the_shipped_reviewer_cannot_write_into_the_workspace(program: Program) -> None:
    (program.folder / "kept").write_text("as it was\n")
    played = program.play(
        call("shell", command="rm kept; echo x > new; touch /tmp/mine && echo scratch"),
        {"text": "ok"},
        words=("-p", "reviewer"),
    )
    [output] = played.outputs()
    assert output.count("Read-only file system") == 2
    assert "scratch" in output
    assert [path.name for path in program.folder.iterdir()] == ["kept"]


def test_a_task_s_own_script_is_played_without_its_name(program: Program) -> None:
    words = ("--model", "scripted", "--sandbox", SANDBOX)
    (program.folder / "t.yaml").write_text("goal: x\n")
    for refused in (
        program.run("run", "t.yaml", *words),
        program.run("run", "--prompt", "x", *words),
    ):
        assert refused.returncode == 64
        assert "handbook, letters, median, minutes, orders, review" in refused.stderr
    assert not list(program.home.glob("runs/*"))
    (program.home / "scripts").mkdir()
    (program.home / "scripts" / "t.yaml").write_text("turns: [{text: mine}]\n")
    assert program.run("run", "t.yaml", *words).stdout == "mine\n"


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
