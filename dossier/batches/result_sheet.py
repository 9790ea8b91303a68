"""The result sheet of a batch: a PDF/A-2b that says in Vietnamese and English what was done.

Who ordered, approved and released; the hash of the list and the key that signed it; then every
item of the list with its reference, both digests, its number and its result. Pages are written
one by one (`dossier.paper.pages`), so a sheet of fifty thousand items needs no more memory than
its bytes. The key of the batch signs the sheet afterwards (`batch_work`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dossier.batches.order import BatchItem
from dossier.model import ItemState
from dossier.paper.pages import BOTTOM, LEFT, RIGHT, Pages, PagesFacts, moment

_TITLE, _BODY, _SMALL = 14.0, 9.5, 6.4
_COLUMNS = (LEFT, LEFT + 34, LEFT + 290, LEFT + 400)  # position, reference, number, result
_DIGESTS = (LEFT + 34, LEFT + 290)
_ROW = 24.0
_RESULTS = {
    ItemState.PUBLISHED: "đã ký / signed",
    ItemState.FAILED: "không ký được / failed",
    ItemState.SKIPPED: "bỏ qua / skipped",
}


@dataclass(frozen=True, slots=True)
class SheetFacts:
    """What the sheet says of the batch as a whole. `lines` are pairs of label and value."""

    batch_id: str
    title: str
    agency: str
    at: datetime
    lines: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class SheetItem:
    """One line of the list and what became of it."""

    item: BatchItem
    state: ItemState


def write_sheet(facts: SheetFacts, items: Iterable[SheetItem]) -> bytes:
    """The unsigned sheet. Some seconds of CPU for ten thousand items; raises nothing of its own."""
    out = io.BytesIO()
    title = f"Bảng kết quả ký số theo lô {facts.batch_id}"
    pages = Pages(out, PagesFacts(title, facts.agency, facts.batch_id, facts.at, facts.batch_id))
    _head(pages, facts)
    _column_heads(pages)
    for entry in items:
        _row(pages, entry)
    pages.finish()
    return out.getvalue()


def _head(pages: Pages, about: SheetFacts) -> None:
    pages.line(LEFT, _TITLE, "BẢNG KẾT QUẢ KÝ SỐ THEO LÔ")
    pages.line(LEFT, _BODY, "Result sheet of a signature batch")
    pages.y -= 6
    facts = [
        ("Cơ quan / Agency", about.agency),
        ("Lô / Batch", about.batch_id),
        *([("Tên / Title", about.title)] if about.title else []),
        *about.lines,
        ("Lập lúc / Made at", moment(about.at)),
    ]
    for label, value in facts:
        wrapped = pages.wrapped(value, _BODY, RIGHT - LEFT - 170)
        pages.text(LEFT, pages.y, _BODY, label)
        for part in wrapped or [""]:
            pages.line(LEFT + 170, _BODY, part)
    pages.y -= 8


def _column_heads(pages: Pages) -> None:
    heads = ("STT", "Mã tham chiếu / Reference", "Số, ký hiệu / Number", "Kết quả / Result")
    for x, head in zip(_COLUMNS, heads, strict=True):
        pages.text(x, pages.y, 7.5, head)
    pages.y -= 9
    pages.text(_DIGESTS[0], pages.y, _SMALL, "SHA-256 tệp gốc / source")
    pages.text(_DIGESTS[1], pages.y, _SMALL, "SHA-256 kết quả / result")
    pages.y -= 14


def _row(pages: Pages, entry: SheetItem) -> None:
    item = entry.item
    reference = pages.wrapped(item.reference or "", 8.0, 248)
    number = f"{item.number:02d}/{item.symbol}" if item.number and item.symbol else ""
    detail = item.error["message"] if entry.state is ItemState.FAILED and item.error else ""
    notes = pages.wrapped(detail, _SMALL, RIGHT - _DIGESTS[0])
    extra = max(0, len(reference) - 1) * 10 + len(notes) * 8
    if pages.y - _ROW - extra < BOTTOM:
        pages.end_page()
        _column_heads(pages)
    pages.text(_COLUMNS[0], pages.y, 8.0, str(item.position))
    pages.text(_COLUMNS[2], pages.y, 8.0, number)
    pages.text(_COLUMNS[3], pages.y, 8.0, _RESULTS.get(entry.state, entry.state.value))
    for part in reference or [""]:
        pages.text(_COLUMNS[1], pages.y, 8.0, part)
        pages.y -= 10
    pages.text(_DIGESTS[0], pages.y, _SMALL, item.source_sha256)
    pages.text(_DIGESTS[1], pages.y, _SMALL, item.result_sha256 or "")
    pages.y -= 8
    for note in notes:
        pages.text(_DIGESTS[0], pages.y, _SMALL, note)
        pages.y -= 8
    pages.y -= 6
