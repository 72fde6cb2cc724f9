"""Task: do the work, then hold it against its checks; an answer that does not fit is mended."""

from collections.abc import Mapping

import msgspec

from agentcli.core.step import (
    Agent,
    Call,
    Check,
    Context,
    Grow,
    Memo,
    SaidAt,
    Settle,
    Status,
    Step,
    Value,
)

REPAIRS = 2


class Notes(msgspec.Struct, frozen=True):
    """work: how often the work was given out. at, context: what came of it, once checked.

    stage: what is under way.
    """

    stage: str = ""
    work: int = 0
    at: int = 0
    context: Context = Context()
    checks: int = 0


def advance(goal: Agent, memo: Memo, news: Mapping[str, Value]) -> Grow | Settle | None:
    notes = msgspec.convert(memo, Notes)
    stopped = any(value.status == "interrupted" for value in news.values())
    match notes.stage:
        case "":
            agent = Agent(goal.work, goal.text, goal.steps, goal.context)
            return Settle("stopped", 0) if stopped else give_out(agent, 1)
        case "work":
            value = news.get(f"work.{notes.work}")
            if value is None:
                return None
            if value.status != "done" or stopped:
                return Settle("stopped" if stopped else value.ended, value.at, value.context)
            return check(goal, notes.work, value)
        case _:
            checked = [value for name, value in news.items() if name.startswith("check.")]
            if len(checked) < notes.checks:
                return None
            if stopped:
                return Settle("stopped", notes.at, notes.context)
            wrong = news.get(f"check.{notes.work}.answer")
            if wrong is not None and wrong.status != "done" and notes.work <= REPAIRS:
                context = notes.context.plus(SaidAt(wrong.at), tokens=500)
                return give_out(Agent("react", context=context), notes.work + 1)
            good = all(value.status == "done" for value in checked)
            status: Status = "done" if good else "failed"
            return Settle(status, notes.at, notes.context)


def give_out(agent: Agent, work: int) -> Grow:
    notes = Notes("work", work)
    return Grow(msgspec.to_builtins(notes), (Step(f"work.{work}", agent),))


def check(goal: Agent, work: int, done: Value) -> Grow | Settle:
    checks, steps = goal.checks, list[Step]()
    if checks.answer_schema is not None or checks.answer_pattern:
        steps.append(Step(f"check.{work}.answer", Check("answer", checks, done.at)))
    if checks.files:
        steps.append(Step(f"check.{work}.files", Check("files", checks, done.at)))
    for i, command in enumerate(checks.commands):
        call = Call("shell", {"command": command}, origin="task")
        steps.append(Step(f"check.{work}.command.{i}", call))
    if not steps:
        return Settle("done", done.at, done.context)
    notes = Notes("check", work, done.at, done.context, len(steps))
    return Grow(msgspec.to_builtins(notes), tuple(steps))
