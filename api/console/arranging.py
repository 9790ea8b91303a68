"""One stack at work: the page strip, a page with its marks, and what people do to its pages.

GET  /console/stacks/{id}?page=…                          the screen
GET  /console/stacks/{id}/pages/{page}/picture.webp       ?turns=1&width=160
POST /console/stacks/{id}/do/{action}                     one of `ACTIONS`
POST /console/stacks/{id}/undo                            …/redo
GET  /console/find?code=…                                 what a barcode gun read
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response

from api.console.actions import ACTIONS
from api.console.pages import Sheet, sheet_of
from api.console.pictures import Part
from api.console.screen import (
    HOME,
    back_to,
    console_of,
    own_place,
    sent_form,
    show,
    signed_in,
)
from api.console.session import Session
from api.console.stacks import scanning_values
from api.console.strip import Strip, StripPage, Where, strip_of
from api.web.doorway import blocking, house_of
from dossier.errors import NotFound
from dossier.stacks.values import Counts, PageState, Stack, StackState
from dossier.storage.station_tables import papers

if TYPE_CHECKING:
    from api.house import House
    from dossier.model import Caller

router = APIRouter(include_in_schema=False)
_PLACE = f"{HOME}/stacks/{{stack_id}}"
_WIDTHS = (0, 160, 1000)
_PART = re.compile(r"(\d{1,4}),(\d{1,4}),(\d{1,4}),(\d{1,4})")
_CODE = re.compile(r"[\w./-]{1,64}")
_PRIVATE = {"cache-control": "private, max-age=600", "vary": "cookie"}


@dataclass(frozen=True, slots=True)
class Looked:
    """A stack as the screen shows it. `expected`: pages that cover sheets, or the order, say."""

    stack: Stack
    counts: Counts
    strip: Strip
    states: Mapping[str, str]
    expected: int | None
    can_undo: bool
    page: StripPage | None
    sheet: Sheet | None

    @property
    def is_arranged(self) -> bool:
        """Whether its pages may be moved."""
        return self.stack.state is StackState.ARRANGED

    @property
    def is_moving(self) -> bool:
        """Whether machines are at work on it, so that it is worth looking again."""
        return (
            self.stack.state in (StackState.OPEN, StackState.READING)
            or self.counts.scans_waiting > 0  # a rescan
            or any(page.page.state is PageState.WAITING for page in self.strip.pages)
            or any(state == "proposing" for state in self.states.values())
        )


def look(request: Request, caller: Caller, stack_id: str, page_id: str | None) -> Looked:
    """The stack and the page that is looked at: the one that was named, else the first.

    Blocks. Raises `NotFound`, also for another agency's, and `StoreError`.
    """
    house = house_of(request)
    stack, counts = house.stacks.get(caller, stack_id)
    present = house.arranging.arrangement(caller, stack_id)
    arrangement = present.arrangement if present is not None else None
    strip = strip_of(house.stacks.pages(caller, stack_id), arrangement)
    page = strip.page(page_id) if page_id else None
    if page is None:
        in_papers = (one for one in strip.pages if one.where is Where.PAPER)
        page = next(in_papers, next(iter(strip.pages), None))
    sheet = None
    if page is not None and page.has_picture:
        reading = console_of(request.app).readings.of(page.page.reading_sha256)
        sheet = sheet_of(page.page, page.turns, reading)
    return Looked(
        stack,
        counts,
        strip,
        _states(house, stack_id),
        _expected(house, caller, stack, strip),
        present is not None and present.before > 0,
        page,
        sheet,
    )


def _states(house: House, stack_id: str) -> dict[str, str]:
    """The states of a stack's papers; whoever asks has looked the stack up."""
    query = sa.select(papers.c.id, papers.c.state).where(papers.c.stack_id == stack_id)
    with house.database.read() as connection:
        return {row.id: row.state for row in connection.execute(query)}


def _expected(house: House, caller: Caller, stack: Stack, strip: Strip) -> int | None:
    """Pages that should be there: as the cover sheets announce, else as the order says."""
    serials = {row.paper.sheet_serial for row in strip.papers if row.paper.sheet_serial}
    announced = 0
    for serial in serials:
        with suppress(NotFound):  # printed by another installation of the agency
            sheet = house.sheets.get(caller, serial)
            announced += sum(component.pages for component in sheet.components)
    return announced or stack.order.pages


@router.api_route(_PLACE, methods=["GET", "HEAD"])
async def stack_screen(request: Request, stack_id: str) -> Response:
    """The screen of one stack."""
    session = await signed_in(request)
    asked = request.query_params.get("page")
    seen = await blocking(look, request, session.caller, stack_id, asked)
    before, behind = seen.strip.beside(seen.page.id) if seen.page else (None, None)
    return show(
        request,
        session,
        "stack.html",
        seen=seen,
        before=before,
        behind=behind,
        zoom=request.query_params.get("zoom") == "in",
        said=request.query_params.get("said", ""),
        **scanning_values(request, stack_id),
    )


@router.get(f"{_PLACE}/pages/{{page_id}}/picture.webp")
async def picture(
    request: Request, stack_id: str, page_id: str, turns: int = 0, width: int = 0
) -> Response:
    """A page's picture. Raises `NotFound`."""
    session = await signed_in(request)
    page = await blocking(house_of(request).stacks.page, session.caller, stack_id, page_id)
    if page.picture_sha256 is None or width not in _WIDTHS:
        raise NotFound("Trang này chưa có ảnh. / There is no picture of this page yet.")
    pictures = console_of(request.app).pictures
    content = await blocking(pictures.get, page.picture_sha256, turns % 4, width)
    return Response(content, media_type="image/webp", headers=_PRIVATE)


@router.get(f"{_PLACE}/pages/{{page_id}}/crop.webp")
async def crop(request: Request, stack_id: str, page_id: str, at: str, turns: int = 0) -> Response:
    """A part of the picture: ``at=x,y,width,height`` in thousandths of the page as it is shown."""
    session = await signed_in(request)
    page = await blocking(house_of(request).stacks.page, session.caller, stack_id, page_id)
    place = _PART.fullmatch(at)
    if page.picture_sha256 is None or place is None:
        raise NotFound("Trang này chưa có ảnh. / There is no picture of this page yet.")
    part = Part(*(int(number) for number in place.groups()))
    pictures = console_of(request.app).pictures
    content = await blocking(pictures.part, page.picture_sha256, turns % 4, part)
    return Response(content, media_type="image/webp", headers=_PRIVATE)


@router.post(f"{_PLACE}/do/{{action}}")
async def act(request: Request, stack_id: str, action: str) -> Response:
    """Do one thing to a page or a paper; it can be undone. Raises as `Arranging.edit`."""
    session, form = await sent_form(request)
    make = ACTIONS.get(action)
    if make is None:
        raise NotFound("Không có thao tác này. / There is no such action.")
    arranging = house_of(request).arranging

    def work() -> None:
        present = arranging.arrangement(session.caller, stack_id)
        if present is None:
            raise NotFound("Tập giấy chưa được chia. / The stack is not split yet.")
        pages = house_of(request).stacks.pages(session.caller, stack_id)
        edit = make(strip_of(pages, present.arrangement), form)
        arranging.edit(session.caller, stack_id, edit, _version(form))

    await blocking(work)
    return _back(form, stack_id, f"done-{action}")


@router.post(f"{_PLACE}/undo")
async def undo(request: Request, stack_id: str) -> Response:
    """Take the last thing back. Raises `StateConflict` when there is none."""
    session, form = await sent_form(request)
    arranging = house_of(request).arranging
    await blocking(arranging.undo, session.caller, stack_id, _version(form))
    return _back(form, stack_id, "undone")


@router.post(f"{_PLACE}/redo")
async def redo(request: Request, stack_id: str) -> Response:
    """Do again what was undone. Raises `StateConflict` when nothing was."""
    session, form = await sent_form(request)
    arranging = house_of(request).arranging
    await blocking(arranging.redo, session.caller, stack_id, _version(form))
    return _back(form, stack_id, "redone")


@router.api_route(f"{HOME}/find", methods=["GET", "HEAD"])
async def find(request: Request) -> Response:
    """Where a dossier's code, as a barcode gun reads it, leads: its newest stack, else a search."""
    session = await signed_in(request)
    code = request.query_params.get("code", "").strip()
    if _CODE.fullmatch(code):
        stack_id = await blocking(_newest, house_of(request), session, code)
        if stack_id is not None:
            return back_to(f"{HOME}/stacks/{stack_id}")
    return back_to(f"{HOME}/search?{urlencode({'q': code[:200]})}")


def _newest(house: House, session: Session, code: str) -> str | None:
    query = (
        sa.select(papers.c.stack_id)
        .where(papers.c.agency_id == session.caller.agency_id, papers.c.dossier_code == code)
        .order_by(papers.c.id.desc())
        .limit(1)
    )
    with house.database.read() as connection:
        found: str | None = connection.execute(query).scalar()
    return found


def _back(form: Mapping[str, str], stack_id: str, said: str) -> Response:
    page = form.get("page", "")
    more = {"page": page} if re.fullmatch(r"[\w-]{1,64}", page) else {}
    if form.get("zoom") == "in":
        more["zoom"] = "in"
    place = own_place(form.get("back", ""), f"{HOME}/stacks/{stack_id}")
    return back_to(place, said, **more)


def _version(form: Mapping[str, str]) -> int | None:
    text = form.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
