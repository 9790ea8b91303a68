"""Pages of text as a PDF/A-2u (ISO 19005-2), written one by one: memory holds a single page.

    pages = Pages(stream, PagesFacts(title=…, author=…, identifier=…, at=…))
    pages.line(LEFT, 14.0, "BIÊN BẢN KIỂM TRA CHỮ KÝ SỐ")
    pages.block(LEFT, 9.5, long_text, width=300)
    pages.finish()

One embedded typeface, colours in the sRGB of the output intent, boxes and rules: no more than a
sheet of results or a report needs. The bytes depend on what is said alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from ocr.record.pdfa import PRODUCER, pdf_date, srgb_profile
from ocr.record.pdfwriter import Name, PDFWriter, Ref, Value
from ocr.record.xmp import PacketFacts, xmp_packet
from signer.clock import VIETNAM
from signer.sealing.appearance.symbol import Symbol
from signer.sealing.appearance.typeface import Typeface, typeface

_FACE = "Sohoa Serif"
WIDTH, HEIGHT = 595.28, 841.89  # A4
LEFT, RIGHT, TOP, BOTTOM = 42.0, 553.0, 800.0, 48.0
LEADING = 1.35
_FOOT = 7.5
_BOLD_STROKE = 0.028  # of the size: a stroke around each letter
_INTENT = "sRGB IEC61966-2.1"


class Colour(enum.Enum):
    """Red, green, blue from 0 to 1. Dark enough on white for small letters (WCAG 1.4.3)."""

    BLACK = (0.0, 0.0, 0.0)
    GREY = (0.36, 0.36, 0.36)
    PALE = (0.85, 0.85, 0.85)
    WHITE = (1.0, 1.0, 1.0)
    GREEN = (0.05, 0.42, 0.18)
    AMBER = (0.58, 0.36, 0.0)
    RED = (0.70, 0.08, 0.08)


@dataclass(frozen=True, slots=True)
class PagesFacts:
    """What the file says of itself. `foot` stands at the bottom of every page."""

    title: str
    author: str
    identifier: str
    at: datetime
    foot: str


class Pages:
    """A document while it is written, top down; `y` is the baseline of the next line.

    For one thread. Errors of the stream pass as `OSError`.
    """

    def __init__(self, out: BinaryIO, facts: PagesFacts) -> None:
        """Begin the first page."""
        self._writer = PDFWriter(out, version="1.7")
        self._facts = facts
        self._face = typeface(_FACE)
        self._tree = self._writer.reserve()
        self._font = Ref(self._face.embed(_Sink(self._writer)))
        self._pages: list[Ref] = []
        self._shapes: list[bytes] = []
        self._words: list[bytes] = []
        self._pen = (Colour.BLACK, False, 0.0)  # as the text state of the page stands
        self.y = TOP

    # --- words ---------------------------------------------------------------------------

    def text(
        self,
        x: float,
        y: float,
        size: float,
        text: str,
        colour: Colour = Colour.BLACK,
        *,
        bold: bool = False,
    ) -> None:
        """Put `text` at a place; the cursor stays."""
        if not text:
            return
        if (colour, bold, size if bold else 0.0) != self._pen:
            self._take_pen(colour, size if bold else 0.0, bold=bold)
        encoded = self._face.encode(_drawable(self._face, text))
        self._words.append(b"/F0 %g Tf 1 0 0 1 %.2f %.2f Tm %s Tj" % (size, x, y, encoded))

    def line(
        self,
        x: float,
        size: float,
        text: str,
        colour: Colour = Colour.BLACK,
        *,
        bold: bool = False,
    ) -> None:
        """`text` at the cursor, which moves on by a line."""
        self.text(x, self.y, size, text, colour, bold=bold)
        self.y -= size * LEADING

    def block(
        self,
        x: float,
        size: float,
        text: str,
        colour: Colour = Colour.BLACK,
        *,
        width: float,
        bold: bool = False,
    ) -> None:
        """`text` in as many lines as it needs, on as many pages."""
        for part in self.wrapped(text, size, width):
            self.need(size * LEADING)
            self.line(x, size, part, colour, bold=bold)

    def wrapped(self, text: str, size: float, width: float) -> list[str]:
        """`text` in lines of at most `width` points, broken at blanks, else anywhere."""
        return list(_wrapped(self._face, text, size, width))

    def _take_pen(self, colour: Colour, stroke: float, *, bold: bool) -> None:
        old, was_bold, _ = self._pen
        if colour is not old:
            self._words.append(_rgb(colour, b"rg") + b" " + _rgb(colour, b"RG"))
        if bold:  # a face without a bold cut: filled and stroked
            self._words.append(b"2 Tr %.3f w" % (stroke * _BOLD_STROKE))
        elif was_bold:
            self._words.append(b"0 Tr")
        self._pen = (colour, bold, stroke)

    # --- shapes, which lie below the words of a page -----------------------------------------

    def box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """A filled box with its lower left corner at (x, y)."""
        self._shapes.append(
            _rgb(colour, b"rg") + b" %.2f %.2f %.2f %.2f re f" % (x, y, width, height)
        )

    def stroke(
        self, points: Sequence[tuple[float, float]], thickness: float, colour: Colour
    ) -> None:
        """A line through `points` with round ends."""
        (x, y), *others = points
        path = b"%.2f %.2f m " % (x, y) + b" ".join(b"%.2f %.2f l" % p for p in others)
        self._shapes.append(_rgb(colour, b"RG") + b" %.2f w 1 J 1 j %s S" % (thickness, path))

    def symbol(self, symbol: Symbol, x: float, y: float, size: float) -> None:
        """A QR code of `size` points with its lower left corner at (x, y); the white is yours."""
        self._shapes.append(symbol.paint(x, y, size))

    def rule(self, colour: Colour = Colour.PALE) -> None:
        """A thin line across the page, a little below the last line."""
        self.stroke([(LEFT, self.y + 4), (RIGHT, self.y + 4)], 0.6, colour)
        self.y -= 6

    # --- pages ---------------------------------------------------------------------------

    def need(self, height: float) -> bool:
        """Begin another page unless `height` points are left on this one; whether it did."""
        if self.y - height >= BOTTOM:
            return False
        self.end_page()
        return True

    def end_page(self) -> None:
        """Write the page, if there is anything on it; the cursor goes to the top of the next."""
        if not self._words and not self._shapes:
            return
        number = len(self._pages) + 1
        self.text(RIGHT - 60, 30, _FOOT, f"trang / page {number}")
        self.text(LEFT, 30, _FOOT, self._facts.foot)
        data = b"BT\n" + b"\n".join(self._words) + b"\nET"
        if self._shapes:
            data = b"q\n" + b"\n".join(self._shapes) + b"\nQ\n" + data
        contents = self._writer.add_stream({}, data)
        page: dict[str, Value] = {
            "Type": Name("Page"),
            "Parent": self._tree,
            "MediaBox": (0, 0, WIDTH, HEIGHT),
            "Resources": {"Font": {"F0": self._font}},
            "Contents": contents,
        }
        self._pages.append(self._writer.add(page))
        self._shapes, self._words = [], []
        self._pen = (Colour.BLACK, False, 0.0)
        self.y = TOP

    def finish(self) -> None:
        """Write what is left, and what the file says of itself. Nothing may follow."""
        self.end_page()
        writer, facts = self._writer, self._facts
        writer.add(
            {"Type": Name("Pages"), "Kids": self._pages, "Count": len(self._pages)}, self._tree
        )
        packet = xmp_packet(
            PacketFacts(
                part=2,
                conformance="U",
                title=facts.title,
                creator=facts.author,
                identifier=facts.identifier,
                language="vi",
                tool=PRODUCER,
                created=facts.at,
                own={"RecordId": facts.identifier, "PageCount": str(len(self._pages))},
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
                "Title": facts.title,
                "Author": facts.author,
                "Creator": PRODUCER,
                "Producer": PRODUCER,
                "CreationDate": when,
                "ModDate": when,
            }
        )
        writer.finish(root=root, info=info)


def moment(at: datetime) -> str:
    """As Vietnam's offices write it: ISO 8601 with zone (S4)."""
    return at.astimezone(VIETNAM).isoformat(timespec="seconds")


class _Sink:
    """Lets the typeface put its objects into the file."""

    def __init__(self, writer: PDFWriter) -> None:
        self._writer = writer

    def add(self, body: bytes) -> int:
        return self._writer.add_serialised(body).number


def _rgb(colour: Colour, operator: bytes) -> bytes:
    return b"%g %g %g %s" % (*colour.value, operator)


def _drawable(face: Typeface, text: str) -> str:
    """`text` with what the typeface lacks written as its code point: nothing is lost."""
    glyphs = face.glyphs
    if all(char in glyphs for char in text):
        return text
    return "".join(c if c in glyphs else f"\\u{ord(c):04x}" for c in text)


def _wrapped(face: Typeface, text: str, size: float, width: float) -> Iterator[str]:
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
            end = _fitting(face, line, room)
            yield line[:end]
            line = line[end:]
    if line:
        yield line


def _fitting(face: Typeface, line: str, room: float) -> int:
    """How many of the first characters go into `room`; at least one."""
    used = 0
    for count, char in enumerate(line):
        used += face.width(char)
        if used > room:
            return max(count, 1)
    return len(line)
