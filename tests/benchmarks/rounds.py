"""What a call of a tool costs between a reply and the next ask."""

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tests.benchmarks.measure import agentcli, environ, script

ROUNDS = 20


def rounds(home: str) -> None:
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
        times = round_times(Path(document["ledger"]))
        middle = statistics.median(times)
        print(
            f"{backend}: {middle:.1f} ms a round, {middle / floor:.1f} x the floor, n={len(times)}"
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
