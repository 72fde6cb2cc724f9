"""What runs in a sandbox and within which limits, as data."""

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Literal

import msgspec

from agentcli.core.record import Record, hash_of

# How a job came to its end. `flood`: it wrote more than its limit and was stopped.
Ending = Literal["exit", "timeout", "cancelled", "out_of_memory", "flood", "lost"]


# Files of these names hold secrets as a rule; the others only show how one is written.
HIDDEN = (".env", ".env.*", "!*.example", "!*.sample", "!*.template", "!*.dist")
MOUNTS = "/mnt"


class Mount(Record, frozen=True):
    """A folder or file of the host that is /mnt/NAME inside. `path` is absolute, without links."""

    name: str
    path: str
    writable: bool = False

    @property
    def inside(self) -> str:
        return f"{MOUNTS}/{self.name}"


class SandboxSpec(Record, frozen=True):
    """One sandbox of one run. Whole numbers only, since its hash is part of what was approved.

    backend: the file name of a backend, such as `docker`.
    workspace: the host's folder that is /workspace inside.
    outputs: the host's folder that is /outputs inside, read-only; "" for none.
    output_bytes: what one job may write to its output before it is stopped.
    hidden: names of files that cannot be read inside, as `hidden_names` takes them.
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
    mounts: tuple[Mount, ...] = ()
    hidden: tuple[str, ...] = ()

    def digest(self) -> str:
        """Return the hash of what bounds a call; where the run keeps its outputs does not."""
        return hash_of(msgspec.structs.replace(self, outputs=""))[:16]


def hidden_names(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    """Return what tells whether a file of this name is hidden: by `*`, `?`, `[...]` of a shell.

    One that begins with `!` names what is not hidden, wherever it stands. Case does not count,
    since there are file systems that know none.
    """
    hidden, shown = (
        re.compile("|".join(map(translate, some)) or r"(?!)", re.IGNORECASE)
        for some in (
            [pattern for pattern in patterns if not pattern.startswith("!")],
            [pattern[1:] for pattern in patterns if pattern.startswith("!")],
        )
    )
    return lambda name: bool(hidden.match(name)) and not shown.match(name)


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
