"""Bodies on their way in: bounded in size and time, digests, forms, files in memory and on disk."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
from pathlib import Path

import pytest

from api.errors import BodyTooLarge, BodyTooSlow, MalformedRequest
from api.web import body as body_module
from api.web.body import Body, parse_digest
from api.web.intake import IN_MEMORY_BYTES, Intake
from api.web.multipart import read_form
from tests.fixtures_web import Web


def _receive(*pieces: bytes, delay_s: float = 0.0):
    messages = [
        {"type": "http.request", "body": piece, "more_body": n < len(pieces) - 1}
        for n, piece in enumerate(pieces)
    ]

    async def receive() -> dict:
        await asyncio.sleep(delay_s)
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


async def _drain(body: Body) -> bytes:
    whole = b""
    while True:
        message = await body.next()
        whole += message.get("body", b"")
        if not message.get("more_body"):
            return whole


def test_the_limit_is_that_of_all_pieces() -> None:
    assert (
        asyncio.run(_drain(Body(_receive(b"12", b"34"), limit=4, content_digest=None))) == b"1234"
    )
    with pytest.raises(BodyTooLarge):
        asyncio.run(_drain(Body(_receive(b"12", b"345"), limit=4, content_digest=None)))


def test_every_known_digest_has_to_be_right() -> None:
    def told(data: bytes, name: str = "sha256", as_: str = "sha-256") -> str:
        return f"{as_}=:{base64.b64encode(hashlib.new(name, data).digest()).decode()}:"

    good = (
        told(b"1234"),
        told(b"1234", "sha512", "sha-512"),
        f"md5=:AAAA:, {told(b'1234')}",
        "unixsum=:AAAA:",
    )
    for digest in good:
        asyncio.run(_drain(Body(_receive(b"12", b"34"), limit=9, content_digest=digest)))
    for digest in (told(b"x"), f"{told(b'1234')}, {told(b'x', 'sha512', 'sha-512')}"):
        with pytest.raises(MalformedRequest):
            asyncio.run(_drain(Body(_receive(b"12", b"34"), limit=9, content_digest=digest)))
    for nonsense in ("sha-256", "sha-256=abc", "sha-256=:A:", ",", "sha-256=:====:"):
        with pytest.raises(MalformedRequest):
            parse_digest(nonsense)


def test_who_sends_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "IDLE_S", 0.05)
    with pytest.raises(BodyTooSlow):
        asyncio.run(_drain(Body(_receive(b"1", delay_s=5), limit=9, content_digest=None)))


def test_who_sends_a_byte_now_and_then_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "GRACE_S", 0.05)
    pieces = [b"1"] * 50
    with pytest.raises(BodyTooSlow):
        asyncio.run(_drain(Body(_receive(*pieces, delay_s=0.02), limit=99, content_digest=None)))


def test_a_slow_client_gets_408(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body_module, "IDLE_S", 0.05)

    async def slow():
        yield b"%PDF"
        await asyncio.sleep(1)

    answer = web.ask("POST", "/v1/verifications", content=slow())
    assert answer.status_code == 408
    assert not list((web.folder / "incoming").glob("*"))


def test_what_is_too_large_by_its_headers_is_not_read(web: Web) -> None:
    read = []

    async def body():
        read.append(True)
        yield b"{}"

    for headers in (
        {"content-length": str(10**12)},
        {"content-length": str(17 << 20), "content-type": "application/json"},
    ):
        answer = web.ask("POST", "/v1/signatures", as_="clerk", content=body(), headers=headers)
        assert answer.status_code == 413
    assert not read


@pytest.mark.parametrize("size", [0, 1, 1000, IN_MEMORY_BYTES, IN_MEMORY_BYTES + 1, 3_000_000])
def test_an_intake_keeps_every_byte_and_leaves_nothing(tmp_path: Path, size: int) -> None:
    data = random.Random(size).randbytes(size)

    async def take() -> None:
        async with Intake(tmp_path / "in") as intake:
            for start in range(0, size, 65_536):
                await intake.write(data[start : start + 65_536])
            received = await intake.finish()
            assert received.sha256 == hashlib.sha256(data).hexdigest()
            assert received.size_bytes == size
            held = received.source
            if size > IN_MEMORY_BYTES:
                assert isinstance(held, Path)
                assert held.read_bytes() == data
                assert held.stat().st_mode & 0o077 == 0
            else:
                assert held == data

    asyncio.run(take())
    assert not (tmp_path / "in").exists() or not list((tmp_path / "in").iterdir())


BOUNDARY = "vach-ngan"


def _part(name: str, value: bytes, filename: str | None = None) -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + value + b"\r\n"


_END = f"--{BOUNDARY}--\r\n".encode()


async def _read(tmp_path: Path, form: bytes, chunk: int, boundary: str = BOUNDARY):
    async def stream():
        for start in range(0, len(form), chunk):
            yield form[start : start + chunk]

    async with Intake(tmp_path / "in") as intake:
        entries = await read_form(
            f"multipart/form-data; boundary={boundary}",
            stream(),
            intake,
            document="document",
            entries=("order",),
        )
        return entries, (await intake.finish()).source


@pytest.mark.parametrize("chunk", [1, 7, 100_000])
def test_a_form_however_it_is_cut(tmp_path: Path, chunk: int) -> None:
    pdf = b"%PDF\r\n--vach\r\n" + bytes(range(256))
    form = _part("document", pdf, "../../x.pdf") + _part("order", b'{"key":"a"}') + _END
    entries, document = asyncio.run(_read(tmp_path, form, chunk))
    assert entries == {"order": b'{"key":"a"}'}
    assert document == pdf
    assert not list(tmp_path.rglob("x.pdf"))


@pytest.mark.parametrize(
    "form",
    [
        b"",
        b"no form at all",
        _part("order", b"{}") + _END,  # no document
        _part("document", b"x", "x") + _END,  # no order
        _part("document", b"x", "x") + _part("order", b"{}"),  # ends early
        _part("document", b"x") + _part("document", b"y") + _part("order", b"{}") + _END,
        _part("spam", b"x") + _END,
        _part("order", b"x" * 70_000) + _part("document", b"x") + _END,
        f"--{BOUNDARY}\r\n".encode() + b"X-Long: " + b"a" * 5000 + b"\r\n\r\nx\r\n" + _END,
        f"--{BOUNDARY}\r\n\r\nnameless\r\n".encode() + _END,
    ],
)
def test_a_form_that_is_none_is_refused(tmp_path: Path, form: bytes) -> None:
    with pytest.raises(MalformedRequest):
        asyncio.run(_read(tmp_path, form, 1000))


def test_no_header_or_path_breaks_the_door(web: Web) -> None:
    """Random bytes in paths, headers and bodies: always an answer, never a 5xx."""
    rng = random.Random(20260105)
    names = ("prefer", "range", "if-match", "if-none-match", "content-digest", "accept-language")
    paths = ("/v1/signatures", "/v1/blobs/", "/v1/audit", "/csc/v2/info", "/v1/verifications", "/")
    statuses = set()
    for n in range(300):
        noise = "".join(chr(rng.randrange(0x20, 0x7F)) for _ in range(rng.randrange(40)))
        path = rng.choice(paths) + "".join(
            f"%{rng.randrange(256):02x}" for _ in range(rng.randrange(4))
        )
        answer = web.ask(
            rng.choice(("GET", "POST", "PUT", "DELETE", "HEAD")),
            path,
            as_=rng.choice((None, "clerk", "auditor")) if n % 40 else None,
            headers={rng.choice(names): noise.strip()},
            content=rng.randbytes(rng.randrange(50)),
        )
        statuses.add(answer.status_code)
    assert max(statuses) < 500
    assert {401, 404, 405} <= statuses
