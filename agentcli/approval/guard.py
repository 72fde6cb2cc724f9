"""Stands before each privileged call: none runs without a signed yes that was checked here."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agentcli.approval.signed import Signers
from agentcli.core.approval import approval_text
from agentcli.core.event import (
    Answered,
    Forked,
    Prepared,
    Recorded,
    RunStarted,
    Settled,
    Started,
)
from agentcli.core.policy import Policy
from agentcli.core.step import AskPerson, Call, RunTool, StepId
from agentcli.core.tool import Facts, tier_of
from agentcli.errors import AgentcliError, NotPermittedError


@dataclass
class Guard:
    """Knows the signed answers of a run, as they are stored. It asks nobody but OpenSSH."""

    policy: Policy
    run: str = ""
    requester: str = ""
    answers: dict[tuple[StepId, str], Answered] = field(default_factory=dict)
    prepared: dict[StepId, Prepared] = field(default_factory=dict)  # of the open calls

    def note(self, rec: Recorded) -> None:
        match rec.event:
            case RunStarted(run=run, requester=requester):
                self.run, self.requester = run, requester
            case Forked(run=run):
                self.run = run
            case Answered(yes=True, signature=signature) as answer if signature:
                self.answers[answer.step, answer.bound] = answer
            case Prepared(id=(step, _)) as prepared:
                self.prepared[step] = prepared
            case Settled(step=step):
                self.prepared.pop(step, None)

    @property
    def signers(self) -> Signers:
        return Signers(self.policy.signers, self.policy.separate, self.requester)

    async def __call__(self, start: Started) -> str:
        """Return why a call must not run, "" if it may. start: as it is stored."""
        return await asyncio.to_thread(self.problem, start) if self.is_for(start) else ""

    def is_for(self, start: Started) -> bool:
        if not isinstance(start.act, RunTool):
            return False
        return self.is_privileged(start.act.call, start.act.facts)

    def is_privileged(self, call: Call, facts: Facts) -> bool:
        return tier_of(self.policy.rule_of(call.tool), facts) == "privileged"

    def text_of(self, step: StepId, asked: AskPerson) -> str:
        """Return the text that a yes to this question has to sign, "" if it needs no signature."""
        found = self.prepared.get(step)
        if asked.question != "may_it_run" or found is None:
            return ""
        if not self.is_privileged(found.call, found.facts):
            return ""
        return approval_text(self.run, step, found.call, asked.bound, found.facts)

    def problem(self, start: Started, at_us: int | None = None) -> str:
        """Return why a privileged call must not run. at_us: when it was said yes to."""
        assert isinstance(start.act, RunTool)
        call, facts = start.act.call, start.act.facts
        answer = self.answers.get((start.id[0], start.bound))
        if answer is None:
            return "A privileged call without a signed yes."
        text = approval_text(self.run, start.id[0], call, start.bound, facts)
        try:
            who = self.signers.check(text, answer.signature, at_us)
        except AgentcliError as error:
            return str(error)
        return "" if who == answer.by else f"It was signed by {who}, not by {answer.by}."


def signature_problems(records: Iterable[Recorded], policy: Policy) -> Iterator[str]:
    """Yield what is wrong with the signed answers of a ledger, read as it is stored.

    Needs no run, no network and no key: OpenSSH and the signers that the run began with. Each
    signature must have been good when it was given, and each privileged call must have had one.
    Raises UnavailableError where there is no ssh-keygen.
    """
    guard, stamps = Guard(policy), dict[tuple[StepId, str], int]()
    prepared: dict[int, Prepared] = {}
    asked: dict[StepId, AskPerson] = {}
    for rec in records:
        guard.note(rec)
        match rec.event:
            case Prepared() as found:
                prepared[rec.seq] = found
            case Started(id=(step, _), act=AskPerson() as question):
                asked[step] = question
            case Answered(signature=signature) as answer if signature:
                stamps[answer.step, answer.bound] = rec.at_us
                question_of = asked.get(answer.step)
                shown = prepared.get(question_of.prepared) if question_of else None
                if shown is None or question_of is None or question_of.bound != answer.bound:
                    yield f"record {rec.seq}: a signed answer to what nobody asked"
                    continue
                text = approval_text(guard.run, answer.step, shown.call, answer.bound, shown.facts)
                try:
                    who = guard.signers.check(text, signature, rec.at_us)
                except NotPermittedError as error:
                    yield f"record {rec.seq}: {error}"
                else:
                    if who != answer.by:
                        yield f"record {rec.seq}: it was signed by {who}, not by {answer.by}"
            case Started(id=(step, _), act=RunTool()) as start if guard.is_for(start):
                if why := guard.problem(start, stamps.get((step, start.bound))):
                    yield f"record {rec.seq}: {why}"
