"""What it costs to write a ledger safely, beside the bare disk, and to prove one."""

import asyncio
import os
import shutil
import statistics
import sys
import time
from pathlib import Path

from agentcli.core.event import Event, Grown, ToolEnded, UserSaid
from agentcli.core.step import AskModel, Step
from agentcli.ledger.file import FileJournal
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import Chain
from agentcli.ledger.proof import prove
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault
from tests.benchmarks.measure import ROOT, used_by

GROUPS = (1, 8, 64)
RECORDS, ROUNDS = 512, 9
VERIFIED_MB = 256
PROSE = "The ledger of a run is read line by line, and each line is bound to the one before. "
# What a run writes: half of its records are decisions, in which nothing is looked for.
EVENTS: tuple[Event, ...] = (
    Grown("main/turn.1", {"note": PROSE * 10}, (Step("ask", AskModel()),)),
    ToolEnded(("main/turn.1/call.0", 2), "done", PROSE * 12),
)


def ledger(home: str) -> None:
    """Print the rate of appends beside write and fdatasync, and how fast a ledger is proved."""
    state = Path(home)
    chain = Chain()
    size = sum(len(chain.write(event, 1)[1]) for event in EVENTS) // len(EVENTS)
    print(f"records of {size:,} bytes on average, {RECORDS} a round, {ROUNDS} rounds")
    alone = 0.0
    for group in GROUPS:
        bare, ours = [], []
        for number in range(ROUNDS):  # in turn, so that both see the same disk
            bare.append(write_bare(state, size, group))
            ours.append(append(state, f"{group}-{number}", group))
        floor, middle = statistics.median(bare), statistics.median(ours)
        print(
            f"groups of {group}: {RECORDS / middle:,.0f} appends/s; write+fdatasync of the same "
            f"bytes {RECORDS / floor:,.0f}/s: {floor / middle:.2f} of it"
        )
        alone = alone or floor
        if group > 1:
            print(f"  {alone / middle:.2f} of write+fdatasync for each record by itself")
    verified(state)


def write_bare(state: Path, size: int, group: int) -> float:
    """Return how long the floor takes for all records, in seconds."""
    path, data = state / "bare", b"x" * (size * group)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begun = time.perf_counter()
    for _ in range(RECORDS // group):
        os.write(file, data)
        os.fdatasync(file)
    took = time.perf_counter() - begun
    os.close(file)
    path.unlink()
    return took


def append(state: Path, name: str, group: int) -> float:
    """Return how long the journal takes for all records, sealed head and all, in seconds."""
    folder = state / "runs" / name
    folder.mkdir(parents=True)
    vault = Vault(folder / "private")

    async def fill(journal: FileJournal) -> float:
        begun = time.perf_counter()
        for number in range(RECORDS):
            journal.seal(EVENTS[number % len(EVENTS)])
            if (number + 1) % group == 0:
                await journal.sync()
        return time.perf_counter() - begun

    path = folder / "ledger.jsonl"
    with FileJournal(path, vault, lambda: 1, seal=Seal(state, folder)) as journal:
        took = asyncio.run(fill(journal))
    shutil.rmtree(folder)
    return took


def verified(state: Path) -> None:
    """Print how fast a long ledger is proved, and how much memory that takes."""
    folder, chain, size = RunFolder(state / "long"), Chain(), 0
    folder.path.mkdir()
    chain.epoch = 1
    events = (*EVENTS[:1], UserSaid(PROSE * 12))
    with folder.ledger.open("wb") as file:
        while size < VERIFIED_MB << 20:
            line = chain.write(events[chain.seq % len(events)], chain.seq)[1]
            size += file.write(line)
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        proof = prove(state, folder)
        took.append(time.perf_counter() - begun)
        assert proof.is_ok
    words = ["-m", "agentcli", "audit", "verify", str(folder.path)]
    env = {**os.environ, "AGENTCLI_HOME": str(state), "PYTHONPATH": ROOT}
    used = used_by([sys.executable, *words], env, str(state))
    rate = size / statistics.median(took) / 1e6
    print(f"audit verify: {rate:,.0f} MB/s over {size / 1e6:,.0f} MB, {chain.seq:,} records")
    print(f"  as a command: {size / used.wall_s / 1e6:,.0f} MB/s, at most {used.peak_mb:.0f} MB")
