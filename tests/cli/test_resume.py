"""What a resumed run tells its model and its tools, after a crash in the midst of its calls."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from agentcli.core.event import RunResumed, Settled, Started, ToolEnded
from agentcli.core.message import Turn
from agentcli.core.step import AskModel
from agentcli.core.view import UNKNOWN, View
from agentcli.ledger.read import read_ledger
from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_own_tool import add_tool
from tests.cli.test_run import wait_for

SLOW = """
import json, os, sys, time
n = json.load(sys.stdin)["n"]
with open("begun", "a") as file:
    file.write(f"{n} {os.environ['AGENTCLI_IDEMPOTENCY_KEY']}\\n")
if n == 2 and not os.path.exists("go-on"):
    open("go-on", "w").close()
    time.sleep(30)
time.sleep((3 - n) * 0.3)
with open("ended", "a") as file:
    file.write(f"{n}\\n")
print(json.dumps({"text": f"result {n}"}))
"""
BOXED = pytest.mark.skipif(SANDBOX == "local", reason="on the bare host a shell call would ask")


def turns(*numbers: int) -> list[dict[str, Any]]:
    calls = [{"tool": "own", "args": {"n": n}} for n in numbers]
    return [{"calls": calls}, {"expect": "result", "text": "ok"}]


def last_turn(ledger: Path) -> Turn:
    """Return the turn that the last request of a run ends with, as its ledger has it."""
    events = [rec.event for rec in read_ledger(ledger)]
    asks = [event.act for event in events if isinstance(event, Started)]
    context = [act.context for act in asks if isinstance(act, AskModel)][-1]
    turn = View(lambda seq: events[seq - 1]).messages(context)[-1]
    assert isinstance(turn, Turn)
    return turn


def killed(program: Program, sign: Path, *words: str) -> Path:
    """Start a run, kill it when the sign is there, and return its ledger."""
    with program.start("run", "--prompt", "Go.", "--sandbox", SANDBOX, *words) as running:
        wait_for(sign)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
    [ledger] = program.home.glob("runs/*/ledger.jsonl")
    return ledger


def resume(program: Program) -> str:
    ended = program.run("resume", "last", "--json")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert program.run("replay", "last", "--verify").returncode == 0
    return str(json.loads(ended.stdout)["answer"])


def test_results_keep_the_models_order_whatever_order_calls_end_in(program: Program) -> None:
    (program.folder / "go-on").touch()
    words = add_tool(program, SLOW)
    played = program.play(*turns(0, 1, 2, 3), words=words)
    assert played.code == 0
    assert (program.folder / "ended").read_text().split() == ["3", "2", "1", "0"]
    assert played.outputs() == [f"result {n}" for n in (3, 2, 1, 0)]
    told = last_turn(Path(played.document["ledger"]))
    assert [result.text for result in told.results] == [f"result {n}" for n in range(4)]


def test_a_resumed_run_keeps_the_order_and_runs_again_under_the_same_key(program: Program) -> None:
    """Two of four calls had ended when it was killed: these are not run again."""
    words = add_tool(program, SLOW)
    model = program.script(*turns(2, 1, 0, 3))
    words = ("--model", model, *words)
    with program.start("run", "--prompt", "Go.", "--sandbox", SANDBOX, *words) as running:
        wait_for_lines(program.home, 2)
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
    [ledger] = program.home.glob("runs/*/ledger.jsonl")
    before = [line.split()[0] for line in lines(program, "ended")]
    assert resume(program) == "ok"
    told = last_turn(ledger)
    assert [result.text for result in told.results] == [f"result {n}" for n in (2, 1, 0, 3)]
    begun = lines(program, "begun")
    assert len({*begun}) == 4, "another key on the second run"
    counts = {n: sum(line.startswith(f"{n} ") for line in begun) for n in range(4)}
    assert counts[2] == 2
    recorded = [
        rec.event
        for rec in read_ledger(ledger)
        if rec.epoch == 1 and isinstance(rec.event, ToolEnded)
    ]
    assert len(recorded) >= 2
    for ended in recorded:
        n = int(ended.output.split()[-1])
        assert counts[n] == 1, "a recorded result is never computed again"
        assert str(n) in before


@BOXED
def test_an_open_call_is_closed_by_a_stored_record_and_never_by_a_result(program: Program) -> None:
    slow = call("shell", command="echo begun >> log; sleep 30")
    model = program.script(slow, {"expect": "not known", "text": "Went on."})
    ledger = killed(program, program.folder / "log", "--model", model)
    assert resume(program) == "Went on."
    records = read_ledger(ledger)
    [settled] = [e for e in (rec.event for rec in records) if is_settled(e, "main/call.1.0")]
    assert isinstance(settled, Settled)
    assert (settled.status, settled.step) == ("unknown", "main/call.1.0")
    assert isinstance(records[settled.at - 1].event, RunResumed), "the record that says why"
    assert not any(isinstance(rec.event, ToolEnded) for rec in records), "nobody saw a result"
    turn = last_turn(ledger)
    asked = [block["id"] for block in turn.blocks if block["type"] == "tool_use"]
    assert len(asked) == 1
    assert [(result.text, result.is_error) for result in turn.results] == [(UNKNOWN, True)]


def is_settled(event: object, step: str) -> bool:
    return isinstance(event, Settled) and event.step == step


def lines(program: Program, name: str) -> list[str]:
    return (program.folder / name).read_text().splitlines()


def wait_for_lines(home: Path, ended: int) -> None:
    for _ in range(400):
        found = [path.read_text() for path in home.glob("runs/*/ledger.jsonl")]
        if found and found[0].count('"kind":"tool_ended"') >= ended:
            return
        time.sleep(0.02)
    raise AssertionError(f"never {ended} calls ended")
