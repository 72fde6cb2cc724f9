"""A run as one reads it: what was said, what was called, who allowed it, and what came back."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentcli.compose.report import Report, day_and_time, report_of
from agentcli.core.event import (
    BudgetRaised,
    Checked,
    Dropped,
    Ended,
    Failed,
    Forked,
    Grown,
    Interrupted,
    Parked,
    Paused,
    Recorded,
    Redacted,
    Replied,
    RunResumed,
    RunStarted,
    UndoAsked,
    UserSaid,
)
from agentcli.core.message import text_of
from agentcli.ledger.entry import Cut, Edit, Failure, Return, Undoing
from agentcli.ledger.folder import RunFolder
from agentcli.ledger.story import Story
from agentcli.ledger.trail import Trail, trail_of


@dataclass(frozen=True)
class Words:
    """What someone said. who: the user or a model."""

    record: int
    who: str
    text: str


@dataclass(frozen=True)
class Called:
    """A call. facts: what there is to say of it, each with its name. full: handle of `output`."""

    record: int
    step: str
    tool: str
    args: str
    status: str
    facts: list[tuple[str, str]]
    output: str = ""
    full: str = ""


@dataclass(frozen=True)
class Note:
    """What happened beside, in a sentence."""

    record: int
    text: str


@dataclass(frozen=True)
class Conversation:
    title: str
    facts: list[tuple[str, str]]
    parts: list[Words | Called | Note] = field(default_factory=list)


def conversation_of(
    folder: RunFolder, records: Sequence[Recorded], *, is_running: bool
) -> Conversation:
    """Return a run for reading, from its records as they are stored: secrets are marks."""
    report, trail = report_of(records, is_running=is_running), trail_of(records)
    started = folder.started()
    title = folder.label or started.title or started.agent.pattern
    facts = [(name, text) for name, text in facts_of(folder.id, started, report) if text]
    parts = [part for rec in records for part in parts_of(rec, trail)]
    return Conversation(title, facts, parts)


def facts_of(run: str, started: RunStarted, report: Report) -> Iterator[tuple[str, str]]:
    tokens = (f"{n:,} {name.removesuffix('_tokens')}" for name, n in report.tokens.items() if n)
    yield "run", run
    yield "began", day_and_time(report.began_us)
    yield "by", started.requester
    yield "status", " · ".join(filter(None, (report.standing.word, report.message)))
    yield "turns", f"{report.tally.replies}, {report.records} records"
    yield "tokens", ", ".join(tokens)
    yield "cost", report.tally.cost


def parts_of(rec: Recorded, trail: Trail) -> Iterator[Words | Called | Note]:
    match rec.event:
        case RunStarted(agent=agent):
            text = "\n".join(filter(None, [agent.text, *agent.steps]))
            if text:
                yield Words(rec.seq, "user", text)
        case UserSaid(text=text):
            yield Words(rec.seq, "user", text)
        case Replied(id=(ask, _), blocks=blocks, model=model, stop=stop, whole=whole, note=note):
            if text := text_of(blocks):
                reader = f"{ask.rpartition('/')[0]}/call" in trail.stories
                yield Words(rec.seq, "the reader" if reader else model or "model", text)
            if not whole or note:
                yield Note(rec.seq, f"The reply ended with {stop}. {note}".strip())
        case Grown(step=parent, steps=steps):
            for step in steps:
                story = trail.stories.get(f"{parent}/{step.name}")
                if story is not None and story.proposal.record == rec.seq:
                    yield called(story)
        case Failed(id=(step, _), message=message) if step not in trail.stories:
            yield Note(rec.seq, f"Asking the model failed: {message}")
        case Checked(problems=problems) if problems:
            yield Note(rec.seq, "The check found: " + "; ".join(problems))
        case _:
            if text := told(rec):
                yield Note(rec.seq, text)


def told(rec: Recorded) -> str:
    match rec.event:
        case RunResumed():
            return "The run was resumed."
        case Forked(of=of, at=at):
            return f"From here on it is a fork of {of}, after its record {at}."
        case Interrupted(step=step):
            return f"{step} was stopped."
        case Paused(why=why) | Parked(why=why):
            return f"The run stopped: {why}."
        case BudgetRaised():
            return "Its limits were raised."
        case Redacted(marks=marks, outputs=outputs, reason=reason):
            what = f"Values destroyed for good: {len(marks)}, outputs: {len(outputs)}"
            return f"{what} ({reason})." if reason else f"{what}."
        case UndoAsked(calls=calls, by=by):
            what = f"Calls to be undone: {len(calls)}"
            return f"{what}, by {by}." if by else f"{what}."
        case Dropped(at=at, by=by, reason=reason):
            who = f" by {by}" if by else ""
            return f"What ended in record {at} was given up on{who}. {reason}".strip()
        case Ended(status=status):
            return f"The run ended: {status}."
        case _:
            return ""


def called(story: Story) -> Called:
    facts = [(name, text) for name, text in facts_of_call(story) if text]
    args = json.dumps(story.call.args, ensure_ascii=False, indent=2)
    end = story.last(Return)
    output, full = (end.output, end.full) if end else ("", "")
    first = story.proposal.record
    return Called(first, story.step, story.call.tool, args, story.status, facts, output, full)


def facts_of_call(story: Story) -> Iterator[tuple[str, str]]:
    proposal = story.proposal
    if proposal.by != "model":
        undoes = f"what ended in record {proposal.undoes}" if proposal.undoes else ""
        yield "proposed by", proposal.by
        yield "undoes", undoes
    allowed = {True: "allowed", False: "not allowed", None: ""}[story.allowed]
    yield allowed, story.reason
    if story.all(Edit):
        yield "changed", "by a person, before it ran"
    for entry in story.entries:
        match entry:
            case Return(ending=ending, error=error, latency_ms=latency, size_bytes=size):
                word = {"done": "done", "not_done": "not done", "unknown": "nobody knows"}[ending]
                failed = ", as an error" if error else ""
                yield "came back", f"{word}{failed} in {latency:,} ms, {size:,} bytes"
            case Failure(message=message):
                yield "failed", message
            case Cut():
                yield "cut off", "nobody knows whether it happened"
            case Undoing(tool=tool, status=status, step=step):
                yield "undone", f"{status or 'under way'} by {tool} in {step}"
            case _:
                pass
