"""The place where runs are kept: full, read-only, or gone while a run is under way."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import SANDBOX, Program, call
from tests.cli.test_own_tool import add_tool
from tests.cli.test_run import wait_for_text

NOTE = """
import json, os, sys
args = json.load(sys.stdin)
with open("effects", "a") as file:
    file.write(f"{args['n']} {os.environ['AGENTCLI_IDEMPOTENCY_KEY']}\\n")
print(json.dumps({"text": "noted " + str(args["n"])}))
"""
CALLS = 12
RUN_TOOL = b'"kind":"run_tool"'
TURNS: list[dict[str, Any]] = [
    *({"text": "x" * 300, **call("own", n=n)} for n in range(CALLS)),
    {"text": "All noted."},
]
NO_MOUNT = "a small file system cannot be mounted here"


@pytest.fixture
def small(program: Program) -> Iterator[Program]:
    """A program whose home is a file system of 1 MB."""
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(program.home)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip(NO_MOUNT)
    try:
        yield program
    finally:
        subprocess.run(["umount", "--lazy", str(program.home)], check=True)


def fill(program: Program, free_kb: int) -> Path:
    """Leave so much room in the program's home and return the file that takes the rest."""
    ballast = program.home / "ballast"
    found = os.statvfs(program.home)
    ballast.write_bytes(bytes(found.f_bavail * found.f_frsize - (free_kb << 10)))
    return ballast


def noted(program: Program) -> list[str]:
    return (program.folder / "effects").read_text().splitlines()


@pytest.mark.parametrize("free_kb", [0, 4, 8, 12])
def test_a_full_disk_ends_a_run_before_the_next_effect_and_room_lets_it_go_on(
    small: Program, free_kb: int
) -> None:
    words = add_tool(small, NOTE)
    assert small.play(*TURNS, words=(*words, "--steps", "1")).code == 76
    [run] = (small.home / "runs").iterdir()
    ledger = run / "ledger.jsonl"
    before = ledger.read_bytes()
    ballast = fill(small, free_kb)
    full = small.run("resume", "last", "--steps", "30")
    assert full.returncode == 73, full.stderr
    assert f"{ledger}: cannot be written: No space left on device" in full.stderr
    assert f"agentcli resume {run.name}" in full.stderr
    data = ledger.read_bytes()
    safe = data[: data.rfind(b"\n") + 1]
    assert safe.startswith(before)
    assert len(noted(small)) <= safe.count(RUN_TOOL), "an effect that no record announces"

    still = small.run("resume", "last", "--json", "--steps", "30")
    document = json.loads(still.stdout)
    assert (still.returncode, document["exit_code"]) == (73, 73)
    assert "No space left on device" in document["message"]
    assert f"agentcli resume {run.name}" in document["hint"]
    ballast.unlink()
    resumed = small.run("resume", "last", "--json", "--steps", "30")
    assert (resumed.returncode, json.loads(resumed.stdout)["answer"]) == (0, "All noted.")
    assert ledger.read_bytes().startswith(safe)
    assert len({*noted(small)}) == CALLS, "once each, or again under the same key"
    assert small.run("replay", "last", "--verify").returncode == 0


def test_a_disk_with_no_room_for_a_run_says_so_before_it_begins(small: Program) -> None:
    fill(small, 8)
    more = ("--model", small.script({"text": "ok"}), "--sandbox", SANDBOX)
    full = small.run("run", "--prompt", "Go.", *more)
    assert full.returncode == 73
    assert f"{small.home / 'runs'}" in full.stderr
    assert "No space left on device" in full.stderr
    assert "AGENTCLI_HOME" in full.stderr
    assert list((small.home / "runs").iterdir()) == []


def test_a_read_only_home_takes_no_run_and_shows_those_that_are_there(small: Program) -> None:
    words = add_tool(small, NOTE)
    played = small.play(*TURNS, words=(*words, "--steps", "1"))
    subprocess.run(["mount", "-o", "remount,ro", str(small.home)], check=True)
    resumed = small.run("resume", "last", "--steps", "30")
    assert resumed.returncode == 73
    assert f"{played.document['ledger']}: Read-only file system" in resumed.stderr
    new = small.run("run", "--prompt", "x", "--model", small.script({"text": "ok"}))
    assert new.returncode == 73
    assert "Read-only file system" in new.stderr
    assert "AGENTCLI_HOME" in new.stderr
    assert small.run("runs", "list").returncode == 0
    assert small.run("replay", "last", "--verify").returncode == 0
    assert len(noted(small)) == 1


def test_a_run_whose_folder_is_deleted_ends_before_its_next_effect(program: Program) -> None:
    words = add_tool(program, NOTE)
    turns = [TURNS[0], {"delay_ms": 3000, **TURNS[1]}, *TURNS[2:]]
    more = ("--model", program.script(*turns), "--sandbox", SANDBOX, *words)
    with program.start("run", "--prompt", "Go.", *more) as running:
        wait_for_text(program.home, '"step":"main/call.1.0","status":"done"')
        [run] = (program.home / "runs").iterdir()
        shutil.rmtree(run)
        _, err = running.communicate(timeout=30)
    assert running.returncode == 73, err
    assert f"{run / 'ledger.jsonl'}: it was removed while the run was under way" in err.decode()
    assert len(noted(program)) == 1
    assert not run.exists()
