"""The demo: a real run with a scripted model, told as it goes."""

import sys
import textwrap
from dataclasses import dataclass, field

from agentcli.compose.oneshot import OneShot
from agentcli.compose.outcome import Outcome
from agentcli.core.event import Judged, Paused, Recorded, Started
from agentcli.core.policy import Allow, Ask
from agentcli.core.question import Answer, Question
from agentcli.core.step import AskPerson, RunTool
from agentcli.shell import terminal
from agentcli.shell.card import card_lines
from agentcli.shell.console import style
from agentcli.shell.watch import show_run

BY_ITSELF = (
    "A call that only reads runs by itself. The program checked its arguments, judged it by a rule"
    " and wrote it down before it ran."
)
IN_SANDBOX = (
    "Code runs in the sandbox: no network, read-only system, limits on memory, time and processes."
    " What the workspace was before is kept, so it can be undone."
)
CHECKS = (
    "A task says how one can tell that it is done. Its own check ran like any other call, and only"
    " because it holds does the run count as done."
)
ASKS = (
    "The profile wants this tool asked about. You see exactly what will run, and a yes holds for"
    " these very arguments: were a byte of them changed, it would ask again."
)


def run_demo(shot: OneShot, *, yes: bool) -> Outcome:
    """Run it on stdout, with notes. yes: questions are shown, and answered for the person."""
    narrator = Narrator(terminal.is_color(sys.stdout))

    async def ask(question: Question) -> Answer:
        if not yes:
            return await terminal.ask_person(question, sys.stdout, Paused("interrupted"))
        lines = card_lines(terminal.card_of(question), terminal.width(), narrator.color)
        print("", *lines, "y yes, once  (by --yes)", "", sep="\n", flush=True)
        return question.answered(True, "by --yes")

    return show_run(shot, sys.stdout, ask, narrator.say_before)


@dataclass
class Narrator:
    """Says the first time that something happens what it is."""

    color: bool
    said: set[str] = field(default_factory=set)
    judged: dict[str, str] = field(default_factory=dict)  # the tier of each call

    def say_before(self, rec: Recorded) -> str:
        match rec.event:
            case Judged(step=step, verdict=Allow(tier=tier) | Ask(tier=tier)):
                self.judged[step] = tier
            case Started(act=RunTool(call=call)) if call.origin == "task":
                return self.once(CHECKS)
            case Started(id=(step, _), act=RunTool()):
                read_only = self.judged.get(step) == "read_only"
                return self.once(BY_ITSELF if read_only else IN_SANDBOX)
            case Started(act=AskPerson()):
                return self.once(ASKS)
        return ""

    def once(self, words: str) -> str:
        if words in self.said:
            return ""
        self.said.add(words)
        return note(words, self.color)


def note(words: str, color: bool) -> str:
    """Return a note of the program's own, folded and set apart from the run."""
    marked = (style(f"│ {line}", "dim", color=color) for line in filled(words, 4).split("\n"))
    return "\n".join(marked) + "\n\n"


def filled(words: str, less: int = 0) -> str:
    """Return prose in lines that are easy to read, `less` columns narrower."""
    return textwrap.fill(words, max(20, min(terminal.width(), 90) - less))
