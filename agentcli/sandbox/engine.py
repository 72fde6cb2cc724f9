"""The Docker engine: reaching it, and what its errors mean."""

import asyncio
import getpass
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from agentcli.errors import UnavailableError
from agentcli.sandbox.endpoint import find_endpoint, ping

if TYPE_CHECKING:
    import docker

CONNECT_S = 5  # until the engine has told its version
CALL_S = 20  # one call to the engine; a hung runtime must not hang the agent
REMOVE_S = 10.0
T = TypeVar("T")
RUN_LABEL, OWNER_LABEL = "agentcli.run", "agentcli.owner"
BUILD = "agentcli sandbox build"
MAC = sys.platform == "darwin"
START = "open -a Docker" if MAC else "sudo systemctl start docker"
RESTART = "restart Docker Desktop" if MAC else "sudo systemctl restart docker"


class Caller:
    """Makes blocking calls one after another, in a thread of its own.

    A daemon thread, unlike one of an executor: if it hangs in the engine, the program still ends.
    """

    def __init__(self) -> None:
        self.acts: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self.work, daemon=True, name="docker").start()

    def work(self) -> None:
        while (act := self.acts.get()) is not None:
            act()

    async def call(self, act: Callable[[], T], timeout_s: float) -> T:
        """Return what the act returns. It goes on when nobody waits for it any more.

        Raises UnavailableError when it takes longer than `timeout_s`, or what it raises.
        """
        outcome: Future[T] = Future()

        def settle() -> None:
            try:
                outcome.set_result(act())
            except BaseException as error:
                outcome.set_exception(error)

        self.acts.put(settle)
        waited = asyncio.wrap_future(outcome)
        # Looked at here, since nobody else does after a timeout.
        waited.add_done_callback(lambda done: done.cancelled() or done.exception())
        await asyncio.wait({waited}, timeout=timeout_s)
        if not waited.done():
            raise UnavailableError(f"Docker did not answer within {timeout_s:g} s", hint=RESTART)
        return waited.result()

    def end(self) -> None:
        """End the thread after the calls that were asked for."""
        self.acts.put(None)


def connect(timeout_s: int = CALL_S) -> "docker.DockerClient":
    """Return a client of the engine that the environment or the user's context names.

    timeout_s: for one call, once the engine has answered at all.

    Raises UnavailableError: nothing answers, it hangs, or this user may not talk to it.
    """
    endpoint = find_endpoint()
    if endpoint.startswith("unix:"):
        # Asked without the SDK, which would leave its socket open when this fails.
        with translated(endpoint):
            ping(endpoint, CONNECT_S)
    import docker

    with translated(endpoint):
        # from_env knows of certificates, but of no context. The version is asked for, so this
        # is where a dead engine shows.
        if os.environ.get("DOCKER_HOST"):
            client = docker.from_env(timeout=CONNECT_S, version="auto")
        else:
            client = docker.DockerClient(endpoint, timeout=CONNECT_S, version="auto")
    client.api.timeout = timeout_s
    return client


@contextmanager
def translated(endpoint: str = "") -> Iterator[None]:
    """Turn what the SDK raises into an UnavailableError with what mends it."""
    import requests
    from docker.errors import APIError, DockerException

    where = f" at {endpoint}" if endpoint else ""
    try:
        yield
    except APIError as error:
        raise UnavailableError(f"Docker refused: {error.explanation or error}") from error
    except (DockerException, requests.RequestException, OSError) as error:
        if is_caused_by(error, PermissionError):
            raise UnavailableError(
                f"Docker is there, but this user may not use its socket{where}",
                hint=f"sudo usermod -aG docker {getpass.getuser()}  (then log in again)",
            ) from error
        if is_caused_by(error, requests.Timeout) or is_caused_by(error, TimeoutError):
            raise UnavailableError(
                f"Docker takes calls{where} but does not answer them", hint=RESTART
            ) from error
        raise UnavailableError(
            f"Docker does not answer{where}",
            hint="unset DOCKER_HOST" if os.environ.get("DOCKER_HOST") else START,
        ) from error


def is_caused_by(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Return whether an error of this kind is what is behind another one."""
    while error:
        if isinstance(error, kind) or any(
            isinstance(part, BaseException) and is_caused_by(part, kind) for part in error.args
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def find_image(client: "docker.DockerClient", image: str) -> str:
    """Return an image's id. Never pulls. Raises UnavailableError when it is missing."""
    from docker.errors import ImageNotFound

    try:
        return str(client.images.get(image).id)
    except ImageNotFound as error:
        raise UnavailableError(f"the sandbox image {image} is missing", hint=BUILD) from error


def owner_label(pid: int) -> str:
    """Return what tells a process from every other one, on this machine and after a reboot.

    Raises ProcessLookupError when there is none.
    """
    if sys.platform == "linux":
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError as error:
            raise ProcessLookupError(pid) from error
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        started = stat.rpartition(")")[2].split()[19]
    else:
        ask = ["ps", "-o", "lstart=", "-p", str(pid)]
        started = subprocess.run(ask, capture_output=True, text=True).stdout.strip()
        boot = ""  # the start time is a date there
        if not started:
            raise ProcessLookupError(pid)
    return json.dumps([socket.gethostname(), boot, pid, started])


def is_owner_gone(label: str) -> bool:
    """Return whether the process of this label has ended; False when that cannot be told."""
    try:
        host, _, pid, _ = json.loads(label)
        if host != socket.gethostname():
            return False
        return owner_label(pid) != label
    except ProcessLookupError:
        return True
    except (ValueError, TypeError):
        return False


def find_leftovers() -> list[str]:
    """Return the ids of containers whose agent is gone.

    Raises UnavailableError.
    """
    client = connect()
    try:
        with translated():
            found: list[dict[str, Any]] = client.api.containers(
                all=True, filters={"label": OWNER_LABEL}
            )
    finally:
        client.close()
    return [each["Id"] for each in found if is_owner_gone(each["Labels"][OWNER_LABEL])]


def remove_leftovers() -> list[str]:
    """Remove containers whose agent is gone, and return their ids.

    Raises UnavailableError.
    """
    left = find_leftovers()
    client = connect()
    try:
        for each in left:
            remove_container(client, each)
    finally:
        client.close()
    return left


def remove_container(client: "docker.DockerClient", name: str) -> None:
    """Kill and remove a container, if it is there; return when it is gone.

    Raises UnavailableError.
    """
    from docker.errors import APIError

    until = time.monotonic() + REMOVE_S
    with translated():
        while True:
            try:
                return client.api.remove_container(name, force=True, v=True)
            except APIError as error:
                if error.status_code == 404:
                    return
                # 409: the engine is removing it by itself.
                if error.status_code != 409 or time.monotonic() > until:
                    raise
            time.sleep(0.02)
