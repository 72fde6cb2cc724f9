"""A run leaves this machine in one file, and is the same elsewhere."""

import os
import re
import time
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.cli.conftest import NEWER, Program, call, of_newer_program

SECRET = "sk-ant-api03-" + "aB3" * 9


def other_machine(program: Program) -> Program:
    """Another home, in which the workspace of the run is unknown."""
    home, folder = program.home.parent / "other-home", program.home.parent / "other-work"
    folder.mkdir()
    return replace(program, home=home, folder=folder)


@pytest.mark.parametrize("prompt", ["Go.", f"Use {SECRET} for it."])
def test_a_bundle_replays_and_verifies_elsewhere(program: Program, prompt: str) -> None:
    model = program.script(
        call("calculator", expression="6*7"), {"text": f"It is 42, not {SECRET}."}
    )
    program.run("run", "--prompt", prompt, "--model", model, "--profile", "reader")
    path = str(program.folder / "x.agentrun")
    exported = program.run("runs", "export", "last", "--bundle", path)
    assert exported.returncode == 0, exported.stderr
    assert "Left out: " in exported.stdout
    assert "private value" in exported.stdout
    assert f"agentcli replay {path}" in exported.stdout
    assert SECRET not in Path(path).read_bytes().decode("latin-1")

    there = other_machine(program)
    here = program.run("replay", "last").stdout
    assert "calculator 6*7" in here
    assert there.run("replay", path).stdout == here
    verified = there.run("replay", path, "--verify")
    assert verified.returncode == 0, verified.stdout
    assert "every decision follows" in verified.stdout
    assert ("not here: " in verified.stdout) == (SECRET in prompt)
    assert "6*7" not in there.run("runs", "show", path).stderr
    assert "calculator: 1 done" in there.run("runs", "show", path).stdout
    assert not (there.home / "runs").exists(), "looking at a bundle keeps nothing"

    imported = there.run("runs", "import", path)
    assert (imported.returncode, "imported" in imported.stdout) == (0, True)
    run = next((there.home / "runs").iterdir()).name
    assert there.run("replay", run).stdout == here
    assert there.run("replay", run, "--verify").stdout == verified.stdout
    assert run in there.run("runs", "list").stdout
    resumed = there.run("resume", run)
    assert (resumed.returncode, "not resumed" in resumed.stderr) == (65, True)
    again = there.run("runs", "import", path)
    assert (again.returncode, "here already" in again.stdout) == (0, True)
    shown = there.run("runs", "show", run).stdout
    assert "agentcli resume" not in shown


def test_what_a_changed_policy_would_have_decided_is_found(program: Program) -> None:
    """Where secrets are missing the plan's own digest says nothing: the decisions still do."""
    words = ("--model", program.script(call("calculator", expression="1+1"), {"text": "ok"}))
    program.run("run", "--prompt", f"Use {SECRET}", "--profile", "reader", *words)
    run = next((program.home / "runs").iterdir())
    for file in (run / "private").iterdir():
        file.unlink()
    assert program.run("replay", "last", "--verify").returncode == 0
    plan = run / "plan.json"
    plan.write_text(re.sub(r'"max_tokens": *\d+', '"max_tokens": 7', plan.read_text()))
    assert program.run("replay", "last", "--verify").returncode == 1


def test_a_bundle_with_private_values_says_so(program: Program) -> None:
    program.run("run", "--prompt", SECRET, "--model", program.script({"text": "ok"}))
    exported = program.run("runs", "export", "--bundle", "x.agentrun", "--with-private")
    assert "It holds 2 private values: whoever" in exported.stdout
    there = other_machine(program)
    path = str(program.folder / "x.agentrun")
    assert "not here: " not in there.run("replay", path, "--verify").stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ((), 64, "one of --bundle, --svg, --md"),
        (("--bundle", "a", "--svg", "b"), 64, "one of --bundle, --svg, --md"),
        (("--svg", "b", "--with-private"), 64, "goes with --bundle"),
        (("--bundle", "a", "--width", "80"), 64, "go with --svg"),
        (("--bundle", "a", "--lines", "9"), 64, "go with --svg"),
        (("--bundle", "a", "--title", "x"), 64, "go with --svg"),
        (("--bundle", "."), 65, "is there already"),
        (("--svg", "/", "--force"), 65, "is there already"),
        (("--bundle", "taken"), 65, "is there already"),
        (("--svg", "taken"), 65, "is there already"),
        (("--svg", "nowhere/x.svg"), 73, "cannot be written"),
        (("--svg", "x.svg", "--width", "3"), 64, "--width"),
        (("--md", "x", "--width", "80"), 64, "go with --svg"),
        (("--html", "x", "--with-private"), 64, "goes with --bundle"),
        (("--jsonl", "taken"), 65, "is there already"),
    ],
)
def test_an_export_that_cannot_be_is_a_sentence(
    program: Program, words: tuple[str, ...], code: int, says: str
) -> None:
    program.play({"text": "ok"})
    (program.folder / "taken").write_text("mine")
    ended = program.run("runs", "export", "last", *words)
    assert says in ended.stderr
    assert (ended.returncode, ended.stdout) == (code, "")
    assert [file.name for file in program.folder.iterdir()] == ["taken"]
    assert (program.folder / "taken").read_text() == "mine"


@pytest.mark.parametrize("name", ["half.agentrun", "folder.agentrun", "nope.agentrun", "./text"])
@pytest.mark.parametrize("command", [("replay",), ("runs", "show"), ("runs", "import")])
def test_what_is_no_bundle_is_a_sentence(
    program: Program, name: str, command: tuple[str, ...]
) -> None:
    program.play({"text": "ok"})
    program.run("runs", "export", "last", "--bundle", "whole.agentrun")
    whole = (program.folder / "whole.agentrun").read_bytes()
    (program.folder / "half.agentrun").write_bytes(whole[: len(whole) // 2])
    (program.folder / "folder.agentrun").mkdir()
    (program.folder / "text").write_text("just text")
    ended = program.run(*command, name)
    assert name.removeprefix("./") in ended.stderr
    assert (ended.returncode, ended.stdout) == (66 if "nope" in name else 65, "")


def test_a_bundle_of_a_newer_program_is_refused_as_such(program: Program) -> None:
    played = program.play({"text": "ok"})
    ledger = Path(played.document["ledger"])
    data = ledger.read_bytes()
    program.run("runs", "export", "last", "--bundle", "x.agentrun")
    ledger.write_bytes(of_newer_program(data))
    for words in (("runs", "show"), ("runs", "export", "last", "--svg", "-")):
        ended = program.run(*words)
        assert f"written as version {NEWER}" in ended.stderr
        assert (ended.returncode, ended.stdout) == (73, "")


def test_a_picture_of_a_run_has_its_texts(program: Program) -> None:
    program.play(call("calculator", expression="6*7"), {"text": "It is **42** & more."})
    drawn = program.run("runs", "export", "last", "--svg", "-", "--title", "agentcli run sum")
    found = ElementTree.fromstring(drawn.stdout).itertext()
    text = " ".join("".join(found).replace("\xa0", " ").split())
    for part in ("agentcli run sum", "› Go.", "calculator 6*7", "42", "& more.", "done · 2 turns"):
        assert part in text
    written = program.run("runs", "export", "last", "--svg", "x.svg", "--title", "agentcli run sum")
    assert (program.folder / "x.svg").read_text() == drawn.stdout
    assert "x.svg" in written.stdout
    short = program.run("runs", "export", "last", "--svg", "-", "--lines", "4", "--width", "20")
    rows = {e.attrib["y"] for e in ElementTree.fromstring(short.stdout).iter() if "y" in e.attrib}
    assert len(rows) <= 5


def test_a_picture_is_for_others_to_see_and_a_bundle_is_not(program: Program) -> None:
    program.play({"text": "ok"})
    mask = os.umask(0o022)
    try:
        program.run("runs", "export", "last", "--svg", "x.svg")
        program.run("runs", "export", "last", "--bundle", "x.agentrun")
    finally:
        os.umask(mask)
    modes = {file.name: file.stat().st_mode & 0o777 for file in program.folder.iterdir()}
    assert modes == {"x.svg": 0o644, "x.agentrun": 0o600}


def test_a_run_under_way_is_exported_as_it_is(program: Program) -> None:
    model = program.script({"text": "late", "delay_ms": 60_000})
    with program.start("run", "--prompt", "x", "--model", model) as running:
        for _ in range(400):
            ledgers = list(program.home.glob("runs/*/ledger.jsonl"))
            if ledgers and '"kind":"ask_model"' in ledgers[0].read_text():
                break
            time.sleep(0.05)
        assert program.run("runs", "export", "last", "--bundle", "x.agentrun").returncode == 0
        assert "running" in program.run("runs", "list").stdout
        assert "status    running" in program.run("runs", "show", "last").stdout
        os.kill(running.pid, 9)
    path = str(program.folder / "x.agentrun")
    assert other_machine(program).run("replay", path, "--verify").returncode == 0
    shown = program.run("runs", "show", "last").stdout
    assert "status    open · Its process was cut off." in shown
    assert "agentcli resume" in shown


def test_a_run_is_written_as_a_page_and_its_records_are_copied(program: Program) -> None:
    played = program.play(call("calculator", expression="6*7"), {"text": "It is *42*."})
    ledger = Path(played.document["ledger"])
    for option in ("--md", "--html"):
        told = program.run("runs", "export", "last", option, "x").stdout
        page = (program.folder / "x").read_text()
        assert re.fullmatch(r"x: \d+ records\n", told)
        assert page == program.run("runs", "export", "last", option, "-").stdout
        for part in ("6*7", "read_only", "It is *42*."):
            assert part.replace("_", "\\_" if option == "--md" else "_") in page
        taken = program.run("runs", "export", "last", option, "x")
        assert (taken.returncode, "is there already" in taken.stderr) == (65, True)
        assert program.run("runs", "export", "last", option, "x", "--force").returncode == 0
        (program.folder / "x").unlink()
    program.run("runs", "export", "last", "--jsonl", "x")
    assert (program.folder / "x").read_bytes() == ledger.read_bytes()
    assert (program.folder / "x").stat().st_mode & 0o777 == 0o600
    with ledger.open("ab") as file:
        file.write(b'{"torn')
    copied = program.run("runs", "export", "last", "--jsonl", "-").stdout
    assert copied.encode() == (program.folder / "x").read_bytes()
    ledger.write_bytes(ledger.read_bytes().replace(b"42", b"43"))
    for option in ("--md", "--html", "--jsonl"):
        ended = program.run("runs", "export", "last", option, "-")
        assert (ended.returncode, ended.stdout) == (73, "")


def test_pages_show_secrets_as_marks(program: Program) -> None:
    program.play({"text": f"Use {SECRET}"})
    for option in ("--md", "--html", "--jsonl"):
        page = program.run("runs", "export", "last", option, "-").stdout
        assert SECRET not in page
        assert "REDACTED" in page
