"""What a first user is told when the API cannot be reached: each cause with one next step."""

import asyncio
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentcli.core.message import ModelError, Request, Said
from agentcli.core.redact import Redactor
from agentcli.model.claude import Claude, Reached
from agentcli.model.route import CLOCK, TRUST, Route, broken_connection, route_to
from tests.fake.certificate import make_certificate
from tests.fake.server import Behaviour, FakeClaude, answer, error, sse_reply

ASK = Request("claude-fake", "Be brief.", (Said("Hi."),))
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)


def failure(base_url: str) -> ModelError:
    async def go() -> None:
        claude = Claude(base_url=base_url, api_key="k")
        try:
            await claude.reply(ASK, lambda delta: None)
        finally:
            await claude.close()

    with pytest.raises(ModelError) as caught:
        asyncio.run(go())
    return caught.value


def check(base_url: str) -> Reached:
    async def go() -> Reached:
        claude = Claude(base_url=base_url, api_key="k")
        try:
            return await claude.check()
        finally:
            await claude.close()

    return asyncio.run(go())


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def served(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve each connection to a port of this machine, which is given."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                with link:
                    try:
                        serve(link)
                    except OSError:
                        continue

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def read_request(link: socket.socket) -> None:
    """Read all of a request: what is left unread would make the close a reset."""
    data = b""
    while b"\r\n\r\n" not in data and (more := link.recv(65536)):
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    size = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    left = int(size[1]) - len(body) if size else 0
    while left > 0 and (more := link.recv(65536)):
        left -= len(more)


def tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    def serve(link: socket.socket) -> None:
        with context.wrap_socket(link, server_side=True) as safe:
            read_request(safe)
            safe.sendall(b"HTTP/1.1 401 No\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")

    return serve


def test_a_wrong_key_asks_for_another() -> None:
    with FakeClaude(error(401, "authentication_error", "invalid x-api-key")) as fake:
        failed = failure(fake.base_url)
    what, hint = str(failed).split("\n")
    assert (failed.failure, hint) == (
        "auth",
        "Set a key that is valid: export ANTHROPIC_API_KEY=...",
    )
    assert what.startswith("the API does not accept the key (HTTP 401): invalid x-api-key")


def test_a_name_that_does_not_resolve_asks_for_the_network() -> None:
    failed = failure("http://nonexistent.invalid")
    assert failed.failure == "transient"
    assert str(failed) == (
        "cannot reach nonexistent.invalid: its name cannot be resolved\n"
        "Is this machine online? Look: agentcli doctor"
    )


def test_a_refused_connection_asks_for_the_address() -> None:
    failed = failure(f"http://127.0.0.1:{closed_port()}")
    assert failed.failure == "transient"
    assert str(failed).startswith("cannot reach 127.0.0.1: the connection is refused\nIs the addr")


def test_a_proxy_that_is_not_there_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{closed_port()}")
    failed = failure("http://api.example")
    assert str(failed) == (
        "cannot reach the proxy 127.0.0.1 on the way to api.example: the connection is refused\n"
        "Is its address right? Look: echo $HTTP_PROXY"
    )


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_password_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    def refuse(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

    with served(refuse) as port:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://127.0.0.1:{port}")
        failed = failure(f"{scheme}://api.example")
    assert failed.failure == "config"
    hint = str(failed).split("\n")[1]
    assert "PROXY" in hint.upper()
    assert Redactor(b"k", ()).clean(hint) == hint


def test_a_proxy_that_forbids_the_host_is_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")

    with served(refuse) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        failed = failure("https://api.example")
    assert failed.failure == "config"
    assert str(failed).split("\n")[1] == "Ask whoever runs it to allow api.example"


def test_a_certificate_for_another_name_asks_for_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tls(make_certificate(tmp_path, name="IP:127.0.0.9"))) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        failed = failure(f"https://127.0.0.1:{port}")
    assert "ANTHROPIC_BASE_URL" in str(failed).split("\n")[1]


def test_tls_that_is_read_on_the_way_asks_for_the_certificates(tmp_path: Path) -> None:
    with served(tls(make_certificate(tmp_path))) as port:
        failed = failure(f"https://127.0.0.1:{port}")
    what, hint = str(failed).split("\n")
    assert what == "the TLS certificate of 127.0.0.1 does not hold: self-signed certificate"
    assert (failed.failure, hint) == ("config", TRUST)


def test_the_certificates_that_the_hint_names_are_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tls(make_certificate(tmp_path))) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        failed = failure(f"https://127.0.0.1:{port}")
    assert failed.failure == "auth"


@pytest.mark.parametrize(
    "dates", [("20200101000000Z", "20200201000000Z"), ("20900101000000Z", "20900201000000Z")]
)
def test_a_certificate_out_of_its_time_asks_for_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dates: tuple[str, str]
) -> None:
    with served(tls(make_certificate(tmp_path, *dates))) as port:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        failed = failure(f"https://127.0.0.1:{port}")
    assert failed.failure == "config"
    assert str(failed).split("\n")[1] == CLOCK


def test_a_server_without_tls_says_so() -> None:
    with FakeClaude() as fake:
        failed = failure(fake.base_url.replace("http:", "https:"))
    assert str(failed).startswith("cannot reach 127.0.0.1: TLS fails\n")


@pytest.mark.parametrize(
    ("behaviour", "what", "hint"),
    [
        (error(529, "overloaded_error"), "the API is overloaded (HTTP 529)", "not your limit"),
        (answer(529), "the API is overloaded (HTTP 529)", "not your limit"),
        (error(429, "rate_limit_error"), "the rate limit is reached (HTTP 429)", "your account"),
    ],
)
def test_an_overload_is_never_called_a_limit(behaviour: Behaviour, what: str, hint: str) -> None:
    with FakeClaude(behaviour) as fake:
        failed = failure(fake.base_url)
    assert failed.failure == "transient"
    said, next_step = str(failed).split("\n")
    assert said.startswith(what)
    assert hint in next_step


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (lambda: ExceptionGroup("all", [ConnectionRefusedError()]), "is refused"),
        (lambda: OSError(101, "Network is unreachable"), "there is no network to it"),
        (lambda: OSError(5, "odd"), "odd"),
    ],
)
def test_what_cannot_be_reached_is_told_by_its_cause(
    cause: Callable[[], Exception], words: str
) -> None:
    import httpx2

    found = cause()
    outer = httpx2.ConnectError(str(found))
    outer.__cause__ = found
    failed = broken_connection(outer, Route("api.example"))
    assert failed.failure == "transient"
    assert str(failed).startswith("cannot reach api.example: ")
    assert words in str(failed)


def test_the_way_is_what_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert route_to("https", "a.example") == Route("a.example")
    monkeypatch.setenv("all_proxy", "socks5://u:p@socks.example:1")
    assert route_to("https", "a.example") == Route("a.example", "socks.example", "all_proxy")
    monkeypatch.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert route_to("https", "a.example") == Route("a.example", "proxy.example", "HTTPS_PROXY")
    monkeypatch.setenv("NO_PROXY", "a.example")
    assert route_to("https", "a.example") == Route("a.example")


def test_a_check_tells_whether_the_key_is_taken() -> None:
    date = "Wed, 25 Nov 2026 08:00:00 GMT"
    good = answer(200, {"data": [], "has_more": False}, date=date)
    bad = error(401, "authentication_error", date=date)
    with FakeClaude(good, bad, error(404, "not_found_error"), sse_reply("x")) as fake:
        found = [check(fake.base_url) for _ in range(3)]
        assert {asked.path.partition("?")[0] for asked in fake.requests} == {"/v1/models"}
    assert [(f.key_tried, f.problem and f.problem.failure) for f in found] == [
        (True, None),
        (False, "auth"),
        (False, None),
    ]
    assert date in found[0].date
    assert date in found[1].date
    assert found[0].host == "127.0.0.1"


def test_a_check_of_nothing_is_told_as_a_reply_would_be() -> None:
    found = check(f"http://127.0.0.1:{closed_port()}")
    assert found.problem is not None
    assert "the connection is refused" in str(found.problem)
