"""A sandbox whose jobs are run by a worker inside it, whatever the worker was started with."""

import asyncio
import base64
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from agentcli.core.sandbox import Ending, Job, JobEnd, SandboxFacts, SandboxSpec
from agentcli.errors import UnavailableError

READY_S = 30.0
GRACE_S = 8.0  # the worker's own limits come first; past this the whole sandbox is stopped
LINE_BYTES = 200_000
ENDINGS = frozenset(get_args(Ending))

# The first line of stdin brings the program, so that nothing has to be mounted or installed.
BOOT = (
    "import sys, json; boot = json.loads(sys.stdin.buffer.readline());"
    " exec(compile(boot['worker'], '<worker>', 'exec')); main(boot)"
)

Read = Callable[[], Awaitable[bytes]]  # b"" when there will be no more
Watch = Callable[[], str]  # why the sandbox must not be used any more, "" while it may
Stop = Callable[[], Awaitable[None]]  # ends every process of the sandbox, in bounded time


class WorkerError(Exception):
    """The worker said what no worker says."""


@dataclass
class Running:
    """A job that has not ended, and what it wrote so far."""

    on_output: Callable[[bytes], None]
    end: asyncio.Future[JobEnd]
    stdout: list[bytes] = field(default_factory=list)
    output: list[bytes] = field(default_factory=list)
    size_bytes: int = 0

    def ended(self, how: dict[str, Any]) -> JobEnd:
        return JobEnd(stdout=b"".join(self.stdout), output=b"".join(self.output), **how)

    def settle(self, **how: Any) -> None:
        if not self.end.done():
            self.end.set_result(self.ended(how))

    def fail(self, error: Exception) -> None:
        if not self.end.done():
            self.end.set_exception(error)


class Channel:
    """A Sandbox over the worker's stdin and stdout. Made by `open_channel`."""

    def __init__(
        self,
        facts: SandboxFacts,
        spec: SandboxSpec,
        read: Read,
        writer: asyncio.StreamWriter,
        stop: Stop,
        watch: Watch,
    ) -> None:
        self.facts, self.spec = facts, spec
        self.read, self.writer, self.stop, self.watch = read, writer, stop, watch
        self.running: dict[int, Running] = {}
        self.turns: dict[str, asyncio.Lock] = {}
        self.last = 0
        self.over = ""
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.stopping: asyncio.Future[None] | None = None
        self.listening = asyncio.create_task(self.listen())

    @property
    def gone(self) -> str:
        """Why it cannot be used any more, "" while it can."""
        return self.over or self.watch()

    @property
    def died(self) -> bool:
        return bool(self.over)

    async def run(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        # Jobs of one session take turns here, so that the worker's timeout is that of the job.
        turn = self.turns.setdefault(job.session, asyncio.Lock()) if job.session else None
        try:
            async with turn or contextlib.nullcontext():
                return await self.follow(job, on_output)
        except asyncio.CancelledError:
            return JobEnd("cancelled")

    async def follow(self, job: Job, on_output: Callable[[bytes], None]) -> JobEnd:
        """Run one job; a cancel ends it and returns what is known."""
        if reason := self.gone:
            raise UnavailableError(f"the {self.facts.backend} sandbox is gone: {reason}")
        self.last += 1
        number, running = self.last, Running(on_output, asyncio.Future())
        self.running[number] = running
        ending = "timeout"
        try:
            self.send(
                id=number,
                argv=job.argv,
                stdin=base64.b64encode(job.stdin).decode(),
                env=job.env,
                cwd=job.cwd,
                timeout_ms=job.timeout_ms,
                session=job.session,
            )
            try:
                await asyncio.wait({running.end}, timeout=job.timeout_ms / 1000 + GRACE_S)
            except asyncio.CancelledError:
                ending = "cancelled"
                self.send(cancel=number)
                await wait_through(running.end, GRACE_S)
            if not running.end.done():
                await self.give_up(f"a job did not stop at its {ending}")
                running.settle(ending=ending)
            return running.end.result()
        finally:
            del self.running[number]
            if running.end.done() and running.end.exception():
                self.send(cancel=number)

    def send(self, **message: object) -> None:
        # Not awaited: the worker reads always, and a job's end must not wait for its start.
        if not self.over:
            self.writer.write(json.dumps(message).encode() + b"\n")

    async def listen(self) -> None:
        """Give to each job what comes for it, until the worker is gone."""
        reason = "its worker ended"
        rest = b""
        try:
            while data := await self.read():
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self.take(line)
                if len(rest) > LINE_BYTES:
                    raise WorkerError("a line without an end")
        except OSError as error:
            reason = str(error)
        except WorkerError as error:
            reason = f"its worker cannot be understood: {error}"
        await self.give_up(reason)

    def take(self, line: bytes) -> None:
        """Read one line of the worker's; raises WorkerError when it makes no sense."""
        try:
            message = json.loads(line)
            if message.get("ready"):
                if not self.ready.done():
                    self.ready.set_result(None)
                return
            running = self.running.get(message["id"])
            if running is None:
                return
            if "data" in message:
                self.carry(running, message["stream"], base64.b64decode(message["data"]))
            elif message["end"] not in ENDINGS:
                raise ValueError(message["end"])
            else:
                running.settle(
                    ending=message["end"],
                    exit=message["exit"],
                    fresh=bool(message["fresh"]),
                    duration_ms=int(message["duration_ms"]),
                )
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise WorkerError(line[:100].decode(errors="replace")) from error

    def carry(self, running: Running, stream: int, data: bytes) -> None:
        running.size_bytes += len(data)
        if running.size_bytes > self.spec.output_bytes:
            raise WorkerError("more output than it may pass on")
        running.output.append(data)
        if stream == 1:
            running.stdout.append(data)
        try:
            running.on_output(data)
        except Exception as error:  # whatever the listener raises is for who runs the job
            running.fail(error)

    async def give_up(self, reason: str) -> None:
        """Stop the sandbox; what still runs in it is lost."""
        self.over = self.over or reason
        self.writer.close()
        self.stopping = self.stopping or asyncio.ensure_future(self.stop())
        await asyncio.shield(self.stopping)
        error = UnavailableError(f"the {self.facts.backend} sandbox was stopped: {reason}")
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # may have been waited for in vain
        for running in self.running.values():
            # It was sent, so nobody can say that it did not happen.
            running.settle(ending="lost")

    async def close(self) -> None:
        """Stop and remove everything, within a few seconds. Never raises."""
        await wait_through(asyncio.ensure_future(self.give_up("it was closed")), GRACE_S)
        self.listening.cancel()
        await wait_through(self.listening, GRACE_S)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self.writer.wait_closed()


async def wait_through(future: asyncio.Future[Any], seconds: float) -> None:
    """Wait for a future at most so long; being cancelled again does not shorten it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while not future.done() and (left := until - loop.time()) > 0:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait({future}, timeout=left)


async def open_channel(
    facts: SandboxFacts,
    spec: SandboxSpec,
    read: Read,
    writer: asyncio.StreamWriter,
    stop: Stop,
    *,
    root: str,
    limits: dict[str, int],
    watch: Watch = lambda: "",
) -> Channel:
    """Start the worker at the other end of `writer` and return its sandbox once it answers.

    root: the folder, as seen inside, where jobs start.
    limits: of each process of a job, by the names of setrlimit(2) without RLIMIT_.

    Raises UnavailableError when it does not answer.
    """
    channel = Channel(facts, spec, read, writer, stop, watch)
    options = {"root": root, "limits": limits, "output_bytes": spec.output_bytes}
    here = Path(__file__).parent
    channel.send(
        worker=(here / "worker.py").read_text(),
        session=(here / "session.py").read_text(),
        options=options,
    )
    try:
        await asyncio.wait_for(asyncio.shield(channel.ready), READY_S)
    except TimeoutError:
        await channel.close()
        raise UnavailableError(
            f"the {facts.backend} sandbox did not start within {READY_S:.0f} s"
        ) from None
    except BaseException:
        await channel.close()
        raise
    return channel
