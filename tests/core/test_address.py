import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.address import is_in, is_public_address, network_of
from agentcli.core.host import may_resolve_to

V4 = st.ip_addresses(v=4).map(str)
NOT_PUBLIC = (
    *("127.0.0.1", "10.0.0.1", "172.16.5.4", "192.168.1.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1", "192.88.99.1"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fd00::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:8.8.8.8", "2002:7f00:1::", "2002:808:808::", "64:ff9b::7f00:1"),
    *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "::127.0.0.1", "::8.8.8.8", "::ffff:0:127.0.0.1"),
    *("5f00::1", "4000::1", "e000::1", "3fff::1", "100:0:0:1::1", "192.0.0.8"),
)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_an_address_that_is_not_public_is_known_in_any_disguise(address: str) -> None:
    assert not is_public_address(address)
    assert not may_resolve_to("example.com", address, ["*"])
    assert not may_resolve_to("example.com", address, ["example.com", "*"])


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_a_public_address_is_known_in_either_family(address: str) -> None:
    assert is_public_address(address)
    assert may_resolve_to("example.com", address, ["*"])


@given(V4)
def test_an_address_reached_through_another_kind_is_as_public_as_itself(address: str) -> None:
    translated = ipaddress.IPv6Address(int(ipaddress.ip_address("64:ff9b::")) + as_number(address))
    assert is_public_address(str(translated)) is is_public_address(address)
    assert not is_public_address(f"::ffff:{address}")


def as_number(address: str) -> int:
    return int(ipaddress.ip_address(address))


def test_a_network_holds_its_addresses_and_no_name() -> None:
    assert is_in("10.1.2.3", "10.1.0.0/16")
    assert not is_in("10.2.0.1", "10.1.0.0/16")
    assert not is_in("wiki.example.com", "10.1.0.0/16")
    assert not is_in("10.1.2.3", "10.1.2.3"), "that is a name"
    assert network_of("example.com") is None
    with pytest.raises(ValueError, match="host bits"):
        network_of("10.0.0.1/8")
