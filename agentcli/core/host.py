"""Hosts as arguments name them: compared label by label, refused where they are not public."""

import ipaddress
import re
import unicodedata
import urllib.parse
from collections.abc import Iterable, Iterator, Sequence

from agentcli.core.address import is_in, is_public_address
from agentcli.core.personal import MARK
from agentcli.core.trace import ACTIVE, leaves_of

NAME = re.compile(
    r"(?=.{1,253}\Z)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)*[a-z0-9][a-z0-9-]*\Z"
)
LOCAL = re.compile(r"[\w.!#$%&'*+=^`{|}~-]+\Z")  # of a mail address
LIKE_A_HOST = re.compile(r"(?:[\w-]+\.)+[^\W\d_]{2,}\.?\Z")
LIKE_AN_ADDRESS = re.compile(r"(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+)){0,3}\Z")
NUMBER_LAST = re.compile(r"\.(?:\d+|0x[0-9a-f]*)\Z", re.ASCII)  # of no name that there is
BRACKETED = re.compile(r"\[([0-9a-fA-F:.]+)\](?::\d*)?\Z", re.ASCII)
# Names that lead to this machine or its surroundings without an address.
NEAR = ("localhost", "local", "internal", "localdomain", "home.arpa", "lan")
ANY = "*"


def host_of(value: str) -> str:
    """Return the host of a URL, a mail address or a bare host, as DNS compares it.

    Raises ValueError for what is none of these, or is written so that programs differ on it.
    """
    text = unicodedata.normalize("NFKC", value.strip())
    if not text or re.search(r"[\s\\\x00-\x1f\x7f<>\"]", text):
        raise ValueError("no host")
    if "://" in text:
        netloc = urllib.parse.urlsplit(text).netloc
        if "@" in netloc:
            raise ValueError("a name before the host")
    elif "@" in text:
        local, netloc = text.split("@", 1)
        if not LOCAL.match(local) or re.search(r"[/:,;?#@]", netloc):
            raise ValueError("not one address")
    else:
        netloc = text.partition("/")[0]
    if netloc.startswith("["):
        if (found := BRACKETED.match(netloc)) is None:  # a zone names a cable of this machine
            raise ValueError("no address of IPv6")
        return str(ipaddress.IPv6Address(found[1]))
    return named(netloc.partition(":")[0])


def named(host: str) -> str:
    """Return a host's name in ASCII and one case. Raises ValueError."""
    host = unicodedata.normalize("NFKC", host).casefold().removesuffix(".")
    if not host.isascii():
        host = host.encode("idna").decode()
    if not NAME.match(host) or (NUMBER_LAST.search(host) and not LIKE_AN_ADDRESS.match(host)):
        raise ValueError("no host")
    return host


def is_at(host: str, domains: Iterable[str]) -> bool:
    """Say whether a host is one of these or below it; `*` is every public one."""
    return any(
        is_below(host, domain) or is_in(host, domain) or (domain == ANY and is_public(host))
        for domain in domains
    )


def in_words(domains: Iterable[str]) -> str:
    """Return where calls may lead, as a refusal says it."""
    words = ["any public host" if domain == ANY else domain for domain in domains]
    return f"calls may only lead to {' or '.join(words)} (agentcli help network)"


def is_below(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def may_resolve_to(host: str, address: str, domains: Iterable[str]) -> bool:
    """Say whether a host that is at one of these domains may have this address.

    A public address may be that of any. Another one only where the domains name its network, or
    the host, whose name says that it is near: whoever answers for a public name could else lead a
    call to this machine.
    """
    return is_public_address(address) or any(
        is_in(address, domain) or (is_below(host, domain) and not is_public(host))
        for domain in domains
    )


def is_public(host: str) -> bool:
    """Say whether a host is a public address, or a name that could have one."""
    try:
        return is_public_address(host)
    except ValueError:
        pass
    if LIKE_AN_ADDRESS.match(host) or "." not in host:  # 127.1 and 2130706433 are addresses too
        return False
    return not any(host == near or host.endswith(f".{near}") for near in NEAR)


def hosts_in(
    args: dict[str, object], sinks: Sequence[str] | None = None
) -> Iterator[tuple[str, str]]:
    """Yield the argument and the text of each host to which a call may lead.

    sinks: the arguments that say where it leads, None for all. Of the others a word alone may be
    one, and a sentence only tells of hosts.
    """
    for path, value in leaves_of(args):
        is_sink = sinks is None or path.partition(".")[0] in sinks
        if not is_sink and len(value.split()) > 1:
            continue
        for mark in MARK.finditer(value):  # of a mail address, at a host that cannot be told
            if mark[0].startswith("[REDACTED:email:"):
                yield path, mark[0]
        text = unicodedata.normalize("NFKC", value).casefold()
        for match in ACTIVE.finditer(text):
            if match.lastgroup in ("url", "mail", "address", "host"):
                yield path, match[0].rstrip(".,;:!?)'")
        if LIKE_A_HOST.match(text.strip()):
            yield path, text.strip()


def stray(
    args: dict[str, object], domains: tuple[str, ...], sinks: Sequence[str] | None = None
) -> tuple[str, str] | None:
    """Return the argument and the text of a host that is not at these domains, None if all are."""
    for path, text in hosts_in(args, sinks):
        try:
            if not is_at(host_of(text), domains):
                return path, text
        except ValueError:
            return path, text
    return None
