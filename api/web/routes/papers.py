"""Papers: people take one, type, confirm, end their check, or decide that it goes another way.

A paper is changed by whoever has it before them: `POST /v1/checking/next` gives the most urgent one
under a lease that every request renews. Who lost it is told who has it (409 ``lease-lost``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from api.web import openapi
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    JSONAnswer,
    Limit,
    blocking,
    listing,
    resource,
)
from api.web.paper_views import (
    PATH,
    CandidateView,
    ChecklistView,
    ConfirmForm,
    CorrectionView,
    Dossier,
    DraftForm,
    EntryView,
    HealthView,
    LeaseView,
    MissingView,
    NextView,
    PaperView,
    ReasonForm,
    Station,
    TargetPath,
    WantedForm,
    checklist_shown,
    correction_shown,
    entry_shown,
    missing_shown,
    shown,
)
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import IdPath, Line, Page
from dossier.checking.looking import WAITING, cursor_of
from dossier.checking.taking import Wanted
from dossier.checking.values import Entry, Paper, Target
from dossier.errors import NotFound
from dossier.stacks.values import PaperState

router = APIRouter(tags=["Giấy tờ / Papers"])
KeyPath = Annotated[
    str, Path(pattern=r"^[a-z0-9-]{1,80}$", description="Mã cảnh báo. / The finding's key.")
]
_READ: dict[int | str, dict[str, Any]] = {
    200: openapi.TAGGED,
    **problems(401, 403, 404, 422, 429),
}
_SEEN: dict[int | str, dict[str, Any]] = problems(401, 403, 404, 409, 422, 429)
DONE: dict[int | str, dict[str, Any]] = {
    200: openapi.TAGGED,
    **problems(400, 401, 403, 404, 408, 409, 412, 413, 422, 429),
}
_TYPED: dict[int | str, dict[str, Any]] = problems(400, 401, 403, 404, 408, 409, 412, 413, 422, 429)


async def answered(request: Request, work: Callable[[], Paper]) -> Response:
    """A paper that was changed, with its entity tag."""
    paper = await blocking(work)
    return resource(request, shown(paper), version=paper.version)


# --- looking -----------------------------------------------------------------------------------


@router.get(
    PATH,
    response_model=Page[PaperView],
    responses=problems(401, 403, 422, 429),
    summary="Giấy tờ chờ xử lý, gấp trước. / Papers that wait, the most urgent first.",
)
async def list_papers(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[
        list[PaperState] | None, Query(max_length=10, description="Trạng thái; lặp lại được.")
    ] = None,
    station: Station = None,
    dossier: Dossier = None,
) -> Response:
    """Those that wait to be checked or are held, if no state is named."""
    wanted = Wanted(station, dossier)

    def work() -> list[Paper]:
        found: list[Paper] = house.checking.queue(
            caller, after, limit + 1, states=state or WAITING, wanted=wanted
        )
        return found

    found = await blocking(work)
    cursor = cursor_of(found[limit - 1]) if len(found) > limit else None
    return listing(request, [shown(paper) for paper in found[:limit]], cursor, limit)


@router.get(
    "/v1/checking/health",
    response_model=HealthView,
    responses=problems(401, 403, 429),
    summary="Hàng đợi kiểm tra. / How the queue is.",
)
async def get_health(house: CurrentHouse, caller: CurrentCaller) -> Response:
    """Waiting, in hand, held, failed, and the age of the oldest."""
    return JSONAnswer((await blocking(house.checking.health, caller)).to_json())


@router.get(
    "/v1/dossiers/{dossier_code}/checklist",
    response_model=ChecklistView,
    responses=problems(401, 403, 404, 422, 429),
    summary="Thành phần hồ sơ: thiếu gì, đến đâu. / What a dossier needs and has.",
)
async def get_checklist(
    house: CurrentHouse,
    caller: CurrentCaller,
    dossier_code: Annotated[Line, Path(min_length=1, max_length=64, description="Mã hồ sơ.")],
) -> Response:
    """By its cover sheets and its procedure. 404 where nothing is known of the dossier."""
    found = await blocking(house.checking.checklist, caller, dossier_code)
    if not (found.items or found.others):
        raise NotFound(
            "Chưa có tờ bìa hay giấy tờ nào của hồ sơ này. / There is no cover sheet and no paper "
            "of this dossier; check its code."
        )
    return JSONAnswer(checklist_shown(found))


@router.get(
    PATH + "/{paper_id}",
    response_model=PaperView,
    responses=_READ,
    summary="Một giấy tờ. / One paper.",
)
async def get_paper(house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath) -> Response:
    """State, who has it, who checked it."""
    paper = await blocking(house.checking.get, caller, paper_id)
    # a lease that is renewed is no new version, so that autosaves disturb nobody
    return JSONAnswer(shown(paper), 200, {"etag": f'"{paper.version}"'})


@router.get(
    PATH + "/{paper_id}/missing",
    response_model=Page[MissingView],
    responses=_SEEN,
    summary="Còn thiếu gì để xong. / What is missing before the check may end.",
)
async def get_missing(house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath) -> Response:
    """For the caller: who checks second has to confirm by themselves."""
    return JSONAnswer(missing_shown(await blocking(house.checking.missing, caller, paper_id)))


@router.get(
    PATH + "/{paper_id}/entries",
    response_model=Page[EntryView],
    responses=_SEEN,
    summary="Những gì đã gõ. / What was typed.",
)
async def list_entries(house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath) -> Response:
    """Drafts and confirmations, the newest of each target."""
    found = await blocking(house.checking.entries, caller, paper_id)
    return JSONAnswer({"items": [entry_shown(one) for one in found.values()], "next": None})


@router.get(
    PATH + "/{paper_id}/corrections",
    response_model=Page[CorrectionView],
    responses=_SEEN,
    summary="Những gì đã sửa, ai, khi nào, vì sao. / What was corrected, by whom, when, why.",
)
async def list_corrections(
    house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath
) -> Response:
    """Oldest first; nothing is ever taken out."""
    found = await blocking(house.checking.corrections, caller, paper_id)
    return JSONAnswer({"items": [correction_shown(one) for one in found], "next": None})


@router.get(
    PATH + "/{paper_id}/reuse-candidates",
    response_model=Page[CandidateView],
    responses=_SEEN,
    summary="Bản đã số hóa có thể dùng lại. / Earlier records that may serve.",
)
async def list_candidates(house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath) -> Response:
    """Filed papers of the same bytes, or of the same number, symbol and agency."""
    found = await blocking(house.checking.candidates_for_reuse, caller, paper_id)
    items = [{"ground": one.ground.value, "paper": shown(one.paper)} for one in found]
    return JSONAnswer({"items": items, "next": None})


@router.get(
    PATH + "/{paper_id}/suggestions",
    response_model=dict[str, str],
    responses=_SEEN,
    summary="Gợi ý từ từ điển của đơn vị. / What the unit's lexicon proposes.",
)
async def get_suggestions(house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath) -> Response:
    """For doubtful words, by target; nothing is changed by it."""
    return JSONAnswer(dict(await blocking(house.checking.suggestions, caller, paper_id)))


# --- leases ------------------------------------------------------------------------------------


@router.post(
    "/v1/checking/next",
    response_model=NextView,
    responses=problems(400, 401, 403, 408, 413, 422, 429),
    summary="Lấy giấy tờ gấp nhất để kiểm tra. / Take the most urgent paper.",
)
async def take_next(house: CurrentHouse, caller: CurrentCaller, form: WantedForm) -> Response:
    """What the caller has already comes first. Null when nothing waits."""
    paper = await blocking(house.checking.next, caller, form.wanted())
    return JSONAnswer({"paper": None if paper is None else shown(paper)})


@router.put(
    PATH + "/{paper_id}/lease",
    response_model=PaperView,
    responses=DONE,
    summary="Nhận giấy tờ này, hoặc giữ tiếp. / Take this paper, or keep it.",
)
async def take_paper(
    request: Request, house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath
) -> Response:
    """409 ``lease-lost`` names who has it; one that ran out is taken over."""
    return await answered(request, lambda: house.checking.take(caller, paper_id))


@router.post(
    PATH + "/{paper_id}/lease/renewals",
    response_model=LeaseView,
    responses=_TYPED,
    summary="Gia hạn. / Renew the lease.",
)
async def keep_paper(house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath) -> Response:
    """For who reads and types nothing."""
    return JSONAnswer(
        {"lease_until": moment(await blocking(house.checking.keep, caller, paper_id))}
    )


@router.delete(
    PATH + "/{paper_id}/lease",
    response_model=PaperView,
    responses=DONE,
    summary="Trả giấy tờ về hàng đợi. / Give the paper back.",
)
async def release_paper(
    request: Request, house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath
) -> Response:
    """What was typed stays. May be repeated."""
    return await answered(request, lambda: house.checking.release(caller, paper_id))


# --- typing ------------------------------------------------------------------------------------


@router.put(
    PATH + "/{paper_id}/entries/{target}",
    response_model=EntryView,
    responses=_TYPED,
    summary="Lưu những gì đang gõ. / Keep what is being typed.",
)
async def type_entry(
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    target: TargetPath,
    form: DraftForm,
) -> Response:
    """Durable once answered. A `version` that is not newer changes nothing: see what is kept."""

    def work() -> Entry:
        kept: Entry = house.checking.type(
            caller, paper_id, Target.parse(target), form.value, form.version
        )
        return kept

    return JSONAnswer(entry_shown(await blocking(work)))


@router.put(
    PATH + "/{paper_id}/entries/{target}/confirmation",
    response_model=EntryView,
    responses=_TYPED,
    summary="Xác nhận một giá trị. / Confirm a value.",
)
async def confirm_entry(
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    target: TargetPath,
    form: ConfirmForm,
) -> Response:
    """A named person stands for it (D10); an empty value says that nothing is there."""

    def work() -> Entry:
        kept: Entry = house.checking.confirm(
            caller, paper_id, Target.parse(target), form.value, form.reason, form.version
        )
        return kept

    return JSONAnswer(entry_shown(await blocking(work)))


@router.delete(
    PATH + "/{paper_id}/entries/{target}/confirmation",
    response_model=EntryView,
    responses=_TYPED,
    summary="Rút lại xác nhận. / Take a confirmation back.",
)
async def take_back_entry(
    house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath, target: TargetPath
) -> Response:
    """It is a draft again; that it was confirmed stays known. 404 where nothing was typed."""

    def work() -> Entry:
        kept: Entry | None = house.checking.take_back(caller, paper_id, Target.parse(target))
        if kept is None:
            raise NotFound("Chưa gõ gì ở mục này. / Nothing was typed here.")
        return kept

    return JSONAnswer(entry_shown(await blocking(work)))


@router.put(
    PATH + "/{paper_id}/findings/{key}",
    response_model=EntryView,
    responses=_TYPED,
    summary="Chấp nhận một cảnh báo, nêu lý do. / Let a finding stand, and say why.",
)
async def resolve_finding(
    house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath, key: KeyPath, form: ReasonForm
) -> Response:
    """Kept with who and when, and told in the record."""
    return JSONAnswer(
        entry_shown(await blocking(house.checking.resolve, caller, paper_id, key, form.reason))
    )
