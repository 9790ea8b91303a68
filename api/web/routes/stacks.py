"""Stacks: scans come in one by one, are read and split; people arrange the pages, with undo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from api.web import openapi
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IdempotencyKey,
    IfMatch,
    JSONAnswer,
    Limit,
    blocking,
    page,
)
from api.web.downloads import download, range_responses
from api.web.problem_documents import problems
from api.web.schemas import ID_PATTERN, IdPath, Page
from api.web.stack_views import (
    PATH,
    ArrangementView,
    EditForm,
    PriorityForm,
    ScanForm,
    ScanView,
    StackForm,
    StackPageView,
    StackView,
    arrangement_shown,
    edit_in,
    page_shown,
    scan_shown,
    shown,
)
from dossier.errors import StateConflict
from dossier.model import JSON, Caller
from dossier.stacks.values import Counts, Stack, StackState, Way
from dossier.storage.store import BlobInfo, missing

if TYPE_CHECKING:
    from api.house import House

router = APIRouter(tags=["Tập giấy / Stacks"])
PageIdPath = Annotated[str, Path(pattern=ID_PATTERN, description="Mã trang. / Page.")]
_CHANGED: dict[int | str, dict[str, Any]] = {
    200: openapi.TAGGED,
    **problems(400, 401, 403, 404, 408, 409, 412, 413, 422, 428, 429),
}
_DONE: dict[int | str, dict[str, Any]] = {
    200: openapi.TAGGED,
    **problems(401, 403, 404, 408, 409, 413, 422, 429),
}


def _answer(stack: Stack, counts: Counts | None = None, status: int = 200) -> Response:
    """With the entity tag of the state, for If-Match; counters move on without it."""
    headers = {"etag": f'"{stack.version}"'}
    if status == 201:
        headers["location"] = f"{PATH}/{stack.id}"
    return JSONAnswer(shown(stack, counts), status, headers)


# --- paper comes in ----------------------------------------------------------------------------


@router.post(
    PATH,
    status_code=201,
    response_model=StackView,
    responses={201: openapi.TAGGED, **problems(400, 401, 403, 404, 408, 409, 413, 422, 429)},
    summary="Mở một tập giấy. / Open a stack.",
)
async def open_stack(
    house: CurrentHouse, caller: CurrentCaller, key: IdempotencyKey, form: StackForm
) -> Response:
    """Upload scans to /v1/blobs, name them one by one at `links.scans`, then close the stack."""
    order, way = form.order(), Way(form.way)

    def work() -> Stack:
        stack: Stack = house.stacks.open(caller, way, order, key, urgent=form.urgent)[0]
        return stack

    return _answer(await blocking(work), status=201)


@router.post(
    PATH + "/{stack_id}/scans",
    status_code=201,
    response_model=ScanView,
    responses={**problems(400, 401, 403, 404, 408, 409, 413, 422, 429)},
    summary="Thêm một tệp quét. / Add a scan.",
)
async def add_scan(
    house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath, form: ScanForm
) -> Response:
    """Its pages are read at once. With `purpose`, to a stack that is arranged already."""

    def work() -> dict[str, JSON]:
        scan, _ = house.stacks.add_scan(
            caller,
            stack_id,
            form.sha256,
            form.name,
            side=form.side,
            position=form.position,
            purpose=form.edit(),
        )
        return scan_shown(scan)

    return JSONAnswer(await blocking(work), 201)


@router.post(
    PATH + "/{stack_id}/close",
    response_model=StackView,
    responses=_DONE,
    summary="Hết giấy: đọc xong thì tách. / No more paper: split once it is read.",
)
async def close_stack(house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath) -> Response:
    """May be repeated."""
    return _answer(await blocking(house.stacks.close, caller, stack_id))


@router.delete(
    PATH + "/{stack_id}",
    response_model=StackView,
    responses=_DONE,
    summary="Hủy tập giấy. / Cancel a stack.",
)
async def cancel_stack(house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath) -> Response:
    """What was scanned stays stored. Not once a paper of it is checked. May be repeated."""
    return _answer(await blocking(house.stacks.cancel, caller, stack_id))


@router.post(
    PATH + "/{stack_id}/priority",
    response_model=StackView,
    responses=_DONE,
    summary="Đưa lên trước, hoặc về chỗ cũ. / Put it before the others, or back among them.",
)
async def prioritise_stack(
    house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath, form: PriorityForm
) -> Response:
    """For a citizen who waits: its pages and papers go before the others."""

    def work() -> Stack:
        stack: Stack = house.stacks.prioritise(caller, stack_id, urgent=form.urgent)
        return stack

    return _answer(await blocking(work))


# --- looking -----------------------------------------------------------------------------------


@router.get(
    PATH,
    response_model=Page[StackView],
    responses=problems(401, 422, 429),
    summary="Các tập giấy, mới nhất trước. / Stacks, newest first.",
)
async def list_stacks(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[StackState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.stacks.list, caller, after, limit + 1, state)
    return page(request, [shown(stack) for stack in found], limit)


@router.get(
    PATH + "/{stack_id}",
    response_model=StackView,
    responses={200: openapi.TAGGED, **problems(401, 404, 422, 429)},
    summary="Một tập giấy: trạng thái, số trang, cảnh báo. / One stack.",
)
async def get_stack(house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath) -> Response:
    """State, counters, alarms. The entity tag is that of the state; counters move on."""
    stack, counts = await blocking(house.stacks.get, caller, stack_id)
    return _answer(stack, counts)


@router.get(
    PATH + "/{stack_id}/scans",
    response_model=Page[ScanView],
    responses=problems(401, 404, 422, 429),
    summary="Các tệp của tập giấy. / The files of a stack.",
)
async def list_scans(house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath) -> Response:
    """All of them, in their order."""
    found = await blocking(house.stacks.scans, caller, stack_id)
    return JSONAnswer({"items": [scan_shown(one) for one in found], "next": None})


@router.get(
    PATH + "/{stack_id}/pages",
    response_model=Page[StackPageView],
    responses=problems(401, 404, 422, 429),
    summary="Các trang theo thứ tự quét. / The pages in the order of scanning.",
)
async def list_pages(house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath) -> Response:
    """All that were found in the files until now."""
    found = await blocking(house.stacks.pages, caller, stack_id)
    return JSONAnswer({"items": [page_shown(one) for one in found], "next": None})


@router.get(
    PATH + "/{stack_id}/pages/{page_id}/picture",
    response_class=Response,
    responses={**range_responses("image/webp"), **problems(401, 404, 409, 416, 422, 429)},
    summary="Ảnh của một trang (WebP). / The picture of a page.",
)
async def get_picture(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    stack_id: IdPath,
    page_id: PageIdPath,
) -> Response:
    """Upright, at screen size. 409 until the page is read."""
    info = await blocking(_picture_of, house, caller, stack_id, page_id)
    return await download(
        request, house.blobs, info, media_type="image/webp", filename=f"{page_id}.webp"
    )


def _picture_of(house: House, caller: Caller, stack_id: str, page_id: str) -> BlobInfo:
    found = house.stacks.page(caller, stack_id, page_id)
    if found.picture_sha256 is None:
        raise StateConflict(
            f"Trang đang ở trạng thái “{found.state}”, chưa có ảnh. / The page is {found.state}, "
            "without a picture; wait until it is read."
        )
    info = house.blobs.stat(found.picture_sha256)
    if info is None:
        raise missing(found.picture_sha256)
    return info


@router.get(
    PATH + "/{stack_id}/arrangement",
    response_model=ArrangementView,
    responses={200: openapi.TAGGED, **problems(401, 404, 409, 422, 429)},
    summary="Trang nào thuộc giấy tờ nào. / Which page is in which paper.",
)
async def get_arrangement(house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath) -> Response:
    """409 until the stack is split. The entity tag is the stack's, for If-Match of an edit."""

    def work() -> tuple[Stack, dict[str, JSON]]:
        stack, _ = house.stacks.get(caller, stack_id)
        found = house.arranging.arrangement(caller, stack_id)
        if found is None:
            raise StateConflict(
                f"Tập giấy đang ở trạng thái “{stack.state}”, chưa được tách. / The stack is "
                f"{stack.state} and is not split yet; wait, or close it."
            )
        return stack, arrangement_shown(found)

    stack, told = await blocking(work)
    return JSONAnswer(told, 200, {"etag": f'"{stack.version}"'})


# --- arranging ---------------------------------------------------------------------------------


@router.post(
    PATH + "/{stack_id}/edits",
    response_model=StackView,
    responses=_CHANGED,
    summary="Sửa cách xếp trang. / Change how the pages lie.",
)
async def edit_stack(
    house: CurrentHouse,
    caller: CurrentCaller,
    stack_id: IdPath,
    version: IfMatch,
    form: Annotated[EditForm, Body()],
) -> Response:
    """No edit takes an image out; each can be undone. 409 once the paper is checked."""
    return _answer(await blocking(house.arranging.edit, caller, stack_id, edit_in(form), version))


@router.post(
    PATH + "/{stack_id}/undo",
    response_model=StackView,
    responses=_CHANGED,
    summary="Hoàn tác. / Undo.",
)
async def undo_edit(
    house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath, version: IfMatch
) -> Response:
    """Go back to the arrangement before."""
    return _answer(await blocking(house.arranging.undo, caller, stack_id, version))


@router.post(
    PATH + "/{stack_id}/redo",
    response_model=StackView,
    responses=_CHANGED,
    summary="Làm lại. / Redo.",
)
async def redo_edit(
    house: CurrentHouse, caller: CurrentCaller, stack_id: IdPath, version: IfMatch
) -> Response:
    """Do again what was undone last."""
    return _answer(await blocking(house.arranging.redo, caller, stack_id, version))
