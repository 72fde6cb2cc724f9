"""Every act, done by the one part that can do it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agentcli.core.event import Asked, Failed, Outcome, Started, TimeCame
from agentcli.core.step import (
    AskModel,
    AskPerson,
    Check,
    Prepare,
    Probe,
    RunTool,
    Wait,
    bound_hash,
    idempotency_key,
)
from agentcli.loop.ask import Asker
from agentcli.loop.check import Checker
from agentcli.loop.port import Approver, Show, Toolbox


def now_us() -> int:
    """Return the wall clock, in microseconds since 1970."""
    return time.time_ns() // 1000


@dataclass(frozen=True)
class Acts:
    """A Performer put together of the parts of one run.

    restore: gives back what redaction took out of a stored event.
    refusal: why a call must not run though it was judged so, "" if it may. Takes it as stored.
    run, policy, version: the run's id, the digest of its rules and its ledger's version: what
        judgements are bound to.
    """

    asker: Asker
    toolbox: Toolbox
    approver: Approver
    checker: Checker
    restore: Callable[[Started], Started]
    refusal: Callable[[Started], Awaitable[str]]
    run: str
    policy: str
    version: int
    clock: Callable[[], int] = now_us

    async def __call__(self, start: Started, show: Show) -> Outcome:
        stored, judged = start, self.bound_of(start)
        start = self.restore(start)
        match start.act:
            case AskModel() as ask:
                return await self.asker(start, ask, show)
            case Prepare() as prepare:
                return await self.toolbox.prepare(start, prepare)
            case RunTool() as run:
                assert judged == start.bound, f"{start.id}: not the call that was judged"
                if why := await self.refusal(stored):
                    return Failed(start.id, "permission", f"Not run: {why}")
                return await self.toolbox.run(start, run, show)
            case Probe() as probe:
                return await self.toolbox.probe(start, probe)
            case AskPerson() as question:
                self.approver.ask(start, question)
                return Asked(start.id)
            case Check() as check:
                return self.checker(start, check)
            case Wait(until_us=until):
                await asyncio.sleep(max(0, until - self.clock()) / 1e6)
                return TimeCame(start.id)

    def bound_of(self, start: Started) -> str:
        """Return the judgement without which the stored call must not run."""
        if not isinstance(start.act, RunTool):
            return ""
        key = idempotency_key(self.run, start.id[0], start.act.call)
        return bound_hash(key, start.act.facts, self.policy, self.version)
