"""The font of the invisible text: real advances, glyphs that paint nothing.

Viewers select, search and extract by advances and /ToUnicode; the shapes are never seen. So
the glyphs are our own: a contour without area that spans advance × (descent..ascent).
Empty glyphs would do for PDF, but MuPDF then drops pages and PDFium drops one-letter words.
Advances are those of a Times-like face (assets/times-advances.tsv), so words need little
horizontal scaling. One font serves a record and holds just the characters used; it is whole
as it stands, not a subset of another, so its name bears no subset tag and no CIDSet is due
(ISO 19005-3 6.2.11.4.2).
"""

from __future__ import annotations

import io
import unicodedata
from functools import cache
from importlib import resources

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen

from ocr.record.pdfwriter import Name, PDFWriter, Ref, Value

UNITS_PER_EM = 1000
ASCENT = 891  # of the face whose advances are used, in thousandths of an em
DESCENT = -216
_CAP_HEIGHT = 655
_NOTDEF_ADVANCE = 500
_UNKNOWN_ADVANCE = 600
_WIDE_ADVANCE = 1000  # East Asian wide characters fill the em
_FONT_NAME = "SohoaText"
_BFCHAR_LIMIT = 100  # entries in one block (Adobe Technical Note 5014)
_FIXED_TIME = 3_786_912_000  # seconds from 1904: 2024-01-01; a clock would break reproducibility
SPACE = " "


@cache
def _advances() -> dict[int, int]:
    table: dict[int, int] = {}
    text = (resources.files("ocr.record") / "assets" / "times-advances.tsv").read_text("ascii")
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        advance, ranges = line.split("\t")
        for part in ranges.split():
            first, _, last = part.partition("-")
            for code in range(int(first, 16), int(last or first, 16) + 1):
                table[code] = int(advance)
    return table


def advance(character: str) -> int:
    """Advance of one character in thousandths of an em; at least 1."""
    known = _advances().get(ord(character))
    if known is not None:
        return known
    if unicodedata.combining(character):
        return 1
    wide = unicodedata.east_asian_width(character) in "WF"
    return _WIDE_ADVANCE if wide else _UNKNOWN_ADVANCE


def text_width(text: str) -> float:
    """Advance of a text in em."""
    return sum(advance(c) for c in text) / UNITS_PER_EM


class TextFont:
    """Hands out character codes as texts come by, and writes the font at the end.

    CID = glyph index, from 1, in the order of first use; code 1 is the space.
    """

    def __init__(self) -> None:
        self._codes: dict[str, int] = {SPACE: 1}

    @property
    def used(self) -> bool:
        """Whether any text but the space was encoded."""
        return len(self._codes) > 1

    def encode(self, text: str) -> bytes:
        """Two-byte codes (Identity-H) of the text's characters."""
        codes = self._codes
        return b"".join(codes.setdefault(c, len(codes) + 1).to_bytes(2, "big") for c in text)

    def write(self, writer: PDFWriter, ref: Ref) -> None:
        """Write the Type0 font under `ref`, with its descendant, program and CMap."""
        program = self.program()
        name = Name(_FONT_NAME)
        advances = [advance(c) for c in self._codes]
        file_ref = writer.add_stream({"Length1": len(program)}, program)
        descriptor: dict[str, Value] = {
            "Type": Name("FontDescriptor"),
            "FontName": name,
            "Flags": 4,  # symbolic: glyphs are reached by index, not through an encoding
            "FontBBox": (0, DESCENT, max(*advances, _NOTDEF_ADVANCE), ASCENT),
            "ItalicAngle": 0,
            "Ascent": ASCENT,
            "Descent": DESCENT,
            "CapHeight": _CAP_HEIGHT,
            "StemV": 80,
            "FontFile2": file_ref,
        }
        descendant: dict[str, Value] = {
            "Type": Name("Font"),
            "Subtype": Name("CIDFontType2"),
            "BaseFont": name,
            "CIDSystemInfo": {"Registry": "Adobe", "Ordering": "Identity", "Supplement": 0},
            "FontDescriptor": writer.add(descriptor),
            "DW": _NOTDEF_ADVANCE,
            "W": (1, advances),
            "CIDToGIDMap": Name("Identity"),
        }
        font: dict[str, Value] = {
            "Type": Name("Font"),
            "Subtype": Name("Type0"),
            "BaseFont": name,
            "Encoding": Name("Identity-H"),
            "DescendantFonts": (writer.add(descendant),),
            "ToUnicode": writer.add_stream({}, self.to_unicode()),
        }
        writer.add(font, ref)

    def program(self) -> bytes:
        """The TrueType program; the same bytes for the same characters in the same order."""
        names = [".notdef", *(f"g{code}" for code in self._codes.values())]
        builder = FontBuilder(UNITS_PER_EM, isTTF=True)
        builder.setupGlyphOrder(names)
        builder.setupCharacterMap({ord(c): f"g{code}" for c, code in self._codes.items()})
        widths = {".notdef": _NOTDEF_ADVANCE}
        widths |= {f"g{code}": advance(c) for c, code in self._codes.items()}
        builder.setupGlyf({n: _line_glyph(w, empty=n in names[:2]) for n, w in widths.items()})
        builder.setupHorizontalMetrics({n: (w, 0) for n, w in widths.items()})
        builder.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
        builder.setupOS2(
            sTypoAscender=ASCENT,
            sTypoDescender=DESCENT,
            usWinAscent=ASCENT,
            usWinDescent=-DESCENT,
            fsType=0,  # installable embedding: no legal restriction (ISO 19005-3 6.2.11.4.1)
        )
        builder.setupNameTable(
            {"familyName": _FONT_NAME, "styleName": "Regular", "psName": _FONT_NAME}
        )
        builder.setupPost(keepGlyphNames=False)
        builder.font.recalcTimestamp = False
        builder.font["head"].created = builder.font["head"].modified = _FIXED_TIME
        out = io.BytesIO()
        builder.save(out)
        return out.getvalue()

    def to_unicode(self) -> bytes:
        """The /ToUnicode CMap, with `bfchar` only (ranges trip some readers)."""
        entries = [
            f"<{code:04X}> <{c.encode('utf-16-be').hex().upper()}>"
            for c, code in self._codes.items()
        ]
        lines = [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<0000> <FFFF>",
            "endcodespacerange",
        ]
        for start in range(0, len(entries), _BFCHAR_LIMIT):
            block = entries[start : start + _BFCHAR_LIMIT]
            lines += [f"{len(block)} beginbfchar", *block, "endbfchar"]
        lines += ["endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end", ""]
        return "\n".join(lines).encode("ascii")


def _line_glyph(width: int, *, empty: bool) -> object:
    """A glyph without area from (0, descent) to (width, ascent) and back."""
    pen = TTGlyphPen(None)
    if not empty:
        pen.moveTo((0, DESCENT))
        pen.lineTo((width, ASCENT))
        pen.lineTo((0, DESCENT + 1))
        pen.closePath()
    return pen.glyph()
