"""Addresses of machines: which are public, and which are in a network that a policy names."""

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 6052: an IPv4 address that is reached through IPv6 is in the last four bytes.
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# RFC 4291: of IPv6, only this is given out for the open network. Outside of it are also the forms
# that carry an IPv4 address, such as ::127.0.0.1 and ::ffff:127.0.0.1.
UNICAST = ipaddress.IPv6Network("2000::/3")
# What is_global says of these differs from one version of Python to the next.
NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "2002::/16",  # 6to4: it leads to the IPv4 address inside
            "192.88.99.0/24",  # relays of 6to4
            "192.0.0.0/24",  # for protocols
            "3fff::/20",  # for documents
        ),
    )
)


def is_public_address(text: str) -> bool:
    """Say whether an address can be reached from anywhere. Raises ValueError for no address."""
    address = ipaddress.ip_address(text)
    if address in TRANSLATED:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return (
        address.is_global
        and not address.is_multicast
        and (address.version == 4 or address in UNICAST)
        and not any(address in network for network in NOT_PUBLIC)
    )


@lru_cache(1000)
def network_of(domain: str) -> Network | None:
    """Return the network that a domain of a policy names, None if it is a name.

    Raises ValueError for what has the form of one and is none, such as 10.0.0.1/8.
    """
    return ipaddress.ip_network(domain) if "/" in domain else None


def is_in(text: str, domain: str) -> bool:
    """Say whether a host is an address in the network that a domain of a policy names."""
    network = network_of(domain)
    if network is None:
        return False
    try:
        return ipaddress.ip_address(text) in network
    except ValueError:
        return False
