"""The Python client against a server that misbehaves as networks do."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

import sohoa.client
from api.client_values import Record, Resource
from sohoa.client import (
    Blob,
    Busy,
    Client,
    Conflict,
    DamagedDownload,
    NoAnswer,
    Refused,
    StillWorking,
    Verification,
)

CONTENT = b"%PDF-1.7 " + b"signed" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
RECORD = {
    "id": "sig_1",
    "code": "1NPJ-NEK2-VA9G-EW9E",
    "state": "published",
    "level": "B-LTA",
    "number": 7,
    "symbol": "QĐ-UBND",
    "year": 2026,
    "source_sha256": "ab",
    "result_sha256": SHA256,
    "result_bytes": len(CONTENT),
    "error": None,
    "version": 3,
}


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Reply = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.asked.append(Asked(self.command, self.path, headers, body))
        self.server.script.pop(0)(self)

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: list[Reply] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


def answers(value: Any, status: int = 200, cut: int | None = None, **headers: str) -> Reply:
    """Answer with JSON, or bytes; `cut`: break the connection after so many bytes of it."""
    content = value if isinstance(value, bytes) else json.dumps(value).encode()

    def reply(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("Content-Type", "application/json")
        for name, text in headers.items():
            handler.send_header(name.replace("_", "-"), text)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content[:cut])
        if cut is not None:
            handler.close_connection = True

    return reply


def hangs_up(handler: Handler) -> None:
    """Take the request and say nothing."""
    handler.close_connection = True


def problem(status: int, code: str, **headers: str) -> Reply:
    return answers({"code": code, "detail": f"do something about {code}"}, status, **headers)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    thread = threading.Thread(target=running.serve_forever, args=(0.01,))
    thread.start()
    yield running
    running.shutdown()
    running.server_close()
    thread.join()
    assert running.script == [], "not everything was asked"


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, "sohoa_key", patience_s=5, timeout_s=2) as made:
        yield made


def sign(client: Client, **options: Any) -> Record:
    return client.sign(b"%PDF-", key="leader", **options)


def test_names_that_users_import() -> None:
    assert set(sohoa.client.__all__) >= {"Client", "Record", "Refused", "NoAnswer"}
    assert all(hasattr(sohoa.client, name) for name in sohoa.client.__all__)


def test_broken_connections_and_busy_answers_are_tried_again_with_one_key(
    client: Client, server: Server
) -> None:
    server.script = [
        hangs_up,
        problem(503, "overloaded", Retry_After="0"),
        problem(429, "rate-limited"),
        answers(RECORD, cut=10),
        answers(RECORD, 201),
    ]
    assert sign(client).number == 7
    assert len({asked.headers["idempotency-key"] for asked in server.asked}) == 1
    assert {asked.body for asked in server.asked} == {b"%PDF-"}
    assert server.asked[0].headers["prefer"] == "wait=30"
    assert server.asked[0].headers["authorization"] == "Bearer sohoa_key"


def test_each_call_has_a_key_of_its_own_unless_one_is_given(client: Client, server: Server) -> None:
    server.script = [answers(RECORD, 201)] * 3
    sign(client)
    sign(client)
    sign(client, idempotency_key="case 7")
    keys = [asked.headers["idempotency-key"] for asked in server.asked]
    assert len(set(keys)) == 3
    assert keys[2] == "case 7"


def test_retry_after_is_honoured(client: Client, server: Server) -> None:
    server.script = [problem(503, "token-unavailable", Retry_After="1"), answers(RECORD, 201)]
    began = time.monotonic()
    sign(client)
    assert time.monotonic() - began >= 1


def test_patience_ends(server: Server) -> None:
    server.script = [problem(503, "token-unavailable", Retry_After="60")]
    with Client(server.url, None, patience_s=2) as client, pytest.raises(Busy) as busy:
        sign(client)
    assert busy.value.retry_after_s == 60
    assert busy.value.detail == "do something about token-unavailable"


def test_nobody_there() -> None:
    with Client("http://127.0.0.1:9", None, patience_s=0.5) as client, pytest.raises(NoAnswer):
        sign(client)


def test_what_might_happen_twice_is_not_sent_twice(client: Client, server: Server) -> None:
    """A POST without Idempotency-Key or If-Match: whether it took effect is not known."""
    server.script = [hangs_up]
    with pytest.raises(NoAnswer):
        client._transport.ask("POST", "/v1/webhooks/wh_1/test")
    assert len(server.asked) == 1


def test_refusal_carries_the_whole_document(client: Client, server: Server) -> None:
    document = {
        "code": "number-taken",
        "title": "Số đã cấp",
        "detail": "chọn số khác",
        "instance": "req_1",
        "errors": [{"field": "number", "message": "đã cấp"}],
    }
    server.script = [answers(document, 409)]
    with pytest.raises(Conflict) as refused:
        sign(client)
    assert refused.value.code == "number-taken"
    assert refused.value.request_id == "req_1"
    assert refused.value.errors == (("number", "đã cấp"),)
    assert len(server.asked) == 1


def test_answer_that_is_no_document(client: Client, server: Server) -> None:
    server.script = [answers(b"<html>", 500)]
    with pytest.raises(Refused) as refused:
        client.record("sig_1")
    assert (refused.value.status, refused.value.code) == (500, "")


def test_record_under_way_is_followed(client: Client, server: Server) -> None:
    under_way = {**RECORD, "state": "signing"}
    server.script = [answers(under_way, 202), answers(under_way), answers(RECORD)]
    assert sign(client).is_published
    server.script = [answers({**RECORD, "state": "accepted"}, 202)]
    accepted = sign(client, wait_s=0)
    assert not accepted.is_settled
    assert "prefer" not in server.asked[-1].headers
    with pytest.raises(StillWorking) as still:
        client.wait(accepted, timeout_s=0)
    assert still.value.resource == accepted


def test_record_that_failed(client: Client, server: Server) -> None:
    failed = {
        **RECORD,
        "state": "failed",
        "error": {"kind": "UnsuitableDocument", "message": "not a PDF"},
    }
    server.script = [answers(failed)]
    with pytest.raises(Conflict, match="not a PDF"):
        client.wait(Record.read({**RECORD, "state": "signing"}))


def test_download_goes_on_where_it_broke_off(
    client: Client, server: Server, tmp_path: Path
) -> None:
    server.script = [
        answers(CONTENT, cut=1000),
        answers(CONTENT[1000:], 206, cut=500),
        answers(CONTENT),  # a server that does not know ranges begins anew
    ]
    target = client.download(Record.read(RECORD), tmp_path / "signed.pdf")
    assert target.read_bytes() == CONTENT
    assert [asked.headers.get("range") for asked in server.asked] == [
        None,
        "bytes=1000-",
        "bytes=1500-",
    ]


def test_damaged_download_leaves_nothing(client: Client, server: Server, tmp_path: Path) -> None:
    (tmp_path / "signed.pdf").write_bytes(b"earlier")
    server.script = [answers(CONTENT + b"!"), answers(CONTENT + b"!")]
    with pytest.raises(DamagedDownload):
        client.download(Record.read(RECORD), tmp_path / "signed.pdf")
    with pytest.raises(DamagedDownload):
        client.read(Record.read(RECORD))
    assert [path.name for path in tmp_path.iterdir()] == ["signed.pdf"]
    assert (tmp_path / "signed.pdf").read_bytes() == b"earlier"


def test_upload_goes_on_after_a_break(client: Client, server: Server, tmp_path: Path) -> None:
    content = bytes(range(256)) * 40_000  # 10 MB: three parts
    (tmp_path / "large").write_bytes(content)
    four = 4 << 20
    server.script = [
        answers(b"", 204, Upload_Offset="0"),
        answers({"offset": four, "complete": False}),
        hangs_up,
        answers({"offset": 2 * four, "complete": False}),
        problem(409, "conflict"),  # somebody else sent the rest meanwhile
        answers(b"", 200, Upload_Offset=str(len(content))),
    ]
    told: list[int] = []
    blob = client.upload(tmp_path / "large", progress=lambda done, total: told.append(done))
    assert blob == Blob(hashlib.sha256(content).hexdigest(), len(content))
    assert told == [0, four, 2 * four, len(content)]
    parts = [asked for asked in server.asked if asked.method == "PUT"]
    assert parts[0].headers["content-range"] == f"bytes 0-{four - 1}/{len(content)}"
    assert parts[1].body == parts[2].body == content[four : 2 * four]


def test_large_documents_are_uploaded_first(client: Client, server: Server) -> None:
    large = bytes(9 << 20)
    digest = hashlib.sha256(large).hexdigest()
    server.script = [answers(b"", 200, Upload_Offset="1"), answers(RECORD, 201)]
    client.sign(large, key="leader", profiles=["P1"], from_book=True)
    assert json.loads(server.asked[-1].body) == {
        "document": {"sha256": digest},
        "order": {"key": "leader", "profiles": ["P1"], "level": "B-LTA", "from_book": True},
    }


def test_pages_are_followed(client: Client, server: Server) -> None:
    second = {**RECORD, "id": "sig_2"}
    server.script = [
        answers({"items": [RECORD], "next": "sig_1"}),
        answers({"items": [second], "next": None}),
    ]
    assert [record.id for record in client.records(state="published")] == ["sig_1", "sig_2"]
    assert "after=sig_1" in server.asked[1].path
    assert "state=published" in server.asked[1].path


def test_events_go_on_after_a_break(client: Client, server: Server) -> None:
    def event(name: str, number: int) -> bytes:
        return f'id: {number}\r\nevent: {name}\r\ndata: {{"published": {number}}}\r\n\r\n'.encode()

    whole = event("progress", 1) + b": ping\r\n\r\n" + event("progress", 2)
    server.script = [
        answers(whole + b"id: 3\r\ndata", cut=len(whole) + 5),
        answers(event("done", 3)),
    ]
    batch = Resource("bat_1", "running", 1, {})
    events = list(client.batches.events(batch))
    assert [(one.name, one.data["published"]) for one in events] == [
        ("progress", 1),
        ("progress", 2),
        ("done", 3),
    ]
    assert server.asked[1].headers["last-event-id"] == "2"


def test_moves_say_which_version_was_read(client: Client, server: Server) -> None:
    batch = {"id": "bat_1", "state": "running", "version": 5}
    server.script = [answers({**batch, "state": "paused", "version": 6}), answers(batch)]
    paused = client.batches.pause(Resource.read(batch))
    client.batches.resume(paused)
    assert [asked.headers["if-match"] for asked in server.asked] == ['"5"', '"6"']


def test_report_is_neither_true_nor_false() -> None:
    report = Verification("TOTAL-FAILED", None, {})
    assert not report.has_passed
    with pytest.raises(TypeError):
        bool(report)


def test_signed_requests_need_a_whole_key() -> None:
    with pytest.raises(ValueError, match="sohoa_<id>_<secret>"):
        Client("http://127.0.0.1:9", "sohoa_half", signed=True)


def test_proxies_of_the_environment_are_not_asked(
    client: Client, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.script = [answers(RECORD)]
    with Client(server.url) as other:
        assert other.record("sig_1").id == "sig_1"
    assert cast(str, server.asked[0].headers["user-agent"]) == "sohoa-client/1"
