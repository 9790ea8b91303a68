"""Whether the process answers, and whether the service can work."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from api.telemetry import MetricsPage
from api.telemetry.page import CONTENT_TYPE
from api.web.doorway import JSONAnswer, blocking
from api.web.problem_documents import problems

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


@router.get(
    "/metrics",
    responses={
        **problems(404),
        200: {
            "description": "Số đo cho Prometheus. / Figures for Prometheus.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
    },
    response_class=Response,
    summary="Số đo của mọi tiến trình. / Figures of all processes.",
)
async def metrics(request: Request) -> Response:
    """Prometheus text: this process's figures, and those that the others left in the database."""
    page: MetricsPage | None = getattr(request.app.state, "metrics", None)
    if page is None:
        raise HTTPException(404)
    return Response(await blocking(page.render), media_type=CONTENT_TYPE)
