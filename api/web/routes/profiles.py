"""Appearance profiles: how signatures look, by which rule, from when to when."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request, Response

from api.web.door import language_of
from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer
from api.web.problem_documents import Language, problems
from api.web.schemas import Page, ProfileView
from dossier.errors import NotFound
from dossier.model import JSON
from signer.clock import VIETNAM

if TYPE_CHECKING:
    from signer.sealing.appearance.profiles import AppearanceProfile

router = APIRouter(tags=["Mẫu hiển thị / Profiles"])


def shown(profile: AppearanceProfile, language: Language, today: date) -> dict[str, JSON]:
    """A profile as clients see it."""
    rule = profile.model_dump(mode="json", include={"place", "image", "text", "font"})
    return {
        "id": profile.id,
        "title": profile.title_vi if language == "vi" else profile.title_en,
        "legal_basis": profile.legal_basis,
        "valid_from": profile.valid_from.isoformat(),
        "valid_to": profile.valid_to.isoformat() if profile.valid_to else None,
        "in_force": profile.in_force(today),
        "rule": rule,
    }


def _today() -> date:
    return datetime.now(UTC).astimezone(VIETNAM).date()


@router.get(
    "/v1/profiles",
    response_model=Page[ProfileView],
    responses=problems(401, 429),
    summary="Các mẫu hiển thị chữ ký. / Appearance profiles.",
)
async def list_profiles(request: Request, house: CurrentHouse, caller: CurrentCaller) -> Response:
    """Every version of every profile, in order."""
    del caller  # everybody who may ask sees the same
    language, today = language_of(request.scope), _today()
    items = [shown(profile, language, today) for profile in house.profiles.profiles]
    return JSONAnswer({"items": items, "next": None})


@router.get(
    "/v1/profiles/{profile_id}",
    response_model=ProfileView,
    responses=problems(401, 404, 422, 429),
    summary="Mẫu đang có hiệu lực. / The profile in force.",
)
async def get_profile(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    profile_id: Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")],
) -> Response:
    """The version in force today, else the latest one."""
    del caller
    versions = [p for p in house.profiles.profiles if p.id == profile_id]
    if not versions:
        raise NotFound(
            f"Không có mẫu hiển thị “{profile_id}”; xem /v1/profiles. / There is no profile of "
            "that name; see /v1/profiles."
        )
    today = _today()
    chosen = next((p for p in versions if p.in_force(today)), versions[-1])
    return JSONAnswer(shown(chosen, language_of(request.scope), today))
