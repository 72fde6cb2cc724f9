"""What a person can do to a run: answer, edit, grant, interrupt, pause, leave."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from agentcli.core.event import (
    Answered,
    Edited,
    Ended,
    Failed,
    Input,
    Interrupted,
    Judged,
    Outcome,
    Parked,
    Paused,
    Prepared,
    Recorded,
    Settled,
    Started,
    ToolEnded,
    UserSaid,
)
from agentcli.core.fold import fold_all
from agentcli.core.message import Said, Turn
from agentcli.core.policy import Allow, Ask, Rules
from agentcli.core.state import Branch
from agentcli.core.step import AskModel, AskPerson, Call, Prepare, RunTool
from agentcli.ledger.verify import verify
from agentcli.loop.port import Show
from tests.fake.world import (
    FACTS,
    FakeJournal,
    Script,
    World,
    make_rules,
    make_start,
    read_all,
    statuses,
)

PAY: Script = (("", (Call("pay", {"eur": 3}),)), ("ok", ()))


def drive(world: World, rules: object = None, *more: Input, **start: object) -> list[bytes]:
    lines = list[bytes]()
    journal = FakeJournal(lines, world.now_us)
    world.go(make_rules(), make_start(**start), journal, [], *more)  # type: ignore[arg-type]
    return lines


def results(world: World) -> list[str]:
    turn = world.views[-1][-1]
    assert isinstance(turn, Turn)
    return [result.text for result in turn.results]


def test_a_no_with_a_reason_is_told_to_the_model_and_nothing_runs() -> None:
    world = World(PAY)
    world.person = lambda step, act: Answered(step, act.question, act.bound, False, "too much")
    drive(world)
    assert results(world) == ["The user said no to this call. They say: too much"]
    assert world.effects == {}
    assert statuses(world.events)["main/call.1.0"] == "denied"


def test_edited_arguments_are_judged_anew_and_only_they_run() -> None:
    world = World(PAY)

    def lower(step: str, act: AskPerson) -> Input:
        if act.call.args == {"eur": 3}:
            return Edited(step, act.bound, {"eur": 1})
        return Answered(step, act.question, act.bound, True)

    world.person = lower
    drive(world)
    ran = [e.act for e in world.events if isinstance(e, Started) and isinstance(e.act, RunTool)]
    assert [(act.call.args, act.edited) for act in ran] == [({"eur": 1}, True)]
    assert [act.call.args for act in world.asked] == [{"eur": 3}, {"eur": 1}]
    assert len({act.bound for act in world.asked}) == 2


def test_a_yes_for_the_session_lets_later_reversible_calls_of_the_tool_run() -> None:
    script: Script = (
        ("", (Call("shell", {"c": "1"}),)),
        ("", (Call("shell", {"c": "2"}), Call("pay", {"eur": 1}))),
        ("ok", ()),
    )
    world, rules = World(script), make_rules(reversible="ask")
    world.person = lambda step, act: Answered(step, act.question, act.bound, True, scope="session")
    lines = list[bytes]()
    world.go(rules, make_start(), FakeJournal(lines, world.now_us), [])
    assert [act.call.tool for act in world.asked] == ["shell", "pay"]
    judged = [event.verdict for event in world.events if isinstance(event, Judged)]
    assert [type(verdict) for verdict in judged] == [Ask, Allow, Ask]
    assert verify(rules, read_all(lines)) is None


def test_a_yes_for_the_session_never_covers_an_irreversible_call() -> None:
    script: Script = (("", (Call("pay", {"n": 1}), Call("pay", {"n": 2}))), ("ok", ()))
    world = World(script)
    world.person = lambda step, act: Answered(step, act.question, act.bound, True, scope="session")
    drive(world)
    assert len(world.asked) == 2


def test_a_grant_for_the_session_is_gone_in_the_next_process() -> None:
    script: Script = (
        ("", (Call("shell", {"c": "1"}),)),
        ("", (Call("shell", {"c": "2"}),)),
        ("ok", ()),
    )
    world, rules, lines = World(script), make_rules(reversible="ask"), list[bytes]()
    world.person = lambda step, act: Answered(step, act.question, act.bound, True, scope="session")
    journal = FakeJournal(lines, world.now_us, 11)
    world.go(rules, make_start(), journal, [])
    assert len(world.asked) == 1
    journal = FakeJournal(lines, world.now_us)
    world.go(rules, make_start(), journal, journal.records)
    assert world.events[-1:] == [Ended("done")]
    assert len(world.asked) > 1
    assert verify(rules, read_all(lines)) is None


def test_a_start_without_its_judgement_is_no_ledger_of_ours() -> None:
    world = World(PAY)
    drive(world)
    forged = [event for event in world.events if not isinstance(event, Answered)]
    records = [Recorded(i, 1, i, event) for i, event in enumerate(forged, 1)]
    with pytest.raises(AssertionError, match="without its judgement"):
        fold_all(records)


def test_a_call_that_waited_is_looked_at_afresh_when_the_run_goes_on() -> None:
    """What it was judged on, and what a person was shown, may be old by then."""
    world, lines = World(PAY), list[bytes]()
    world.person = lambda step, act: Answered(step, act.question, act.bound, True)
    world.go(make_rules(), make_start(attended=False), FakeJournal(lines, world.now_us), [])
    cut = next(i for i, rec in enumerate(read_all(lines), 1) if isinstance(rec.event, Answered))
    del lines[cut:]
    world = World(PAY)
    journal = FakeJournal(lines, world.now_us)
    world.go(make_rules(), make_start(), journal, journal.records)
    assert len(world.asked) == 1
    assert world.events[-1:] == [Ended("done")]
    prepared = [event for event in world.events if isinstance(event, Prepared)]
    assert len(prepared) == 2
    assert verify(make_rules(), read_all(lines)) is None


def test_a_privileged_call_is_denied_and_nobody_is_asked() -> None:
    world = World((("", (Call("root", {}),)), ("ok", ())))
    drive(world)
    assert world.asked == []
    assert "authenticated" in results(world)[0]


def test_a_call_with_an_effect_waits_for_those_before_it_and_holds_those_after() -> None:
    calls = (Call("look", {"at": "a"}), Call("shell", {"c": "x"}), Call("look", {"at": "b"}))
    world = World((("", calls), ("ok", ())))
    drive(world)
    order = [
        (type(event).__name__, event.step if isinstance(event, Settled) else event.id[0])
        for event in world.events
        if isinstance(event, Settled)
        or (isinstance(event, Started) and not isinstance(event.act, AskModel | RunTool))
    ]
    steps = [(kind, step) for kind, step in order if "call" in step]
    assert steps == [
        (kind, f"main/call.1.{i}") for i in range(3) for kind in ("Started", "Settled")
    ]


CHAT: Script = (
    ("Hello.", ()),
    ("", (Call("look", {"at": "a"}), Call("hang", {}))),
    ("I see.", ()),
)


class Chatter(World):
    """Says one thing after the other, as a person does, and leaves at the end."""

    def __init__(self, script: Script, *texts: str) -> None:
        super().__init__(script)
        self.texts = list(texts)

    def publish(self, rec: object) -> None:
        super().publish(rec)  # type: ignore[arg-type]
        event = self.events[-1]
        if isinstance(event, Settled) and event.step.count("/") == 1:
            said = sum(isinstance(e, UserSaid) for e in self.events)
            more = self.texts[said : said + 1]
            self.inbox.put(UserSaid(more[0]) if more else Paused("left"))

    async def hang(self, start: Started, call: Call, show: Show) -> Outcome:
        self.inbox.put(Interrupted("main/turn.2"))
        return await self.look(start, Call("look", {"at": "?"}), show)


def test_a_chat_is_one_run_and_an_interrupt_ends_only_its_turn() -> None:
    world = Chatter(CHAT, "Hi", "Look", "Well?")
    lines = drive(world, None, UserSaid("Hi"), pattern="chat", text="")
    turns = {step: status for step, status in statuses(world.events).items() if step.count("/") < 2}
    assert turns == {"main/turn.1": "done", "main/turn.2": "stopped", "main/turn.3": "done"}
    assert world.events[-1:] == [Parked("left")]
    first, _, look, turn, well = world.views[-1]
    assert (first, look, well) == (Said("Hi"), Said("Look"), Said("Well?"))
    assert isinstance(turn, Turn)
    assert len(turn.results) == 2
    assert verify(make_rules(), read_all(lines)) is None


def test_a_chat_cut_at_any_record_goes_on_to_the_same_conversation() -> None:
    texts = ("Hi", "Look", "Well?")
    whole = drive(Chatter(CHAT[:1] * 3, *texts), None, UserSaid("Hi"), pattern="chat", text="")
    for limit in range(2, len(whole)):
        world, lines = Chatter(CHAT[:1] * 3, *texts), list[bytes]()
        journal = FakeJournal(lines, world.now_us, limit)
        world.go(make_rules(), make_start("", "chat"), journal, [], UserSaid("Hi"))
        journal = FakeJournal(lines, world.now_us)
        said = sum(isinstance(rec.event, UserSaid) for rec in journal.records)
        root = fold_all(journal.records).steps["main"]
        assert isinstance(root, Branch)
        waits = not root.children and not any(v.status == "said" for v in root.news.values())
        # What the person said was lost with the process: they say it again, or leave.
        again: list[Input] = [UserSaid(text) for text in texts[said : said + 1]]
        more = (again or [Paused("left")]) if waits else []
        world.go(make_rules(), make_start("", "chat"), journal, journal.records, *more)
        done = [s for s, status in statuses(world.events).items() if status == "done"]
        assert [s for s in done if s.count("/") == 1] == [f"main/turn.{i}" for i in (1, 2, 3)]
        assert verify(make_rules(), read_all(lines)) is None


def test_a_paused_run_parks_and_goes_on_where_it_was() -> None:
    script: Script = (("", (Call("look", {"at": "a"}), Call("pay", {"eur": 1}))), ("ok", ()))
    world = World(script)

    async def paid_in_doubt(start: Started, call: Call, show: Show) -> Outcome:
        world.inbox.put(Paused("interrupted"))
        return Failed(start.id, "stopped")

    pay, world.pay = world.pay, paid_in_doubt  # type: ignore[method-assign]
    lines = drive(world)
    assert world.events[-1:] == [Parked("interrupted")]
    world.pay = pay  # type: ignore[method-assign]
    journal = FakeJournal(lines, world.now_us)
    world.go(make_rules(), make_start(), journal, journal.records)
    assert world.events[-1:] == [Ended("done")]
    assert sum(n for (tool, _), n in world.effects.items() if tool == "pay") == 1
    assert verify(make_rules(), read_all(lines)) is None


@pytest.mark.parametrize("at", range(2, 30, 2))
def test_a_pause_at_any_point_loses_nothing(at: int) -> None:
    script: Script = (
        ("", (Call("look", {"at": "a"}), Call("flaky", {"n": 1}), Call("pay", {"eur": 1}))),
        ("ok", ()),
    )

    class Pausing(World):
        def publish(self, rec: object) -> None:
            super().publish(rec)  # type: ignore[arg-type]
            if len(self.events) == at:
                self.inbox.put(Paused("time"))

    world = Pausing(script)
    lines = drive(world)
    for _ in range(3):
        if isinstance(world.events[-1], Ended):
            break
        assert world.events[-1] == Parked("time")
        journal = FakeJournal(lines, world.now_us)
        world.go(make_rules(), make_start(), journal, journal.records)
    assert world.events[-1:] == [Ended("done")]
    assert sum(n for (tool, _), n in world.effects.items() if tool == "pay") == 1
    assert verify(make_rules(), read_all(lines)) is None


def failing(failure: str) -> Callable[[Started, Show], object]:
    async def perform(start: Started, show: Show) -> Outcome:
        return Failed(start.id, failure, "no")  # type: ignore[arg-type]

    return perform


@pytest.mark.parametrize("failure", ["auth", "transient", "unavailable"])
def test_a_run_whose_model_does_not_answer_is_parked_and_can_be_resumed(failure: str) -> None:
    world = World((("ok", ()),))
    perform, world.perform = world.perform, failing(failure)  # type: ignore[method-assign,assignment]
    if failure == "transient":

        async def waits(start: Started, show: Show) -> Outcome:
            if isinstance(start.act, AskModel):
                return Failed(start.id, "transient", "no")
            return await perform(start, show)

        world.perform = waits  # type: ignore[method-assign]
    lines = drive(world)
    last = world.events[-1]
    assert isinstance(last, Parked)
    assert last.why == "failed"
    assert isinstance(world.events[last.at - 1], Failed)
    world.perform = perform  # type: ignore[method-assign]
    journal = FakeJournal(lines, world.now_us)
    world.go(make_rules(), make_start(), journal, journal.records)
    assert world.events[-1:] == [Ended("done")]
    assert verify(make_rules(), read_all(lines)) is None


def test_text_for_a_step_that_is_gone_reaches_the_agent_above() -> None:
    world = Chatter(CHAT[:1] * 2, "Hi")
    drive(world, None, UserSaid("Hi", "main/turn.9/ask.1"), pattern="chat", text="")
    assert [step for step in statuses(world.events) if step.count("/") == 1] == ["main/turn.1"]


@pytest.mark.parametrize("times", [1, 99])
def test_a_call_whose_files_changed_after_the_yes_is_asked_about_anew(times: int) -> None:
    class Changing(World):
        left = times
        version = 0

        async def perform(self, start: Started, show: Show) -> Outcome:
            match start.act:
                case Prepare(call=call):
                    return Prepared(start.id, call, replace(FACTS, files={"a": str(self.version)}))
                case RunTool() if self.left:
                    self.left -= 1
                    self.version += 1
                    return Failed(start.id, "stale", "changed")
            return await super().perform(start, show)

    world = Changing(PAY)
    lines = drive(world)
    tries = make_rules().policy.tries
    asked = min(times + 1, tries)
    assert len({act.bound for act in world.asked}) == len(world.asked) == asked
    ended = "done" if times < tries else "failed"
    assert statuses(world.events)["main/call.1.0"] == ended
    assert len(world.effects) == (times < tries)
    assert verify(make_rules(), read_all(lines)) is None


def test_a_yes_to_a_privileged_call_counts_only_with_a_signature() -> None:
    rules = make_rules()
    rules = Rules(rules.patterns, replace(rules.policy, signers="alice ssh-ed25519 AAAA"))
    ran: list[str] = []

    def unsigned(step: str, act: AskPerson) -> Input:
        yes = Answered(step, act.question, act.bound, True)
        world.inbox.put(replace(yes, by="alice", scope="session"))
        world.inbox.put(replace(yes, signature="x"))
        return replace(yes, by="alice", signature="x", reason="signed")

    class Rooted(World):
        async def root(self, start: Started, call: Call, show: Show) -> Outcome:
            ran.append(start.bound)
            return ToolEnded(start.id, "done", "ok")

    world = Rooted((("", (Call("root", {}),)), ("ok", ())))
    world.person = unsigned
    lines = list[bytes]()
    world.go(rules, make_start(), FakeJournal(lines, world.now_us), [])
    [judged] = [event for event in world.events if isinstance(event, Judged)]
    assert judged.verdict == Ask(
        "privileged_needs_signature", "privileged", "it needs an allowed signer's signature"
    )
    assert ran == [judged.bound]
    before = [e for e in world.events[: index_of_run(world)] if isinstance(e, Answered)]
    assert before[-1].reason == "signed"
    assert verify(rules, read_all(lines)) is None


def index_of_run(world: World) -> int:
    return next(
        i
        for i, event in enumerate(world.events)
        if isinstance(event, Started) and isinstance(event.act, RunTool)
    )
