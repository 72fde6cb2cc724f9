"""Answers with what a model once said, to drive a recorded run again."""

from collections.abc import Callable, Sequence

from agentcli.core.message import Delta, ModelError, Reply, Request, Turn


class Recorded:
    """Gives the request with i turns in its history the i-th recorded reply."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self._replies = replies

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
        return reply

    async def close(self) -> None:
        pass
