"""What the tests of sandboxes share: a sandbox that is closed again, and short ways to use it."""

import asyncio
import importlib
import os
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from agentcli.core.sandbox import Job, JobEnd, SandboxSpec
from agentcli.loop.port import Sandbox

T = TypeVar("T")
RUN = f"test-{os.getpid()}-{secrets.token_hex(4)}"  # others may test on the same engine
IMAGE = os.environ.get("AGENTCLI_TEST_IMAGE", "agentcli-sandbox:latest")


@cache
def why_not(backend: str) -> str:
    """Return why a backend cannot be tried here, or ""."""
    health = importlib.import_module(f"agentcli.sandbox.{backend}").check(IMAGE)
    return "" if health.ok else f"{backend}: {health.detail}; {health.fix}"


@asynccontextmanager
async def opened(spec: SandboxSpec, run: str = RUN) -> AsyncIterator[Sandbox]:
    module = importlib.import_module(f"agentcli.sandbox.{spec.backend}")
    box = await module.open_sandbox(spec, run)
    try:
        yield box
    finally:
        await box.close()


def in_box(spec: SandboxSpec, act: Callable[[Sandbox], Awaitable[T]]) -> T:
    """Return what `act` returns, done in a new sandbox."""

    async def main() -> T:
        async with opened(spec) as box:
            return await act(box)

    return asyncio.run(main())


async def sh(box: Sandbox, script: str, **more: Any) -> JobEnd:
    return await box.run(Job(("bash", "-c", script), **more), lambda data: None)


async def py(box: Sandbox, code: str, **more: Any) -> JobEnd:
    return await box.run(Job((code,), session="python", **more), lambda data: None)


def processes_of(word: str) -> list[int]:
    """Return the living processes of the whole machine that have this word as an argument."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if word.encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def wait_until(is_so: Callable[[], bool], seconds: float = 10) -> bool:
    until = time.monotonic() + seconds
    while not (so := is_so()) and time.monotonic() < until:
        time.sleep(0.05)
    return so
