"""What an agent has seen by what its steps gave, and what it had planned before that."""

from msgspec.structs import replace

from agentcli.core.event import Checked, Probed, Replied, ToolEnded
from agentcli.core.label import Label
from agentcli.core.state import Branch, Leaf, RunState
from agentcli.core.step import Agent, Call, Check, RunTool
from agentcli.core.tool import PLAN


def told_to_parent(state: RunState, step: Leaf | Branch) -> RunState:
    """Return the state where an agent has seen what this step of its gave, or planned it."""
    agent = state.steps.get(step.parent)
    if not isinstance(agent, Branch):
        return state
    label, plan = agent.label, agent.plan
    match step:
        case Branch(goal=Agent(closed=True)):
            pass
        case Branch():
            label = label.join(step.label)
        case Leaf(last=ToolEnded(held=True) | Probed(held=True)) if not agent.goal.closed:
            pass
        case Leaf(last=ToolEnded(echo=True) | Probed(echo=True)):
            pass
        case Leaf(last=ToolEnded(label=Label() as given) | Probed(label=Label() as given)):
            label = label.join(given)
        case Leaf(last=Checked(problems=problems), task=Check(what="files")) if problems:
            label = label.join(Label())  # what its commands said is in the problems
        case Leaf(last=Replied(calls=calls)) if not label.is_tainted:
            plan = tuple(dict.fromkeys((*plan, *(call.tool for call in calls))))
    if isinstance(step, Leaf) and not agent.label.is_tainted:
        plan = tuple(dict.fromkeys((*plan, *declared_in(step))))
    agent = replace(agent, label=label, plan=plan)
    return replace(state, steps={**state.steps, agent.id: agent})


def declared_in(step: Leaf) -> tuple[str, ...]:
    """Return the tools that a call of the tool `plan` names."""
    match step:
        case Leaf(
            task=RunTool(call=Call(tool=tool, args={"tools": list(names)}, held=())),
            last=ToolEnded(ending="done", error=False),
        ) if tool == PLAN:
            return tuple(name for name in names if isinstance(name, str))
        case _:
            return ()
