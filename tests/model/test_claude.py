"""The real client against a real socket."""

import asyncio
import email.utils
import gzip
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from agentcli.core.message import Delta, ModelError, Reply, Request, Said, ToolResult, Turn, Usage
from agentcli.model.claude import Claude
from tests.fake.server import (
    Behaviour,
    FakeClaude,
    answer,
    blocks_reply,
    error,
    sse,
    sse_reply,
    stream,
)

ASK = Request("claude-fake", "Be brief.", (Said("Hi."),))
THOUGHT = {"type": "thinking", "thinking": "Hm, é.", "signature": "c2ln"}
HIDDEN = {"type": "redacted_thinking", "data": "b3BhcXVl"}
TEXT = {"type": "text", "text": "Hello there, 😀."}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": ["a", 1, {"b": None}]}}
GOOD = blocks_reply(THOUGHT, HIDDEN, TEXT, CALL, stop="tool_use")
PING = sse("ping")
PAGE = "<html><head><title>502 Bad Gateway</title></head><body><p>nginx secret</p></body></html>"


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("API_KEY", "AUTH_TOKEN", "BASE_URL", "PROFILE", "CUSTOM_HEADERS", "CONFIG_DIR"):
        monkeypatch.delenv(f"ANTHROPIC_{name}", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)


def ask(*behaviours: Behaviour, deltas: list[Delta] | None = None, **options: Any) -> Reply:
    """Return the reply to one request."""
    shown: list[Delta] = []

    async def go(base_url: str) -> Reply:
        given = {"base_url": base_url, "api_key": "k", "first_byte_s": 5, "idle_s": 5, **options}
        claude = Claude(**given)
        try:
            return await claude.reply(ASK, (shown if deltas is None else deltas).append)
        finally:
            await claude.close()

    with FakeClaude(*behaviours) as fake:
        try:
            return asyncio.run(go(fake.base_url))
        finally:
            assert len(fake.requests) <= 1, "one ask is one request"


def failure(*behaviours: Behaviour, **options: Any) -> ModelError:
    with pytest.raises(ModelError) as caught:
        ask(*behaviours, **options)
    return caught.value


def test_a_reply_comes_whole_and_in_pieces() -> None:
    deltas: list[Delta] = []
    usage = {
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 10},
        "cache_read_input_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 5},
    }
    good = blocks_reply(THOUGHT, HIDDEN, TEXT, CALL, stop="tool_use", usage=usage)
    reply = ask(good, deltas=deltas)
    assert reply == Reply(
        (THOUGHT, HIDDEN, TEXT, CALL),
        "tool_use",
        Usage(12, 34, 40, 20, 10, 5),
        "claude-fake",
        "req_fake",
    )
    assert deltas == [
        Delta("thinking", "Hm,"),
        Delta("thinking", " é."),
        Delta("text", "Hello th"),
        Delta("text", "ere, 😀."),
        Delta("tool", "look"),
    ]


def test_what_is_sent_is_the_body_and_the_key_and_the_connection_is_used_again() -> None:
    async def go(base_url: str) -> None:
        claude = Claude(base_url=base_url, api_key="sk-1")
        for _ in range(2):
            await claude.reply(ASK, lambda delta: None)
        await claude.close()

    with FakeClaude(sse_reply("One."), sse_reply("Two.")) as fake:
        asyncio.run(go(fake.base_url))
        assert len(fake._sockets) == 1
    first = fake.requests[0]
    assert first.path == "/v1/messages"
    assert first.headers["authorization"] == "Bearer sk-1"
    assert first.body["stream"] is True
    assert not {"temperature", "top_p", "top_k", "thinking"} & first.body.keys()
    assert "traceparent" not in first.headers


def test_thinking_goes_back_byte_for_byte() -> None:
    async def go(base_url: str) -> None:
        claude = Claude(base_url=base_url, api_key="k")
        reply = await claude.reply(ASK, lambda delta: None)
        turn = Turn(reply.blocks, (ToolResult("seen"),))
        await claude.reply(Request("m", "", (Said("Hi."), turn)), lambda delta: None)
        await claude.close()

    with FakeClaude(GOOD, sse_reply("Done.")) as fake:
        asyncio.run(go(fake.base_url))
    assert fake.requests[1].body["messages"][1]["content"] == [THOUGHT, HIDDEN, TEXT, CALL]


@pytest.mark.parametrize("stop", ["end_turn", "max_tokens", "pause_turn", "some_new_reason"])
def test_any_stop_reason_is_a_reply(stop: str) -> None:
    assert ask(sse_reply("Well.", stop=stop)).stop == stop


def test_a_refusal_says_why() -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "Not this."}
    reply = ask(blocks_reply(TEXT, stop="refusal", details=details))
    assert (reply.stop, reply.note) == ("refusal", "bio: Not this.")


def test_a_call_cut_at_max_tokens_is_kept_without_its_arguments() -> None:
    reply = ask(blocks_reply({**CALL, "input": '{"at": ["a'}, stop="max_tokens"))
    assert reply.blocks == ({**CALL, "input": {}},)


@pytest.mark.parametrize(
    "noise",
    [
        sse("brand_new_event", stuff=[1]),
        sse("content_block_delta", index=2, delta={"type": "new_delta", "x": 1}),
        sse("content_block_delta", index=2, delta="not an object"),
        sse("content_block_delta", index=99, delta={"type": "text_delta", "text": "lost"}),
        sse("content_block_delta", index=[], delta={"type": "text_delta", "text": "lost"}),
        sse("content_block_start", index=7, content_block="not an object"),
        sse("message_delta", delta=[], usage="many"),
        sse("message_start", message=3),
        b"event: odd\ndata: [1, 2]\n\n",
        b"event: empty\n\n",
        b": a comment\n\n",
        PING,
    ],
)
def test_strange_events_change_nothing(noise: bytes) -> None:
    at = len(GOOD.pieces) - 6
    assert ask(GOOD.plus(at, noise)) == ask(GOOD)


def test_an_unknown_block_is_kept_as_it_came() -> None:
    strange = {"type": "hologram", "data": {"deep": [1, 2]}}
    assert ask(blocks_reply(strange, TEXT)).blocks == (strange, TEXT)


def test_a_wrong_content_type_does_not_spoil_a_good_stream() -> None:
    plain = Behaviour(GOOD.pieces, 200, {"content-type": "text/plain"})
    assert ask(plain) == ask(GOOD)


DEEP = b"[" * 100_000 + b"]" * 100_000
DEEPISH = "[" * 300 + "]" * 300


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        pytest.param(GOOD.upto(len(GOOD.pieces) - 1), "ended early", id="no message_stop"),
        pytest.param(blocks_reply(TEXT, stop=None), "ended early", id="no stop reason"),
        pytest.param(stream(), "ended early", id="empty"),
        pytest.param(GOOD.upto(5, "cut"), "was cut", id="reset"),
        pytest.param(Behaviour(["cut"], 0), "was cut", id="reset before the headers"),
        pytest.param(GOOD.plus(3, b'data: {"type": "x\n\n'), "damaged", id="half JSON, no name"),
        pytest.param(GOOD.plus(3, b"event: x\ndata: {nope\n\n"), "damaged", id="not JSON"),
        pytest.param(GOOD.plus(3, b"event: x\ndata: \xff\xfe\n\n"), "damaged", id="not UTF-8"),
        pytest.param(GOOD.plus(3, b"event: x\ndata: " + DEEP + b"\n\n"), "damaged", id="deep"),
        pytest.param(
            blocks_reply({"type": "odd", "data": json.loads(DEEPISH)}), "damaged", id="a deep block"
        ),
        pytest.param(
            blocks_reply({**CALL, "input": '{"at": '}, stop="tool_use"),
            "malformed tool arguments",
            id="half arguments",
        ),
        pytest.param(
            blocks_reply({**CALL, "input": "[1, 2]"}, stop="tool_use"),
            "malformed tool arguments",
            id="arguments in a list",
        ),
        pytest.param(
            blocks_reply({**CALL, "input": f'{{"a": {DEEPISH}}}'}, stop="tool_use"),
            "malformed tool arguments",
            id="deep arguments",
        ),
        pytest.param(
            blocks_reply({**CALL, "name": 7}, stop="tool_use"),
            "malformed tool arguments",
            id="a name that is none",
        ),
        pytest.param(
            Behaviour([b"no gzip"], 200, {"content-encoding": "gzip"}), "damaged", id="bad gzip"
        ),
        pytest.param(answer(200, PAGE), "web page", id="a web page"),
        pytest.param(answer(200, {"type": "message"}), "ended early", id="JSON, no stream"),
    ],
)
def test_a_reply_that_is_not_whole_may_be_tried_again(behaviour: Behaviour, words: str) -> None:
    failed = failure(behaviour)
    assert failed.failure == "transient"
    assert words in str(failed)


def test_a_compressed_stream_is_read() -> None:
    packed = gzip.compress(b"".join(piece for piece in GOOD.pieces if isinstance(piece, bytes)))
    assert ask(Behaviour([packed], 200, {"content-encoding": "gzip"})).blocks[2] == TEXT


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (error(401, "authentication_error", "invalid key"), "auth", "invalid key"),
        (error(402, "billing_error", "pay first"), "billing", "pay first"),
        (error(403, "permission_error", "no"), "permission", "may not"),
        (error(404, "not_found_error", "model: x"), "not_found", "model: x"),
        (error(413, "request_too_large"), "too_large", "larger"),
        (error(413, "invalid_request_error"), "too_large", "larger"),
        (error(400, "invalid_request_error", "bad tools"), "invalid", "bad tools"),
        (error(400, "billing_error", "no credit"), "billing", "no credit"),
        (error(422, "unheard_of"), "invalid", "HTTP 422"),
        (error(408, "timeout_error"), "transient", "too long"),
        (error(409, "conflict_error"), "transient", "HTTP 409"),
        (error(429, "rate_limit_error"), "transient", "rate limit"),
        (error(429, "rate_limit_error", code="enforced_spend_limit_reached"), "billing", "pay"),
        (error(500, "api_error"), "transient", "HTTP 500"),
        (error(529, "overloaded_error"), "transient", "overloaded"),
        (answer(529, ""), "transient", "overloaded"),
        (answer(502, PAGE), "transient", "HTTP 502): 502 Bad Gateway"),
        (answer(403, PAGE), "permission", "502 Bad Gateway"),
        (answer(503, "upstream gone\nmore"), "transient", "upstream gone"),
        (answer(500, {"error": {"type": [], "message": {}, "details": 3}}), "transient", "500"),
        (answer(500, DEEP), "transient", "HTTP 500"),
        (answer(400, b"\xff\xfe\x1b[31mred"), "invalid", "HTTP 400"),
        (error(529, "overloaded_error", x_should_retry="false"), "invalid", "overloaded"),
        (error(429, "rate_limit_error", x_should_retry="false"), "billing", "rate limit"),
    ],
)
def test_an_error_is_told_by_its_codes(behaviour: Behaviour, kind: str, words: str) -> None:
    failed = failure(behaviour)
    assert failed.failure == kind
    assert words in str(failed)
    assert "req_fake" in str(failed)
    assert "<" not in str(failed)
    assert "\x1b" not in str(failed)
    assert len(str(failed)) < 300


def test_an_overload_is_no_rate_limit() -> None:
    assert "rate" not in str(failure(error(529, "overloaded_error", "Overloaded")))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("overloaded_error", "transient"), ("invalid_request_error", "invalid"), ([], "transient")],
)
def test_an_error_inside_a_stream_is_told_by_its_type(kind: object, expected: str) -> None:
    event = sse("error", error={"type": kind, "message": "so it is"})
    failed = failure(GOOD.plus(4, event).upto(5))
    assert failed.failure == expected
    assert "so it is" in str(failed)


def in_seconds(wait_s: float) -> str:
    return email.utils.formatdate(time.time() + wait_s, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least_ms", "most_ms"),
    [
        ({}, 0, 0),
        ({"retry_after": "2"}, 2000, 2000),
        ({"retry_after_ms": "150"}, 150, 150),
        ({"retry_after": "0.5"}, 500, 500),
        ({"retry_after": "4294967"}, 9000, 9000),
        ({"retry_after": "1e999"}, 9000, 9000),
        ({"retry_after": "-5"}, 0, 0),
        ({"retry_after": "nan"}, 0, 0),
        ({"retry_after": "soon"}, 0, 0),
        ({"retry_after": "date+5"}, 2000, 5000),
        ({"retry_after": "date+99999"}, 9000, 9000),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0, 0),
        ({"retry_after": "Wed, 99 Oct 99999 07:28:00 GMT"}, 0, 0),
    ],
)
def test_the_wish_to_wait_is_read_and_capped(
    headers: dict[str, str], least_ms: int, most_ms: int
) -> None:
    given = {
        name: in_seconds(int(value[5:])) if value.startswith("date+") else value
        for name, value in headers.items()
    }
    failed = failure(error(429, "rate_limit_error", **given), retry_after_cap_s=9)
    assert least_ms <= failed.retry_after_ms <= most_ms


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        pytest.param(Behaviour(["stall"], 0), "no answer for 0.1 s", id="nothing"),
        pytest.param(stream("stall"), "no answer for 0.1 s", id="headers only"),
        pytest.param(GOOD.upto(4, "stall"), "the reply stalled", id="in the middle"),
        pytest.param(stream(PING, "stall"), "the reply stalled", id="a ping and no more"),
        pytest.param(GOOD.upto(4, "stall").plus(4, b": open\n\n"), "stalled", id="a comment"),
    ],
)
def test_a_server_that_stalls_is_left(behaviour: Behaviour, words: str) -> None:
    # Where something comes first, a busy machine must have the time to send it.
    first_byte_s = 0.1 if words.startswith("no answer") else 5
    failed = failure(behaviour, first_byte_s=first_byte_s, idle_s=0.1)
    assert failed.failure == "transient"
    assert words in str(failed)


def test_pings_keep_a_reply_alive_but_not_for_ever() -> None:
    class Pings(list[bytes]):
        def __iter__(self) -> Any:
            while True:
                time.sleep(0.02)
                yield PING

    began = time.monotonic()
    failed = failure(stream_of(Pings()), first_byte_s=5, idle_s=0.05)
    assert "the reply stalled" in str(failed)
    assert time.monotonic() - began > 0.3


def stream_of(pieces: list[bytes]) -> Behaviour:
    return Behaviour(pieces, 200, {"content-type": "text/event-stream"})


@pytest.mark.parametrize(
    ("behaviour", "begun"),
    [
        pytest.param(error(529, "overloaded_error"), False, id="an error"),
        pytest.param(stream(PING, sse("error", error={"type": "api_error"})), False, id="at once"),
        pytest.param(GOOD.upto(1), True, id="a clean end"),
        pytest.param(GOOD.upto(4, "cut"), True, id="cut"),
        pytest.param(GOOD.upto(4, "stall"), True, id="stall"),
        pytest.param(GOOD.upto(4).plus(9, sse("error", error={})), True, id="an error inside"),
    ],
)
def test_a_failure_says_whether_the_reply_had_begun(behaviour: Behaviour, begun: bool) -> None:
    assert failure(behaviour, idle_s=0.2).begun == begun


def lies(draw: random.Random) -> Behaviour:
    """Return an answer of a server that is broken in some way or another."""
    odd: list[bytes] = [
        *(piece for piece in GOOD.pieces if isinstance(piece, bytes)),
        *(sse(kind, **{field: value}) for kind in KINDS for field in FIELDS for value in ODD),
        b"data: [DONE]\n\n",
        b"data: " + DEEP + b"\n\n",
        b'data: {"type": "message_stop"\n\n',
        b"event: message_stop\ndata: \xc3\x28\n\n",
        b"event: message_stop\r\n\r\n",
        b"\x00\xff\n\n",
        b"retry: x\nid: \xf0\n\n",
        PAGE.encode(),
    ]
    pieces: list[Any] = draw.choices(odd, k=draw.randrange(12))
    if draw.random() < 0.2:
        pieces = [bytes(draw.randbytes(40)), *pieces, "cut"]
    kinds = ["text/event-stream", "text/html", "application/json", "x; charset=nonsense"]
    headers = {"content-type": draw.choice(kinds)}
    headers["request-id"] = draw.choice(["r", "x" * 5_000, "\xe9 \xff"])
    if draw.random() < 0.1:
        headers["content-encoding"] = draw.choice(["gzip", "br", "nonsense"])
    return Behaviour(pieces, draw.choice([200, 200, 200, 204, 302, 418, 500]), headers)


KINDS = ("message_start", "content_block_start", "content_block_delta", "message_delta", "error")
FIELDS = ("message", "index", "content_block", "delta", "usage", "error")
ODD: tuple[object, ...] = (
    None,
    7,
    "x",
    [],
    [[{}]],
    {},
    {"type": {}},
    {"type": "text", "text": []},
    {"usage": 1e308},
)


def test_whatever_a_server_says_nothing_else_escapes() -> None:
    draw = random.Random(7)
    behaviours = [lies(draw) for _ in range(120)]
    errors: list[ModelError] = []

    async def go(base_url: str) -> None:
        claude = Claude(base_url=base_url, api_key="k", first_byte_s=5, idle_s=5)
        for _ in behaviours:
            try:
                await claude.reply(ASK, lambda delta: None)
            except ModelError as failed:
                errors.append(failed)
        await claude.close()

    with FakeClaude(*behaviours) as fake:
        asyncio.run(go(fake.base_url))
    assert len(errors) > 60
    assert all(len(str(failed)) < 800 and str(failed).isprintable() for failed in errors)


def test_what_stalls_after_the_end_does_not_matter() -> None:
    assert ask(GOOD.plus(99, "stall"), idle_s=0.1) == ask(GOOD)


def test_a_cancelled_ask_closes_its_connection() -> None:
    async def go(base_url: str) -> None:
        claude = Claude(base_url=base_url, api_key="k")
        begun = asyncio.Event()
        asked = asyncio.create_task(claude.reply(ASK, lambda delta: begun.set()))
        await begun.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert (await claude.reply(ASK, lambda delta: None)).stop == "end_turn"
        await claude.close()

    with FakeClaude(GOOD.upto(4, "stall"), sse_reply("Next.")) as fake:
        asyncio.run(go(fake.base_url))


def test_without_any_credential_it_says_what_to_do() -> None:
    failed = failure(api_key=None)
    assert failed.failure == "config"
    assert "ANTHROPIC_API_KEY" in str(failed)
    assert "--model scripted:FILE" in str(failed)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ANTHROPIC_API_KEY", "k"),
        ("ANTHROPIC_AUTH_TOKEN", "t"),
        ("ANTHROPIC_CUSTOM_HEADERS", "X-Api-Key: k"),
    ],
)
def test_any_credential_of_the_environment_will_do(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert ask(GOOD, api_key=None).stop == "tool_use"


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": "ké\nX: y"},
        {"api_key": " \n"},
        {"base_url": "nowhere"},
        {"base_url": "ftp://127.0.0.1"},
        {"base_url": "http://[::bad"},
    ],
)
def test_wrong_settings_are_no_reason_to_try_again(options: dict[str, str]) -> None:
    assert failure(**options).failure == "config"


def test_a_broken_proxy_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "nonsense://x")
    assert failure().failure == "config"
