"""All that a run was given, as it is stored beside its ledger. A resumed run uses only this."""

from typing import Any, Literal

from msgspec.structs import replace

from agentcli.core.personal import Pii
from agentcli.core.policy import Policy
from agentcli.core.record import Record, hash_of
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent

Untrusted = Literal["shown", "held"]


class StoredTool(Record, frozen=True):
    """A tool as it was when the run began. `manifest`: as people wrote it."""

    manifest: dict[str, Any]
    script: str = ""


class Plan(Record, frozen=True):
    """model: an id, or `scripted:FILE`. time_s: how long one process may work at it.

    limit_uusd: None for no limit. output: the file that takes the answer, "" for none.
    clip_chars: how much of a tool's output the model sees.
    untrusted: whether the model sees untrusted results, or only references to them.
    pii: whether marks stand in the place of personal data.
    """

    profile: str
    model: str
    system: str
    agent: Agent
    policy: Policy
    sandbox: SandboxSpec
    tools: dict[str, StoredTool] = {}
    effort: str = ""
    max_tokens: int = 16_000
    limit_uusd: int | None = None
    limit_steps: int = 50
    time_s: int = 1800
    clip_chars: int = 30_000
    output: str = ""
    title: str = ""
    program: str = ""
    untrusted: Untrusted = "shown"
    pii: Pii = "keep"

    def digest(self) -> str:
        return hash_of(self)[:32]

    def digests(self) -> dict[str, str]:
        """Return the digest of each part, so that two runs can be told apart by what differs."""
        limits = (self.max_tokens, self.limit_uusd, self.limit_steps, self.time_s, self.clip_chars)
        parts: dict[str, object] = {
            "policy": self.policy,
            "profile": (self.profile, self.model, self.effort, *limits),
            "prompt": self.system,
            "sandbox": self.sandbox,
            "task": self.agent,
            "tools": self.tools,
        }
        # Else the parts are what they were before there was a choice.
        if self.untrusted == "held":
            parts["untrusted"] = self.untrusted
        if self.pii == "redact":
            parts["pii"] = self.pii
        return {name: hash_of(part)[:32] for name, part in parts.items()}


class Fork(Record, frozen=True):
    """In what a fork differs from the plan that its ledger began with.

    of, at: the run that it is a copy of, and how many of its records. began_us: when it was made.
    policy: of what came from elsewhere, the digest of the rules and the limits of here; "" else.
    policies: by digest, all that take the place of the one that the ledger began with.
    """

    of: str
    at: int
    model: str
    sandbox: SandboxSpec
    began_us: int = 0
    policy: str = ""
    policies: dict[str, Policy] = {}
    limit_uusd: int | None = None
    limit_steps: int = 0

    def applied(self, plan: Plan) -> Plan:
        title = fork_title(self.of, plan.title)
        if self.policy:
            policy = self.policies[self.policy]
            limits = {"limit_uusd": self.limit_uusd, "limit_steps": self.limit_steps}
            plan = replace(plan, policy=policy, max_tokens=policy.max_tokens, **limits)
        return replace(plan, model=self.model, sandbox=self.sandbox, title=title)


def fork_title(of: str, title: str) -> str:
    return f"fork of {of}: {title}" if title else f"fork of {of}"
