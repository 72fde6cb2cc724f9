"""The trail of a call says who wanted it, who let it, what was shown, what ran and what came."""

import itertools
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from agentcli.core.event import (
    Answered,
    Asked,
    Dropped,
    Edited,
    Ended,
    Event,
    Failed,
    Grown,
    Judged,
    Prepared,
    Recorded,
    Replied,
    RunResumed,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
    UndoAsked,
)
from agentcli.core.policy import Allow, Ask, Deny
from agentcli.core.record import hash_of
from agentcli.core.step import (
    Agent,
    AskModel,
    AskPerson,
    Call,
    Prepare,
    RunTool,
    Step,
    Wait,
)
from agentcli.core.step import Undoing as Wanted
from agentcli.core.tool import Facts, Undo
from agentcli.ledger.entry import (
    Answer,
    Cut,
    Edit,
    End,
    Failure,
    Finding,
    GivenUp,
    Proposal,
    Return,
    Ruling,
    Showing,
    Start,
    Undoing,
    UndoWish,
    Waiting,
    utc,
)
from agentcli.ledger.story import Story
from agentcli.ledger.trail import Trail, sha256, trail_of
from tests.fake.world import SIX_SCRIPT, FakeJournal, World, make_rules, make_start, read_all

PAY = Call("pay", {"eur": 3}, "toolu_1")
FACTS = Facts(tool="v1", sandbox="s1", image="i1", preview="+ 3", files={"a": "h"})
STEP = "main/call.1.0"
AT = 1_700_000_000_000_000


def recorded(*events: Event) -> list[Recorded]:
    """Return the events as records, a second between them."""
    return [Recorded(n, 1, AT + n * 1_000_000, event) for n, event in enumerate(events, start=1)]


def begun(call: Call = PAY, step: str = "call.1.0") -> tuple[Event, ...]:
    ask = ("main/ask.1", 1)
    return (
        RunStarted("r1", Agent("react", "Go.")),
        Grown("main", {}, (Step("ask.1", AskModel()),)),
        Started(ask, AskModel()),
        Replied(ask, (), "tool_use", (call,), model="claude-x", request_id="req_1"),
        Grown("main", {}, (Step(step, call),)),
    )


def ran(step: str, call: Call, *after: Event) -> tuple[Event, ...]:
    """Return what stands in a ledger from the judgement to the end of a call."""
    run = RunTool(call, FACTS, 0)
    return (
        Started((step, 1), Prepare(call)),
        Prepared((step, 1), call, FACTS),
        Judged(step, "b1", Allow("reversible_runs", "reversible")),
        Started((step, 2), run, "k1", "b1"),
        *after,
    )


def story_of(*events: Event, step: str = STEP) -> Story:
    return trail_of(recorded(*events)).stories[step]


def test_a_call_that_was_asked_about_is_told_from_its_proposal_to_its_end() -> None:
    story = story_of(
        *begun(),
        Started((STEP, 1), Prepare(PAY)),
        Prepared((STEP, 1), PAY, FACTS),
        Judged(STEP, "b1", Ask("irreversible_asks", "irreversible", "why")),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b1", 7)),
        Asked((STEP, 2)),
        Answered(STEP, "may_it_run", "b1", True, "fine", by="ada", signature="SIG"),
        Started((STEP, 3), RunTool(PAY, FACTS, 7), "k1", "b1"),
        ToolEnded((STEP, 3), "done", "paid", size_bytes=4, undo=Undo("refund", {"eur": 3})),
        Settled(STEP, "done", 13),
    )
    args, digest = {"eur": 3}, hash_of({"eur": 3})

    def at(seq: int) -> tuple[int, int]:
        return seq, AT + seq * 1_000_000

    assert story.entries == [
        Proposal(*at(5), "model", args, digest, "main/ask.1", 4, "claude-x", "req_1"),
        Finding(*at(7), args, digest, FACTS, sha256("+ 3")),
        Ruling(*at(8), "ask", "irreversible_asks", "irreversible", "why", "b1"),
        Showing(*at(9), "may_it_run", 7, "b1"),
        Answer(*at(11), "may_it_run", True, "once", "fine", "ada", "SIG", "b1"),
        Start(*at(12), 3, "k1", "b1", digest),
        Return(
            *at(13),
            3,
            "done",
            False,
            "paid",
            sha256("paid"),
            4,
            1000,
            undo=Undo("refund", {"eur": 3}),
        ),
        End(*at(14), "done", 13),
    ]
    assert (story.status, story.allowed) == ("done", True)


def test_an_answer_to_another_question_counts_for_nothing() -> None:
    story = story_of(
        *begun(),
        Judged(STEP, "b1", Ask("irreversible_asks", "irreversible")),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b1", 7)),
        Answered(STEP, "may_it_run", "b0", True),
        Edited(STEP, "b0", {"eur": 9}),
        Answered(STEP, "may_it_run", "b1", False, "no"),
        Answered(STEP, "may_it_run", "b1", True),
    )
    assert [answer.counts for answer in story.all(Answer)] == [False, True, False]
    assert [edit.counts for edit in story.all(Edit)] == [False]
    assert story.allowed is False


@pytest.mark.parametrize(("signature", "allowed"), [("", False), ("SIG", True)])
def test_a_yes_to_a_privileged_call_counts_only_if_it_is_signed(
    signature: str, allowed: bool
) -> None:
    story = story_of(
        *begun(),
        Started((STEP, 1), Prepare(PAY)),
        Prepared((STEP, 1), PAY, FACTS),
        Judged(STEP, "b1", Ask("privileged_needs_signature", "privileged")),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b1", 7)),
        Answered(STEP, "may_it_run", "b1", True, by="ada", signature=signature),
    )
    assert [answer.counts for answer in story.all(Answer)] == [allowed]
    assert story.allowed is allowed


def test_what_a_person_changed_is_the_call_from_then_on() -> None:
    changed = replace(PAY, args={"eur": 1})
    story = story_of(
        *begun(),
        Judged(STEP, "b1", Ask("irreversible_asks", "irreversible")),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b1", 7)),
        Edited(STEP, "b1", {"eur": 1}),
        Prepared((STEP, 3), changed, FACTS),
        Judged(STEP, "b2", Deny("irreversible_denied", "no")),
    )
    assert story.call == changed
    assert story.proposal.args_hash == hash_of({"eur": 3})
    assert [edit.args_hash for edit in story.all(Edit)] == [hash_of({"eur": 1})]
    assert story.allowed is False


def test_a_run_that_was_cut_off_leaves_an_attempt_of_which_nobody_knows() -> None:
    story = story_of(*begun(), *ran(STEP, PAY), RunResumed(2), Settled(STEP, "unknown", 10))
    assert story.all(Cut) == [Cut(10, AT + 10_000_000, 2)]
    assert story.status == "unknown"
    asked = story_of(
        *begun(),
        Started((STEP, 2), AskPerson("may_it_run", PAY, "b1", 7)),
        RunResumed(2),
        Answered(STEP, "may_it_run", "b1", True),
    )
    assert asked.all(Cut) == []
    assert [answer.counts for answer in asked.all(Answer)] == [False]


def test_tries_and_waits_are_told_with_how_long_each_took() -> None:
    story = story_of(
        *begun(),
        *ran(STEP, PAY, Failed((STEP, 2), "transient", "busy")),
        Started((STEP, 3), Wait(AT)),
        Started((STEP, 4), RunTool(PAY, FACTS, 0), "k1", "b1"),
        Failed((STEP, 4), "invalid", "gone"),
    )
    shown = [(entry.attempt, entry.ran, entry.latency_ms) for entry in story.all(Failure)]
    assert shown == [(2, True, 1000), (4, True, 1000)]
    assert [entry.until_us for entry in story.all(Waiting)] == [AT]
    refused = story_of(*begun(), Failed((STEP, 1), "invalid", "wrong"))
    assert [entry.ran for entry in refused.all(Failure)] == [False]


def test_a_yes_for_the_session_is_named_by_what_it_allows_later() -> None:
    twice = (Step("call.1.0", PAY), Step("call.1.1", PAY))
    story = story_of(
        *begun()[:4],
        Grown("main", {}, twice),
        Started((STEP, 1), AskPerson("may_it_run", PAY, "b1", 5)),
        Answered(STEP, "may_it_run", "b1", True, scope="session"),
        Judged("main/call.1.1", "b2", Allow("granted_for_session", "reversible")),
        step="main/call.1.1",
    )
    assert [ruling.granted_by for ruling in story.all(Ruling)] == [7]


def undone(*after: Event, name: str = "call.10") -> Trail:
    """Return the trail of a call that came back in record 10 and an undo that names it."""
    back = Call("refund", {"eur": 3}, origin="undo")
    return trail_of(
        recorded(
            *begun(),
            *ran(STEP, PAY, ToolEnded((STEP, 2), "done", "paid", undo=Undo("refund", {"eur": 3}))),
            Settled(STEP, "done", 10),
            UndoAsked((Wanted(10, Undo("x")),), "ada"),
            Grown("main/undo.1", {}, (Step(name, back),)),
            *after,
        )
    )


def test_what_undid_a_call_is_told_with_it_and_names_it() -> None:
    step = "main/undo.1/call.10"
    trail = undone(Settled(step, "failed", 14))
    forward, back = trail.stories[STEP], trail.stories[step]
    assert forward.entries[-2:] == [
        UndoWish(12, AT + 12_000_000, "ada"),
        Undoing(14, AT + 14_000_000, step, "refund", "failed"),
    ]
    assert (back.proposal.by, back.proposal.undoes, back.proposal.asked_by) == ("undo", 10, "ada")


def test_a_saga_names_what_it_undoes_likewise_and_may_not_have_ended() -> None:
    step = "main/undo.1/pay/undo.10"
    trail = undone(Dropped(10, "ada", "enough"), name="pay/undo.10")
    assert trail.stories[STEP].entries[-2:] == [
        Undoing(13, AT + 13_000_000, step, "refund", ""),
        GivenUp(14, AT + 14_000_000, "ada", "enough"),
    ]


def test_an_undo_of_no_known_call_is_told_all_the_same() -> None:
    for name in ("call.99", "call", "call.0", "call.010", "call." + "9" * 30):
        trail = undone(name=name)
        assert trail.stories[f"main/undo.1/{name}"].proposal.by == "undo"
        assert trail.stories[STEP].all(Undoing) == []


def test_who_proposed_a_call_is_a_task_or_a_person_where_no_model_did() -> None:
    check = Call("shell", {"command": "make"}, origin="task")
    steps = (Step("check.1", check), Step("call", Call("look")))
    trail = trail_of(recorded(*begun()[:4], Grown("main", {}, steps)))
    assert [story.proposal.by for story in trail.stories.values()] == ["task", "person"]


def lives() -> Sequence[list[Recorded]]:
    """Return ledgers of a whole run with six calls, cut and gone on with at some records."""
    rules, start = make_rules(), make_start()
    found = []
    for cut in (None, 12, 30, 45):
        world, lines = World(SIX_SCRIPT), list[bytes]()
        for limit in itertools.chain((cut,) if cut else (), (None,)):
            journal = FakeJournal(list(lines), world.now_us, limit)
            world.go(rules, start, journal, read_all(lines))
            lines = journal.lines
        found.append(read_all(lines))
    return found


def test_in_real_runs_each_record_of_a_call_is_in_its_story_and_in_order() -> None:
    for records in lives():
        assert isinstance(records[-1].event, Ended)
        trail = trail_of(records)
        assert len(trail.stories) == 6
        for step, story in trail.stories.items():
            numbers = [entry.record for entry in story.entries]
            assert numbers == sorted(numbers)
            assert story.proposal.by == "model"
            starts = [
                rec.seq
                for rec in records
                if isinstance(rec.event, Started)
                and isinstance(rec.event.act, RunTool)
                and rec.event.id[0] == step
            ]
            assert [entry.record for entry in story.all(Start)] == starts
            ends = [rec.seq for rec in records if isinstance(rec.event, ToolEnded)]
            assert {entry.record for entry in story.all(Return)} <= set(ends)
            for back in story.all(Return):
                assert back.attempt in {entry.attempt for entry in story.all(Start)}
            keys = {entry.key for entry in story.all(Start)}
            assert len(keys) == 1
            for entry in story.all(Start):
                before = [one for one in story.all(Ruling) if one.record < entry.record]
                assert before[-1].bound == entry.bound


def test_a_document_has_times_and_no_bare_stamps() -> None:
    trail = undone()
    document = trail.stories[STEP].document()
    assert document["records"][0]["at"] == "2023-11-14T22:13:25.000000Z"
    assert not any("at_us" in record for record in document["records"])
    assert (utc(0), utc(1 << 70), utc(-(1 << 62))) == ("", "", "")
