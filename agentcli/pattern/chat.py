"""Chat: one agent for each thing the user says, all in one conversation, without an end."""

from collections.abc import Mapping

import msgspec

from agentcli.core.step import Agent, Context, Grow, Memo, SaidAt, Settle, Step, Value


class Notes(msgspec.Struct, frozen=True):
    """turn: how many there were. open: the last one is under way."""

    turn: int = 0
    open: bool = False
    context: Context = Context()


def advance(goal: Agent, memo: Memo, news: Mapping[str, Value]) -> Grow | Settle | None:
    notes = msgspec.convert(memo, Notes) if memo else Notes(context=goal.context)
    context = notes.context
    if notes.open:
        turn = news.get(f"turn.{notes.turn}")
        if turn is None:
            return None  # what is said meanwhile stays in the news
        context = turn.context
    if any(value.status == "interrupted" for value in news.values()):
        return Settle("stopped", 0, context)
    typed = [value for value in news.values() if value.status == "said"]
    if not typed:
        return None
    said = (SaidAt(value.at) for value in typed)
    agent = Agent(goal.work, context=context.plus(*said, tokens=sum(v.tokens for v in typed)))
    after = Notes(notes.turn + 1, open=True)
    return Grow(msgspec.to_builtins(after), (Step(f"turn.{after.turn}", agent),))
