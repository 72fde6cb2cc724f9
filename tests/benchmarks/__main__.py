"""Measures what users feel, each beside a floor in the same run. Reported, never asserted.

python -m tests.benchmarks [rounds | markdown | startup]
"""

import json
import os
import pty
import resource
import select
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROUNDS = 20
WORDS = "The quick brown fox jumps over the lazy dog while `code` and **bold** words pass. "


def agentcli(*words: str) -> list[str]:
    return [sys.executable, "-m", "agentcli", *words]


def environ(home: str) -> dict[str, str]:
    root = str(Path(__file__).parents[2])
    return {**os.environ, "AGENTCLI_HOME": home, "PYTHONPATH": root, "TERM": "xterm-256color"}


def script(home: str, turns: list[object]) -> str:
    path = Path(home, f"script-{len(os.listdir(home))}.yaml")
    path.write_text(yaml.safe_dump({"turns": turns}))
    return f"scripted:{path}"


def tool_rounds(home: str) -> None:
    """Print the client's time from a whole reply to the next ask, for shell calls in sandboxes."""
    turns = [{"calls": [{"tool": "shell", "args": {"command": "echo x"}}]}] * ROUNDS
    model = script(home, [*turns, {"text": "ok"}])
    bare = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        subprocess.run(["bash", "-c", "echo x"], capture_output=True, check=True)
        bare.append((time.perf_counter() - begun) * 1000)
    floor = statistics.median(bare)
    print(f"floor: a bare `bash -c` on this machine: {floor:.1f} ms")
    for backend in ("docker", "bubblewrap"):
        words = ("run", "--prompt", "x", "--model", model, "--sandbox", backend, "--json")
        with tempfile.TemporaryDirectory() as folder:
            ended = subprocess.run(
                agentcli(*words), cwd=folder, env=environ(home), capture_output=True, check=False
            )
        document = json.loads(ended.stdout)
        if ended.returncode:
            print(f"{backend}: not measured: {document['message']}")
            continue
        rounds = round_times(Path(document["ledger"]))
        middle = statistics.median(rounds)
        print(
            f"{backend}: {middle:.1f} ms a round, {middle / floor:.1f} x the floor, n={len(rounds)}"
        )


def round_times(ledger: Path) -> list[float]:
    """Return the milliseconds from each reply with calls to the next ask."""
    replied_us, times = 0, list[float]()
    for line in ledger.read_text().splitlines():
        record = json.loads(line)
        event = record["event"]
        if event["kind"] == "replied":
            replied_us = record["at_us"] if event["calls"] else 0
        elif replied_us and event["kind"] == "started" and event["act"]["kind"] == "ask_model":
            times.append((record["at_us"] - replied_us) / 1000)
    return times


def markdown(home: str) -> None:
    """Print the cpu of rendering a long answer in a terminal, beyond that of a short one."""
    short = in_terminal(home, "Done.")
    print(f"a short answer: {short[0]:.2f} s cpu, {short[1]:.0f} MB")
    for tokens in (20_000, 60_000):
        cpu, rss = in_terminal(home, long_text(tokens))
        print(f"{tokens} tokens: {cpu - short[0]:.2f} s cpu beyond that, {rss:.0f} MB")


def long_text(tokens: int) -> str:
    parts: list[str] = []
    size = 0
    while size < tokens * 4:
        i = len(parts)
        part = [
            f"## Part {i}\n\n{WORDS * 4}\n\n",
            "".join(f"- item {n}: {WORDS}\n" for n in range(6)) + "\n",
            "```python\n"
            + "".join(f"def f{n}(x):\n    return x + {n}\n" for n in range(8))
            + "```\n\n",
            "| a | b |\n|---|---|\n"
            + "".join(f"| {n} | {WORDS[:40]} |\n" for n in range(5))
            + "\n",
        ][i % 4]
        parts.append(part)
        size += len(part)
    return "".join(parts)


def in_terminal(home: str, text: str) -> tuple[float, float]:
    """Run one answer in a terminal of 120 columns; return cpu seconds and peak MB."""
    model = script(home, [{"text": text}])
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    pid, fd = pty.fork()
    if pid == 0:
        env = {**environ(home), "COLUMNS": "120", "LINES": "40"}
        argv = agentcli("run", "--prompt", "x", "--profile", "reader", "--model", model)
        os.execve(argv[0], argv, env)
    while select.select([fd], [], [], 120)[0]:
        try:
            if not os.read(fd, 1 << 16):
                break
        except OSError:  # the terminal is gone with the program
            break
    _, _, used = os.wait4(pid, 0)
    os.close(fd)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, used.ru_maxrss / 1024


def startup(home: str) -> None:
    """Print the cpu of commands that do little, beside a bare interpreter's."""
    cases = {
        "a bare interpreter": [sys.executable, "-c", "pass"],
        "--version": agentcli("--version"),
        "--help": agentcli("--help"),
    }
    for name, argv in cases.items():
        times = []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(argv, env=environ(home), capture_output=True, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        print(f"{name}: {statistics.median(times):.3f} s cpu")


def main() -> None:
    known = {"rounds": tool_rounds, "markdown": markdown, "startup": startup}
    for name in sys.argv[1:] or known:
        with tempfile.TemporaryDirectory() as home:
            print(f"== {name}")
            known[name](home)


if __name__ == "__main__":
    main()
