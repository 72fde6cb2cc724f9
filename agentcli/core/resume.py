"""What a new process makes of the state in which an earlier one left a run."""

from msgspec.structs import replace

from agentcli.core.compensation import is_undo_error
from agentcli.core.event import (
    Answered,
    Failed,
    Forked,
    Judged,
    Prepared,
    RunResumed,
    TimeCame,
    ToolEnded,
)
from agentcli.core.policy import Deny
from agentcli.core.state import Leaf, RunState
from agentcli.core.step import Prepare, RunTool
from agentcli.core.tree import put


def resume(state: RunState, resumed: RunResumed | Forked) -> RunState:
    """Return the state in a new process: no act is under way, every step decides afresh.

    A tool that was running has an unknown outcome, which is the new `last`; what had failed is
    due again; any other act is simply due again, since `last` still says so. A call that was to
    run is prepared and judged anew: the world it was judged in is gone. So are a person's grants.
    Reserves of lost acts are kept.
    """
    state = replace(state, pausing="", grants=())
    for step in state.steps.values():
        if isinstance(step, Leaf):
            state = put(state, resume_leaf(step, resumed, state.seq), ready=True)
        else:
            state = put(state, step, ready=True)
    return state


def resume_leaf(step: Leaf, resumed: RunResumed | Forked, seq: int) -> Leaf:
    running = step.open is not None and isinstance(step.open.act, RunTool)
    again = TimeCame((step.id, step.acts))
    if running:
        step = replace(step, last=resumed, at=seq)
    elif isinstance(step.task, RunTool) and is_to_run(step):
        task = Prepare(step.task.call, step.task.edited)
        step = replace(step, task=task, last=again, at=seq, failures=0)
    elif isinstance(step.last, Failed):
        step = replace(step, last=again, at=seq, failures=0)
    return replace(step, open=None, asked=None, allowed="")


def is_to_run(step: Leaf) -> bool:
    """Say whether a prepared call is still on its way to its first run, or to another try."""
    match step.last:
        case Judged(verdict=verdict):
            return not isinstance(verdict, Deny)
        case Answered(question=question, yes=yes):
            return question == "may_it_run" and yes
        case Prepared() | Failed() | TimeCame():
            return True
        case ToolEnded() as ended:
            return is_undo_error(step, ended)
        case _:
            return False
