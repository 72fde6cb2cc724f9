"""A run's folder that somebody else has made: it is looked at, and nothing in it ever runs."""

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from msgspec.structs import replace

from agentcli.core.event import ToolEnded
from agentcli.core.tool import Undo
from agentcli.ledger.line import Chain
from agentcli.ledger.read import read_ledger
from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_own_tool import add_tool
from tests.cli.test_undo import add_tools, log

TRAP = """
import json, os
with open("{log}", "a") as log:
    log.write("ran\\n")
print(json.dumps({{"text": "ok"}}))
"""
GOING_ON = (
    ("resume", "RUN", "--steps", "9"),
    ("approve", "RUN"),
    ("undo", "RUN", "--yes"),
    ("runs", "fork", "RUN"),
    ("runs", "fork", "RUN", "--here"),
    ("replay", "RUN", "--tools", "live"),
)


@pytest.fixture
def trap(program: Program, tmp_path: Path) -> Path:
    """Return the folder of a parked run, from another home, whose tool runs unasked on the host.

    `log` beside it says how often it did.
    """
    log = tmp_path / "log"
    words = add_tool(program, TRAP.format(log=log))
    turns = (call("own", n=1), call("own", n=2), {"text": "ok"})
    played = program.play(*turns, words=(*words, "--sandbox", "local", "--steps", "1"))
    assert (played.code, log.read_text()) == (76, "ran\n")
    program.home = tmp_path / "victim"
    return Path(played.document["ledger"]).parent


@pytest.mark.parametrize("words", GOING_ON, ids=" ".join)
@pytest.mark.parametrize("place", ["elsewhere", "put among the runs by hand"])
def test_nothing_of_a_foreign_folder_runs(
    program: Program, trap: Path, words: tuple[str, ...], place: str
) -> None:
    says = "is not among the runs of this machine"
    if place != "elsewhere":
        shutil.copytree(trap, program.home / "runs" / trap.name)
        trap, says = program.home / "runs" / trap.name, "is not sealed by this machine"
    before = {path: path.read_bytes() for path in trap.iterdir() if path.is_file()}
    ended = program.run(*(str(trap) if word == "RUN" else word for word in words))
    assert (ended.returncode, says in ended.stderr) == (65, True), ended.stderr
    assert (program.folder.parent / "log").read_text() == "ran\n"
    assert {path: path.read_bytes() for path in trap.iterdir() if path.is_file()} == before


def test_an_own_run_that_lost_its_seal_goes_on_once_that_is_mended(program: Program) -> None:
    turns = (call("calculator", expression="1+1"), {"text": "ok"})
    program.play(*turns, words=("--steps", "1"))
    (program.home / "seal.key").unlink()
    ended = program.run("resume", "last", "--steps", "9")
    assert (ended.returncode, "agentcli audit repair" in ended.stderr) == (65, True)
    assert "another machine's" in program.run("audit", "repair", "last", "--yes").stdout
    assert program.run("resume", "last", "--steps", "9").returncode == 0
    assert program.run("audit", "verify", "last").returncode == 0


def test_a_copy_under_another_name_is_told_and_not_gone_on_with(program: Program) -> None:
    turns = (call("calculator", expression="1+1"), {"text": "ok"})
    ledger = Path(program.play(*turns, words=("--steps", "1")).document["ledger"])
    copy = ledger.parent.with_name("20270101-000000-000abc")
    shutil.copytree(ledger.parent, copy)
    proof = program.run("audit", "verify", copy.name)
    assert (proof.returncode, "copy: it is the run" in proof.stdout) == (73, True)
    ended = program.run("resume", copy.name, "--steps", "9")
    assert (ended.returncode, "in a folder of another name" in ended.stderr) == (73, True)
    assert program.run("resume", ledger.parent.name, "--steps", "9").returncode == 0


@pytest.mark.parametrize("name", ["plan.json", "head.json", "title", "private/0123456789abcdef"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_plain_file_is_neither_read_nor_waited_for(
    program: Program, name: str, kind: str
) -> None:
    ledger = Path(program.play({"text": "ok"}).document["ledger"])
    theirs, path = program.folder / "theirs", ledger.parent / name
    theirs.write_text("theirs")
    path.unlink(missing_ok=True)
    path.symlink_to(theirs) if kind == "link" else os.mkfifo(path)
    for words in (("audit", "verify"), ("runs", "show"), ("resume",), ("replay", "--verify")):
        ended = program.run(words[0], *words[1:2], "last", timeout_s=20)
        assert (ended.returncode, "a link, a pipe or a device" in ended.stderr) == (65, True)
    assert theirs.read_text() == "theirs"


def forge(ledger: Path) -> None:
    """Write a ledger anew in which each call is undone otherwise than it was."""
    chain, lines = Chain(), list[bytes]()
    for rec in read_ledger(ledger):
        event = rec.event
        if isinstance(event, ToolEnded) and event.undo:
            event = replace(event, undo=Undo("cancel", {"what": "forged"}))
        chain.epoch = rec.epoch
        lines.append(chain.write(event, rec.at_us)[1])
    ledger.write_bytes(b"".join(lines))


@pytest.mark.parametrize("saga", [True, False])
def test_a_forged_undo_in_a_bundle_runs_in_no_fork(program: Program, saga: bool) -> None:
    add_tools(program)
    task = {"goal": "Book.", "profile": "./p.yaml", "saga": saga, "checks": [{"file": "ticket"}]}
    (program.folder / "t.yaml").write_text(yaml.safe_dump(task))
    model = program.script(call("book", what="hotel"), {"text": "Booked."})
    bundle = str(program.folder / "x.agentrun")
    words = ("--model", model, "--sandbox", SANDBOX, "--steps", "1")
    assert program.run("run", "t.yaml", *words).returncode == 76
    (run,) = (program.home / "runs").iterdir()
    forge(run / "ledger.jsonl")
    assert program.run("runs", "export", "last", "--bundle", bundle).returncode == 0
    program.home = program.folder.parent / "victim"
    program.home.mkdir()
    add_tools(program)
    program.environ = {"AGENTCLI_SANDBOX": SANDBOX}
    assert program.run("runs", "import", bundle).returncode == 0
    fork = program.run("runs", "fork", run.name, "--here")
    if saga:
        assert (fork.returncode, "what it would undo" in fork.stderr) == (65, True)
    else:
        assert fork.returncode == 0, fork.stderr
        program.run("resume", "last", "--steps", "9")
        assert "nothing to undo" in program.run("undo", "last", "--yes").stdout
    assert log(program) == ["book hotel"]


def harmed(folder: Path, harm: str, where: dict[str, object]) -> None:
    """Change where a run works, beside its ledger."""
    path = folder / "fork.json"
    if harm == "planted":
        plan = json.loads((folder / "plan.json").read_text())
        fork = {"kind": "fork", "of": "x", "at": 3, "model": plan["model"]}
        path.write_text(json.dumps({**fork, "sandbox": {**plan["sandbox"], **where}}))
        return
    fork = json.loads(path.read_text())
    path.write_text(json.dumps({**fork, "sandbox": {**fork["sandbox"], **where}}))
    if harm == "gone":
        path.unlink()


@pytest.mark.parametrize("harm", ["planted", "edited", "gone"])
def test_where_a_fork_works_stands_in_its_ledger(program: Program, harm: str) -> None:
    program.play(call("calculator", expression="1+1"), {"text": "ok"}, words=("--steps", "1"))
    (folder,) = (program.home / "runs").iterdir()
    if harm != "planted":
        assert program.run("runs", "fork", "last").returncode == 0
        folder = max((program.home / "runs").iterdir())
    assert program.run("audit", "verify", folder.name).returncode == 0
    harmed(folder, harm, {"backend": "local", "hidden": []})
    proof = program.run("audit", "verify", folder.name)
    assert (proof.returncode, "fork.json" in proof.stdout) == (73, True), proof.stdout
    for words in (("resume", folder.name, "--steps", "9"), ("runs", "fork", folder.name)):
        ended = program.run(*words)
        assert ended.returncode == 73, ended.stderr


def test_a_ledger_written_anew_is_no_source_of_what_runs(program: Program) -> None:
    turns = (call("shell", command="date > d"), {"text": "ok"})
    forge(Path(program.play(*turns, words=("--sandbox", SANDBOX)).document["ledger"]))
    for words in (("runs", "fork", "last"), ("replay", "last", "--tools", "live")):
        ended = program.run(*words)
        assert (ended.returncode, "not what was written" in ended.stderr) == (73, True)
    assert len(list((program.home / "runs").iterdir())) == 1
