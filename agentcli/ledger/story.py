"""All that the records of a run say of one call, in order."""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from agentcli.core.record import hash_of
from agentcli.core.step import Call, Question, Status, StepId
from agentcli.ledger.entry import Answer, End, Entry, Proposal, Ruling, Start, document_of

E = TypeVar("E", bound=Entry)


@dataclass
class Story:
    """All that a ledger says of one call, in order. call: with the arguments it had last."""

    step: StepId
    call: Call
    entries: list[Entry] = field(default_factory=list)
    running: Start | None = None
    began: dict[int, int] = field(default_factory=dict)  # act -> when it was started
    asked: tuple[Question, str] | None = None  # what is open, as `fold` has it

    def all(self, kind: type[E]) -> list[E]:
        return [entry for entry in self.entries if isinstance(entry, kind)]

    def last(self, kind: type[E]) -> E | None:
        return next((entry for entry in reversed(self.entries) if isinstance(entry, kind)), None)

    @property
    def proposal(self) -> Proposal:
        first = self.entries[0]
        assert isinstance(first, Proposal)
        return first

    @property
    def status(self) -> Status | Literal["open"]:
        settled = self.last(End)
        return settled.status if settled else "open"

    @property
    def answer(self) -> Answer | None:
        """The answer that the last judgement got, if it asked for one."""
        ruling = self.last(Ruling)
        after = [
            entry
            for entry in self.all(Answer)
            if entry.counts and entry.question == "may_it_run"
            if ruling is not None and entry.record > ruling.record
        ]
        return after[-1] if after else None

    @property
    def allowed(self) -> bool | None:
        """Say what finally held of whether it may run; None if it was never judged."""
        ruling, answer = self.last(Ruling), self.answer
        if ruling is None:
            return None
        if ruling.verdict == "ask":
            return answer is not None and answer.yes
        return ruling.verdict == "allow"

    @property
    def reason(self) -> str:
        """By which rule and which answer it might run or not, in words; "" if never judged."""
        ruling, answer = self.last(Ruling), self.answer
        if ruling is None:
            return ""
        rule = f"{ruling.rule}: {ruling.reason}" if ruling.reason else ruling.rule
        if ruling.granted_by:
            return f"{rule}; yes in record {ruling.granted_by}"
        if ruling.verdict != "ask":
            return rule
        if answer is None:
            return f"{rule}; not answered"
        by = f" by {answer.by}" if answer.by else ""
        signed = ", signed" if answer.signature else ""
        said = f": {answer.reason}" if answer.reason else ""
        return f"{rule}; {'yes' if answer.yes else 'no'}{by}{signed}{said}"

    def document(self) -> dict[str, Any]:
        """Return it for machines: stamps as times in UTC."""
        return {
            "step": self.step,
            "tool": self.call.tool,
            "args": self.call.args,
            "args_hash": hash_of(self.call.args),
            "origin": self.call.origin,
            "status": self.status,
            "allowed": self.allowed,
            "records": [document_of(entry) for entry in self.entries],
        }
