"""A title, a path or an id of another's making cannot paint the terminal or forge a line."""

import io
import json
import re
import shlex
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Program
from tests.core.test_visible import FORBIDDEN

EVIL = "\x1b[31m\x1b]0;x\x07\x9b2J\u202e\x7fneedle\U000e0041"

FORGED = ("20990101", "  status    done forged")


@pytest.fixture
def hostile(program: Program) -> Path:
    """Return the folder of a run whose title and name are hostile, among the runs at home."""
    model = program.script({"text": EVIL})
    task = program.folder / "t.yaml"
    given = {"goal": EVIL, "title": f"{EVIL}\n  status    done forged"}
    task.write_text(yaml.safe_dump(given))
    ended = program.run("run", str(task), "--model", model, "--profile", "reader")
    assert ended.returncode == 0, ended.stderr
    (run,) = (program.home / "runs").iterdir()
    return run.rename(run.with_name(f"{run.name}{EVIL}\n20990101 done  forged; touch owned"))


@pytest.mark.parametrize("damaged", [False, True])
@pytest.mark.parametrize(
    "words",
    [
        ("runs", "list"),
        ("runs", "list", "--json"),
        ("runs", "show", "last"),
        ("runs", "show", "last", "--json"),
        ("runs", "show", "PATH"),
        ("runs", "search", "needle"),
        ("runs", "search", "needle", "--json"),
        ("runs", "export", "last", "--svg", "-"),
        ("runs", "export", "last", "--md", "-"),
        ("runs", "export", "last", "--html", "-"),
        ("runs", "export", "last", "--jsonl", f"{EVIL}.jsonl"),
        ("runs", "rename", "last", f"{EVIL}\n20990101 done"),
        ("runs", "prune", "--older", "1h", "--dry-run", "--unfinished"),
        ("audit", "trail", "last"),
        ("audit", "export", "last", "--sqlite", f"{EVIL}.sqlite"),
        ("runs", "export", "last", "--bundle", f"{EVIL}.agentrun"),
        ("runs", "import", "PATH/ledger.jsonl"),
        ("replay", "last"),
        ("replay", "PATH", "-f"),
        ("replay", "last", "--verify"),
    ],
)
def test_nothing_hostile_of_a_run_reaches_the_terminal(
    program: Program, hostile: Path, words: tuple[str, ...], damaged: bool
) -> None:
    if damaged:
        ledger = hostile / "ledger.jsonl"
        ledger.write_bytes(ledger.read_bytes() + f"needle {EVIL}\n".encode())
    ended = program.run(*(word.replace("PATH", str(hostile)) for word in words))
    assert ended.stdout + ended.stderr
    assert FORBIDDEN.findall(ended.stdout + ended.stderr) == []
    assert [line for line in ended.stdout.split("\n") if line.startswith(FORGED)] == []
    if "--json" in words and ended.returncode == 0:
        assert any(EVIL in text for text in texts_in(json.loads(ended.stdout)))


def texts_in(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for inner in value:
                yield from texts_in(inner)
        case dict():
            for inner in value.values():
                yield from texts_in(inner)


def test_the_commands_of_a_run_name_it_whatever_its_path(program: Program, hostile: Path) -> None:
    for wanted in (hostile, hostile / "ledger.jsonl"):
        shown = json.loads(program.run("runs", "show", str(wanted), "--json").stdout)
        for command in shown["commands"]:
            assert str(hostile / "ledger.jsonl") in shlex.split(command)
            assert program.run(*shlex.split(command)[1:]).returncode == 0


@pytest.mark.parametrize("command", [("runs", "import"), ("runs", "show"), ("replay",)])
@pytest.mark.parametrize("change", ["run", "file", "program"])
def test_a_bundle_with_hostile_names_says_them_harmlessly(
    program: Program, command: tuple[str, ...], change: str
) -> None:
    program.play({"text": "ok"})
    program.run("runs", "export", "last", "--bundle", "x.agentrun")
    path = program.folder / f"{EVIL}.agentrun"
    with tarfile.open(program.folder / "x.agentrun") as old, tarfile.open(path, "w:gz") as new:
        for info in old:
            file = old.extractfile(info)
            assert file
            data = file.read()
            if info.name == "manifest.json":
                manifest = json.loads(data)
                if change == "file":
                    manifest["files"][f"outputs/{EVIL}"] = manifest["files"]["plan.json"]
                else:
                    manifest[change] = f"{EVIL}\n20990101 done"
                data = json.dumps(manifest).encode()
                info.size = len(data)
            new.addfile(info, io.BytesIO(data))
    ended = program.run(*command, str(path))
    assert ended.returncode == (0 if change == "program" else 65), ended.stderr
    assert FORBIDDEN.findall(ended.stdout + ended.stderr) == []
    assert not re.search(r"^20990101", ended.stdout + ended.stderr, re.MULTILINE)
