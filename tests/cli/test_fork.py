"""A fork goes on from any record of a run, and leaves the run as it is."""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_own_tool import GOOD, add_tool
from tests.cli.test_redrive import CHANGES, SECRET, runs_of

APPENDED = {"text": "Otherwise.", **call("shell", command="cat a.txt; echo other >> a.txt")}


def kinds(program: Program, run: str) -> list[str]:
    lines = (program.home / "runs" / run / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line)["event"]["kind"] for line in lines]


def record_of(program: Program, run: str, kind: str, step: str) -> int:
    """Return the number of the first record of a kind that is about a step."""
    lines = (program.home / "runs" / run / "ledger.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    return next(
        number
        for number, event in enumerate(events, 1)
        if event["kind"] == kind and step in (event.get("step"), (event.get("id") or [""])[0])
    )


def fork(program: Program, *words: str) -> dict[str, Any]:
    ended = program.run("runs", "fork", *words, "--json")
    assert (ended.returncode, ended.stderr) == (0, "")
    made: dict[str, Any] = json.loads(ended.stdout)
    return made


def listed(program: Program) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(program.run("runs", "list", "--json").stdout)
    return rows


def test_a_fork_goes_on_with_another_model_in_a_copy_as_it_was_then(program: Program) -> None:
    secret = {"text": f"I keep {SECRET}."}
    run = program.play({**CHANGES[0], **secret}, *CHANGES[1:]).document["run"]
    original = (program.home / "runs" / run / "ledger.jsonl").read_bytes()
    at = record_of(program, run, "settled", "main/call.2.0")
    assert (program.folder / "a.txt").read_text() == "hello\nmore\n"
    other = program.script(*CHANGES[:2], APPENDED, {"expect": "hello", "text": "Done otherwise."})
    made = fork(program, run, "--at", "call.2.0", "--model", other)
    assert (made["fork_of"], made["at"], made["moved"]) == (run, at, "")
    ended = program.run(*made["resume"].split()[1:])
    assert (ended.returncode, ended.stdout) == (0, "Done otherwise.\n"), ended.stderr
    forked = made["run"]
    assert Path(made["workspace"], "a.txt").read_text() == "hello\nother\n"
    assert (program.folder / "a.txt").read_text() == "hello\nmore\n"
    ledger = (program.home / "runs" / forked / "ledger.jsonl").read_bytes()
    kept = original.splitlines(keepends=True)[:at]
    assert ledger.startswith(b"".join(kept))
    assert (program.home / "runs" / run / "ledger.jsonl").read_bytes() == original
    verified = program.run("replay", forked, "--verify")
    assert (verified.returncode, verified.stdout[:3]) == (0, "ok:")
    assert f"fork of {run}: Go." in program.run("runs", "list").stdout
    assert f"fork of {run}: Go." in program.run("runs", "show", forked).stdout
    assert program.run("replay", forked, "--model", "recorded").returncode == 0
    keys = [
        json.loads(line)["event"]["key"]
        for data in (original, ledger)
        for line in data.splitlines()
        if b'"act":{"kind":"run_tool"' in line
    ]
    assert len(set(keys)) == 4, "what it does anew has a key of its own"


def test_a_fork_is_exported_imported_and_forked_again(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    at = str(record_of(program, run, "settled", "main/call.2.0"))
    other = program.script(*CHANGES[:2], APPENDED, {"text": "Done."})
    made = fork(program, run, "--at", at, "--model", other)
    program.run("resume", made["run"])
    path = str(program.folder / "x.agentrun")
    assert program.run("runs", "export", made["run"], "--bundle", path).returncode == 0
    again = fork(program, made["run"], "--at", at)
    assert again["fork_of"] == made["run"]
    assert program.run("resume", again["run"]).stdout == "Done.\n"
    assert program.run("replay", again["run"], "--verify").returncode == 0
    assert program.run("replay", made["run"], "--against", again["run"]).returncode == 0
    shutil.rmtree(program.home)
    program.home.mkdir()
    imported = program.run("runs", "import", path)
    assert imported.returncode == 0, imported.stderr
    assert runs_of(program) == [made["run"]]
    assert program.run("replay", made["run"], "--verify").returncode == 0
    assert program.run("resume", made["run"]).returncode == 65


def test_it_never_begins_where_a_tool_is_running(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    began = record_of(program, run, "tool_ended", "main/call.2.0") - 1
    assert kinds(program, run)[began - 1] == "started"
    made = fork(program, run, "--at", str(began))
    assert made["at"] == began - 1
    assert made["moved"] == "a tool was running there"
    told = program.run("runs", "fork", run, "--at", str(began)).stdout
    assert f"It goes on from record {began - 1}: a tool was running there." in told


def test_where_all_was_done_it_asks_for_the_last_reply_anew_and_hears_a_prompt(
    program: Program,
) -> None:
    program.play(*CHANGES)
    run = runs_of(program)[-1]
    model = program.script(*CHANGES, {"expect": "And now?", "text": "Now this."})
    ended = program.run("runs", "fork", run, "--model", model, "--prompt", "And now?")
    assert (ended.returncode, ended.stdout) == (0, "Now this.\n")
    assert "this is where the model was asked for the last time" in ended.stderr
    program.run("tools", "call", "calculator", '{"expression": "1+1"}')
    single = runs_of(program)[-1]
    refused = program.run("runs", "fork", single)
    assert (refused.returncode, "asked no model" in refused.stderr) == (65, True)
    assert runs_of(program)[-1] == single, "no folder is left behind"


def test_at_the_end_it_works_in_what_the_last_call_had_left(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    (program.folder / "a.txt").write_text("changed by hand since\n")
    time.sleep(1.1)  # times are shown to the second
    made = fork(program, run)
    assert Path(made["workspace"], "a.txt").read_text() == "hello\nmore\n"
    began = {row["run"]: row["began"] for row in listed(program)}
    assert began[made["run"]] > began[run], "it began when it was forked"
    shown = json.loads(program.run("runs", "show", made["run"], "--json").stdout)
    assert shown["began"] > began[run]


def test_a_chat_is_forked_where_it_was_left_or_earlier(program: Program) -> None:
    model = program.script(
        {"expect": "I am Ann", "text": "Hello Ann."},
        {"expect": "I am Bob", "text": "Hello Bob."},
    )
    program.run("chat", "--sandbox", SANDBOX, "--model", model, stdin="I am Ann.\nI am Bob.\n")
    run = runs_of(program)[-1]
    other = program.script(
        {"text": "Hello Ann."},
        {"expect": "I am Eve", "text": "Hello Eve."},
    )
    at = str(record_of(program, run, "settled", "main/turn.1"))
    words = ("runs", "fork", run, "--at", at, "--model", other, "--prompt", "I am Eve.")
    ended = program.run(*words)
    assert (ended.returncode, ended.stdout) == (0, "Hello Eve.\n"), ended.stderr
    assert program.run("replay", runs_of(program)[-1], "--verify").returncode == 0


def test_here_it_works_where_the_run_did(program: Program) -> None:
    run = program.play(*CHANGES).document["run"]
    at = str(record_of(program, run, "settled", "main/call.2.0"))
    other = program.script(*CHANGES[:2], APPENDED, {"text": "Done."})
    made = fork(program, run, "--at", at, "--here", "--model", other)
    assert made["workspace"] == str(program.folder)
    program.run("resume", made["run"])
    assert (program.folder / "a.txt").read_text() == "hello\nmore\nother\n"


def test_what_was_imported_is_forked_only_here_and_with_the_tools_of_here(
    program: Program,
) -> None:
    played = program.play(*CHANGES, words=("--profile", "coder"))
    at = str(record_of(program, played.document["run"], "settled", "main/call.1.0"))
    path = str(program.folder / "x.agentrun")
    program.run("runs", "export", "last", "--bundle", path)
    run = runs_of(program)[-1]
    (program.folder / "a.txt").unlink()
    shutil.rmtree(program.home)
    program.home.mkdir()
    program.run("runs", "import", path)
    refused = program.run("runs", "fork", run, "--at", at)
    assert (refused.returncode, "--here" in refused.stderr) == (65, True)
    program.environ = {"AGENTCLI_SANDBOX": SANDBOX}
    words = ("--at", at, "--here", "--model", program.script(*CHANGES))
    made = fork(program, run, *words)
    if SANDBOX != "local":
        assert program.run("resume", made["run"]).returncode == 0
        assert (program.folder / "a.txt").read_text() == "hello\nmore\n"
    plan = json.loads((program.home / "runs" / made["run"] / "plan.json").read_text())
    spec = json.loads((program.home / "runs" / made["run"] / "fork.json").read_text())["sandbox"]
    assert (spec["memory_mb"], plan["sandbox"]["memory_mb"]) == (512, 1024), "its own is not taken"
    forged = json.loads((program.home / "runs" / run / "plan.json").read_text())
    forged["policy"]["tools"]["shell"]["tier"] = "read_only"
    (program.home / "runs" / run / "plan.json").write_text(json.dumps(forged))
    damaged = program.run("runs", "fork", run, *words)
    assert (damaged.returncode, "not what the run began with" in damaged.stderr) == (73, True)


@pytest.mark.skipif(SANDBOX == "local", reason="a shell call asks on the bare host")
def test_a_fork_of_what_was_imported_is_under_the_rules_and_limits_of_here(
    program: Program,
) -> None:
    (program.home / "policies").mkdir()
    theirs = "extends: default\nbudget: {usd: 900, steps: 900}\n"
    (program.folder / "p.yaml").write_text(theirs + "ask: [shell]\n")
    program.play(*CHANGES, words=("--profile", "./p.yaml"))
    path = str(program.folder / "x.agentrun")
    assert program.run("runs", "export", "last", "--bundle", path).returncode == 0
    run = runs_of(program)[-1]
    shutil.rmtree(program.home)
    (program.home / "policies").mkdir(parents=True)
    rule = {"name": "no-more", "effect": "deny", "command": "echo", "reason": "Not here."}
    (program.home / "policies" / "ours.yaml").write_text(json.dumps({"rules": [rule]}))
    ours = {"policies": ["ours"], "budget": {"usd": 3, "steps": 7}}
    (program.home / "settings.yaml").write_text(json.dumps(ours))
    program.environ = {"AGENTCLI_SANDBOX": SANDBOX}
    program.run("runs", "import", path)
    at = str(record_of(program, run, "settled", "main/call.1.0"))
    made = fork(program, run, "--here", "--at", at, "--model", program.script(*CHANGES))
    assert program.run("resume", made["run"], "--json").returncode == 0
    lines = (program.home / "runs" / made["run"] / "ledger.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in lines]
    since = next(n for n, event in enumerate(events) if event["kind"] == "forked")
    assert (events[since]["limit_uusd"], events[since]["limit_steps"]) == (3_000_000, 7)
    rules = {event["verdict"]["rule"] for event in events[since:] if event["kind"] == "judged"}
    assert rules == {"reversible_runs", "no-more", "unknown_tool"}
    for words in (("replay", made["run"], "--verify"), ("audit", "verify", made["run"])):
        verified = program.run(*words)
        assert verified.returncode == 0, verified.stdout
    for more, takes_over in ((), [True, False]), (("--at", at), [True]):
        again = fork(
            program, made["run"], "--model", program.script(*CHANGES, {"text": "ok"}), *more
        )
        ledger = program.home / "runs" / again["run"] / "ledger.jsonl"
        events = [json.loads(line)["event"] for line in ledger.read_text().splitlines()]
        forks = [event for event in events if event["kind"] == "forked"]
        assert [event["policy"] != "" for event in forks] == takes_over, "limits begin but once"
        assert program.run("resume", again["run"]).returncode == 0
        assert program.run("replay", again["run"], "--verify").returncode == 0
        assert program.run("audit", "verify", again["run"]).returncode == 0


def test_a_run_with_a_tool_that_is_not_of_here_is_not_forked(program: Program) -> None:
    add_tool(program, GOOD)
    program.play({"text": "ok"})
    path = str(program.folder / "x.agentrun")
    assert program.run("runs", "export", "last", "--bundle", path).returncode == 0
    run = runs_of(program)[-1]
    shutil.rmtree(program.home)
    program.home.mkdir()
    program.run("runs", "import", path)
    refused = program.run("runs", "fork", run, "--here")
    assert refused.returncode == 65
    assert "its tool `own` is not the one of this machine" in refused.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--at", "9999"), 64, "the run has"),
        (("--at", "call.9.9"), 64, "no step that was over is named so"),
        (("--prompt", "  "), 64, "nothing to say"),
        (("--model", "scripted:nope"), 66, "there is no script `nope`"),
    ],
)
def test_what_does_not_fit_is_refused_and_leaves_nothing(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    program.play({"text": "ok"})
    ended = program.run("runs", "fork", "last", *words)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert says in ended.stderr
    assert len(runs_of(program)) == 1
