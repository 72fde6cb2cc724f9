"""When what a person once said or stopped is said again, in a run that is driven anew."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from agentcli.core.event import (
    Event,
    Grown,
    Input,
    Interrupted,
    Paused,
    Recorded,
    Settled,
    Started,
    UserSaid,
)
from agentcli.core.step import ROOT, StepId

Moment = tuple[str, StepId]  # an act of a step had begun, or the step had settled


@dataclass(frozen=True)
class Cue:
    """An input, and the last moment before it, None for the start."""

    after: Moment | None
    fact: UserSaid | Interrupted


def moment_of(event: Event) -> Moment | None:
    match event:
        case Started(id=(step, _), act=act):
            return f"{type(act).__name__} started", step
        case Settled(step=step):
            return "settled", step
        case _:
            return None


def cues_in(records: Iterable[Recorded]) -> list[Cue]:
    cues: list[Cue] = []
    last: Moment | None = None
    for rec in records:
        if isinstance(rec.event, UserSaid | Interrupted):
            cues.append(Cue(last, rec.event))
        last = moment_of(rec.event) or last
    return cues


class Prompter:
    """Gives the cues of a run, each at its moment; a text also where nothing else is under way.

    When a chat has nothing more to hear, it is left.
    """

    def __init__(self, records: Iterable[Recorded]) -> None:
        self.cues = deque(cues_in(records))
        self.passed: set[Moment | None] = {None}
        self.children = self.unheard = 0
        self.chat = self.left = False

    def after(self, event: Event) -> Iterable[Input]:
        """Yield what comes right after an event."""
        match event:
            case Grown(step=step, steps=steps) if step == ROOT:
                self.children += len(steps)
            case Settled(step=step):
                self.children -= step.rpartition("/")[0] == ROOT
            case UserSaid():
                self.unheard -= 1
        if moment := moment_of(event):
            self.passed.add(moment)
        while self.cues and self.cues[0].after in self.passed:
            yield self.next()

    def when_idle(self) -> Iterable[Input]:
        """Yield what comes once all that is known has been taken in."""
        if not self.chat or self.left or self.children or self.unheard:
            return
        while self.cues and isinstance(self.cues[0].fact, Interrupted):
            self.cues.popleft()  # what it was to stop never came
        self.left = not self.cues
        yield Paused("left") if self.left else self.next()

    def next(self) -> Input:
        fact = self.cues.popleft().fact
        self.unheard += isinstance(fact, UserSaid)
        return fact
