"""Saga: do the work; when it fails, undo what its calls have done, the last one first."""

from collections.abc import Mapping

import msgspec

from agentcli.core.step import (
    Agent,
    Call,
    Context,
    Grow,
    Memo,
    Settle,
    Status,
    Step,
    Undoing,
    Value,
)


class Notes(msgspec.Struct, frozen=True):
    """stage: what is under way. left: what is still to be undone, in this order.

    status, at, context: what the work had come to.
    """

    stage: str = ""
    left: tuple[Undoing, ...] = ()
    status: Status = "done"
    at: int = 0
    context: Context = Context()


def advance(goal: Agent, memo: Memo, news: Mapping[str, Value]) -> Grow | Settle | None:
    notes = msgspec.convert(memo, Notes)
    match notes.stage:
        case "":
            if any(value.status == "interrupted" for value in news.values()):
                return Settle("stopped", 0, goal.context)
            task = Agent("task", goal.text, goal.steps, goal.context, goal.work, goal.checks)
            return Grow(msgspec.to_builtins(Notes("work")), (Step("work", task),))
        case "work":
            work = news.get("work")
            if work is None:
                return None  # what was done meanwhile stays in the news
            if work.status == "done":
                return Settle("done", work.at, work.context)
            effects = [value for value in news.values() if value.undo is not None]
            left = tuple(Undoing(v.at, v.undo) for v in reversed(effects) if v.undo is not None)
            return undo_next(Notes("undo", left, work.ended, work.at, work.context))
        case _:
            if news.get(name_of(notes.left[0])) is None:
                return None
            return undo_next(msgspec.structs.replace(notes, left=notes.left[1:]))


def undo_next(notes: Notes) -> Grow | Settle:
    if not notes.left:
        return Settle(notes.status, notes.at, notes.context)
    undo = notes.left[0].undo
    step = Step(name_of(notes.left[0]), Call(undo.tool, undo.args, origin="undo"))
    return Grow(msgspec.to_builtins(notes), (step,))


def name_of(undoing: Undoing) -> str:
    return f"undo.{undoing.at}"
