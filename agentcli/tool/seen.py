"""What the model of a run has seen, by the records that hold it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agentcli.core.event import (
    Answered,
    Edited,
    Event,
    Probed,
    Recorded,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
    UserSaid,
)
from agentcli.core.label import CLEAN, Label
from agentcli.core.record import encode
from agentcli.core.step import Call, RunTool, StepId
from agentcli.core.trace import Passages

# A record, whose words it holds, and where they come from in a few words.
Place = tuple[int, Label, str]


@dataclass
class Seen:
    """Fed with each record. Holds places, never texts, so that it stays small."""

    places: list[Place] = field(default_factory=list)
    calls: dict[StepId, str] = field(default_factory=dict)  # of the open ones, in a few words

    def take(self, rec: Recorded) -> None:
        match rec.event:
            case RunStarted() | UserSaid() | Edited():
                self.places.append((rec.seq, CLEAN, "the user"))
            case Answered(reason=reason) if reason:
                self.places.append((rec.seq, CLEAN, "the user"))
            case Started(id=(step, _), act=RunTool(call=call)):
                self.calls[step] = in_brief(call)
            case ToolEnded(id=(step, _), label=Label() as label):
                self.places.append((rec.seq, label, self.calls.get(step, "")))
            case Probed(id=(step, _), label=Label() as label):
                self.places.append((rec.seq, label, self.calls.get(step, "")))
            case Settled(step=step):
                self.calls.pop(step, None)


@dataclass
class Reader:
    """Gives what the model has seen as passages, each of which is read once.

    read: gives the event of a record. system: what the model was told to begin with.
    """

    seen: Seen
    read: Callable[[int], Event]
    system: str = ""
    passages: Passages = field(default_factory=Passages)
    count: int = 0

    def __call__(self) -> Passages:
        if not self.count and self.system:
            self.passages.add(self.system, CLEAN, 0, "the profile")
        for seq, label, name in self.seen.places[self.count :]:
            self.passages.add(words_of(self.read(seq)), label, seq, name)
        self.count = len(self.seen.places)
        return self.passages


def in_brief(call: Call) -> str:
    first = next((str(value) for value in call.args.values() if isinstance(value, str)), "")
    text = f"{call.tool} {first.strip().partition(chr(10))[0]}".strip()
    return text if len(text) <= 60 else text[:59] + "…"


def words_of(event: Event) -> str:
    """Return what of an event the model is shown, or what a person has typed in it."""
    match event:
        case RunStarted(agent=agent):
            return "\n".join((agent.text, *agent.steps))
        case UserSaid(text=text):
            return text
        case Edited(args=args):
            return encode(args).decode()
        case Answered(reason=reason):
            return reason
        case ToolEnded(output=output) | Probed(output=output):
            return output
        case _:
            raise AssertionError(event)
