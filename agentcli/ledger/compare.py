"""Where two runs part: by what was said, called, decided and done at each place of the tree."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from agentcli.core.event import (
    Answered,
    Checked,
    Event,
    Failed,
    Judged,
    Prepared,
    Recorded,
    Replied,
    RunStarted,
    Settled,
    ToolEnded,
    UserSaid,
)
from agentcli.core.message import text_of
from agentcli.core.redact import MARK, map_strings
from agentcli.core.step import ROOT, Call, StepId

WORDS = {
    "prompt": "what was asked",
    "user": "what the user said",
    "said": "what the model said",
    "calls": "the calls it proposed",
    "stop": "why the model stopped",
    "failure": "why it came to nothing",
    "call": "the call as it was prepared",
    "verdict": "the verdict",
    "answer": "the answer",
    "ending": "how the call ended",
    "result": "the result",
    "check": "what the check found",
    "settled": "how it was settled",
}


@dataclass(frozen=True)
class Trait:
    """One thing that was so at one step. value: what is compared. text: what is shown of it."""

    record: int
    value: object
    text: str


@dataclass(frozen=True)
class Side:
    """What stood in one of two runs. record 0: nothing like it."""

    record: int = 0
    text: str = ""


@dataclass(frozen=True)
class Parting:
    """The first place where two runs differ. what: a word of WORDS."""

    step: StepId
    what: str
    one: Side
    other: Side


Traits = dict[tuple[StepId, str], Trait]


def first_parting(one: Traits, other: Traits) -> Parting | None:
    """Return the first thing, in the order of `one`, that is not so in both; None if all is."""
    nothing = Trait(0, None, "")
    for key, mine in one.items():
        if (theirs := other.get(key, nothing)).value != mine.value:
            return Parting(*key, side(mine), side(theirs))
    for key, theirs in other.items():
        if key not in one:
            return Parting(*key, Side(), side(theirs))
    return None


def side(trait: Trait) -> Side:
    return Side(trait.record, trait.text)


def steps_in(traits: Traits) -> int:
    return len({step for step, _ in traits})


def traits_of(records: Iterable[Recorded]) -> Traits:
    """Return what was so at each step, in the order in which it last became so.

    Times, ids, numbers of records and costs are left out, and so is thinking. Of what was tried
    again only the last try counts; a failure or a reply that was cut, only where a step settled
    by it. One mark of a secret is like another: its hash is each run's own, and a run that is
    given a mark in place of a secret keeps it as a secret of another kind. What a person undid
    afterwards is left out: it is no act of the run, and nothing drives it anew.
    """
    traits: Traits = {}
    open_ones: dict[int, Recorded] = {}  # count only once their step has settled by them
    heard = 0
    for rec in records:
        event = rec.event
        heard += isinstance(event, UserSaid)
        if isinstance(event, Failed) or (isinstance(event, Replied) and not event.whole):
            open_ones[rec.seq] = rec
            continue
        ended = open_ones.get(event.at) if isinstance(event, Settled) else None
        for one in (ended, rec) if ended else (rec,):
            for step, what, value, text in said_by(one.event, heard):
                if step.startswith("undo."):
                    continue
                traits.pop((step, what), None)
                traits[step, what] = Trait(one.seq, plain(value), without_hashes(text))
    return traits


def said_by(event: Event, heard: int) -> Iterator[tuple[StepId, str, object, str]]:
    """Yield step, word, value and text of all that an event says. heard: which UserSaid it is."""
    match event:
        case RunStarted(agent=agent):
            value = (agent.pattern, agent.text, agent.steps, agent.call)
            call = call_text(agent.call) if agent.call else ""
            yield ROOT, "prompt", value, "\n".join(filter(None, (agent.text, *agent.steps, call)))
        case UserSaid(step=step, text=text):
            yield f"{step}/said.{heard}", "user", text, text
        case Replied(id=(step, _), blocks=blocks, calls=calls, stop=stop):
            yield step, "said", text_of(blocks), text_of(blocks)
            proposed = tuple((call.tool, call.args) for call in calls)
            yield step, "calls", proposed, "\n".join(map(call_text, calls)) or "none"
            yield step, "stop", stop, stop
        case Failed(id=(step, _), failure=failure, message=message):
            yield step, "failure", failure, f"{failure}: {message}"
        case Prepared(id=(step, _), call=call):
            yield step, "call", (call.tool, call.args), call_text(call)
        case Judged(step=step, verdict=verdict):
            word = type(verdict).__name__.lower()
            yield step, "verdict", (word, verdict.rule), f"{word} · {verdict.rule}"
        case Answered(step=step, question=question, yes=yes, reason=reason):
            text = ": ".join(filter(None, ("yes" if yes else "no", reason)))
            yield step, "answer", (question, yes, reason), text
        case ToolEnded(id=(step, _), ending=ending, error=error, output=output, full=full):
            yield step, "ending", (ending, error), ending + (", as an error" if error else "")
            # Where a whole output is kept differs from run to run; its handle is its hash.
            yield step, "result", full or output, output
        case Checked(id=(step, _), problems=problems):
            yield step, "check", problems, "\n".join(problems) or "nothing wrong"
        case Settled(step=step, status=status):
            yield step, "settled", status, status


def call_text(call: Call) -> str:
    return f"{call.tool} {msgspec.json.encode(call.args).decode()}"


def plain(value: object) -> object:
    return map_strings(msgspec.to_builtins(value), lambda text: MARK.sub("[REDACTED]", text))


def without_hashes(text: str) -> str:
    return MARK.sub(lambda mark: mark[0].rpartition(":")[0] + "]", text)


def first_lines(one: str, other: str) -> tuple[int, str, str]:
    """Return the number of the first line in which two texts differ, and that line of both."""
    mine, theirs = one.split("\n"), other.split("\n")
    number = 0
    while number < min(len(mine), len(theirs)) - 1 and mine[number] == theirs[number]:
        number += 1
    if mine[number] == theirs[number]:  # one goes on where the other ends
        number += 1
    return (
        number + 1,
        mine[number] if number < len(mine) else "",
        theirs[number] if number < len(theirs) else "",
    )


def first_field(one: object, other: object, at: str = "") -> tuple[str, object, object] | None:
    """Return the name of the first field in which two JSON values differ, and both of its values.

    None stands for what is not there. Returns None if they are equal.
    """
    if one == other:
        return None
    below: Iterable[tuple[object, object, object]] = ()
    if isinstance(one, dict) and isinstance(other, dict):
        below = ((key, one.get(key), other.get(key)) for key in {**one, **other})
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        below = zip(range(len(one)), one, other, strict=True)
    for key, mine, theirs in below:
        found = first_field(mine, theirs, f"{at}.{key}" if at else str(key))
        if found is not None:
            return found
    return at, one, other
