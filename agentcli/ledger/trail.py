"""The stories of all calls of a run, from its records alone: any ledger has a trail."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from agentcli.core.approval import lacks_signature
from agentcli.core.compensation import undone_by
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
from agentcli.core.step import AskPerson, Call, RunTool, Status, StepId, Wait
from agentcli.core.tool import RiskTier
from agentcli.ledger.entry import (
    Answer,
    Cut,
    Edit,
    End,
    Entry,
    Failure,
    Finding,
    GivenUp,
    Proposal,
    Return,
    Ruling,
    Showing,
    Start,
    Stop,
    Undoing,
    UndoWish,
    Waiting,
)
from agentcli.ledger.story import Story


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
            at = undone_by(story.step)
            if at in self.ends:
                self.undoing.append((self.ends[at], story))
            return Proposal(
                *common, "undo", args, digest, undoes=at, asked_by=self.wishes.get(at, "")
            )
        # A reader's call is that of whoever asks it.
        replies = self.replies.get(agent) or self.replies.get(parent_of(agent), [])
        for seq, replied in reversed(replies):
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
        ruling = story.last(Ruling)
        counts = story.asked == (answer.question, answer.bound)
        counts = counts and not lacks_signature(answer, ruling.tier if ruling else "")
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
                ended.reached,
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
