"""Where a URL leads, before and after its host is looked up."""

import asyncio
import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentcli.core.host import host_of
from agentcli.tool.reach import (
    Domains,
    Target,
    UnreachableError,
    addresses_of,
    look_up,
    next_target,
    target_of,
)


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Example.COM", Target("https", "example.com", 443, "/")),
        ("http://example.com:8080/a b", None),
        ("http://a.example:8080/a%20b?q=1#part", Target("http", "a.example", 8080, "/a%20b?q=1")),
        ("https://bücher.de/ü?ß", Target("https", "xn--bcher-kva.de", 443, "/%C3%BC?%C3%9F")),
        ("https://[2606:4700::1111]/", Target("https", "2606:4700::1111", 443, "/")),
        ("https://example.com./", Target("https", "example.com", 443, "/")),
        ("HTTPS://example.com?q", Target("https", "example.com", 443, "/?q")),
        *[(url, None) for url in (
            "", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd",
            "https://", "https:///a", "https://user@example.com/", "https://a:b@example.com/",
            "https://example.com\\@evil.net/", "https://example.com:99999/", "https://example.com:x/",
            "https://exam ple.com/", "https://example.com/\r\nHost: evil.net", "https://a\0b.com/",
            "https://[::1", "gopher://example.com/", "javascript:alert(1)", "http://a..b/",
            "https://example.com:22/", "http://example.com:25/", "https://[2606:4700::1%25lo]/",
            "https://[2606:4700::1].evil.net/", "https://[8.8.8.8]/", "https://evil.127.0.0.1/",
            "https://a.0x7f/", "https://1.2.3.4.5/",
        )],
    ],
)  # fmt: skip
def test_a_url_is_read_in_one_way_or_not_at_all(url: str, target: Target | None) -> None:
    if target is None:
        with pytest.raises(UnreachableError):
            target_of(url)
        return
    assert target_of(url) == target
    assert target_of(str(target)) == target


ANY_TEXT = st.text(st.characters(exclude_categories=[]), max_size=60)


@given(ANY_TEXT.map("https://{}".format) | ANY_TEXT.map("https://a.example/{}".format) | ANY_TEXT)
def test_whatever_the_url_it_leads_to_the_host_that_was_judged(url: str) -> None:
    try:
        target = target_of(url)
    except UnreachableError:
        return
    assert target.host == host_of(url)
    assert re.fullmatch(r"[!-~]+", str(target))


ODD = "https://a.example/\r\n\x1b[2J" + "x" * 500


def test_what_is_wrong_with_a_url_is_told_in_one_short_line() -> None:
    with pytest.raises(UnreachableError) as odd_url:
        target_of(ODD)
    with pytest.raises(UnreachableError) as odd_redirect:
        next_target(target_of("https://a.example/"), ODD)
    for told in (str(odd_url.value), str(odd_redirect.value)):
        assert told.isprintable()
        assert len(told) < 400


@pytest.mark.parametrize(
    ("here", "location", "there"),
    [
        ("https://a.example/x/y", "z", "https://a.example/x/z"),
        ("https://a.example/x", "//a.example/z", "https://a.example/z"),
        ("http://a.example/", "https://a.example/", "https://a.example/"),
        ("https://a.example/", "http://a.example/", None),
        ("https://a.example/", "https://www.a.example/", None),
        ("https://a.example/", "https://b.example/", None),
        ("https://a.example/", "https://a.example@b.example/", None),
        ("https://a.example/", "https://a.example:8443/", None),
        ("http://a.example:8080/", "https://a.example/", None),
        ("https://a.example/", "http://169.254.169.254/", None),
        ("https://a.example/", "file:///etc/passwd", None),
        ("https://a.example/", "https://[bad", None),
    ],
)
def test_a_redirect_is_followed_only_to_the_same_place(
    here: str, location: str, there: str | None
) -> None:
    if there is None:
        with pytest.raises(UnreachableError):
            next_target(target_of(here), location)
    else:
        assert str(next_target(target_of(here), location)) == there


def addresses(host: str, found: Sequence[str], domains: Domains = ()) -> Sequence[str]:
    async def played(host: str, port: int) -> Sequence[str]:
        return found

    return asyncio.run(addresses_of(host, 443, domains, played))


def test_a_name_that_leads_to_a_private_address_is_refused_once_it_was_looked_up() -> None:
    assert addresses("a.example", ["8.8.8.8", "2606:4700::1111"]) == ["8.8.8.8", "2606:4700::1111"]
    for found in (["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["::1", "8.8.8.8"], ["169.254.169.254"]):
        for domains in ((), (("*",),), (("a.example",),), (("*", "10.1.0.0/16"),)):
            with pytest.raises(
                UnreachableError, match=r"a\.example: its address is .*help network"
            ):
                addresses("a.example", found, domains)


def test_every_list_of_domains_has_to_allow_the_address() -> None:
    one, other = ("*", "10.0.0.0/8"), ("*",)
    assert addresses("a.example", ["10.0.0.1"], (one,)) == ["10.0.0.1"]
    with pytest.raises(UnreachableError, match=r"10\.0\.0\.1"):
        addresses("a.example", ["10.0.0.1"], (one, other))
    with pytest.raises(UnreachableError, match=r"may only lead to b\.example"):
        addresses("a.example", ["8.8.8.8"], (("b.example",),))


def test_a_host_without_an_address_is_told_as_such() -> None:
    with pytest.raises(UnreachableError, match=r"a\.example: it has no address"):
        addresses("a.example", [])
    with pytest.raises(UnreachableError, match=r"nowhere\.invalid: its address was not found: "):
        asyncio.run(addresses_of("nowhere.invalid", 443, (), look_up))
    with pytest.raises(UnreachableError, match=r"x{64}\.example: its address was not found: "):
        asyncio.run(addresses_of("x" * 64 + ".example", 443, (("*",),), look_up))


def test_a_lookup_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return ()

    monkeypatch.setattr("agentcli.tool.reach.LOOK_UP_S", 0.01)
    with pytest.raises(UnreachableError, match=r"a\.example: looking up its address took too long"):
        asyncio.run(addresses_of("a.example", 443, (), hang))


def test_a_number_is_not_looked_up() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    assert asyncio.run(addresses_of("8.8.8.8", 443, (), never)) == ["8.8.8.8"]
    with pytest.raises(UnreachableError):
        asyncio.run(addresses_of("127.0.0.1", 443, (), never))


def test_a_lookup_finds_the_addresses_of_this_machine() -> None:
    assert "127.0.0.1" in asyncio.run(look_up("localhost", 80))
