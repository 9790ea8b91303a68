"""Whether the process answers, and whether the service can work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.doorway import JSONAnswer
from api.problem_documents import problems

router = APIRouter(tags=["Tình trạng / Health"])
_PARTS: dict[str, Any] = {
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["ready", "parts"],
                "properties": {
                    "ready": {"type": "boolean"},
                    "parts": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            }
        }
    }
}


@router.get("/healthz", responses=problems(), summary="Tiến trình còn trả lời. / Alive.")
async def healthz() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}


@router.get(
    "/readyz",
    responses={
        **problems(),
        200: {"description": "Sẵn sàng. / Ready.", **_PARTS},
        503: {"description": "Có phần chưa sẵn sàng. / A part is not ready.", **_PARTS},
    },
    summary="Từng phần có làm việc được không. / Whether each part works.",
)
async def readyz(request: Request) -> Response:
    """Token, database, blob store, clock and TSA by name; 503 when one of them does not work."""
    parts = await request.app.state.readiness.parts()
    ready = all(part.is_ok for part in parts.values())
    body = {"ready": ready, "parts": {name: part.state for name, part in parts.items()}}
    return JSONAnswer(body, 200 if ready else 503, {} if ready else {"retry-after": "1"})
