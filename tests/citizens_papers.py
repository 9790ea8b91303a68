"""An issued decision as a citizen has it, and what a forger makes of it."""

from __future__ import annotations

import io

import pikepdf

from tests.clerical import decision
from tests.fixtures_signed import append
from tests.running_service import RunningService

_ALTERED = "Điều 1. Quyết định khác, số liệu hư cấu."


def sign(service: RunningService, document: bytes | None = None) -> bytes:
    """A decision that `service` signed for its leader, at B-LTA."""
    client = service.new_client()
    made = service.ask(
        "POST",
        "/v1/signatures",
        document or decision(),
        query={"key": "test-leader", "level": "B-LTA"},
        headers={
            "Content-Type": "application/pdf",
            "Idempotency-Key": "page",
            "Prefer": "wait=50",
        },
        authorised=client,
    )
    assert made.status == 201, made
    result = service.ask("GET", f"/v1/signatures/{made.json['id']}/result", authorised=client)
    assert result.status == 200
    return result.body


def altered(signed: bytes) -> bytes:
    """`signed` with another first article, by an incremental save."""
    with pikepdf.open(io.BytesIO(decision(body=_ALTERED))) as other:
        stream = other.pages[0].Contents.read_bytes()
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        contents = pdf.pages[0].Contents
        first = contents[0] if isinstance(contents, pikepdf.Array) else contents
        number = first.objgen[0]
    body = b"<< /Length %d >> stream\n%s\nendstream" % (len(stream), stream)
    return append(signed, {number: body})
