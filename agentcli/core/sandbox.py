"""What runs in a sandbox and within which limits, as data."""

from typing import Literal

import msgspec

from agentcli.core.record import Record, hash_of

# How a job came to its end. `flood`: it wrote more than its limit and was stopped.
Ending = Literal["exit", "timeout", "cancelled", "out_of_memory", "flood", "lost"]


class SandboxSpec(Record, frozen=True):
    """One sandbox of one run. Whole numbers only, since its hash is part of what was approved.

    backend: the file name of a backend, such as `docker`.
    workspace: the host's folder that is /workspace inside.
    outputs: the host's folder that is /outputs inside, read-only; "" for none.
    output_bytes: what one job may write to its output before it is stopped.
    """

    backend: str = "docker"
    image: str = "agentcli-sandbox:latest"
    workspace: str = ""
    writable: bool = True
    outputs: str = ""
    memory_mb: int = 512
    cpu_milli: int = 1000
    processes: int = 256
    file_size_mb: int = 256
    tmp_mb: int = 64
    open_files: int = 1024
    output_bytes: int = 10_000_000

    def digest(self) -> str:
        """Return the hash of what bounds a call; where the run keeps its outputs does not."""
        return hash_of(msgspec.structs.replace(self, outputs=""))[:16]


class SandboxFacts(Record, frozen=True):
    """What an open sandbox really is. `notes`: what is not bounded or is otherwise odd, for people.

    isolated: a process in it cannot touch the host beyond the workspace.
    offline: it cannot reach any network.
    """

    backend: str
    isolated: bool
    offline: bool
    image: str = ""
    notes: tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """One thing to run. `session`: an interpreter that keeps its state from job to job.

    argv: the command; for a session, [code].
    timeout_ms: after this the whole process tree of the job is killed.
    """

    argv: tuple[str, ...]
    stdin: bytes = b""
    env: dict[str, str] = {}
    cwd: str = "."
    timeout_ms: int = 120_000
    session: Literal["", "python"] = ""


class JobEnd(msgspec.Struct, frozen=True):
    """What is known of a job when nothing of it runs any more.

    exit: its exit status, negative for a signal, None when not known.
    output: stdout and stderr in the order they came, at most `output_bytes`.
    stdout: stdout alone.
    fresh: the session had no earlier state, since it is new or was lost.
    """

    ending: Ending
    exit: int | None = None
    stdout: bytes = b""
    output: bytes = b""
    duration_ms: int = 0
    fresh: bool = False
