"""What one record of a ledger says of a call: an entry of its story, a class for each kind."""

import datetime
from typing import Any, Literal

import msgspec

from agentcli.core.step import Args, Question, Status, StepId
from agentcli.core.tool import Facts, RiskTier, Undo


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

    latency_ms: since it was started. reached: the address that its page came from.
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
    reached: str = ""


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


def document_of(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(entry)
    head = {"record": plain.pop("record"), "what": plain.pop("what"), "at": utc(entry.at_us)}
    plain.pop("at_us")
    if isinstance(entry, Waiting):
        plain["until"] = utc(plain.pop("until_us"))
    return head | plain


def utc(at_us: int) -> str:
    """Return a stamp as ISO text in UTC, "" for what is no time."""
    try:
        time = datetime.datetime.fromtimestamp(at_us // 1_000_000, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    exact = time.replace(tzinfo=None, microsecond=at_us % 1_000_000)
    return f"{exact.isoformat(timespec='microseconds')}Z" if at_us else ""
