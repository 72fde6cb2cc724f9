"""Jobs in one hardened Docker container a run."""

import asyncio
import contextlib
import os
import secrets
import socket
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentcli.asset import shipped
from agentcli.core.sandbox import SandboxFacts, SandboxSpec
from agentcli.errors import UnavailableError
from agentcli.loop.port import Sandbox
from agentcli.sandbox.channel import BOOT, Read, open_channel
from agentcli.sandbox.engine import (
    OWNER_LABEL,
    RUN_LABEL,
    Caller,
    connect,
    find_image,
    find_leftovers,
    owner_label,
    remove_container,
    remove_leftovers,
    translated,
)
from agentcli.sandbox.health import Health
from agentcli.sandbox.hidden import find_hidden, mask_file, notes_on, watch_over
from agentcli.sandbox.image import build_image
from agentcli.sandbox.workspace import check_mounts, find_owner

if TYPE_CHECKING:
    import docker
    from docker.types import Mount

__all__ = ["build_image", "check", "find_leftovers", "open_sandbox", "remove_leftovers"]

START_S = 30.0
STOP_S = 5.0


async def open_sandbox(spec: SandboxSpec, run: str) -> Sandbox:
    """Start the container of a run and return the sandbox in it.

    Raises UnavailableError: no engine, no image, a mount that is gone, files to keep out that
    cannot all be found, or a container that does not start.
    """
    check_mounts(spec)
    hidden = await asyncio.to_thread(find_hidden, spec, find_owner(spec))
    watch = watch_over(hidden)
    container, caller = Container(spec, run, tuple(hidden)), Caller()

    async def stop() -> None:
        """Remove the container; it also removes itself, once the worker's stdin is closed."""
        # Made after the start by the same thread, so it also finds what was just being made.
        with contextlib.suppress(UnavailableError):
            await caller.call(container.remove, STOP_S)
        caller.end()

    try:
        facts = await caller.call(container.start, START_S)
        reader, writer = await asyncio.open_connection(sock=container.link)
        container.link = None
    except BaseException:
        await asyncio.shield(stop())
        raise
    return await open_channel(
        facts,
        spec,
        demultiplex(reader),
        writer,
        stop,
        root="/workspace",
        limits={},
        watch=watch,
    )


class Container:
    """The container of one run. Its methods block.

    hidden: the files that are kept out.
    link: the worker's stdin and stdout, until somebody takes it.
    """

    def __init__(self, spec: SandboxSpec, run: str, hidden: tuple[str, ...]) -> None:
        self.spec, self.run, self.hidden = spec, run, hidden
        self.name = f"agentcli-{secrets.token_hex(8)}"
        self.client: docker.DockerClient | None = None
        self.link: socket.socket | None = None

    def start(self) -> SandboxFacts:
        """Create, attach and start it; return what it is. Raises UnavailableError."""
        client = self.client = connect()
        with translated(), mask_file() as mask:
            image = find_image(client, self.spec.image)
            user, notes = choose_user(client, self.spec)
            made = client.api.create_container(
                image,
                ["python3", "-I", "-S", "-B", "-c", BOOT],
                name=self.name,
                user=user,
                stdin_open=True,
                working_dir="/",
                entrypoint=[],
                labels={RUN_LABEL: self.run, OWNER_LABEL: owner_label(os.getpid())},
                host_config=confine(client, self.spec, dict.fromkeys(self.hidden, mask)),
                network_disabled=True,
            )
            notes += notes_on(self.spec, self.hidden) + tuple(made.get("Warnings") or ())
            self.link = attach(client, self.name)
            client.api.start(self.name)
        return SandboxFacts(backend="docker", isolated=True, offline=True, image=image, notes=notes)

    def remove(self) -> None:
        """Kill it and return when it is gone, if it was there. Raises UnavailableError."""
        if self.link:
            self.link.close()
        if self.client:
            try:
                remove_container(self.client, self.name)
            finally:
                self.client.close()


def attach(client: "docker.DockerClient", name: str) -> socket.socket:
    """Return a container's stdin and stdout as one non-blocking socket."""
    attached = client.api.attach_socket(name, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
    # The SDK's wrapper would close the socket under us, or read ahead of us.
    theirs = getattr(attached, "_sock", attached)
    try:
        if not isinstance(theirs, socket.socket) or hasattr(theirs, "cipher"):
            raise UnavailableError(
                "this Docker engine is not on this machine", hint="unset DOCKER_HOST"
            )
        link = theirs.dup()
    finally:
        # The wrapper's own close leaves the socket to the garbage collector.
        attached.close()
        theirs.close()
    link.setblocking(False)
    return link


def choose_user(client: "docker.DockerClient", spec: SandboxSpec) -> tuple[str, tuple[str, ...]]:
    """Return who jobs are, as `uid:gid`: the workspace's owner, so that files stay theirs."""
    uid, gid = find_owner(spec)
    if any("rootless" in option for option in client.info().get("SecurityOptions") or ()):
        return "0:0", ("rootless Docker: root inside is you outside",)
    if uid == 0:
        return "0:0", ("the workspace belongs to root: jobs are uid 0 without any capability",)
    return f"{uid}:{gid}", ()


def confine(client: "docker.DockerClient", spec: SandboxSpec, masks: Mapping[str, str]) -> Any:
    """Return the limits of a container in the form of the SDK, which has no type for it.

    masks: what is put over which files.
    """
    from docker.types import LogConfig, Ulimit

    mounts = [bind(mount.inside, mount.path, writable=mount.writable) for mount in spec.mounts]
    if spec.workspace:
        mounts.append(bind("/workspace", spec.workspace, writable=spec.writable))
    if spec.outputs:
        mounts.append(bind("/outputs", spec.outputs))
    mounts += [bind(path, mask) for path, mask in masks.items()]
    file_size = spec.file_size_mb << 20
    return client.api.create_host_config(
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=[
            "no-new-privileges",
            f"seccomp={shipped('sandboxes', 'seccomp.json').read_text()}",
        ],
        mem_limit=f"{spec.memory_mb}m",
        memswap_limit=f"{spec.memory_mb}m",
        nano_cpus=spec.cpu_milli * 1_000_000,
        pids_limit=spec.processes,
        ulimits=[
            Ulimit(name="nofile", soft=spec.open_files, hard=spec.open_files),
            Ulimit(name="core", soft=0, hard=0),
            Ulimit(name="fsize", soft=file_size, hard=file_size),
        ],
        tmpfs={"/tmp": f"size={spec.tmp_mb}m,mode=1777,nosuid,nodev,exec"},
        shm_size=f"{spec.tmp_mb}m",
        # A log would keep all output on the host's disk a second time.
        log_config=LogConfig(type="none"),
        auto_remove=True,
        mounts=mounts,
        # The worker itself is process 1: it reaps, and no job can kill it.
        init=False,
    )


def bind(inside: str, path: str, *, writable: bool = False) -> "Mount":
    from docker.types import Mount

    mount = Mount(inside, path, "bind", read_only=not writable)
    if not writable:
        # Older engines make only the top read-only: what is mounted below it stays out.
        mount["BindOptions"] = {"NonRecursive": True}
    return mount


def demultiplex(reader: asyncio.StreamReader) -> Read:
    """Return a read of the worker's stdout out of the engine's frames of both streams."""

    async def read() -> bytes:
        try:
            while True:
                stream, size = struct.unpack(">BxxxL", await reader.readexactly(8))
                data = await reader.readexactly(size)
                if stream == 1:
                    return data
        except asyncio.IncompleteReadError:
            return b""

    return read


def check(image: str) -> Health:
    """Return whether the engine answers and has the image."""
    try:
        client = connect()
    except UnavailableError as error:
        return Health(False, str(error), fix=error.hint)
    try:
        with translated():
            version = str(client.version()["Version"])
            found = find_image(client, image)
    except UnavailableError as error:
        return Health(False, str(error), fix=error.hint)
    finally:
        client.close()
    return Health(True, f"{image} is there ({found[7:19]})", version=version)
