"""A worker that is a process of this machine, with or without something around it."""

import asyncio
import contextlib
from collections.abc import Sequence

from agentcli.core.sandbox import SandboxFacts, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from agentcli.sandbox.channel import BOOT, Watch, open_channel

STOP_S = 3.0


async def open_process(
    argv: Sequence[str],
    facts: SandboxFacts,
    spec: SandboxSpec,
    *,
    root: str,
    env: dict[str, str],
    limits: dict[str, int],
    user: tuple[int, int] | None = None,
    watch: Watch = lambda: "",
    hint: str = "",
) -> Sandbox:
    """Start `argv`, a python3 with whatever goes around it, and return the sandbox in it.

    user: the uid and gid to run as, for root. watch: says when it must not be used any more.
    hint: the command that mends a sandbox that does not start.

    Raises UnavailableError with what the program said.
    """
    uid, gid = user or (None, None)
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            *("-I", "-S", "-B", "-c", BOOT),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=env,
            cwd="/",
            start_new_session=True,
            user=uid,
            group=gid,
            extra_groups=None if user is None else [],
        )
    except OSError as error:
        raise UnavailableError(f"{argv[0]}: cannot be started: {error}", hint=hint) from error
    stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
    assert stdin
    assert stdout
    assert stderr
    complaints = asyncio.create_task(read_tail(stderr))

    async def read() -> bytes:
        return await stdout.read(65536)

    async def stop() -> None:
        """Let the worker kill its jobs, else kill it, which its supervisors notice."""
        # They hold its stderr: its end says that the last of them is gone.
        ends = {complaints, asyncio.create_task(process.wait())}
        _, late = await asyncio.wait(ends, timeout=STOP_S)
        if late:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.wait(late, timeout=STOP_S)
        for end in ends:
            end.cancel()

    try:
        return await open_channel(
            facts, spec, read, stdin, stop, root=root, limits=limits, watch=watch
        )
    except UnavailableError as error:
        known = complaints.done() and not complaints.cancelled()
        said = complaints.result().decode(errors="replace") if known else ""
        detail = said.strip().rpartition("\n")[2] or str(error)
        raise UnavailableError(
            f"the {facts.backend} sandbox does not start: {detail}", hint=hint
        ) from error


async def read_tail(stream: asyncio.StreamReader, size_bytes: int = 4096) -> bytes:
    tail = b""
    while data := await stream.read(65536):
        tail = (tail + data)[-size_bytes:]
    return tail
