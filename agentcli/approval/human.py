"""A person who is there: one question after the other, each bound to the exact call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from agentcli.core.event import Input, Paused, Prepared, Started
from agentcli.core.policy import Ask, Policy, judge
from agentcli.core.question import Answer, Question
from agentcli.core.step import AskPerson, StepId
from agentcli.core.tool import ToolRule, tier_of
from agentcli.core.view import Read


@dataclass
class Human:
    """show_card: puts one question on the screen and waits for the answer.

    read: gives the event of a record. put: the inbox.
    """

    policy: Policy
    show_card: Callable[[Question], Awaitable[Answer]]
    read: Read
    put: Callable[[Input], None]
    tasks: dict[StepId, asyncio.Task[None]] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def ask(self, start: Started, question: AskPerson) -> None:
        asked = self.question(start.id[0], question)
        self.tasks[asked.step] = asyncio.get_running_loop().create_task(self.wait(asked))

    def question(self, step: StepId, asked: AskPerson) -> Question:
        prepared = self.read(asked.prepared)
        assert isinstance(prepared, Prepared), asked.prepared
        rule = self.policy.tools.get(prepared.call.tool, ToolRule())
        tier = tier_of(rule, prepared.facts)
        verdict = judge(self.policy, (), prepared.call, prepared.facts)
        is_past = asked.question == "did_it_happen"
        reason = verdict.reason if isinstance(verdict, Ask) and not is_past else ""
        return Question(
            step, asked.question, prepared.call, prepared.facts, tier, asked.bound, reason
        )

    async def wait(self, asked: Question) -> None:
        async with self.turn:
            try:
                self.put(await self.show_card(asked))
            except Exception:  # the question cannot be put: nothing may wait for its answer
                self.put(Paused("interrupted"))
                raise

    def settled(self, step: StepId) -> None:
        """Take the question away: its step is over."""
        task = self.tasks.pop(step, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), return_exceptions=True)
