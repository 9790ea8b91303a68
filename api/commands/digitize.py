"""`sohoa digitize`: scans in, one signed, searchable PDF/A record out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from api import output
from api.commands import orders
from api.commands.verdict import print_verdict
from api.errors import NotInitialised
from api.settings import RecordSettings
from api.wiring import load_settings, open_desk
from dossier.workflow import Outcome, Outputs, digitise_dossier
from ocr.fields.extract import DocumentFields
from ocr.page import Box, RecognisedPage
from ocr.pipeline import Station
from ocr.quality.findings import Severity
from ocr.quality.profiles import DEFAULT_PROFILE, QualityBook
from ocr.record.manifest import RecordMetadata
from ocr.settings import DigitiseSettings
from signer.sealing.levels import Level

_SHOWN_FIELDS = {
    "doc_type": "Loại / type",
    "doc_number": "Số / number",
    "doc_symbol": "Ký hiệu / symbol",
    "issued_date": "Ngày / date",
    "agency": "Cơ quan / agency",
    "abstract": "Trích yếu / abstract",
    "signer_name": "Người ký / signer",
    "citizen_number": "Số định danh / citizen number",
}


class Mode(StrEnum):
    """How page images are kept."""

    faithful = "faithful"
    compact = "compact"


class Engine(StrEnum):
    """Which recogniser reads."""

    tesserocr = "tesserocr"
    pytesseract = "pytesseract"


def digitize(
    scans: Annotated[
        list[Path],
        typer.Argument(
            metavar="SCANS…",
            readable=False,  # intake says what is wrong, and where
            help="PDF, TIFF, JPEG, PNG hoặc thư mục. / Files, or folders of files.",
        ),
    ],
    *,
    target: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.pdf", help="Tệp kết quả. / The record.")
    ],
    mode: Annotated[
        Mode,
        typer.Option(
            "--mode",
            help="faithful: giữ nguyên ảnh quét; compact: nén nhỏ. / Scanner's bytes, or compact.",
        ),
    ] = Mode.faithful,
    sidecar: Annotated[
        Path | None,
        typer.Option("--sidecar", metavar="OUT.txt", help="Văn bản thuần. / The plain text."),
    ] = None,
    fields: Annotated[
        Path | None,
        typer.Option(
            "--fields", metavar="OUT.json", help="Trường dữ liệu bóc tách. / Extracted fields."
        ),
    ] = None,
    seals: orders.Seals = None,
    level: orders.LevelOption = Level.B_LTA,
    language: Annotated[
        str, typer.Option("--lang", help="Ngôn ngữ nhận dạng. / Languages: vie, vie+eng.")
    ] = "vie",
    engine: Annotated[
        Engine, typer.Option("--engine", help="Bộ nhận dạng. / The recogniser.")
    ] = Engine.tesserocr,
    title: Annotated[
        str | None, typer.Option("--title", help="Tên văn bản. / Title of the record.")
    ] = None,
    record_id: Annotated[
        str | None, typer.Option("--id", help="Mã bản ghi. / Identifier of the record.")
    ] = None,
    operator: Annotated[
        str | None, typer.Option("--operator", help="Người số hóa. / Who digitizes.")
    ] = None,
    station: Annotated[
        str | None, typer.Option("--station", help="Trạm quét. / The scanning station.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Số tiến trình. / Processes.")
    ] = None,
    reason: orders.Reason = None,
    location: orders.Place = None,
    number: orders.NumberSymbol = None,
    copy_form: orders.Copy = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
) -> None:
    """Số hóa giấy tờ thành một bản ghi PDF/A. / Digitize papers into one PDF/A record.

    Trang hỏng được giữ lại và báo cáo, không làm mất hồ sơ. / A bad page is kept, marked and
    reported; it does not lose the dossier.

    Ví dụ / Examples:

      sohoa digitize scan.tif -o record.pdf --sidecar record.txt

      sohoa digitize scans/ -o decision.pdf --seal P7 --seal P1 --seal P2 --level B-LTA
    """
    at = orders.now()
    settings = DigitiseSettings(
        languages=language,
        engine=engine.value,
        mode=mode.value,
        workers=workers,
        quality=QualityBook.default().at(DEFAULT_PROFILE, at.date()),
    )
    outputs = Outputs(target, sidecar, fields)
    record = _record_settings(data)
    meta = RecordMetadata(
        title=title or target.stem,
        creator=record.agency,
        record_id=record_id or _record_id(scans, at),
        created=at,
    )
    where = Station(operator or record.operator, station or record.station, at)
    with _progress() as seen:
        if seals:
            with open_desk(load_settings(data), timestamped=level.timestamped) as desk:
                order = orders.seal_order(
                    desk,
                    seals,
                    level,
                    at,
                    reason=reason,
                    location=location,
                    number_symbol=number,
                    copy_form=copy_form,
                )
                outcome = digitise_dossier(
                    scans,
                    outputs,
                    meta,
                    where,
                    settings,
                    order=order,
                    services=desk.services,
                    progress=seen,
                )
        else:
            outcome = digitise_dossier(scans, outputs, meta, where, settings, progress=seen)
        pages = seen.pages
    _tell(outcome, pages)
    if as_json:
        output.machine(_as_json(outcome, pages))


def _record_settings(data: Path | None) -> RecordSettings:
    """The installation's names; an unsigned record needs no installation."""
    try:
        return load_settings(data).record
    except NotInitialised:
        return RecordSettings()


def _record_id(scans: Sequence[Path], at: datetime) -> str:
    """Time and a few hex digits of the names: readable, and not the same for two dossiers."""
    names = "\n".join(path.name for path in scans).encode()
    return f"{at:%Y%m%d-%H%M%S}-{hashlib.sha256(names).hexdigest()[:6]}"


class _progress:  # noqa: N801 - used as a function
    """A bar that counts pages on the terminal, and what it saw of each page."""

    def __init__(self) -> None:
        self.pages: list[dict[str, Any]] = []
        self._bar = Progress(
            TextColumn("Số hóa [dim]/ digitizing[/dim]"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            console=output.human,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, note="")

    def __enter__(self) -> _progress:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def __call__(self, page: RecognisedPage, total: int) -> None:
        self.pages.append(
            {
                "number": page.image.number,
                "source": Path(page.image.source).name,
                "source_page": page.image.source_page,
                "dpi": round(page.dpi[0]),
                "turns": page.turns,
                "skew_degrees": round(page.skew_degrees, 2),
                "blank": page.blank,
                "words": sum(len(line.words) for line in page.lines),
                "confidence": round(page.confidence, 1),
                "fault": page.fault.message if page.fault else None,
                "quality": page.quality.to_json() if page.quality else None,
                "doubtful": _doubts(page),
            }
        )
        self._bar.update(
            self._task, total=total, completed=len(self.pages), note=f"{page.confidence:.0f}"
        )


def _doubts(page: RecognisedPage) -> dict[str, Any]:
    """The words that a person has to look at, and ink for which no word stands.

    Boxes are left, top, right, bottom in pixels of the upright page.
    """
    words = page.doubtful_words
    return {
        "count": len(words),
        "words": [
            {
                "text": word.text,
                "box": _corners(word.box),
                "certainty": word.certainty,
                "alternative": word.alternative,
            }
            for word in words
        ],
        "unread": [_corners(box) for box in page.unread],
    }


def _corners(box: Box) -> list[int]:
    return [round(edge) for edge in (box.left, box.top, box.right, box.bottom)]


def _tell(outcome: Outcome, pages: Sequence[dict[str, Any]]) -> None:
    """The summary for people."""
    table = Table(title="Các trang / pages", title_justify="left")
    for heading in ("Trang", "Tệp / file", "dpi", "Xoay", "Nghiêng", "Từ / words", "Tin cậy / %"):
        table.add_column(heading, justify="left" if heading.startswith("Tệp") else "right")
    table.add_column("Ghi chú / note")
    for page in pages:
        note = "trang trắng / blank" if page["blank"] else ""
        if page["fault"]:
            note = f"[red]{escape(page['fault'])}[/red]"
        table.add_row(
            str(page["number"]),
            escape(f"{page['source']}:{page['source_page']}"),
            str(page["dpi"]),
            f"{page['turns'] * 90}°",
            f"{page['skew_degrees']:.2f}°",
            str(page["words"]),
            f"{page['confidence']:.1f}" if page["words"] else "–",
            note,
        )
    output.human.print(table)
    _tell_doubts(pages)
    _tell_quality(pages)
    size = outcome.size_bytes / 1024
    output.bilingual(f"Bản ghi: {outcome.outputs.record}", f"record, {size:.0f} KiB", style="bold")
    output.human.print(f"  SHA-256 {outcome.sha256}")
    for path in (outcome.outputs.sidecar, outcome.outputs.fields):
        if path is not None:
            output.human.print(f"  {path}", markup=False)
    _tell_fields(outcome.fields)
    if outcome.digitised.faults:
        output.bilingual(
            f"{len(outcome.digitised.faults)} trang có lỗi, được giữ nguyên ảnh và đánh dấu",
            "faulty pages were kept as images and marked",
            style="yellow",
        )
    if outcome.report is not None:
        print_verdict(outcome.report)


def _tell_doubts(pages: Sequence[dict[str, Any]]) -> None:
    """How many words to look at; which ones is in the JSON."""
    words = sum(page["doubtful"]["count"] for page in pages)
    places = sum(len(page["doubtful"]["unread"]) for page in pages)
    if words or places:
        output.bilingual(
            f"{words} từ cần xem lại, {places} chỗ có mực mà không đọc được (--json: ở đâu)",
            f"{words} doubtful words, {places} places with ink and no word (--json: where)",
        )


def _tell_quality(pages: Sequence[dict[str, Any]]) -> None:
    """What is wrong with each page, and what to do about it; mere notes are in the JSON."""
    for page in pages:
        for found in (page["quality"] or {}).get("findings", ()):
            if found["severity"] != Severity.NOTE:
                style = "red" if found["severity"] == Severity.BLOCK else "yellow"
                output.bilingual(f"Trang {page['number']}: {found['vi']}", found["en"], style=style)


def _tell_fields(fields: DocumentFields) -> None:
    """The main proposals of each paper, with how sure the reading is."""
    table = Table(title="Đề xuất, chờ xác nhận / proposals to be confirmed", title_justify="left")
    for heading in ("Trang", "Trường / field", "Giá trị / value", "%"):
        table.add_column(heading, justify="right" if heading in {"Trang", "%"} else "left")
    for found in sorted(fields.fields, key=lambda f: f.page):
        if found.name in _SHOWN_FIELDS:
            table.add_row(
                str(found.page),
                _SHOWN_FIELDS[found.name],
                escape(found.value),
                f"{found.confidence:.0f}",
            )
    for unread in fields.unread:
        label = _SHOWN_FIELDS.get(unread.name, unread.name)
        table.add_row(str(unread.page), label, "[yellow]viết tay, hãy nhập / type it[/yellow]", "")
    if table.row_count:
        output.human.print(table)


def _as_json(outcome: Outcome, pages: Sequence[dict[str, Any]]) -> dict[str, Any]:
    paths = outcome.outputs
    return {
        "record": str(paths.record),
        "sidecar": paths.sidecar and str(paths.sidecar),
        "fields": paths.fields and str(paths.fields),
        "sha256": outcome.sha256,
        "size_bytes": outcome.size_bytes,
        "pages_root": outcome.digitised.record.pages_root,
        "confidence": round(outcome.digitised.confidence, 1),
        "blank_pages": outcome.digitised.blank_pages,
        "pages": list(pages),
        "seals": [
            {
                "field": seal.field_name,
                "level": seal.level.value,
                "page": None if seal.page_index is None else seal.page_index + 1,
                "digest": {seal.digest_name: seal.digest.hex()},
            }
            for seal in outcome.seals
        ],
        "verification": None if outcome.report is None else outcome.report.to_json(),
    }
