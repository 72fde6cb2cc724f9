"""Addresses of machines: which are public, and which are in a network that a policy names."""

import ipaddress
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# RFC 6052: an IPv4 address that is reached through IPv6 is in the last four bytes.
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# They lead to whatever IPv4 address is inside, or were given up. What is_global says of them
# differs from one version of Python to the next.
NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "::ffff:0:0/96",  # IPv4-mapped
            "2002::/16",  # 6to4
            "192.88.99.0/24",  # relays of 6to4
            "64:ff9b:1::/48",  # translated in a network of one's own, RFC 8215
            "fec0::/10",  # site-local
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
