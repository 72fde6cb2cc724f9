"""What a run has changed is put back, by a person or by a saga that fails."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from tests.cli.conftest import SANDBOX, Program, call

pytestmark = pytest.mark.skipif(SANDBOX == "local", reason="what runs on the bare host asks first")

WRITES = (
    call("write_file", path="report.md", content="# Report\n"),
    call("edit_file", path="a.txt", old="two", new="TWO"),
    call("shell", command="rm b.txt; mkdir -p d/e; ln -s ../a.txt d/link; chmod 700 a.txt"),
    {"text": "done"},
)


def tree(folder: Path) -> dict[str, Any]:
    """Return all that a folder holds: contents, targets and modes."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        what = os.readlink(path) if path.is_symlink() else path.is_dir() or path.read_text()
        found[str(path.relative_to(folder))] = (what, path.lstat().st_mode)
    return found


@pytest.fixture
def written(program: Program) -> tuple[Program, dict[str, Any]]:
    """Return a program that has just changed its folder, and what that was before."""
    (program.folder / "a.txt").write_text("one\ntwo\n")
    (program.folder / "b.txt").write_text("gone\n")
    before = tree(program.folder)
    assert program.play(*WRITES, words=("--profile", "coder")).code == 0
    return program, before


Written = tuple[Program, dict[str, Any]]


def test_a_run_is_undone_and_the_undo_is_undone(written: Written) -> None:
    program, before = written
    after = tree(program.folder)
    assert after != before
    ended = program.run("undo", "last", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert tree(program.folder) == before
    again = program.run("undo", "last", "undo.1", "--yes")
    assert again.returncode == 0, again.stderr
    assert tree(program.folder) == after
    verified = program.run("replay", "last", "--verify")
    assert verified.stdout.startswith("ok:"), verified.stdout
    assert "done" in program.run("runs", "list").stdout, "the run's own end stays"


def test_a_run_that_was_killed_within_a_call_is_ended_and_undone(program: Program) -> None:
    (program.folder / "a.txt").write_text("one\n")
    before = tree(program.folder)
    model = program.script(call("shell", command="echo two >> a.txt; touch new; sleep 60"))
    words = ("run", "--prompt", "Go.", "--model", model, "--sandbox", SANDBOX, "--profile", "coder")
    running = program.start(*words)
    for _ in range(400):
        if (program.folder / "new").exists():
            break
        time.sleep(0.05)
    running.kill()
    running.communicate()
    dry = program.run("undo", "last", "--dry-run")
    assert "not over yet: call.1.0  shell echo two" in dry.stderr
    assert dry.stdout == "There is nothing to undo yet.\n"
    asked = program.run("undo", "last")
    assert (asked.returncode, "nobody can be asked here" in asked.stderr) == (64, True)
    ended = program.run("undo", "last", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert tree(program.folder) == before
    assert program.run("replay", "last", "--verify").stdout.startswith("ok:")


def test_one_call_is_undone_by_its_name_or_its_record(written: Written) -> None:
    program, _ = written
    shown = json.loads(program.run("undo", "last", "--dry-run", "--json").stdout)
    assert [one["tool"] for one in shown["calls"]] == ["shell", "edit_file", "write_file"]
    ended = program.run("undo", "last", "call.1.0", "--yes")
    assert (ended.returncode, (program.folder / "report.md").exists()) == (0, False)
    record = str(shown["calls"][0]["record"])
    assert program.run("undo", "last", record, "--yes").returncode == 0
    assert (program.folder / "b.txt").read_text() == "gone\n"
    assert (program.folder / "a.txt").read_text() == "one\nTWO\n"
    ended = program.run("undo", "last", record, "--yes")
    assert (ended.returncode, "is undone already" in ended.stderr) == (65, True)


def test_looking_changes_nothing(written: Written) -> None:
    program, _ = written
    after, size = tree(program.folder), ledger(program).stat().st_size
    shown = program.run("undo", "last", "--dry-run")
    assert "removes report.md" in shown.stdout
    assert "-TWO" in shown.stdout
    assert (tree(program.folder), ledger(program).stat().st_size) == (after, size)


def ledger(program: Program) -> Path:
    [found] = program.home.glob("runs/*/ledger.jsonl")
    return found


def test_without_a_terminal_nothing_is_undone_unasked(written: Written) -> None:
    program, _ = written
    after = tree(program.folder)
    ended = program.run("undo", "last")
    assert (ended.returncode, "--yes" in ended.stderr) == (64, True)
    assert tree(program.folder) == after


def test_a_person_who_says_no_keeps_everything(written: Written) -> None:
    program, before = written
    after = tree(program.folder)
    for answer, then, code in (("n", after, 77), ("y", before, 0)):
        argv = program.argv("undo", "last")
        child = pexpect.spawn(argv[0], argv[1:], cwd=program.folder, env=program.env(), timeout=30)
        child.expect("Undo these 3 calls")
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        assert (tree(program.folder), child.exitstatus) == (then, code)


def test_what_a_person_changed_since_is_left_alone(written: Written) -> None:
    program, _ = written
    (program.folder / "report.md").write_text("mine now")
    foreseen = program.run("undo", "last", "--dry-run").stdout
    assert "leaves alone report.md, changed since that call\n" in foreseen
    assert foreseen.endswith("To put back too what was changed since: --force\n")
    assert program.run("runs", "dead", "retry", "last").stdout.startswith("None")
    ended = program.run("undo", "last", "--yes")
    assert ended.returncode == 70
    assert "left alone, since it was changed after the call: report.md" in ended.stdout
    assert (program.folder / "report.md").read_text() == "mine now"
    assert (program.folder / "b.txt").exists(), "the rest is undone"
    dead = json.loads(program.run("runs", "dead", "list", "--json").stdout)
    assert [one["tool"] for one in dead] == ["write_file"]
    forced = program.run("runs", "dead", "retry", "last", "--force")
    assert (forced.returncode, (program.folder / "report.md").exists()) == (0, False)
    assert program.run("runs", "dead", "list").stdout.startswith("None")


def test_nothing_is_undone_twice(written: Written) -> None:
    program, _ = written
    program.run("undo", "last", "--yes")
    ended = program.run("undo", "last", "--yes")
    assert (ended.returncode, "nothing to undo" in ended.stdout) == (0, True)


def test_undoing_a_run_that_is_parked_ends_it_and_says_so(program: Program) -> None:
    (program.folder / "a.txt").write_text("one\ntwo\n")
    before = tree(program.folder)
    words = ("--profile", "coder", "--steps", "1")
    assert program.play(WRITES[1], {"text": "done"}, words=words).code == 76
    assert "this ends it" in program.run("undo", "last", "--dry-run").stdout
    assert program.run("undo", "last", "--yes").returncode == 0
    assert tree(program.folder) == before
    assert program.run("resume", "last").returncode == 1, "it is over"
    assert program.run("replay", "last", "--verify").stdout.startswith("ok:")


def test_a_chat_is_undone_and_goes_on(program: Program) -> None:
    model = program.script(WRITES[0], {"text": "Written."}, {"text": "Still here."})
    words = ("chat", "--model", model, "--sandbox", SANDBOX, "--profile", "coder")
    assert program.run(*words, stdin="Write.\n").returncode == 0
    ended = program.run("undo", "last", "--yes")
    assert (ended.returncode, (program.folder / "report.md").exists()) == (0, False), ended.stderr
    again = program.run("resume", "last", stdin="Are you there?\n")
    assert (again.returncode, again.stdout) == (0, "Still here.\n")
    assert program.run("replay", "last", "--verify").stdout.startswith("ok:")


PARAMETERS = {
    "type": "object",
    "properties": {"what": {"type": "string"}, "id": {"type": "integer"}},
    "required": ["what"],
}
SCRIPT = """
import json, sys, os
args = json.load(sys.stdin)
with open("log.txt", "a") as log:
    log.write("{name} " + args["what"] + "\\n")
if os.path.exists(args["what"] + ".busy") and "{name}" == "cancel":
    print(json.dumps({{"error": "the line is busy"}}))
else:
    print(json.dumps({{"text": "ok", "data": {{"number": len(args["what"])}}}}))
"""


def add_tools(program: Program) -> None:
    """Write a tool that books, one that cancels, and a profile that is offered the first."""
    folder = program.home / "tools"
    folder.mkdir()
    about = {
        "version": 1,
        "tier": "reversible",
        "egress": False,
        "idempotent": False,
        "labels": {"integrity": "tool"},  # or the second call would ask
        "parameters": PARAMETERS,
    }
    undo = {"call": {"tool": "cancel", "args": {"what": "{args.what}", "id": "{result.number}"}}}
    for name in ("book", "cancel"):
        manifest = {"name": name, "description": name, **about, "run": {"script": f"{name}.py"}}
        manifest |= {"compensate": undo} if name == "book" else {}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
        (folder / f"{name}.py").write_text(SCRIPT.format(name=name))
    (program.folder / "p.yaml").write_text("extends: default\ntools: [book, read_file]\ntries: 2\n")


def run_saga(program: Program) -> Any:
    add_tools(program)
    task = {
        "goal": "Book.",
        "profile": "./p.yaml",
        "saga": True,
        "checks": [{"file": "ticket.pdf"}],
    }
    (program.folder / "t.yaml").write_text(yaml.safe_dump(task))
    model = program.script(
        call("book", what="hotel"), call("book", what="train"), {"text": "Booked."}
    )
    return program.run("run", "t.yaml", "--model", model, "--sandbox", SANDBOX)


def log(program: Program) -> list[str]:
    return (program.folder / "log.txt").read_text().splitlines()


def test_a_saga_that_fails_undoes_what_it_did(program: Program) -> None:
    ended = run_saga(program)
    assert ended.returncode == 1, ended.stderr
    assert log(program) == ["book hotel", "book train", "cancel train", "cancel hotel"]
    assert "2 of 2 calls" in ended.stderr
    drawn = program.run("replay", "last").stdout
    assert "undo: call.2.0" in drawn
    assert "✓ cancel 5 hotel\n" in drawn, "what undoes a call is not undone itself"
    assert program.run("replay", "last", "--verify").stdout.startswith("ok:")


def test_what_a_saga_cannot_undo_is_a_dead_letter(program: Program) -> None:
    (program.folder / "train.busy").touch()
    ended = run_saga(program)
    assert ended.returncode == 70, ended.stderr
    assert log(program)[2:] == ["cancel train"] * 2 + ["cancel hotel"]
    assert "1 of 2 calls" in ended.stderr
    assert "agentcli runs dead list" in ended.stderr
    [dead] = json.loads(program.run("runs", "dead", "list", "--json").stdout)
    assert (dead["why"], dead["undo"]["args"]) == ("the line is busy", {"what": "train", "id": 5})
    assert program.run("runs", "dead", "retry", "last").returncode == 70
    (program.folder / "train.busy").unlink()
    again = program.run("runs", "dead", "retry", "last")
    assert again.returncode == 0, again.stdout + again.stderr
    assert program.run("runs", "dead", "list").stdout.startswith("None")
    assert program.run("replay", "last", "--verify").stdout.startswith("ok:")


def test_a_dead_letter_can_be_given_up(program: Program) -> None:
    (program.folder / "hotel.busy").touch()
    assert run_saga(program).returncode == 70
    assert program.run("runs", "dead", "drop", "last", "call.9.9", "--yes").returncode == 65
    assert program.run("runs", "dead", "drop", "last", "call.1.0").returncode == 64
    argv = program.argv("runs", "dead", "drop", "last", "call.1.0")
    child = pexpect.spawn(argv[0], argv[1:], cwd=program.folder, env=program.env(), timeout=30)
    child.expect("Give up on call.1.0")
    child.sendline("n")
    child.expect("Nothing was changed")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 77
    assert "call.1.0" in program.run("runs", "dead", "list").stdout
    ended = program.run("runs", "dead", "drop", "last", "call.1.0", "--yes", "--reason", "by hand")
    assert ended.returncode == 0, ended.stderr
    assert program.run("runs", "dead", "list").stdout.startswith("None")
    assert program.run("replay", "last", "--verify").stdout.startswith("ok:")


@pytest.mark.parametrize(
    ("undo", "says"),
    [
        ({"tool": "book", "args": {}}, "a tool cannot undo itself"),
        ({"tool": "cancle", "args": {}}, "there is no tool `cancle`; did you mean `cancel`?"),
        ({"tool": "cancel", "args": {"what": "{args.whta}"}}, "no parameter is named `whta`"),
        ({"tool": "cancel", "args": {"what": "to {args.what}"}}, "must be the whole value"),
    ],
)
def test_a_manifest_whose_undo_cannot_be_is_refused(
    program: Program, undo: dict[str, Any], says: str
) -> None:
    add_tools(program)
    path = program.home / "tools" / "book.yaml"
    manifest = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**manifest, "compensate": {"call": undo}}))
    ended = program.run("tools", "list")
    assert ended.returncode == 78
    assert says in ended.stderr
