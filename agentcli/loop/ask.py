"""One ask of the model: the request from the view, the reply as a record."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from agentcli.core.event import Failed, Replied, Started, TextDelta
from agentcli.core.held import READER
from agentcli.core.message import RUNS_TOOLS, Block, Delta, ModelError, Reply, Request
from agentcli.core.price import ModelInfo, price_uusd
from agentcli.core.step import AskModel, Call
from agentcli.core.view import View
from agentcli.loop.port import Model, Show


@dataclass(frozen=True)
class Asker:
    """`base`: the request without its messages. `price` None: costs are unknown.

    draw_ppm: draws the chance of a backoff, 0..999_999.
    """

    model: Model
    view: View
    base: Request
    price: ModelInfo | None
    draw_ppm: Callable[[], int]

    async def __call__(self, start: Started, ask: AskModel, show: Show) -> Replied | Failed:
        """Return the reply; when cancelled, what came so far as a reply that is not whole."""
        said: list[str] = []

        def on_delta(delta: Delta) -> None:
            if delta.kind == "text":
                said.append(delta.text)
            show(TextDelta(start.id, delta.text, delta.kind))

        request = replace(self.base, messages=self.view.messages(ask.context))
        if ask.answer is not None:
            schema = ask.answer.schema
            request = replace(request, system=READER, tools=(), answer_schema=schema)
        try:
            reply = await self.model.reply(request, on_delta)
        except ModelError as error:
            cost = None if error.begun else 0  # what was being written may be billed
            return Failed(
                start.id,
                error.failure,
                str(error),
                draw_ppm=self.draw_ppm(),
                retry_after_ms=error.retry_after_ms,
                cost_uusd=cost,
            )
        except asyncio.CancelledError:
            text = "".join(said)
            blocks: tuple[Block, ...] = ({"type": "text", "text": text},) if text.strip() else ()
            return Replied(start.id, blocks, "interrupted", cost_uusd=None, whole=False)
        return self.replied(start, reply)

    def replied(self, start: Started, reply: Reply) -> Replied:
        cost = None if self.price is None else price_uusd(self.price, reply.usage)
        return Replied(
            start.id,
            reply.blocks,
            reply.stop,
            calls_of(reply),
            reply.usage,
            cost,
            model=reply.model,
            request_id=reply.request_id,
            note=reply.note,
        )


def calls_of(reply: Reply) -> tuple[Call, ...]:
    """Return the calls to run: none unless the model stopped for them."""
    if reply.stop != RUNS_TOOLS:
        return ()
    return tuple(
        Call(str(block["name"]), block["input"], str(block.get("id", "")))
        for block in reply.blocks
        if block.get("type") == "tool_use"
    )
