"""What there is to say of a run that is not being run: for lists, and in full for one."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from agentcli.compose.outcome import (
    HINT_OF_PARKING,
    WHY_PARKED,
    Tally,
    answer_in,
    in_one_line,
    why_failed,
)
from agentcli.core.event import (
    Answered,
    Edited,
    Ended,
    Event,
    Failed,
    Parked,
    Recorded,
    Replied,
    Settled,
    Started,
    UserSaid,
)
from agentcli.core.message import Usage
from agentcli.core.step import ROOT, AskPerson, Call, Prepare, StepId
from agentcli.errors import AgentcliError
from agentcli.ledger.folder import RunFolder, last_event, name_of_event
from agentcli.ledger.follow import Follower
from agentcli.ledger.line import decode_line

LOOKED_THROUGH_BYTES = 1 << 20
COUNTED = (b'"event":{"kind":"replied"', b'"event":{"kind":"failed"')


class PlanHead(msgspec.Struct):
    """As much of a plan as a list needs, read without the rest."""

    profile: str


@dataclass(frozen=True)
class Glance:
    """What a list says of a run. turns, cost: None where that would take long to find out."""

    run: str
    status: str
    profile: str
    title: str
    began_us: int = 0
    turns: int | None = None
    cost: str | None = None

    @property
    def began(self) -> str:
        return day_and_time(self.began_us)

    def document(self) -> dict[str, Any]:
        return {
            "run": self.run,
            "status": self.status,
            "profile": self.profile,
            "title": self.title,
            "began": when(self.began_us),
            "turns": self.turns,
            "cost": self.cost,
        }


def glance_at(run: RunFolder) -> Glance:
    """Return what a list says of a run; a ledger that cannot be read is listed as such.

    Reads the first and the last records. The turns and the cost stand in between: they are
    counted in a ledger of at most 1 MB and left out of a longer one.
    """
    try:
        first, started = run.first(), run.started()
        status = status_of(run, last_event(run.ledger))
        path = run.path / "plan.json"
        head = msgspec.json.decode(path.read_bytes(), type=PlanHead)
        tally = counted(run) if run.ledger.stat().st_size <= LOOKED_THROUGH_BYTES else None
        return Glance(
            run.id,
            status,
            head.profile,
            started.title or started.agent.pattern,
            first.at_us,
            tally.replies if tally else None,
            tally.cost if tally else None,
        )
    except AgentcliError as error:
        return Glance(run.id, "damaged", "", str(error))
    except (msgspec.MsgspecError, RecursionError, OSError) as error:
        return Glance(run.id, "damaged", "", f"{run.path / 'plan.json'}: {error}")


def status_of(run: RunFolder, last: Event | None) -> str:
    """Return in a word how a run stands; "running" while its process lives."""
    status = name_of_event(last)
    if not isinstance(last, Ended):
        with Follower(run.ledger) as follower:
            if follower.is_written():
                return "running"
    return status


def counted(run: RunFolder) -> Tally:
    tally = Tally()
    with run.ledger.open("rb") as file:
        for line in file:
            if any(kind in line for kind in COUNTED):
                try:
                    tally.publish(decode_line(line))
                except (msgspec.MsgspecError, RecursionError):
                    continue
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
    """The whole of a run, summed up from its records as they are stored."""

    records: int = 0
    status: str = "open"
    why: str = ""
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
        return in_one_line(self.status, self.tally)

    @property
    def tokens(self) -> dict[str, int]:
        return {name: getattr(self.tally.usage, name) for name in Usage.__struct_fields__}


def report_of(records: Sequence[Recorded]) -> Report:
    """Sum up a run. Nothing is folded, so a ledger of any content has a report."""
    report = Report(len(records), name_of_event(records[-1].event if records else None))
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
    last = records[at - 1].event if 0 < at <= len(records) else None
    report.answer = answer_in(last) or last_answer(records)
    report.why = why_of(report, records, last)
    return report


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


def why_of(report: Report, records: Sequence[Recorded], last: Event | None) -> str:
    """Return in words why a run is not done, "" if it is."""

    def read(seq: int) -> Event:
        return records[min(max(1, seq), len(records)) - 1].event

    match records[-1].event if records else None:
        case Ended(status=status):
            return "" if status == "done" else why_failed(report.tally, last, read)
        case Parked(why="failed", at=seq):
            failed = read(seq)
            return failed.message if isinstance(failed, Failed) else ""
        case Parked(why=why):
            return f"{WHY_PARKED.get(why, '')} {HINT_OF_PARKING.get(why, '')}".strip()
        case _:
            return "Its process was cut off."


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
