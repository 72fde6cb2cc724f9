"""Where a request may lead: what a URL names, and the addresses that its host turns out to have."""

import asyncio
import ipaddress
import socket
import threading
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from agentcli.core.host import ANY, host_of, in_words, is_at, may_resolve_to, named
from agentcli.core.visible import escaped_line

LOOK_UP_S = 10.0
PORTS = {"http": 80, "https": 443}
LOWEST_OTHER = 1024  # below are the ports of mail, terminals and the like

LookUp = Callable[[str, int], Awaitable[Sequence[str]]]  # of a host and a port: its addresses
Domains = tuple[tuple[str, ...], ...]  # a list of each policy, all of which hold; empty: any public


class UnreachableError(Exception):
    """A URL that may not be read, or cannot be; the text says why, for the model."""


async def look_up(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, the best first. Raises OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Sequence[str]] = loop.create_future()

    def give(found: Sequence[str], error: Exception | None = None) -> None:
        if answer.done():
            return
        if error is None:
            answer.set_result(found)
        else:
            answer.set_exception(error)

    def ask() -> None:
        found, problem = list[str](), None
        try:
            infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(where[0]) for *_, where in infos))
        except (OSError, UnicodeError) as error:
            problem = error
        with suppress(RuntimeError):  # nobody waits any more, not even the loop
            loop.call_soon_threadsafe(give, found, problem)

    # The program must not wait for it at its end, and no lookup can be stopped.
    threading.Thread(target=ask, daemon=True).start()
    return await answer


async def addresses_of(host: str, port: int, domains: Domains, look_up: LookUp) -> Sequence[str]:
    """Return the addresses at which a host may be reached.

    Raises UnreachableError, also when only one of the addresses is forbidden: whoever answers for
    the name could else choose which of them is tried.
    """
    lists = domains or ((ANY,),)
    for allowed in lists:
        if not is_at(host, allowed):
            raise UnreachableError(f"{host}: {in_words(allowed)}.")
    try:
        ipaddress.ip_address(host)
        found: Sequence[str] = [host]
    except ValueError:
        try:
            found = await asyncio.wait_for(look_up(host, port), LOOK_UP_S)
        except TimeoutError:
            raise UnreachableError(f"{host}: looking up its address took too long.") from None
        except (OSError, UnicodeError) as error:
            raise UnreachableError(f"{host}: its address was not found: {told(error)}") from None
    if not found:
        raise UnreachableError(f"{host}: it has no address.")
    for address in found:
        if not all(may_resolve_to(host, address, allowed) for allowed in lists):
            raise UnreachableError(
                f"{host}: its address is {address}, which is not public. Only a policy of the "
                "user can allow that: agentcli help network."
            )
    return found


def told(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


@dataclass(frozen=True)
class Target:
    """Where a request goes. scheme: http or https. path: with the query, in ASCII."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """Return the host, and the port unless it is the usual one, as in a URL."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{bracketed(self.host)}{port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def target_of(url: str) -> Target:
    """Return where a URL leads.

    Raises UnreachableError for what is no URL of a page, or one that programs read differently.
    """
    try:
        host = host_of(url)
        parts = urllib.parse.urlsplit(url.strip())
        port = parts.port or PORTS[parts.scheme]
        path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?[]|{}^")
        if host != host_again(parts.hostname or ""):
            raise ValueError(url)
    except (ValueError, KeyError):
        raise UnreachableError(
            f"{escaped_line(url)}: is no URL of a page: it needs http:// or https:// and a host, "
            "and no user name, space or backslash."
        ) from None
    if port < LOWEST_OTHER and port not in PORTS.values():
        raise UnreachableError(
            f"{escaped_line(url)}: the port {port} is not one for pages: it must be 80, 443, or "
            f"{LOWEST_OTHER} and above."
        )
    return Target(parts.scheme, host, port, f"{path}?{query}" if query else path)


def host_again(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return named(text)


def next_target(here: Target, location: str) -> Target:
    """Return where a redirect leads: on the same host and port, or from http to https.

    Raises UnreachableError for any other, which takes a call of its own to be judged.
    """
    try:
        there = target_of(urllib.parse.urljoin(str(here), location))
    except (ValueError, UnreachableError):
        text = f"{here}: it redirects to {escaped_line(location)}, which is no page."
        raise UnreachableError(text) from None
    upgrade = (here.scheme, here.port, there.scheme, there.port) == ("http", 80, "https", 443)
    if there.host != here.host or not (
        upgrade or (there.scheme, there.port) == (here.scheme, here.port)
    ):
        raise UnreachableError(
            f"{here}: it redirects to {there}, another place, of which nothing was read. Call with "
            "that URL to read it: it is judged like any other."
        )
    return there


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
