"""The cover sheet as paper: a page that people read and a code that splits the stack.

    sheet = make_cover_sheet(order, key, at)      # one use of the key of printed codes
    printer.send(sheet.pdf)

The code stands twice where there is room, so that one stain does not take both.
"""

from __future__ import annotations

import datetime as dt
import io
import secrets
from dataclasses import dataclass

from dossier.paper.pages import BOTTOM, LEFT, RIGHT, Colour, Pages, PagesFacts
from hsm.keys import SigningKey
from signer.clock import VIETNAM
from signer.coversheet import (
    SERIAL_BYTES,
    CoverSheetClaims,
    SheetComponent,
    sign_cover_sheet,
)
from signer.sealing.appearance.symbol import QUIET_MODULES, Symbol, symbol_of_bytes

_POINTS_PER_MM = 72 / 25.4
_CODE = 72 * _POINTS_PER_MM
_TITLE, _BIG, _BODY, _SMALL = 17.0, 13.0, 10.0, 8.0
_ROW, _LEAST_ROW = 15.0, 10.2
_COLUMNS = (LEFT, LEFT + 24, LEFT + 130, RIGHT - 40)  # number, code, name, pages


@dataclass(frozen=True, slots=True)
class AnnouncedComponent:
    """A paper that lies behind the sheet: its code, its name for people, its pages."""

    code: str
    name: str
    pages: int


@dataclass(frozen=True, slots=True)
class CoverSheetOrder:
    """What a cover sheet should say. `agency` is the identifier, `agency_name` for people.

    `valid_for` counts from when the sheet is made.
    """

    agency: str
    agency_name: str
    dossier: str
    station: str
    components: tuple[AnnouncedComponent, ...]
    valid_for: dt.timedelta = dt.timedelta(days=7)


@dataclass(frozen=True, slots=True)
class CoverSheet:
    """A sheet ready for the printer: one A4 page, PDF/A-2u."""

    claims: CoverSheetClaims
    payload: bytes
    pdf: bytes


def make_cover_sheet(order: CoverSheetOrder, key: SigningKey, at: dt.datetime) -> CoverSheet:
    """Sign and draw a sheet with a serial of its own; one use of `key`, blocking.

    Raises `PolicyRefused` for what does not fit into one code or a key that makes none, and
    `hsm.errors.HSMError`.
    """
    claims = claims_of(order, secrets.token_bytes(SERIAL_BYTES), at)
    payload = sign_cover_sheet(claims, key)
    return CoverSheet(claims, payload, draw_cover_sheet(order, claims, payload))


def claims_of(order: CoverSheetOrder, serial: bytes, at: dt.datetime) -> CoverSheetClaims:
    """What the code of a sheet says that is made `at` that time (aware; whole seconds count)."""
    issued = at.replace(microsecond=0)
    return CoverSheetClaims(
        agency=order.agency,
        dossier=order.dossier,
        station=order.station,
        serial=serial,
        components=tuple(SheetComponent(c.code, c.pages) for c in order.components),
        issued_at=issued,
        valid_until=issued + order.valid_for,
    )


def draw_cover_sheet(order: CoverSheetOrder, claims: CoverSheetClaims, payload: bytes) -> bytes:
    """The page with a payload that was signed before; the same bytes each time."""
    return _drawn(order, claims, symbol_of_bytes(payload))


def printed_serial(serial: bytes) -> str:
    """The serial as people read it: groups of five hexadecimal digits."""
    text = serial.hex().upper()
    return "-".join(text[at : at + 5] for at in range(0, len(text), 5))


def _drawn(order: CoverSheetOrder, claims: CoverSheetClaims, symbol: Symbol) -> bytes:
    out = io.BytesIO()
    serial = printed_serial(claims.serial)
    title = f"Tờ bìa hồ sơ {claims.dossier}"
    facts = PagesFacts(title, order.agency_name, serial, claims.issued_at, f"{title} – {serial}")
    pages = Pages(out, facts)
    pages.line(LEFT, _TITLE, "TỜ BÌA HỒ SƠ", bold=True)
    pages.line(LEFT, _BODY, "Dossier cover sheet – đặt trước giấy tờ của hồ sơ, mặt này lên trên")
    quiet = _CODE * QUIET_MODULES / symbol.side
    top = pages.y - 8
    pages.symbol(symbol, LEFT + quiet, top - quiet - _CODE, _CODE)
    _facts(pages, order, claims, LEFT + _CODE + 2 * quiet + 10, top - quiet)
    pages.y = top - _CODE - 2 * quiet - 14
    _components(pages, order.components)
    pages.y -= 4
    pages.block(
        LEFT,
        _SMALL,
        "Không viết, dán hay đóng dấu lên mã. Chỉ dùng một lần, tại đúng quầy, trước khi hết hạn. "
        "/ Do not write on the code. For one use, at this station, before it expires.",
        Colour.GREY,
        width=RIGHT - LEFT,
    )
    if pages.y - _CODE - 2 * quiet >= BOTTOM:
        pages.symbol(symbol, RIGHT - quiet - _CODE, BOTTOM + quiet, _CODE)
    pages.finish()
    return out.getvalue()


def _facts(
    pages: Pages, order: CoverSheetOrder, claims: CoverSheetClaims, x: float, y: float
) -> None:
    width = RIGHT - x
    pages.y = y - _BIG
    for label, value, size in (
        ("Mã hồ sơ / Dossier", claims.dossier, _BIG),
        ("Cơ quan / Agency", order.agency_name, _BODY),
        ("Quầy / Station", claims.station, _BIG),
        ("Số trang / Pages", str(claims.pages), _BIG),
        ("Lập lúc / Made", _moment(claims.issued_at), _BODY),
        ("Hết hạn / Expires", _moment(claims.valid_until), _BODY),
        ("Số tờ bìa / Serial", printed_serial(claims.serial), _BODY),
    ):
        pages.line(x, _SMALL, label, Colour.GREY)
        pages.y -= size - _SMALL
        for part in pages.wrapped(value, size, width)[:3]:
            pages.line(x, size, part, bold=size == _BIG)


def _components(pages: Pages, components: tuple[AnnouncedComponent, ...]) -> None:
    heads = ("", "Mã / Code", "Thành phần hồ sơ / Component", "Trang")
    for x, head in zip(_COLUMNS, heads, strict=True):
        pages.text(x, pages.y, _SMALL, head, Colour.GREY)
    pages.y -= _ROW
    room = (pages.y - BOTTOM - 2 * _ROW) / max(1, len(components))
    row = max(_LEAST_ROW, min(_ROW, room))
    size = min(_BODY, row - 2)
    for number, component in enumerate(components, 1):
        pages.text(_COLUMNS[0], pages.y, size, str(number))
        pages.text(_COLUMNS[1], pages.y, size, _one_line(pages, component.code, size, 100))
        width = _COLUMNS[3] - _COLUMNS[2] - 10
        pages.text(_COLUMNS[2], pages.y, size, _one_line(pages, component.name, size, width))
        pages.text(_COLUMNS[3], pages.y, size, str(component.pages), bold=True)
        pages.y -= row


def _one_line(pages: Pages, text: str, size: float, width: float) -> str:
    lines = pages.wrapped(text, size, width - size)
    return lines[0] + ("…" if len(lines) > 1 else "") if lines else ""


def _moment(at: dt.datetime) -> str:
    return f"{at.astimezone(VIETNAM):%H:%M ngày %d/%m/%Y}"
