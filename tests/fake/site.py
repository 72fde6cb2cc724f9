"""A web server on this machine, whose pages are played, and a proxy before it.

with Site({"/": page(b"<h1>Hello</h1>")}) as site:
    site.url("a.test")     # http://a.test:PORT/
    site.asked             # (Host header, path) of each request
"""

import os
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


@dataclass(frozen=True)
class Played:
    """An answer.

    endless: its body goes on until the client goes. stall: nothing follows. garbled: of the body
    comes only what is no record of TLS.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    endless: bool = False
    stall: bool = False
    garbled: bool = False


def page(body: bytes, kind: str = "text/html; charset=utf-8", **headers: str) -> Played:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Played(body, headers={"Content-Type": kind, **named})


def moved(location: str, status: int = 302) -> Played:
    return Played(status=status, headers={"Location": location})


class Site:
    """Serves pages by their path with the query; what is not there is 404."""

    def __init__(self, pages: Mapping[str, Played], tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                site.asked.append((self.headers["Host"], self.path))
                site.headers.append({name.lower(): value for name, value in self.headers.items()})
                self.close_connection = True
                played = pages.get(self.path, Played(b"no such page", 404))
                self.send_response(played.status)
                for name, value in played.headers.items():
                    self.send_header(name, value)
                if not (played.endless or played.stall):
                    self.send_header("Content-Length", str(len(played.body)))
                self.end_headers()
                if played.garbled:
                    os.write(self.connection.fileno(), b"\x17\x03\x03\x00\x20" + b"z" * 32)
                    return
                self.wfile.write(played.body)
                if played.stall:
                    site.over.wait(60)
                while played.endless and not site.over.is_set():
                    self.wfile.write(b"x" * 100_000)

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ssl.SSLError):
                    return

            def log_message(self, *args: object) -> None:
                return

        class Server(ThreadingHTTPServer):
            def handle_error(self, request: object, client_address: object) -> None:
                return

        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.scheme = "https" if tls else "http"
        self.port = int(self.server.server_address[1])

    def url(self, host: str = "127.0.0.1", path: str = "/") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


class TunnelProxy:
    """A proxy that opens ways by CONNECT. asked: the head of each request.

    answer: said instead of opening one.
    """

    def __init__(self, answer: bytes = b"") -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.socket.getsockname()[1])

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)  # which wakes who waits in accept
        self.socket.close()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.open_way, args=(client,), daemon=True).start()

    def open_way(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head and (more := client.recv(4096)):
                head += more
            self.asked.append(head.decode("latin-1"))
            if self.answer:
                client.sendall(self.answer)
                return
            host, _, port = head.split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port))) as there:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=pipe, args=(there, client), daemon=True)
                back.start()
                pipe(client, there)
                back.join()


def pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return
