"""What a person sees of a run: finished lines for the scrollback, a few live ones below them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agentcli.core.event import (
    Cancelled,
    Failed,
    Judged,
    OutputChunk,
    Prepared,
    Recorded,
    Replied,
    RunStarted,
    Settled,
    Signal,
    Started,
    TextDelta,
    ToolEnded,
    UserSaid,
)
from agentcli.core.held import Answer, reference, references_in, typed
from agentcli.core.message import text_of
from agentcli.core.policy import Allow, Ask, Deny
from agentcli.core.step import AskModel, AskPerson, Call, Prepare, Prompt, RunTool, StepId, Wait
from agentcli.core.tool import Facts
from agentcli.core.visible import VisibleStream, visible
from agentcli.shell.cells import clip
from agentcli.shell.console import style
from agentcli.shell.draw import render, wrapped
from agentcli.shell.headless import call_line, in_brief
from agentcli.shell.markdown import Block, MarkdownStream

OUTPUT_LINES = 6
DIFF_LINES = 24
HELD_LINES, HELD_CHARS = 40, 4000
LIVE_LINES = 10
UNKNOWN = "unknown: it was cut off, and is not run again by itself"


class Screen(Protocol):
    """Where the lines go."""

    def write_above(self, text: str) -> None: ...

    def set_lines(self, lines: list[str]) -> None: ...


@dataclass
class Running:
    """An act that is under way. tail: the end of what it has put out."""

    text: str
    since: float
    tail: str = ""


@dataclass
class Transcript:
    """Fed with records and signals as they come; draws when `tick` is called.

    width: gives the columns of the screen. echo: also show what the user said.
    """

    screen: Screen
    width: Callable[[], int]
    color: bool
    clock: Callable[[], float] = time.monotonic
    echo: bool = True
    calls: dict[StepId, Call] = field(default_factory=dict)
    facts: dict[StepId, Facts] = field(default_factory=dict)
    running: dict[StepId, Running] = field(default_factory=dict)
    began_us: dict[StepId, int] = field(default_factory=dict)
    stream: MarkdownStream | None = None
    incoming: list[str] = field(default_factory=list)
    safe: VisibleStream = field(default_factory=VisibleStream)
    streamed: bool = False
    is_json: bool = False  # what is coming is one JSON value
    after_call: bool = False  # the last line is a call's
    undoable: set[StepId] = field(default_factory=set)  # calls whose snapshot undoes them
    told: set[StepId] = field(default_factory=set)  # calls whose end has been shown
    readers: dict[StepId, AskModel] = field(default_factory=dict)  # asks about a text
    held: dict[StepId, str] = field(default_factory=dict)  # what the model knows by reference

    def publish(self, rec: Recorded) -> None:
        match rec.event:
            case RunStarted(agent=agent) if self.echo and (agent.text or agent.steps):
                self.say_for_user(agent.text or "\n".join(agent.steps))
            case UserSaid(text=text):
                self.say_for_user(text)
            case Started(id=(step, _)) as started:
                self.started(step, started, rec)
            case TextDelta():
                pass
            case Replied(id=(step, _)) as replied:
                self.replied(step, replied)
            case Prepared(id=(step, _), call=call, facts=facts):
                self.running.pop(step, None)
                self.calls[step], self.facts[step] = call, facts
            case Judged(step=step, verdict=Allow(tier=tier) | Ask(tier=tier)):
                known = self.calls.get(step)
                if tier == "reversible" and (known is None or known.origin != "undo"):
                    self.undoable.add(step)
            case Judged(step=step, verdict=Deny(reason=reason)):
                self.told.add(step)
                self.print(f"{self.paint('✗', 'red')} {self.call(step)}: {visible(reason)}")
            case ToolEnded(id=(step, _)) as ended:
                self.ended(step, ended, rec)
            case Failed(id=(step, _)) as failed:
                self.failed(step, failed)
            case Cancelled(id=(step, _)) if step in self.running:
                self.running[step].text += " · stopping"
            case Settled(step=step, status=status):
                self.settled(step, status)

    def recall(self, rec: Recorded) -> None:
        """Take in, and show nothing of, what was before this process went on with the run."""
        match rec.event:
            case Prepared(id=(step, _), call=call, facts=facts):
                self.calls[step], self.facts[step] = call, facts
            case Settled(step=step):
                self.calls.pop(step, None)
                self.facts.pop(step, None)

    def show(self, signal: Signal) -> None:
        step = signal.id[0]
        match signal:
            case OutputChunk(text=text) if step in self.running:
                running = self.running[step]
                running.tail = (running.tail + text)[-2000:]
            case TextDelta(channel="text") if step in self.readers:
                pass  # what it says has a line once it has said it
            case TextDelta(channel="text", text=text):
                self.incoming.append(text)
                self.streamed = True
                self.relabel(step, "")
            case TextDelta(channel="thinking"):
                self.relabel(step, "thinking")
            case TextDelta(channel="tool", text=name):
                self.relabel(step, f"writing a call of {visible(name)}")

    def tick(self) -> None:
        """Take in what has come and draw the live lines."""
        self.take_in()
        lines = self.open_block() + [
            line for run in self.running.values() if (line := self.live(run))
        ]
        self.screen.set_lines(lines)

    def take_in(self) -> None:
        if not self.incoming:
            return
        text = self.safe.feed("".join(self.incoming))
        self.incoming.clear()
        if self.stream is None:
            self.stream = MarkdownStream()
            if self.after_call:
                self.print("")
            self.after_call = False
            self.is_json = text.lstrip()[:1] in ("{", "[")
            if self.is_json:  # no Markdown, which would eat its backslashes
                self.print_blocks(self.stream.feed("```json\n"))
        self.print_blocks(self.stream.feed(text))

    def open_block(self) -> list[str]:
        if self.stream is None or not self.stream.open.strip():
            return []
        shown = render(self.stream.open_block, self.width(), self.color)
        return shown.rstrip("\n").split("\n")[-LIVE_LINES:]

    def live(self, running: Running) -> str:
        if not running.text:
            return ""
        seconds = self.clock() - running.since
        age = f" {seconds:.0f} s" if seconds >= 1 else ""
        last = visible(running.tail).rstrip().rpartition("\n")[2].strip()
        tail = self.paint(f"  {last}", "dim") if last else ""
        return self.paint(f"⏺ {running.text}{age}", "cyan") + tail

    def started(self, step: StepId, started: Started, rec: Recorded) -> None:
        match started.act:
            case AskModel(answer=Answer()) as ask:
                self.readers[step] = ask
                self.running[step] = Running("waiting for the reader", self.clock())
            case AskModel():
                self.running[step] = Running("waiting for the model", self.clock())
                self.streamed = False
            case Prepare(call=call):
                self.calls[step] = call
                self.running[step] = Running(f"preparing {self.call(step)}", self.clock())
            case RunTool(call=call, facts=facts):
                self.calls[step], self.facts[step] = call, facts
                self.running[step] = Running(self.call(step), self.clock())
                self.began_us[step] = rec.at_us
            case AskPerson():
                self.running.pop(step, None)
            case Wait(until_us=until):
                seconds = max(0, until - rec.at_us) / 1e6
                self.running[step] = Running(f"trying again in {seconds:.0f} s", self.clock())

    def replied(self, step: StepId, replied: Replied) -> None:
        self.running.pop(step, None)
        if (ask := self.readers.pop(step, None)) is not None and ask.answer is not None:
            answer, text = ask.answer, text_of(replied.blocks)
            about = " ".join(add.text for add in ask.context.adds if isinstance(add, Prompt))
            self.print_some(f"the reader on `{in_brief(about)}`: {text}", OUTPUT_LINES)
            if answer.of == "text":
                self.held[step.rpartition("/")[0]] = (typed(answer, text) or "")[:HELD_CHARS]
            return
        if not self.streamed and (text := text_of(replied.blocks)):
            self.incoming.append(text)
        self.finish_stream()
        for named in dict.fromkeys(references_in(text_of(replied.blocks))):
            if named in self.held:  # the model cannot show it, so it is shown beside
                self.print(self.paint(f"{reference(named)} is:", "dim"))
                self.print_some(self.held[named], HELD_LINES)

    def finish_stream(self) -> None:
        self.take_in()
        if self.stream is not None:
            if self.is_json:
                self.print_blocks(self.stream.feed("\n```\n"))
            self.print_blocks(self.stream.finish())
            self.print("")
        self.stream, self.safe = None, VisibleStream()

    def ended(self, step: StepId, ended: ToolEnded, rec: Recorded) -> None:
        self.running.pop(step, None)
        self.told.add(step)
        if ended.held:
            self.held[step] = ended.output[:HELD_CHARS]
        took_s = (rec.at_us - self.began_us.pop(step, rec.at_us)) / 1e6
        facts = self.facts.get(step, Facts())
        self.after_call = True
        good = ended.ending == "done" and not ended.error
        mark = self.paint("✓", "green") if good else self.paint("✗", "red")
        notes = [
            f"{took_s:.1f} s" if took_s >= 0.1 else "",
            self.how_undone(step, ended),
        ]
        about = self.paint(" · ".join(filter(None, notes)), "dim")
        self.print(f"{mark} {self.call(step)}  {about}".rstrip())
        if facts.preview and good:
            self.print_some(facts.preview, DIFF_LINES, diff=True)
        elif not good or facts.snapshot:
            self.print_some(ended.output, OUTPUT_LINES)

    def how_undone(self, step: StepId, ended: ToolEnded) -> str:
        if ended.undo is not None:
            return f"undo: {step.rpartition('/')[2]}"
        changed = not ended.after or ended.ending == "unknown"  # or not known: an older ledger
        return "state before kept" if step in self.undoable and changed else ""

    def failed(self, step: StepId, failed: Failed) -> None:
        self.running.pop(step, None)
        self.readers.pop(step, None)
        self.finish_stream()
        color = "yellow" if failed.failure == "transient" else "red"
        what = f"{self.call(step)}: " if step in self.calls else ""
        message = failed.message
        if failed.failure == "transient":  # it is tried again: what to do comes at the end
            message = message.partition("\n")[0]
        self.print(f"{self.paint('!', color)} {what}{visible(message)}")

    def settled(self, step: StepId, status: str) -> None:
        self.running.pop(step, None)
        if step in self.calls:
            if status in ("denied", "stopped", "unknown") and step not in self.told:
                words = UNKNOWN if status == "unknown" else status
                self.print(f"{self.paint('✗', 'red')} {self.call(step)}: {words}")
            self.told.discard(step)
            self.undoable.discard(step)
            del self.calls[step]
            self.facts.pop(step, None)

    def relabel(self, step: StepId, text: str) -> None:
        if step in self.running:
            self.running[step].text = text

    def call(self, step: StepId) -> str:
        call = self.calls.get(step)  # None where one begins to look in the middle of a call
        return visible(call_line(call, max(20, self.width() - 32))) if call else "a call"

    def say_for_user(self, text: str) -> None:
        said = visible(text).strip().split("\n")
        width = max(20, self.width() - 3)
        lines = [row for line in said for row in wrapped([(line, ())], width, False)]
        shown = [f"› {lines[0]}", *(f"  {line}".rstrip() for line in lines[1:])]
        self.print("\n".join(self.paint(line, "bold") for line in shown) + "\n")

    def print_some(self, text: str, limit: int, *, diff: bool = False) -> None:
        """Print the first lines of a text, indented, and how many more there are."""
        lines = visible(text).rstrip().split("\n")
        width = max(20, self.width() - 4)
        for line in lines[:limit]:
            name = {"+": "green", "-": "red"}.get(line[:1], "dim") if diff else "dim"
            self.print("  " + self.paint(clip(line, width), name))
        if len(lines) > limit:
            self.print(self.paint(f"  … {len(lines) - limit} more lines", "dim"))

    def print_blocks(self, blocks: Sequence[Block]) -> None:
        if blocks:
            width = self.width()
            self.screen.write_above("".join(render(b, width, self.color) for b in blocks))

    def print(self, text: str) -> None:
        self.screen.write_above(text + "\n")

    def paint(self, text: str, name: str) -> str:
        return style(text, name, color=self.color)
