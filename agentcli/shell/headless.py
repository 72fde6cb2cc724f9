"""What scripts see of a run: one document, one event a line, or plain lines of progress."""

import sys
from typing import TextIO

import msgspec

from agentcli.compose.front import Front
from agentcli.compose.oneshot import OneShot
from agentcli.compose.outcome import Outcome, in_one_line
from agentcli.core.event import (
    Failed,
    Judged,
    OutputChunk,
    Recorded,
    Settled,
    Signal,
    Started,
    TextDelta,
    ToolEnded,
)
from agentcli.core.injection import LAYERS
from agentcli.core.policy import Deny, Policy
from agentcli.core.record import Record
from agentcli.core.step import Call, Prepare, RunTool, Wait
from agentcli.core.tool import RESTORE
from agentcli.core.visible import visible, visible_line
from agentcli.shell.cells import cells


class SignalLine(Record, frozen=True, tag="signal"):
    """A line of `--stream-json` that is shown and never stored."""

    signal: TextDelta | OutputChunk


class StreamJson:
    """`--stream-json`: each record as it is in the ledger, signals, and a result at the end."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self.front = Front(self.publish, self.show)

    def publish(self, rec: Recorded) -> None:
        self.write(rec)

    def show(self, signal: Signal) -> None:
        self.write(SignalLine(signal))

    def write(self, value: object) -> None:
        self.out.write(msgspec.json.encode(value).decode() + "\n")
        self.out.flush()


class Progress:
    """A line on stderr for each call, wait and refusal; nothing is redrawn."""

    def __init__(self, err: TextIO) -> None:
        self.err = err
        self.calls: dict[str, Call] = {}
        self.failed: dict[str, str] = {}  # how calls failed that ran
        self.front = Front(self.publish, lambda signal: None, recall=self.recall)

    def recall(self, rec: Recorded) -> None:
        """Take in, and say nothing of, what was before this process went on with the run."""
        match rec.event:
            case Started(id=(step, _), act=Prepare(call=call)):
                self.calls[step] = call
            case Settled(step=step):
                self.calls.pop(step, None)

    def publish(self, rec: Recorded) -> None:
        match rec.event:
            case Started(id=(step, _), act=Prepare(call=call)):
                self.calls[step] = call
            case Started(act=RunTool(call=call)):
                self.say(f"· {call_line(call)}")
            case Judged(step=step, verdict=Deny(reason=reason)):
                known = self.calls.get(step)
                self.say(f"✗ {call_line(known) if known else step}: {reason}")
            case ToolEnded(id=(step, _), ending="done", error=True, output=output):
                self.failed[step] = f"ran and failed: {in_brief(output)}"
            case Settled(step=step, status=status) if step in self.calls and status != "done":
                self.say(f"✗ {self.calls[step].tool}: {self.failed.pop(step, status)}")
            case Failed(message=message, failure="transient" | "unavailable"):
                self.say(f"… {message.partition(chr(10))[0]}")
            case Started(act=Wait(until_us=until)):
                self.say(f"… trying again in {max(0, until - rec.at_us) / 1e6:.0f} s")

    def say(self, line: str) -> None:
        print(visible_line(line), file=self.err, flush=True)


def where_tools_run(backend: str) -> str:
    """Return in words what holds the tools; what is weaker than a container says so."""
    match backend:
        case "local":
            return "on this machine itself, as you"
        case "bubblewrap":
            return "in bubblewrap, which bounds less than a Docker container"
        case _:
            return f"in {backend}"


def powers(policy: Policy) -> list[str]:
    """Return in words in which role a run is, and what was taken back of what protects it."""
    lines = [f"role: {policy.role}"] if policy.role else []
    if missing := [layer for layer in LAYERS if layer not in policy.injection]:
        lines.append(f"unsafe: the injection rule holds without {', '.join(missing)}")
    names = sorted({rule.name for rule in policy.rules if rule.unsafe and rule.effect == "allow"})
    if names:
        lines.append(f"unsafe: {', '.join(names)} may let irreversible calls run unasked")
    return lines


def call_line(call: Call, width: int = 100) -> str:
    """Return a call in one line, clipped: its tool and what it is about."""
    if call.tool == RESTORE:
        return "put back files"
    text = " ".join([call.tool, *(in_brief(str(value)) for value in call.args.values())])
    return text if len(text) <= width else text[: width - 1] + "…"


def in_brief(text: str) -> str:
    """Return the first line of a text that says something, and whether there is more."""
    first, *more = text.strip().split("\n")
    return f"{first.strip()} …" if more else first


def last_lines(outcome: Outcome, shot: OneShot, width: int | None = None) -> list[str]:
    """Return what every run ends with: why, what it cost, where it is and how it goes on.

    width: of the terminal that they are for, None elsewhere.
    """
    folder, workspace = shot.folder, shot.plan.sandbox.workspace
    lines = [outcome.message, outcome.hint] if outcome.message else []
    lines.append(in_one_line(outcome.status, outcome.tally))
    if workspace == str(folder.workspace.resolve()):  # a copy, which nobody could find
        lines.append(f"workspace: {workspace}")
    verb = "resume" if outcome.status == "parked" else "replay"
    if outcome.why == "approval":
        verb = "approve"
    lines.append(last_line(str(folder.ledger), outcome.run, verb, width))
    return [line for line in lines if line]


def last_line(ledger: str, run: str, verb: str, width: int | None = None) -> str:
    """Return where a run is kept and the command that goes on from it, which nothing cuts."""
    line = f"ledger: {ledger} · {verb}: agentcli {verb} {run}"
    return line if width is None or cells(line) <= width else line.replace(" · ", "\n", 1)


def answer_to(out: TextIO, answer: str) -> None:
    """Write the answer alone; harmless for a terminal, exact for a pipe."""
    if answer:
        out.write(visible(answer) if out.isatty() else answer)
        if not answer.endswith("\n"):
            out.write("\n")
    out.flush()


def reserve_stdout() -> TextIO:
    """Return the real stdout, and send whatever else is printed to stderr."""
    real, sys.stdout = sys.stdout, sys.stderr
    return real
