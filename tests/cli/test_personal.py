"""With `pii: redact` no personal data is stored or told, and calls run with the exact values."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import SANDBOX, Played, Program, call

MAIL, PHONE = "ann@example.com", "+44 20 7946 0958"
MANIFEST = {
    "name": "own",
    "version": 1,
    "description": "Writes to somebody.",
    "tier": "reversible",
    "egress": False,
    "idempotent": False,
    "parameters": {"type": "object", "properties": {"to": {"type": "string"}}},
    "compensate": {"call": {"tool": "recall", "args": {"to": "{result.back}"}}},
    "run": {"script": "own.py"},
}
SCRIPT = """
import json, sys
to = json.load(sys.stdin)["to"]
with open("log.txt", "a") as log:
    log.write(to + "\\n")
text = f"wrote to {to}, call +44 20 7946 0958"
print(json.dumps({"text": text, "data": {"back": "kim@example.com"}}))
"""


@pytest.fixture
def personal(program: Program) -> Program:
    (program.home / "tools").mkdir()
    for name, manifest in (
        ("own", MANIFEST),
        ("recall", {**MANIFEST, "name": "recall", "compensate": "none"}),
    ):
        (program.home / "tools" / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
    (program.home / "tools" / "own.py").write_text(SCRIPT)
    (program.home / "settings.yaml").write_text("pii: redact\n")
    (program.folder / "p.yaml").write_text("extends: default\ntools: [own]\nask: [own]\n")
    return program


def parked(program: Program) -> Played:
    """Return a run that asks whether it may write to somebody."""
    turns = (call("own", to=MAIL), {"text": f"done, {MAIL}"})
    return program.play(*turns, words=("--profile", "./p.yaml"))


def asked(program: Program) -> dict[str, object]:
    shown = json.loads(program.run("approve", "last", "--show", "--json").stdout)
    [question] = shown["questions"] if isinstance(shown, dict) else shown
    return dict(question)


def stored(folder: Path) -> str:
    """Return all of a run but its private values."""
    paths = (path for path in folder.rglob("*") if "private" not in path.parts and path.is_file())
    return "\n".join(path.read_text() for path in paths)


def test_a_call_runs_with_the_exact_value_and_nothing_of_it_is_stored(personal: Program) -> None:
    played = parked(personal)
    assert played.code == 77
    question = asked(personal)
    assert question["arguments"] == {"to": MAIL}, "what was seen is what runs"
    # What holds now does not count for a run that has begun.
    (personal.home / "settings.yaml").write_text("pii: keep\n")
    ended = personal.run("approve", "last", "--bound", str(question["bound"]), "--json")
    assert ended.returncode == 0, ended.stderr
    assert (personal.folder / "log.txt").read_text() == f"{MAIL}\n"
    [output] = played.outputs()
    assert output.startswith("wrote to [REDACTED:email:")
    assert ", call [REDACTED:phone:" in output
    kept = stored(Path(played.document["ledger"]).parent)
    assert MAIL not in kept
    assert PHONE not in kept
    assert "kim@example.com" not in kept
    assert personal.run("replay", "last", "--verify").returncode == 0
    assert MAIL not in personal.run("runs", "show", "last").stdout
    undone = personal.run("undo", "last", "--yes")
    assert undone.returncode == 0, undone.stderr
    assert (personal.folder / "log.txt").read_text() == f"{MAIL}\nkim@example.com\n"


def test_output_is_shown_with_marks_while_it_comes(personal: Program) -> None:
    (personal.folder / "p.yaml").write_text("extends: default\ntools: [shell]\n")
    (personal.folder / "people.csv").write_text(f"1,{MAIL},{PHONE}\n2,kim@example.com,\n")
    model = personal.script(call("shell", command="cat people.csv"), {"text": "read"})
    words = ("--prompt", f"Who is {MAIL}?", "--model", model, "--sandbox", SANDBOX)
    ended = personal.run("run", *words, "--profile", "./p.yaml", "--stream-json")
    assert ended.returncode == 0, ended.stderr
    chunks = [line for line in ended.stdout.splitlines() if '"output_chunk"' in line]
    assert "1,[REDACTED:email:" in "".join(chunks)
    for value in (MAIL, PHONE, "kim@example.com"):
        assert value not in ended.stdout
    assert MAIL not in personal.run("runs", "list").stdout, "nor in the title"


def test_the_setting_is_known_like_any_other(personal: Program) -> None:
    explained = personal.run("config", "explain", "pii").stdout
    assert explained.startswith("pii: redact\n  set by user: redact")
    (personal.home / "settings.yaml").write_text("pii: hide\n")
    wrong = personal.run("config", "show")
    assert wrong.returncode == 78
    assert "settings.yaml:1:6: pii: " in wrong.stderr
    assert "pii" in personal.run("help", "pii").stdout


def test_a_refusal_says_that_what_the_rule_is_about_was_redacted(personal: Program) -> None:
    why = personal.run("policy", "why", f"shell git log --author={MAIL}")
    assert "no-fork-bomb" not in why.stdout, "the question is about the exact text"
    (personal.folder / "p.yaml").write_text("extends: default\n")
    turns = (call("shell", command=f"git log --author={MAIL}"), {"text": "Oh."})
    played = personal.play(*turns, words=("--profile", "./p.yaml"))
    [reason] = [event["verdict"]["reason"] for event in played.events if event["kind"] == "judged"]
    assert "Personal data in the call is redacted" in reason
