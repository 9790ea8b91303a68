"""The list of stacks, and the ways in: a new stack, files, a network scanner; close, cancel, hurry.

GET  /console                              the list, and the form of a new stack
POST /console/stacks                       a new stack; 303 to it
POST /console/stacks/{id}/files            files into it (multipart)
POST /console/stacks/{id}/scan             a network scanner into it; …/scan/stop
POST /console/stacks/{id}/{step}           close, cancel, hurry, calm
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from api.console.files import Purpose, add_file, read_upload
from api.console.screen import (
    HOME,
    back_to,
    console_of,
    require_form_token,
    require_own_origin,
    sent_form,
    show,
    signed_in,
)
from api.web.doorway import blocking, house_of
from dossier.errors import InvalidOrder, NotFound
from dossier.scanners.tickets import ScanWish
from dossier.scanners.values import ColorMode, InputSource
from dossier.stacks.edits import Insert, Replace
from dossier.stacks.order import PROFILES, StackOrder
from dossier.stacks.stacks import URGENT
from dossier.stacks.values import Counts, Stack, StackState, Way

if TYPE_CHECKING:
    from api.house import House
    from api.web.intake import Received
    from dossier.model import Caller

router = APIRouter(include_in_schema=False)
_LISTED = 30
_SOURCES = {"": None, "feeder": InputSource.FEEDER, "glass": InputSource.PLATEN}


@dataclass(frozen=True, slots=True)
class StackRow:
    """A stack of the list. `age_minutes` counts from when it was opened."""

    stack: Stack
    counts: Counts
    age_minutes: int

    @property
    def is_urgent(self) -> bool:
        """Whether it goes before the others."""
        return self.stack.priority <= URGENT


@router.api_route(HOME, methods=["GET", "HEAD"])
async def home(request: Request) -> Response:
    """The stacks of the agency, newest first."""
    session = await signed_in(request)
    house = house_of(request)
    after = request.query_params.get("after")
    rows = await blocking(_rows, house, session.caller, after)
    waiting = await blocking(house.jobs.waiting, "ocr")
    return show(
        request,
        session,
        "stacks.html",
        rows=rows[:_LISTED],
        next_after=rows[_LISTED - 1].stack.id if len(rows) > _LISTED else None,
        waiting=waiting,
        profiles=PROFILES,
        station=house.settings.record.station,
        once=secrets.token_hex(16),
        said=request.query_params.get("said", ""),
    )


def _rows(house: House, caller: Caller, after: str | None) -> list[StackRow]:
    now = datetime.now(UTC)
    found = []
    for stack in house.stacks.list(caller, after, _LISTED + 1):
        _, counts = house.stacks.get(caller, stack.id)
        age = now - stack.created_at
        found.append(StackRow(stack, counts, max(0, int(age.total_seconds() // 60))))
    return found


@router.post(f"{HOME}/stacks")
async def open_stack(request: Request) -> Response:
    """A new stack; the same form sent twice opens one. Raises `InvalidOrder`."""
    session, form = await sent_form(request)
    caller = session.caller
    pages = form.get("pages", "").strip()
    if pages and not (pages.isascii() and pages.isdigit()):
        raise InvalidOrder(
            "Số trang phải là chữ số. / The number of pages has to be digits.", field="pages"
        )
    order = StackOrder(
        station=form.get("station", "").strip(),
        officer=caller.name,
        reference=form.get("reference", "").strip(),
        profile=form.get("profile", "one-stop"),
        blank_sheets_separate="blank-separates" in form,
        dossier_code=form.get("dossier-code", "").strip(),
        pages=int(pages[:6]) if pages else None,
    )
    once = form.get("once", "")[:64]
    stack, _ = await blocking(
        house_of(request).stacks.open,
        caller,
        Way.CONSOLE,
        order,
        f"console-{once}" if once else None,
        urgent="urgent" in form,
    )
    return back_to(f"{HOME}/stacks/{stack.id}", "stack-opened")


@router.post(f"{HOME}/stacks/{{stack_id}}/files")
async def add_files(request: Request, stack_id: str) -> Response:
    """Files into the stack, in their order, or in the place of a page. 303 to the stack.

    What came before an error stays; sent again, each file is in the stack once.
    """
    require_own_origin(request)
    session = await signed_in(request)
    house = house_of(request)
    taken = 0
    purpose: Purpose = None

    async def admit(entries: Mapping[str, str]) -> None:
        nonlocal purpose
        require_form_token(session, entries.get("form-token", ""))
        await blocking(house.stacks.get, session.caller, stack_id)
        purpose = purpose_of(entries)

    async def take(name: str, received: Received) -> None:
        nonlocal taken
        await blocking(add_file, house, session.caller, stack_id, name, received, purpose=purpose)
        taken += 1

    entries = await read_upload(request, house.settings.data_dir / "incoming", admit, take)
    if not taken:
        raise InvalidOrder(
            "Chưa chọn tệp nào; hãy chọn tệp quét rồi gửi. / No file was chosen; choose scans, "
            "then send them.",
            field="files",
        )
    more = _place_of(entries)
    return back_to(f"{HOME}/stacks/{stack_id}", "files-taken", **more)


def _place_of(entries: Mapping[str, str]) -> dict[str, str]:
    """The page that a rescan or an insert is about stays before the person."""
    page = entries.get("page", "")
    return {"page": page} if page and entries.get("purpose") else {}


def purpose_of(entries: Mapping[str, str]) -> Purpose:
    """What the pages that come are for. Raises `InvalidOrder`."""
    wanted = entries.get("purpose", "")
    if wanted == "replace":
        return Replace(entries.get("page", ""), "")
    if wanted == "insert":
        return Insert(entries.get("paper", ""), entries.get("page", ""), "")
    if wanted:
        raise InvalidOrder(
            "Không có mục đích này; hãy tải lại trang. / There is no such purpose; load the page "
            "again.",
            field="purpose",
        )
    return None


@router.post(f"{HOME}/stacks/{{stack_id}}/scan")
async def scan(request: Request, stack_id: str) -> Response:
    """Begin to scan what lies in a network scanner. Raises `StateConflict`, `InvalidOrder`."""
    session, form = await sent_form(request)
    wish = ScanWish(
        source=_SOURCES.get(form.get("source", "")),
        duplex="duplex" in form,
        color_mode=ColorMode.RGB_24,
        paper=None if form.get("paper-size") == "max" else form.get("paper-size", "A4"),
    )
    await blocking(
        console_of(request.app).scans.start,
        session.caller,
        stack_id,
        form.get("device", ""),
        wish,
        purpose_of(form),
    )
    more = _place_of(form)
    return back_to(f"{HOME}/stacks/{stack_id}", "scan-begun", **more)


@router.post(f"{HOME}/stacks/{{stack_id}}/scan/stop")
async def stop_scan(request: Request, stack_id: str) -> Response:
    """End a run after the page that it is at."""
    session, _ = await sent_form(request)
    await blocking(house_of(request).stacks.get, session.caller, stack_id)
    console_of(request.app).scans.stop(stack_id)
    return back_to(f"{HOME}/stacks/{stack_id}", "scan-stopping")


@router.post(f"{HOME}/stacks/{{stack_id}}/{{step}}")
async def do_step(request: Request, stack_id: str, step: str) -> Response:
    """Close, cancel, hurry or calm a stack."""
    session, form = await sent_form(request)
    stacks, caller = house_of(request).stacks, session.caller
    place = f"{HOME}/stacks/{stack_id}"
    if step == "close":
        stack = await blocking(stacks.close, caller, stack_id)
        if stack.state is not StackState.OPEN:
            await blocking(console_of(request.app).scans.forget, stack_id)
    elif step == "cancel":
        await blocking(stacks.cancel, caller, stack_id)
        place = HOME
    elif step in ("hurry", "calm"):
        await blocking(stacks.prioritise, caller, stack_id, urgent=step == "hurry")
        if form.get("back") == "list":
            place = f"{HOME}#{stack_id}"
    else:
        raise NotFound("Không có thao tác này. / There is no such step.")
    return back_to(place, f"stack-{step}")


def scanning_values(request: Request, stack_id: str) -> dict[str, Any]:
    """What the templates need to offer scanning."""
    return {
        "scanners": sorted(house_of(request).settings.scanners),
        "run": console_of(request.app).scans.of(stack_id),
    }
