"""Runs the program, and other ones, and says what they used."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from pathlib import Path

import yaml

ROOT = str(Path(__file__).parents[2])


def agentcli(*words: str) -> list[str]:
    return [sys.executable, "-m", "agentcli", *words]


def environ(home: str) -> dict[str, str]:
    return {**os.environ, "AGENTCLI_HOME": home, "PYTHONPATH": ROOT, "TERM": "xterm-256color"}


def script(home: str, turns: list[object]) -> str:
    path = Path(home, f"script-{len(os.listdir(home))}.yaml")
    path.write_text(yaml.safe_dump({"turns": turns}))
    return f"scripted:{path}"


@dataclass(frozen=True)
class Used:
    """What a process and the children it waited for used. peak_mb: of the largest one."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def wait_for(pid: int, begun: float) -> tuple[int, Used]:
    """Return how a process ended and what it used. begun: by time.perf_counter()."""
    _, status, used = os.wait4(pid, 0)
    wall_s = time.perf_counter() - begun
    cpu_s = used.ru_utime + used.ru_stime
    peak_mb = used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return os.waitstatus_to_exitcode(status), Used(cpu_s, wall_s, peak_mb)


def used_by(argv: list[str], env: Mapping[str, str], folder: str) -> Used:
    """Run to the end. Raises RuntimeError with what was said if it fails."""
    said = Path(folder, "said.txt")
    begun = time.perf_counter()
    with said.open("wb") as file:
        child = subprocess.Popen(
            argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
    child.returncode, used = wait_for(child.pid, begun)
    if child.returncode:
        raise RuntimeError(f"exit code {child.returncode}: {said.read_text()[-300:]}")
    return used


def median(many: Iterable[Used]) -> Used:
    return Used(*map(statistics.median, zip(*map(astuple, many), strict=True)))
