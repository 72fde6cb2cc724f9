"""What a call puts out, as it comes."""

import codecs
from collections.abc import Callable

from agentcli.core.event import OutputChunk, Started
from agentcli.core.redact import CleanStream
from agentcli.loop.port import Show


class Shown:
    """Shows the output of a call as it comes, line by line, so that no secret is cut in two."""

    def __init__(self, start: Started, show: Show, clean: Callable[[str], str]) -> None:
        self.start, self.show = start, show
        self.decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self.stream = CleanStream(clean)

    def put(self, data: bytes) -> None:
        self.say(self.stream.feed(self.decode(data)))

    def finish(self) -> None:
        self.say(self.stream.feed(self.decode(b"", True)) + self.stream.finish())

    def say(self, text: str) -> None:
        if text:
            self.show(OutputChunk(self.start.id, text))
