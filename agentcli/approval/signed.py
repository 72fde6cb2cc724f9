"""Signatures over the exact call, made and checked with OpenSSH alone: `ssh-keygen -Y`."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from agentcli.core.approval import NAMESPACE
from agentcli.errors import NotPermittedError, UnavailableError

PROGRAM = "ssh-keygen"
CHECK_S = 10
MAX_SIGNATURE = 16_000
HINT = "agentcli help approval"


@dataclass(frozen=True)
class Signers:
    """Who may say yes to privileged calls. allowed: the text of an allowed_signers file.

    separate: it must be another than the requester of the run.
    """

    allowed: str
    separate: bool = False
    requester: str = ""

    def check(self, text: str, signature: str, at_us: int | None = None) -> str:
        """Return who signed the text, by the name that the allowed signers give the key.

        at_us: when, for keys that count only for a time; None for now.
        Raises NotPermittedError for anything that is not a good signature of one who may,
        UnavailableError where there is no ssh-keygen.
        """
        if not self.allowed:
            raise NotPermittedError("There are no allowed signers for this run.", hint=HINT)
        if not signature:
            raise NotPermittedError("A privileged call needs a signature.", hint=HINT)
        if len(signature) > MAX_SIGNATURE:
            raise NotPermittedError("The signature is too long to be one.")
        with files_of(self.allowed, signature) as (allowed, signed):
            when = [f"-Overify-time={stamp(at_us)}"] if at_us is not None else []
            who = run("find-principals", "-s", signed, "-f", allowed, *when).splitlines()
            if not who:
                message = "The signature is of none of the allowed signers."
                raise NotPermittedError(message, hint=HINT)
            at = ["-I", who[0], "-s", signed, "-f", allowed, *when]
            if not run("verify", "-n", NAMESPACE, *at, text=text):
                message = f"The signature of {who[0]} is not for this very call."
                raise NotPermittedError(message, hint="Sign what is asked now: --export shows it.")
        self.refuse_own(who)
        return who[0]

    def refuse_own(self, names: list[str]) -> None:
        """Refuse a yes of the one who began the run, if it has to be another's.

        names: all that the key is listed under in its line. Whoever has the same name on another
        host, or may have by a pattern, counts as the same.
        """
        if not self.separate:
            return
        user, requester = self.requester.partition("@")[0].lower(), self.requester.lower()
        for name in names:
            own = name.partition("@")[0].lower()
            if not user or fnmatchcase(user, own) or fnmatchcase(requester, name.lower()):
                message = f"{name} began this run: the yes must be another person's."
                raise NotPermittedError(message, hint=HINT)


def stamp(at_us: int) -> str:
    """Return a time as ssh-keygen takes it, which is local time."""
    return time.strftime("%Y%m%d%H%M%S", time.localtime(at_us // 1_000_000))


@contextlib.contextmanager
def files_of(allowed: str, signature: str) -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory(prefix="agentcli-signers-") as folder:
        paths = Path(folder, "allowed_signers"), Path(folder, "signature")
        for path, text in zip(paths, (allowed, signature), strict=True):
            path.write_text(text, encoding="utf-8", errors="replace")
        yield str(paths[0]), str(paths[1])


def run(*words: str, text: str = "") -> str:
    """Return what `ssh-keygen -Y` says, "" if it says no. Raises UnavailableError."""
    try:
        ended = subprocess.run(
            [PROGRAM, "-Y", *words],
            input=text.encode(),
            capture_output=True,
            timeout=CHECK_S,
            check=False,
        )
    except FileNotFoundError:
        raise missing() from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{PROGRAM} does not answer: {error}") from error
    return ended.stdout.decode("utf-8", "replace").strip() if ended.returncode == 0 else ""


def missing() -> UnavailableError:
    message = f"{PROGRAM} is not there, and without it no signature can be made or checked"
    return UnavailableError(message, hint="Install OpenSSH's client (openssh-client, openssh).")


async def sign(key: Path, text: str) -> str:
    """Return the signature of a text. ssh-keygen itself asks for the passphrase, if need be.

    Raises NotPermittedError where it makes none, UnavailableError where it is not there.
    """
    words = (PROGRAM, "-Y", "sign", "-n", NAMESPACE, "-f", os.fspath(key))
    pipe = asyncio.subprocess.PIPE
    try:
        child = await asyncio.create_subprocess_exec(*words, stdin=pipe, stdout=pipe, stderr=pipe)
    except FileNotFoundError:
        raise missing() from None
    except OSError as error:
        raise UnavailableError(f"{PROGRAM} cannot be started: {error.strerror}") from error
    try:
        out, err = await child.communicate(text.encode())
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        await child.wait()
        raise
    if child.returncode != 0 or not out:
        said = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise NotPermittedError(f"{key}: nothing was signed: {said}", hint=HINT)
    return out.decode("ascii", "replace")
