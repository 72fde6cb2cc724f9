"""The way to the API, and what is told of it when it is broken: by causes, never by words."""

import errno
import os
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from agentcli.core.message import ModelError
from agentcli.model.failure import one_line, with_hint

CONNECT_S = 10.0
# OpenSSL's codes of a certificate that does not hold at this time.
NOT_YET, NO_MORE = 9, 10
OTHER_NAME = (62, 64)  # of its host, of its address
UNREACHABLE = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)

OFFLINE = "Is this machine online? Look: agentcli doctor"
ADDRESS = "Is the address right, and online? Look: agentcli doctor"
NAME = "Is ANTHROPIC_BASE_URL right? The server has a certificate for another name"
TRUST = "If your network reads TLS, name its certificates: export SSL_CERT_FILE=/path/to/ca.pem"
CLOCK = "Is the clock right? Look: date"


@dataclass(frozen=True)
class Route:
    """proxy: the host of the proxy in between, "" for none. variable: which one names it."""

    host: str
    proxy: str = ""
    variable: str = ""

    def __str__(self) -> str:
        return f"{self.host} through the proxy {self.proxy}" if self.proxy else self.host


def route_to(scheme: str, host: str) -> Route:
    """Return the way that the environment sets to a host. Never the password of a proxy."""
    proxies = urllib.request.getproxies()
    kind = scheme if proxies.get(scheme) else "all"
    proxy = proxies.get(kind)
    if not proxy or urllib.request.proxy_bypass(host):
        return Route(host)
    name = f"{kind}_proxy"
    variable = name if os.environ.get(name) else name.upper()
    with suppress(ValueError):
        parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        return Route(host, parts.hostname or "?", variable)
    return Route(host, "?", variable)


def broken_connection(error: BaseException, route: Route) -> ModelError:
    """Return what became of a connection, told by the errors' classes down to the system's."""
    import httpx2

    for cause in causes(error):
        match cause:
            case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
                said = one_line(str(cause), 200)
                return ModelError("config", f"nothing could be sent to {route.host!r}: {said}")
            case httpx2.ProxyError():
                return broken_proxy(str(cause), route)
            case ssl.SSLCertVerificationError():
                return untrusted(cause, route)
            case ssl.SSLError():
                return unreachable(route, "TLS fails", ADDRESS)
            case httpx2.ConnectTimeout():
                return unreachable(route, f"it does not answer within {CONNECT_S:g} s", OFFLINE)
            case socket.gaierror():
                return unreachable(route, "its name cannot be resolved", OFFLINE)
            case ConnectionRefusedError():
                return unreachable(route, "the connection is refused", ADDRESS)
            case OSError(errno=number) if number in UNREACHABLE:
                return unreachable(route, "there is no network to it", OFFLINE)
    match error:
        case httpx2.ConnectError():
            return unreachable(route, one_line(str(error), 200), OFFLINE)
        case httpx2.DecodingError():
            return ModelError("transient", "the reply is damaged: wrong compression")
        case httpx2.TooManyRedirects():
            return ModelError("transient", f"{route.host} redirects in a circle")
    return ModelError("transient", f"the connection to {route} was cut")


def unreachable(route: Route, why: str, hint: str) -> ModelError:
    if route.proxy:
        # Whatever could not be resolved or reached is the proxy: it would reach the rest.
        text = f"cannot reach the proxy {route.proxy} on the way to {route.host}: {why}"
        return ModelError("transient", with_hint(text, look_at(route)))
    return ModelError("transient", with_hint(f"cannot reach {route.host}: {why}", hint))


def broken_proxy(said: str, route: Route) -> ModelError:
    """Tell what a proxy answered, by the status that its answer begins with."""
    text = f"the proxy {route.proxy} does not let through to {route.host}: {one_line(said, 200)}"
    match said[:3]:
        case "407":  # no example of an address: it would look like one that holds a secret
            hint = f"Put a name and a password that it takes into the address in {route.variable}"
            return ModelError("config", with_hint(text, hint))
        case "403":
            hint = f"Ask whoever runs it to allow {route.host}"
            return ModelError("config", with_hint(text, hint))
    return ModelError("transient", with_hint(text, look_at(route)))


def look_at(route: Route) -> str:
    return f"Is its address right? Look: echo ${route.variable}"


def untrusted(error: ssl.SSLCertVerificationError, route: Route) -> ModelError:
    """Trying again would not help: somebody reads along, or the clock is wrong."""
    text = f"the TLS certificate of {route} does not hold: {error.verify_message}"
    hint = CLOCK if error.verify_code in (NOT_YET, NO_MORE) else TRUST
    if error.verify_code in OTHER_NAME:
        hint = NAME
    return ModelError("config", with_hint(text, hint))


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and all that led to it, outermost first."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        if (found := left.pop()) is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        left += [found.__context__, found.__cause__]
        if isinstance(found, BaseExceptionGroup):
            left += found.exceptions
