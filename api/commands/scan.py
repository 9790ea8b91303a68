"""`sohoa scan`: a network scanner's pages into a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from api import output
from api.commands import orders
from api.settings import Settings, load_settings
from dossier.scanners.address import choose_scanner
from dossier.scanners.capture import Capture, capture
from dossier.scanners.escl import Scanner
from dossier.scanners.folder import ScannedPage
from dossier.scanners.tickets import ScanWish, settle
from dossier.scanners.values import (
    ColorMode,
    DocumentFormat,
    InputSource,
    ScannerCapabilities,
    ScanSettings,
)


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


Folder = Annotated[
    Path, typer.Option("--to", metavar="FOLDER", help="Thư mục nhận trang. / Where pages go.")
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME|URL",
        help="Máy quét trong cấu hình. / A scanner of the settings.",
    ),
]
From = Annotated[
    Source,
    typer.Option(
        "--source", help="auto: khay nạp nếu có, không thì mặt kính. / Feeder if any, or glass."
    ),
]
Duplex = Annotated[bool, typer.Option("--duplex", help="Quét hai mặt. / Both sides of each sheet.")]
Dpi = Annotated[int, typer.Option("--dpi", min=75, max=1200, help="Độ phân giải. / Dots an inch.")]
Colour = Annotated[bool, typer.Option("--colour/--grey", help="Màu hoặc xám. / Colour or grey.")]
Paper = Annotated[
    str,
    typer.Option(
        "--paper", metavar="SIZE", help="A3, A4, A5, A6, Letter, Legal, max (cả khung quét)."
    ),
]
Form = Annotated[Format, typer.Option("--format", help="Dạng tệp. / What the scanner sends.")]


@dataclass(frozen=True, slots=True)
class Readied:
    """A scanner that can do what was asked for, and its settings for it."""

    scanner: Scanner
    capabilities: ScannerCapabilities
    settings: ScanSettings

    def into(self, folder: Path, seen: Callable[[ScannedPage], None]) -> Capture:
        """Scan all that lies there into `folder`; raises as `capture`."""
        return capture(
            self.scanner, self.capabilities, self.settings, folder, now=orders.now, seen=seen
        )


def ready(
    settings: Settings,
    device: str | None,
    source: Source,
    *,
    duplex: bool,
    dpi: int,
    colour: bool,
    paper: str,
    form: Format,
) -> Readied:
    """Ask the scanner of the settings what it can do, and tell. Raises `ScannerError`."""
    allowed = {name: (one.url, one.certificate) for name, one in settings.scanners.items()}
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
    chosen = settle(wish, capabilities)
    output.bilingual(
        f"{capabilities.make_and_model or scanner.address.name}: đang quét {chosen.dpi} dpi",
        f"scanning from the {chosen.source.lower()}{', both sides' if duplex else ''}",
    )
    return Readied(scanner, capabilities, chosen)


def scan(
    *,
    folder: Folder,
    device: Device = None,
    source: From = Source.auto,
    duplex: Duplex = False,
    dpi: Dpi = 300,
    colour: Colour = True,
    paper: Paper = "A4",
    form: Form = Format.jpeg,
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
    device_ready = ready(
        load_settings(data),
        device,
        source,
        duplex=duplex,
        dpi=dpi,
        colour=colour,
        paper=paper,
        form=form,
    )
    done = device_ready.into(folder, tell)
    output.bilingual(
        f"Đã quét {len(done.pages)} trang vào {done.folder} (cả thảy {done.pages_in_folder})",
        f"{len(done.pages)} pages scanned, {done.pages_in_folder} in the folder",
        style="bold",
    )
    if as_json:
        output.machine(as_told(done, device_ready.scanner))


def tell(page: ScannedPage) -> None:
    """Say that a page is on the disk."""
    sides = {"front": ("mặt trước", "front"), "back": ("mặt sau", "back")}
    vietnamese, english = sides.get(page.side, ("", ""))
    output.bilingual(
        f"  {page.file} {vietnamese}".rstrip(), f"{page.size_bytes // 1024} KiB {english}".rstrip()
    )


def as_told(done: Capture, scanner: Scanner) -> dict[str, Any]:
    """What was scanned, for machines."""
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
