"""All that a run was given, as it is stored beside its ledger. A resumed run uses only this."""

from typing import Any

from agentcli.core.policy import Policy
from agentcli.core.record import Record, hash_of
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent


class StoredTool(Record, frozen=True):
    """A tool as it was when the run began. `manifest`: as people wrote it."""

    manifest: dict[str, Any]
    script: str = ""


class Plan(Record, frozen=True):
    """model: an id, or `scripted:FILE`. time_s: how long one process may work at it.

    limit_uusd: None for no limit. output: the file that takes the answer, "" for none.
    clip_chars: how much of a tool's output the model sees.
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

    def digest(self) -> str:
        return hash_of(self)[:32]
