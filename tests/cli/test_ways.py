"""Replays that show no run: what another profile would say, and where two runs part."""

import json
import re
from pathlib import Path

import pytest

from agentcli.ledger.line import Chain, decode_line
from tests.cli.conftest import Program, call

SECRET = "sk-ant-api03-" + "aB3" * 9


def write(text: str, *, then: str = "It is 42.") -> tuple[dict[str, object], ...]:
    calls = [
        {"tool": "calculator", "args": {"expression": "6*7"}},
        {"tool": "write_file", "args": {"path": "a.txt", "content": text}},
    ]
    return {"text": "First.", "calls": calls}, {"text": then}


def test_what_if_says_of_each_call_what_a_profile_would_decide(program: Program) -> None:
    program.play(*write(f"{SECRET}\n"), words=("--sandbox", "local"))
    (program.folder / "a.txt").unlink()
    before = sorted(program.home.rglob("*"))
    ended = program.run("replay", "last", "--what-if", "reader")
    assert (ended.returncode, ended.stderr) == (1, "")
    first, second, last = ended.stdout.splitlines()
    assert re.fullmatch(
        r"9 +calculator 6\*7 +allow · read_only_runs +allow · read_only_runs", first
    )
    assert re.fullmatch(r"\d+ +write_file .* allow · \w+ +deny · not_offered +differs", second)
    assert last == "2 calls: 1 the same, 1 would be denied"
    assert SECRET not in ended.stdout
    assert sorted(program.home.rglob("*")) == before, "nothing is made"
    assert not (program.folder / "a.txt").exists(), "nothing runs"
    same = program.run("replay", "last", "--what-if", "default")
    assert (same.returncode, same.stdout.splitlines()[-1]) == (0, "2 calls: all the same")
    ended = program.run("replay", "last", "--what-if", "careful", "--json")
    document = json.loads(ended.stdout)
    assert (ended.returncode, document["same"], document["differ"]) == (1, 1, 1)
    assert document["calls"][1]["now"]["rule"] == "reversible_asks"
    assert document["calls"][1]["args"]["path"] == "a.txt"


def test_what_if_counts_what_a_person_allowed_for_the_session_and_takes_a_file(
    program: Program,
) -> None:
    program.play(*write("x"))
    own = program.folder / "own.yaml"
    own.write_text("extends: default\nask: [calculator]\n")
    ended = program.run("replay", "last", "--what-if", "./own.yaml")
    assert "ask · tool_asks" in ended.stdout
    assert ended.stdout.splitlines()[-1] == "2 calls: 1 the same, 1 would ask"
    wrong = program.run("replay", "last", "--what-if", "careles")
    assert (wrong.returncode, wrong.stdout) == (66, "")
    assert "there is no profile `careles`" in wrong.stderr
    assert program.run("replay", "last", "--what-if", "").returncode == 65


def test_a_run_without_calls_has_nothing_to_judge(program: Program) -> None:
    program.play({"text": "Hello."})
    ended = program.run("replay", "last", "--what-if", "reader")
    assert (ended.returncode, ended.stdout) == (0, "no calls were judged in this run\n")


def test_against_finds_the_first_step_where_two_runs_part(program: Program) -> None:
    one = program.play(*write("hello\n")).document["run"]
    (program.folder / "a.txt").unlink()
    two = program.play(*write("hello\n")).document["run"]
    three = program.play(*write("hello\n", then="It is\n43\x1b[2J.")).document["run"]
    same = program.run("replay", one, "--against", two)
    assert (same.returncode, same.stdout) == (0, "the same in 5 steps\n")
    ended = program.run("replay", three, "--against", one)
    assert ended.returncode == 1
    told, mine, _ = ended.stdout.splitlines()
    assert told == "they part at main/call.1.1: the result"
    assert mine.split()[0] == three
    assert "\x1b" not in ended.stdout
    other = json.loads(program.run("replay", one, "--against", three, "--json").stdout)
    assert (other["same"], other["steps"]) == (False, 5)
    assert other["difference"]["what"] == "result"
    assert other["difference"]["one"]["record"] > 0


def test_a_verify_that_fails_shows_the_field_that_differs_on_both_sides(
    program: Program,
) -> None:
    played = program.play(call("calculator", expression="6*7"), {"text": "ok"})
    ledger = Path(played.document["ledger"])
    chain, lines = Chain(), []
    for line in ledger.read_bytes().splitlines(keepends=True):
        rec = decode_line(line.replace(b'"read_only_runs"', b'"because_i_say"'))
        chain.epoch = rec.epoch
        lines.append(chain.write(rec.event, rec.at_us)[1])
    ledger.write_bytes(b"".join(lines))
    ended = program.run("replay", "last", "--verify")
    assert ended.returncode == 1
    told, due, found, *_ = ended.stdout.splitlines()
    assert told == "record 9 differs in judged: verdict.rule"
    assert due == '  due:   "read_only_runs"'
    assert found == '  found: "because_i_say"'


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--verify", "--what-if", "reader"), "--verify and --what-if do not go together"),
        (("--what-if", "reader", "--speed", "2"), "--what-if does not go with --speed"),
        (("--json",), "--json goes with --what-if"),
        (("--json", "--verify"), "--json goes with --what-if"),
    ],
)
def test_ways_that_do_not_fit_are_refused(
    program: Program, words: tuple[str, ...], says: str
) -> None:
    program.play({"text": "ok"})
    ended = program.run("replay", "last", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (64, "")
