"""What it costs to begin: commands that do little, one answer, a chat until it can be typed at."""

import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.measure import ROOT, Used, agentcli, environ, median, used_by, wait_for

TIMES = 7
MODEL = "claude-haiku-4-5"
# The floor of one answer: the client alone, imported as everybody does.
BARE = f"""
import anthropic
client = anthropic.Anthropic()
said = [{{"role": "user", "content": "x"}}]
with client.messages.stream(model="{MODEL}", max_tokens=99, messages=said) as stream:
    print(stream.get_final_text())
"""


@dataclass(frozen=True)
class Case:
    """bar: in seconds of cpu, or in times the floor's if there is one."""

    name: str
    argv: list[str]
    bar: float | None = None
    floor: str = ""
    env: dict[str, str] = field(default_factory=dict)


def startup(home: str) -> None:
    """Print medians; the commands take turns, so that all meet the same machine."""
    one_shot = agentcli("run", "--prompt", "x", "--model", MODEL)
    in_box = [*one_shot, "--sandbox", "bubblewrap"]
    whole = {"AGENTCLI_LAZY_SDK": "0"}
    cases = [
        Case("a bare interpreter", [sys.executable, "-c", "pass"]),
        Case("--version", agentcli("--version"), 3, "a bare interpreter"),
        Case("--help", agentcli("--help"), 0.12),
        Case("a completion", agentcli("__complete", "bash", "agentcli run --pro", " ="), 0.15),
        Case("one answer, the client alone", [sys.executable, "-c", BARE]),
        Case("one answer", in_box, 1, "one answer, the client alone"),
        Case("one answer, LAZY_SDK=0", in_box, None, "one answer, the client alone", whole),
    ]
    with instant_model() as address, tempfile.TemporaryDirectory() as folder:
        env = {**environ(home), "ANTHROPIC_BASE_URL": address, "ANTHROPIC_API_KEY": "k"}
        measured = alternate(cases, env, folder)
        print(f"{'':30} {'cpu s':>6} {'floor':>6} {'bar':>6} {'wall s':>6} {'MB':>4}")
        for case in cases:
            if isinstance(found := measured[case.name], Used):
                floor = measured.get(case.floor)
                times = found.cpu_s / floor.cpu_s if isinstance(floor, Used) else None
                print(row(case.name, found, times, case.bar))
            else:
                print(f"{case.name:30} not measured: {found}")
        chats = [chat(env, folder) for _ in range(TIMES)]
        print(row("a chat until its prompt", median(chats), None, 0.6))
        demo(env, folder)


def alternate(cases: list[Case], env: dict[str, str], folder: str) -> dict[str, Used | str]:
    """Return what each used, or why it could not be run. The first time fills caches, uncounted."""
    found: dict[str, list[Used]] = {case.name: [] for case in cases}
    failed: dict[str, str] = {}
    for _ in range(TIMES + 1):
        for case in cases:
            if case.name not in failed:
                try:
                    found[case.name].append(used_by(case.argv, {**env, **case.env}, folder))
                except RuntimeError as error:
                    failed[case.name] = str(error)
    return {name: failed.get(name) or median(many[1:]) for name, many in found.items()}


def row(name: str, used: Used, times: float | None, bar: float | None) -> str:
    floor = f"{times:.2f}x" if times else ""
    told = f"{bar:g}{'x' if times else ' s'}" if bar else ""
    cpu = f"{used.cpu_s:.3f}"
    return f"{name:30} {cpu:>6} {floor:>6} {told:>6} {used.wall_s:6.2f} {used.peak_mb:4.0f}"


@contextmanager
def instant_model() -> Iterator[str]:
    """Yield the address of a server that answers at once."""
    argv = [sys.executable, "-m", "tests.benchmarks.model"]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()


def chat(env: dict[str, str], folder: str) -> Used:
    """Begin a chat and leave it; return what it had used when its prompt was there."""
    begun = time.perf_counter()
    pid, fd = pty.fork()
    if pid == 0:
        os.chdir(folder)
        argv = agentcli("chat", "--model", MODEL, "--sandbox", "bubblewrap")
        os.execve(argv[0], argv, env)
    seen = b""
    while "›".encode() not in seen or b"/help" not in seen:
        if not select.select([fd], [], [], 30)[0]:
            raise RuntimeError(f"no prompt: {seen[-300:]!r}")
        seen += (piece := os.read(fd, 1 << 16))
        if b"\x1b[6n" in piece:  # it asks where the cursor is
            os.write(fd, b"\x1b[10;1R")
    wall_s = time.perf_counter() - begun
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    cpu_s = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    os.write(fd, b"\x04")
    while select.select([fd], [], [], 30)[0]:
        try:
            if not os.read(fd, 1 << 16):
                break
        except OSError:  # the terminal is gone with the program
            break
    _, whole = wait_for(pid, begun)
    os.close(fd)
    return Used(cpu_s, wall_s, whole.peak_mb)


def demo(env: dict[str, str], folder: str) -> None:
    """Print how long the demo takes, if there is one."""
    argv = agentcli("demo", "--yes")
    try:
        used_by([*argv, "--help"], env, folder)
        runs = [used_by(argv, env, folder) for _ in range(5)]
    except RuntimeError as error:
        print(f"{'demo --yes':30} not measured: {error}")
    else:
        print(row("demo --yes (bar 20 s wall)", median(runs), None, None))
