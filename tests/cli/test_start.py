"""What `agentcli` alone says, and that what is only read costs next to nothing."""

import json
import os
import pty
import re
import resource
import shlex
import statistics
import subprocess
import sys

import pytest
import typer

from agentcli.cli.app import app
from agentcli.cli.page import short
from tests.cli.conftest import Program

HEAVY = {"anthropic", "docker", "rich", "pydantic", "asyncio", "httpx2", "prompt_toolkit", "yaml"}
LIGHT = [
    ("--version",),
    ("--help",),
    ("run", "--help"),
    ("help", "env"),
    ("help", "run"),
    (),
    ("runs",),
    ("completion", "bash"),
    ("__complete", "fish", "run", "--model", ""),
    ("__complete", "fish", "run", ""),
    ("__complete", "bash", "agentcli resume ", " :="),
]


def in_terminal(program: Program, *words: str) -> tuple[int, str]:
    """Run a command whose streams are a terminal; return its exit code and what it showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        program.argv(*words),
        cwd=program.folder,
        env={**program.env(), "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    assert child.communicate()[1] == b""
    return child.returncode, shown.decode().replace("\r\n", "\n")


def test_alone_in_a_terminal_it_shows_six_lines(program: Program) -> None:
    code, shown = in_terminal(program)
    lines = shown.splitlines()
    assert (code, len(lines)) == (0, 6)
    assert lines[0].startswith("agentcli ")
    commands = [re.split(r" {2,}", line)[1] for line in lines[1:4]]
    assert commands[:2] == ["agentcli demo", "agentcli chat"]
    known = {*typer.main.get_command(app).commands}  # type: ignore[attr-defined]
    assert {shlex.split(command)[1] for command in commands} <= known
    assert str(program.home) in lines[4]
    assert "agentcli help" in lines[5]
    assert max(map(len, [*lines[:4], lines[5]])) <= 60


def test_alone_in_a_pipe_it_is_a_usage_error(program: Program) -> None:
    ended = program.run()
    assert (ended.returncode, ended.stdout) == (64, "")
    assert ended.stderr == program.run("--help").stdout


def test_a_folder_with_odd_characters_stays_one_harmless_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert short("/home/me/.config/agentcli") == "~/.config/agentcli"
    assert short("/home/meagain/x") == "/home/meagain/x"
    assert short("/a\n\x1b[31mb\x07") == "/a b<U+0007>"


@pytest.mark.parametrize("words", LIGHT, ids=" ".join)
def test_what_only_reads_loads_nothing_heavy(program: Program, words: tuple[str, ...]) -> None:
    (program.home / "runs" / "20260101-000000-1").mkdir(parents=True)
    probe = (
        "import atexit, json, sys; "
        "atexit.register(lambda: print(json.dumps(sorted(sys.modules)), file=sys.stderr)); "
        f"sys.argv = ['agentcli', *{words!r}]; "
        "from agentcli.__main__ import main; main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", probe],
        env=program.env(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    loaded = set(json.loads(ended.stderr.splitlines()[-1]))
    assert loaded & HEAVY == set()
    if words == ("--version",):
        assert "typer" not in loaded


def cpu_s(argv: list[str], env: dict[str, str], rounds: int = 10) -> float:
    """Return the median of the processor time that a command takes."""
    taken = []
    for _ in range(rounds):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(taken)


@pytest.mark.slow
def test_what_only_reads_takes_no_time(program: Program) -> None:
    """Beside a bare interpreter, so that a slow or busy machine is slow for both."""
    env = program.env()
    bare = cpu_s([sys.executable, "-c", "pass"], env)

    def times(*words: str) -> float:
        argv = [sys.executable, "-m", "agentcli", *words]
        return cpu_s(argv, env) / bare

    assert times("--version") <= 3
    assert times("--help") <= 12
    assert times("__complete", "fish", "run", "--model", "") <= 12
    assert times("help", "env") <= 12
