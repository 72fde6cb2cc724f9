"""A run kept as a real one is, made of the events that a test wants in its ledger."""

from pathlib import Path

from agentcli.core.event import Event, RunStarted
from agentcli.core.plan import Plan
from agentcli.core.policy import Policy
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.step import Agent
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.line import Chain

RUN = "20261123-113000-123abc"
AT = 1_700_000_000_000_000


def keep_run(
    state: Path, *events: Event, run: str = RUN, title: str = "A title", model: str = "m"
) -> RunFolder:
    """Keep a run with these events after its start, a second between them."""
    folder = RunFolder(state / "runs" / run)
    folder.path.mkdir(parents=True, mode=0o700)
    agent = Agent("react", "Go.")
    plan = Plan("default", model, "", agent, Policy(), SandboxSpec(), title=title)
    folder.keep_plan(plan, ())
    started = RunStarted(run, agent, plan=plan.digest(), title=title, requester="ada")
    chain = Chain()
    chain.epoch = 1
    all_events = [started, *events]
    lines = [chain.write(event, AT + n * 1_000_000)[1] for n, event in enumerate(all_events, 1)]
    folder.ledger.write_bytes(b"".join(lines))
    return folder
