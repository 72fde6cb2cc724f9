"""What a run did with each of its calls, found again by tool and arguments."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from agentcli.core.event import (
    Answered,
    Checked,
    Edited,
    Failed,
    Prepared,
    Probed,
    Recorded,
    Settled,
    Started,
    ToolEnded,
)
from agentcli.core.record import encode
from agentcli.core.step import (
    Act,
    ActId,
    AskPerson,
    Call,
    Check,
    Prepare,
    Question,
    RunTool,
    Status,
    StepId,
)

NOT_RECORDED = "Not in the recording"


@dataclass
class Deed:
    """One call of a run, and the last that came of it. began: it was started."""

    prepared: Prepared | Failed | None = None
    began: bool = False
    ended: ToolEnded | Failed | None = None
    answers: dict[Question, Answered | Edited] = field(default_factory=dict)
    status: Status | None = None


class Past:
    """The calls of a run in the order of their occurrence.

    The same call in another step is the next occurrence; asked for again in the same step, it is
    the same one. checks: what the checks of files found, in their order.
    """

    def __init__(self, records: Iterable[Recorded]) -> None:
        self.left: defaultdict[bytes, list[Deed]] = defaultdict(list)
        self.taken: dict[tuple[StepId, bytes], Deed] = {}
        self.checks: list[Checked] = []
        self.deeds: dict[tuple[StepId, bytes], Deed] = {}
        self.named: dict[StepId, Deed] = {}  # what was found last of each step
        self.open: dict[StepId, Deed] = {}  # what each step is about now
        self.acts: dict[ActId, Act] = {}
        for rec in records:
            self.take_in(rec)

    def take_in(self, rec: Recorded) -> None:
        match rec.event:
            case Started(id=id, act=act):
                self.acts[id] = act
                self.begin(id[0], act)
            case Prepared(id=(step, _)) as prepared:
                self.open[step].prepared = prepared
            case (ToolEnded(id=id) | Failed(id=id)) as outcome if id[0] in self.open:
                if isinstance(self.acts[id], RunTool):
                    self.open[id[0]].ended = outcome
                elif isinstance(outcome, Failed):
                    self.open[id[0]].prepared = outcome
            case Probed(id=id, happened="yes") as probed if id[0] in self.open:
                ended = ToolEnded(
                    id,
                    "done",
                    probed.output,
                    label=probed.label,
                    held=probed.held,
                    echo=probed.echo,
                )
                self.open[id[0]].ended = ended
            case Checked(id=id) as checked:
                act = self.acts[id]
                if isinstance(act, Check) and act.what == "files":
                    self.checks.append(checked)
            case Answered(step=step, question=question) as answer if step in self.open:
                self.open[step].answers[question] = answer
            case Edited(step=step) as edited if step in self.open:
                self.open[step].answers["may_it_run"] = edited
            case Settled(step=step, status=status) if step in self.open:
                self.open.pop(step).status = status

    def begin(self, step: StepId, act: Act) -> None:
        match act:
            case Prepare(call=call):
                key = (step, name_of(call))
                if key not in self.deeds:
                    self.deeds[key] = Deed()
                    self.left[key[1]].append(self.deeds[key])
                self.open[step] = self.deeds[key]
            case RunTool():
                self.open[step].began = True
            case AskPerson(question=question):
                # Only what answers the last time it was asked has counted.
                self.open[step].answers.pop(question, None)

    def find(self, step: StepId, call: Call) -> Deed | None:
        """Return what became of a call, None if there was none or no further one like it.

        One with texts in its arguments is the one that named them.
        """
        key = (step, name_of(call))
        if key not in self.taken:
            left = self.left[key[1]]
            if not left:
                return self.named.get(step) if call.held else None
            self.taken[key] = self.named[step] = left.pop(0)
        return self.taken[key]


def name_of(call: Call) -> bytes:
    return encode((call.tool, call.args))
