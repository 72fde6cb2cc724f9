"""What was run here: listed, shown and searched."""

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SANDBOX, Program, call

SECRET = "sk-ant-api03-" + "aB3" * 9


def test_a_list_says_when_a_run_began_what_it_took_and_how_it_stands(program: Program) -> None:
    program.environ = {"TZ": "Asia/Kolkata"}
    program.play(call("calculator", expression="1+1"), {"text": "ok"})
    program.play({"text": "ok"}, words=("--usd", "0.0001"))
    parked, done = json.loads(program.run("runs", "list", "--json").stdout)
    assert (done["status"], done["turns"], done["profile"]) == ("done", 2, "default")
    assert (parked["status"], parked["why"], parked["turns"]) == ("parked", "budget", 0)
    assert parked["cost_usd"] == "0.000000"
    shown = json.loads(program.run("runs", "show", done["run"], "--json").stdout)
    assert (shown["turns"], shown["began"]) == (2, done["began"])
    assert done["began"].endswith("+05:30")
    listed = program.run("runs", "list").stdout
    assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d  done ", listed)


@pytest.mark.parametrize(
    ("turn", "words", "status", "why", "told"),
    [
        ({"text": "ok"}, (), "done", "", "done"),
        ({"text": "cut", "stop": "max_tokens"}, (), "failed", "", "failed"),
        (call("shell", command="touch x"), ("--sandbox", "local"), "parked", "approval", "waiting"),
        (call("calculator", expression="1+1"), ("--steps", "1"), "parked", "steps", "parked"),
        ({"text": "late", "delay_ms": 60_000}, ("--time", "1"), "parked", "time", "parked"),
        ({"text": "x", "fault": {"auth": "wrong key"}}, (), "parked", "failed", "parked"),
    ],
)
def test_a_machine_is_told_the_same_wherever_it_asks(
    program: Program, turn: dict[str, Any], words: tuple[str, ...], status: str, why: str, told: str
) -> None:
    ended = program.play(turn, words=words).document
    (row,) = json.loads(program.run("runs", "list", "--json").stdout)
    shown = json.loads(program.run("runs", "show", "--json").stdout)
    assert (ended["status"], ended["why"]) == (status, why)
    for key in ("status", "why", "turns", "cost_usd", "cost_usd_at_least"):
        assert row.get(key) == shown.get(key) == ended.get(key), key
    for key in ("message", "hint", "calls", "usage", "answer"):
        assert shown[key] == ended[key] or (key == "answer" and status == "parked"), key
    assert f"  {told} " in program.run("runs", "list").stdout


def test_of_a_cost_that_is_not_all_known_a_machine_gets_the_least(program: Program) -> None:
    turns = [call("calculator", expression="1+1"), {"text": "late", "delay_ms": 60_000}]
    ended = program.play(*turns, words=("--time", "3")).document
    (row,) = json.loads(program.run("runs", "list", "--json").stdout)
    shown = json.loads(program.run("runs", "show", "--json").stdout)
    for document in (ended, row, shown):
        assert document["cost_usd"] is None
        assert re.fullmatch(r"0\.\d{6}", document["cost_usd_at_least"])
    assert "at least $0.0" in program.run("runs", "list").stdout
    begun = program.play({"text": "late", "delay_ms": 60_000}, words=("--time", "1")).document
    assert begun["cost_usd"] is None
    assert "cost_usd_at_least" not in begun


def test_a_list_reads_no_long_ledger_as_a_whole(program: Program) -> None:
    played = program.play({"text": "ok"})
    ledger = Path(played.document["ledger"])
    first, *rest = ledger.read_bytes().splitlines(keepends=True)
    junk = b"x" * 999 + b"\n"
    ledger.write_bytes(first + junk * 200_000 + b"".join(rest))
    begun = time.monotonic()
    (row,) = json.loads(program.run("runs", "list", "--json").stdout)
    assert time.monotonic() - begun < 5
    assert (row["status"], row["turns"], row["cost_usd"]) == ("done", None, None)


def test_a_run_is_shown_with_all_that_one_asks_about_it(program: Program) -> None:
    played = program.play(
        call("calculator", expression="6*7"),
        call("read_file", path="nope.txt"),
        call("shel", command="x"),
        {"text": "The answer is 42.\n" * 30},
    )
    run = played.document["run"]
    shown = program.run("runs", "show", "last").stdout
    for part in (
        f"{run}  Go.",
        "status    done",
        "profile   default",
        f"sandbox   {SANDBOX}",
        f"workspace {program.folder}",
        "turns     4 · ",
        "calculator: 1 done",
        "read_file: 1 failed",
        "shel: 1 denied",
        " input · ",
        "cost      $0.0",
        "answer    The answer is 42.",
        "characters more",
        played.document["ledger"],
        f"agentcli replay {run} --verify",
    ):
        assert part in shown, part
    assert "agentcli resume" not in shown
    document = json.loads(program.run("runs", "show", run, "--json").stdout)
    assert document["answer"].count("42") == 30
    assert document["calls"] == played.document["calls"]
    assert document["tools"] == {
        "calculator": {"done": 1},
        "read_file": {"failed": 1},
        "shel": {"denied": 1},
    }
    assert document["usage"] == played.document["usage"]


def test_a_parked_run_says_why_and_what_goes_on(program: Program) -> None:
    played = program.play(call("shell", command="touch x"), words=("--sandbox", "local"))
    shown = program.run("runs", "show").stdout
    assert (
        "status    waiting · A call needs a person's yes, and nobody is there to ask: shell touch x"
        in shown
    )
    assert f"agentcli resume {played.document['run']}" in shown
    assert "shell touch x · not answered (record " in shown


def test_a_failed_run_says_why(program: Program) -> None:
    program.play({"text": "cut", "stop": "max_tokens"})
    assert "failed · The answer was cut at the profile's max_tokens." in program.run(
        "runs", "show", "last"
    ).stdout.replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("GO.", ["title", "prompt"]),
        ("alpha beta", ["reply"]),
        ("6*7", ["call"]),
        ("calculator 6*7", ["call"]),
        ("nope.txt", ["call", "output"]),
        ("no tool 'shel'", ["refusal"]),
        ("漢字", ["reply"]),
        ('say "x"', ["reply"]),
        ("ÉTÉ", ["reply"]),
        ("nowhere at all", []),
        ("run_started", []),
    ],
)
def test_what_was_said_and_done_is_found(program: Program, text: str, kinds: list[str]) -> None:
    program.play(
        call("calculator", expression="6*7"),
        call("read_file", path="nope.txt"),
        call("shel", command="x"),
        {"text": 'Alpha Beta, 漢字, say "x", été.'},
    )
    hits = json.loads(program.run("runs", "search", text, "--json").stdout)
    assert [hit["kind"] for hit in hits] == kinds
    lines = program.run("runs", "search", text).stdout.splitlines()
    assert len(lines) == len(kinds)
    for hit, line in zip(hits, lines, strict=True):
        assert line.startswith(hit["run"])
        assert hit["found"].lower() == text.lower()
        assert f"{hit['before']}{hit['found']}{hit['after']}" in line


def test_the_newest_is_found_first_and_no_more_than_asked_for(program: Program) -> None:
    runs = [program.play({"text": f"needle {n}"}).document["run"] for n in range(3)]
    hits = json.loads(program.run("runs", "search", "needle", "--json").stdout)
    assert [hit["run"] for hit in hits] == runs[::-1]
    some = program.run("runs", "search", "needle", "-n", "2")
    assert len(some.stdout.splitlines()) == 2
    assert "more than 2" in some.stderr
    none = program.run("runs", "search", "haystack")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "found nowhere\n")


def test_secrets_are_not_searched_and_not_shown(program: Program) -> None:
    program.run("run", "--prompt", f"Use {SECRET}", "--model", program.script({"text": "ok"}))
    assert program.run("runs", "search", SECRET).stdout == ""
    found = program.run("runs", "search", "use ").stdout
    assert "[REDACTED:anthropic_key:" in found
    for words in (("runs", "show", "last"), ("runs", "show", "last", "--json")):
        assert SECRET not in program.run(*words).stdout


def test_a_damaged_ledger_is_said_and_the_rest_is_searched(program: Program) -> None:
    program.play({"text": "needle one"})
    played = program.play({"text": "needle two"})
    ledger = Path(played.document["ledger"])
    ledger.write_bytes(b'{"needle": junk}\n' + ledger.read_bytes() + b"needle\xff torn")
    found = program.run("runs", "search", "needle")
    assert found.returncode == 0
    assert len(found.stdout.splitlines()) == 2
    assert f"{ledger}: line 1 cannot be read" in found.stderr
    assert "Traceback" not in found.stderr


def test_what_a_model_says_cannot_paint_the_terminal(program: Program) -> None:
    program.play({"text": "needle \x1b[31m\x1b]0;x\x07 end"})
    for words in (("runs", "search", "needle"), ("runs", "show", "last")):
        shown = program.run(*words).stdout
        assert "needle" in shown
        assert "\x1b" not in shown
        assert "\x07" not in shown


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("show", "nope"), 66, "no such run"),
        (("show", "/tmp"), 66, "ledger.jsonl"),
        (("search", " "), 64, "empty"),
        (("search",), 64, "TEXT is missing"),
    ],
)
def test_what_is_asked_wrongly_is_a_sentence(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    ended = program.run("runs", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")


def test_a_title_that_a_person_gives_is_shown_everywhere(program: Program) -> None:
    played = program.play({"text": "ok"})
    run, ledger = played.document["run"], Path(played.document["ledger"]).read_bytes()
    named = program.run("runs", "rename", "last", "My \x1b[31mneedle\n漢字")
    assert (named.returncode, named.stdout) == (0, f"{run}: My needle 漢字\n")
    assert "My needle 漢字" in program.run("runs", "list").stdout
    assert "My needle 漢字" in program.run("runs", "show").stdout
    shown = json.loads(program.run("runs", "show", "--json").stdout)
    (row,) = json.loads(program.run("runs", "list", "--json").stdout)
    assert shown["title"] == row["title"] == "My \x1b[31mneedle 漢字"
    (hit,) = json.loads(program.run("runs", "search", "needle", "--json").stdout)
    assert (hit["run"], hit["record"], hit["kind"]) == (run, 1, "title")
    assert "needle" in program.run("runs", "export", "last", "--svg", "-").stdout
    program.run("runs", "export", "last", "--bundle", "x.agentrun")
    assert "needle" in program.run("runs", "show", "x.agentrun").stdout
    assert Path(played.document["ledger"]).read_bytes() == ledger
    assert program.run("runs", "rename", "last", "").stdout == f"{run}: Go.\n"
    assert "  Go." in program.run("runs", "list").stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("nope", "x"), 66, "no such run"),
        (("last", "x" * 201), 65, "at most 200"),
        (("x.agentrun", "x"), 64, "agentcli runs import x.agentrun"),
        (("last",), 64, "TITLE is missing"),
    ],
)
def test_a_title_that_cannot_be_given_is_a_sentence(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    program.play({"text": "ok"})
    ended = program.run("runs", "rename", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")
