"""`sohoa scan`: a network scanner's pages into a folder."""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api import output
from api.commands import orders
from api.settings import load_settings
from dossier.scanners.address import choose_scanner
from dossier.scanners.capture import Capture, capture
from dossier.scanners.escl import Scanner
from dossier.scanners.folder import ScannedPage
from dossier.scanners.tickets import ScanWish, settle
from dossier.scanners.values import ColorMode, DocumentFormat, InputSource


class Source(StrEnum):
    """Where the paper lies."""

    auto = "auto"
    feeder = "feeder"
    platen = "platen"


class Format(StrEnum):
    """What the scanner sends."""

    jpeg = "jpeg"
    pdf = "pdf"


_SOURCES = {
    Source.auto: None,
    Source.feeder: InputSource.FEEDER,
    Source.platen: InputSource.PLATEN,
}
_FORMATS = {Format.jpeg: DocumentFormat.JPEG, Format.pdf: DocumentFormat.PDF}


def scan(
    *,
    folder: Annotated[
        Path, typer.Option("--to", metavar="FOLDER", help="Thư mục nhận trang. / Where pages go.")
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME|URL",
            help="Máy quét trong cấu hình. / A scanner of the settings.",
        ),
    ] = None,
    source: Annotated[
        Source,
        typer.Option(
            "--source", help="auto: khay nạp nếu có, không thì mặt kính. / Feeder if any, or glass."
        ),
    ] = Source.auto,
    duplex: Annotated[
        bool, typer.Option("--duplex", help="Quét hai mặt. / Both sides of each sheet.")
    ] = False,
    dpi: Annotated[
        int, typer.Option("--dpi", min=75, max=1200, help="Độ phân giải. / Dots an inch.")
    ] = 300,
    colour: Annotated[
        bool, typer.Option("--colour/--grey", help="Màu hoặc xám. / Colour or grey.")
    ] = True,
    paper: Annotated[
        str,
        typer.Option(
            "--paper", metavar="SIZE", help="A3, A4, A5, A6, Letter, Legal, max (cả khung quét)."
        ),
    ] = "A4",
    form: Annotated[
        Format, typer.Option("--format", help="Dạng tệp. / What the scanner sends.")
    ] = Format.jpeg,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
) -> None:
    """Quét từ máy quét mạng (eSCL) vào thư mục. / Scan from a network scanner (eSCL).

    Mỗi trang được ghi xuống đĩa trước khi lấy trang sau; kẹt giấy không làm mất trang đã quét,
    chạy lại cùng lệnh để quét tiếp. / Each page is on the disk before the next is asked for; a
    jam loses no page, and the same command goes on.

    Ví dụ / Examples:

      sohoa scan --to scans/ho-so-12 --duplex

      sohoa scan --to scans/cccd --source platen --device quay-3 --json
    """
    allowed = {
        name: (one.url, one.certificate) for name, one in load_settings(data).scanners.items()
    }
    scanner = Scanner(choose_scanner(device, allowed))
    wish = ScanWish(
        _SOURCES[source],
        duplex,
        dpi,
        ColorMode.RGB_24 if colour else ColorMode.GRAYSCALE_8,
        _FORMATS[form],
        None if paper == "max" else paper,
    )
    capabilities = scanner.capabilities()
    settings = settle(wish, capabilities)
    output.bilingual(
        f"{capabilities.make_and_model or scanner.address.name}: đang quét {settings.dpi} dpi",
        f"scanning from the {settings.source.lower()}{', both sides' if duplex else ''}",
    )
    done = capture(scanner, capabilities, settings, folder, now=orders.now, seen=_tell)
    output.bilingual(
        f"Đã quét {len(done.pages)} trang vào {done.folder} (cả thảy {done.pages_in_folder})",
        f"{len(done.pages)} pages scanned, {done.pages_in_folder} in the folder",
        style="bold",
    )
    if as_json:
        output.machine(_as_json(done, scanner))


def _tell(page: ScannedPage) -> None:
    sides = {"front": ("mặt trước", "front"), "back": ("mặt sau", "back")}
    vietnamese, english = sides.get(page.side, ("", ""))
    output.bilingual(
        f"  {page.file} {vietnamese}".rstrip(), f"{page.size_bytes // 1024} KiB {english}".rstrip()
    )


def _as_json(done: Capture, scanner: Scanner) -> dict[str, Any]:
    return {
        "folder": str(done.folder),
        "run": done.run,
        "pages": [asdict(page) for page in done.pages],
        "pages_in_folder": done.pages_in_folder,
        "settings": asdict(done.settings),
        "scanner": {
            "name": scanner.address.name,
            "url": scanner.address.url,
            "make_and_model": done.capabilities.make_and_model,
            "serial_number": done.capabilities.serial_number,
        },
    }
