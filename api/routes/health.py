"""Whether the process answers, and whether the service can work."""

from __future__ import annotations

from fastapi import APIRouter

from api.problem_documents import problems

router = APIRouter(tags=["Tình trạng / Health"])


@router.get("/healthz", responses=problems(), summary="Tiến trình còn trả lời. / Alive.")
async def healthz() -> dict[str, str]:
    """The process answers; nothing else is asked."""
    return {"status": "ok"}
