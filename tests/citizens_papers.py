"""An issued decision as a citizen has it, and what a forger makes of it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pikepdf
import segno
from cryptography.hazmat.primitives.serialization import Encoding

from tests.clerical import decision
from tests.fakes import SoftwareKey
from tests.fixtures_installation import run_sohoa
from tests.fixtures_signed import append
from tests.printed_codes import code_text
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


def installation(data: Path, proof_key: SoftwareKey) -> Path:
    """A new installation in `data` that believes codes on printouts signed by `proof_key`."""
    done = run_sohoa("init", "--data", data)
    assert done.code == 0, done.told
    pem = data / "proof-key.pem"
    pem.write_bytes(proof_key.certificate.public_bytes(Encoding.PEM))
    settings = data / "sohoa.toml"
    text, count = re.subn(
        r"(?m)^proof_keys = .*$", f'proof_keys = ["{pem.name}"]', settings.read_text("utf-8")
    )
    assert count == 1
    settings.write_text(text, "utf-8")
    return data


def printed_code(
    document: bytes, key: SoftwareKey, *, forged: bool = False, **claims: str
) -> bytes:
    """The code on a printout as a picture (PNG); `forged`: one character of it is another."""
    text = str(code_text(document, key, **claims))
    if forged:
        text = text[:-9] + ("A" if text[-9] != "A" else "B") + text[-8:]
    out = io.BytesIO()
    segno.make(text, error="m").save(out, kind="png", scale=6, border=6)
    return out.getvalue()
