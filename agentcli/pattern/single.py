"""Single: one call, as a person types it. No model."""

from collections.abc import Mapping

from agentcli.core.step import Agent, Grow, Memo, Settle, Step, Value


def advance(goal: Agent, memo: Memo, news: Mapping[str, Value]) -> Grow | Settle | None:
    assert goal.call is not None
    if not memo:
        if any(value.status == "interrupted" for value in news.values()):
            return Settle("stopped", 0)
        return Grow({"called": True}, (Step("call", goal.call),))
    value = news.get("call")
    return None if value is None else Settle(value.ended, value.at)
