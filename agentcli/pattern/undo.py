"""Undo: what a person wants undone, one call after the other, whatever becomes of each."""

from collections.abc import Mapping

import msgspec

from agentcli.core.step import Agent, Call, Grow, Memo, Settle, Step, Undoing, Value


class Notes(msgspec.Struct, frozen=True):
    """next: which call's turn it is. failed: how many could not be undone. at: of the last one."""

    next: int = 0
    failed: int = 0
    at: int = 0


def advance(goal: Agent, memo: Memo, news: Mapping[str, Value]) -> Grow | Settle | None:
    notes = msgspec.convert(memo, Notes)
    if notes.next:
        value = news.get(name_of(goal.undo[notes.next - 1]))
        if value is None:
            return None
        notes = Notes(notes.next, notes.failed + (value.status != "done"), value.at)
    stopped = any(value.status == "interrupted" for value in news.values())
    if stopped or notes.next == len(goal.undo):
        return Settle("stopped" if stopped else "failed" if notes.failed else "done", notes.at)
    undoing = goal.undo[notes.next]
    after = Notes(notes.next + 1, notes.failed, notes.at)
    return Grow(msgspec.to_builtins(after), (Step(name_of(undoing), call_of(undoing)),))


def name_of(undoing: Undoing) -> str:
    return f"call.{undoing.at}"


def call_of(undoing: Undoing) -> Call:
    return Call(undoing.undo.tool, undoing.undo.args, origin="undo")
