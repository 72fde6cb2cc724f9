"""Where the Docker engine listens, and whether it does; its SDK would be slow to import."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import quote, urlsplit

from agentcli.asset import user_home

DEFAULT = "unix:///var/run/docker.sock"
PING = b"GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n"
PING_S = 1.0


def find_endpoint(environ: Mapping[str, str] = os.environ) -> str:
    """Return the URL of the engine, chosen as the docker command does.

    That is DOCKER_HOST, else the current context, else the default socket.
    """
    if named := environ.get("DOCKER_HOST"):
        return named
    folder = Path(environ.get("DOCKER_CONFIG") or (user_home() or Path("/")) / ".docker")
    # A context that cannot be read is no context: the default socket is then tried.
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        config = folder / "config.json"
        context = environ.get("DOCKER_CONTEXT") or json.loads(config.read_text())["currentContext"]
        # The file of a context is found by the hash of its name.
        digest = hashlib.sha256(context.encode()).hexdigest()
        meta = json.loads((folder / "contexts" / "meta" / digest / "meta.json").read_text())
        return str(meta["Endpoints"]["docker"]["Host"])
    return DEFAULT


def engine_sockets() -> Iterator[str]:
    """Yield the paths at which container engines may listen, with and without links resolved.

    Whether anything listens there now does not matter.
    """
    home = str(user_home() or "")
    places = [
        *("/var/run/docker.sock", "/var/run/containerd/containerd.sock"),
        *("/var/run/podman/podman.sock", f"/run/user/{os.getuid()}/docker.sock"),
        *(f"{home}/.docker/run/docker.sock", f"{home}/.docker/desktop/docker.sock"),
    ]
    url = urlsplit(find_endpoint())
    if url.scheme == "unix":
        places.append(url.path)
    for place in places:
        yield place
        if (resolved := os.path.realpath(place)) != place:
            yield resolved


def answers(endpoint: str, timeout_s: float = PING_S) -> bool:
    """Return whether an engine answers there within the time. A socket file alone says nothing."""
    try:
        ping(endpoint, timeout_s)
    except (OSError, ValueError):
        return False
    return True


def ping(endpoint: str, timeout_s: float) -> None:
    """Ask an engine whether it is there.

    Raises OSError: PermissionError, TimeoutError and so on; ValueError for an odd endpoint.
    """
    url = urlsplit(endpoint)
    until = time.monotonic() + timeout_s
    said = b""
    with open_socket(url.scheme, url.path, url.hostname, url.port, timeout_s) as link:
        link.sendall(PING)
        while len(said) < 12:
            # A socket's own timeout is for each piece, so a slow one could go on for ever.
            if (left := until - time.monotonic()) <= 0:
                raise TimeoutError(endpoint)
            link.settimeout(left)
            if not (data := link.recv(4096)):
                break
            said += data
    if not (said.startswith(b"HTTP/1.") and said[8:12] == b" 200"):
        raise ConnectionError(f"{endpoint} is no Docker engine")


def image_id(endpoint: str, image: str, timeout_s: float = PING_S) -> str:
    """Return what an engine knows an image as, "" if it knows none or does not answer."""
    url = urlsplit(endpoint)
    link = HTTPConnection("docker", timeout=timeout_s)
    try:
        link.sock = open_socket(url.scheme, url.path, url.hostname, url.port, timeout_s)
        link.request("GET", f"/images/{quote(image)}/json")
        answer = link.getresponse()
        found = json.loads(answer.read()) if answer.status == 200 else {}
        return str(found.get("Id", ""))
    except (OSError, HTTPException, ValueError, AttributeError):
        return ""
    finally:
        link.close()


def open_socket(
    scheme: str, path: str, host: str | None, port: int | None, timeout_s: float
) -> socket.socket:
    """Return a connection. Raises OSError, ValueError for a way that is not one of ours."""
    if scheme == "tcp" and host:
        return socket.create_connection((host, port or 2375), timeout_s)
    if scheme != "unix":
        raise ValueError(scheme)
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect(path)
    except BaseException:
        link.close()
        raise
    return link
