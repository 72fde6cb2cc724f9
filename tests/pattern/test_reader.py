"""A reader asks a model without tools about the one text that its call gave."""

import pytest

from agentcli.core.held import ASK_TEXT, Answer
from agentcli.core.step import (
    Agent,
    AskModel,
    Call,
    Context,
    Grow,
    Prompt,
    ReadAt,
    Settle,
    Status,
    Step,
    Value,
)
from agentcli.pattern.reader import advance

ARGS = {"text": "{held:main/call.1.0}", "question": "How much?", "answer": "number"}
GOAL = Agent("reader", call=Call(ASK_TEXT, ARGS), closed=True)
STOP = {"stop.9": Value("interrupted", 9)}


def test_it_asks_about_the_text_and_settles_with_the_reply() -> None:
    first = advance(GOAL, {}, {})
    assert isinstance(first, Grow)
    assert first.steps == (Step("call", GOAL.call or Call("")),)
    assert advance(GOAL, first.memo, {}) is None
    text = Value("done", 5, settled=6, tokens=20)
    asked = advance(GOAL, first.memo, {"call": text})
    assert isinstance(asked, Grow)
    ask = asked.steps[0].task
    assert isinstance(ask, AskModel)
    assert (ask.answer, ask.context.adds) == (Answer("number"), (ReadAt(6), Prompt("How much?")))
    assert advance(GOAL, asked.memo, {}) is None
    reply = Value("done", 8, settled=9, began=7, replied=True)
    assert advance(GOAL, asked.memo, {"ask": reply}) == Settle("done", 8, Context(7))


@pytest.mark.parametrize("status", ["failed", "denied", "stopped", "unknown"])
def test_without_the_text_nothing_is_asked(status: Status) -> None:
    found = advance(GOAL, {"now": "call"}, {"call": Value(status, 5, settled=6)})
    assert found == Settle(status, 5)


def test_it_stops_where_it_is() -> None:
    assert advance(GOAL, {}, STOP) == Settle("stopped", 0)
    text = Value("done", 5, settled=6)
    assert advance(GOAL, {"now": "call"}, {"call": text, **STOP}) == Settle("stopped", 5)
    reply = Value("stopped", 8, began=7)
    assert advance(GOAL, {"now": "ask"}, {"ask": reply, **STOP}) == Settle("stopped", 8, Context(7))
