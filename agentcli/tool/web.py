"""Reads pages for tools: the one way out, since whatever runs in a sandbox has no network."""

import asyncio
import dataclasses
import errno
import re
import ssl
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentcli import __version__
from agentcli.tool.reach import (
    Domains,
    LookUp,
    Target,
    UnreachableError,
    addresses_of,
    look_up,
    next_target,
    target_of,
    told,
)

if TYPE_CHECKING:
    import httpcore2

MOST_BYTES = 5_000_000
MOST_REDIRECTS = 5
TIMEOUTS_S = {"connect": 10.0, "read": 30.0, "write": 30.0, "pool": 30.0}  # of each step
REDIRECTS = (301, 302, 303, 307, 308)
HEADERS: dict[str | bytes, str | bytes] = {
    "User-Agent": f"agentcli/{__version__}",
    "Accept": "text/markdown, text/html;q=0.9, application/json;q=0.9, */*;q=0.5",
    "Accept-Encoding": "gzip",
    "Connection": "close",
}
ASCII = "".join(map(chr, range(0x21, 0x7F)))
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL)
KEPT_HEADERS = ("content-type", "content-encoding", "last-modified", "date")


@dataclass(frozen=True)
class Response:
    """What a server answered. url: where it was in the end. cut: there was more of the body.

    headers: those of KEPT_HEADERS that it has, their names in lower case. body: as it was sent, so
    perhaps compressed. address: that of the machine which sent it.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False
    address: str = ""


@dataclass(frozen=True)
class Web:
    """Reads URLs, at addresses that were looked up once and judged.

    domains: where requests may lead. look_up: finds the addresses of a host.
    """

    domains: Domains = ()
    look_up: LookUp = look_up

    async def get(self, url: str, timeout_s: float) -> Response:
        """Return what is at a URL, of a body above MOST_BYTES its beginning.

        A redirect is followed only on the same host, whose address is looked up and judged anew.
        Raises UnreachableError.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self.follow(target_of(url))
        except TimeoutError:
            raise UnreachableError(f"{url}: stopped after {timeout_s:g} s.") from None

    async def follow(self, target: Target) -> Response:
        for _ in range(MOST_REDIRECTS + 1):
            found = await self.request(target)
            if isinstance(found, Response):
                return found
            target = next_target(target, found)
        raise UnreachableError(f"{target}: it was redirected more than {MOST_REDIRECTS} times.")

    async def request(self, target: Target) -> Response | str:
        """Return the response, or the location of a redirect. Raises UnreachableError."""
        import httpcore2

        from agentcli.tool.dial import Dialer, proxy_for

        addresses = await addresses_of(target.host, target.port, self.domains, self.look_up)
        dialer = Dialer(addresses, proxy_for(target.scheme, target.host))
        url = httpcore2.URL(
            scheme=target.scheme.encode(),
            host=target.host.encode(),
            port=target.port,
            target=target.path.encode(),
        )
        context = context_for(target)
        try:
            async with (
                httpcore2.AsyncConnectionPool(context, network_backend=dialer) as pool,
                pool.stream(
                    "GET",
                    url,
                    headers=HEADERS | {"Host": target.authority},
                    extensions={"timeout": TIMEOUTS_S},
                ) as answer,
            ):
                found = await read(answer, target)
                if isinstance(found, Response):
                    return dataclasses.replace(found, address=dialer.reached)
                return found
        except (
            httpcore2.NetworkError,
            httpcore2.TimeoutException,
            httpcore2.ProtocolError,
            httpcore2.ProxyError,
            OSError,  # of TLS, once it is open
            UnicodeError,
        ) as error:
            raise UnreachableError(f"{target}: {reason_of(error)}") from error
        finally:
            await dialer.close()


async def read(answer: "httpcore2.Response", target: Target) -> Response | str:
    """Return the response with at most MOST_BYTES of its body, or the location of a redirect."""
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers
    }
    if answer.status in REDIRECTS and "location" in headers:
        return written_out(headers["location"])
    body, cut = bytearray(), False
    async for piece in answer.aiter_stream():
        body += piece
        if cut := len(body) > MOST_BYTES:
            break
    kept = {name: headers[name] for name in KEPT_HEADERS if name in headers}
    return Response(str(target), answer.status, kept, bytes(body[:MOST_BYTES]), cut)


def context_for(target: Target) -> ssl.SSLContext | None:
    """Return what TLS trusts, None where there is none. Raises UnreachableError."""
    import httpcore2

    try:
        return httpcore2.default_ssl_context() if target.scheme == "https" else None
    except OSError as error:
        raise UnreachableError(
            f"{target}: the certificates to trust cannot be read (SSL_CERT_FILE, SSL_CERT_DIR): "
            f"{told(error)}"
        ) from error


def written_out(location: str) -> str:
    """Return a place as its server meant it: bytes beyond ASCII as UTF-8, if they can be that."""
    raw = location.strip().encode("latin-1")
    try:
        return raw.decode().replace(" ", "%20")
    except UnicodeError:
        return urllib.parse.quote(raw, safe=ASCII)


def reason_of(error: BaseException) -> str:
    """Return why a connection failed, in one line: by causes, then by what the error says."""
    import httpcore2

    for cause in causes(error):
        match cause:
            case httpcore2.ProxyError():
                break
            case httpcore2.ConnectTimeout():
                return f"it could not be reached within {TIMEOUTS_S['connect']:g} s."
            case httpcore2.ReadTimeout():
                return f"nothing came from it for {TIMEOUTS_S['read']:g} s."
            case ssl.SSLCertVerificationError(verify_message=why):
                return f"its certificate does not hold: {why} (SSL_CERT_FILE names those to trust)."
            case ssl.SSLError(reason=("WRONG_VERSION_NUMBER" | "HTTP_REQUEST")):
                return "it does not speak TLS there: is it http://?"
            case ConnectionRefusedError():
                return "nothing answers at that port."
            case OSError(errno=number) if number in NO_WAY:
                return "there is no way to it: is this machine online?"
    text = re.sub(r"\s+", " ", str(error)).strip()[:300]
    return text or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(error).__name__).lower()


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what lies under it, each once."""
    seen, left = set[int](), [error]
    while left:
        found = left.pop(0)
        if id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        left += [e for e in (found.__cause__, found.__context__) if e is not None]
        left += getattr(found, "exceptions", ())  # of several addresses
