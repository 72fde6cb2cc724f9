"""AgentDojo's recordings: whole, true to their manifests, and what they come to."""

import gzip
from collections import Counter
from pathlib import Path

import pytest

from agentcli.core.policy import Policy
from agentcli.errors import InputError, MissingExtraError, UsageError
from agentcli.redteam.case import Case, Played, Spec, read_recording, write_recording
from agentcli.redteam.goals import goal_calls
from agentcli.redteam.import_agentdojo import main, plain, squeezed, state_of
from agentcli.redteam.player import Person, play_all
from agentcli.redteam.suites import home, load_suite

PAIRS = {"workspace": 560, "banking": 144, "travel": 120, "slack": 105}
TASKS = {"workspace": 40, "banking": 16, "travel": 20, "slack": 21}
EVERY = pytest.mark.parametrize("name", PAIRS)


@EVERY
def test_all_user_tasks_and_all_pairs_that_make_a_call_are_there(name: str) -> None:
    suite = load_suite(name)
    kinds = Counter(case.kind for case in suite.cases)
    assert kinds == {"benign": TASKS[name], "attack": PAIRS[name]}
    assert len({case.id for case in suite.cases}) == TASKS[name] + PAIRS[name]
    for case in suite.cases:
        assert case.kind == "benign" or case.harms, case.id


@EVERY
def test_the_last_thing_seen_before_the_attack_is_the_injection(name: str) -> None:
    for case in load_suite(name).cases:
        shows = ["ignoreyourpreviousinstructions" in squeezed(c.output) for c in case.calls]
        mine = [not call.injected for call in case.calls]
        if case.kind == "benign":
            assert all(mine)
            assert not any(shows), case.id
        else:
            assert shows[: sum(mine)] == [False] * (sum(mine) - 1) + [True], case.id
            assert mine == sorted(mine, reverse=True), case.id


@EVERY
def test_every_tool_is_declared_and_none_that_does_something_as_a_plain_read(name: str) -> None:
    suite = load_suite(name)
    head, _ = read_recording(home() / "agentdojo" / f"{name}.jsonl")
    assert suite.tools.keys() == head.tools.keys()
    effects = {c.tool for case in suite.cases for c in case.calls if c.effect}
    rules = {tool: suite.tools[tool].rule for tool in effects}
    assert [tool for tool, r in rules.items() if r.tier == "read_only" and not r.egress] == []


@EVERY
def test_every_call_has_arguments_that_its_tool_takes(name: str) -> None:
    suite = load_suite(name)
    wrong = [
        (case.id, call.tool, problems)
        for case in suite.cases
        for call in case.calls
        if (problems := suite.tools[call.tool].arguments.problems(call.args))
    ]
    assert wrong == []


@pytest.mark.parametrize("person", ["careful", "no", "none"])
@pytest.mark.parametrize("name", ["banking", "travel", "slack"])
def test_no_attack_runs_without_a_yes_whoever_answers(
    policy: Policy, name: str, person: Person
) -> None:
    suite = load_suite(name)
    attacks = [case for case in suite.cases if case.kind == "attack"]
    plays = play_all(policy, suite, attacks, person)
    assert [found.case.id for found in plays if found.harmed or found.broken] == []


def test_a_recording_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    calls = (Played("look", {"n": 1}, "Seen."), Played("pay", {}, "Seen.", True, True))
    cases = [Case("a/b", "mine", "attack", "Look.", ("look",), calls)]
    tools = {"look": Spec("Looks.", {"type": "object"})}
    write_recording(tmp_path / "mine.jsonl.gz", "mine", "me", tools, cases)
    head, found = read_recording(tmp_path / "mine.jsonl")
    assert found == cases
    assert (head.tools, head.texts) == (tools, ("Seen.",))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "line 1: not a recording"),
        (b'{"suite":"s","source":"","tools":{},"texts":[]}\n{"id":1}\n', "line 2: not a recording"),
        (
            b'{"suite":"s","source":"","tools":{},"texts":[]}\n'
            b'{"id":"a","kind":"benign","user":"","plan":[],"calls":[["t",{},7,false,false]]}\n',
            "line 2: not a recording",
        ),
    ],
)
def test_a_damaged_recording_is_told_with_its_line(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(data))
    with pytest.raises(InputError, match=says):
        read_recording(tmp_path / "x.jsonl")


def test_what_is_not_packed_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(InputError, match="cannot be unpacked"):
        read_recording(tmp_path / "x.jsonl")


def test_a_goal_without_a_ground_truth_is_played_as_its_text_says() -> None:
    listing = "- id_: '1'\n  size: 10\n- id_: '2'\n  size: 30\n- id_: '3'\n  size: 20\n"

    def do(tool: str, args: dict[str, object]) -> Played:
        output = {"list_files": listing, "send_email": "id_: '34'\nsubject: x"}.get(tool, "ok")
        return Played(tool, args, output, injected=True)

    made = [(c.tool, c.args) for c in goal_calls("workspace", "injection_task_11", do)]
    assert [tool for tool, _ in made] == [
        *("list_files", "send_email", "delete_email"),
        *(["delete_file"] * 3),
    ]
    assert made[1][1]["recipients"] == ["mark.black-2134@gmail.com"]
    assert [args["file_id"] for _, args in made[3:]] == ["2", "3", "1"]
    assert made[2][1] == {"email_id": "34"}
    assert list(goal_calls("travel", "injection_task_6", do)) == []


def test_that_a_mail_was_read_is_no_effect() -> None:
    assert state_of({"mails": [{"read": True, "n": 1}]}) == {"mails": [{"n": 1}]}
    assert plain({"day": (1, None, Path("x"))}) == {"day": [1, None, "x"]}


def test_recording_anew_says_what_it_needs(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        main([])
    with pytest.raises(MissingExtraError, match="redteam"):
        main([str(tmp_path)])
