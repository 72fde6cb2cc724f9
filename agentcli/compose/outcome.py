"""What came of a run: for the exit code, the last lines on the screen and the JSON document."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from agentcli.core.event import (
    Answered,
    BudgetRaised,
    Checked,
    Event,
    Failed,
    Judged,
    Parked,
    Recorded,
    Replied,
    RunStarted,
    Settled,
    Started,
    ToolEnded,
)
from agentcli.core.message import Usage, text_of
from agentcli.core.policy import Deny
from agentcli.core.state import Leaf, RunState
from agentcli.core.step import Call, Prepare, Status
from agentcli.core.view import Read
from agentcli.core.visible import visible_line
from agentcli.tool.seen import in_brief

# What kept an ask or a call from being done, and the exit code that says so.
EXIT_OF_FAILURE = {
    "transient": 75,
    "auth": 77,
    "billing": 77,
    "permission": 77,
    "not_found": 78,
    "config": 78,
    "too_large": 65,
    "invalid": 70,
    "unavailable": 69,
}
EXIT_OF_PARKING = {
    "budget": 76,
    "steps": 76,
    "approval": 77,
    "interrupted": 130,
    "time": 124,
    "terminated": 143,
    "left": 0,
}
WHY_PARKED = {
    "budget": "The money limit does not cover the next step.",
    "steps": "The limit of steps is reached.",
    "approval": "A call needs a person's yes, and nobody is there to ask.",
    "interrupted": "Stopped.",
    "time": "The time limit is reached.",
    "terminated": "Terminated.",
    "left": "",
}
HINT_OF_PARKING = {
    "budget": "Raise it: agentcli resume RUN --usd 5",
    "steps": "Raise it: agentcli resume RUN --steps 100",
    "approval": "Answer it: agentcli approve RUN. Or resume it in a terminal.",
}
WHY_STOPPED = {
    "max_tokens": "The answer was cut at the profile's max_tokens.",
    "model_context_window_exceeded": "The conversation no longer fits the model's context.",
    "refusal": "The model refused to go on.",
}


@dataclass
class Tally:
    """Sums up a run from its records. The sums equal those of the ledger."""

    usage: Usage = field(default_factory=Usage)
    replies: int = 0
    calls: int = 0
    unpriced: bool = False
    spent_uusd: int = 0
    limit_uusd: int | None = None
    parked: Parked | None = None
    wrong: dict[str, int] = field(default_factory=dict)  # check step -> seq of what it found
    undos: dict[str, Status | None] = field(default_factory=dict)  # step -> how it settled

    def publish(self, rec: Recorded) -> None:
        match rec.event:
            case RunStarted(limit_uusd=limit):
                self.limit_uusd = limit
            case BudgetRaised(limit_uusd=limit) if self.limit_uusd is not None:
                self.limit_uusd = max(limit, self.limit_uusd)
            case Replied(usage=usage, cost_uusd=cost):
                self.spent_uusd += cost or 0
                self.replies += 1
                self.usage = added(self.usage, usage)
                self.unpriced = self.unpriced or cost is None
            case Failed(cost_uusd=cost):
                self.spent_uusd += cost or 0
                self.unpriced = self.unpriced or cost is None
            case ToolEnded():
                self.calls += 1
            case Started(id=(step, _), act=Prepare(call=call)) if call.origin == "undo":
                self.undos[step] = None
            case Settled(step=step, status=status) if step in self.undos:
                self.undos[step] = status
            case Settled(step=step, status=status, at=at) if "/check." in step:
                self.wrong.pop(step, None)
                if status != "done":
                    self.wrong[step] = at
            case Parked() as parked:
                self.parked = parked

    @property
    def not_undone(self) -> int:
        """How many calls were to be undone and could not be."""
        return sum(status not in (None, "done") for status in self.undos.values())

    @property
    def money(self) -> dict[str, str | None]:
        """What it has cost, as every document says it: null where not all is known."""
        dollars = f"{self.spent_uusd / 1e6:.6f}"
        if not self.unpriced:
            return {"cost_usd": dollars}
        at_least: dict[str, str | None] = {"cost_usd_at_least": dollars}
        return {"cost_usd": None, **(at_least if self.spent_uusd else {})}

    @property
    def cost(self) -> str:
        """What it has cost, in words: a reply that was cut off has a price nobody knows."""
        dollars = f"${self.spent_uusd / 1e6:.4f}"
        if not self.unpriced:
            return dollars
        return f"at least {dollars}" if self.spent_uusd else "cost unknown"


def in_one_line(status: str, tally: Tally) -> str:
    """Return how a run stands and what it took."""
    tokens = tally.usage.prompt_tokens + tally.usage.output_tokens
    turns = "1 turn" if tally.replies == 1 else f"{tally.replies} turns"
    return f"{status} · {turns} · {tokens:,} tokens · {tally.cost}"


def added(one: Usage, other: Usage) -> Usage:
    fields = (getattr(one, name) + getattr(other, name) for name in Usage.__struct_fields__)
    return Usage(*fields)


@dataclass(frozen=True)
class Outcome:
    """status: done, failed, parked. message: why, in words, "" if all is well.

    why: Parked's, "" if the run has ended.
    """

    run: str
    status: str
    exit_code: int
    message: str
    hint: str
    answer: str
    tally: Tally
    why: str = ""

    def document(self, ledger: str, *, structured: bool) -> dict[str, Any]:
        """Return the JSON document of `--json`. structured: the answer is JSON by the task."""
        usage = self.tally.usage
        document: dict[str, Any] = {
            "type": "result",
            "version": 1,
            "run": self.run,
            "status": self.status,
            "why": self.why,
            "exit_code": self.exit_code,
            "message": self.message,
            "hint": self.hint,
            "answer": self.answer,
            **self.tally.money,
            "turns": self.tally.replies,
            "calls": self.tally.calls,
            "usage": {name: getattr(usage, name) for name in Usage.__struct_fields__},
            "ledger": ledger,
            "resume": f"agentcli resume {self.run}" if self.status == "parked" else None,
        }
        if structured:
            document["structured"] = json_or_none(self.answer)
        return document


def json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def outcome_of(state: RunState, tally: Tally, read: Read) -> Outcome:
    if state.phase == "ended":
        assert state.result is not None
        status = "done" if state.result.status == "done" else "failed"
        at = state.result.at
        last = read(at) if at else None
        answer = answer_in(last)
        message = "" if status == "done" else why_failed(tally, last, read)
        code = 0 if status == "done" else exit_when_failed(last)
        hint = ""
        if status != "done" and tally.undos:
            undone = len(tally.undos) - tally.not_undone
            message = (
                f"{message}\nWhat it had done is undone: {undone} of {len(tally.undos)} calls."
            )
            if tally.not_undone:
                code, hint = 70, f"What is left: agentcli runs dead list {state.run}"
        return Outcome(state.run, status, code, message, hint, answer, tally)
    parked = tally.parked
    assert parked is not None
    if parked.why == "failed":
        failed = read(parked.at)
        assert isinstance(failed, Failed)
        code = EXIT_OF_FAILURE.get(failed.failure, 70)
        message, _, hint = failed.message.partition("\n")
        return Outcome(state.run, "parked", code, message, hint, "", tally, parked.why)
    leaves = [step for step in state.steps.values() if isinstance(step, Leaf)]
    asked = [leaf.asked.call for leaf in leaves if leaf.asked is not None]
    message, hint = why_parked(parked.why, asked), HINT_OF_PARKING.get(parked.why, "")
    code = EXIT_OF_PARKING[parked.why]
    return Outcome(state.run, "parked", code, message, hint, "", tally, parked.why)


def why_parked(why: str, asked: Iterable[Call]) -> str:
    """Return in words why a run is parked. asked: the calls that it waits for a yes to."""
    told = WHY_PARKED.get(why, "")
    calls = "; ".join(visible_line(in_brief(call)) for call in asked)
    return f"{told.removesuffix('.')}: {calls}" if why == "approval" and calls else told


def answer_in(last: Event | None) -> str:
    match last:
        case Replied(blocks=blocks):
            return text_of(blocks)
        case ToolEnded(output=output):
            return output
        case _:
            return ""


def exit_when_failed(last: Event | None) -> int:
    match last:
        case Failed(id=(step, _), failure="invalid") if step.endswith("call"):
            return 65  # a call by hand whose arguments do not fit
        case Failed(failure=failure):
            return EXIT_OF_FAILURE.get(failure, 1)
        case Judged() | Answered():
            return 77
        case _:
            return 1


def why_failed(tally: Tally, last: Event | None, read: Read) -> str:
    """Return in words why an ended run is not done."""
    problems = [line for seq in tally.wrong.values() for line in problems_in(read(seq))]
    if problems:
        return "The checks of the task do not hold:\n" + "\n".join(problems)
    match last:
        case Replied(stop=stop, note=note):
            why = WHY_STOPPED.get(stop, f"The model stopped with `{stop}`.")
            return f"{why} {note}".strip()
        case Failed(message=message):
            return message
        case ToolEnded():
            return "The tool failed."
        case Judged(verdict=Deny(reason=reason)):
            return f"Not permitted. {reason}"
        case Answered():
            return "The answer was no."
        case _:
            return "It was stopped."


def problems_in(event: Event) -> list[str]:
    match event:
        case Checked(problems=problems):
            return list(problems)
        case ToolEnded(output=output):
            return [f"a command failed: {output[-500:].strip()}"]
        case Failed(message=message):
            return [message]
        case _:
            return ["a command did not run"]
