"""What undoes a call, and which saga has to know of it."""

import re

from agentcli.core.event import Answered, Forked, Probed, RunResumed, ToolEnded
from agentcli.core.state import Branch, Leaf, RunState
from agentcli.core.step import RunTool, StepId
from agentcli.core.tool import RESTORE, Facts, Undo

UNDOES = re.compile(r"\.([1-9][0-9]{0,17})\Z")


def undo_of(step: Leaf) -> Undo | None:
    """Return what undoes all that a call has done or may have done, None if nothing does."""
    task = step.task
    if not isinstance(task, RunTool) or task.call.origin == "undo":
        return None
    match step.last:
        case ToolEnded(undo=undo) if undo is not None:
            return undo
        case Answered(question="did_it_happen", yes=True) | Probed(happened="yes"):
            return undo_of_lost(task.facts)
        case ToolEnded(ending="unknown") | Probed() | RunResumed() | Forked():
            return undo_of_lost(task.facts) if task.facts.snapshot else None
        case _:
            return None


def undo_of_lost(facts: Facts) -> Undo | None:
    """Return what undoes a call of which no more is known than before it ran."""
    if facts.undo is not None and facts.undo.tool == RESTORE:
        return Undo(RESTORE, {"before": facts.snapshot, "after": ""})
    return facts.undo


def saga_above(state: RunState, id: StepId) -> StepId:
    """Return the nearest saga at or above an agent, "" for none."""
    while id:
        branch = state.steps.get(id)
        if isinstance(branch, Branch) and branch.goal.pattern == "saga":
            return id
        id = id.rpartition("/")[0]
    return ""


def undone_by(step: StepId) -> int:
    """Return the record of the end that a step undoes, 0 for none: its name says so, last."""
    match = UNDOES.search(step)
    return int(match[1]) if match else 0


def is_undo_error(step: Leaf, ended: ToolEnded) -> bool:
    """Say whether what was to undo a call has come to nothing, and may be tried again."""
    task = step.task
    return (
        ended.error
        and isinstance(task, RunTool)
        and task.call.origin == "undo"
        and task.call.tool != RESTORE  # which says what it left alone, and why
    )
