"""The result sheet of a batch: a PDF/A-2b that says in Vietnamese and English what was done.

Who ordered, approved and released; the hash of the list and the key that signed it; then every
item of the list with its reference, both digests, its number and its result. Pages are written
one by one, so a sheet of fifty thousand items needs no more memory than its bytes. The key of
the batch signs the sheet afterwards (`batch_work`).
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dossier.batches.order import BatchItem
from dossier.model import ItemState
from ocr.record.pdfa import PRODUCER, pdf_date, srgb_profile
from ocr.record.pdfwriter import Name, PDFWriter, Ref, Value
from ocr.record.xmp import PacketFacts, xmp_packet
from signer.clock import VIETNAM
from signer.sealing.appearance.typeface import Typeface, typeface

_FACE = "Sohoa Serif"
_WIDTH, _HEIGHT = 595.28, 841.89  # A4
_LEFT, _RIGHT, _TOP, _BOTTOM = 42.0, 553.0, 800.0, 48.0
_TITLE, _BODY, _SMALL = 14.0, 9.5, 6.4
_LEADING = 1.35
_COLUMNS = (_LEFT, _LEFT + 34, _LEFT + 290, _LEFT + 400)  # position, reference, number, result
_DIGESTS = (_LEFT + 34, _LEFT + 290)
_ROW = 24.0
_INTENT = "sRGB IEC61966-2.1"
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
    _Sheet(PDFWriter(out, version="1.7"), facts).write(items)
    return out.getvalue()


class _Sink:
    """Lets the typeface put its objects into the file."""

    def __init__(self, writer: PDFWriter) -> None:
        self._writer = writer

    def add(self, body: bytes) -> int:
        return self._writer.add_serialised(body).number


class _Sheet:
    """One sheet while it is written."""

    def __init__(self, writer: PDFWriter, facts: SheetFacts) -> None:
        self._writer = writer
        self._facts = facts
        self._face = typeface(_FACE)
        self._tree = writer.reserve()
        self._font = Ref(self._face.embed(_Sink(writer)))
        self._pages: list[Ref] = []
        self._content: list[bytes] = []
        self._y = _TOP

    def write(self, items: Iterable[SheetItem]) -> None:
        """The whole file."""
        self._head()
        for entry in items:
            self._row(entry)
        self._end_page()
        self._finish()

    def _head(self) -> None:
        self._line(_LEFT, _TITLE, "BẢNG KẾT QUẢ KÝ SỐ THEO LÔ")
        self._line(_LEFT, _BODY, "Result sheet of a signature batch")
        self._y -= 6
        facts = [
            ("Cơ quan / Agency", self._facts.agency),
            ("Lô / Batch", self._facts.batch_id),
            *([("Tên / Title", self._facts.title)] if self._facts.title else []),
            *self._facts.lines,
            ("Lập lúc / Made at", _moment(self._facts.at)),
        ]
        for label, value in facts:
            wrapped = list(_wrapped(self._face, value, _BODY, _RIGHT - _LEFT - 170))
            self._text(_LEFT, self._y, _BODY, label)
            for part in wrapped or [""]:
                self._line(_LEFT + 170, _BODY, part)
        self._y -= 8
        self._column_heads()

    def _column_heads(self) -> None:
        heads = ("STT", "Mã tham chiếu / Reference", "Số, ký hiệu / Number", "Kết quả / Result")
        for x, head in zip(_COLUMNS, heads, strict=True):
            self._text(x, self._y, 7.5, head)
        self._y -= 9
        self._text(_DIGESTS[0], self._y, _SMALL, "SHA-256 tệp gốc / source")
        self._text(_DIGESTS[1], self._y, _SMALL, "SHA-256 kết quả / result")
        self._y -= 14

    def _row(self, entry: SheetItem) -> None:
        item = entry.item
        reference = list(_wrapped(self._face, item.reference or "", 8.0, 248))
        number = f"{item.number:02d}/{item.symbol}" if item.number and item.symbol else ""
        detail = item.error["message"] if entry.state is ItemState.FAILED and item.error else ""
        notes = list(_wrapped(self._face, detail, _SMALL, _RIGHT - _DIGESTS[0]))
        extra = max(0, len(reference) - 1) * 10 + len(notes) * 8
        if self._y - _ROW - extra < _BOTTOM:
            self._end_page()
            self._column_heads()
        self._text(_COLUMNS[0], self._y, 8.0, str(item.position))
        self._text(_COLUMNS[2], self._y, 8.0, number)
        self._text(_COLUMNS[3], self._y, 8.0, _RESULTS.get(entry.state, entry.state.value))
        for part in reference or [""]:
            self._text(_COLUMNS[1], self._y, 8.0, part)
            self._y -= 10
        self._text(_DIGESTS[0], self._y, _SMALL, item.source_sha256)
        self._text(_DIGESTS[1], self._y, _SMALL, item.result_sha256 or "")
        self._y -= 8
        for note in notes:
            self._text(_DIGESTS[0], self._y, _SMALL, note)
            self._y -= 8
        self._y -= 6

    def _line(self, x: float, size: float, text: str) -> None:
        self._text(x, self._y, size, text)
        self._y -= size * _LEADING

    def _text(self, x: float, y: float, size: float, text: str) -> None:
        if text:
            encoded = self._face.encode(_drawable(self._face, text))
            self._content.append(b"/F0 %g Tf 1 0 0 1 %.2f %.2f Tm %s Tj" % (size, x, y, encoded))

    def _end_page(self) -> None:
        if not self._content:
            return
        number = len(self._pages) + 1
        self._text(_RIGHT - 60, 30, 7.5, f"trang / page {number}")
        self._text(_LEFT, 30, 7.5, self._facts.batch_id)
        data = b"BT\n" + b"\n".join(self._content) + b"\nET"
        contents = self._writer.add_stream({}, data)
        page: dict[str, Value] = {
            "Type": Name("Page"),
            "Parent": self._tree,
            "MediaBox": (0, 0, _WIDTH, _HEIGHT),
            "Resources": {"Font": {"F0": self._font}},
            "Contents": contents,
        }
        self._pages.append(self._writer.add(page))
        self._content, self._y = [], _TOP

    def _finish(self) -> None:
        writer, facts = self._writer, self._facts
        title = f"Bảng kết quả ký số theo lô {facts.batch_id}"
        writer.add(
            {"Type": Name("Pages"), "Kids": self._pages, "Count": len(self._pages)}, self._tree
        )
        packet = xmp_packet(
            PacketFacts(
                part=2,
                conformance="U",
                title=title,
                creator=facts.agency,
                identifier=facts.batch_id,
                language="vi",
                tool=PRODUCER,
                created=facts.at,
                own={"RecordId": facts.batch_id, "PageCount": str(len(self._pages))},
            )
        )
        metadata = writer.add_stream(
            {"Type": Name("Metadata"), "Subtype": Name("XML")}, packet, compress=False
        )
        intent = writer.add(
            {
                "Type": Name("OutputIntent"),
                "S": Name("GTS_PDFA1"),
                "OutputConditionIdentifier": _INTENT,
                "Info": _INTENT,
                "DestOutputProfile": writer.add_stream({"N": 3}, srgb_profile()),
            }
        )
        root = writer.add(
            {
                "Type": Name("Catalog"),
                "Pages": self._tree,
                "Metadata": metadata,
                "OutputIntents": (intent,),
                "Lang": "vi",
                "ViewerPreferences": {"DisplayDocTitle": True},
            }
        )
        when = pdf_date(facts.at)
        info = writer.add(
            {
                "Title": title,
                "Author": facts.agency,
                "Creator": PRODUCER,
                "Producer": PRODUCER,
                "CreationDate": when,
                "ModDate": when,
            }
        )
        writer.finish(root=root, info=info)


def _moment(moment: datetime) -> str:
    return moment.astimezone(VIETNAM).isoformat(timespec="seconds")


def _drawable(face: Typeface, text: str) -> str:
    """`text` with what the typeface lacks written as its code point: nothing is lost."""
    glyphs = face.glyphs
    if all(char in glyphs for char in text):
        return text
    return "".join(c if c in glyphs else f"\\u{ord(c):04x}" for c in text)


def _wrapped(face: Typeface, text: str, size: float, width: float) -> Iterator[str]:
    """`text` in lines of at most `width` points, broken at blanks, else anywhere."""
    room = width * 1000 / size
    line = ""
    for word in _drawable(face, " ".join(text.split())).split(" "):
        tried = f"{line} {word}" if line else word
        if face.width(tried) <= room:
            line = tried
            continue
        if line:
            yield line
        line = word
        while face.width(line) > room:
            end = next(n for n in range(len(line), 0, -1) if face.width(line[:n]) <= room)
            yield line[:end]
            line = line[end:]
    if line:
        yield line
