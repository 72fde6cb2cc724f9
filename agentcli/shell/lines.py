"""A chat without a terminal: a line of the input is said at a time, answers are the output."""

import asyncio
import sys
import threading
from dataclasses import dataclass, replace
from typing import TextIO

from agentcli.compose.front import Front
from agentcli.compose.oneshot import OneShot, run_to_end, signals
from agentcli.compose.outcome import Outcome, answer_in, exit_when_failed, outcome_of
from agentcli.compose.session import Session
from agentcli.core.event import Failed, Grown, Paused, Recorded, Settled, UserSaid
from agentcli.core.step import ROOT, StepId
from agentcli.errors import InputError
from agentcli.shell.headless import Progress, answer_to, last_lines

LONGEST = 1_000_000


def next_line(said: TextIO) -> str:
    """Return the next line that says something, "" at the end. Raises InputError."""
    try:
        while (line := said.readline(LONGEST + 1)) and not line.strip():
            continue
        if len(line) > LONGEST:
            raise InputError(f"stdin: a line must have at most {LONGEST:,} characters")
        return line
    except UnicodeDecodeError as error:
        raise InputError(f"stdin: must be UTF-8 text: {error.reason}") from None
    except ValueError:  # closed under us
        return ""


def talk_in_lines(
    shot: OneShot, first: str, said: TextIO, out: TextIO, time_s: int | None = None
) -> int:
    """Say each line, wait for its answer, and leave at the end; return the exit code.

    A line that came to nothing ends it: what follows would rest on it. first: the line that was
    read already. time_s: when to leave.
    """
    talk = Talk(shot, first, said, out, time_s)
    outcome = run_to_end(talk.go())
    for line in last_lines(outcome, shot):
        Progress(sys.stderr).say(line)
    return outcome.exit_code


@dataclass
class Talk:
    shot: OneShot
    first: str
    said: TextIO
    out: TextIO
    time_s: int | None = None
    turn: StepId = ""
    failed: int = 0  # the exit code of what failed

    async def go(self) -> Outcome:
        self.lines: asyncio.Queue[str] = asyncio.Queue()
        self.progress = Progress(sys.stderr)
        front = Front(self.publish, lambda signal: None)
        shot = self.shot
        parts = (shot.plan, shot.folder, front, shot.model, shot.known, shot.earlier)
        async with Session(*parts) as self.session:
            self.session.warm()
            loop = asyncio.get_running_loop()
            threading.Thread(target=self.read, args=(loop,), daemon=True).start()
            put = self.session.inbox.put
            timer = loop.call_later(self.time_s, put, Paused("time")) if self.time_s else None
            self.speak()
            try:
                with signals(lambda why: put(Paused(why))):
                    state = await self.session.run(self.session.first(), *shot.more)
            finally:
                self.speaking.cancel()
                if timer is not None:
                    timer.cancel()
            outcome = outcome_of(state, self.session.tally, self.session.journal.read)
            return replace(outcome, exit_code=self.failed or outcome.exit_code)

    def read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hand over each line as it comes, "" at the end. In a thread: stdin may be anything."""
        line = self.first
        while line:
            loop.call_soon_threadsafe(self.lines.put_nowait, line)
            try:
                line = next_line(self.said)
            except InputError as error:
                self.failed = error.exit_code
                self.progress.say(str(error))
                break
        loop.call_soon_threadsafe(self.lines.put_nowait, "")

    def speak(self) -> None:
        self.speaking = asyncio.ensure_future(self.say_next())

    async def say_next(self) -> None:
        line = "" if self.failed else await self.lines.get()
        self.session.inbox.put(UserSaid(line.strip(), ROOT) if line else Paused("left"))

    def publish(self, rec: Recorded) -> None:
        self.progress.publish(rec)
        match rec.event:
            case Grown(step=step, steps=steps) if step == ROOT:
                self.turn = f"{ROOT}/{steps[0].name}"
            case Settled(step=step, status=status, at=at) if step == self.turn:
                self.turn = ""
                last = self.session.journal.read(at) if at else None
                if status == "done":
                    answer_to(self.out, self.session.with_texts(answer_in(last)))
                else:
                    self.failed = exit_when_failed(last)
                    words = last.message if isinstance(last, Failed) else f"It was {status}."
                    self.progress.say(words)
                self.speak()
