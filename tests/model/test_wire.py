"""What is sent is what the API takes, whatever the history holds."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentcli.core.message import (
    Block,
    Message,
    ModelError,
    Reply,
    Request,
    Said,
    ToolResult,
    ToolSpec,
    Turn,
    Usage,
)
from agentcli.model.wire import Json, ReplyBuilder, close_objects, request_body, usage_of

THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}
TEXT = {"type": "text", "text": "So."}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": 1}}
CACHED = {"cache_control": {"type": "ephemeral"}}

words = st.sampled_from(["", " \n", "a", "é😀", "\ud800", "\ud83d\ude00"]) | st.text(max_size=9)
scalars = st.none() | st.booleans() | st.integers() | words
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=3)
blocks: st.SearchStrategy[Block] = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": words}),
    st.fixed_dictionaries(
        {"type": st.just("thinking"), "thinking": words, "signature": st.sampled_from(["", "s"])}
    ),
    st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": st.just("b")}),
    st.fixed_dictionaries(
        {"type": st.just("tool_use")},
        optional={
            "id": st.sampled_from(["toolu_1", "toolu_2", "toolu_1_2", "", "bad id!"]) | scalars,
            "name": words | scalars,
            "input": objects | scalars,
            "extra": scalars,
        },
    ),
)


@st.composite
def turns(draw: st.DrawFn) -> Turn:
    said = draw(st.lists(blocks, max_size=5))
    calls = sum(block["type"] == "tool_use" for block in said)
    results = draw(
        st.lists(st.builds(ToolResult, words, st.booleans()), min_size=calls, max_size=calls)
    )
    return Turn(tuple(said), tuple(results))


tools = st.lists(
    st.builds(ToolSpec, st.sampled_from("abcd"), words, st.just({"properties": {}})),
    unique_by=lambda tool: tool.name,
    max_size=3,
)
histories: st.SearchStrategy[list[Message]] = st.lists(st.builds(Said, words) | turns(), max_size=6)
requests = st.builds(
    lambda system, history, tools: Request(
        "m", system, (Said("Hi."), *history, Said("Go on.")), tuple(tools)
    ),
    words,
    histories,
    tools,
)


def unmarked(value: Any) -> Any:
    """Return the JSON without its cache marks."""
    match value:
        case dict():
            return {k: unmarked(part) for k, part in value.items() if k != "cache_control"}
        case list():
            return [unmarked(part) for part in value]
    return value


@settings(max_examples=200, deadline=None)
@given(requests)
def test_any_history_becomes_a_request_that_the_api_takes(request: Request) -> None:
    body = request_body(request)
    messages = body["messages"]
    roles = [message["role"] for message in messages]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], "in turns, user first"
    seen: set[str] = set()
    waiting: list[str] = []
    marks = 0
    for part in [*body.get("tools", []), *body.get("system", [])]:
        marks += "cache_control" in part
    for message in messages:
        content = message["content"]
        assert content
        kinds = [block["type"] for block in content]
        answered = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
        assert answered == waiting, "each call has its result in the next message"
        assert kinds[: len(answered)] == ["tool_result"] * len(answered), "results come first"
        waiting = [block["id"] for block in content if block["type"] == "tool_use"]
        assert len(waiting) == len(set(waiting) - seen), "ids are never used again"
        seen.update(waiting)
        for block in content:
            marks += "cache_control" in block
            match block["type"]:
                case "text":
                    assert block["text"].strip()
                case "tool_result":
                    assert block["content"].strip()
                case "tool_use":
                    assert block["name"]
                    assert isinstance(block["input"], dict)
                case _:
                    assert "cache_control" not in block
        if message["role"] == "assistant":
            assert kinds[-1] not in ("thinking", "redacted_thinking")
    assert waiting == []
    assert marks <= 4
    names = [tool["name"] for tool in body.get("tools", [])]
    assert names == sorted(names)


@settings(max_examples=100, deadline=None)
@given(requests, st.builds(Said, words) | turns())
def test_a_longer_history_begins_with_the_shorter_one(request: Request, more: Message) -> None:
    def bytes_of(messages: tuple[Message, ...]) -> list[Json]:
        body = request_body(msgspec.structs.replace(request, messages=messages))
        found: list[Json] = []
        for message in unmarked(body["messages"]):
            found += [{"role": message["role"], **block} for block in message["content"]]
        return found

    short = bytes_of(request.messages)
    assert bytes_of((*request.messages, more, Said("And?")))[: len(short)] == short


def test_a_request_in_full() -> None:
    turn = Turn((THOUGHT, TEXT, CALL), (ToolResult("no such file", is_error=True),))
    tool = ToolSpec("look", "Looks.", {"properties": {"at": {"type": "integer"}}})
    request = Request("m", "Be brief.", (Said("Hi."), turn), (tool,), 100, "high")
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such file"}
    assert request_body(request) == {
        "model": "m",
        "max_tokens": 100,
        "stream": True,
        "system": [{"type": "text", "text": "Be brief.", **CACHED}],
        "tools": [
            {
                "name": "look",
                "description": "Looks.",
                "input_schema": {"type": "object", "properties": {"at": {"type": "integer"}}},
            }
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi.", **CACHED}]},
            {"role": "assistant", "content": [THOUGHT, TEXT, CALL]},
            {"role": "user", "content": [{**result, "is_error": True, **CACHED}]},
        ],
        "output_config": {"effort": "high"},
    }


def test_a_history_is_not_changed_by_being_sent() -> None:
    turn = Turn(({**CALL, "extra": 1}, {**CALL}), (ToolResult("a"), ToolResult("b")))
    request = Request("m", "", (Said("Hi."), turn))
    before = json.dumps(msgspec.to_builtins(request))
    first = request_body(request)
    assert json.dumps(msgspec.to_builtins(request)) == before
    assert request_body(request) == first


def test_thinking_without_its_signature_stays_here() -> None:
    turn = Turn(({"type": "thinking", "thinking": "Hm."}, TEXT))
    body = request_body(Request("m", "", (Said("Hi."), turn, Said("And?"))))
    assert body["messages"][1]["content"] == [TEXT]


def test_a_schema_of_an_answer_is_closed_but_for_its_maps() -> None:
    inner = {"type": "object", "properties": {"type": {"type": "string"}}}
    schema = {
        "type": "object",
        "properties": {"of": {"type": "array", "items": inner}, "map": {"type": "object"}},
        "default": {"properties": {}},
    }
    closed = {"additionalProperties": False}
    assert close_objects(schema) == {
        "type": "object",
        "properties": {
            "of": {"type": "array", "items": {**inner, **closed}},
            "map": {"type": "object"},
        },
        "default": {"properties": {}},
        **closed,
    }


def start(block: object, index: object = 0) -> Json:
    return {"type": "content_block_start", "index": index, "content_block": block}


def grow(kind: str, field: str, value: object, index: object = 0) -> Json:
    delta = {"type": kind, field: value}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stop(reason: object) -> list[Json]:
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}}
    return [delta, {"type": "message_stop"}]


def built(*events: object) -> Reply:
    builder = ReplyBuilder()
    for event in events:
        builder.add(event)
    return builder.build()


kinds = st.sampled_from(
    ["message_start", "content_block_start", "content_block_delta", "message_delta", "x"]
)
indices = st.integers(0, 2) | values
block_like = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "thinking", "tool_use", "x"])},
    optional=dict.fromkeys(
        ("text", "thinking", "signature", "id", "name", "input", "citations"), values
    ),
)
delta_like = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "text_delta",
                "thinking_delta",
                "input_json_delta",
                "signature_delta",
                "citations_delta",
                "x",
            ]
        )
    },
    optional=dict.fromkeys(
        ("text", "thinking", "partial_json", "signature", "citation"), values | words
    )
    | {"stop_reason": values | words, "stop_details": objects | values},
)
events = values | st.fixed_dictionaries(
    {"type": kinds},
    optional={
        "index": indices,
        "content_block": block_like | values,
        "delta": delta_like | values,
        "message": objects | st.fixed_dictionaries({"usage": values, "model": words}),
        "usage": values
        | st.dictionaries(st.sampled_from(["input_tokens", "cache_creation"]), values),
    },
)


@settings(max_examples=150, deadline=None)
@given(st.lists(events, max_size=8), st.sampled_from(["tool_use", "end_turn", "\ud800", 7]))
def test_whatever_comes_makes_a_reply_that_can_be_stored_and_sent_back_or_none(
    noise: list[object], reason: object
) -> None:
    try:
        reply = built(*noise, *stop(reason))
    except ModelError:
        return
    # Round the ledger and back.
    assert msgspec.json.decode(msgspec.json.encode(reply), type=Reply) == reply
    calls = sum(block["type"] == "tool_use" for block in reply.blocks)
    turn = Turn(reply.blocks, (ToolResult("ok"),) * calls)
    msgspec.json.encode(request_body(Request("m", "", (Said("Hi."), turn, Said("And?")))))


def test_counts_are_running_totals_and_what_is_missing_stays() -> None:
    reply = built(
        {"type": "message_start", "message": {"usage": {"input_tokens": 5, "output_tokens": 1}}},
        {"type": "message_delta", "usage": {"output_tokens": 7, "input_tokens": None}},
        {"type": "message_delta", "usage": {"output_tokens": 9}},
        *stop("end_turn"),
    )
    assert reply.usage == Usage(5, 9)


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"cache_creation_input_tokens": 30}, Usage(0, 0, 0, 30)),
        (
            {
                "cache_creation_input_tokens": 30,
                "cache_creation": {"ephemeral_1h_input_tokens": 10},
            },
            Usage(0, 0, 0, 20, 10),
        ),
        ({"input_tokens": -1, "output_tokens": True, "cache_read_input_tokens": "9"}, Usage()),
        ({"input_tokens": 2**80, "output_tokens": 1e3}, Usage()),
    ],
)
def test_strange_counts_count_nothing(counts: Json, usage: Usage) -> None:
    assert usage_of(counts) == usage


@pytest.mark.parametrize("arguments", ["{", "[1]", '{"a": NaN}', '"text"', "{} {}"])
def test_a_call_with_broken_arguments_is_run_by_nobody(arguments: str) -> None:
    events = [start({**CALL, "input": {}}), grow("input_json_delta", "partial_json", arguments)]
    with pytest.raises(ModelError, match="malformed tool arguments"):
        built(*events, *stop("tool_use"))
    assert built(*events, *stop("max_tokens")).blocks == ({**CALL, "input": {}},)


def test_a_reply_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentcli.model.wire.MAX_REPLY_CHARS", 1_000)
    builder = ReplyBuilder()
    builder.add(start({"type": "text", "text": ""}))
    piece = grow("text_delta", "text", "x" * 500)
    builder.add(piece)
    builder.add(piece)
    with pytest.raises(ModelError, match="longer than 1000 characters"):
        builder.add(piece)


def test_it_is_known_whether_a_reply_has_begun() -> None:
    builder = ReplyBuilder()
    builder.add({"type": "ping"})
    assert not builder.has_begun
    builder.add({"type": "message_start", "message": {}})
    assert builder.has_begun
