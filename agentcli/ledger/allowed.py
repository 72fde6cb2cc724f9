"""Checks that every call that ran was allowed to, exactly as it ran."""

from typing import Literal

from agentcli.core.approval import lacks_signature
from agentcli.core.event import (
    Answered,
    Forked,
    Judged,
    Recorded,
    RunStarted,
    Started,
    ToolEnded,
)
from agentcli.core.policy import Allow, Ask
from agentcli.core.record import tag_of
from agentcli.core.step import ActId, RunTool, StepId, bound_hash, idempotency_key
from agentcli.core.tool import RiskTier
from agentcli.ledger.walk import Fault


class Allowed:
    """Takes the records of a run one by one, of KINDS at least.

    policy: digest of the rules that the run was given; "" where they are not known, and then
    nothing can be computed anew.
    results: how many calls have ended.
    """

    KINDS = frozenset(map(tag_of, (RunStarted, Forked, Judged, Answered, Started, ToolEnded)))

    def __init__(self, policy: str) -> None:
        self.policy, self.run, self.version = policy, "", 0
        self.results, self.is_fork = 0, False
        self.bounds: set[bytes] = set()  # what was allowed so far
        self.privileged: set[str] = set()  # what only a signed yes allows
        self.open: set[ActId] = set()
        self.begun: dict[StepId, int] = {}  # the last act of each step that ran a tool

    def look(self, rec: Recorded) -> Fault | None:
        match rec.event:
            case RunStarted(run=run, version=version):
                self.run, self.version = run, version
            case Forked(run=run, policy=policy):
                self.run, self.is_fork = run, True
                self.policy = self.policy and (policy or self.policy)
                self.open.clear()  # nothing of what was under way belongs to this one
            case Judged(bound=bound, verdict=Allow()):
                self.bounds.add(bound.encode())
            case Judged(bound=bound, verdict=Ask(tier="privileged")):
                self.privileged.add(bound)
            case Answered(question="may_it_run", yes=True, bound=bound) as answer:
                tier: RiskTier | Literal[""] = "privileged" if bound in self.privileged else ""
                if not lacks_signature(answer, tier):
                    self.bounds.add(bound.encode())
            case Started(act=RunTool() as act) as started:
                return self.start(rec.seq, started, act)
            case ToolEnded(id=id):
                self.results += 1
                if id not in self.open:
                    return fault(rec.seq, "a result of a call that was not started, or ended twice")
                self.open.remove(id)
        return None

    def start(self, seq: int, started: Started, act: RunTool) -> Fault | None:
        step, number = started.id
        if self.begun.get(step, 0) >= number:
            return fault(seq, "a call that was started before, started once more")
        self.begun[step] = number
        self.open.add(started.id)
        if started.bound.encode() not in self.bounds:
            return fault(seq, "a call started that no rule and nobody had allowed")
        if self.run and self.policy:
            key = idempotency_key(self.run, step, act.call)
            if (key, bound_hash(key, act.facts, self.policy, self.version)) != (
                started.key,
                started.bound,
            ):
                return fault(seq, "a call started that is another one than was allowed")
        return None


def fault(seq: int, text: str) -> Fault:
    return Fault("not allowed", text, seq, seq)
