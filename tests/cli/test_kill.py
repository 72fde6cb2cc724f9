"""The real program killed at random moments, and resumed each time until its run ends.

pytest tests/cli/test_kill.py --kills 200 --kill-seed 7
"""

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml

from agentcli.core.event import Event, Recorded, Settled, Started
from agentcli.core.fold import fold_all
from agentcli.core.message import Turn
from agentcli.core.step import AskModel, RunTool
from agentcli.core.view import View
from agentcli.ledger.line import Chain
from tests.cli.conftest import SANDBOX, Program

SCRIPT = """
import json, os, sys, time
args = json.load(sys.stdin)
time.sleep(args["before_ms"] / 1000)
line = f"{args['name']} {os.environ['AGENTCLI_IDEMPOTENCY_KEY']}\\n"
file = os.open("effects", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
os.write(file, line.encode())
time.sleep(args["after_ms"] / 1000)
print(json.dumps({"text": args["name"] + " ok"}))
"""
TOOLS: dict[str, dict[str, Any]] = {
    "look": {"tier": "read_only", "idempotent": True},
    "put": {"tier": "reversible", "idempotent": True},
    "pay": {"tier": "irreversible", "idempotent": False},
}
HAPPENED = "The user says that this call did happen. Its output is lost."
SHOWN = ["Type pay to let it run", "y it happened", pexpect.EOF, pexpect.TIMEOUT]
KILLS_OF_ONE_RUN = 12
KILLED = -signal.SIGKILL


def make(tool: str, name: str, before_ms: int = 40, after_ms: int = 40) -> dict[str, Any]:
    return {"tool": tool, "args": {"name": name, "before_ms": before_ms, "after_ms": after_ms}}


# The ones that are asked first end last.
LOOKS = [make("look", f"look{n}", 60 - 20 * n) for n in range(4)]
TURNS: list[dict[str, Any]] = [
    {"delay_ms": 60, "text": "I look at all of it first.", "token_ms": 5, "calls": LOOKS},
    {"delay_ms": 60, "calls": [make("put", "put0"), make("look", "look4"), make("put", "put1")]},
    {"delay_ms": 60, "calls": [make("pay", "pay0", 80, 80)]},
    {"delay_ms": 60, "text": "All of it is done.", "token_ms": 20},
]
LONGEST_S = 120  # that one process may go on
CALLS = [call for turn in TURNS for call in turn.get("calls", ())]
NAMES = [call["args"]["name"] for call in CALLS]


@dataclass
class Victim:
    """One run, its workspace and the person who sits before it."""

    program: Program
    model: str
    chance: random.Random
    seen: Counter[str]
    lines: int = 0  # of the whole ledger of a run that nobody kills
    safe: bytes = b""  # whole lines that were seen: no later process may lose one
    asked: list[str] = field(default_factory=list)

    @property
    def ledger(self) -> Path | None:
        return next(self.program.home.glob("runs/*/ledger.jsonl"), None)

    def data(self) -> bytes:
        return self.ledger.read_bytes() if self.ledger else b""

    def effects(self) -> list[str]:
        path = self.program.folder / "effects"
        return path.read_text().splitlines() if path.exists() else []

    def done(self, name: str) -> int:
        return sum(line.startswith(f"{name} ") for line in self.effects())

    def words(self) -> list[str]:
        if self.ledger:
            return ["resume", "last", "--usd", "900", "--steps", "900"]
        more = ("--profile", "./p.yaml", "--sandbox", SANDBOX, "--usd", "900", "--steps", "900")
        return ["run", "--prompt", "Go.", "--model", self.model, *more]

    def go(self, *, kill: bool) -> int:
        """Start or resume at a terminal; return the exit code, KILLED if it was killed."""
        argv = self.program.argv(*self.words())
        child: Any = pexpect.spawn(  # a border: its types are loose
            argv[0], argv[1:], cwd=str(self.program.folder), env=self.program.env()
        )
        child.delayafterclose = child.ptyproc.delayafterclose = 0
        try:
            is_time = self.moment() if kill else lambda: False
            until = time.monotonic() + LONGEST_S
            while not is_time():
                assert time.monotonic() < until, "it waits for something that nobody answers"
                match child.expect(SHOWN, 0.003):
                    case 0:
                        for key in "pay\r":  # as a person does: what comes at once is a paste
                            child.send(key)
                            time.sleep(0.06)
                    case 1:
                        self.asked.append("did_it_happen")
                        child.send("y" if self.done("pay0") else "n")
                    case 2:
                        break
            else:
                child.kill(signal.SIGKILL)
            child.wait()
        finally:
            child.close(force=True)
        return -child.signalstatus if child.signalstatus else int(child.exitstatus)

    def moment(self) -> Callable[[], bool]:
        """Return what says when to kill: after some time, or soon after some record."""
        begin = time.monotonic()
        if self.chance.random() < 0.2:
            end = begin + self.chance.uniform(0.05, 3)
            return lambda: time.monotonic() > end
        lines = self.data().count(b"\n")
        wanted = self.chance.randint(lines, max(lines + 4, self.lines))
        late_s = self.chance.choice((0, 0.1, 0.4, 0.8)) * self.chance.random()
        due: list[float] = []

        def is_time() -> bool:
            if not due and self.data().count(b"\n") > wanted:
                due.append(time.monotonic() + late_s)
            return bool(due) and time.monotonic() >= due[0]

        return is_time

    def check(self, *, killed: bool) -> None:
        """Hold what a killed process left against what must hold at any moment."""
        data, before = self.data(), self.safe
        whole = data[: data.rfind(b"\n") + 1]
        assert whole.startswith(before), "an acknowledged record is gone or changed"
        assert self.done("pay0") <= 1, self.effects()
        if killed:
            self.seen[self.phase(data, before)] += 1
        if whole:
            verified = self.program.run("replay", "last", "--verify")
            assert verified.returncode == 0, verified.stdout + verified.stderr
        self.safe = whole

    def phase(self, data: bytes, before: bytes) -> str:
        """Return what the process was about when it was killed."""
        run = self.ledger.parent if self.ledger else self.program.home
        if not data.endswith(b"\n") and data:
            return "while writing a record"
        if any(path.name.startswith(".") for path in run.rglob("private/*")):
            return "while writing beside the ledger"
        if data == before:
            return "before its first record"
        records = read(data)
        state = fold_all(records)
        if state.phase == "ended":
            return "after the end"
        open_acts = [leaf.open for leaf in state.leaves if leaf.open]
        running = [start for start in open_acts if isinstance(start.act, RunTool)]
        for start in running:
            begun = sum(is_run_of(rec.event, start.key) for rec in records)
            had = sum(line.endswith(f" {start.key}") for line in self.effects())
            if had >= begun:
                return "after an effect, before its record"
        if running:
            return "between an intent and its effect"
        if any(isinstance(start.act, AskModel) for start in open_acts):
            return "during a reply"
        if any(leaf.asked for leaf in state.leaves):
            return "while a person was asked"
        return "while a call was prepared, or its sandbox opened"

    def told(self) -> list[str]:
        """Return what the model was told of its calls, each of which must have its result."""
        events = [rec.event for rec in read(self.data())]
        asks = [event.act for event in events if isinstance(event, Started)]
        last = [act.context for act in asks if isinstance(act, AskModel)][-1]
        told: list[str] = []
        for message in View(lambda seq: events[seq - 1]).messages(last):
            if isinstance(message, Turn):
                asked = [block for block in message.blocks if block["type"] == "tool_use"]
                assert len(asked) == len(message.results)
                told += [result.text for result in message.results]
        return told

    def statuses(self) -> dict[str, str]:
        events = (rec.event for rec in read(self.data()))
        return {event.step: event.status for event in events if isinstance(event, Settled)}


def is_run_of(event: Event, key: str) -> bool:
    return isinstance(event, Started) and isinstance(event.act, RunTool) and event.key == key


def read(data: bytes) -> list[Recorded]:
    chain = Chain()
    return [chain.read(line) for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def make_victim(folder: Path, seed: int, seen: Counter[str]) -> Victim:
    program = Program(folder / "work", folder / "home")
    (program.home / "tools").mkdir(parents=True)
    program.folder.mkdir()
    for name, tool in TOOLS.items():
        numbers = {key: {"type": "integer"} for key in ("before_ms", "after_ms")}
        manifest = {
            "labels": {"integrity": "tool"},  # or what is reversible would ask once it was used
            "name": name,
            "version": 1,
            "description": "Leaves a line.",
            "egress": False,
            **tool,
            "parameters": {"type": "object", "properties": {"name": {"type": "string"}, **numbers}},
            "run": {"script": f"{name}.py"},
        }
        (program.home / "tools" / f"{name}.yaml").write_text(yaml.safe_dump(manifest))
        (program.home / "tools" / f"{name}.py").write_text(SCRIPT)
    (program.folder / "p.yaml").write_text("extends: default\ntools: [look, put, pay]\n")
    program.environ = {"TERM": "xterm-256color"}
    return Victim(program, program.script(*TURNS), random.Random(seed), seen)


def run_to_end(victim: Victim, kills: int) -> int:
    """Kill a run up to so many times, then let it end. Return how often it was killed."""
    killed = 0
    while killed < kills and (code := victim.go(kill=True)) == KILLED:
        killed += 1
        victim.check(killed=True)
    if killed == kills:
        code = victim.go(kill=False)
    victim.check(killed=False)
    assert code == 0
    return killed


def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(
    tmp_path: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    kills, seed = request.config.getoption("--kills"), request.config.getoption("--kill-seed")
    seen: Counter[str] = Counter()
    uncut = make_victim(tmp_path / "uncut", seed, seen)
    run_to_end(uncut, 0)
    end, told = uncut.statuses(), uncut.told()
    assert told == [f"{name} ok" for name in NAMES]
    assert uncut.done("pay0") == 1

    total = runs = asked = 0
    again: Counter[str] = Counter()
    while total < kills:
        seed += 1
        victim = make_victim(tmp_path / str(seed), seed, seen)
        victim.lines = len(uncut.data().splitlines())
        try:
            total += run_to_end(victim, min(KILLS_OF_ONE_RUN, kills - total))
            assert victim.statuses() == end
            lost = {HAPPENED} if victim.asked else set()
            for name, text in zip(NAMES, victim.told(), strict=True):
                assert text in {f"{name} ok"} | (lost if name == "pay0" else set())
            assert victim.done("pay0") == 1
            assert len(set(victim.effects())) == len(NAMES), "an effect under another key"
        except BaseException as error:
            error.add_note(f"again: --kills {kills} --kill-seed {seed - 1}; {victim.program.home}")
            raise
        for call in CALLS:
            again[call["tool"]] += victim.done(call["args"]["name"]) - 1
        asked += len(victim.asked)
        runs += 1
    with capsys.disabled():
        where = "".join(f"\n  {count:4} {phase}" for phase, count in seen.most_common())
        more = ", ".join(f"{tool} {again[tool]}" for tool in TOOLS)
        print(f"\n{total} kills of {runs} runs, the first of seed {seed - runs + 1}:{where}")
        print(f"  effects had again: {more}; a person was asked what happened: {asked}")
    assert total == kills
