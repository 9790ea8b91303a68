"""What a printout is worth, from a photograph of its code; nothing is stored, nobody is asked."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, Request, Response

from api.errors import InputUnusable
from api.pinned import proof_certificates
from api.web import openapi
from api.web.body import too_large
from api.web.doorway import CurrentHouse, blocking
from api.web.intake import Intake
from api.web.problem_documents import problems

MAX_BYTES = 25 * 1024 * 1024
_KINDS = ("image/jpeg", "image/png", "image/tiff", "application/pdf", "application/octet-stream")

router = APIRouter(tags=["Bản in / Printouts"])
_STATUSES = ["genuine", "expired", "forged", "unknown-key", "no-proof", "not-found"]
_TEXT = {"type": ["string", "null"]}
_CLAIMS = {
    "type": ["object", "null"],
    "description": "Chỉ đáng tin khi status là genuine hoặc expired. / Proved only then.",
    "properties": {
        "issuer": {"type": "string"},
        "code": {"type": "string"},
        "number": _TEXT,
        "decided_on": _TEXT,
        "holder": _TEXT,
        "source_sha256": {"type": "string"},
        "issued_at": {"type": "string", "format": "date-time"},
        "valid_until": _TEXT,
    },
}
_ANSWER: dict[str, Any] = {
    "description": "Mã trên bản in đáng tin đến đâu. / What the code on the printout is worth.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["verdict", "sentence", "code"],
                "properties": {
                    "verdict": {"enum": ["code-genuine", "differs", "cannot-say"]},
                    "sentence": {"type": "object"},
                    "code": {
                        "type": "object",
                        "required": ["status", "claims"],
                        "properties": {"status": {"enum": _STATUSES}, "claims": _CLAIMS},
                    },
                },
            }
        }
    },
}


@router.post(
    "/v1/proofs",
    responses={200: _ANSWER, **problems(400, 408, 413, 422, 507)},
    openapi_extra=openapi.body(*((kind, openapi.BINARY) for kind in _KINDS)),
    summary="Kiểm tra mã trên ảnh chụp bản in. / Check the code in a photo of a printout.",
)
async def check(request: Request, house: CurrentHouse) -> Response:
    """Read the code in the image (JPEG, PNG, TIFF or PDF, at most 25 MiB); needs no credentials.

    The signature in the code is checked against this installation's keys. The words on the paper
    are not compared; `sohoa proof verify --record` does that. The image is read in a process of
    its own, and is gone afterwards.
    """
    size = 0
    async with Intake(house.settings.data_dir / "incoming") as intake:
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_BYTES:
                raise too_large(MAX_BYTES)
            await intake.write(piece)
        path = await intake.to_file()
        certificates = proof_certificates(None, house.settings)
        keys = [certificate.public_bytes(Encoding.DER) for certificate in certificates]
        async with request.app.state.verifying:
            now = dt.datetime.now(dt.UTC)
            answer = await blocking(house.verifier.printout, path, keys, now)
    unreadable = json.loads(answer).get("unreadable")
    if unreadable is not None:
        raise InputUnusable(
            "Không đọc được ảnh; hãy gửi JPEG, PNG, TIFF hoặc PDF của bản in. / The image cannot "
            f"be read; send a JPEG, PNG, TIFF or PDF of the printout. ({unreadable})"
        )
    return Response(answer, media_type="application/json")
