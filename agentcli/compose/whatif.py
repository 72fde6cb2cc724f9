"""What another policy would say of the calls of a run. Nothing runs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from agentcli.compose.plan import policy_of
from agentcli.config.profile import Profile
from agentcli.config.settings import Config
from agentcli.core.decide import situation_of
from agentcli.core.event import Judged, Recorded
from agentcli.core.fold import fold
from agentcli.core.policy import AuthzDecision, Policy, judge
from agentcli.core.redact import map_strings
from agentcli.core.state import Leaf, RunState
from agentcli.core.step import Call, RunTool, StepId
from agentcli.tool.load import load_tools


@dataclass(frozen=True)
class Ruling:
    """One call of a run, as it was judged and as it would be. record: where it was judged.

    same: the verdict is; by which rule does not count.
    """

    record: int
    step: StepId
    call: Call
    then: AuthzDecision
    now: AuthzDecision

    @property
    def same(self) -> bool:
        return type(self.then) is type(self.now)

    def document(self) -> dict[str, Any]:
        return {
            "record": self.record,
            "step": self.step,
            "tool": self.call.tool,
            "args": self.call.args,
            "then": verdict_document(self.then),
            "now": verdict_document(self.now),
            "same": self.same,
        }


def verdict_document(verdict: AuthzDecision) -> dict[str, str]:
    return {
        "verdict": word_of(verdict),
        "rule": verdict.rule,
        "reason": getattr(verdict, "reason", ""),
    }


def word_of(verdict: AuthzDecision) -> str:
    return type(verdict).__name__.lower()


def policy_now(config: Config, profile: Profile) -> Policy:
    """Return how a profile judges, with the tools as they are now. Raises ConfigError."""
    return policy_of(config, profile, load_tools(config.tool_folders()))


def judge_again(
    policy: Policy, records: Iterable[Recorded], restore: Callable[[str], str]
) -> list[Ruling]:
    """Return every judged call of a run with what a policy says of it, by the facts of then.

    A call that was judged more than once counts as it was judged last. restore: gives back what
    redaction took out of a call's arguments, which the policy may need.
    """
    state, found = RunState(), dict[tuple[StepId, str], Ruling]()
    for rec in records:
        if isinstance(rec.event, Judged):
            ruling = again(policy, state, rec.seq, rec.event, restore)
            key = (ruling.step, repr(ruling.call))
            found.pop(key, None)
            found[key] = ruling
        state = fold(state, rec)
    # What a person wanted undone is no question of the policy's.
    return [ruling for ruling in found.values() if ruling.call.origin != "undo"]


def again(
    policy: Policy, state: RunState, seq: int, judged: Judged, restore: Callable[[str], str]
) -> Ruling:
    leaf = state.steps[judged.step]
    assert isinstance(leaf, Leaf), judged.step
    assert isinstance(leaf.task, RunTool), judged.step
    call = leaf.task.call
    whole = replace(call, args=map_strings(call.args, restore))
    now = judge(policy, situation_of(state, leaf), whole, leaf.task.facts)
    return Ruling(seq, judged.step, call, judged.verdict, now)
