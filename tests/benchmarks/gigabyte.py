"""A ledger of a gigabyte: how fast it is listed, taken up, proven and recomputed."""

import asyncio
import hashlib
import json
import subprocess
import tempfile
import time
from pathlib import Path

from agentcli.compose.rules import rules_of
from agentcli.compose.taken import Taken
from agentcli.compose.tools import stored_tools
from agentcli.core.decide import decide
from agentcli.core.event import (
    BudgetRaised,
    Event,
    Outcome,
    Prepared,
    Replied,
    RunResumed,
    Started,
    ToolEnded,
)
from agentcli.core.fold import fold
from agentcli.core.step import AskModel, Call, Prepare
from agentcli.core.tool import Facts
from agentcli.ledger.file import FileJournal
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault
from tests.benchmarks.measure import agentcli, environ, script, wait_for

SIZE_BYTES = 1_000_000_000
CALLS = tuple(Call("calculator", {"expression": f"{n} + 1"}) for n in range(4))
OUTPUT = "a line of what a tool printed, as long as such lines are\n" * 80


def gigabyte(home: str) -> None:
    """Print the time and the memory of each command beside a plain read of the same bytes."""
    folder = begun(home)
    size, records = grow(folder, Path(home))
    print(f"{size / 1e6:,.0f} MB, {records:,} records of {size / records / 1000:.1f} kB")
    begin = time.perf_counter()
    with folder.ledger.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    floor = time.perf_counter() - begin
    print(f"floor: reading and hashing the bytes: {floor:.2f} s, {size / 1e6 / floor:,.0f} MB/s")
    commands = {
        "runs list": ("runs", "list"),
        "resume, until it is taken up": ("resume", folder.id),
        "audit verify": ("audit", "verify", folder.id),
        "replay --verify": ("replay", folder.id, "--verify"),
    }
    for name, words in commands.items():
        begin = time.perf_counter()
        child = subprocess.Popen(
            agentcli(*words), env=environ(home), stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        child.returncode, used = wait_for(child.pid, begin)
        rate = f", {size / 1e6 / used.wall_s:,.0f} MB/s" if "verify" in name else ""
        told = f"{used.wall_s:.2f} s, {used.peak_mb:,.0f} MB{rate}, exit {child.returncode}"
        print(f"{name}: {told}")


def begun(home: str) -> RunFolder:
    """Return a run of a model that only calls tools, parked after its first asks."""
    calls = [{"tool": call.tool, "args": call.args} for call in CALLS]
    model = script(home, [{"calls": calls}] * 3)
    words = ("run", "--prompt", "x", "--model", model, "--steps", "2", "--json", "-p", "reader")
    with tempfile.TemporaryDirectory() as folder:
        ended = subprocess.run(
            agentcli(*words), cwd=folder, env=environ(home), capture_output=True, check=False
        )
    return RunFolder(Path(json.loads(ended.stdout)["ledger"]).parent)


def grow(folder: RunFolder, state: Path) -> tuple[int, int]:
    """Let the run go on to its end, as fast as it can be written; return its bytes and records."""
    given = folder.given()
    rules, taken = rules_of(given), Taken(stored_tools(given.plan))
    vault, seal = Vault(folder.private), Seal(state, folder.path)
    vault.clean = lambda event: event  # type: ignore[method-assign]  # there is nothing secret
    with FileJournal(
        folder.ledger, vault, lambda: time.time_ns() // 1000, lambda file: None, seal, taken
    ) as journal:
        run = taken.state
        queue: list[Event] = [BudgetRaised(limit_steps=10**9)]
        event: Event | None = RunResumed(journal.epoch)
        while run.phase != "ended":
            event = event or queue.pop(0)
            while event is not None:
                rec = journal.seal(event)
                run = fold(run, rec)
                taken.note(rec)
                if isinstance(event, Started):
                    queue.append(outcome(event, is_last=journal.size > SIZE_BYTES))
                event = decide(rules, run)
            if len(journal.pending) > 1_000_000:
                asyncio.run(journal.sync())
                if (kept := journal.keep(run)) is not None:
                    queue.append(kept)
        asyncio.run(journal.sync())
        return journal.size, run.seq


def outcome(start: Started, *, is_last: bool) -> Outcome:
    match start.act:
        case AskModel() if is_last:
            return Replied(start.id, ({"type": "text", "text": "Done."},), "end_turn")
        case AskModel():
            return Replied(start.id, (), "tool_use", CALLS)
        case Prepare(call=call):
            return Prepared(start.id, call, Facts())
        case _:
            return ToolEnded(start.id, "done", OUTPUT)
