"""What the calls of a run have changed, and what became of it."""

import pytest

from agentcli.core.event import Event, Prepared, Recorded, Settled, Started, ToolEnded
from agentcli.core.step import Call, RunTool
from agentcli.core.tool import Facts, Undo
from agentcli.ledger.effects import dead_letters, effects_of, taken

UNDO = Undo("refund", {"id": 1})


def called(step: str, call: Call, *, at: int) -> tuple[Event, ...]:
    """Return the records of a call, if they stand from record `at` on."""
    return (
        Prepared((step, 1), call, Facts(undo=UNDO)),
        Started((step, 2), RunTool(call, Facts(undo=UNDO), at)),
        ToolEnded((step, 2), "done", undo=UNDO),
        Settled(step, "done", at + 2),
    )


def recorded(*events: Event) -> list[Recorded]:
    return [Recorded(n, 1, n, event) for n, event in enumerate(events, start=1)]


def test_an_undo_that_was_undone_leaves_the_call_as_it_was() -> None:
    undo = Call("refund", {"id": 1}, origin="undo")
    first = called("main/call.1", Call("pay"), at=1)
    second = called("undo.1/call.3", undo, at=5)
    third = called("undo.2/call.7", undo, at=9)
    undone = effects_of(recorded(*first, *second))
    assert [effect.is_undone for effect in undone] == [True, False]
    again = effects_of(recorded(*first, *second, *third))
    assert [effect.is_undone for effect in again] == [False, True, False]


@pytest.mark.parametrize("name", ["3", "7", "9" * 5_000, "\u0663"])
def test_a_forged_undo_of_itself_or_of_nothing_undoes_nothing(name: str) -> None:
    step = f"undo.1/call.{name}"
    effects = effects_of(recorded(*called(step, Call("refund", {}, origin="undo"), at=1)))
    assert [(effect.is_undone, effect.attempts) for effect in effects] == [(False, [])]
    assert list(dead_letters(effects)) == []


def test_a_call_is_open_from_its_start_until_it_is_settled() -> None:
    events = called("main/call.1", Call("pay"), at=1)
    opens = [taken(recorded(*events[:count])).open for count in range(5)]
    assert opens == [[], [], *[[("main/call.1", Call("pay"))]] * 2, []]
