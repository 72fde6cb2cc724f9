"""A recording stands in for the model that it is of."""

import asyncio

import pytest

from agentcli.core.message import Delta, Message, ModelError, Reply, Request, Said, ToolResult, Turn
from agentcli.model.recorded import Recorded

CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {}}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
FIRST = Reply((THOUGHT, {"type": "text", "text": "I look."}, CALL), "tool_use")
LAST = Reply(({"type": "text", "text": "Done."},), "end_turn")
SEEN = Turn(FIRST.blocks, (ToolResult("seen"),))


def ask(model: Recorded, *messages: Message) -> tuple[Reply, list[Delta]]:
    shown: list[Delta] = []
    reply = asyncio.run(model.reply(Request("m", "", messages), shown.append))
    return reply, shown


def test_the_history_chooses_the_reply() -> None:
    model = Recorded([FIRST, LAST])
    for _ in range(2):
        assert ask(model, Said("Hi.")) == (
            FIRST,
            [Delta("thinking", "Hm."), Delta("text", "I look."), Delta("tool", "look")],
        )
        assert ask(model, Said("Hi."), SEEN, Said("And?")) == (LAST, [Delta("text", "Done.")])


def test_past_its_end_there_is_no_reply() -> None:
    with pytest.raises(ModelError, match="the recording has no reply for this point") as caught:
        ask(Recorded([FIRST]), Said("Hi."), SEEN)
    assert caught.value.failure == "config"
