"""Verification of an uploaded PDF; nothing is stored."""

from __future__ import annotations

import tempfile
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api.doorway import CurrentHouse, JSONAnswer, blocking
from api.errors import BodyTooLarge
from api.problem_documents import problems

MAX_BYTES = 50 * 1024 * 1024
router = APIRouter(tags=["Kiểm tra chữ ký / Verification"])


@router.post(
    "/v1/verifications",
    responses=problems(413, 422),
    summary="Kiểm tra chữ ký của một tệp PDF. / Verify the signatures of a PDF.",
)
async def verify(request: Request, house: CurrentHouse) -> Response:
    """Verify the PDF in the body (at most 50 MiB); nothing is stored."""
    with tempfile.TemporaryDirectory(prefix="sohoa-verify-") as folder:
        path = Path(folder) / "upload.pdf"
        size = 0
        with path.open("wb") as stream:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_BYTES:
                    raise BodyTooLarge(
                        f"Tệp lớn hơn {MAX_BYTES} byte. / The file is larger than {MAX_BYTES} "
                        "bytes."
                    )
                stream.write(chunk)
        report = await blocking(house.verifier.verify, path)
    return JSONAnswer(report.to_json())
