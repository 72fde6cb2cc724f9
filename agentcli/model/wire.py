"""Requests and replies as the Messages API writes them, without its client."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from agentcli.core.message import (
    RUNS_TOOLS,
    Block,
    Delta,
    ModelError,
    Reply,
    Request,
    Said,
    ToolResult,
    Turn,
    Usage,
)

Json = dict[str, Any]  # a JSON object on its way in or out: the border where Any is right

CACHED = {"type": "ephemeral"}
THINKING = ("thinking", "redacted_thinking")
# What the API takes back of blocks that it sent with more.
SENT_BACK = {
    "text": ("type", "text", "citations"),
    "tool_use": ("type", "id", "name", "input", "caller", "toolset_name"),
}
MAX_DEPTH = 100  # of nested JSON; deeper, later encoders give up
MAX_REPLY_CHARS = 32_000_000  # far more than any model's 128,000 tokens


def request_body(request: Request) -> Json:
    """Return the JSON of a streamed request.

    The same history gives the same bytes, and a longer one begins with those of the
    shorter, apart from the cache marks: else no turn would find its prefix in the cache.
    """
    tools = [
        {
            "name": tool.name,
            **({"description": tool.description} if tool.description else {}),
            "input_schema": {"type": "object", **tool.schema},
        }
        for tool in sorted(request.tools, key=lambda tool: tool.name)
    ]
    body: Json = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "stream": True,
        "messages": mark_cached(messages_of(request)),
    }
    if tools:
        body["tools"] = tools
    if request.system.strip():
        body["system"] = [{"type": "text", "text": sound_text(request.system)}]
    # A mark covers all before it, and the order is tools, system, messages.
    for block in (body.get("system") or tools)[-1:]:
        block["cache_control"] = CACHED
    output: Json = {}
    if request.effort:
        output["effort"] = request.effort
    if request.answer_schema is not None:
        output["format"] = {"type": "json_schema", "schema": close_objects(request.answer_schema)}
    if output:
        body["output_config"] = output
    return body


def messages_of(request: Request) -> list[Json]:
    """Return the history in alternating messages, each with at least one block."""
    messages: list[Json] = []
    taken: set[str] = set()

    def add(role: str, blocks: Sequence[Block]) -> None:
        if not blocks:
            return
        if messages and role == "user" and messages[-1]["role"] == "assistant":
            drop_last_thinking(messages)
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"].extend(blocks)
        else:
            messages.append({"role": role, "content": list(blocks)})

    for message in request.messages:
        match message:
            case Said(text=text):
                add("user", [{"type": "text", "text": sound_text(text)}] if text.strip() else [])
            case Turn(blocks=blocks, results=results):
                ids = iter(results)
                said: list[Block] = []
                answers: list[Block] = []
                for block in map(send_back, blocks):
                    if block is None:
                        continue
                    said.append(block)
                    if block["type"] == "tool_use":
                        block["id"] = unused_id(block["id"], taken)
                        answers.append(result_block(block["id"], next(ids)))
                add("assistant", said)
                add("user", answers)
    return messages


def drop_last_thinking(messages: list[Json]) -> None:
    """Make the last assistant message end in something else: the API refuses it otherwise."""
    content = messages[-1]["content"]
    while content and content[-1]["type"] in THINKING:
        content.pop()
    if not content:
        messages.pop()


def send_back(block: Block) -> Block | None:
    """Return a reply's block as the API takes it back, None if it would refuse it.

    Thinking is signed and goes back as the very same object.
    """
    match block:
        case {"type": "text"}:
            if not str(block.get("text", "")).strip():
                return None
            return {key: block[key] for key in SENT_BACK["text"] if block.get(key)}
        case {"type": "tool_use"}:
            kept = {key: block[key] for key in SENT_BACK["tool_use"] if key in block}
            kept["id"] = word(block.get("id"), "toolu")
            kept["name"] = word(block.get("name"), "unknown")
            if not isinstance(kept.get("input"), dict):
                kept["input"] = {}
            return kept
        case {"type": "thinking"} if not block.get("signature"):
            return None
        case {"type": str()}:
            return block
        case _:
            return None


def word(value: object, otherwise: str) -> str:
    """Return an id or a name in the letters that the API takes."""
    return (
        re.sub(r"[^a-zA-Z0-9_-]", "_", value if isinstance(value, str) else "")[:128] or otherwise
    )


def unused_id(wanted: str, taken: set[str]) -> str:
    """Return the id, numbered if an earlier call has it, and take it."""
    found, number = wanted, 1
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    taken.add(found)
    return found


def result_block(call_id: str, result: ToolResult) -> Block:
    text = sound_text(result.text) if result.text.strip() else "(no output)"
    block: Block = {"type": "tool_result", "tool_use_id": call_id, "content": text}
    return {**block, "is_error": True} if result.is_error else block


def mark_cached(messages: list[Json]) -> list[Json]:
    """Mark the ends of the last two user messages: one to read up to, one to write for next time.

    With the one before the messages that makes three of the four marks that the API takes.
    """
    users = [message["content"] for message in messages if message["role"] == "user"]
    for content in users[-2:]:
        content[-1]["cache_control"] = CACHED
    return messages


def close_objects(schema: Any) -> Any:
    """Return the schema with its objects closed, as structured output demands.

    An object that names no properties is a map. Closed, it could only be empty, so it stays
    and the API says that it cannot express it.
    """
    if isinstance(schema, list):
        return [close_objects(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {
        key: {name: close_objects(part) for name, part in value.items()}
        if key in ("properties", "$defs", "definitions") and isinstance(value, dict)
        else value
        if key in ("const", "default", "enum", "examples")
        else close_objects(value)
        for key, value in schema.items()
    }
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


class ReplyBuilder:
    """Puts a reply together from the events of its stream, as parsed JSON of whatever shape.

    Unknown events and deltas are passed over, unknown blocks are kept as they came. What makes
    the reply unusable raises ModelError.
    """

    def __init__(self) -> None:
        self.request_id = ""
        self.has_begun = False
        self.is_whole = False
        self.size_chars = 0
        self._model = ""
        self._stop = ""
        self._note = ""
        self._usage: Json = {}
        self._parts: dict[object, PartialBlock] = {}  # by the stream's index, in order of arrival

    def add(self, event: object) -> Delta | None:
        """Take one event and return what there is to show of it."""
        if not isinstance(event, dict):
            return None
        match event:
            case {"type": "message_start", "message": dict(message)}:
                self.has_begun = True
                self._model = sound_text(text_at(message, "model"))
                self._count(message.get("usage"))
            case {"type": "content_block_start", "content_block": {"type": str()} as block}:
                part = self._parts[index_of(event)] = PartialBlock(block)
                return part.first_delta()
            case {"type": "content_block_delta", "delta": {"type": str()} as delta}:
                if (part_or_none := self._parts.get(index_of(event))) is not None:
                    return self._grow(part_or_none, delta)
            case {"type": "message_delta"}:
                self._count(event.get("usage"))
                match event.get("delta"):
                    case dict(delta):
                        self._stop = sound_text(text_at(delta, "stop_reason")) or self._stop
                        self._note = note_of(delta.get("stop_details")) or self._note
            case {"type": "message_stop"}:
                self.is_whole = True
        return None

    def build(self) -> Reply:
        """Return the whole reply."""
        end = named(self.request_id)
        if not self.is_whole or not self._stop:
            raise ModelError("transient", f"the stream ended early{end}")
        try:
            blocks = tuple(part.finish() for part in self._parts.values())
        except ValueError as error:
            raise ModelError("transient", f"the reply is damaged: {error}{end}") from error
        if self._stop == RUNS_TOOLS and any(part.is_malformed for part in self._parts.values()):
            raise ModelError("transient", f"malformed tool arguments{end}")
        usage = usage_of(self._usage)
        return Reply(blocks, self._stop, usage, self._model, self.request_id, self._note)

    def _grow(self, part: "PartialBlock", delta: Json) -> Delta | None:
        shown = part.grow(delta)
        self.size_chars += part.grown_chars
        if self.size_chars > MAX_REPLY_CHARS:
            raise ModelError("transient", f"the reply is longer than {MAX_REPLY_CHARS} characters")
        return shown

    def _count(self, usage: object) -> None:
        # The counts are running totals: what is missing or null keeps the earlier value.
        if isinstance(usage, dict):
            self._usage |= {key: value for key, value in usage.items() if value is not None}


class PartialBlock:
    """A block of a reply while its deltas come."""

    def __init__(self, block: Json) -> None:
        self._block = dict(block)
        self._texts: dict[str, list[str]] = {}  # by the field that they make up
        self.grown_chars = 0  # by the last delta
        self.is_malformed = False  # a call that cannot be run

    def first_delta(self) -> Delta | None:
        kind = self._block["type"]
        if kind == "tool_use":
            return Delta("tool", sound_text(text_at(self._block, "name")))
        # A block may start with all or part of its text.
        if kind in ("text", "thinking") and (text := text_at(self._block, kind)):
            return Delta(kind, sound_text(text))
        return None

    def grow(self, delta: Json) -> Delta | None:
        self.grown_chars = 0
        match delta:
            case {"type": "text_delta", "text": str(text)}:
                return self._gather("text", text)
            case {"type": "thinking_delta", "thinking": str(text)}:
                return self._gather("thinking", text)
            case {"type": "input_json_delta", "partial_json": str(text)}:
                self._gather("input", text)
            case {"type": "signature_delta", "signature": str(text)}:
                self.grown_chars = len(text)
                self._block["signature"] = text
            case {"type": "citations_delta", "citation": dict(citation)}:
                self.grown_chars = sum(
                    len(value) for value in citation.values() if isinstance(value, str)
                )
                before = self._block.get("citations")
                self._block["citations"] = [*(before if isinstance(before, list) else ()), citation]
        return None

    def _gather(self, field: str, text: str) -> Delta | None:
        self.grown_chars = len(text)
        self._texts.setdefault(field, []).append(text)
        if not text or field == "input":
            return None
        return Delta("text" if field == "text" else "thinking", sound_text(text))

    def finish(self) -> Block:
        """Return the block. Raises ValueError if it cannot be stored."""
        block = dict(self._block)
        for field, texts in self._texts.items():
            joined = "".join(texts)
            if field != "input":
                block[field] = text_at(block, field) + joined
            elif joined.strip():
                block["input"] = self._parse(joined)
        if block["type"] == "tool_use":
            if not isinstance(block.get("input"), dict):
                self.is_malformed |= block.get("input") is not None
                block["input"] = {}
            self.is_malformed |= not (text_at(block, "id") and text_at(block, "name"))
        sounded: Block = sound(block)
        return sounded

    def _parse(self, arguments: str) -> Any:
        # msgspec and not json: NaN and lone surrogates are no JSON and could not be sent back.
        try:
            return sound(msgspec.json.decode(arguments.encode()))
        except (ValueError, RecursionError):
            self.is_malformed = True
            return {}


def index_of(event: Json) -> object:
    index = event.get("index")
    return index if isinstance(index, int) else None


def text_at(mapping: Json, key: str) -> str:
    value = mapping.get(key)
    return value if isinstance(value, str) else ""


def note_of(details: object) -> str:
    """Return what the provider says of a stop: "category: explanation", or what there is of it."""
    if not isinstance(details, dict):
        return ""
    parts = (text_at(details, "category"), text_at(details, "explanation"))
    return sound_text(": ".join(part for part in parts if part))


def usage_of(counts: Json) -> Usage:
    """Return the API's counts. Its totals may come later than their split by lifetime."""

    def count(mapping: object, key: str) -> int:
        value = mapping.get(key) if isinstance(mapping, dict) else 0
        return value if type(value) is int and 0 <= value < 2**53 else 0

    split = counts.get("cache_creation")
    hour = count(split, "ephemeral_1h_input_tokens")
    total = count(counts, "cache_creation_input_tokens")
    written = max(total, hour + count(split, "ephemeral_5m_input_tokens"))
    return Usage(
        input_tokens=count(counts, "input_tokens"),
        output_tokens=count(counts, "output_tokens"),
        cache_read_tokens=count(counts, "cache_read_input_tokens"),
        cache_write_5m_tokens=written - hour,
        cache_write_1h_tokens=hour,
        thinking_tokens=count(counts.get("output_tokens_details"), "thinking_tokens"),
    )


def named(request_id: str) -> str:
    """Return what to add to a message so that its request can be found again."""
    return f" (request {request_id})" if request_id else ""


def sound_text(text: str) -> str:
    """Return the text as UTF-8 can hold it: surrogates joined in pairs or replaced."""
    if text.isascii() or text.isprintable():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def sound(value: Any, depth: int = 0) -> Any:
    """Return a JSON value with all its texts sound. Raises ValueError if it is nested too deep."""
    if depth > MAX_DEPTH:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
    match value:
        case str():
            return sound_text(value)
        case dict():
            return {sound_text(key): sound(part, depth + 1) for key, part in value.items()}
        case list():
            return [sound(part, depth + 1) for part in value]
    return value
