"""Fetching: kept-alive connections, and servers that stall, lie, flood or redirect."""

from __future__ import annotations

import select
import socket
import ssl
import time

import pytest

from signer.deadline import DeadlineSocket, _Incoming
from signer.fetch import Fetcher, FetchError, TransportFault, UnusableAnswer
from tests.fixtures_http import http_ok


@pytest.fixture
def fetcher():
    with_pool = Fetcher()
    yield with_pool
    with_pool.close()


def get(fetcher, url, timeout_s=5.0, max_bytes=1000):
    return fetcher.get(url, timeout_s=timeout_s, max_bytes=max_bytes)


def test_one_connection_serves_many_requests(fetcher, scripted_server):
    server = scripted_server(http_ok(b"one"), http_ok(b"two"), keep_open=True)
    assert get(fetcher, server.url + "?q=1") == b"one"
    assert fetcher.post(server.url, b"body", "a/b", timeout_s=5, max_bytes=9) == b"two"
    assert (server.connections, fetcher.requests) == (1, 2)
    assert server.requests[0].startswith(b"GET /x?q=1 HTTP/1.1\r\n")
    assert server.requests[1].endswith(b"\r\n\r\nbody")
    assert b"Content-Type: a/b\r\n" in server.requests[1]


def test_a_connection_closed_by_the_server_is_not_used_again(fetcher, scripted_server):
    server = scripted_server(http_ok(b"one"))
    assert get(fetcher, server.url) == b"one"
    ((idle,),) = fetcher._idle.values()
    assert select.select([idle.sock], [], [], 5)[0]  # the server's close has arrived
    assert get(fetcher, server.url) == b"one"
    assert (server.connections, fetcher.requests) == (2, 2)


def test_after_close_it_connects_anew(fetcher, scripted_server):
    server = scripted_server(http_ok(b"one"), keep_open=True)
    get(fetcher, server.url)
    fetcher.close()
    get(fetcher, server.url)
    assert server.connections == 2


def test_idle_connections_are_bounded(fetcher, scripted_server):
    server = scripted_server(http_ok(b"one"), keep_open=True)
    address = ("http", "127.0.0.1", server.port)
    connections = [fetcher._connect(address, time.monotonic() + 5) for _ in range(5)]
    for connection in connections:
        fetcher._give_back(address, connection)
    assert len(fetcher._idle[address]) == 4
    assert connections[-1].sock is None


def test_an_answer_without_length_ends_with_the_connection(fetcher, scripted_server):
    server = scripted_server(b"HTTP/1.1 200 OK\r\n\r\nuntil the end")
    assert get(fetcher, server.url) == b"until the end"
    server = scripted_server(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold")
    assert get(fetcher, server.url) == b"old"


def test_a_chunked_answer(fetcher, scripted_server):
    chunks = b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    server = scripted_server(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    assert get(fetcher, server.url) == b"abcde"


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"", TransportFault, "RemoteDisconnected"),
        (b"nonsense\r\n\r\n", TransportFault, "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", TransportFault, "IncompleteRead"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort",
            TransportFault,
            "IncompleteRead",
        ),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", UnusableAnswer, "500 Oops"),
        (
            b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            UnusableAnswer,
            "302",
        ),
        (http_ok(bytes(1001)), UnusableAnswer, "larger than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + bytes(200_000), UnusableAnswer, "larger than 1000"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n", TransportFault, "100 headers"),
    ],
)
def test_unusable_answers(fetcher, scripted_server, answer, error, message):
    server = scripted_server(answer)
    with pytest.raises(error, match=message):
        get(fetcher, server.url)
    assert len(server.requests) == 1


@pytest.mark.parametrize("answer", [http_ok(b"x" * 500), b"HTTP/1.1 200 OK\r\nX: " + b"y" * 900])
def test_a_dripping_server_is_left_at_the_total_time_limit(fetcher, scripted_server, answer):
    server = scripted_server(answer, drip_s=0.02)
    start = time.monotonic()
    with pytest.raises(TransportFault, match=r"within 0\.3 s"):
        get(fetcher, server.url, timeout_s=0.3)
    assert time.monotonic() - start < 2


def test_a_time_limit_that_is_over_asks_nobody(fetcher, scripted_server):
    server = scripted_server(http_ok(b""))
    with pytest.raises(TransportFault):
        get(fetcher, server.url, timeout_s=0)
    assert server.connections == 0


def test_nobody_listens(fetcher):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(TransportFault, match="cannot be reached"):
        get(fetcher, f"http://127.0.0.1:{port}/")


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "ldap://127.0.0.1/cn=x",
        "http:///x",
        "http://127.0.0.1:99999/",
        "http://user:secret@127.0.0.1/",
        "http://[::1/",
        "",
    ],
)
def test_addresses_that_are_no_addresses(fetcher, url):
    with pytest.raises(FetchError):
        get(fetcher, url, timeout_s=0.5)
    assert fetcher._idle == {}


@pytest.mark.parametrize("path", ["a b", "a\x00b", "a\x7f"])
def test_paths_that_would_break_the_request(fetcher, scripted_server, path):
    server = scripted_server(http_ok(b""))
    with pytest.raises(UnusableAnswer, match="not a usable address"):
        get(fetcher, f"{server.url}/{path}")
    assert server.requests == []


def test_a_reader_is_closed_once():
    raw = _Incoming(reader := DeadlineSocket(socket.socket()))
    reader._readers = 1
    reader.close()
    assert reader.fileno() >= 0  # open as long as the reader is
    raw.close()
    raw.close()
    assert reader.fileno() == -1


def test_only_public_addresses(scripted_server):
    server = scripted_server(http_ok(b"inside"))
    fetcher = Fetcher(public_only=True)
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(UnusableAnswer, match="not a public address"):
            get(fetcher, f"http://{host}:{server.port}/")
    assert server.connections == 0


def test_the_checked_address_is_the_one_connected_to(monkeypatch, scripted_server):
    asked = []

    def connect(address, timeout):
        asked.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(
        socket, "getaddrinfo", lambda *a, **k: [(0, 0, 0, "", ("93.184.216.34", 80))]
    )
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(TransportFault):
        get(Fetcher(public_only=True), "http://ocsp.example.vn/")
    assert asked == [("93.184.216.34", 80)]


def test_a_server_that_does_not_speak_tls(scripted_server):
    server = scripted_server(b"plain", b"plain")
    for fetcher in (Fetcher(), Fetcher(tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))):
        with pytest.raises(TransportFault):
            get(fetcher, f"https://127.0.0.1:{server.port}/", timeout_s=0.3)


def test_the_default_tls_context_is_read_once():
    fetcher = Fetcher()
    context = fetcher._tls_context()
    assert context is fetcher._tls_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
