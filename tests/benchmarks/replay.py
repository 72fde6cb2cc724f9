"""How fast a long ledger is verified: read, checked against its chain, every decision computed."""

import asyncio
import hashlib
import time
from pathlib import Path

import msgspec

from agentcli.core.event import Input, Outcome, Prepared, Replied, RunStarted, Started, ToolEnded
from agentcli.core.fold import fold_all
from agentcli.core.message import Usage
from agentcli.core.plan import Plan
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent, AskModel, Call, Prepare, RunTool
from agentcli.ledger.folder import RunFolder
from agentcli.loop.inbox import QueueInbox
from agentcli.loop.port import Show
from agentcli.loop.run import run
from tests.benchmarks.measure import agentcli, environ, used_by
from tests.fake.journal import MemoryJournal
from tests.fake.world import FACTS, blocks_of, make_rules

TURNS = 2_000
OUTPUT = "a line of what a tool says\n" * 40


def replay(home: str) -> None:
    """Print the events a second of `replay --instant --verify`, its own start-up included."""
    short, events = long_run(Path(home, "short"), 1)
    folder, events = long_run(Path(home, "long"), TURNS)
    size_mb = folder.ledger.stat().st_size / 1e6
    begun = time.perf_counter()
    hashlib.sha256(folder.ledger.read_bytes()).digest()
    print(f"floor: sha256 of {size_mb:.1f} MB: {time.perf_counter() - begun:.2f} s")
    used = []
    for run_folder in (short, folder):
        words = ("replay", str(run_folder.ledger), "--instant", "--verify")
        used.append(used_by(agentcli(*words), environ(home), home))
    start, whole = used
    print(f"a ledger of a few records: {start.wall_s:.2f} s")
    print(
        f"{events:,} events: {whole.wall_s:.2f} s, {events / whole.wall_s:,.0f} events/s, "
        f"{whole.peak_mb:.0f} MB; without the start {events / (whole.wall_s - start.wall_s):,.0f}"
    )


def long_run(path: Path, turns: int) -> tuple[RunFolder, int]:
    """Make a run of so many turns with two calls each, through the real loop."""
    path.mkdir()
    folder, rules = RunFolder(path), make_rules()
    agent = Agent("react", "Go.")
    plan = Plan("none", "none", "", agent, rules.policy, SandboxSpec(), limit_steps=turns + 1)
    folder.keep_plan(plan, ())
    begun = RunStarted(folder.id, agent, None, turns + 1, plan=plan.digest())
    lines: list[bytes] = []
    asyncio.run(drive(turns, begun, MemoryJournal(lines, time.monotonic_ns)))
    folder.ledger.write_bytes(b"".join(lines))
    return folder, len(lines)


async def drive(turns: int, begun: Input, journal: MemoryJournal) -> None:
    async def perform(start: Started, show: Show) -> Outcome:
        match start.act:
            case AskModel():
                turn = int(start.id[0].rpartition(".")[2])
                calls = tuple(Call("look", {"at": f"{turn}.{i}"}) for i in range(2))
                if turn > turns:
                    return Replied(start.id, blocks_of("Done.", ()), "end_turn")
                return Replied(start.id, blocks_of("", calls), "tool_use", calls, Usage(10, 10))
            case Prepare(call=call):
                return Prepared(start.id, call, FACTS)
            case RunTool():
                return ToolEnded(start.id, "done", OUTPUT)
            case act:
                raise AssertionError(msgspec.json.encode(act))

    await run(
        make_rules(),
        fold_all([]),
        QueueInbox(begun),
        journal,
        perform,
        lambda rec: None,
        lambda signal: None,
    )
