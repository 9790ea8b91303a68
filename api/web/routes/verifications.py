"""Verification of an uploaded PDF; nothing is stored."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from api.web import openapi
from api.web.body import too_large
from api.web.doorway import CurrentHouse, blocking
from api.web.intake import Intake
from api.web.problem_documents import problems
from dossier.errors import Overloaded

MAX_BYTES = 50 * 1024 * 1024
AT_ONCE = 2
"""Verifications that run at once: as many as `dossier.verifying.checkers` has processes."""
WAITING = 16
"""Verifications that may wait for their turn."""

router = APIRouter(tags=["Kiểm tra chữ ký / Verification"])
_REPORT: dict[str, Any] = {
    "description": "Báo cáo (EN 319 102-1). / The report.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["indication", "integrity", "signatures"],
                "properties": {
                    "indication": {"enum": ["TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED"]},
                    "integrity": {"type": "string"},
                    "signatures": {"type": "array", "items": {"type": "object"}},
                },
            }
        }
    },
}


class Turns:
    """Lets `at_once` in, `waiting` stand in line, and turns the others away. One event loop."""

    def __init__(self, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._count = 0

    async def __aenter__(self) -> None:
        if self._count >= self._most:
            raise Overloaded(
                "Đang có nhiều văn bản chờ kiểm tra; hãy thử lại sau. / Many documents wait to be "
                "verified; try again later."
            )
        self._count += 1
        try:
            await self._turn.acquire()
        except BaseException:
            self._count -= 1
            raise

    async def __aexit__(self, *exception: object) -> None:
        self._count -= 1
        self._turn.release()


@router.post(
    "/v1/verifications",
    responses={200: _REPORT, **problems(400, 408, 413, 422, 507)},
    openapi_extra=openapi.body(("application/pdf", openapi.BINARY)),
    summary="Kiểm tra chữ ký của một tệp PDF. / Verify the signatures of a PDF.",
)
async def verify(request: Request, house: CurrentHouse) -> Response:
    """Verify the PDF in the body (at most 50 MiB); needs no credentials.

    The file is read in a process of its own. One that exceeds the time or memory of a
    verification, or makes that process crash, gets 422 and harms nobody else.
    """
    size = 0
    async with Intake(house.settings.data_dir / "incoming") as intake:
        async for piece in request.stream():
            size += len(piece)
            if size > MAX_BYTES:
                raise too_large(MAX_BYTES)
            await intake.write(piece)
        path = await intake.to_file()
        async with request.app.state.verifying:
            report = await blocking(house.verifier.verify, path)
    return Response(report, media_type="application/json")
