"""The trail of a run for people: a block a call, a line for each record that tells of it."""

import json
from collections.abc import Iterator

from agentcli.compose.report import local_time
from agentcli.core.step import Args, Call
from agentcli.core.visible import visible_line
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
    utc,
)
from agentcli.ledger.story import Story
from agentcli.shell.cells import folded, styled_cells
from agentcli.shell.console import style
from agentcli.shell.draw import wrapped
from agentcli.shell.headless import call_line, in_brief

ARGS_CHARS = 300
BRIEF_CHARS = 120
DIGEST_CHARS = 12
NARROW, HANG = 90, 8  # below, what does not fit beside its time stands under it
COLOR_OF_STATUS = {"done": "green", "open": "yellow", "unknown": "yellow"}


def block_of(story: Story, day: str, width: int, *, color: bool, whole: bool) -> list[str]:
    """Return the lines of one call, no wider than `width`.

    day: of the run; another one is said. whole: no argument is clipped.
    """
    status = style(story.status, COLOR_OF_STATUS.get(story.status, "red"), color=color)
    name = visible_line(f"{story.step}  {story.call.tool}")
    rows = [*folded(name, width - 2 - len(story.status))]
    rows[:-1] = [style(row, "bold", color=color) for row in rows[:-1]]
    rows[-1] = f"{style(rows[-1], 'bold', color=color)}  {status}"
    rows += ["  " + row for row in folded(args_line(story.call.args, whole=whole), width - 2)]
    for entry in story.entries:
        if day != (day := day_of(entry.at_us)):
            rows.append(style(f"  {day}", "dim", color=color))
        rows += entry_lines(entry, width)
    return rows


def entry_lines(entry: Entry, width: int) -> list[str]:
    """Return the line of an entry: record, time, what it is, and what there is to say of it."""
    time = local_time(entry.at_us)
    clock = f"{time:%H:%M:%S}" if time else "--:--:--"
    word, text = told(entry)
    head = f"  {entry.record:>4}  {clock}  {word:<9}  "
    text = visible_line(text)
    if width < NARROW and styled_cells(text) > width - len(head):
        rows = wrapped([(text, ())], width - HANG, False, is_strict=True)
        return [head.rstrip(), *(" " * HANG + row for row in rows)]
    first, *rows = wrapped([(text, ())], width - len(head), False, is_strict=True)
    return [head + first, *(" " * len(head) + row for row in rows)]


def told(entry: Entry) -> tuple[str, str]:
    """Return what an entry is, in a word, and the rest of it in one line."""
    match entry:
        case Proposal():
            return "proposed", proposed(entry)
        case Finding():
            return "found", "; ".join(found(entry))
        case Ruling(verdict=verdict, rule=rule, tier=tier, reason=reason, granted_by=grant):
            parts = [f"{verdict} by {rule}", tier, reason, f"record {grant}" if grant else ""]
            return "judged", "; ".join(filter(None, parts))
        case Showing(question=question, prepared=prepared, bound=bound):
            asked = "Did it happen?" if question == "did_it_happen" else "May it run?"
            return "asked", f"{asked} Shown: record {prepared}, bound {short(bound)}"
        case Answer():
            return "answered", "; ".join(answered(entry))
        case Edit(args=args, args_hash=digest, counts=counts):
            void = "" if counts else "; fits no open question, so it counts for nothing"
            return "edited", f"{args_line(args, whole=False)} {short(digest)}{void}"
        case Start(attempt=attempt, key=key, bound=bound):
            return "ran", f"act {attempt}; key {short(key)}; bound {short(bound)}"
        case Return():
            return "came back", "; ".join(returned(entry))
        case Failure(ran=ran, failure=failure, message=message, latency_ms=latency):
            took = f" after {latency:,} ms" if ran else " before it ran"
            return "failed", f"{failure}{took}: {brief(message)}"
        case Waiting(until_us=until):
            return "waits", f"to try again at {utc(until)}"
        case Cut(attempt=attempt):
            return (
                "cut off",
                f"the process went away during act {attempt}: nobody knows what came",
            )
        case Stop():
            return "stopped", "told to stop"
        case End(status=status, by=by):
            return "settled", f"{status} by record {by}"
        case UndoWish(by=by):
            return "undo", f"wanted by {by}" if by else "wanted"
        case Undoing(step=step, tool=tool, status=status):
            return "undone", f"{status or 'under way'} by {tool} in {step}"
        case GivenUp(by=by, reason=reason):
            who = f" by {by}" if by else ""
            return "dropped", f"not to be undone any more{who}{f': {reason}' if reason else ''}"
        case _:
            raise AssertionError(entry)


def proposed(entry: Proposal) -> str:
    match entry.by:
        case "model":
            asked = f"; request {entry.request_id}" if entry.request_id else ""
            model = entry.model or "the model"
            who = f"by {model} in {entry.ask}, record {entry.reply}{asked}"
        case "task":
            who = "by the task, as a check"
        case "undo":
            wish = f", which {entry.asked_by} wanted" if entry.asked_by else ""
            who = f"to undo what ended in record {entry.undoes}{wish}"
        case "person":
            who = "by a person"
    return f"{who}; args {short(entry.args_hash)}"


def found(entry: Finding) -> Iterator[str]:
    facts = entry.facts
    is_own = bool(facts.sandbox) and not facts.tool  # files put back, by no tool
    yield "done by agentcli itself" if is_own else f"tool {short(facts.tool) or 'unknown'}"
    if facts.sandbox and not is_own:
        where = "offline" if facts.offline else "with a network"
        yield f"sandbox {short(facts.sandbox)}, {'isolated' if facts.sandboxed else 'this machine'}"
        yield where
    if facts.page:
        yield f"reads {brief(facts.page)}"
    if facts.image:
        yield f"image {short(facts.image.removeprefix('sha256:'))}"
    if facts.snapshot:
        yield f"state before {short(facts.snapshot)}"
    for path, content in facts.files.items():
        yield f"{path} {short(content) or 'is not there'}"
    if entry.preview_hash:
        yield f"what would change {short(entry.preview_hash)}"
    if facts.undo is not None:
        yield f"undo: {call_line(Call(facts.undo.tool, facts.undo.args), BRIEF_CHARS)}"
    yield f"args {short(entry.args_hash)}"


def answered(entry: Answer) -> Iterator[str]:
    happened = entry.question == "did_it_happen"
    yes = "yes, it happened" if happened else "yes"
    no = "no, it did not happen" if happened else "no"
    session = ", for the session" if entry.yes and entry.scope == "session" else ""
    yield f"{yes if entry.yes else no}{session}{f' by {entry.by}' if entry.by else ''}"
    if entry.signature:
        yield "signed"
    if entry.reason:
        yield brief(entry.reason)
    if not entry.counts:
        yield "fits no open question, so it counts for nothing"


def returned(entry: Return) -> Iterator[str]:
    ending = {"done": "done", "not_done": "not done", "unknown": "unknown"}[entry.ending]
    yield f"{ending}{', as an error' if entry.error else ''} in {entry.latency_ms:,} ms"
    if entry.reached:
        yield f"read from {entry.reached}"
    if entry.output:
        yield brief(entry.output)
    yield f"{entry.size_bytes:,} bytes, result {short(entry.result_hash)}"
    if entry.full:
        yield f"whole in outputs/{entry.full}"
    if entry.after:
        yield f"state after {short(entry.after)}"
    if entry.undo is not None:
        yield f"undo: {call_line(Call(entry.undo.tool, entry.undo.args), BRIEF_CHARS)}"


def args_line(args: Args, *, whole: bool) -> str:
    text = visible_line(json.dumps(args, ensure_ascii=False))
    if whole or len(text) <= ARGS_CHARS:
        return text
    return f"{text[:ARGS_CHARS]} … {len(text) - ARGS_CHARS:,} characters more"


def short(digest: str) -> str:
    return digest[:DIGEST_CHARS]


def brief(text: str) -> str:
    """Return the first line of a text that says something, clipped."""
    line = in_brief(text)
    return line if len(line) <= BRIEF_CHARS else line[: BRIEF_CHARS - 1] + "…"


def day_of(at_us: int) -> str:
    time = local_time(at_us)
    return f"{time:%Y-%m-%d}" if time else "on no known day"
