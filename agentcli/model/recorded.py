"""Answers with what a model once said, to drive a recorded run again."""

import asyncio
from collections.abc import Callable, Sequence

from agentcli.core.message import Delta, ModelError, Reply, Request, Turn

STOPPED = "interrupted"


class Recorded:
    """Gives the request with i turns in its history the i-th recorded reply.

    stop_wait_s: how long a reply that was once stopped in its midst waits to be stopped again.
    """

    def __init__(self, replies: Sequence[Reply], stop_wait_s: float = 0) -> None:
        self._replies, self._stop_wait_s = replies, stop_wait_s

    async def reply(self, request: Request, show: Callable[[Delta], None]) -> Reply:
        place = sum(isinstance(message, Turn) for message in request.messages)
        if place >= len(self._replies):
            raise ModelError("config", "the recording has no reply for this point")
        reply = self._replies[place]
        for block in reply.blocks:
            match block:
                case {"type": "text" | "thinking" as kind} if text := block.get(kind):
                    show(Delta(kind, text))
                case {"type": "tool_use", "name": str(name)}:
                    show(Delta("tool", name))
        if reply.stop == STOPPED:
            await asyncio.sleep(self._stop_wait_s)
        return reply

    async def close(self) -> None:
        pass
