import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.conftest import SANDBOX, Program, call

DONE = {"text": "All done."}


def test_the_answer_alone_is_on_stdout_and_the_last_lines_name_the_ledger(program: Program) -> None:
    words = ("--model", program.script(DONE), "--sandbox", SANDBOX)
    ended = program.run("run", "--prompt", "Hi", *words)
    assert (ended.returncode, ended.stdout) == (0, "All done.\n")
    assert "done · 1 turn" in ended.stderr
    if SANDBOX == "bubblewrap":
        assert "tools run in bubblewrap, which bounds less" in ended.stderr
    ledger = next(program.home.glob("runs/*/ledger.jsonl"))
    last = f"ledger: {ledger} · replay: agentcli replay {ledger.parent.name}"
    assert ended.stderr.splitlines()[-1] == last


def test_a_parked_run_ends_with_the_command_that_resumes_it(program: Program) -> None:
    words = ("--model", program.script(DONE), "--sandbox", SANDBOX, "--usd", "0.0001")
    ended = program.run("run", "--prompt", "Hi", *words)
    ledger = next(program.home.glob("runs/*/ledger.jsonl"))
    last = f"ledger: {ledger} · resume: agentcli resume {ledger.parent.name}"
    assert (ended.returncode, ended.stderr.splitlines()[-1]) == (76, last)


def test_a_prompt_may_be_piped_in_beside_the_one_given(program: Program) -> None:
    model = program.script({"expect": "line from stdin", "text": "ok"})
    ended = program.run("run", "-", "--prompt", "Look:", "--model", model, stdin="line from stdin")
    assert (ended.returncode, ended.stdout) == (0, "ok\n")


def test_stream_json_is_one_event_a_line_and_ends_with_the_result(program: Program) -> None:
    words = ("run", "--prompt", "Hi", "--stream-json", "--model", program.script(DONE))
    lines = [json.loads(line) for line in program.run(*words).stdout.splitlines()]
    assert lines[0]["event"]["kind"] == "run_started"
    assert lines[-1]["type"] == "result"
    assert lines[-1]["answer"] == "All done."
    assert any(line.get("kind") == "signal" for line in lines)


def test_a_tool_reads_and_writes_the_workspace(program: Program) -> None:
    (program.folder / "a.txt").write_text("alpha\n")
    played = program.play(
        call("read_file", path="a.txt"),
        call("write_file", path="b.txt", content="beta\n"),
        {"expect": "b.txt", **call("shell", command="cat a.txt b.txt")},
        {"expect": "alpha\nbeta", "text": "ok"},
    )
    assert (played.code, played.document["status"]) == (0, "done")
    assert (program.folder / "b.txt").read_text() == "beta\n"


def test_invalid_arguments_go_back_to_the_model_with_every_error(program: Program) -> None:
    played = program.play(call("read_file", pth="a.txt", limit="x"), {"text": "ok"})
    failed = next(event for event in played.events if event["kind"] == "failed")
    assert failed["failure"] == "invalid"
    for part in ("pth", "limit", "path"):
        assert part in failed["message"]


def test_python_keeps_its_variables_from_call_to_call(program: Program) -> None:
    played = program.play(
        call("python", code="x = 20"), call("python", code="x + 1"), {"expect": "21", "text": "ok"}
    )
    assert played.code == 0


def test_calls_of_one_turn_get_their_results_in_order(program: Program) -> None:
    calls = [{"tool": "calculator", "args": {"expression": f"{n}+{n}"}} for n in range(5)]
    played = program.play({"calls": calls}, {"text": "ok"})
    assert sorted(played.outputs()) == ["0", "2", "4", "6", "8"]
    turn = next(e for e in played.events if e["kind"] == "grown" and e["memo"].get("turn") == 2)
    results = turn["steps"][0]["task"]["context"]["adds"][0]["results"]
    assert [played.events[seq - 1]["step"] for seq in results] == [
        f"main/call.1.{n}" for n in range(5)
    ]


def test_an_unknown_tool_is_refused_with_the_nearest_name(program: Program) -> None:
    played = program.play(call("read_fil", path="x"), {"expect": "read_file", "text": "ok"})
    assert played.code == 0


def test_a_big_output_is_clipped_and_can_be_paged(program: Program) -> None:
    played = program.play(
        call("shell", command="seq 1 20000"),
        {"expect": "/outputs/", **call("shell", command="tail -n 1 /outputs/*.txt")},
        {"text": "ok"},
    )
    first, second = played.outputs()
    assert len(first) < 31_000
    assert "characters left out" in first
    if SANDBOX != "local":
        assert second == "20000\n"


def test_what_cannot_be_undone_parks_where_nobody_can_be_asked(program: Program) -> None:
    played = program.play(call("shell", command="touch x"), DONE, words=("--sandbox", "local"))
    assert (played.code, played.document["status"]) == (77, "parked")
    assert played.document["resume"] == f"agentcli resume {played.document['run']}"
    assert not (program.folder / "x").exists()


def test_a_profile_without_a_tool_does_not_run_it(program: Program) -> None:
    words = ("--profile", "reader")
    played = program.play(call("shell", command="touch x"), {"text": "ok"}, words=words)
    assert not (program.folder / "x").exists()
    judged = [event["verdict"] for event in played.events if event["kind"] == "judged"]
    assert [verdict["rule"] for verdict in judged] == ["not_offered"]


def test_steps_and_money_have_limits_that_can_be_raised(program: Program) -> None:
    turns = [call("calculator", expression="1+1")] * 5
    played = program.play(*turns, {"text": "ok"}, words=("--steps", "3"))
    assert (played.code, played.document["turns"]) == (76, 3)
    more = program.run("resume", played.document["run"], "--steps", "9", "--json")
    assert (more.returncode, json.loads(more.stdout)["answer"]) == (0, "ok")
    poor = program.play(*turns, words=("--usd", "0.001"))
    assert (poor.code, poor.document["turns"]) == (76, 0)


def test_a_transient_failure_is_tried_again_and_a_lasting_one_parks(program: Program) -> None:
    again = {"fault": {"transient": "overloaded", "times": 1}, "text": "ok"}
    assert program.play(again).document["answer"] == "ok"
    wrong_key = program.play({"fault": {"auth": "wrong key", "times": 1}, "text": "ok"})
    assert (wrong_key.code, wrong_key.document["message"]) == (77, "wrong key")
    resumed = program.run("resume", "last", "--json")
    # The script counts its faults in each process: the second one meets it again.
    assert resumed.returncode == 77


def test_a_tool_that_floods_or_hangs_is_stopped_and_the_run_goes_on(program: Program) -> None:
    played = program.play(
        call("shell", command="yes | head -c 30000000"),
        call("shell", command="sleep 60", timeout_s=1),
        {"text": "ok"},
    )
    flood, hang = played.outputs()
    assert "too much output" in flood
    assert "stopped after 1 s" in hang
    assert played.code == 0


def test_verify_recomputes_every_decision_and_fails_at_the_first_difference(
    program: Program,
) -> None:
    played = program.play(call("calculator", expression="1+1"), {"text": "ok"})
    assert program.run("replay", "last", "--verify").returncode == 0
    ledger, played_events = Path(played.document["ledger"]), played.events
    data = ledger.read_bytes()
    ledger.write_bytes(data.replace(b'"rule":"read_only_runs"', b'"rule":"read_only_rung"'))
    damaged = program.run("replay", "last", "--verify")
    assert damaged.returncode == 73
    judged = next(n for n, e in enumerate(played_events, 1) if e["kind"] == "judged")
    assert f"line {judged}, byte " in damaged.stderr


def test_replay_shows_the_run_without_a_model_or_a_sandbox(program: Program) -> None:
    program.play(call("calculator", expression="6*7"), {"text": "It is **42**."})
    shown = program.run("replay", "last", "--instant")
    assert shown.returncode == 0
    assert "calculator 6*7" in shown.stdout
    assert "It is 42." in shown.stdout
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_a_stopped_run_resumes_and_verifies(program: Program, number: int, code: int) -> None:
    model = program.script(
        call("shell", command="echo begun >> log; sleep 5; echo ended >> log"),
        {"text": "Went on."},
    )
    words = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX, "--json")
    if SANDBOX == "local":
        pytest.skip("on the bare host a shell call would ask first")
    with program.start(*words) as running:
        wait_for(program.folder / "log")
        os.kill(running.pid, number)
        running.communicate(timeout=20)
    assert running.returncode == code
    resumed = program.run("resume", "last", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["answer"] == "Went on."
    assert (program.folder / "log").read_text() == "begun\n", "never run again by itself"
    assert program.run("replay", "last", "--verify").returncode == 0


def test_a_second_ctrl_c_ends_it_at_once_and_it_still_resumes(program: Program) -> None:
    model = program.script({"text": "late", "delay_ms": 60_000})
    words = ("run", "--prompt", "x", "--model", model, "--sandbox", SANDBOX)
    with program.start(*words) as running:
        wait_for_text(program.home, '"kind":"ask_model"')
        for _ in range(2):
            running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=20)
    assert running.returncode == 130
    assert b"Traceback" not in err
    assert program.run("replay", "last", "--verify").returncode == 0


def wait_for_text(home: Path, text: str) -> None:
    """Wait until the one ledger below a home holds the text."""
    for _ in range(400):
        if any(text in path.read_text() for path in home.glob("runs/*/ledger.jsonl")):
            return
        time.sleep(0.05)
    raise AssertionError(f"no ledger with {text}")


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists():
            return
        time.sleep(0.05)
    raise AssertionError(f"{path} never came")


def test_the_time_limit_parks_the_run(program: Program) -> None:
    played = program.play({"text": "late", "delay_ms": 60_000}, words=("--time", "1"))
    assert (played.code, played.document["status"]) == (124, "parked")


def test_a_closed_stdout_ends_quietly(program: Program) -> None:
    words = ("run", "--prompt", "Hi", "--stream-json", "--model", program.script(DONE))
    with program.start(*words) as running:
        assert running.stdout
        running.stdout.close()
        assert running.stderr
        err = running.stderr.read().decode()
    assert (running.returncode, err) == (141, "")


def test_a_secret_in_the_prompt_stays_in_the_private_folder_alone(program: Program) -> None:
    secret = "sk-ant-api03-" + "aB3" * 9
    model = program.script({"expect": secret, "text": f"I saw {secret}."})
    words = ("run", "--prompt", f"Use {secret}", "--model", model, "--sandbox", SANDBOX, "--json")
    document = json.loads(program.run(*words).stdout)
    assert document["answer"] == f"I saw {secret}."
    found = [
        path
        for path in program.home.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes()
    ]
    assert {path.parent.name for path in found} == {"private"}
    assert program.run("replay", "last", "--verify").returncode == 0
    again = program.run("run", "--prompt", "x", "--model", f"recorded:{document['run']}")
    assert again.stdout == f"I saw {secret}.\n"


def test_a_secret_in_a_file_reaches_neither_ledger_nor_model(program: Program) -> None:
    secret = "ghp_" + "a1B2" * 9
    (program.folder / "env").write_text(f"TOKEN={secret}\n")
    played = program.play(
        call("shell", command="cat env"), {"expect": "[REDACTED:github_token:", "text": "ok"}
    )
    assert played.code == 0
    for path in Path(played.document["ledger"]).parent.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


@pytest.mark.skipif(SANDBOX == "local", reason="outside of a sandbox nothing is less than it says")
def test_a_shell_command_that_only_reads_runs_where_changes_ask(program: Program) -> None:
    (program.folder / "a.txt").write_text("alpha\n")
    played = program.play(
        call("shell", command="ls | head"),
        {"expect": "a.txt", **call("shell", command="find . -delete")},
        {"text": "ok"},
        words=("--profile", "careful"),
    )
    judged = [event["verdict"] for event in played.events if event["kind"] == "judged"]
    assert [(verdict["kind"], verdict["rule"], verdict["tier"]) for verdict in judged] == [
        ("allow", "read_only_runs", "read_only"),
        ("ask", "reversible_asks", "reversible"),
    ]
    assert played.code == 77, "nobody is there to say yes"
    assert (program.folder / "a.txt").exists()
