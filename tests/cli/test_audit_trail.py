"""`audit trail`: all that a run's ledger says of its calls, for people and for machines."""

import json
from typing import Any

import pytest

from agentcli.cli.trail import chosen
from agentcli.core.step import Call
from agentcli.errors import InputError
from agentcli.ledger.story import Story
from agentcli.ledger.trail import Trail
from tests.cli.conftest import Program, call

SECRET = "sk-ant-api03-" + "aB3" * 9


def played(program: Program) -> dict[str, Any]:
    return program.play(
        call("calculator", expression="6*7"),
        call("read_file", path=f"{SECRET}.txt"),
        call("shel", command="x"),
        {"text": "42"},
    ).document


def test_each_call_of_a_run_is_told(program: Program) -> None:
    run = played(program)["run"]
    told = program.run("audit", "trail", "last").stdout
    assert told.startswith(f"{run} · ")
    assert "main/work.1" not in told
    blocks = told.split("\n\n")[1:]
    assert [block.split("\n")[0] for block in blocks] == [
        "main/call.1.0  calculator  done",
        "main/call.2.0  read_file  failed",
        "main/call.3.0  shel  denied",
    ]
    for part in ("proposed   by scripted:", "allow by read_only_runs", "ran  ", "result "):
        assert part in blocks[0]
    assert "deny by unknown_tool" in blocks[2]
    assert "ran  " not in blocks[2]
    assert SECRET not in told
    assert "[REDACTED:anthropic_key:" in told


def test_a_machine_gets_all_of_it(program: Program) -> None:
    run = played(program)["run"]
    document = json.loads(program.run("audit", "trail", run, "--json").stdout)
    assert document["run"] == run
    calls = document["calls"]
    assert [(c["tool"], c["status"], c["allowed"]) for c in calls] == [
        ("calculator", "done", True),
        ("read_file", "failed", True),
        ("shel", "denied", False),
    ]
    whats = [record["what"] for record in calls[0]["records"]]
    assert whats == ["proposed", "found", "judged", "ran", "came_back", "settled"]
    hashes = {record["args_hash"] for record in calls[0]["records"] if "args_hash" in record}
    assert hashes == {calls[0]["args_hash"]}


def test_a_call_is_found_by_its_step_the_end_of_it_or_a_record(program: Program) -> None:
    played(program)
    document = json.loads(program.run("audit", "trail", "--json").stdout)
    second = document["calls"][1]
    record = second["records"][2]["record"]
    for wanted in (second["step"], "call.2.0", str(record)):
        found = json.loads(program.run("audit", "trail", "last", wanted, "--json").stdout)
        assert found["calls"] == [second]


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("last", "call.9.9"), 65, "no such call"),
        (("last", "99999"), 65, "no such call"),
        (("last", ".0"), 65, "no such call"),
        (("nope",), 66, "no such run"),
    ],
)
def test_what_is_asked_wrongly_is_a_sentence(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    played(program)
    ended = program.run("audit", "trail", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")


def test_the_end_that_two_calls_share_names_neither() -> None:
    steps = ("main/work/call.1.0", "main/other/call.1.0")
    trail = Trail({step: Story(step, Call("look")) for step in steps})
    assert [story.step for story in chosen(trail, "r1", "work/call.1.0")] == [steps[0]]
    with pytest.raises(InputError, match="2 calls are named so"):
        chosen(trail, "r1", "call.1.0")


def test_a_run_without_calls_has_an_empty_trail(program: Program) -> None:
    program.play({"text": "ok"})
    assert "0 calls" in program.run("audit", "trail").stdout
    assert json.loads(program.run("audit", "trail", "--json").stdout)["calls"] == []
