"""What a person is asked, and what they may answer."""

from dataclasses import dataclass
from typing import Literal

from agentcli.core.event import Answered, Edited, Interrupted, Paused
from agentcli.core.step import Args, Call, StepId
from agentcli.core.step import Question as Kind
from agentcli.core.tool import Facts, RiskTier


@dataclass(frozen=True)
class Question:
    """What a person is to see: the call as it will run, and what is known of it."""

    step: StepId
    kind: Kind
    call: Call
    facts: Facts
    tier: RiskTier
    bound: str
    reason: str = ""

    def answered(self, yes: bool, reason: str = "", *, session: bool = False) -> Answered:
        scope: Literal["once", "session"] = "session" if session else "once"
        return Answered(self.step, self.kind, self.bound, yes, reason, scope)

    def edited(self, args: Args) -> Edited:
        return Edited(self.step, self.bound, args)


Answer = Answered | Edited | Interrupted | Paused
