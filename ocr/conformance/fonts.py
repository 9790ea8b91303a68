"""Fonts (ISO 19005-3 6.2.11): embedded whole, true widths, a Unicode value for each code."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Mapping

from fontTools.ttLib import TTFont, TTLibError

from ocr.conformance.rules import (
    Examination,
    Kind,
    array,
    entry,
    exactly,
    indirect,
    integer,
    is_number,
    name,
    numbers,
    stream_of,
)
from ocr.conformance.syntax import StreamObject, Value
from ocr.record.pdfwriter import Name, Ref

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*")  # no subset tag: then a CIDSet would be due
_UNITS = 1000
_EM = integer(-_UNITS * 4, _UNITS * 4)
_SYMBOLIC = 4
_CMAP = re.compile(
    r"/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n"
    r"/CIDSystemInfo << /Registry \(Adobe\) /Ordering \(UCS\) /Supplement 0 >> def\n"
    r"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n"
    r"1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n"
    r"(?P<blocks>(?:\d{1,3} beginbfchar\n(?:<[0-9A-F]{4}> <(?:[0-9A-F]{4}){1,2}>\n)*endbfchar\n)*)"
    r"endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n?"
)
_BLOCK = re.compile(r"(\d+) beginbfchar\n(.*?)endbfchar\n", re.DOTALL)
_MAPPING = re.compile(r"<([0-9A-F]{4})> <([0-9A-F]+)>")
_FORBIDDEN = frozenset({"\x00", "\ufeff", "\ufffe"})  # 6.2.11.7.2
_FORBIDDEN_CLAUSE = "6.2.11.7.2"


def _font_name(exam: Examination, value: Value, where: str) -> None:
    if not isinstance(value, Name) or not _PLAIN_NAME.fullmatch(value):
        exam.report("font.name", "6.2.11.4.2", where, "is not a plain font name")


def _widths(exam: Examination, value: Value, where: str) -> None:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or value[0] not in (0, 1)
        or not isinstance(value[1], list)
        or not all(map(is_number, value[1]))
    ):
        exam.report("font.widths", "6.2.11.5", where, "is not one run of widths from 0 or 1")


_STREAM = {"Length": integer(1, 1 << 26), "Filter": name("FlateDecode")}
_PROGRAM = Kind("font.program", "6.2.11.4.1", {"Length1": integer(1, 1 << 26), **_STREAM})
_DESCRIPTOR = Kind(
    "font.descriptor",
    "6.2.11.3.2",
    {
        "Type": name("FontDescriptor"),
        "FontName": _font_name,
        "Flags": integer(_SYMBOLIC, _SYMBOLIC),
        "FontBBox": numbers(4),
        "ItalicAngle": integer(0, 0),
        "Ascent": _EM,
        "Descent": _EM,
        "CapHeight": _EM,
        "StemV": _EM,
        "FontFile2": indirect(stream_of(_PROGRAM)),
    },
)
_DESCENDANT = Kind(
    "font.descendant",
    "6.2.11.3.2",
    {
        "Type": name("Font"),
        "Subtype": name("CIDFontType2"),
        "BaseFont": _font_name,
        "CIDSystemInfo": Kind(
            "font.system",
            "6.2.11.3.1",
            {
                "Registry": exactly("Adobe", "font.system", "6.2.11.3.1"),
                "Ordering": exactly("Identity", "font.system", "6.2.11.3.1"),
                "Supplement": integer(0, 0),
            },
        ),
        "FontDescriptor": indirect(_DESCRIPTOR),
        "DW": _EM,
        "W": _widths,
        "CIDToGIDMap": name("Identity"),
    },
)
_FONT = Kind(
    "font",
    "6.2.11.2",
    {
        "Type": name("Font"),
        "Subtype": name("Type0"),
        "BaseFont": _font_name,
        "Encoding": name("Identity-H"),
        "DescendantFonts": array(indirect(_DESCENDANT), 1, 1),
        "ToUnicode": indirect(stream_of(Kind("font.tounicode", "6.2.11.7.2", _STREAM))),
    },
)


def check_fonts(exam: Examination) -> None:
    """Check every font that text is shown with, once, for all the codes it shows."""
    for number, codes in sorted(exam.codes.items()):
        where = f"object {number} (font)"
        value = exam.resolve(Ref(number), where)
        if value is None:
            continue
        before = len(exam.findings)
        _FONT(exam, value, where)
        if len(exam.findings) > before:  # what follows relies on the shape
            continue
        descendants = entry(exam, value, "DescendantFonts")
        descendant = descendants[0] if isinstance(descendants, list) else None
        _check_names(exam, value, descendant, where)
        _check_program(exam, descendant, codes, where)
        _check_to_unicode(exam, value, codes, where)


def _check_names(exam: Examination, font: Value, descendant: Value | None, where: str) -> None:
    names = {
        entry(exam, font, "BaseFont"),
        entry(exam, descendant, "BaseFont"),
        entry(exam, descendant, "FontDescriptor", "FontName"),
    }
    if len(names) != 1:
        exam.report("font.name", "6.2.11.3.1", where, f"has several names: {names}")


def _check_program(
    exam: Examination, descendant: Value | None, codes: set[int], where: str
) -> None:
    program = entry(exam, descendant, "FontDescriptor", "FontFile2")
    data = exam.decoded(program, where) if isinstance(program, StreamObject) else None
    if data is None or not isinstance(program, StreamObject):
        return
    if len(data) != program.entries.get("Length1"):
        exam.report("font.program", "6.2.11.4.1", where, "/Length1 is not the program's length")
    advances = _advances(exam, data, where)
    listed = entry(exam, descendant, "W")
    if advances is None or not isinstance(listed, list) or not isinstance(listed[1], list):
        return
    first = listed[0] if isinstance(listed[0], int) else 0
    widths = dict(enumerate(listed[1], first))
    for code in sorted(codes):
        if not 0 < code < len(advances) or code not in widths:
            exam.report("font.glyph", "6.2.11.8", where, f"shows code {code}, which has no glyph")
    for code, width in sorted(widths.items()):
        if code >= len(advances) or not _same(width, advances[code]):
            exam.report(
                "font.width",
                "6.2.11.5",
                where,
                f"the width {width} of code {code} is not its glyph's",
            )


def _same(width: Value, advance: float) -> bool:
    return isinstance(width, int | float) and abs(width - advance) <= 1


def _advances(exam: Examination, data: bytes, where: str) -> list[float] | None:
    """Advances by glyph in 1/1000 em, out of the program itself."""
    try:
        with TTFont(io.BytesIO(data), lazy=True) as font:
            if font["OS/2"].fsType != 0:
                exam.report("font.licence", "6.2.11.4.1", where, "its program may not be embedded")
            scale = _UNITS / font["head"].unitsPerEm
            metrics = font["hmtx"].metrics
            return [metrics[glyph][0] * scale for glyph in font.getGlyphOrder()]
    except (TTLibError, struct.error, KeyError, ValueError, IndexError, AssertionError) as error:
        exam.report("font.program", "6.2.11.4.1", where, f"its program is broken: {error!r}")
        return None


def _check_to_unicode(exam: Examination, font: Value, codes: set[int], where: str) -> None:
    stream = entry(exam, font, "ToUnicode")
    data = exam.decoded(stream, where) if isinstance(stream, StreamObject) else None
    if data is None:
        return
    cmap = _CMAP.fullmatch(data.decode("ascii", "replace"))
    if cmap is None:
        exam.report("font.tounicode", "6.2.11.3.3", where, "its /ToUnicode is not of our kind")
        return
    mapped = _mappings(exam, cmap["blocks"], where)
    for code in sorted(codes - mapped.keys()):
        exam.report("font.unicode", "6.2.11.7.2", where, f"code {code} has no Unicode value")
    for code, character in sorted(mapped.items()):
        if character is None or character in _FORBIDDEN:
            exam.report("font.unicode", _FORBIDDEN_CLAUSE, where, f"code {code} maps to nothing")


def _mappings(exam: Examination, blocks: str, where: str) -> Mapping[int, str | None]:
    mapped: dict[int, str | None] = {}
    for count, lines in _BLOCK.findall(blocks):
        pairs = _MAPPING.findall(lines)
        if len(pairs) != int(count) or len(pairs) > 100:
            exam.report("font.tounicode", "6.2.11.3.3", where, "a block has a wrong count")
        for code, utf16 in pairs:
            try:
                mapped[int(code, 16)] = bytes.fromhex(utf16).decode("utf-16-be")
            except UnicodeDecodeError:
                mapped[int(code, 16)] = None
    return mapped
