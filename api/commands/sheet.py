"""`sohoa sheet`: cover sheets made with this machine's token, and read back from paper."""

from __future__ import annotations

import datetime as dt
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from api import output
from api.commands.people import Data, Json
from api.commands.proof import AsOf, TrustedKeys, settings_of_keys
from api.commands.verify import read_time, require_readable
from api.errors import InputUnusable, PublishError
from api.pinned import sheet_certificates
from api.settings import load_settings
from api.tokens import open_token
from dossier.intake.cover_sheet import (
    AnnouncedComponent,
    CoverSheet,
    CoverSheetOrder,
    make_cover_sheet,
    printed_serial,
)
from dossier.intake.sheet_codes import SheetReading
from dossier.intake.sheet_reading import SheetPage, Worth, read_sheets, worth_of
from ocr.workers import Workers
from signer.clock import VIETNAM
from signer.coversheet import CoverSheetClaims

app = typer.Typer(
    no_args_is_help=True, help="Tờ bìa hồ sơ. / Dossier cover sheets.", rich_markup_mode=None
)
_SECONDS, _MEMORY_BYTES = 300.0, 3 << 30  # of one file, in a process of its own
_NOTHING = 2
_EXIT_CODES = {
    Worth.GENUINE: 0,
    Worth.FORGED: 1,
    Worth.UNKNOWN_KEY: 1,
    Worth.EXPIRED: 2,
    Worth.NOT_YET_VALID: 2,
}
_SENTENCES = {
    Worth.GENUINE: ("Tờ bìa thật, còn hạn", "genuine and in force", "green"),
    Worth.EXPIRED: ("Tờ bìa thật nhưng đã hết hạn; in tờ mới", "genuine, expired", "yellow"),
    Worth.NOT_YET_VALID: (
        "Tờ bìa ghi thời điểm lập ở tương lai; kiểm tra đồng hồ máy",
        "made in the future; check the clocks",
        "yellow",
    ),
    Worth.FORGED: ("Tờ bìa GIẢ hoặc bị sửa", "forged or altered", "red"),
    Worth.UNKNOWN_KEY: ("Tờ bìa do khóa lạ ký", "signed with a key not trusted here", "red"),
}


@app.callback()
def sheet() -> None:
    """Tờ bìa hồ sơ. / Dossier cover sheets."""


@app.command()
def make(
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE.pdf", help="Tờ bìa để in. / The sheet.")
    ],
    dossier: Annotated[
        str, typer.Option("--dossier", metavar="CODE", help="Mã hồ sơ. / The dossier's code.")
    ],
    components: Annotated[
        list[str],
        typer.Option(
            "--component",
            metavar="CODE:PAGES[:NAME]",
            help="Thành phần hồ sơ theo thứ tự; lặp lại được. / A component; repeatable.",
        ),
    ],
    agency: Annotated[
        str, typer.Option("--agency", metavar="ID", help="Mã cơ quan. / The agency's identifier.")
    ],
    *,
    station: Annotated[
        str | None,
        typer.Option("--station", metavar="CODE", help="Quầy, trạm quét. / The scanning station."),
    ] = None,
    valid_hours: Annotated[
        int, typer.Option("--valid-hours", min=1, max=8784, help="Hết hạn sau. / Expires after.")
    ] = 168,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Lập tờ bìa bằng khóa trên máy này. / Make a cover sheet with this machine's key.

    Tên cơ quan và quầy lấy từ cấu hình [record]. / The agency's name, and the station where none
    is named, are those of [record] in the settings.

    Ví dụ / Examples:

      sohoa sheet make -o bia.pdf --agency H22.12 --dossier H22.12-261123-0001
        --component TP01:2:"Đơn đề nghị" --component TP02:1
    """
    settings = load_settings(data)
    order = CoverSheetOrder(
        agency,
        settings.record.agency,
        dossier,
        station or settings.record.station,
        tuple(_component(text) for text in components),
        dt.timedelta(hours=valid_hours),
    )
    key = open_token(settings).signing_key(settings.sheet_label)
    made = make_cover_sheet(order, key, dt.datetime.now(dt.UTC))
    _write(made.pdf, target)
    output.bilingual(
        f"Tờ bìa {printed_serial(made.claims.serial)}: {target}", "the sheet", style="bold"
    )
    _print_claims(made.claims)
    if as_json:
        output.machine(_made_json(made, target))


@app.command()
def read(
    source: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="Bản quét hoặc PDF. / A scan or PDF, JPEG, PNG, TIFF."),
    ],
    *,
    keys: TrustedKeys = None,
    at: AsOf = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Đọc tờ bìa từ bản quét: ghi gì, thật không, của ai. / What sheets a scan shows, and whose.

    Mã thoát: 0 mọi tờ bìa đều thật và còn hạn, 1 có tờ giả hoặc khóa lạ, 2 không có tờ nào hoặc
    có tờ hết hạn. / Exit codes: 0 all genuine and in force, 1 one is forged or of an unknown
    key, 2 there is none, or one has expired.

    Ví dụ / Examples:

      sohoa sheet read scan.pdf

      sohoa sheet read bia.jpg --keys ma-in.pem --json
    """
    moment = read_time(at) if at is not None else dt.datetime.now(dt.UTC)
    require_readable(source)
    certificates = sheet_certificates(keys, settings_of_keys(keys, data))
    trusted = [certificate.public_bytes(Encoding.DER) for certificate in certificates]
    with (
        tempfile.TemporaryDirectory(prefix="sohoa-sheet-") as work,
        Workers(1, _SECONDS, _MEMORY_BYTES) as workers,
    ):
        pages = workers.submit(read_sheets, source, trusted, Path(work)).result()
    found = [(page.page, one, worth_of(one, moment)) for page in pages for one in page.sheets]
    for number, one, worth in found:
        vietnamese, english, style = _SENTENCES[worth]
        output.bilingual(f"Trang {number}: {vietnamese}", english, style=f"bold {style}")
        _print_claims(one.claims)
    if not found:
        output.bilingual("Không thấy tờ bìa nào", "there is no cover sheet", style="bold yellow")
    if as_json:
        output.machine(_read_json(pages, found))
    raise typer.Exit(_exit_code([worth for _, _, worth in found]))


def _exit_code(worths: list[Worth]) -> int:
    codes = {_EXIT_CODES[worth] for worth in worths} or {_NOTHING}
    return 1 if 1 in codes else max(codes)


def _component(text: str) -> AnnouncedComponent:
    code, _, rest = text.partition(":")
    pages, _, name = rest.partition(":")
    if not code or not (pages.isascii() and pages.isdigit()) or len(pages) > 4:
        raise InputUnusable(
            f"--component {text!r}: hãy viết MÃ:SỐ_TRANG hoặc MÃ:SỐ_TRANG:TÊN, như TP01:2:Đơn. / "
            "write CODE:PAGES or CODE:PAGES:NAME."
        )
    return AnnouncedComponent(code, name, int(pages))


def _write(pdf: bytes, target: Path) -> None:
    """The whole file or none."""
    temporary = target.with_name(f".{target.name}.new")
    try:
        temporary.write_bytes(pdf)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise PublishError(
            f"cannot write {target}: {error.strerror}; check the folder and the free space"
        ) from error


def _print_claims(claims: CoverSheetClaims) -> None:
    for vietnamese, english, value in (
        ("Mã hồ sơ", "dossier", claims.dossier),
        ("Cơ quan", "agency", claims.agency),
        ("Quầy", "station", claims.station),
        ("Số trang", "pages", f"{claims.pages} ({len(claims.components)} thành phần)"),
        ("Lập lúc", "made at", claims.issued_at.astimezone(VIETNAM).isoformat()),
        ("Hết hạn", "expires", claims.valid_until.astimezone(VIETNAM).isoformat()),
        ("Số tờ bìa", "serial", printed_serial(claims.serial)),
    ):
        output.bilingual(f"  {vietnamese}: {value}", english)


def _claims_json(claims: CoverSheetClaims) -> dict[str, Any]:
    return {
        "serial": claims.serial.hex(),
        "agency": claims.agency,
        "dossier_code": claims.dossier,
        "station": claims.station,
        "components": [{"code": c.code, "pages": c.pages} for c in claims.components],
        "pages": claims.pages,
        "issued_at": claims.issued_at.isoformat(),
        "valid_until": claims.valid_until.isoformat(),
    }


def _made_json(made: CoverSheet, target: Path) -> dict[str, Any]:
    return {"file": str(target), "payload": made.payload.hex(), **_claims_json(made.claims)}


def _read_json(
    pages: tuple[SheetPage, ...], found: list[tuple[int, SheetReading, Worth]]
) -> dict[str, Any]:
    return {
        "pages": len(pages),
        "sheets": [
            {"page": number, "worth": worth.value, **_claims_json(one.claims)}
            for number, one, worth in found
        ],
    }
