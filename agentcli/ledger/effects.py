"""What the calls of a run have changed, and what has been undone of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from agentcli.core.compensation import undone_by
from agentcli.core.event import (
    Answered,
    Dropped,
    Event,
    Failed,
    Forked,
    Prepared,
    Probed,
    Recorded,
    RunResumed,
    Settled,
    Started,
    ToolEnded,
)
from agentcli.core.step import Call, RunTool, StepId
from agentcli.core.tool import RESTORE, Facts, Undo


@dataclass
class Attempt:
    """One try to undo a call. status: "open" while it is not known. told: what came of it."""

    step: StepId
    status: str = "open"
    told: str = ""
    effect: "Effect | None" = None  # what the try itself has changed


@dataclass
class Effect:
    """What a call has changed. at: seq of the record that says so, by which it is named."""

    at: int
    step: StepId
    call: Call
    undo: Undo
    attempts: list[Attempt] = field(default_factory=list)
    dropped: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether it was undone, and that has not been undone in turn."""
        return any(
            attempt.status == "done" and not (attempt.effect and attempt.effect.is_undone)
            for attempt in self.attempts
        )

    @property
    def is_dead(self) -> bool:
        """Whether it was to be undone, could not be, and nobody has given up on it."""
        last = self.attempts[-1].status if self.attempts else "open"
        return last not in ("open", "done") and not self.dropped and not self.is_undone

    @property
    def undoes(self) -> int:
        """Which record it undoes, 0 if it is no undo."""
        return undone_by(self.step) if self.call.origin == "undo" else 0

    @property
    def name(self) -> str:
        """How people name it: by the end of its step's id."""
        return self.step.rpartition("/")[2]


@dataclass
class Effects:
    """Fed with the records of a run in order."""

    found: dict[int, Effect] = field(default_factory=dict)
    calls: dict[StepId, Call] = field(default_factory=dict)
    facts: dict[StepId, Facts] = field(default_factory=dict)
    running: set[StepId] = field(default_factory=set)
    last: dict[StepId, Event] = field(default_factory=dict)
    lost: list[Effect] = field(default_factory=list)  # whose state after is not known yet

    @property
    def open(self) -> list[tuple[StepId, Call]]:
        """The calls that can be undone, once it is recorded what came of them."""
        return [
            (step, self.calls[step])
            for step in sorted(self.running)
            if step in self.calls and self.facts[step].undo is not None
        ]

    def take(self, rec: Recorded) -> None:
        match rec.event:
            case Prepared(id=(step, _), call=call, facts=facts):
                self.calls[step], self.facts[step] = call, facts
                self.know_after(facts.snapshot)
            case Started(id=(step, _), act=RunTool()):
                self.running.add(step)
            case ToolEnded(id=(step, _), undo=undo, after=after) as ended if step in self.calls:
                self.know_after(after)
                self.last[step] = ended
                if undo is not None:
                    self.add(Effect(rec.seq, step, self.calls[step], undo))
            case Failed(id=(step, _)) | Probed(id=(step, _)) | Answered(step=step) as event:
                self.last[step] = event
            case Forked() as event:
                self.last |= dict.fromkeys(self.running, event)
                # What the original did, it undoes itself; only files can be put back in a copy.
                self.found = {at: e for at, e in self.found.items() if e.undo.tool == RESTORE}
            case RunResumed() as event:
                self.last |= dict.fromkeys(self.running, event)
            case Settled(step=step) as settled if step in self.calls:
                self.settle(settled)
            case Dropped(at=at) if at in self.found:
                self.found[at].dropped = True

    def settle(self, settled: Settled) -> None:
        step = settled.step
        call, facts, last = self.calls.pop(step), self.facts.pop(step), self.last.pop(step, None)
        was_lost = isinstance(last, RunResumed | Forked | Probed | Answered)
        if step in self.running and was_lost and settled.status in ("unknown", "done"):
            self.add_lost(settled.at, step, call, facts)
        self.running.discard(step)
        undoes = self.found.get(undone_by(step)) if call.origin == "undo" else None
        # What is forged could undo itself, or what comes after it.
        if undoes is not None and undoes.at < settled.at:
            own = self.found.get(settled.at)
            undoes.attempts.append(Attempt(step, settled.status, told_by(last), own))

    def add(self, effect: Effect) -> None:
        self.found[effect.at] = effect

    def add_lost(self, at: int, step: StepId, call: Call, facts: Facts) -> None:
        """Note a call of which nobody saw the end: its state before is known, that after is not."""
        if facts.undo is None:
            return
        undo = facts.undo
        if undo.tool == RESTORE:
            undo = Undo(RESTORE, {"before": facts.snapshot, "after": ""})
        effect = Effect(at, step, call, undo)
        self.lost.append(effect)
        self.add(effect)

    def know_after(self, snapshot: str) -> None:
        """Take the next state that was kept as the one that a lost call had left."""
        if snapshot:
            for effect in self.lost:
                if effect.undo.tool == RESTORE:
                    effect.undo = Undo(RESTORE, {**effect.undo.args, "after": snapshot})
            self.lost.clear()


def told_by(event: Event | None) -> str:
    match event:
        case ToolEnded(output=text) | Failed(message=text):
            return text
        case _:
            return ""


def effects_of(records: Iterable[Recorded]) -> list[Effect]:
    """Return what the calls of a run have changed, in order; what undid any of it is one too."""
    return list(taken(records).found.values())


def taken(records: Iterable[Recorded]) -> Effects:
    effects = Effects()
    for rec in records:
        effects.take(rec)
    return effects


def dead_letters(effects: Iterable[Effect]) -> Iterator[Effect]:
    """Yield what was to be undone and could not be."""
    return (effect for effect in effects if effect.is_dead)
