"""What there is to say of a run that is not being run: for lists, and in full for one."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentcli.compose.outcome import (
    HINT_OF_PARKING,
    Tally,
    answer_in,
    in_one_line,
    why_failed,
    why_parked,
)
from agentcli.compose.standing import Standing, standing_of
from agentcli.core.event import (
    NOTES,
    Answered,
    Edited,
    Ended,
    Event,
    Failed,
    Forked,
    Parked,
    Recorded,
    Replied,
    Settled,
    Started,
    UserSaid,
)
from agentcli.core.message import Usage
from agentcli.core.plan import Fork, fork_title
from agentcli.core.step import ROOT, AskPerson, Call, Prepare, StepId
from agentcli.errors import AgentcliError
from agentcli.ledger.folder import RunFolder, last_event
from agentcli.ledger.follow import Follower
from agentcli.ledger.read import records_of

LOOKED_THROUGH_BYTES = 1 << 20


class PlanHead(msgspec.Struct):
    """As much of a plan as a list needs, read without the rest."""

    profile: str


@dataclass(frozen=True)
class Glance:
    """What a list says of a run. tally: None where that would take long to find out."""

    run: str
    standing: Standing
    profile: str
    title: str
    began_us: int = 0
    tally: Tally | None = None

    @property
    def began(self) -> str:
        return day_and_time(self.began_us)

    def document(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "status": self.standing.status,
            "why": self.standing.why,
            "profile": self.profile,
            "title": self.title,
            "began": when(self.began_us),
            "turns": self.tally.replies if self.tally else None,
            **(self.tally.money if self.tally else {"cost_usd": None}),
        }


def glance_at(run: RunFolder) -> Glance:
    """Return what a list says of a run; a ledger that cannot be read is listed as such.

    Reads the first and the last records. The turns and the cost stand in between: they are
    counted in a ledger of at most 1 MB and left out of a longer one.
    """
    try:
        first, started, fork = run.first(), run.started(), run.fork()
        last = last_event(run.ledger)
        path = run.path / "plan.json"
        head = msgspec.json.decode(path.read_bytes(), type=PlanHead)
        tally = counted(run) if run.ledger.stat().st_size <= LOOKED_THROUGH_BYTES else None
        return Glance(
            run.id,
            standing_of(last, is_running=is_running(run, last)),
            head.profile,
            run.label or title_of(fork, started.title or started.agent.pattern),
            (fork and fork.began_us) or first.at_us,
            tally,
        )
    except AgentcliError as error:
        return Glance(run.id, Standing("damaged"), "", str(error))
    except (msgspec.MsgspecError, RecursionError, OSError) as error:
        return Glance(run.id, Standing("damaged"), "", f"{run.path / 'plan.json'}: {error}")


def title_of(fork: Fork | None, title: str) -> str:
    """Return a title as lists show it: of a fork, with what it is a fork of."""
    return title if fork is None else fork_title(fork.of, title)


def is_running(run: RunFolder, last: Event | None) -> bool:
    """Say whether a living process is at a run whose ledger ends so."""
    if isinstance(last, Ended):
        return False
    with Follower(run.ledger) as follower:
        return follower.is_written()


def counted(run: RunFolder) -> Tally:
    """Return the turns and the cost of a run, and nothing else."""
    tally = Tally()
    for rec in records_of(run.ledger, Replied, Failed):
        tally.publish(rec)
    return tally


@dataclass
class Asked:
    """A question that a person was put, and what came of it."""

    record: int
    call: Call
    question: str
    answer: str = "not answered"
    reason: str = ""


@dataclass
class Report:
    """The whole of a run, summed up from its records as they are stored.

    message: why it is not done, in words, "" if it is or is being done. hint: what mends that.
    """

    records: int
    standing: Standing
    message: str = ""
    hint: str = ""
    answer: str = ""
    began_us: int = 0
    last_us: int = 0
    asked: list[Asked] = field(default_factory=list)
    tools: dict[str, dict[str, int]] = field(default_factory=dict)  # tool -> status -> calls
    tally: Tally = field(default_factory=Tally)

    @property
    def took_s(self) -> int:
        return max(0, self.last_us - self.began_us) // 1_000_000

    @property
    def summary(self) -> str:
        """The line that a run ends with."""
        return in_one_line(self.standing.word, self.tally)

    @property
    def tokens(self) -> dict[str, int]:
        return {name: getattr(self.tally.usage, name) for name in Usage.__struct_fields__}


def report_of(records: Sequence[Recorded], *, is_running: bool) -> Report:
    """Sum up a run. Nothing is folded, so a ledger of any content has a report."""
    end = last_of(records)
    report = Report(len(records), standing_of(end, is_running=is_running))
    calls: dict[StepId, Call] = {}
    asking: dict[StepId, Asked] = {}
    at = 0
    for rec in records:
        report.began_us = report.began_us or rec.at_us
        report.last_us = rec.at_us
        report.tally.publish(rec)
        match rec.event:
            case Started(id=(step, _), act=Prepare(call=call)):
                if step not in calls:
                    count(report, call.tool, "open", 1)
                calls[step] = call
            case Started(id=(step, _), act=AskPerson(question=question, call=call)):
                asking[step] = Asked(rec.seq, call, question)
                report.asked.append(asking[step])
            case Answered(step=step, yes=yes, reason=reason, scope=scope) if step in asking:
                asked = asking.pop(step)
                asked.answer = said(yes, session=scope == "session")
                asked.reason = reason
            case Edited(step=step) if step in asking:
                asking.pop(step).answer = "changed"
            case Settled(step=step, status=status) if step in calls:
                count(report, calls[step].tool, "open", -1)
                count(report, calls.pop(step).tool, status, 1)
            case Settled(step=step, at=seq) if step == ROOT:
                at = seq
            case UserSaid():
                at = 0
            case Forked():
                report.began_us = rec.at_us
    last = records[at - 1].event if 0 < at <= len(records) else None
    report.answer = answer_in(last) or last_answer(records)
    if report.standing.status != "running":
        waiting = [one.call for one in asking.values()]
        report.message, report.hint = told_of(report.tally, records, last, waiting)
    return report


def last_of(records: Sequence[Recorded]) -> Event | None:
    """Return the last event that says how a run stands."""
    events = (rec.event for rec in reversed(records))
    return next((event for event in events if not isinstance(event, NOTES)), None)


def said(yes: bool, *, session: bool) -> str:
    return ("yes, for the session" if session else "yes") if yes else "no"


def count(report: Report, tool: str, status: str, by: int) -> None:
    statuses = report.tools.setdefault(tool, {})
    statuses[status] = statuses.get(status, 0) + by
    if not statuses[status]:
        del statuses[status]


def last_answer(records: Sequence[Recorded]) -> str:
    """Return the last text that the model said, as a run without an end has no answer."""
    replies = (rec.event for rec in reversed(records) if isinstance(rec.event, Replied))
    return next(filter(None, map(answer_in, replies)), "")


def told_of(
    tally: Tally, records: Sequence[Recorded], last: Event | None, asked: Sequence[Call]
) -> tuple[str, str]:
    """Return in words why a run is not done and what mends that, "" if it is.

    last: what its root settled with. asked: the calls that it waits for a yes to.
    """

    def read(seq: int) -> Event:
        return records[min(max(1, seq), len(records)) - 1].event

    match last_of(records):
        case Ended(status=status):
            return "" if status == "done" else why_failed(tally, last, read), ""
        case Parked(why="failed", at=seq):
            failed = read(seq)
            message, _, hint = (failed.message if isinstance(failed, Failed) else "").partition(
                "\n"
            )
            return message, hint
        case Parked(why=why):
            return why_parked(why, asked), HINT_OF_PARKING.get(why, "")
        case _:
            return "Its process was cut off.", ""


def local_time(at_us: int) -> datetime.datetime | None:
    """Return a stamp as the time here, None for what is no time."""
    try:
        return datetime.datetime.fromtimestamp(at_us / 1e6, datetime.UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return None


def when(at_us: int) -> str:
    """Return a stamp as a machine reads it: local time with its offset."""
    time = local_time(at_us) if at_us else None
    return time.isoformat(timespec="seconds") if time else ""


def day_and_time(at_us: int) -> str:
    """Return a stamp as a person reads it: local time to the minute."""
    time = local_time(at_us) if at_us else None
    return f"{time:%Y-%m-%d %H:%M}" if time else ""
