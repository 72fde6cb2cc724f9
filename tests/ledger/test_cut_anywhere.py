"""A ledger cut at every byte, and each time its run goes on to the end.

What a crash leaves behind is taken from the uncut run: before each of its writes, what the world
had done by then and what stood beside the ledger, its sealed heads among it.
"""

import asyncio
import os
import shutil
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from agentcli.core.event import (
    Failed,
    Interrupted,
    Outcome,
    Recorded,
    RunResumed,
    Settled,
    Started,
    ToolEnded,
)
from agentcli.core.message import Turn
from agentcli.core.policy import Rules
from agentcli.core.state import RunState
from agentcli.core.step import ActId, AskModel, Call, RunTool
from agentcli.core.view import UNKNOWN, View
from agentcli.ledger.file import FileJournal
from agentcli.ledger.seal import Seal
from agentcli.ledger.vault import Vault
from agentcli.ledger.verify import verify
from agentcli.loop.port import Journal, Show
from tests.fake.world import Script, World, make_rules, make_start, read_all, statuses

KINDS = {
    "put": "idempotent",
    "shell": "reversible",
    "pay": "irreversible",
    "look": "pure",
    "flaky": "failing",
    "hang": "interrupted",
}
# Those with an effect run one after the other; the last three run at once.
CALLS = tuple(Call(tool, {"at": "a"} if tool == "look" else {}) for tool in KINDS)
STEPS = {tool: f"main/call.1.{n}" for n, tool in enumerate(KINDS)}
SCRIPT: Script = (("", CALLS), ("ok", ()))
HAPPENED = "The user says that this call did happen. Its output is lost."
AT_ONCE = 500  # cuts that a process takes in one piece
REST = {STEPS["hang"]: "unknown", **dict.fromkeys(("main/ask.1", "main/ask.2", "main"), "done")}

RULES = make_rules()

Files = dict[str, bytes]
Effects = Counter[tuple[str, str]]


def skip_sync(file: int) -> None:
    """The cuts take off bytes, not power: no need to wait for the disk."""


class InPlace(ThreadPoolExecutor):
    """Does at once what is meant for a thread: a thread for each write takes longer than it."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **named: Any) -> "Future[Any]":
        done: Future[Any] = Future()
        done.set_result(work(*args, **named))
        return done


class Outside(World):
    """Here a person stops the call that hangs as soon as all calls beside it are settled."""

    def __init__(self, effects: Effects) -> None:
        super().__init__(SCRIPT)
        self.effects = Counter(effects)
        self.alone = asyncio.Event()

    async def run_once(self, rules: Rules, state: RunState, journal: Journal) -> RunState | None:
        asyncio.get_running_loop().set_default_executor(InPlace())
        return await super().run_once(rules, state, journal)

    def publish(self, rec: Recorded) -> None:
        super().publish(rec)
        if isinstance(rec.event, Settled | RunResumed):
            settled = statuses(self.events).keys()
            if all(step in settled for tool, step in STEPS.items() if tool != "hang"):
                self.alone.set()

    async def hang(self, start: Started, call: Call, show: Show) -> Outcome:
        self.effects[call.tool, start.key] += 1
        try:
            await self.alone.wait()
            self.inbox.put(Interrupted(start.id[0]))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return ToolEnded(start.id, "unknown", "part")
        raise AssertionError("unreachable")

    @property
    def done(self) -> Counter[str]:
        """How often each tool had its effect, under whatever key."""
        count: Counter[str] = Counter()
        for (tool, _), times in self.effects.items():
            count[tool] += times
        return count

    def told(self) -> list[str]:
        """What the model was told of its six calls, as the ledger has it."""
        asks = [event.act for event in self.events if isinstance(event, Started)]
        last = [act.context for act in asks if isinstance(act, AskModel)][-1]
        *_, turn = View(lambda seq: self.events[seq - 1]).messages(last)
        assert isinstance(turn, Turn)
        asked = [block for block in turn.blocks if block["type"] == "tool_use"]
        assert len(asked) == len(turn.results) == len(KINDS)
        return [result.text for result in turn.results]


@dataclass(frozen=True)
class Moment:
    """Just before a write: the size of the ledger, what was done, what stood beside it."""

    size: int
    effects: Effects
    beside: Files


class Watched(FileJournal):
    """Notes the moment before each write."""

    world: Outside
    moments: list[Moment]

    async def sync(self) -> None:
        beside = files_beside(self.path)
        self.moments.append(Moment(self.path.stat().st_size, +self.world.effects, beside))
        await super().sync()


def state_of(ledger: Path) -> Path:
    return ledger.parents[2]


def files_beside(ledger: Path) -> Files:
    return {
        str(path.relative_to(state_of(ledger))): path.read_bytes()
        for path in state_of(ledger).rglob("*")
        if path.is_file() and path != ledger
    }


def put_back(ledger: Path, beside: Files, data: bytes) -> None:
    """Make the state's folder what it was at that moment, with these bytes in the ledger."""
    shutil.rmtree(state_of(ledger), ignore_errors=True)
    for name, content in beside.items():
        path = state_of(ledger) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_bytes(data)


def vault_of(ledger: Path) -> Vault:
    return Vault(ledger.parent / "private", sync_file=skip_sync)


def seal_of(ledger: Path) -> Seal:
    return Seal(state_of(ledger), ledger.parent)


@dataclass(frozen=True)
class Whole:
    """The uncut run."""

    data: bytes
    moments: list[Moment]
    end: dict[str, str]
    told: list[str]
    done: Counter[str]


def run_uncut(ledger: Path) -> Whole:
    ledger.parent.mkdir(parents=True)
    world = Outside(Counter())
    journal = Watched(ledger, vault_of(ledger), world.now_us, skip_sync, seal_of(ledger))
    with journal:
        journal.world, journal.moments = world, []
        state = world.go(RULES, make_start(), journal, [])
    assert state is not None
    assert state.phase == "ended"
    return Whole(
        ledger.read_bytes(), journal.moments, dict(statuses(world.events)), world.told(), world.done
    )


def cuts_of(whole: Whole) -> list[tuple[int, int]]:
    """Return every size that a crash can leave, each with the number of the write it cut.

    A size between two writes comes twice: what the first one has started is done, or is not.
    """
    starts = [moment.size for moment in whole.moments]
    cuts = [(bisect_right(starts, size - 1) - 1, size) for size in range(1, len(whole.data) + 1)]
    return cuts + [(number, size) for number, size in enumerate(starts) if size]


@dataclass
class Seen:
    """Counts over many cuts. again: effects had once more, by the kind of call."""

    resumes: int = 0
    torn: int = 0
    asked: int = 0
    again: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Seen") -> None:
        self.resumes += other.resumes
        self.torn += other.torn
        self.asked += other.asked
        self.again += other.again

    def __str__(self) -> str:
        again = ", ".join(f"{kind} {self.again[kind]:,}" for kind in KINDS.values())
        return (
            f"{self.resumes:,} resumes, {self.torn:,} of them after a torn line; effects "
            f"had again: {again}; a person was asked what happened {self.asked:,} times"
        )


def resume_all(ledger: Path, whole: Whole, cuts: list[tuple[int, int]]) -> Seen:
    seen = Seen()
    for number, size in cuts:
        resume_cut(ledger, whole, whole.moments[number], size, seen)
    return seen


def resume_cut(ledger: Path, whole: Whole, moment: Moment, size: int, seen: Seen) -> None:
    """Go on from one cut and hold what comes of it against the uncut run."""
    safe = whole.data[: whole.data.rfind(b"\n", 0, size) + 1]
    put_back(ledger, moment.beside, whole.data[:size])
    world = Outside(moment.effects)
    with FileJournal(ledger, vault_of(ledger), world.now_us, skip_sync, seal_of(ledger)) as journal:
        state = world.go(RULES, make_start(), journal, journal.records)
    data, where = ledger.read_bytes(), f"cut at byte {size}"

    assert data.startswith(safe), f"{where}: an acknowledged record is gone or changed"
    assert state is not None, where
    assert (state.phase, state.steps) == ("ended", {}), where
    records = read_all(data.splitlines(keepends=True))
    if size - len(safe) < 2 or size % 8 == 0:  # it takes longer than all else
        assert verify(RULES, records) is None, where
    assert all(len(keys) == 1 for keys in world.keys.values()), where

    lost = lost_calls([rec for rec in records if rec.seq <= safe.count(b"\n")])
    unknown = {STEPS["shell"]: "unknown"} if "shell" in lost else {}
    assert statuses(world.events) == {**whole.end, **unknown}, where
    for tool, told, uncut in zip(KINDS, world.told(), whole.told, strict=True):
        allowed = {uncut} | ({UNKNOWN, HAPPENED} if tool in lost else set())
        assert told in allowed, f"{where}: {tool}: {told}"

    shells = sum(n for (tool, _), n in moment.effects.items() if tool == "shell")
    assert world.done["pay"] == 1, where
    assert world.done["shell"] == (shells if "shell" in lost else 1), where
    assert len(world.effects) == len(+world.done), f"{where}: an effect under another key"
    past = [act.call.tool for act in world.asked if act.question == "did_it_happen"]
    assert past == (["pay"] if "pay" in lost else []), where

    seen.resumes += 1
    seen.torn += size > len(safe)
    seen.asked += len(past)
    for tool, kind in KINDS.items():
        seen.again[kind] += max(0, world.done[tool] - whole.done[tool])


def lost_calls(records: list[Recorded]) -> set[str]:
    """Return the tools of the calls that were started and have no recorded end."""
    running: dict[ActId, str] = {}
    for rec in records:
        match rec.event:
            case Started(id=id, act=RunTool(call=call)):
                running[id] = call.tool
            case ToolEnded(id=id) | Failed(id=id):
                running.pop(id, None)
    return set(running.values())


@pytest.mark.slow
def test_a_run_cut_at_any_byte_goes_on_to_the_same_end_and_effects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run_uncut(tmp_path / "whole" / "runs" / "r1" / "ledger.jsonl")
    assert whole.end == {**dict.fromkeys(STEPS.values(), "done"), **REST}
    cuts = cuts_of(whole)
    assert {"seals/r1.json", "runs/r1/head.json"} <= whole.moments[-1].beside.keys()
    assert {size for _, size in cuts} == set(range(1, len(whole.data) + 1))
    parts = [cuts[at : at + AT_ONCE] for at in range(0, len(cuts), AT_ONCE)]
    seen = Seen()
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        ledgers = [tmp_path / f"cut{n}" / "runs" / "r1" / "ledger.jsonl" for n in range(len(parts))]
        for part in pool.map(resume_all, ledgers, repeat(whole), parts):
            seen.add(part)
    assert seen.resumes == len(cuts)
    assert seen.again.keys() <= {"pure", "idempotent", "failing", "interrupted"}
    with capsys.disabled():
        print(f"\n{len(whole.data):,} bytes, {seen}")
