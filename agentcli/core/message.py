"""What a model is asked and what it says, in no provider's words but close to Claude's.

The history cannot express a call without its result: a Turn holds both or is not made.
"""

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from agentcli.core.record import Record

# A content block just as the provider gave it: thinking must go back byte for byte.
Block = dict[str, Any]
# The stop reasons that mean something to the loop; any other string is kept as it came.
Stop = str
RUNS_TOOLS: Stop = "tool_use"
PAUSES: Stop = "pause_turn"


class Usage(Record, frozen=True):
    """Tokens by what they cost. `input_tokens` excludes what a cache held or took."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    thinking_tokens: int = 0

    @property
    def prompt_tokens(self) -> int:
        """All that the model read, cached or not."""
        cached = self.cache_read_tokens + self.cache_write_5m_tokens + self.cache_write_1h_tokens
        return self.input_tokens + cached


class Said(msgspec.Struct, frozen=True):
    """What the user (or the pattern, for the user) says."""

    text: str


class ToolResult(msgspec.Struct, frozen=True):
    text: str
    is_error: bool = False


class Turn(msgspec.Struct, frozen=True):
    """One reply with the result of each of its calls, in the order of its tool_use blocks."""

    blocks: tuple[Block, ...]
    results: tuple[ToolResult, ...] = ()

    def __post_init__(self) -> None:
        calls = sum(block.get("type") == "tool_use" for block in self.blocks)
        if calls != len(self.results):
            raise ValueError(f"{calls} calls but {len(self.results)} results in one turn")


Message = Said | Turn


class ToolSpec(msgspec.Struct, frozen=True):
    """A tool as the model is told of it. `schema`: JSON Schema 2020-12 of its arguments."""

    name: str
    description: str
    schema: dict[str, Any]


class Request(msgspec.Struct, frozen=True):
    """All that one ask of a model needs.

    effort: "" for the model's own.
    answer_schema: the JSON Schema that the final text must satisfy, or None.
    """

    model: str
    system: str
    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = 16_000
    effort: str = ""
    answer_schema: dict[str, Any] | None = None


class Reply(msgspec.Struct, frozen=True):
    """A whole reply: it came with a stop reason.

    stop: the provider's word; tools run only on "tool_use".
    note: what the provider says of the stop, such as why it refused.
    """

    blocks: tuple[Block, ...]
    stop: Stop
    usage: Usage = Usage()
    model: str = ""
    request_id: str = ""
    note: str = ""


class Delta(msgspec.Struct, frozen=True):
    """A piece of a reply on its way. `tool`: the name of a call has come, its arguments follow."""

    kind: Literal["text", "thinking", "tool"]
    text: str


# Why an ask came to nothing. Only `transient` is tried again.
Failure = Literal[
    "transient",  # rate limit, overload, a cut or stalled stream, a gateway's error
    "auth",  # 401: no key or a wrong one
    "billing",  # 402, or a spend limit
    "permission",  # 403
    "not_found",  # 404: the model or the address
    "too_large",  # 413, or more tokens than fit
    "invalid",  # 400: the request is wrong
    "config",  # nothing was sent: no key, no such script, no such recording
]


class ModelError(Exception):
    """An ask that came to nothing.

    retry_after_ms: the server's wish, already capped.
    begun: the reply had begun to come, so it may have to be paid.
    """

    def __init__(
        self, failure: Failure, message: str, *, retry_after_ms: int = 0, begun: bool = False
    ) -> None:
        super().__init__(message)
        self.failure: Failure = failure
        self.retry_after_ms = retry_after_ms
        self.begun = begun


def text_of(blocks: Sequence[Block]) -> str:
    """Return what the reply says in words."""
    return "".join(str(b.get("text", "")) for b in blocks if b.get("type") == "text")
