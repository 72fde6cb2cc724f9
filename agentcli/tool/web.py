"""Reads pages for tools: the one way out, since whatever runs in a sandbox has no network."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

from agentcli import __version__
from agentcli.tool.reach import (
    PORTS,
    Domains,
    LookUp,
    Target,
    Unreachable,
    addresses_of,
    bracketed,
    look_up,
    next_target,
    target_of,
)

MOST_BYTES = 5_000_000
MOST_HOPS = 5
READ_S = 30.0  # between two pieces
MOVED = (301, 302, 303, 307, 308)
HEADERS: dict[str | bytes, str | bytes] = {
    "User-Agent": f"agentcli/{__version__}",
    "Accept": "text/markdown, text/html;q=0.9, application/json;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}
KEPT_HEADERS = ("content-type", "content-encoding", "last-modified", "date")


@dataclass(frozen=True)
class Page:
    """What a server answered. url: where it was in the end. cut: there was more of it.

    headers: a few, in lower case.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True)
class Web:
    """domains: where requests may lead; all of these lists hold. look_up: finds addresses."""

    domains: Domains = ()
    look_up: LookUp = look_up

    async def get(self, url: str, timeout_s: float) -> Page:
        """Return what is at a URL, of a long body its beginning.

        A redirect is followed only to the same host, whose address is looked up and judged anew.
        Raises Unreachable.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self.follow(target_of(url))
        except TimeoutError:
            raise Unreachable(f"{url}: stopped after {timeout_s:g} s.") from None

    async def follow(self, target: Target) -> Page:
        for _ in range(MOST_HOPS + 1):
            found = await self.ask(target)
            if isinstance(found, Page):
                return found
            target = next_target(target, found)
        raise Unreachable(f"{target}: it leads on more than {MOST_HOPS} times.")

    async def ask(self, target: Target) -> Page | str:
        """Return the page, or where it has moved. Raises Unreachable."""
        import httpcore2

        from agentcli.tool.dial import Dialer, proxy_for

        addresses = await addresses_of(target.host, target.port, self.domains, self.look_up)
        dialer = Dialer(addresses, proxy_for(target.scheme, target.host))
        wait = {"connect": 10.0, "read": READ_S, "write": READ_S, "pool": READ_S}
        default = target.port == PORTS[target.scheme]
        host = bracketed(target.host) + ("" if default else f":{target.port}")
        try:
            async with (
                httpcore2.AsyncConnectionPool(network_backend=dialer) as pool,
                pool.stream(
                    "GET",
                    httpcore2.URL(
                        scheme=target.scheme.encode(),
                        host=target.host.encode(),
                        port=target.port,
                        target=target.path.encode(),
                    ),
                    headers=HEADERS | {"Host": host},
                    extensions={"timeout": wait},
                ) as response,
            ):
                headers = {
                    name.decode("latin-1").lower(): value.decode("latin-1")
                    for name, value in response.headers
                }
                if response.status in MOVED and "location" in headers:
                    return headers["location"]
                body, cut = bytearray(), False
                async for piece in response.aiter_stream():
                    body += piece
                    if cut := len(body) > MOST_BYTES:
                        break
                kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
                return Page(str(target), response.status, kept, bytes(body[:MOST_BYTES]), cut)
        except (
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
            httpcore2.ProxyError,
        ) as error:
            raise Unreachable(f"{target}: {reason_of(error)}") from error


def reason_of(error: BaseException) -> str:
    """Return why a connection failed, in one line."""
    text = re.sub(r"\s+", " ", str(error)).strip()[:300]
    return text or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()
