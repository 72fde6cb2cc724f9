"""Reader: a question about one text, to a model that has no tools; its answer has a type."""

from collections.abc import Mapping

from agentcli.core.held import answer_of
from agentcli.core.step import (
    Agent,
    AskModel,
    Context,
    Grow,
    Memo,
    Prompt,
    ReadAt,
    Settle,
    Step,
    Value,
)


def advance(goal: Agent, memo: Memo, news: Mapping[str, Value]) -> Grow | Settle | None:
    """The call gives the text; what it says is for the reader alone."""
    assert goal.call is not None
    stopped = any(value.status == "interrupted" for value in news.values())
    if not memo:
        if stopped:
            return Settle("stopped", 0)
        return Grow({"now": "call"}, (Step("call", goal.call),))
    if memo["now"] == "call":
        text = news.get("call")
        if text is None:
            return None
        answer = answer_of(goal.call.args)
        if stopped or text.status != "done" or answer is None:
            status = "stopped" if stopped else text.ended
            return Settle("failed" if status == "done" else status, text.at)
        question = str(goal.call.args.get("question", ""))
        adds, tokens = (ReadAt(text.settled), Prompt(question)), text.tokens + len(question) // 3
        return Grow({"now": "ask"}, (Step("ask", AskModel(Context(0, adds, tokens), answer)),))
    reply = news.get("ask")
    if reply is None:
        return None
    return Settle("stopped" if stopped else reply.ended, reply.at, Context(reply.began))
