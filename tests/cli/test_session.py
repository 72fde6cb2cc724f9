"""The state of the python session, and what a model is told when it is lost."""

import json
import os
import signal

import pytest

from agentcli.tool.gateway import NEW_SESSION, SESSION_LOST
from agentcli.tool.history import SESSION_ENDED
from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_run import wait_for

pytestmark = pytest.mark.skipif(SANDBOX == "local", reason="on the bare host python would ask")
SET = call("python", code="x = 41")


def resumed(program: Program, *words: str) -> dict[str, object]:
    ended = program.run("resume", "last", "--json", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert program.run("replay", "last", "--verify").returncode == 0
    document = json.loads(ended.stdout)
    assert isinstance(document, dict)
    return document


def outputs(program: Program) -> list[str]:
    [run] = (program.home / "runs").iterdir()
    lines = (run / "ledger.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    return [event["output"] for event in events if event["kind"] == "tool_ended"]


def test_the_first_result_after_a_resume_tells_of_the_lost_state_and_the_others_do_not(
    program: Program,
) -> None:
    turns = [
        SET,
        {**call("calculator", expression="6*7"), "expect": ""},
        {**call("calculator", expression="6*8"), "expect": SESSION_LOST},
        {**call("python", code="x = 2"), "expect": "48"},
        {**call("python", code="x + 1"), "expect": NEW_SESSION},
        {"expect": "3", "text": "ok"},
    ]
    played = program.play(*turns, words=("--steps", "1"))
    assert (played.code, played.outputs()) == (76, ["(no output)"])
    assert resumed(program, "--steps", "9")["answer"] == "ok"
    assert [text.count("gone") + text.count("lost") for text in outputs(program)] == [0, 1, 0, 1, 0]


def test_a_call_that_failed_for_it_says_first_why(program: Program) -> None:
    program.play(
        SET, call("python", code="x + 1"), {"expect": NEW_SESSION, "text": "ok"},
        words=("--steps", "1"),
    )  # fmt: skip
    resumed(program, "--steps", "9")
    _, failed = outputs(program)
    assert failed.startswith(NEW_SESSION)
    assert "NameError" in failed


def test_a_run_killed_in_the_midst_of_a_session_tells_of_it_once_it_goes_on(
    program: Program,
) -> None:
    slow = call("python", code="x = 1\nopen('begun', 'w').close()\nimport time; time.sleep(30)")
    model = program.script(
        slow,
        {**call("python", code="x"), "expect": "not known"},
        {"expect": NEW_SESSION, "text": "ok"},
    )
    words = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX, "--json")
    with program.start(*words) as running:
        wait_for(program.folder / "begun")
        os.kill(running.pid, signal.SIGKILL)
    assert resumed(program)["answer"] == "ok"


def test_where_no_session_ran_nothing_is_said_of_one(program: Program) -> None:
    turns = [call("calculator", expression="1+1"), call("calculator", expression="2+2")]
    turns += [call("python", code="5"), {"text": "ok"}]
    program.play(*turns, words=("--steps", "1"))
    resumed(program, "--steps", "9")
    assert [text.strip() for text in outputs(program)] == ["2", "4", "5"]


def test_a_state_that_was_told_to_be_gone_is_not_told_again_by_others(program: Program) -> None:
    turns = [
        call("python", code="import os; os.kill(os.getpid(), 9)"),
        call("python", code="x = 1"),
        call("shell", command="echo on"),
        call("shell", command="echo again"),
        {"text": "ok"},
    ]
    for steps in ("1", "3"):
        if steps == "1":
            program.play(*turns, words=("--steps", steps))
        else:
            program.run("resume", "last", "--json", "--steps", steps)
    resumed(program, "--steps", "9")
    _, fresh, first, second = outputs(program)
    assert fresh.startswith(NEW_SESSION)
    assert (first, second) == ("on\n", f"{SESSION_LOST}\nagain\n")


def test_a_call_that_takes_its_session_with_it_says_so(program: Program) -> None:
    played = program.play(
        SET,
        call("python", code="while True: print('x' * 100000)"),
        {**call("python", code="x"), "expect": SESSION_ENDED},
        {"expect": NEW_SESSION, "text": "ok"},
    )
    assert played.code == 0, played.document
