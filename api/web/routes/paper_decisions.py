"""What people decide about papers: the check ends, or the paper is held, refused, reused, reopened.

Ending a check needs the lease (`api.web.routes.papers`), trying a failed record again nothing; the
others the version that was read, too.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from api.web.doorway import CurrentCaller, CurrentHouse, IfMatch
from api.web.paper_views import PATH, PaperView, ReasonForm, RefusalForm, ReuseForm
from api.web.problem_documents import problems
from api.web.routes.papers import DONE, answered
from api.web.schemas import IdPath

router = APIRouter(tags=["Giấy tờ / Papers"])
_MATCHED: dict[int | str, dict[str, Any]] = {**DONE, **problems(428)}


@router.post(
    PATH + "/{paper_id}/finish",
    response_model=PaperView,
    responses=DONE,
    summary="Kiểm tra xong. / End the check.",
)
async def finish_paper(
    request: Request, house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath
) -> Response:
    """409 lists what is missing. After the last check that is needed, the record is made."""
    return await answered(request, lambda: house.checking.finish(caller, paper_id))


@router.post(
    PATH + "/{paper_id}/hold",
    response_model=PaperView,
    responses=_MATCHED,
    summary="Tạm dừng, nêu lý do. / Hold it, and say why.",
)
async def hold_paper(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    version: IfMatch,
    form: ReasonForm,
) -> Response:
    """It waits until it is resumed."""
    return await answered(
        request, lambda: house.checking.hold(caller, paper_id, form.reason, version)
    )


@router.post(
    PATH + "/{paper_id}/resume",
    response_model=PaperView,
    responses=_MATCHED,
    summary="Đưa trở lại hàng đợi. / Put it back into the queue.",
)
async def resume_paper(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    version: IfMatch,
) -> Response:
    """Of a paper that was held."""
    return await answered(request, lambda: house.checking.resume(caller, paper_id, version))


@router.post(
    PATH + "/{paper_id}/reopen",
    response_model=PaperView,
    responses=_MATCHED,
    summary="Mở lại để kiểm tra. / Open it again.",
)
async def reopen_paper(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    version: IfMatch,
    form: ReasonForm,
) -> Response:
    """What was made of it is discarded; what people confirmed stands until they say otherwise."""
    return await answered(
        request, lambda: house.checking.reopen(caller, paper_id, form.reason, version)
    )


@router.post(
    PATH + "/{paper_id}/retry",
    response_model=PaperView,
    responses=DONE,
    summary="Thử lập bản ghi lại. / Try the record again.",
)
async def retry_paper(
    request: Request, house: CurrentHouse, caller: CurrentCaller, paper_id: IdPath
) -> Response:
    """Once the cause is gone: of a paper whose record, mark or seal failed, or was held by that.

    The checks stand, and record, mark and seal follow by themselves. 409 where nothing failed, with
    what to do instead.
    """
    return await answered(request, lambda: house.filing.retry(caller, paper_id))


@router.post(
    PATH + "/{paper_id}/refusal",
    response_model=PaperView,
    responses=_MATCHED,
    summary="Không số hóa, nêu căn cứ. / Not to be digitized, on a ground.",
)
async def refuse_paper(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    version: IfMatch,
    form: RefusalForm,
) -> Response:
    """Shared data, photocopy, only shown, or secret (TT 01/2023/TT-VPCP)."""
    return await answered(
        request,
        lambda: house.checking.refuse(caller, paper_id, form.ground, form.reason, version),
    )


@router.post(
    PATH + "/{paper_id}/reuse",
    response_model=PaperView,
    responses=_MATCHED,
    summary="Dùng lại bản đã số hóa. / Let an earlier record serve.",
)
async def reuse_paper(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    paper_id: IdPath,
    version: IfMatch,
    form: ReuseForm,
) -> Response:
    """It has to be filed, and of the same agency."""
    return await answered(
        request, lambda: house.checking.reuse(caller, paper_id, form.earlier, version)
    )
