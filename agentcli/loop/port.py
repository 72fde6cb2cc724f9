"""What the loop and its acts need from outside."""

from collections.abc import Callable, Sequence
from typing import Protocol

from agentcli.core.event import (
    Checkpointed,
    Event,
    Failed,
    Input,
    Outcome,
    Prepared,
    Probed,
    Recorded,
    Signal,
    Started,
    ToolEnded,
)
from agentcli.core.message import Delta, Reply, Request
from agentcli.core.sandbox import Job, JobEnd, SandboxFacts
from agentcli.core.state import RunState
from agentcli.core.step import AskPerson, Prepare, Probe, RunTool

Show = Callable[[Signal], None]


class Journal(Protocol):
    """The one writer of a run. Nothing is folded, shown or done around it."""

    def seal(self, event: Event) -> Recorded:
        """Return the event as it will be read back: redacted, numbered, stamped, chained."""

    async def sync(self) -> None:
        """Return once all that was sealed is safe. An error ends the run: never try again."""

    def keep(self, state: RunState) -> Checkpointed | None:
        """Keep the state after all that is safe, if it is time; returns what to record of that."""


class Performer(Protocol):
    async def __call__(self, start: Started, show: Show) -> Outcome:
        """Do one act and return what came of it.

        When cancelled: stop the work within its deadline and return what is known, such as
        ToolEnded(unknown) with the output so far. An exception from here is a bug.
        """


class Inbox(Protocol):
    """The one way in, for people and for acts alike."""

    def put(self, fact: Input | Outcome) -> None: ...

    async def take(self) -> Sequence[Input | Outcome]:
        """Return all that is there, at least one."""


class Model(Protocol):
    """Something that answers."""

    async def reply(self, request: Request, show: Callable[[Delta], None]) -> Reply:
        """Return one whole reply; its pieces are shown as they come.

        Raises ModelError when it came to nothing. One attempt: retries are the loop's.
        """

    async def close(self) -> None: ...


class Toolbox(Protocol):
    """The only way to a tool."""

    async def prepare(self, start: Started, prepare: Prepare) -> Prepared | Failed:
        """Validate a call and find out the facts of it. Nothing is changed."""

    async def run(self, start: Started, run: RunTool, show: Show) -> ToolEnded | Failed:
        """Run exactly what was judged. `Failed` means that it surely did not happen."""

    async def probe(self, start: Started, probe: Probe) -> Probed:
        """Ask the tool itself what became of a call. Nothing is changed."""


class Approver(Protocol):
    """A way to a person."""

    def ask(self, start: Started, question: AskPerson) -> None:
        """Put the question to a person, at once; the answer comes through the inbox."""


class Sandbox(Protocol):
    """Where tools run. One for each run, opened on first use."""

    facts: SandboxFacts

    @property
    def gone(self) -> str:
        """Why it cannot be used any more, "" while it can."""

    @property
    def died(self) -> bool:
        """Whether it came to its end by itself, and is not just to be opened anew."""

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        """Run a job to its end; when this returns, no process of the job is left.

        When cancelled: kill the job's whole process tree and return what is known, as
        ending "cancelled". Raises UnavailableError when the sandbox itself is gone.
        """

    async def close(self) -> None:
        """Stop and remove everything, within a few seconds. Never raises."""
