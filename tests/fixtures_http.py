"""A server that says exactly what a test tells it to, byte by byte.

def test_hostile(scripted_server):
    server = scripted_server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")   # and then closes
    client.get(server.url, ...)
    server.requests                       # the raw requests
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

Script = bytes | Callable[[bytes], bytes]


def http_ok(body: bytes, content_type: str = "application/octet-stream") -> bytes:
    """A plain 200 answer that keeps the connection alive."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class ScriptedServer:
    """Answers each request with the next step of its script; the last step repeats.

    A step is bytes, or a function from the request's body to bytes. After an answer without
    Content-Length, or one that is shorter than it says, the connection is closed.
    `drip_s` sends one byte at a time with that pause; `keep_open` leaves the connection alive.
    """

    def __init__(self, *steps: Script, drip_s: float = 0.0, keep_open: bool = False) -> None:
        self._steps = steps
        self._drip_s = drip_s
        self._keep_open = keep_open
        self.requests: list[bytes] = []
        self.connections = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/x"
        self._spawn(self._accept)

    def _spawn(self, work, *arguments) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self.connections += 1
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            while (request := self._read(connection)) is not None:
                with self._lock:
                    step = self._steps[min(len(self.requests), len(self._steps) - 1)]
                    self.requests.append(request)
                body = request.partition(b"\r\n\r\n")[2]
                self._send(connection, step(body) if callable(step) else step)
                if not self._keep_open:
                    return

    def _read(self, connection: socket.socket) -> bytes | None:
        received = b""
        while b"\r\n\r\n" not in received:
            if not (more := connection.recv(65536)):
                return None
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(body) < length:
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body

    def _send(self, connection: socket.socket, answer: bytes) -> None:
        if not self._drip_s:
            connection.sendall(answer)
            return
        for octet in answer:
            if self._stopping.is_set():
                return
            connection.sendall(bytes((octet,)))
            time.sleep(self._drip_s)

    def stop(self) -> None:
        self._stopping.set()
        # accept() wakes up when the listener is shut down, not when it is merely closed
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def scripted_server() -> Iterator[Callable[..., ScriptedServer]]:
    """Makes servers that are stopped when the test is over."""
    servers: list[ScriptedServer] = []

    def make(*steps: Script, **options) -> ScriptedServer:
        servers.append(ScriptedServer(*steps, **options))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()
