"""Which engine is asked and what is said of one that is absent, silent or something else."""

import asyncio
import hashlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentcli.errors import UnavailableError
from agentcli.sandbox import bubblewrap, engine
from agentcli.sandbox.endpoint import DEFAULT, answers, find_endpoint
from agentcli.sandbox.health import pick_backend
from tests.sandbox.box import why_not

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"


@contextmanager
def listening(family: int, address: object, reply: bytes | None) -> Iterator[socket.socket]:
    """Answer each call with `reply`, or with nothing at all for None."""
    with socket.socket(family) as server:
        server.bind(address)  # type: ignore[arg-type]  # a path or a host and port
        server.listen()
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    link, _ = server.accept()
                except OSError:
                    return
                kept.append(link)
                if reply is not None:
                    link.recv(4096)
                    link.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for link in kept:
                link.close()


def write_context(home: Path, name: str, host: str) -> None:
    digest = hashlib.sha256(name.encode()).hexdigest()
    folder = home / "contexts" / "meta" / digest
    folder.mkdir(parents=True)
    (folder / "meta.json").write_text(json.dumps({"Endpoints": {"docker": {"Host": host}}}))
    (home / "config.json").write_text(json.dumps({"currentContext": name}))


def test_the_endpoint_is_the_variable_then_the_context_then_the_default(tmp_path: Path) -> None:
    config = {"DOCKER_CONFIG": str(tmp_path)}
    assert find_endpoint(config) == DEFAULT
    write_context(tmp_path, "mine", "unix:///run/mine.sock")
    assert find_endpoint(config) == "unix:///run/mine.sock"
    assert find_endpoint({**config, "DOCKER_CONTEXT": "default"}) == DEFAULT
    assert find_endpoint({**config, "DOCKER_HOST": "tcp://there:2375"}) == "tcp://there:2375"
    (tmp_path / "config.json").write_text('{"currentContext": 7}')
    assert find_endpoint(config) == DEFAULT


@pytest.mark.parametrize(
    ("reply", "is_there"), [(OK, True), (b"HTTP/1.1 503 no\r\n\r\n", False), (b"", False)]
)
def test_an_engine_is_one_that_answers(tmp_path: Path, reply: bytes, is_there: bool) -> None:
    path = str(tmp_path / "d.sock")
    with listening(socket.AF_UNIX, path, reply or b"220 mail ready\r\n"):
        assert answers(f"unix://{path}") is is_there
    assert not answers(f"unix://{path}")
    with listening(socket.AF_INET, ("127.0.0.1", 0), reply or b"220 mail ready\r\n") as server:
        assert answers(f"tcp://127.0.0.1:{server.getsockname()[1]}") is is_there


@pytest.mark.parametrize("endpoint", ["ssh://there", "npipe:////./pipe/docker", "tcp://", "", "x"])
def test_an_endpoint_of_another_kind_does_not_answer(endpoint: str) -> None:
    assert not answers(endpoint)


def test_a_silent_engine_costs_no_more_than_the_deadline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "d.sock")
    monkeypatch.setattr(engine, "CONNECT_S", 0.3)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with listening(socket.AF_UNIX, path, None):
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="does not answer them") as caught:
            engine.connect()
        assert caught.value.hint == engine.RESTART
        assert not answers(f"unix://{path}", 0.3)
        assert time.monotonic() - began < 2


def test_a_call_that_hangs_is_given_up_and_what_comes_after_is_still_made() -> None:
    async def main() -> None:
        caller, release, after = engine.Caller(), threading.Event(), threading.Event()
        with pytest.raises(UnavailableError, match="did not answer within 0"):
            await caller.call(release.wait, 0.05)
        with pytest.raises(UnavailableError):
            await caller.call(after.set, 0.05)
        assert not after.is_set()
        caller.end()
        release.set()
        assert await asyncio.to_thread(after.wait, 5)

    asyncio.run(main())


def test_the_backend_is_docker_else_bubblewrap_else_an_error_that_names_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(tmp_path / "d.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
    with listening(socket.AF_UNIX, path, OK):
        assert pick_backend() == "docker"
    if not why_not("bubblewrap"):
        assert pick_backend() == "bubblewrap"
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(UnavailableError, match=r"no Docker engine.*bubblewrap") as caught:
        pick_backend()
    assert "Docker" in caught.value.hint
    assert bubblewrap.INSTALL in caught.value.hint
