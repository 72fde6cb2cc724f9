"""An answer that a person gave before the run went on, to exactly what they saw."""

from collections.abc import Callable
from dataclasses import dataclass

from agentcli.core.approval import changes
from agentcli.core.event import Answered, Edited, Input, Prepared, Started
from agentcli.core.step import AskPerson
from agentcli.core.view import Read
from agentcli.core.visible import visible
from agentcli.loop.port import Approver


@dataclass
class Earlier:
    """Gives the answer once, if what is asked is what was answered; any other question goes on.

    seen: the call as it was shown. read: gives the event of a record. say: tells the person.
    """

    answer: Answered | Edited
    seen: Prepared
    read: Read
    put: Callable[[Input], None]
    say: Callable[[str], None]
    others: Approver
    is_open: bool = True

    def ask(self, start: Started, question: AskPerson) -> None:
        if not self.is_open or start.id[0] != self.answer.step:
            self.others.ask(start, question)
            return
        self.is_open = False
        kind = getattr(self.answer, "question", "may_it_run")
        if (question.question, question.bound) == (kind, self.answer.bound):
            self.put(self.answer)
            return
        now = self.read(question.prepared)
        assert isinstance(now, Prepared), question.prepared
        what = ", ".join(changes(self.seen, now))
        self.say(visible(f"Not answered: what was shown has changed: {what}. It is asked again."))
        self.others.ask(start, question)

    def close(self) -> None:
        """Say so if the run stopped before it asked."""
        if self.is_open:
            self.is_open = False
            self.say("Not answered: the run stopped before it asked again.")
