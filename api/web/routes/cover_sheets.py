"""Cover sheets: ordered as JSON, printed as PDF, looked up by their serial."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from api.web import openapi
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IdempotencyKey,
    Limit,
    blocking,
    listing,
    resource,
)
from api.web.downloads import disposition
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import Form, Line, Page
from dossier.intake.cover_sheet import AnnouncedComponent, printed_serial
from dossier.intake.sheets import IssuedSheet, SheetRequest
from dossier.model import JSON
from signer.coversheet import MAX_COMPONENTS

router = APIRouter(tags=["Tờ bìa / Cover sheets"])
PATH = "/v1/cover-sheets"
_PDF = "application/pdf"
_SHEET: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Một trang A4, PDF/A-2u. / One A4 page.",
        "content": {_PDF: {"schema": {"type": "string", "format": "binary"}}},
    }
}
Serial = Annotated[
    str, Path(pattern=r"^[0-9a-f]{20}$", description="Số tờ bìa. / The sheet's serial.")
]


class ComponentForm(Form):
    """A paper behind the sheet (thành phần hồ sơ); `pages`: those with something on them."""

    code: Line = Field(min_length=1, max_length=64, description="Mã thành phần hồ sơ.")
    name: Line = Field(min_length=1, max_length=300)
    pages: int = Field(ge=1, le=5000)


class CoverSheetForm(Form):
    """What follows the sheet: one dossier at one station, its components in their order."""

    dossier_code: Line = Field(min_length=1, max_length=64, description="Mã hồ sơ.")
    procedure_code: Line | None = Field(
        default=None, min_length=1, max_length=64, description="Mã thủ tục hành chính."
    )
    station: Line = Field(min_length=1, max_length=120, description="Trạm quét.")
    components: list[ComponentForm] = Field(min_length=1, max_length=MAX_COMPONENTS)
    valid_hours: int = Field(
        default=168,
        ge=1,
        le=8784,
        description="Hết hạn sau bấy nhiêu giờ; hết hạn thì không tách tập giấy nữa. / The sheet "
        "splits nothing after so many hours.",
    )

    def request(self) -> SheetRequest:
        """What is asked for."""
        components = tuple(AnnouncedComponent(c.code, c.name, c.pages) for c in self.components)
        return SheetRequest(
            self.dossier_code,
            self.station,
            components,
            self.procedure_code,
            dt.timedelta(hours=self.valid_hours),
        )


class ComponentView(BaseModel):
    """A paper that the sheet announces."""

    code: str
    name: str
    pages: int


class CoverSheetView(BaseModel):
    """A cover sheet. `printed_serial` is what stands on it; `stack_id` the first stack it split."""

    serial: str
    printed_serial: str
    dossier_code: str
    procedure_code: str | None
    station: str
    components: list[ComponentView]
    pages: int
    issued_at: str
    valid_until: str
    stack_id: str | None
    used_at: str | None
    links: dict[str, str]


def shown(sheet: IssuedSheet) -> dict[str, JSON]:
    """A sheet as clients see it."""
    base = f"{PATH}/{sheet.serial}"
    return {
        "serial": sheet.serial,
        "printed_serial": printed_serial(bytes.fromhex(sheet.serial)),
        "dossier_code": sheet.dossier_code,
        "procedure_code": sheet.procedure_code,
        "station": sheet.station,
        "components": [
            {"code": c.code, "name": c.name, "pages": c.pages} for c in sheet.components
        ],
        "pages": sum(component.pages for component in sheet.components),
        "issued_at": moment(sheet.issued_at),
        "valid_until": moment(sheet.valid_until),
        "stack_id": sheet.stack_id,
        "used_at": moment(sheet.used_at),
        "links": {"self": base, "sheet": f"{base}/sheet"},
    }


def _version(sheet: IssuedSheet) -> int:
    """A sheet changes once: when it splits its first stack."""
    return 1 if sheet.stack_id is None else 2


@router.post(
    PATH,
    status_code=201,
    response_model=CoverSheetView,
    responses={201: openapi.TAGGED, **problems(400, 401, 403, 404, 408, 409, 413, 422, 429)},
    summary="Lập tờ bìa có chữ ký. / Make a signed cover sheet.",
)
async def issue_cover_sheet(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    key: IdempotencyKey,
    form: CoverSheetForm,
) -> Response:
    """Print `links.sheet` and lay it before the papers: only such a sheet splits a stack."""
    sheet, _ = await blocking(house.sheets.issue, caller, form.request(), key)
    headers = {"location": f"{PATH}/{sheet.serial}"}
    return resource(request, shown(sheet), version=_version(sheet), status=201, headers=headers)


@router.get(
    PATH,
    response_model=Page[CoverSheetView],
    responses=problems(401, 422, 429),
    summary="Các tờ bìa, mới nhất trước. / Cover sheets, newest first.",
)
async def list_cover_sheets(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    dossier: Annotated[str | None, Query(max_length=64, description="Mã hồ sơ.")] = None,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.sheets.list, caller, after, limit + 1, dossier)
    cursor = found[limit - 1].cursor if len(found) > limit else None
    return listing(request, [shown(sheet) for sheet in found[:limit]], cursor, limit)


@router.get(
    PATH + "/{serial}",
    response_model=CoverSheetView,
    responses={**openapi.READ, **problems(401, 404, 422, 429)},
    summary="Một tờ bìa. / One cover sheet.",
)
async def get_cover_sheet(
    request: Request, house: CurrentHouse, caller: CurrentCaller, serial: Serial
) -> Response:
    """What it says, until when, and the first stack that it split."""
    sheet = await blocking(house.sheets.get, caller, serial)
    return resource(request, shown(sheet), version=_version(sheet))


@router.get(
    PATH + "/{serial}/sheet",
    response_class=Response,
    responses={**_SHEET, **problems(401, 404, 422, 429)},
    summary="Tờ bìa để in (PDF/A). / The sheet to print.",
)
async def get_cover_sheet_page(
    house: CurrentHouse, caller: CurrentCaller, serial: Serial
) -> Response:
    """The same bytes each time; its code is the one that was signed when it was made."""
    content = await blocking(house.sheets.pdf, caller, serial)
    headers = {"content-disposition": disposition(f"to-bia-{serial}.pdf")}
    return Response(content, media_type=_PDF, headers=headers)
