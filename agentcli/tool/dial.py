"""Connects to one host at addresses that were found before, and to nothing else."""

import asyncio
import base64
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from httpcore2 import (
    AnyIOBackend,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
    ProxyError,
)

from agentcli.tool.reach import UnreachableError, bracketed

MOST_HEAD_BYTES = 16_384  # of a proxy's answer
STATUS = re.compile(rb"HTTP/1\.\d (\d{3}[^\r\n]*)")


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. credentials: NAME:PASSWORD, "" for none."""

    host: str
    port: int
    credentials: str = ""


def proxy_for(scheme: str, host: str) -> Proxy | None:
    """Return the proxy that the environment names for a host, None for none.

    Raises UnreachableError for one that is no HTTP proxy.
    """
    proxies = urllib.request.getproxies()
    url = proxies.get(scheme) or proxies.get("all") or ""
    if not url or urllib.request.proxy_bypass(host):
        return None
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(url)
        port = parts.port or 80
    except ValueError:
        text = f"{scheme}_proxy, or all_proxy, must name an HTTP proxy, as http://HOST:PORT"
        raise UnreachableError(f"{host}: {text}, or no_proxy the host.") from None
    words = (urllib.parse.unquote(word or "") for word in (parts.username, parts.password))
    return Proxy(parts.hostname, port, ":".join(words) if parts.username else "")


@dataclass
class Dialer(AsyncNetworkBackend):
    """The network of one host: whatever name is asked for, it is found at these addresses."""

    addresses: Sequence[str]
    proxy: Proxy | None = None
    opened: list[AsyncNetworkStream] = field(default_factory=list)
    reached: str = ""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to the first address that answers, whatever `host` is.

        Raises ConnectError or ConnectTimeout where none does, ProxyError.
        """
        problem: Exception = ConnectError("no address")
        for address in self.addresses:
            try:
                stream = await self.connect(address, port, timeout)
            except (ConnectError, ConnectTimeout) as error:
                problem = error
            else:
                self.opened.append(stream)
                self.reached = address
                return stream
        raise problem

    async def connect(self, address: str, port: int, timeout: float | None) -> AsyncNetworkStream:
        if self.proxy is None:
            return await AnyIOBackend().connect_tcp(address, port, timeout)
        try:
            stream = await AnyIOBackend().connect_tcp(self.proxy.host, self.proxy.port, timeout)
        except (ConnectError, ConnectTimeout) as error:
            where = f"{bracketed(self.proxy.host)}:{self.proxy.port}"
            raise ProxyError(f"the proxy {where} cannot be reached") from error
        try:
            await open_tunnel(stream, self.proxy, address, port, timeout)
        except BaseException:
            await stream.aclose()
            raise
        return stream

    async def close(self) -> None:
        """Close what was opened: a cancel during a TLS handshake leaves it open."""
        for stream in self.opened:
            await stream.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def open_tunnel(
    stream: AsyncNetworkStream, proxy: Proxy, address: str, port: int, timeout: float | None
) -> None:
    """Have a proxy connect to an address: of a name it would find one that nobody has judged.

    Raises ProxyError where it refuses.
    """
    where = f"{bracketed(address)}:{port}"
    lines = [f"CONNECT {where} HTTP/1.1", f"Host: {where}"]
    if proxy.credentials:
        word = base64.b64encode(proxy.credentials.encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {word}")
    await stream.write("\r\n".join([*lines, "", ""]).encode(), timeout)
    said = b""
    while b"\r\n\r\n" not in said:
        more = await stream.read(4096, timeout)
        said += more
        if not more or len(said) > MOST_HEAD_BYTES:
            break
    status = STATUS.match(said)
    if status is None or b"\r\n\r\n" not in said:
        raise ProxyError(f"the proxy {proxy.host} gave no answer of HTTP")
    if not status[1].startswith(b"2"):
        raise ProxyError(f"the proxy {proxy.host} says: {status[1].decode('latin-1')}")
