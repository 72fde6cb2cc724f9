"""What a person is asked, and what they may answer."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from agentcli.core.event import Answered, Edited, Interrupted, Paused
from agentcli.core.step import Args, Call, StepId
from agentcli.core.step import Question as Kind
from agentcli.core.tool import Facts, RiskTier


@dataclass(frozen=True)
class Sign:
    """How a yes is signed. `with_what`: in words. `make`: returns who signed, and the signature.

    It may ask for a passphrase at the terminal. Raises an error that says why nothing counts.
    """

    with_what: str
    make: Callable[[], Awaitable[tuple[str, str]]]


@dataclass(frozen=True)
class Always:
    """A rule that a person may keep with a yes: what it lets run, in words.

    save: keeps it, and returns what to say of that. Raises an AgentcliError.
    """

    words: str
    save: Callable[[], str]


@dataclass(frozen=True)
class Question:
    """What a person is to see: the call as it will run, and what is known of it.

    sign: a yes counts only with a signature. at: of the rule that asks, if somebody wrote it.
    always: the rule that a person may keep, so that such calls run unasked.
    """

    step: StepId
    kind: Kind
    call: Call
    facts: Facts
    tier: RiskTier
    bound: str
    reason: str = ""
    sign: Sign | None = field(default=None, compare=False)
    at: str = ""
    always: Always | None = field(default=None, compare=False)

    def answered(
        self,
        yes: bool,
        reason: str = "",
        *,
        session: bool = False,
        signed: tuple[str, str] = ("", ""),
    ) -> Answered:
        """Return the answer. signed: who signed it, and their signature."""
        scope: Literal["once", "session"] = "session" if session else "once"
        return Answered(self.step, self.kind, self.bound, yes, reason, scope, *signed)

    def edited(self, args: Args) -> Edited:
        return Edited(self.step, self.bound, args)


Answer = Answered | Edited | Interrupted | Paused
