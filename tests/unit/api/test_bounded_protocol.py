"""The HTTP protocol against strangers: heads without end, slow clients, answers nobody takes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn

from api.web import bounded_protocol
from api.web.bounded_protocol import BoundedProtocol

GET = b"GET / HTTP/1.1\r\nHost: x\r\n"


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """``/`` answers at once, ``/refuse`` without reading the body, ``/large`` with 50 MB."""
    assert scope["type"] == "http"
    status = 413 if scope["path"] == "/refuse" else 200
    size = 50_000_000 if scope["path"] == "/large" else 2
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", str(size).encode())],
        }
    )
    left = size
    while left:
        piece = b"o" * min(left, 1 << 16)
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": bool(left)})


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Opens connections to a running server whose times are short."""
    monkeypatch.setattr(bounded_protocol, "HEAD_S", 0.6)
    monkeypatch.setattr(bounded_protocol, "ANSWER_S", 0.6)
    monkeypatch.setattr(bounded_protocol, "LINGER_S", 0.3)
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        application,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    opened: list[socket.socket] = []

    def connect_() -> socket.socket:
        client = socket.create_connection(listening.getsockname(), timeout=10)
        opened.append(client)
        return client

    connect_.__dict__["open_at_the_server"] = server.server_state.connections
    while not server.started:
        time.sleep(0.01)
    yield connect_
    for client in opened:
        client.close()
    server.should_exit = True
    thread.join()


def everything(client: socket.socket) -> bytes:
    """All that comes until the server closes."""
    content = b""
    try:
        while piece := client.recv(1 << 16):
            content += piece
    except ConnectionResetError:
        pass
    return content


def test_ordinary_requests_on_one_connection(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    for _ in range(3):
        client.sendall(GET + b"\r\n")
        answer = client.recv(1 << 16)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\noo")
        assert b"server:" not in answer.lower()
    client.sendall((GET + b"\r\n") * 2)  # pipelined
    deadline = time.monotonic() + 5
    content = b""
    while content.count(b"\r\n\r\noo") < 2 and time.monotonic() < deadline:
        content += client.recv(1 << 16)
    assert content.count(b"200 OK") == 2


@pytest.mark.parametrize(
    "head",
    [
        GET + b"X: " + b"a" * 40_000 + b"\r\n\r\n",  # whole, in one piece
        GET + b"X: " + b"a" * 200_000,  # one header without end
        GET + b"X: y\r\n" * 10_000,  # headers without end
        b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_head_that_is_too_large(connect: Callable[[], socket.socket], head: bytes) -> None:
    client = connect()
    with contextlib.suppress(ConnectionError):  # closed before all was sent
        client.sendall(head)
    answer = everything(client)
    assert answer == b"" or answer.startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 ")), answer
    if len(head) < 60_000:
        assert answer.startswith(b"HTTP/1.1 431 ")


def test_an_address_that_is_not_encoded(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall("GET /v1/signatures?symbol=QĐ-UBND HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    head, _, body = everything(client).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json" in head
    told = json.loads(body)
    assert (told["status"], told["code"]) == (400, "malformed-request")
    assert "Q%C4%90" in told["detail"]


def test_second_request_is_measured_anew(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    large = GET + b"X: " + b"a" * 20_000 + b"\r\n\r\n"
    for _ in range(4):  # together more than the bound
        client.sendall(large)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("beginning", [b"", b"GET / HTTP/1.1\r\nHost"])
def test_client_that_never_ends_its_head(
    connect: Callable[[], socket.socket], beginning: bytes
) -> None:
    client = connect()
    client.sendall(beginning)
    began = time.monotonic()
    assert everything(client).startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 5


def test_drip_does_not_win_time(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    began = time.monotonic()
    try:
        while time.monotonic() - began < 5:
            client.sendall(b"X")
            time.sleep(0.05)
    except ConnectionError:
        pass
    assert time.monotonic() - began < 4


def test_slow_second_request_on_a_kept_connection(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(GET + b"\r\n")
    client.recv(1 << 16)
    time.sleep(0.8)  # idle is not slow
    client.sendall(b"GET / HT")
    assert everything(client).startswith(b"HTTP/1.1 408 ")


def test_refused_body_is_not_read_for_long(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 900000000\r\n\r\n")
    assert client.recv(1 << 16).startswith(b"HTTP/1.1 413 ")
    began = time.monotonic()
    try:
        while time.monotonic() - began < 5:
            client.sendall(b"x" * 1000)
            time.sleep(0.02)
    except ConnectionError:
        pass
    assert time.monotonic() - began < 4


def test_answer_that_nobody_takes(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.2)
    open_at_the_server = connect.__dict__["open_at_the_server"]
    assert len(open_at_the_server) == 1
    deadline = time.monotonic() + 5
    while open_at_the_server:
        assert time.monotonic() < deadline, "the connection was not cut"
        time.sleep(0.02)


def test_answer_that_is_taken_slowly_but_steadily(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    content = 0
    while piece := client.recv(1 << 20):
        content += len(piece)
        time.sleep(0.005)
    assert content > 50_000_000
