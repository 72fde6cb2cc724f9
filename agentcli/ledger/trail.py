"""The story of each call, from the records alone: who wanted it, who let it, what came of it."""

import datetime
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import msgspec

from agentcli.core.event import (
    Answered,
    Cancelled,
    Dropped,
    Edited,
    Failed,
    Forked,
    Grown,
    Judged,
    Prepared,
    Recorded,
    Replied,
    RunResumed,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
    UndoAsked,
)
from agentcli.core.policy import Allow, Deny
from agentcli.core.record import hash_of
from agentcli.core.step import (
    Args,
    AskPerson,
    Call,
    Question,
    RunTool,
    Status,
    StepId,
    Wait,
)
from agentcli.core.tool import Facts, RiskTier, Undo

# The last part of the id of a step that undoes names the record of the end that it undoes.
UNDOES = re.compile(r"\.([1-9][0-9]{0,17})\Z")


# Not a Record: the names of a Record's fields are words that no redaction touches.
class Entry(msgspec.Struct, frozen=True, tag_field="what"):
    """What one record says of a call."""

    record: int
    at_us: int


class Proposal(Entry, frozen=True, tag="proposed"):
    """reply: the record of the model's turn that wants it; `ask`: the step that asked for that.

    undoes: the record of the end that it is to undo, 0 for none. asked_by: who wanted that.
    """

    by: Literal["model", "task", "undo", "person"]
    args: Args
    args_hash: str
    ask: StepId = ""
    reply: int = 0
    model: str = ""
    request_id: str = ""
    undoes: int = 0
    asked_by: str = ""


class Finding(Entry, frozen=True, tag="found"):
    """The call as it would run. preview_hash: of what it would change, as people are shown it."""

    args: Args
    args_hash: str
    facts: Facts
    preview_hash: str = ""


class Ruling(Entry, frozen=True, tag="judged"):
    """granted_by: the record of a person's yes for the session, 0 for none."""

    verdict: Literal["allow", "ask", "deny"]
    rule: str
    tier: RiskTier | Literal[""] = ""
    reason: str = ""
    bound: str = ""
    granted_by: int = 0


class Showing(Entry, frozen=True, tag="asked"):
    """A person was asked. prepared: the record of just what they were shown."""

    question: Question
    prepared: int
    bound: str


class Answer(Entry, frozen=True, tag="answered"):
    """counts: it fits the question that was open; any other changes nothing."""

    question: Question
    yes: bool
    scope: Literal["once", "session"] = "once"
    reason: str = ""
    by: str = ""
    signature: str = ""
    bound: str = ""
    counts: bool = True


class Edit(Entry, frozen=True, tag="edited"):
    """A person changed the arguments."""

    args: Args
    args_hash: str
    bound: str
    counts: bool = True


class Start(Entry, frozen=True, tag="ran"):
    """It was started. attempt: which act of the step this is; the key stays the same."""

    attempt: int
    key: str
    bound: str
    args_hash: str


class Return(Entry, frozen=True, tag="came_back"):
    """result_hash: of the output as it is stored. full: handle of the whole one, if it was long.

    latency_ms: since it was started.
    """

    attempt: int
    ending: Literal["done", "not_done", "unknown"]
    error: bool
    output: str
    result_hash: str
    size_bytes: int
    latency_ms: int
    full: str = ""
    after: str = ""
    undo: Undo | None = None


class Failure(Entry, frozen=True, tag="failed"):
    """It surely did not happen. ran: it had been started, and was not only looked at."""

    attempt: int
    ran: bool
    failure: str
    message: str
    latency_ms: int = 0


class Waiting(Entry, frozen=True, tag="waits"):
    """It is tried again, not before this time."""

    until_us: int


class Cut(Entry, frozen=True, tag="cut"):
    """The process went away while it ran: what came of this attempt is not known."""

    attempt: int


class Stop(Entry, frozen=True, tag="stopped"):
    """It was told to stop while it was under way."""


class End(Entry, frozen=True, tag="settled"):
    """by: the record that says so."""

    status: Status
    by: int


class UndoWish(Entry, frozen=True, tag="undo_asked"):
    """A person wants it undone."""

    by: str


class Undoing(Entry, frozen=True, tag="undone"):
    """Another call is to undo it. status: how that one ended, "" while it has not."""

    step: StepId
    tool: str
    status: Status | Literal[""]


class GivenUp(Entry, frozen=True, tag="dropped"):
    """Nobody will try any more to undo it."""

    by: str
    reason: str


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


def document_of(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(entry)
    head = {"record": plain.pop("record"), "what": plain.pop("what"), "at": utc(entry.at_us)}
    plain.pop("at_us")
    if isinstance(entry, Waiting):
        plain["until"] = utc(plain.pop("until_us"))
    return head | plain


@dataclass
class Trail:
    """The stories of all calls, in the order in which they were proposed."""

    stories: dict[StepId, Story] = field(default_factory=dict)
    started: RunStarted | None = None
    began_us: int = 0
    records: int = 0
    replies: dict[StepId, list[tuple[int, Replied]]] = field(default_factory=dict)
    ends: dict[int, Story] = field(default_factory=dict)  # record of an end -> whose it is
    grants: dict[str, int] = field(default_factory=dict)  # tool -> record of a person's yes
    wishes: dict[int, str] = field(default_factory=dict)  # record of an end -> who wants it undone
    undoing: list[tuple[Story, Story]] = field(default_factory=list)  # forward and undo

    def finish(self) -> "Trail":
        """Add to each undone call what undid it. Called once, after the last record."""
        for forward, undo in self.undoing:
            end = undo.last(End)
            at: Entry = end or undo.proposal
            status: Status | Literal[""] = end.status if end else ""
            forward.entries.append(Undoing(at.record, at.at_us, undo.step, undo.call.tool, status))
            forward.entries.sort(key=lambda entry: entry.record)
        return self

    def publish(self, rec: Recorded) -> None:
        self.records += 1
        self.began_us = self.began_us or rec.at_us
        match rec.event:
            case RunStarted() as started:
                self.started = self.started or started
            case Grown() as grown:
                self.grow(rec, grown)
            case Replied(id=(step, _)) as replied if replied.calls:
                self.replies.setdefault(parent_of(step), []).append((rec.seq, replied))
            case RunResumed() | Forked():
                self.grants.clear()
                for story in self.stories.values():
                    resume(story, rec)
            case UndoAsked(calls=calls, by=by):
                for seq in (undoing.at for undoing in calls):
                    self.wishes[seq] = by
                    if seq in self.ends:
                        self.ends[seq].entries.append(UndoWish(rec.seq, rec.at_us, by))
            case Dropped(at=at, by=by, reason=reason):
                if at in self.ends:
                    self.ends[at].entries.append(GivenUp(rec.seq, rec.at_us, by, reason))
            case event:
                about = self.stories.get(step_of(event))
                if about is not None:
                    self.tell(about, rec)

    def grow(self, rec: Recorded, grown: Grown) -> None:
        for step in grown.steps:
            if isinstance(step.task, Call):
                story = Story(f"{grown.step}/{step.name}", step.task)
                story.entries.append(self.proposal_of(rec, grown.step, story))
                self.stories[story.step] = story

    def proposal_of(self, rec: Recorded, agent: StepId, story: Story) -> Proposal:
        call = story.call
        common = (rec.seq, rec.at_us)
        args, digest = call.args, hash_of(call.args)
        if call.origin == "task":
            return Proposal(*common, "task", args, digest)
        if call.origin == "undo":
            match = UNDOES.search(story.step)
            at = int(match[1]) if match else 0
            if at in self.ends:
                self.undoing.append((self.ends[at], story))
            return Proposal(
                *common, "undo", args, digest, undoes=at, asked_by=self.wishes.get(at, "")
            )
        for seq, replied in reversed(self.replies.get(agent, [])):
            if call in replied.calls:
                model, request = replied.model, replied.request_id
                return Proposal(*common, "model", args, digest, replied.id[0], seq, model, request)
        return Proposal(*common, "person", args, digest)

    def tell(self, story: Story, rec: Recorded) -> None:
        """Add to a story what a record says of it."""
        seq, at = rec.seq, rec.at_us
        match rec.event:
            case Prepared(call=call, facts=facts):
                story.call = call
                preview = sha256(facts.preview) if facts.preview else ""
                digest = hash_of(call.args)
                story.entries.append(Finding(seq, at, call.args, digest, facts, preview))
            case Judged(bound=bound, verdict=verdict):
                tier: RiskTier | Literal[""] = ""
                kind: Literal["allow", "ask", "deny"]
                match verdict:
                    case Allow(tier=tier):
                        kind, reason = "allow", ""
                    case Deny(reason=reason):
                        kind = "deny"
                    case _:
                        kind, tier, reason = "ask", verdict.tier, verdict.reason
                granted = verdict.rule == "granted_for_session"
                grant = self.grants.get(story.call.tool, 0) if granted else 0
                story.entries.append(
                    Ruling(seq, at, kind, verdict.rule, tier, reason, bound, grant)
                )
            case Started(act=AskPerson(question=question, bound=bound, prepared=prepared)):
                story.asked = (question, bound)
                story.entries.append(Showing(seq, at, question, prepared, bound))
            case Answered() as answer:
                self.answer(story, rec, answer)
            case Edited(args=args, bound=bound):
                counts = story.asked == ("may_it_run", bound)
                if counts:
                    story.asked = None
                story.entries.append(Edit(seq, at, args, hash_of(args), bound, counts))
            case Started(id=(_, attempt), act=RunTool(call=call), key=key, bound=bound):
                story.began[attempt] = at
                story.running = Start(seq, at, attempt, key, bound, hash_of(call.args))
                story.entries.append(story.running)
            case Started(act=Wait(until_us=until)):
                story.entries.append(Waiting(seq, at, until))
            case ToolEnded() as ended:
                self.came_back(story, rec, ended)
            case Failed(id=(_, attempt), failure=failure, message=message):
                ran = attempt in story.began
                latency = latency_ms(story.began.get(attempt, at), at)
                story.running = None
                story.entries.append(Failure(seq, at, attempt, ran, failure, message, latency))
            case Cancelled():
                story.entries.append(Stop(seq, at))
            case Settled(status=status, at=by):
                story.asked = None
                story.entries.append(End(seq, at, status, by))
            case _:
                pass

    def answer(self, story: Story, rec: Recorded, answer: Answered) -> None:
        counts = story.asked == (answer.question, answer.bound)
        if counts:
            story.asked = None
            if answer.yes and answer.scope == "session":
                self.grants.setdefault(story.call.tool, rec.seq)
        story.entries.append(
            Answer(
                rec.seq,
                rec.at_us,
                answer.question,
                answer.yes,
                answer.scope,
                answer.reason,
                answer.by,
                answer.signature,
                answer.bound,
                counts,
            )
        )

    def came_back(self, story: Story, rec: Recorded, ended: ToolEnded) -> None:
        attempt = ended.id[1]
        story.running = None
        self.ends[rec.seq] = story
        story.entries.append(
            Return(
                rec.seq,
                rec.at_us,
                attempt,
                ended.ending,
                ended.error,
                ended.output,
                sha256(ended.output),
                ended.size_bytes,
                latency_ms(story.began.get(attempt, rec.at_us), rec.at_us),
                ended.full,
                ended.after,
                ended.undo,
            )
        )


def trail_of(records: Iterable[Recorded]) -> Trail:
    """Return the stories of all calls of a run. Nothing is folded: any ledger has a trail."""
    trail = Trail()
    for rec in records:
        trail.publish(rec)
    return trail.finish()


def resume(story: Story, rec: Recorded) -> None:
    """Take in that the process is another one: what ran was cut off, what was asked is void."""
    story.asked = None
    if story.running is not None:
        story.entries.append(Cut(rec.seq, rec.at_us, story.running.attempt))
        story.running = None


def step_of(event: object) -> StepId:
    """Return the step that an event is about, "" for none."""
    match getattr(event, "id", None):
        case (str(step), int()):
            return step
    step = getattr(event, "step", "")
    return step if isinstance(step, str) else ""


def parent_of(step: StepId) -> StepId:
    return step.rpartition("/")[0]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def latency_ms(began_us: int, ended_us: int) -> int:
    """Return how long something took by two stamps; none is negative, though clocks go back."""
    return max(0, ended_us - began_us) // 1000


def utc(at_us: int) -> str:
    """Return a stamp as ISO text in UTC, "" for what is no time."""
    try:
        time = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    exact = time.replace(tzinfo=None, microsecond=at_us % 1_000_000)
    return f"{exact.isoformat(timespec='microseconds')}Z" if at_us else ""
