"""Drives a run to its end or to where it must wait, under signals and a time limit."""

import asyncio
import datetime
import shutil
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from agentcli import asset
from agentcli.compose.front import Front, quiet_front
from agentcli.compose.key import Credentials
from agentcli.compose.model import make_model
from agentcli.compose.outcome import Outcome, outcome_of
from agentcli.compose.session import Session
from agentcli.core.event import Answered, Edited, Input, Pause, Paused, Prepared
from agentcli.core.plan import Plan
from agentcli.core.sandbox import SandboxSpec
from agentcli.core.state import RunState
from agentcli.errors import UnavailableError
from agentcli.ledger.find import new_run
from agentcli.ledger.folder import RunFolder
from agentcli.loop.port import Model
from agentcli.sandbox import bubblewrap, docker
from agentcli.sandbox.endpoint import answers, find_endpoint
from agentcli.sandbox.health import Health


@dataclass
class OneShot:
    """One process's work at one run. `more`: facts beside its start or resumption.

    known: exact secrets that no record may hold. open: makes the session that the work is.
    earlier: an answer that was given before, and the call as it was shown.
    """

    plan: Plan
    folder: RunFolder
    model: Model
    known: tuple[str, ...] = ()
    front: Front = field(default_factory=quiet_front)
    more: tuple[Input, ...] = ()
    earlier: tuple[Answered | Edited, Prepared] | None = None
    open: Callable[[Plan, RunFolder, Front, Model, tuple[str, ...]], Session] = Session

    async def go(self) -> Outcome:
        """Return what came of it. Raises LedgerError, and whatever its parts cannot mend."""
        session = self.open(self.plan, self.folder, self.front, self.model, self.known)
        session.earlier = self.earlier
        async with session:
            for rec in session.open_calls():
                self.front.recall(rec)
            if state_is_over(session):
                return told(session, session.state)
            session.warm()
            pause = session.inbox.put
            with signals(lambda why: pause(Paused(why))):
                timer = asyncio.get_running_loop().call_later(
                    self.plan.time_s, lambda: pause(Paused("time"))
                )
                try:
                    state = await session.run(session.first(), *self.more)
                finally:
                    timer.cancel()
            return told(session, state)


def told(session: Session, state: RunState) -> Outcome:
    outcome = outcome_of(state, session.tally, session.journal.read)
    return replace(outcome, answer=session.with_texts(outcome.answer))


@contextmanager
def new_folder() -> Iterator[RunFolder]:
    """Make the folder of a new run; if what is done in it, up to the start, fails, it goes again.

    Raises LedgerError.
    """
    folder = new_run(asset.state_home(), datetime.datetime.now(datetime.UTC))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise


def begin(plan: Plan, folder: RunFolder, credentials: Credentials) -> OneShot:
    """Return the work at a new run, whose plan is kept first.

    Raises MissingFileError, InputError for a script that cannot be played; LedgerError;
    UnavailableError where tools have nowhere to run, before a turn is paid for.
    """
    if plan.policy.offered:
        refuse_unusable(plan.sandbox)
    model = make_model(plan.model, credentials)
    folder.keep_plan(plan, credentials.known)
    return OneShot(plan, folder, model, credentials.known)


def refuse_unusable(spec: SandboxSpec) -> None:
    """Raise UnavailableError if the backend is surely not there.

    A missing image shows later, since it can be built.
    """
    health = Health(True, "")
    if spec.backend == "docker" and not answers(find_endpoint()):
        health = docker.check(spec.image)
    elif spec.backend == "bubblewrap" and shutil.which("bwrap") is None:
        health = bubblewrap.check("")
    if not health.ok:
        hint = health.fix
        if spec.backend == "docker" and shutil.which("bwrap") is not None:
            hint += ", or take the weaker one: --sandbox bubblewrap"
        raise UnavailableError(health.detail, hint=hint)


def run_to_end(work: Coroutine[None, None, Outcome]) -> Outcome:
    """Run one process's work. Raises KeyboardInterrupt when it was cut short."""
    try:
        return asyncio.run(work)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def state_is_over(session: Session) -> bool:
    return session.state.phase == "ended"


@contextmanager
def signals(pause: Callable[[Pause], None]) -> Iterator[None]:
    """Turn Ctrl+C and termination into a pause; a second Ctrl+C ends the process's work at once."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    asked: list[Pause] = []

    def on_signal(why: Pause) -> None:
        if asked and why == "interrupted":
            task.cancel()
        asked.append(why)
        pause(why)

    handled: dict[int, Pause] = {
        signal.SIGINT: "interrupted",
        signal.SIGTERM: "terminated",
        signal.SIGHUP: "terminated",
    }
    for number, why in handled.items():
        loop.add_signal_handler(number, on_signal, why)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
