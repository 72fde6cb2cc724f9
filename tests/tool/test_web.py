"""Pages read from real servers on this machine, under names that only these tests know."""

import asyncio
import errno
import re
import socket
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpcore2
import pytest

from agentcli.tool.reach import UnreachableError
from agentcli.tool.web import MOST_BYTES, MOST_REDIRECTS, Response, Web, reason_of
from tests.fake.certificate import make_certificate
from tests.fake.site import Played, Site, TunnelProxy, moved, page

HERE = ("127.0.0.0/8", "*")


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class Names:
    """A directory of names that keeps what it was asked for; it answers from lists, in turn."""

    def __init__(self, hosts: Mapping[str, Sequence[Sequence[str]]] = {}) -> None:
        self.hosts, self.asked = hosts, list[str]()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        answers = self.hosts.get(host, [["127.0.0.1"]])
        self.asked.append(host)
        return answers[min(self.asked.count(host), len(answers)) - 1]


def get(
    url: str, names: Names | None = None, *domains: tuple[str, ...], wait_s: float = 20
) -> Response:
    web = Web(domains or (HERE,), names or Names())
    return asyncio.run(web.get(url, wait_s))


def test_a_page_comes_from_the_address_that_was_found_under_the_name_that_was_judged() -> None:
    with Site({"/a?b=%C3%BC": page(b"<p>Hello")}) as site:
        names = Names()
        found = get(site.url("a.test", "/a?b=ü#there"), names)
        assert site.asked == [(f"a.test:{site.port}", "/a?b=%C3%BC")]
    assert (found.status, found.body, found.cut) == (200, b"<p>Hello", False)
    assert found.headers["content-type"] == "text/html; charset=utf-8"
    assert found.url == site.url("a.test", "/a?b=%C3%BC")
    assert names.asked == ["a.test"], "looked up once"
    sent = site.headers[0]
    assert sent.keys() <= {"host", "user-agent", "accept", "accept-encoding", "connection"}


def test_a_name_of_this_machine_is_refused_and_nothing_is_sent() -> None:
    with Site({"/": page(b"secret")}) as site:
        for domains in ((), (("*",),), (("a.test",),)):
            with pytest.raises(UnreachableError, match=r"a\.test: its address is 127\.0\.0\.1"):
                asyncio.run(Web(domains, Names()).get(site.url("a.test"), 20))
        with pytest.raises(UnreachableError, match="may only lead to"):
            get(site.url("127.0.0.1"), None, ("*",))
        with pytest.raises(UnreachableError, match="may only lead to"):
            get(site.url("localhost"), None, ("*",))
    assert site.asked == []


def test_a_name_is_judged_anew_on_every_redirect() -> None:
    """A server that answers for its own name may give another address the second time."""
    with Site({"/": moved("/inside"), "/inside": page(b"secret")}) as site:
        names = Names({"a.test": [["127.0.0.1"], ["10.0.0.1"]]})
        with pytest.raises(UnreachableError, match=r"a\.test: its address is 10\.0\.0\.1"):
            get(site.url("a.test"), names)
        assert site.asked == [(f"a.test:{site.port}", "/")]
        assert names.asked == ["a.test", "a.test"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_host_is_followed(status: int) -> None:
    with Site({"/": moved("b", status), "/b": page(b"there")}) as site:
        found = get(site.url("a.test"))
    assert (found.url, found.body) == (site.url("a.test", "/b"), b"there")


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/é b".encode(), "/%C3%A9%20b"),
        (b"/\xe9 b", "/%E9%20b"),
        (b"/%C3%A9?q=a b&c=%20", "/%C3%A9?q=a%20b&c=%20"),
    ],
)
def test_a_redirect_is_followed_however_its_place_is_written(location: bytes, path: str) -> None:
    with Site({"/": moved(location.decode("latin-1")), path: page(b"there")}) as site:
        assert get(site.url("a.test")).url == site.url("a.test", path)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("http://b.test:{port}/", "redirects to http://b.test:.*judged"),
        ("//127.0.0.1:{port}/", r"redirects to http://127\.0\.0\.1:.*judged"),
        ("http://169.254.169.254/", r"redirects to http://169\.254\.169\.254/.*judged"),
        ("ftp://a/", "redirects to ftp://a/, which is no page"),
    ],
)
def test_a_redirect_to_another_host_is_told_and_not_followed(where: str, told: str) -> None:
    pages: dict[str, Played] = {}
    with Site(pages) as site:
        pages["/"] = moved(where.format(port=site.port))
        with pytest.raises(UnreachableError, match=told):
            get(site.url("a.test"))
        assert len(site.asked) == 1


def test_a_page_that_leads_round_in_a_circle_is_given_up() -> None:
    with Site({"/": moved("/")}) as site:
        with pytest.raises(UnreachableError, match=f"redirected more than {MOST_REDIRECTS} times"):
            get(site.url("a.test"))
        assert len(site.asked) == MOST_REDIRECTS + 1


def test_a_page_without_an_end_is_cut() -> None:
    with Site({"/": Played(endless=True)}) as site:
        found = get(site.url("a.test"))
    assert (found.cut, len(found.body)) == (True, MOST_BYTES)


def test_a_server_that_says_no_more_is_left_at_the_limit() -> None:
    with Site({"/": Played(b"so far", stall=True)}) as site:
        began = time.monotonic()
        with pytest.raises(UnreachableError, match=r"stopped after 0\.5 s"):
            get(site.url("a.test"), wait_s=0.5)
        assert time.monotonic() - began < 5


def test_a_cancelled_get_ends_at_once() -> None:
    async def cancelled(url: str) -> None:
        task = asyncio.create_task(Web((HERE,), Names()).get(url, 60))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Site({"/": Played(stall=True)}) as site:
        asyncio.run(cancelled(site.url("a.test")))


def test_a_get_that_is_cancelled_in_a_handshake_leaves_no_connection() -> None:
    async def cancelled(port: int) -> None:
        task = asyncio.create_task(Web((HERE,), Names()).get(f"https://a.test:{port}/", 60))
        there, _ = await asyncio.to_thread(silent.accept)
        assert await asyncio.to_thread(there.recv, 1) == b"\x16", "the handshake has begun"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        there.settimeout(5)
        with there:
            while await asyncio.to_thread(there.recv, 65536):
                continue

    with socket.create_server(("127.0.0.1", 0)) as silent:
        asyncio.run(cancelled(silent.getsockname()[1]))


def test_a_lookup_that_hangs_keeps_nobody() -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return ()

    with pytest.raises(UnreachableError, match=r"stopped after 0\.3 s"):
        asyncio.run(Web((HERE,), hang).get("http://a.test/", 0.3))


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    with Site({"/": page(b"here")}) as site:
        names = Names({"a.test": [["127.0.0.2", "127.0.0.1"]]})
        found = get(site.url("a.test"), names)
        assert (found.body, found.address) == (b"here", "127.0.0.1")
        port = site.port
    with pytest.raises(UnreachableError, match=rf"http://a\.test:{port}/: nothing answers"):
        get(f"http://a.test:{port}/")


def test_what_is_no_answer_of_http_is_told(tmp_path: Path) -> None:
    with Site({}, make_certificate(tmp_path)) as site, pytest.raises(UnreachableError) as told:
        get(f"http://a.test:{site.port}/")
    assert re.match(rf"http://a\.test:{site.port}/: .+", str(told.value))


def test_tls_holds_for_the_name_and_not_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_certificate(tmp_path, name="DNS:a.test")
    with Site({"/": page(b"safe")}, context) as site:
        with pytest.raises(UnreachableError, match="self-signed certificate"):
            get(site.url("a.test"))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert get(site.url("a.test")).body == b"safe"
        for other in ("b.test", "127.0.0.1"):
            with pytest.raises(UnreachableError, match=r"(?i)mismatch"):
                get(site.url(other))
    assert len(site.asked) == 1


def test_tls_that_breaks_in_the_body_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_certificate(tmp_path, name="DNS:a.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    played = {"/": Played(b"x" * 100, garbled=True)}
    with Site(played, context) as site, pytest.raises(UnreachableError, match="decryption failed"):
        get(site.url("a.test"))


def test_certificates_that_cannot_be_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty.pem").touch()
    for name in ("missing.pem", "empty.pem", "."):
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / name))
        with pytest.raises(UnreachableError, match=r"a\.test/: the certificates to trust cannot"):
            get("https://a.test/")


@pytest.mark.parametrize("tls", [False, True])
def test_a_proxy_is_asked_for_the_address_that_was_judged(
    tls: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = make_certificate(tmp_path, name="DNS:a.test") if tls else None
    if tls:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    with Site({"/": page(b"through")}, context) as site, TunnelProxy() as proxy:
        monkeypatch.setenv(f"{site.scheme}_proxy", f"http://ada:pass@127.0.0.1:{proxy.port}")
        assert get(site.url("a.test")).body == b"through"
        head = proxy.asked[0].splitlines()
        assert head[0] == f"CONNECT 127.0.0.1:{site.port} HTTP/1.1"
        assert "Proxy-Authorization: Basic YWRhOnBhc3M=" in head
        with pytest.raises(UnreachableError, match=r"10\.0\.0\.1"):
            get(site.url("b.test"), Names({"b.test": [["10.0.0.1"]]}))
        assert len(proxy.asked) == 1
        monkeypatch.setenv("no_proxy", "a.test")
        assert get(site.url("a.test")).body == b"through"
        assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"HTTP/1.1 403 Forbidden by us\r\n\r\n", "says: 403 Forbidden by us"),
        (b"SSH-2.0\r\n\r\n", "gave no answer of HTTP"),
        (b"HTTP/1.1 200", "gave no answer of HTTP"),
        (b"x" * 20_000, "gave no answer of HTTP"),
    ],
)
def test_a_proxy_that_opens_no_way_is_named_with_what_it_says(
    monkeypatch: pytest.MonkeyPatch, answer: bytes, told: str
) -> None:
    with TunnelProxy(answer) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(UnreachableError, match=rf"the proxy 127\.0\.0\.1 {told}"):
            get("http://a.test/")


def test_a_proxy_that_is_not_there_is_named_and_the_page_is_not_blamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(UnreachableError, match=r"the proxy 127\.0\.0\.1:1 cannot be reached$"):
        get("http://a.test/")


def test_what_speaks_no_tls_is_said_to() -> None:
    with Site({}) as site, pytest.raises(UnreachableError, match="does not speak TLS there"):
        get(f"https://a.test:{site.port}/")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.ENETUNREACH, "x"), "is this machine online"),
        (httpcore2.ConnectTimeout("x"), "could not be reached within 10 s"),
        (httpcore2.ReadTimeout(), "nothing came from it for 30 s"),
        (httpcore2.RemoteProtocolError("odd\n bytes"), "odd bytes"),
        (httpcore2.WriteError(), "write error"),
    ],
)
def test_what_failed_is_told_by_its_causes(error: Exception, told: str) -> None:
    outer = httpcore2.ConnectError("All connection attempts failed")
    outer.__cause__ = error
    assert told in reason_of(error if "odd" in told or "write" in told else outer)
