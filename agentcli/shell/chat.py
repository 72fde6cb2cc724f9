"""A chat: one run, at a prompt that is always there."""

import asyncio
import contextlib
import sys
import time
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from agentcli import __version__, asset
from agentcli.compose.front import Front
from agentcli.compose.oneshot import OneShot
from agentcli.compose.outcome import EXIT_OF_PARKING, WHY_PARKED, Tally
from agentcli.compose.session import Session
from agentcli.config.limit import MOST_USD
from agentcli.core.event import (
    BudgetRaised,
    Failed,
    Grown,
    Input,
    Interrupted,
    Paused,
    Recorded,
    Replied,
    Settled,
    UserSaid,
)
from agentcli.core.question import Answer, Question
from agentcli.core.step import ROOT, StepId
from agentcli.core.visible import visible, visible_line
from agentcli.errors import AgentcliError
from agentcli.shell import terminal
from agentcli.shell.headless import last_line, powers, where_tools_run
from agentcli.shell.player import FRAME_S
from agentcli.shell.prompt import Prompt
from agentcli.shell.transcript import Transcript

TWICE_S = 1.0
LEAVING = ("left", "terminated", "time")
COMMANDS = ("/help", "/cost", "/budget", "/steps", "/undo", "/quit")
SHOWN_AGAIN = 200
HELP = """\
/help          this
/cost          what it has cost so far
/budget 5      let it cost up to 5 dollars in all
/steps 100     let it ask the model up to 100 times in all
/undo          put back what the last turn changed; /undo all, or the call: /undo call.3.0
/quit          leave; the conversation stays and can be resumed
Enter sends; Ctrl+J or Alt+Enter makes a new line; Ctrl+C stops a step; Ctrl+D leaves.
"""


def in_short(model: str) -> str:
    """Return a model's name without the folders of a script or a run."""
    kind, colon, path = model.partition(":")
    return f"{kind}:{Path(path).stem}" if colon else model


def chat_with(shot: OneShot, time_s: int | None = None) -> int:
    """Hold a conversation, a new one or one that goes on, and return the exit code.

    time_s: when to leave.
    """
    return asyncio.run(Chat(shot, time_s).hold())


@dataclass
class Chat:
    shot: OneShot
    time_s: int | None = None
    turn: StepId = ""  # the one that is under way
    interrupted_at: float = 0.0
    leaving: bool = False
    hint: str = ""  # what to do about the last failure, of which trying again may be the end
    undoing: asyncio.Task[None] | None = None
    asked: dict[str, str] = field(default_factory=dict)  # calls to be undone, by their steps
    undone: list[str] = field(default_factory=list)  # of which the model does not know yet

    async def hold(self) -> int:
        color = terminal.is_color(sys.stdout)
        history = asset.state_home() / "history"
        history.touch(mode=0o600)
        self.prompt = Prompt(history, self.on_line, self.on_interrupt, self.leave, self.footer)
        self.transcript = Transcript(self.prompt, terminal.width, color)
        front = Front(self.publish, self.transcript.show, self.show_card, say=self.say)
        shot = self.shot
        plan, folder, model = shot.plan, shot.folder, shot.model
        async with Session(plan, folder, front, model, shot.known, shot.earlier) as self.session:
            self.greet()
            steps = self.session.state.steps.values()
            self.turn = next((step.id for step in steps if step.parent == ROOT), "")
            for rec in self.session.last_records(SHOWN_AGAIN):
                self.transcript.publish(rec)
            await self.prompt.flush()
            self.session.warm()
            await self.talk()
            await self.prompt.flush()
        width = terminal.width()
        print(visible(last_line(str(folder.ledger), folder.id, "resume", width)))
        return EXIT_OF_PARKING[self.tally.parked.why] if self.tally.parked else 0

    async def talk(self) -> None:
        """Run the prompt and the run side by side until the person leaves."""
        tasks = [asyncio.create_task(job) for job in (self.draw(), self.prompt.write())]
        running = asyncio.create_task(self.keep_running())
        for task in (*tasks, running):  # whatever ends first, even by a bug, ends the chat
            task.add_done_callback(lambda _: self.leave())
        self.listen()
        try:
            await self.prompt.run()
            self.leave()
            await running
        finally:
            for task in (*tasks, running):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    def listen(self) -> None:
        """Leave, with everything kept, when the terminal goes or the process is to end."""
        import signal

        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.leave, "terminated")
        if self.time_s is not None:
            loop.call_later(self.time_s, self.leave, "time")

    async def keep_running(self) -> None:
        session = self.session
        first: list[Input] = [session.first()]
        first += self.shot.more
        while not self.leaving:
            state = await session.run(*first)
            first = []
            parked = self.tally.parked
            if state.phase == "ended" or parked is None or parked.why in LEAVING:
                return
            more = "/steps 200" if parked.why == "steps" else "/budget 5"
            self.say(f"{WHY_PARKED.get(parked.why, 'It waits.')} More: {more}")

    async def draw(self) -> None:
        while True:
            self.transcript.tick()
            await asyncio.sleep(FRAME_S)

    def publish(self, rec: Recorded) -> None:
        is_end_of_turn = isinstance(rec.event, Settled) and rec.event.step == self.turn
        self.note(rec)
        self.transcript.publish(rec)
        match rec.event:
            case Failed(failure="transient", message=message):
                self.hint = message.partition("\n")[2]
            case Failed() | Replied():  # the first says it itself
                self.hint = ""
        if is_end_of_turn and self.hint:
            self.say(self.hint)

    @property
    def tally(self) -> Tally:
        return self.session.tally

    def note(self, rec: Recorded) -> None:
        match rec.event:
            case Grown(step=step, steps=steps) if step == ROOT:
                self.turn = f"{ROOT}/{steps[0].name}"
            case Settled(step=step) if step == self.turn:
                self.turn = ""
            case Settled(step=step, status="done") if step.startswith("undo."):
                if (what := self.asked.get(step.rpartition("/")[2])) is not None:
                    self.undone.append(what)

    def on_line(self, text: str) -> None:
        if text.startswith("/") and "\n" not in text:
            self.command(text)
        else:
            self.session.inbox.put(UserSaid(self.told_of_undone() + text, self.turn or ROOT))

    def command(self, text: str) -> None:
        name, _, rest = text.partition(" ")
        match name:
            case "/help":
                self.say(HELP)
            case "/cost":
                self.say(self.cost())
            case "/budget":
                self.raise_budget(rest.strip())
            case "/steps":
                self.raise_steps(rest.strip())
            case "/undo":
                self.begin_undo(rest.split())
            case "/quit" | "/exit":
                self.leave()
            case _:
                from agentcli.document import did_you_mean

                near = did_you_mean(name, COMMANDS) or "; /help names them"
                self.say(f"there is no command {name}{near}")

    def told_of_undone(self) -> str:
        """Return what the model has to know before it goes on from what is no longer so."""
        undone, self.undone = self.undone, []
        return f"(I had these calls of yours undone: {'; '.join(undone)}.)\n\n" if undone else ""

    def begin_undo(self, names: list[str]) -> None:
        if self.undoing is not None and not self.undoing.done():
            self.say("Something is being undone already.")
            return
        self.undoing = asyncio.create_task(self.undo(names))

    async def undo(self, names: list[str]) -> None:
        """Show what undoing calls would do, ask, and let the run do it. names: as for `pick`."""
        from agentcli.compose.undo import foresee_in_chat, undo_asked
        from agentcli.shell.undoing import foresight_lines, question_of, told_to_model

        if self.turn:
            self.say("A turn is under way: let it end, or stop it with Ctrl+C.")
            return
        try:
            plan, folder = self.shot.plan, self.shot.folder
            foresight = await asyncio.to_thread(foresee_in_chat, plan, folder, names)
        except AgentcliError as error:
            self.say(f"{error}\n{error.hint}")
            return
        if not foresight.calls:
            self.say("There is nothing to undo.")
            return
        color = terminal.is_color(sys.stdout)
        for line in foresight_lines(foresight, terminal.width(), color=color):
            self.prompt.write_above(f"{line}\n")
        give_back, words = self.prompt.buffer.insert_text, question_of(foresight)
        agreed = await self.prompt.aside(lambda: terminal.ask_whether(words, sys.stdout, give_back))
        if not agreed or self.turn:
            self.say("Nothing was undone.")
            return
        self.asked = {f"call.{call.effect.at}": told_to_model(call) for call in foresight.calls}
        self.session.inbox.put(undo_asked(foresight, self.session.folder))

    def raise_budget(self, text: str) -> None:
        try:
            usd = Decimal(text.removeprefix("$"))
            good = usd.is_finite() and 0 < usd <= MOST_USD
            fact = BudgetRaised(int(usd * 1_000_000)) if good else None
        except InvalidOperation:
            fact = None
        if fact is None:
            self.say("/budget wants an amount in dollars, such as /budget 5")
            return
        self.tally.parked = None
        self.session.inbox.put(fact)
        most = self.tally.limit_uusd
        if most is None or usd * 1_000_000 <= most:
            self.say("The limit is higher already.")
            return
        self.say(f"It may cost up to ${usd} in all.")

    def raise_steps(self, text: str) -> None:
        if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= 1_000_000):
            self.say("/steps wants a whole number, such as /steps 100")
            return
        self.tally.parked = None
        self.session.inbox.put(BudgetRaised(limit_steps=int(text)))
        self.say(f"It may ask the model up to {text} times in all.")

    def on_interrupt(self) -> None:
        now = time.monotonic()
        if self.turn:
            self.session.inbox.put(Interrupted(self.turn))
        elif now - self.interrupted_at < TWICE_S:
            self.leave()
        else:
            self.say("Ctrl+C again, or Ctrl+D, leaves.")
        self.interrupted_at = now

    def leave(self, why: Literal["left", "terminated", "time"] = "left") -> None:
        if not self.leaving:
            self.leaving = True
            self.session.inbox.put(Paused(why))
            self.prompt.leave()

    async def show_card(self, question: Question) -> Answer:
        stop = Interrupted(self.turn or ROOT)
        give_back = self.prompt.buffer.insert_text
        return await self.prompt.aside(
            lambda: terminal.ask_person(question, sys.stdout, stop, give_back)
        )

    def greet(self) -> None:
        plan, spec = self.shot.plan, self.shot.plan.sandbox
        where = where_tools_run(spec.backend)
        self.say(
            f"agentcli {__version__} · {plan.profile} · {in_short(plan.model)}\n"
            f"Tools run {where}. They see {spec.workspace}. /help says more.\n"
            + "".join(f"{line}\n" for line in powers(plan.policy))
        )

    def say(self, text: str) -> None:
        self.prompt.write_above(visible(text).rstrip("\n") + "\n")

    def footer(self) -> str:
        plan = self.shot.plan
        words = (plan.profile, in_short(plan.model), plan.sandbox.backend, self.cost())
        return visible_line(" · ".join(words))[: terminal.width() - 1]

    def cost(self) -> str:
        most = self.tally.limit_uusd
        limit = "" if most is None else f" of ${most / 1e6:.2f}"
        return f"{self.tally.cost}{limit}"
