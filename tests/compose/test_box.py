"""The one sandbox of a run is opened anew where that can help."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from agentcli.compose import box as opening
from agentcli.compose.box import LOST_AT_MOST, LazySandbox
from agentcli.core.plan import Plan
from agentcli.core.policy import Policy
from agentcli.core.sandbox import Job, JobEnd, SandboxFacts, SandboxSpec
from agentcli.core.step import Agent
from agentcli.ledger.folder import RunFolder


class Opened:
    facts = SandboxFacts("docker", isolated=True, offline=True)
    gone = ""
    died = False

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        return JobEnd("exit")

    async def close(self) -> None:
        pass


async def uses(count: int, *, died: bool) -> int:
    """Use a sandbox that is gone after each use; return how many were opened."""
    opened: list[Opened] = []

    async def open_one(spec: SandboxSpec, run: str) -> Opened:
        opened.append(Opened())
        return opened[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "open_sandbox", open_one)
        plan = Plan("p", "m", "", Agent("react"), Policy(), SandboxSpec())
        lazy = LazySandbox(plan, RunFolder(Path("/nowhere")))
        for _ in range(count):
            box = await lazy()
            assert isinstance(box, Opened)
            box.gone, box.died = "why", died
    return len(opened)


def test_one_that_dies_is_opened_anew_a_few_times() -> None:
    assert asyncio.run(uses(10, died=True)) == LOST_AT_MOST + 1


def test_one_that_must_only_be_opened_anew_is_so_each_time() -> None:
    assert asyncio.run(uses(10, died=False)) == 10
