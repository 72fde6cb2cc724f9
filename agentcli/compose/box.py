"""The sandbox of a run, opened when it is needed."""

import asyncio
import importlib

from msgspec.structs import replace

from agentcli.core.plan import Plan
from agentcli.core.sandbox import SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.ledger.folder import RunFolder
from agentcli.loop.port import Sandbox

LOST_AT_MOST = 3


class LazySandbox:
    """The one sandbox of a run, opened on first use or ahead of it, and again if it is lost."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self.spec = replace(plan.sandbox, outputs=str(folder.outputs))
        self.run = folder.id
        self.opening: asyncio.Task[Sandbox] | None = None
        self.turn = asyncio.Lock()
        self.lost = 0  # how many a tool has brought down: another may end the same way

    async def __call__(self) -> Sandbox:
        async with self.turn:  # calls at once must not open one each
            if self.opening is None or (self.opening.done() and self.opening.exception()):
                self.warm()
            assert self.opening is not None
            sandbox = await asyncio.shield(self.opening)
            if sandbox.gone and self.lost < LOST_AT_MOST:
                self.lost += sandbox.died
                await sandbox.close()
                self.warm()
                sandbox = await asyncio.shield(self.opening)
            return sandbox

    def warm(self) -> None:
        """Begin to open it; a failure shows on first use."""
        self.opening = asyncio.get_running_loop().create_task(open_sandbox(self.spec, self.run))
        self.opening.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def close(self) -> None:
        if self.opening is None:
            return
        try:
            sandbox = await self.opening
        except (UnavailableError, asyncio.CancelledError):
            return
        await sandbox.close()


async def open_sandbox(spec: SandboxSpec, run: str) -> Sandbox:
    """Open the backend whose file is named so. Raises UnavailableError."""
    backend = importlib.import_module(f"agentcli.sandbox.{spec.backend}")
    sandbox: Sandbox = await backend.open_sandbox(spec, run)
    return sandbox
