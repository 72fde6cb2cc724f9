"""Answers with what a model once said, to drive a recorded run again."""

import asyncio
from collections.abc import Callable, Sequence

from agentcli.core.held import READER
from agentcli.core.message import Delta, ModelError, Reply, Request, Said, Turn

STOPPED = "interrupted"


class Recorded:
    """Gives the request with i turns in its history the i-th recorded reply.

    readers: what readers replied, by the question, each of which is given once.
    stop_wait_s: how long a reply that was once stopped in its midst waits to be stopped again.
    """

    def __init__(
        self,
        replies: Sequence[Reply],
        stop_wait_s: float = 0,
        readers: Sequence[tuple[str, Reply]] = (),
    ) -> None:
        self._replies, self._stop_wait_s, self._readers = replies, stop_wait_s, [*readers]

    async def reply(self, request: Request, show: Callable[[Delta], None]) -> Reply:
        reply = self._reader(request) if request.system == READER else self._next(request)
        if reply is None:
            raise ModelError("config", "the recording has no reply for this point")
        for block in reply.blocks:
            match block:
                case {"type": "text" | "thinking" as kind} if text := block.get(kind):
                    show(Delta(kind, text))
                case {"type": "tool_use", "name": str(name)}:
                    show(Delta("tool", name))
        if reply.stop == STOPPED:
            await asyncio.sleep(self._stop_wait_s)
        return reply

    def _next(self, request: Request) -> Reply | None:
        place = sum(isinstance(message, Turn) for message in request.messages)
        return self._replies[place] if place < len(self._replies) else None

    def _reader(self, request: Request) -> Reply | None:
        for i, (question, _) in enumerate(self._readers):
            if request.messages[-1] == Said(question):
                return self._readers.pop(i)[1]
        return None

    async def close(self) -> None:
        pass
