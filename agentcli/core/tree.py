"""The open steps of a run, as a tree that is replaced and never changed."""

from msgspec.structs import replace

from agentcli.core.state import Branch, Leaf, RunState
from agentcli.core.step import StepId, Value


def leaf(state: RunState, id: StepId) -> Leaf:
    """Return an open leaf. A decision names only such; anything else is a damaged ledger."""
    step = state.steps[id]
    assert isinstance(step, Leaf), id
    return step


def living(state: RunState, id: StepId) -> StepId:
    """Return the nearest open agent at or above a step."""
    while "/" in id and not isinstance(state.steps.get(id), Branch):
        id = id.rpartition("/")[0]
    return id


def put(state: RunState, step: Leaf | Branch, *, ready: bool) -> RunState:
    """Return the state with this step in it, in or out of the ready ones."""
    others = tuple(id for id in state.ready if id != step.id)
    return replace(
        state,
        steps={**state.steps, step.id: step},
        ready=(*others, step.id) if ready else others,
    )


def wake(state: RunState) -> RunState:
    """Return the state with every step ready: something that concerns all has changed."""
    return replace(state, ready=tuple(state.steps))


def tell(state: RunState, id: StepId, name: str, value: Value, *, settled: int) -> RunState:
    """Return the state with news for an agent; for one that is gone there is none."""
    branch = state.steps.get(id)
    if not isinstance(branch, Branch):
        return state
    news, children = {**branch.news, name: value}, branch.children - settled
    return put(state, replace(branch, news=news, children=children), ready=True)
