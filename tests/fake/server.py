"""A server on this machine that answers like the Messages API, well or badly.

    with FakeClaude(sse_reply("Hello."), answer(529), sse_reply("Again.")) as fake:
        Claude(base_url=fake.base_url, api_key="k")     # or a subprocess with fake.environ
        fake.requests[0].body["messages"]               # what was asked, as parsed JSON

The behaviours are played in order, one for each request; past their end comes a short reply, so
that nothing asks for ever. It speaks real HTTP/1.1 on a loopback socket.
"""

import json
import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

REQUEST_ID = "req_fake"
Json = dict[str, Any]
Mark = Literal["stall", "cut"]


@dataclass(frozen=True)
class Behaviour:
    """An answer. `pieces`: sent one by one; "stall": no more till the client goes; "cut": a reset.

    status: 0 sends not even a status line.
    """

    pieces: Sequence[bytes | Mark]
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def upto(self, count: int, then: Mark | None = None) -> "Behaviour":
        """Return the same, ended after some pieces."""
        end = [then] if then else []
        return Behaviour([*self.pieces[:count], *end], self.status, self.headers)

    def plus(self, at: int, *pieces: bytes | Mark) -> "Behaviour":
        """Return the same with more pieces put in before number `at`."""
        mixed = [*self.pieces[:at], *pieces, *self.pieces[at:]]
        return Behaviour(mixed, self.status, self.headers)


@dataclass(frozen=True)
class Asked:
    """A request. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: Json


def sse(kind: str, **fields: object) -> bytes:
    """Return one event of a stream."""
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode()


def stream(*pieces: bytes | Mark, **headers: str) -> Behaviour:
    return Behaviour(pieces, 200, {"content-type": "text/event-stream; charset=utf-8", **headers})


def answer(status: int, body: Json | bytes | str | None = None, **headers: str) -> Behaviour:
    """Return a whole answer: JSON, or the text of a gateway. Header names with _ for -."""
    if isinstance(body, bytes | str):
        data, kind = body.encode() if isinstance(body, str) else body, "text/html"
    else:
        data, kind = json.dumps(body or {}).encode(), "application/json"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Behaviour([data], status, {"content-type": kind, **named})


def error(status: int, kind: str, message: str = "", code: str = "", **headers: str) -> Behaviour:
    """Return an error of the API's own form."""
    details = {"details": {"error_code": code}} if code else {}
    body = {"type": "error", "error": {"type": kind, "message": message, **details}}
    return answer(status, body, **headers)


def block_events(index: int, block: Json) -> list[bytes]:
    """Return the events of one block, its text in two pieces."""
    kind = block["type"]
    if kind == "text":
        start, deltas = {**block, "text": ""}, halves("text_delta", "text", block["text"])
    elif kind == "thinking":
        start = {**block, "thinking": "", "signature": ""}
        deltas = halves("thinking_delta", "thinking", block["thinking"])
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif kind == "tool_use":
        start = {**block, "input": {}}
        given = block["input"]
        args = given if isinstance(given, str) else json.dumps(given)
        deltas = halves("input_json_delta", "partial_json", args)
    else:
        start, deltas = block, []
    return [
        sse("content_block_start", index=index, content_block=start),
        *(sse("content_block_delta", index=index, delta=delta) for delta in deltas),
        sse("content_block_stop", index=index),
    ]


def halves(kind: str, name: str, text: str) -> list[Json]:
    middle = (len(text) + 1) // 2
    return [{"type": kind, name: part} for part in (text[:middle], text[middle:])]


def blocks_reply(
    *blocks: Json,
    stop: str | None = "end_turn",
    usage: Json | None = None,
    details: Json | None = None,
) -> Behaviour:
    """Return a good stream of these blocks. A tool_use may have its input as a (broken) string."""
    counts = {"input_tokens": 12, "output_tokens": 34, **(usage or {})}
    message = {"id": "msg_fake", "role": "assistant", "model": "claude-fake", "content": []}
    delta: Json = {"stop_reason": stop, "stop_sequence": None}
    if details:
        delta["stop_details"] = details
    return stream(
        sse("message_start", message={**message, "usage": {**counts, "output_tokens": 1}}),
        *(event for i, block in enumerate(blocks) for event in block_events(i, block)),
        sse("message_delta", delta=delta, usage={"output_tokens": counts["output_tokens"]}),
        sse("message_stop"),
    )


def sse_reply(
    text: str = "",
    calls: Sequence[tuple[str, Json]] = (),
    thinking: str = "",
    stop: str | None = None,
    usage: Json | None = None,
) -> Behaviour:
    """Return a good stream. `calls`: names and arguments; `stop`: by default what fits them."""
    blocks: list[Json] = []
    if thinking:
        blocks.append({"type": "thinking", "thinking": thinking, "signature": "c2lnbmVk"})
    if text:
        blocks.append({"type": "text", "text": text})
    for i, (name, args) in enumerate(calls):
        blocks.append({"type": "tool_use", "id": f"toolu_{i}", "name": name, "input": args})
    return blocks_reply(*blocks, stop=stop or ("tool_use" if calls else "end_turn"), usage=usage)


class FakeClaude:
    def __init__(self, *behaviours: Behaviour) -> None:
        self.requests: list[Asked] = []
        self._left = list(behaviours)
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._sockets: list[socket.socket] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                fake._sockets.append(self.connection)

            def log_message(self, format: str, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                self.do_POST()

            def do_POST(self) -> None:
                size = int(self.headers.get("content-length", 0))
                body = json.loads(self.rfile.read(size) or b"{}")
                headers = {name.lower(): value for name, value in self.headers.items()}
                behaviour = fake._next(Asked(self.path, headers, body))
                try:
                    self.close_connection = not fake._play(self, behaviour)
                except OSError:  # the client has gone
                    self.close_connection = True

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self.base_url = f"http://127.0.0.1:{self._server.server_port}"
        self.environ = {"ANTHROPIC_BASE_URL": self.base_url, "ANTHROPIC_API_KEY": "sk-ant-fake"}
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        for connection in self._sockets:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self._server.server_close()

    def _next(self, asked: Asked) -> Behaviour:
        with self._lock:
            self.requests.append(asked)
            return self._left.pop(0) if self._left else sse_reply("(no more replies)")

    def _play(self, handler: BaseHTTPRequestHandler, behaviour: Behaviour) -> bool:
        """Return whether the connection may be used again."""
        if behaviour.status:
            handler.send_response_only(behaviour.status)
            headers = {
                "date": handler.date_time_string(),
                "request-id": REQUEST_ID,
                **behaviour.headers,
                "transfer-encoding": "chunked",
            }
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
        for piece in behaviour.pieces:
            match piece:
                case "cut":
                    # Zero linger time: the client sees a reset and not an orderly end.
                    linger = struct.pack("ii", 1, 0)
                    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return False
                case "stall":
                    self._over.wait()
                    return False
                case bytes(data) if data:
                    handler.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        handler.wfile.write(b"0\r\n\r\n")
        return True
