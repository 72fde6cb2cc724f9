"""A booking of three parts that fails at the end: what was done is undone, the last one first."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from agentcli.core.event import (
    Ended,
    Input,
    Interrupted,
    Outcome,
    Prepared,
    RunStarted,
    Started,
    ToolEnded,
    UndoAsked,
)
from agentcli.core.label import CLEAN
from agentcli.core.policy import Rules
from agentcli.core.step import Agent, AskPerson, Call, Checks, Prepare, Undoing
from agentcli.core.tool import ToolRule, Undo
from agentcli.ledger.verify import verify
from agentcli.loop.port import Show
from tests.fake.world import FACTS, FakeJournal, Script, World, make_rules, read_all, statuses

BOOK = Call("book", {"what": "hotel"}), Call("book", {"what": "train"})
SCRIPT: Script = (
    ("First the hotel.", BOOK[:1]),
    ("Then the train.", BOOK[1:]),
    ("Now I pay.", (Call("look", {"at": "price"}),)),
    ("It is too dear.", ()),
)
RULES = {
    "book": ToolRule("v1", tier="reversible", egress=False, label=CLEAN),
    "ring": ToolRule("v1", tier="reversible", egress=False, label=CLEAN, probe=True),
    "cancel": ToolRule("v1", tier="irreversible"),
}


class Agency(World):
    """What is booked, and what was done to it in which order.

    stubborn: what cannot be cancelled, and how often it fails. dies: at the first booking of it.
    """

    def __init__(self, script: Script, stubborn: dict[str, int] | None = None) -> None:
        super().__init__(script)
        self.stubborn, self.log = dict(stubborn or {}), list[str]()

    async def perform(self, start: Started, show: Show) -> Outcome:
        match start.act:
            case Prepare(call=Call(tool="book", args=args) as call):
                undo = Undo("cancel", {"what": args["what"], "id": "{result.id}"})
                return Prepared(start.id, call, replace(FACTS, undo=undo))
        return await super().perform(start, show)

    async def book(self, start: Started, call: Call, show: Show) -> Outcome:
        self.effects["book", start.key] += 1
        self.log.append(f"book {call.args['what']}")
        undo = Undo("cancel", {"what": call.args["what"], "id": len(self.log)})
        return ToolEnded(start.id, "done", "booked", undo=undo)

    async def cancel(self, start: Started, call: Call, show: Show) -> Outcome:
        self.effects["cancel", start.key] += 1
        what = call.args["what"]
        if self.stubborn.get(what, 0):
            self.stubborn[what] -= 1
            self.log.append(f"no {what}")
            return ToolEnded(start.id, "done", "the line is busy", error=True)
        self.log.append(f"cancel {what} {call.args['id']}")
        return ToolEnded(start.id, "done", "cancelled")


def rules() -> Rules:
    made = make_rules()
    tools = {**made.policy.tools, **RULES}
    offered = tuple(name for name in tools if name != "cancel")
    return Rules(made.patterns, replace(made.policy, tools=tools, offered=offered, tries=3))


def start_of(pattern: str = "saga") -> RunStarted:
    checks = Checks(answer_pattern="booked")
    return RunStarted("r1", Agent(pattern, "Book.", checks=checks), attended=True)


def go(world: Agency, start: RunStarted | None = None) -> list[bytes]:
    """Run to the end; every check of an answer fails."""
    world.problems = [("it is not booked",)] * 9
    lines = list[bytes]()
    world.go(rules(), start or start_of(), FakeJournal(lines, world.now_us), [])
    assert verify(rules(), read_all(lines)) is None
    return lines


FAILS: Script = (*SCRIPT, ("Still too dear.", ()), ("No.", ()))


def test_what_was_done_is_undone_the_last_one_first() -> None:
    world = Agency(FAILS)
    go(world)
    assert world.log == ["book hotel", "book train", "cancel train 2", "cancel hotel 1"]
    assert world.events[-1] == Ended("failed")


def test_a_saga_that_comes_to_its_end_undoes_nothing() -> None:
    world = Agency(FAILS)
    lines = list[bytes]()
    world.go(rules(), start_of(), FakeJournal(lines, world.now_us), [])
    assert world.log == ["book hotel", "book train"]
    assert world.events[-1] == Ended("done")


def test_a_task_that_is_no_saga_undoes_nothing() -> None:
    world = Agency(FAILS)
    go(world, start_of("task"))
    assert world.log == ["book hotel", "book train"]


def test_what_cannot_be_undone_is_tried_again_and_does_not_stop_the_rest() -> None:
    world = Agency(FAILS, {"train": 99})
    go(world)
    assert world.log[2:] == ["no train"] * 3 + ["cancel hotel 1"]
    undone = {step: status for step, status in statuses(world.events).items() if "undo." in step}
    assert list(undone.values()) == ["failed", "done"]


def test_what_is_undone_at_the_second_try_is_undone() -> None:
    world = Agency(FAILS, {"train": 1})
    go(world)
    assert world.log[2:] == ["no train", "cancel train 2", "cancel hotel 1"]


def test_a_saga_that_a_person_stops_undoes_what_was_done() -> None:
    world = Agency((*SCRIPT[:2], ("Pay.", (Call("pay", {"eur": 9}),)), *SCRIPT[3:]))

    def stop(step: str, act: AskPerson) -> Input:
        return Interrupted("main") if act.call.tool == "pay" else world.honest(step, act)

    world.person = stop
    go(world)
    assert world.log[2:] == ["cancel train 2", "cancel hotel 1"]
    assert world.events[-1] == Ended("stopped")


@pytest.mark.parametrize("dies", ["when_full", "when_over"])
def test_a_saga_cut_at_any_record_comes_to_the_same_end(dies: str) -> None:
    whole = Agency(FAILS, {"train": 1})
    count = len(go(whole))
    for cut in range(1, count):
        world = Agency(FAILS, {"train": 1})
        world.problems = [("it is not booked",)] * 9
        lines = list[bytes]()
        journal = FakeJournal(lines, world.now_us, cut, dies)  # type: ignore[arg-type]
        assert world.go(rules(), start_of(), journal, []) is None, cut
        world.problems = [("it is not booked",)] * 9
        journal = FakeJournal(lines, world.now_us)
        state = world.go(rules(), start_of(), journal, journal.records)
        assert state is not None, cut
        assert state.phase == "ended", cut
        assert verify(rules(), read_all(lines)) is None, cut
        booked = [what for what in world.log if what.startswith("book")]
        assert len(booked) == len(set(booked)), cut
        cancelled = [what for what in world.log if what.startswith("cancel")]
        assert len(cancelled) == len(set(cancelled)), f"{cut}: {world.log}"
        assert {what.split()[1] for what in booked} >= {what.split()[1] for what in cancelled}


def undoings(events: Sequence[object]) -> list[Undoing]:
    found = [
        Undoing(seq, event.undo)
        for seq, event in enumerate(events, 1)
        if isinstance(event, ToolEnded) and event.undo is not None
    ]
    return found[::-1]


def test_a_person_undoes_a_run_that_has_ended_and_its_end_stays() -> None:
    world = Agency(SCRIPT)
    lines = list[bytes]()
    world.go(rules(), start_of("react"), FakeJournal(lines, world.now_us), [])
    assert world.events[-1] == Ended("done")
    asked = UndoAsked(tuple(undoings(world.events)), "me@here")
    journal = FakeJournal(lines, world.now_us)
    world.go(rules(), start_of("react"), journal, journal.records, asked)
    assert world.log[2:] == ["cancel train 2", "cancel hotel 1"]
    assert world.events[-1] == Ended("done")
    undone = {step: status for step, status in statuses(world.events).items() if "undo" in step}
    assert list(undone.values()) == ["done", "done", "done"]
    assert verify(rules(), read_all(lines)) is None


def test_nothing_else_goes_on_while_calls_are_undone() -> None:
    """A run that was parked in the middle is undone, and then goes on by itself."""
    world = Agency(FAILS)
    lines = list[bytes]()
    world.problems = []
    journal = FakeJournal(lines, world.now_us)
    poor = replace(start_of("react"), limit_steps=2)
    world.go(rules(), poor, journal, [])
    before = len(world.views)
    asked = UndoAsked(tuple(undoings(world.events)))
    journal = FakeJournal(lines, world.now_us)
    state = world.go(rules(), poor, journal, journal.records, asked)
    assert state is not None
    assert state.phase == "parked"
    assert len(world.views) == before
    assert world.log[2:] == ["cancel train 2", "cancel hotel 1"]
    assert verify(rules(), read_all(lines)) is None


class Lossy(World):
    """A tool whose first call is cut off: before its effect or after it."""

    def __init__(self, script: Script, *, happens: bool) -> None:
        super().__init__(script)
        self.happens, self.runs = happens, list[str]()

    async def ring(self, start: Started, call: Call, show: Show) -> Outcome:
        self.runs.append(start.key)
        if self.happens or len(self.runs) > 1:
            self.effects["ring", start.key] += 1
        return ToolEnded(start.id, "unknown" if len(self.runs) == 1 else "done", "ran")


@pytest.mark.parametrize("happens", [True, False])
def test_a_tool_that_can_tell_is_asked_before_anything_runs_again(happens: bool) -> None:
    world = Lossy((("Go.", (Call("ring"),)), ("Done.", ())), happens=happens)
    lines = list[bytes]()
    world.go(rules(), start_of("react"), FakeJournal(lines, world.now_us), [])
    assert world.events[-1] == Ended("done")
    assert sum(world.effects.values()) == 1
    assert world.runs == world.runs[:1] * (1 if happens else 2), "the same key"
    assert world.asked == [], "no person had to know"
    assert verify(rules(), read_all(lines)) is None


def test_what_a_saga_may_have_to_undo_is_settled_first() -> None:
    """A booking that was cut off: a person says that it happened, so it is undone too."""

    class Cut(Agency):
        async def book(self, start: Started, call: Call, show: Show) -> Outcome:
            ended = await super().book(start, call, show)
            return ToolEnded(start.id, "unknown") if call.args["what"] == "train" else ended

    world = Cut(FAILS)
    go(world)
    assert [asked.question for asked in world.asked] == ["did_it_happen"]
    assert world.log[2:] == ["cancel train {result.id}", "cancel hotel 1"]
