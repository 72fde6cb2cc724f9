"""A person who is there: one question after the other, each bound to the exact call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from msgspec.structs import replace

from agentcli.core.event import Answered, Edited, Input, Judged, Paused, Prepared, Started
from agentcli.core.policy import Ask, Policy, Situation, judge
from agentcli.core.question import Always, Answer, Question, Sign
from agentcli.core.step import AskPerson, StepId
from agentcli.core.tool import tier_of
from agentcli.core.view import Read

Keeping = Callable[[StepId, Prepared, Ask], Always | None]


def keep_none(step: StepId, prepared: Prepared, ask: Ask) -> None:
    """Offer no rule to be kept."""


@dataclass
class Human:
    """show_card: puts one question on the screen and waits for the answer.

    read: gives the event of a record. put: the inbox. by: who it is.
    signing: what a yes to a question is signed with, None where it needs no signature.
    keeping: the rule that may be kept with a yes, None where none is offered.
    """

    policy: Policy
    show_card: Callable[[Question], Awaitable[Answer]]
    read: Read
    put: Callable[[Input], None]
    by: str = ""
    signing: Callable[[StepId, AskPerson], Sign | None] = lambda step, asked: None
    keeping: Keeping = keep_none
    tasks: dict[StepId, asyncio.Task[None]] = field(default_factory=dict)
    leaving: set[asyncio.Task[None]] = field(default_factory=set)  # the withdrawn, until gone
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def ask(self, start: Started, question: AskPerson) -> None:
        step = start.id[0]
        sign = self.signing(step, question)
        asked = question_of(self.policy, self.read, step, question, sign, self.keeping)
        self.tasks[step] = asyncio.get_running_loop().create_task(self.wait(asked))

    async def wait(self, asked: Question) -> None:
        async with self.turn:
            try:
                answer = await self.show_card(asked)
                if isinstance(answer, Answered) and not answer.by:
                    answer = replace(answer, by=self.by)
                self.put(answer)
            except Exception:  # the question cannot be put: nothing may wait for its answer
                self.put(Paused("interrupted"))
                raise

    def answered(self, answer: Answered | Edited) -> None:
        """Take the question away, and say who has answered it, if that was somebody else."""
        words = "changed elsewhere"
        if isinstance(answer, Answered):
            words = f"answered by {answer.by or 'somebody'}: {'yes' if answer.yes else 'no'}"
        self.withdraw(answer.step, words)

    def settled(self, step: StepId) -> None:
        """Take the question away: its step is over."""
        self.withdraw(step, "")

    def withdraw(self, step: StepId, why: str) -> None:
        task = self.tasks.pop(step, None)
        if task is not None and not task.done():
            self.leaving.add(task)
            task.add_done_callback(self.leaving.discard)
            task.cancel(why)

    async def close(self) -> None:
        for task in self.tasks.values():
            task.cancel()
        await asyncio.gather(*self.tasks.values(), *self.leaving, return_exceptions=True)


def question_of(
    policy: Policy,
    read: Read,
    step: StepId,
    asked: AskPerson,
    sign: Sign | None = None,
    keeping: Keeping = keep_none,
) -> Question:
    """Return what a person is to see of a question. read: gives the event of a record."""
    prepared = read(asked.prepared)
    assert isinstance(prepared, Prepared), asked.prepared
    rule = policy.rule_of(prepared.call.tool)
    tier = tier_of(rule, prepared.facts)
    judged = read(asked.judged) if asked.judged else None
    if isinstance(judged, Judged):
        verdict = judged.verdict
    else:  # an older ledger
        verdict = judge(policy, Situation(), prepared.call, prepared.facts)
    is_past = asked.question == "did_it_happen"
    ask = verdict if isinstance(verdict, Ask) and not is_past else None
    return Question(
        step,
        asked.question,
        prepared.call,
        prepared.facts,
        tier,
        asked.bound,
        ask.reason if ask else "",
        sign,
        ask.at if ask else "",
        keeping(step, prepared, ask) if ask else None,
    )
