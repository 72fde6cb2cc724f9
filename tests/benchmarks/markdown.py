"""What it costs to draw a long answer in a terminal."""

import os
import pty
import select
import time

from tests.benchmarks.measure import Used, agentcli, environ, script, wait_for

WORDS = "The quick brown fox jumps over the lazy dog while `code` and **bold** words pass. "


def markdown(home: str) -> None:
    """Print the cpu of rendering a long answer in a terminal, beyond that of a short one."""
    short = in_terminal(home, "Done.")
    print(f"a short answer: {short.cpu_s:.2f} s cpu, {short.peak_mb:.0f} MB")
    for tokens in (20_000, 60_000):
        used = in_terminal(home, long_text(tokens))
        beyond_s = used.cpu_s - short.cpu_s
        print(f"{tokens} tokens: {beyond_s:.2f} s cpu beyond that, {used.peak_mb:.0f} MB")


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


def in_terminal(home: str, text: str) -> Used:
    """Run one answer in a terminal of 120 columns."""
    model = script(home, [{"text": text}])
    begun = time.perf_counter()
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
    _, used = wait_for(pid, begun)
    os.close(fd)
    return used
