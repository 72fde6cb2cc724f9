"""What the model of a run has seen, by the records that hold it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agentcli.core.event import (
    Answered,
    Edited,
    Event,
    Forked,
    Grown,
    Prepared,
    Probed,
    Recorded,
    Replied,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
    UserSaid,
)
from agentcli.core.held import NO_ANSWER, TELLS, Answer, answer_of, typed
from agentcli.core.label import CLEAN, Label
from agentcli.core.message import text_of
from agentcli.core.step import Agent, Args, AskPerson, Call, RunTool, StepId
from agentcli.core.trace import Passage, Passages, holds, leaves_of, normal
from agentcli.tool.tainted import Written

AROUND = ".,;:!?()[]{}<>'\"`"  # a word, and no part of it
# A record, whose words it holds, and where they come from in a few words.
Place = tuple[int, Label, str]


@dataclass
class Seen:
    """Fed with each record. Holds places, never texts, so that it stays small.

    calls: of the open ones, in a few words. held: what was held back from the model, by the step
    that gave it. readers: what those under way are to answer. asked: of the open calls that a
    person was asked about, the record that holds it as it was shown; edits: that, by the record of
    what the person has made of it.
    """

    places: list[Place] = field(default_factory=list)
    calls: dict[StepId, str] = field(default_factory=dict)
    held: dict[StepId, Place] = field(default_factory=dict)
    readers: dict[StepId, Answer] = field(default_factory=dict)
    written: Written = field(default_factory=Written)
    asked: dict[StepId, int] = field(default_factory=dict)
    edits: dict[int, int] = field(default_factory=dict)

    def take(self, rec: Recorded) -> None:
        self.written.take(rec.event)
        match rec.event:
            case RunStarted() | UserSaid():
                self.places.append((rec.seq, CLEAN, "the user"))
            case Started(id=(step, _), act=AskPerson(prepared=prepared)):
                self.asked[step] = prepared
            case Edited(step=step) if step in self.asked:
                self.edits[rec.seq] = self.asked[step]
                self.places.append((rec.seq, CLEAN, "the user"))
            case Answered(reason=reason) if reason:
                self.places.append((rec.seq, CLEAN, "the user"))
            case Forked(policy=policy) if policy:
                self.places = [(seq, Label(), name) for seq, _, name in self.places]
                self.held = {step: (at[0], Label(), at[2]) for step, at in self.held.items()}
            case Started(id=(step, _), act=RunTool(call=call)) if call.origin != "undo":
                self.calls[step] = in_brief(call)
            case (
                ToolEnded(id=(step, _), label=Label() as label, held=held)
                | Probed(id=(step, _), label=Label() as label, held=held)
            ) if step in self.calls:  # nobody is told what an undo has said
                place = (rec.seq, label, self.calls[step])
                if held:
                    self.held[step] = place
                else:
                    self.places.append(place)
            case Grown(step=parent, steps=steps):
                for grown in steps:
                    match grown.task:
                        case Agent(pattern="reader", call=Call(args=args)):
                            if (answer := answer_of(args)) is not None:
                                self.readers[f"{parent}/{grown.name}"] = answer
            case Settled(step=step) as settled:
                self.calls.pop(step, None)
                self.asked.pop(step, None)
                if (answer := self.readers.pop(step, None)) is not None:
                    self.answered(settled, answer)

    def answered(self, settled: Settled, answer: Answer) -> None:
        """Take in what a reader has answered: what an untrusted text had a say in."""
        place = (settled.at, Label(), "the answer of a reader")
        if settled.status != "done":
            return
        if answer.of == "text":
            self.held[settled.step] = place
        elif answer.of in TELLS:
            self.places.append(place)


@dataclass(frozen=True)
class HeldText:
    """A text that the model has not seen. seq: of its record. name: of its source.

    is_whole: no part of it was left out and is gone.
    """

    text: str
    label: Label
    seq: int
    name: str
    is_whole: bool = True

    @property
    def passage(self) -> Passage:
        return Passage.of(self.text, self.label, self.seq, self.name)


@dataclass
class Reader:
    """Gives what the model has seen as passages, each of which is read once, and what it has not.

    read: gives the event of a record. whole: gives a whole output by its handle, None where it is
    gone. system: what the model was told to begin with.
    """

    seen: Seen
    read: Callable[[int], Event]
    whole: Callable[[str], str | None]
    system: str = ""
    passages: Passages = field(default_factory=Passages)
    count: int = 0

    def __call__(self) -> Passages:
        if not self.count and self.system:
            self.passages.add(self.system, CLEAN, 0, "the profile")
        for seq, label, name in self.seen.places[self.count :]:
            event = self.read(seq)
            words = self.words_of(event, seq)
            is_answer = isinstance(event, Replied) and words != NO_ANSWER
            self.passages.add(words, label, seq, name, is_answer=is_answer)
        self.count = len(self.seen.places)
        return self.passages

    def words_of(self, event: Event, seq: int) -> str:
        if not isinstance(event, Edited):
            return words_of(event)
        prepared = self.read(self.seen.edits[seq])
        assert isinstance(prepared, Prepared), seq
        return new_words(event.args, prepared.call.args)

    def held(self, step: StepId) -> HeldText | None:
        """Return the text that was held back of what a step gave, None if there is none."""
        if step not in self.seen.held:
            return None
        seq, label, name = self.seen.held[step]
        match event := self.read(seq):
            case ToolEnded(full=full, output=output) if full:
                text = self.whole(full)
                return HeldText(text or output, label, seq, name, is_whole=text is not None)
            case Replied(blocks=blocks):
                text = typed(Answer("text"), text_of(blocks))
                return None if text is None else HeldText(text, label, seq, name)
            case _:
                return HeldText(words_of(event), label, seq, name)


def in_brief(call: Call) -> str:
    first = next((str(value) for value in call.args.values() if isinstance(value, str)), "")
    text = f"{call.tool} {first.strip().partition(chr(10))[0]}".strip()
    return text if len(text) <= 60 else text[:59] + "…"


def new_words(now: Args, before: Args) -> str:
    """Return what a person has typed into arguments: the words that stood nowhere in them."""
    old = normal("\n".join(value for _, value in leaves_of(before)))
    known = {*old.split()}  # most are, and are found so at once
    words = (word for _, value in leaves_of(now) for word in normal(value).split())
    new = (word for word in words if word not in known)
    return " ".join(word for word in new if not holds(old, word.strip(AROUND)))


def words_of(event: Event) -> str:
    """Return what of an event the model is shown, or what a person has typed in it."""
    match event:
        case RunStarted(agent=agent):
            return "\n".join((agent.text, *agent.steps))
        case UserSaid(text=text):
            return text
        case Answered(reason=reason):
            return reason
        case ToolEnded(output=output) | Probed(output=output):
            return output
        case Replied(blocks=blocks):
            found = (typed(Answer(kind), text_of(blocks)) for kind in TELLS)
            return next(filter(None, found), "")
        case _:
            raise AssertionError(event)
