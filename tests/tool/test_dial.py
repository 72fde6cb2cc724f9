"""Which proxy leads to a host, and what it is asked for."""

import asyncio

import pytest
from httpcore2 import AsyncMockStream

from agentcli.tool.dial import Proxy, open_tunnel, proxy_for
from agentcli.tool.reach import UnreachableError


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize(
    ("name", "url", "proxy"),
    [
        ("https_proxy", "http://p.example:3128", Proxy("p.example", 3128)),
        ("https_proxy", "p.example:3128", Proxy("p.example", 3128)),
        ("https_proxy", "http://p.example", Proxy("p.example", 80)),
        ("https_proxy", "http://a%40b:c%3Ad@p.example", Proxy("p.example", 80, "a@b:c:d")),
        ("https_proxy", "http://a@p.example", Proxy("p.example", 80, "a:")),
        ("all_proxy", "http://p.example:1", Proxy("p.example", 1)),
        ("http_proxy", "http://p.example:1", None),
    ],
)
def test_a_proxy_is_taken_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, name: str, url: str, proxy: Proxy | None
) -> None:
    monkeypatch.setenv(name, url)
    assert proxy_for("https", "a.example") == proxy
    monkeypatch.setenv("no_proxy", "a.example")
    assert proxy_for("https", "a.example") is None


@pytest.mark.parametrize(
    "url", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1:x", "http://:1"]
)
def test_a_proxy_of_another_kind_is_refused_with_the_variable_that_names_it(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("http_proxy", url)
    with pytest.raises(UnreachableError, match=r"a\.example: http_proxy, or all_proxy, must name"):
        proxy_for("http", "a.example")


class Told(AsyncMockStream):
    """A stream that keeps what is written to it."""

    told = b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.told += buffer


def test_an_address_of_ipv6_is_in_brackets_where_a_proxy_is_asked_for_it() -> None:
    stream = Told([b"HTTP/1.1 200 OK\r\n\r\n"])
    asyncio.run(open_tunnel(stream, Proxy("p.example", 1), "2606:4700::1111", 443, None))
    assert stream.told.startswith(
        b"CONNECT [2606:4700::1111]:443 HTTP/1.1\r\nHost: [2606:4700::1111]"
    )
