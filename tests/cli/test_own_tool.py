"""A tool and a profile that the user wrote: one new file each, and no edit elsewhere."""

import json

import pytest
import yaml

from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_chat import talking

MANIFEST = {
    "name": "own",
    "version": 1,
    "description": "Does what its script says.",
    "tier": "read_only",
    "egress": False,
    "idempotent": True,
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
    "run": {"script": "own.py"},
}


def add_tool(program: Program, script: str, **changes: object) -> tuple[str, ...]:
    """Write the tool and a profile that offers it; return the words that name the profile."""
    folder = program.home / "tools"
    folder.mkdir(exist_ok=True)
    (folder / "own.yaml").write_text(yaml.safe_dump({**MANIFEST, **changes}))
    (folder / "own.py").write_text(script)
    (program.folder / "p.yaml").write_text("extends: default\ntools: [own]\n")
    return ("--profile", "./p.yaml")


GOOD = "import json, sys; print(json.dumps({'text': str(json.load(sys.stdin)['n'] + 1)}))"


def test_an_own_tool_is_offered_run_and_shown(program: Program) -> None:
    words = add_tool(program, GOOD)
    played = program.play(call("own", n=41), {"expect": "42", "text": "ok"}, words=words)
    assert played.code == 0
    assert "own" in program.run("tools", "list").stdout
    assert program.run("tools", "call", "own", '{"n": 1}', "--sandbox", SANDBOX).stdout == "2\n"


def test_a_tool_called_by_hand_under_a_profile_is_one_that_it_offers(program: Program) -> None:
    words = add_tool(program, GOOD)
    by_hand = ("tools", "call", "own", '{"n": 41}', "--sandbox", SANDBOX)
    assert program.run(*by_hand, *words).stdout == "42\n"
    refused = program.run(*by_hand, "--profile", "reader")
    assert (refused.returncode, refused.stdout) == (77, "")
    assert "The profile reader does not offer own." in refused.stderr
    assert "It offers calculator, list_files, read_file, search_text." in refused.stderr


def test_a_tool_called_by_hand_shows_what_it_gave_at_a_terminal_too(program: Program) -> None:
    add_tool(program, GOOD)
    with talking(program, "tools", "call", "own", '{"n": 41}', "--sandbox", SANDBOX) as person:
        person.sees(r"(?m)^42$")


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("print('not json')", "is broken"),
        ("import sys; sys.exit(3)", "ended with 3"),
        ("print('[1]')", "is broken"),
        ('print(\'{"error": "no such thing"}\')', "no such thing"),
        ("import os; os.kill(os.getpid(), 9)", "is broken"),
        ("while True: print('x' * 1000)", "too much output"),
        ('print(\'{"text": "\\x1b[2J\\u202ehidden"}\')', "<U+202E>hidden"),
    ],
)
def test_garbage_and_death_are_told_to_the_model_and_the_run_goes_on(
    program: Program, script: str, says: str
) -> None:
    words = add_tool(program, script, timeout_s=5)
    played = program.play(call("own", n=1), {"text": "went on"}, words=words)
    assert (played.code, played.document["answer"]) == (0, "went on")
    assert says in played.outputs()[0]
    assert "\x1b" not in played.outputs()[0]


def test_a_changed_tool_does_not_change_a_run_that_has_begun(program: Program) -> None:
    words = add_tool(program, GOOD)
    more = (*words, "--steps", "1")
    played = program.play(call("own", n=1), {"expect": "2", "text": "ok"}, words=more)
    assert played.code == 76
    add_tool(program, GOOD.replace("+ 1", "+ 100"))
    resumed = program.run("resume", "last", "--steps", "5", "--json")
    assert json.loads(resumed.stdout)["answer"] == "ok"


OUTPUT = {"properties": {"n": {"maximum": 9}}, "required": ["n"], "type": "object"}
COUNTS = "import json, sys; n = json.load(sys.stdin)['n']; print(json.dumps({'text': 'ok', 'data': "


def test_a_run_that_goes_on_holds_a_tool_to_what_it_declared_when_it_began(
    program: Program,
) -> None:
    words = add_tool(program, COUNTS + "{'n': n}}))", output=OUTPUT)
    shown = program.run("tools", "show", "own").stdout
    assert json.dumps(OUTPUT, indent=2) in shown
    more = (*words, "--steps", "1")
    broken = {**call("own", n=10), "expect": "ok"}
    assert program.play(call("own", n=1), broken, {"text": "end"}, words=more).code == 76
    add_tool(program, COUNTS + "{}}))", output={"type": "object"})
    resumed = program.run("resume", "last", "--steps", "9", "--stream-json")
    assert "$.n: expected maximum 9" in resumed.stdout
    assert json.loads(resumed.stdout.splitlines()[-1])["answer"] == "end"


@pytest.mark.parametrize("tier", ["irreversible", "privileged"])
def test_a_tool_that_cannot_be_undone_never_runs_unasked(program: Program, tier: str) -> None:
    script = "open('ran', 'w'); print('{\"text\": \"ran\"}')"
    words = add_tool(program, script, tier=tier)
    played = program.play(call("own", n=1), {"text": "ok"}, words=words)
    assert played.code == (77 if tier == "irreversible" else 0)
    assert not (program.folder / "ran").exists()


@pytest.mark.parametrize("tier", ["irreversible", "privileged"])
def test_nothing_of_a_call_that_must_not_run_is_run_to_show_it(program: Program, tier: str) -> None:
    script = "open('shown', 'w'); print('{\"text\": \"x\"}')"
    words = add_tool(program, script, tier=tier, preview=True)
    program.play(call("own", n=1), {"text": "ok"}, words=words)
    assert not (program.folder / "shown").exists()


def test_a_wrong_manifest_names_the_place(program: Program) -> None:
    words = add_tool(program, GOOD, teir="read_only")
    ended = program.run("run", "--prompt", "x", "--model", program.script({"text": "a"}), *words)
    assert ended.returncode == 78
    assert "did you mean `tier`" in ended.stderr
    assert program.run("tools", "list").returncode == 78


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tier": "safe"}, "own.yaml:4:7: tier: must be `read_only`, `reversible`"),
        ({"output": {"$ref": "http://127.0.0.1:1/a"}}, "output: is not a JSON Schema: "),
        (
            {"parameters": {"type": "object", "properties": 3}},
            "parameters.properties: is not a JSON",
        ),
        ({"run": {"script": "../own.py"}}, "run.script: must match"),
    ],
)
def test_each_command_names_what_is_wrong_in_a_manifest(
    program: Program, changes: dict[str, object], says: str
) -> None:
    (program.home / "tools").mkdir()
    path = program.home / "tools" / "own.yaml"
    path.write_text(yaml.safe_dump({**MANIFEST, **changes}, sort_keys=False))
    (program.home / "tools" / "own.py").touch()
    for words in (("tools", "check"), ("tools", "list")):
        ended = program.run(*words)
        assert (ended.returncode, ended.stdout) == (78, "")
        assert f"{path}:" in ended.stderr
        assert says in ended.stderr


def test_one_tool_that_is_checked_is_counted_as_one(program: Program) -> None:
    assert program.run("tools", "check", "shell").stdout == "1 tool, 0 findings\n"
