"""Answers as a person once did, to drive a run again."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agentcli.core.event import Answered, Edited, Input, Interrupted, Started
from agentcli.core.step import AskPerson, Question, StepId
from agentcli.loop.past import NOT_RECORDED, Past, name_of


@dataclass
class RecordedAnswers:
    """holds: says "" where a recorded yes still holds for a call, else why it does not.

    put: the inbox.
    """

    past: Past
    put: Callable[[Input], None]
    holds: Callable[[StepId, AskPerson], str]
    given: set[tuple[StepId, bytes, Question]] = field(default_factory=set)

    def ask(self, start: Started, question: AskPerson) -> None:
        self.put(self.answer(start.id[0], question))

    def answer(self, step: StepId, asked: AskPerson) -> Input:
        deed = self.past.find(step, asked.call)
        known = deed.answers.get(asked.question) if deed else None
        key = (step, name_of(asked.call), asked.question)
        again = key in self.given
        self.given.add(key)
        if isinstance(known, Edited) and not again:  # or it would be changed for ever
            return Edited(step, asked.bound, known.args)
        if isinstance(known, Answered) and not (again and asked.question == "did_it_happen"):
            why = self.holds(step, asked) if known.yes else ""
            yes, reason = known.yes and not why, why or known.reason
            return Answered(step, asked.question, asked.bound, yes, reason, known.scope, known.by)
        # Whether a call happened is nothing to be guessed, and "no" would begin it anew.
        stopped = deed is not None and deed.status == "stopped"
        if stopped or asked.question == "did_it_happen":
            return Interrupted(step)
        return Answered(
            step, asked.question, asked.bound, yes=False, reason=f"{NOT_RECORDED}: an answer to it"
        )
