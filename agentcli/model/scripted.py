"""Plays a YAML script in place of a model: the whole program works with no key and no network."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from agentcli.core.held import READER
from agentcli.core.message import (
    RUNS_TOOLS,
    Block,
    Delta,
    Failure,
    ModelError,
    Reply,
    Request,
    Said,
    Turn,
    Usage,
)
from agentcli.core.record import hash_of
from agentcli.document import Document, did_you_mean, one_of, read_document
from agentcli.errors import InputError

Count = Annotated[int, Field(ge=0)]
FaultKind = Literal[Failure, "cut"]
FAULTS: tuple[FaultKind, ...] = get_args(FaultKind)
CHARS_PER_TOKEN = 4


class ScriptCall(Document):
    tool: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    args: dict[str, Any] = {}


class ScriptBlock(Document):
    """One block of a reply: exactly one of these."""

    text: str | None = None
    thinking: str | None = None
    call: ScriptCall | None = None

    @model_validator(mode="after")
    def check_one(self) -> Self:
        if sum(part is not None for part in (self.text, self.thinking, self.call)) != 1:
            raise ValueError("must have exactly one of `text`, `thinking` or `call`")
        return self


class Fault(Document):
    """How the same request fails, `times` times in one process.

    `{transient: overloaded}` is short for `{kind: transient, message: overloaded}`, and
    `transient` alone leaves the message to us.
    cut: `after_words` words come, by default half of the reply, then the connection is gone.
    """

    kind: FaultKind
    message: str = ""
    times: Annotated[int, Field(ge=1)] = 1
    retry_after_ms: Count = 0
    after_words: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def spell_out(cls, given: Any) -> Any:  # a border: whatever was written
        if isinstance(given, str):
            if given not in FAULTS:
                raise ValueError(f"must be {one_of(FAULTS)}{did_you_mean(given, FAULTS)}")
            return {"kind": given}
        if not isinstance(given, dict) or "kind" in given:
            return given
        short = given.keys() & set(FAULTS)
        if len(short) != 1:
            raise ValueError(f"must have a `kind` or exactly one of {one_of(FAULTS)}")
        kind = short.pop()
        if not isinstance(message := given[kind], str | None):
            raise ValueError(f"`{kind}` must be text, its message")
        rest = {key: value for key, value in given.items() if key != kind}
        return {"kind": kind, "message": message or "", **rest}

    @model_validator(mode="after")
    def check_cut(self) -> Self:
        if self.after_words is not None and self.kind != "cut":
            raise ValueError("`after_words` goes with the kind `cut` alone")
        return self

    def error(self) -> ModelError:
        cut = self.kind == "cut"
        failure: Failure = "transient" if self.kind == "cut" else self.kind
        message = self.message or f"the script fails here: {self.kind}"
        return ModelError(failure, message, retry_after_ms=self.retry_after_ms, begun=cut)


class ScriptUsage(Document):
    input_tokens: Count = 0
    output_tokens: Count = 0
    cache_read_tokens: Count = 0
    cache_write_5m_tokens: Count = 0
    cache_write_1h_tokens: Count = 0
    thinking_tokens: Count = 0


class ScriptTurn(Document):
    """One reply: `thinking`, `text` and `calls` in this order, or `blocks` in any.

    expect: must occur in what the model was last told, or the run fails: a script is a test. Of
        a list, one must.
    delay_ms: before the first piece. token_ms, chars_per_s: the pace of the pieces.
    stop: the stop reason; by default "tool_use" with calls and "end_turn" without.
    usage: by default made up from the lengths.
    """

    expect: str | tuple[str, ...] | None = None
    thinking: str | None = None
    text: str | None = None
    calls: tuple[ScriptCall, ...] = ()
    blocks: tuple[ScriptBlock, ...] = ()
    delay_ms: Count = 0
    token_ms: Count = 0
    chars_per_s: Annotated[int, Field(ge=1)] | None = None
    stop: str | None = None
    usage: ScriptUsage | None = None
    fault: Fault | None = None

    @model_validator(mode="after")
    def check_forms(self) -> Self:
        if self.blocks and (self.calls or self.text is not None or self.thinking is not None):
            raise ValueError("must have either `blocks` or `thinking`, `text` and `calls`")
        return self

    def parts(self) -> tuple[ScriptBlock, ...]:
        if self.blocks:
            return self.blocks
        said = [
            *([ScriptBlock(thinking=self.thinking)] if self.thinking is not None else []),
            *([ScriptBlock(text=self.text)] if self.text is not None else []),
        ]
        return (*said, *(ScriptBlock(call=call) for call in self.calls))


END = ScriptTurn(text="(the script has ended)")
NO_READER = ScriptTurn(text="(the script has no reader for this)")


class Script(Document):
    """A conversation. `after`: the reply to all that comes past its end.

    readers: what readers of held texts reply: the first whose `expect` stands in what one is told.
    """

    turns: tuple[ScriptTurn, ...]
    after: ScriptTurn = END
    readers: tuple[ScriptTurn, ...] = ()


def load_script(path: Path) -> "Scripted":
    """Return the model of a script. Raises MissingFileError, InputError with the place."""
    script = read_document(path, Script, InputError)
    return Scripted(script.turns, script.after, script.readers)


class Scripted:
    """Answers the request with i turns in its history with turn i of the script.

    Counting the history and not the asks, it goes on at the right place after a resume.
    """

    def __init__(
        self,
        turns: Sequence[ScriptTurn],
        after: ScriptTurn = END,
        readers: Sequence[ScriptTurn] = (),
    ) -> None:
        self._turns = turns
        self._after = after
        self._readers = readers
        self._asks: Counter[str] = Counter()  # of requests that are to fail

    async def reply(self, request: Request, show: Callable[[Delta], None]) -> Reply:
        number = sum(isinstance(message, Turn) for message in request.messages)
        turn = self._turns[number] if number < len(self._turns) else self._after
        told = last_told(request)
        if request.system == READER:
            turn = next((one for one in self._readers if fits(one, told)), NO_READER)
        if not fits(turn, told):
            shown = told if len(told) <= 200 else told[:200] + "..."
            wanted = one_of(wanted_by(turn))
            message = f"turn {number + 1} of the script expects {wanted}, got {shown!r}"
            raise ModelError("invalid", message)
        await asyncio.sleep(turn.delay_ms / 1000)
        fault = self._next_fault(turn, request)
        blocks = blocks_of(turn, number + 1)
        if fault is not None and fault.kind != "cut":
            raise fault.error()
        pieces = list(pieces_of(blocks))
        if fault is not None:
            words = fault.after_words
            pieces = pieces[: len(pieces) // 2 if words is None else words]
        for piece in pieces:
            show(piece)
            by_length_s = len(piece.text) / turn.chars_per_s if turn.chars_per_s else 0
            await asyncio.sleep(by_length_s + turn.token_ms / 1000)
        if fault is not None:
            raise fault.error()
        calls = any(block["type"] == "tool_use" for block in blocks)
        stop = turn.stop or (RUNS_TOOLS if calls else "end_turn")
        usage = Usage(**turn.usage.model_dump()) if turn.usage else made_up_usage(request, blocks)
        return Reply(blocks, stop, usage, request.model)

    async def close(self) -> None:
        pass

    def _next_fault(self, turn: ScriptTurn, request: Request) -> Fault | None:
        if turn.fault is None:
            return None
        key = hash_of(request)
        self._asks[key] += 1
        return turn.fault if self._asks[key] <= turn.fault.times else None


def wanted_by(turn: ScriptTurn) -> tuple[str, ...]:
    return (turn.expect,) if isinstance(turn.expect, str) else turn.expect or ()


def fits(turn: ScriptTurn, told: str) -> bool:
    wanted = wanted_by(turn)
    return not wanted or any(text in told for text in wanted)


def last_told(request: Request) -> str:
    """Return what came since the model's last turn: its results and what was said."""
    told: list[str] = []
    for message in reversed(request.messages):
        match message:
            case Said(text=text):
                told.append(text)
            case Turn(results=results):
                told += [result.text for result in reversed(results)]
                break
    return "\n".join(reversed(told))


def blocks_of(turn: ScriptTurn, number: int) -> tuple[Block, ...]:
    blocks: list[Block] = []
    for i, part in enumerate(turn.parts()):
        if part.call is not None:
            call_id = f"toolu_script_{number}_{i}"
            call = {"id": call_id, "name": part.call.tool, "input": part.call.args}
            blocks.append({"type": "tool_use", **call})
        elif part.thinking is not None:
            thought = {"thinking": part.thinking, "signature": "scripted"}
            blocks.append({"type": "thinking", **thought})
        elif part.text is not None:
            blocks.append({"type": "text", "text": part.text})
    return tuple(blocks)


def pieces_of(blocks: Sequence[Block]) -> Iterator[Delta]:
    """Yield the reply in words, as a model's tokens come."""
    for block in blocks:
        match block:
            case {"type": "tool_use", "name": name}:
                yield Delta("tool", name)
            case {"type": "text" | "thinking" as kind}:
                for piece in re.findall(r"\S+\s*|\s+", block[kind]):
                    yield Delta(kind, piece)


def made_up_usage(request: Request, blocks: Sequence[Block]) -> Usage:
    """Return tokens by length, so that budgets and costs have something to count."""
    tools = sum(len(tool.name + tool.description + repr(tool.schema)) for tool in request.tools)
    read = len(request.system) + tools
    for message in request.messages:
        match message:
            case Said(text=text):
                read += len(text)
            case Turn(blocks=said, results=results):
                read += len(repr(said)) + sum(len(result.text) for result in results)
    thought = sum(len(block["thinking"]) for block in blocks if block["type"] == "thinking")
    return Usage(
        input_tokens=1 + read // CHARS_PER_TOKEN,
        output_tokens=1 + len(repr(blocks)) // CHARS_PER_TOKEN,
        thinking_tokens=thought // CHARS_PER_TOKEN,
    )
