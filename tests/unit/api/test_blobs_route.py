"""Uploads over HTTP: whole, in parts, cut off and gone on with; downloads of what is held."""

from __future__ import annotations

import asyncio
import hashlib
import os

import httpx
import pytest

from api.web.routes import blobs
from tests.fixtures_web import Web


def _path(data: bytes) -> str:
    return f"/v1/blobs/{hashlib.sha256(data).hexdigest()}"


def test_a_whole_blob_is_there_afterwards(web: Web) -> None:
    data = b"%PDF-1.7 scan"
    assert web.ask("HEAD", _path(data), as_="scanner").status_code == 404
    put = web.ask("PUT", _path(data), as_="scanner", content=data)
    assert put.status_code == 201
    assert put.json() == {
        "sha256": hashlib.sha256(data).hexdigest(),
        "offset": len(data),
        "total": len(data),
        "complete": True,
    }
    head = web.ask("HEAD", _path(data), as_="clerk")
    assert (head.status_code, head.headers["upload-offset"]) == (200, str(len(data)))
    assert web.ask("PUT", _path(data), as_="scanner", content=data).status_code == 200
    got = web.ask("GET", _path(data), as_="clerk")
    assert got.content == data
    assert got.headers["content-type"] == "application/octet-stream"


def test_parts_in_their_order(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "_PART_BYTES", 1000)
    data = os.urandom(10_000)
    for first in range(0, 10_000, 4000):
        last = min(first + 4000, 10_000) - 1
        answer = web.ask(
            "PUT",
            _path(data),
            as_="scanner",
            content=data[first : last + 1],
            headers={"content-range": f"bytes {first}-{last}/10000"},
        )
        assert answer.status_code == (201 if last == 9999 else 200), answer.text
        head = web.ask("HEAD", _path(data), as_="scanner")
        assert head.headers["upload-offset"] == str(last + 1)
        assert head.status_code == (200 if last == 9999 else 204)
    assert web.ask("GET", _path(data), as_="scanner").content == data


def test_an_upload_that_broke_off_goes_on(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client dies in the middle; what came before is kept, and asked for by HEAD."""
    monkeypatch.setattr(blobs, "_PART_BYTES", 1000)
    data = os.urandom(5000)
    pieces = iter([(data[:1500], True), (data[1500:2600], True)])
    sent: list[dict] = []

    async def receive() -> dict:
        for piece, more in pieces:
            return {"type": "http.request", "body": piece, "more_body": more}
        return {"type": "http.disconnect"}

    async def send(message: dict) -> None:
        sent.append(message)

    request = httpx.Request(
        "PUT",
        f"http://127.0.0.1{_path(data)}",
        headers={"authorization": f"Bearer {web.keys['scanner']}", "content-length": "5000"},
    )
    scope = {
        "type": "http",
        "method": "PUT",
        "path": request.url.path,
        "raw_path": request.url.raw_path,
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(k.lower(), v) for k, v in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asyncio.run(web.app(scope, receive, send))
    head = web.ask("HEAD", _path(data), as_="scanner")
    assert (head.status_code, head.headers["upload-offset"]) == (204, "2600")
    assert head.headers["upload-length"] == "5000"
    rest = web.ask(
        "PUT",
        _path(data),
        as_="scanner",
        content=data[2600:],
        headers={"content-range": "bytes 2600-4999/5000"},
    )
    assert rest.status_code == 201
    assert web.ask("GET", _path(data), as_="scanner").content == data
    assert not sent  # nobody is there to be answered


@pytest.mark.parametrize(
    ("headers", "content", "status"),
    [
        ({"content-range": "bytes 5-9/10"}, b"12345", 409),  # not where it stands
        ({"content-range": "bytes 5-4/10"}, b"", 400),
        ({"content-range": "bytes 0-4/10"}, b"123", 400),  # shorter than said
        ({"content-range": "bytes 0-4/10"}, b"1234567", 400),  # longer than said
        ({"content-range": "items 0-4/10"}, b"12345", 422),
        ({"content-range": f"bytes 0-4/{10**12}"}, b"12345", 422),  # larger than is taken
        ({}, b"something else", 422),
        ({"content-type": "no media type"}, b"x", 422),
    ],
)
def test_what_does_not_fit_is_refused(web: Web, headers, content, status) -> None:
    answer = web.ask("PUT", _path(b"1234567890"), as_="scanner", content=content, headers=headers)
    assert answer.status_code == status, answer.text
    assert web.ask("GET", _path(b"1234567890"), as_="scanner").status_code == 404


def test_roles_and_names(web: Web) -> None:
    data = b"x"
    assert web.ask("PUT", _path(data), as_="auditor", content=data).status_code == 403
    for name in ("..%2f..%2fetc%2fpasswd", "ABCDEF", "0" * 63, "0" * 65):
        answer = web.ask("PUT", f"/v1/blobs/{name}", as_="scanner", content=data)
        assert answer.status_code in (404, 422)
    assert web.ask("HEAD", _path(data), as_="scanner@B").status_code == 404


def test_a_neighbours_bytes_have_to_be_brought_again(web: Web) -> None:
    data = b"the same scan"
    assert web.ask("PUT", _path(data), as_="scanner", content=data).status_code == 201
    assert web.ask("GET", _path(data), as_="scanner@B").status_code == 404
    assert web.ask("PUT", _path(data), as_="scanner@B", content=data).status_code == 201
    assert web.ask("GET", _path(data), as_="scanner@B").content == data


def test_a_body_of_unknown_length_is_taken(web: Web) -> None:
    data = os.urandom(3000)

    async def pieces():
        for start in range(0, 3000, 1000):
            yield data[start : start + 1000]

    answer = web.ask("PUT", _path(data), as_="scanner", content=pieces())
    assert answer.status_code == 201
    assert web.ask("GET", _path(data), as_="scanner").content == data


def test_large_files_stream(web: Web) -> None:
    data = os.urandom(5 << 20)
    assert web.ask("PUT", _path(data), as_="scanner", content=data).status_code == 201
    got = web.ask("GET", _path(data), as_="scanner")
    assert got.content == data
    some = web.ask("GET", _path(data), as_="scanner", headers={"range": "bytes=1-4000000"})
    assert some.content == data[1:4000001]
