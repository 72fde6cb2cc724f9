"""No sandbox at all: jobs run on this machine as the user. For when that is what is wanted."""

import os
import sys

from agentcli.core.sandbox import SandboxFacts, SandboxSpec
from agentcli.loop.port import Sandbox
from agentcli.sandbox.health import Health
from agentcli.sandbox.process import open_process
from agentcli.sandbox.workspace import find_owner

NOTES = ("no sandbox: tools run on this machine as you, and no file is kept from them",)
# Without the kernel's help a process that left its parent cannot be found again.
ELSEWHERE = ("a background process that detaches itself outlives its job on this system",)


async def open_sandbox(spec: SandboxSpec, run: str) -> Sandbox:
    """Return a sandbox that is none. Only the size of files and the like is bounded.

    Raises UnavailableError.
    """
    find_owner(spec)
    facts = SandboxFacts(
        backend="local",
        isolated=False,
        offline=False,
        notes=NOTES if sys.platform == "linux" else NOTES + ELSEWHERE,
    )
    return await open_process(
        [sys.executable],
        facts,
        spec,
        root=spec.workspace,
        env={"PATH": os.environ.get("PATH", os.defpath)},
        limits={
            "NOFILE": spec.open_files,
            "CORE": 0,
            "FSIZE": spec.file_size_mb << 20,
        },
    )


def check(image: str) -> Health:
    return Health(True, NOTES[0], version=sys.version.split()[0])
