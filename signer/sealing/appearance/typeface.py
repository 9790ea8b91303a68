"""The embedded typeface of visible signatures, and setting text with it.

"Sohoa Serif" is a renamed subset of a Times-like face, made once by `tools/make_stamp_font.py`
and embedded whole: subsetting a face for every document is what makes Vietnamese stamps slow.
The font program is compressed once a process; embedding it is then a copy. It is a Type0 font
with Identity-H and ToUnicode, CID = glyph (ISO 32000-1, 9.7; ISO 19005-3, 6.2.11).

Everything here is immutable after loading and may be used by several threads.
"""

from __future__ import annotations

import json
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import pairwise

from signer.errors import ProfileError
from signer.sealing.appearance.profiles import FontRule, TextRule
from signer.sealing.stamp import ObjectSink

_ASSETS = {"Sohoa Serif": "sohoa-serif"}
_NO_BREAK_SPACE = "\u00a0"
_SHRINK_STEP_PT = 0.25


@dataclass(frozen=True, slots=True)
class Typeface:
    """A font program with its metrics, in 1/1000 em."""

    name: str
    bbox: tuple[int, int, int, int]
    ascent: int
    descent: int
    cap_height: int
    stem_v: int
    widths: tuple[int, ...]
    """By glyph."""
    glyphs: dict[str, int]
    """Character → glyph; one to one. Not to be changed."""
    program: bytes
    """The TrueType file."""
    _streams: tuple[bytes, bytes]

    def width(self, text: str) -> int:
        """Advance of `text`, which must be drawable."""
        widths, glyphs = self.widths, self.glyphs
        return sum([widths[glyphs[char]] for char in text])

    def encode(self, text: str) -> bytes:
        """`text` as the hexadecimal string operand of `Tj`."""
        glyphs = self.glyphs
        return b"<%s>" % "".join([f"{glyphs[char]:04X}" for char in text]).encode("ascii")

    def drawable(self, text: str) -> str:
        """`text` in NFC with single spaces.

        Raises `ProfileError` naming the first character that the face lacks.
        """
        words = unicodedata.normalize("NFC", text).replace("\t", " ").split(" ")
        clean = " ".join(word for word in words if word)
        for char in clean:
            if char not in self.glyphs and char != _NO_BREAK_SPACE:
                label = unicodedata.name(char, "a control character")
                raise ProfileError(
                    f"the stamp's typeface cannot show {char!r} (U+{ord(char):04X}, {label}) of "
                    f"{clean!r}: write it in Vietnamese or Latin letters"
                )
        return clean

    def embed(self, sink: ObjectSink) -> int:
        """Add the font's objects and return the number of its Type0 dictionary."""
        program, to_unicode = (sink.add(stream) for stream in self._streams)
        bbox = b" ".join(b"%d" % side for side in self.bbox)
        name = self.name.encode("ascii")
        descriptor = sink.add(
            b"<< /Type /FontDescriptor /FontName /%s /Flags 4 /FontBBox [%s] /ItalicAngle 0 "
            b"/Ascent %d /Descent %d /CapHeight %d /StemV %d /FontFile2 %d 0 R >>"
            % (name, bbox, self.ascent, self.descent, self.cap_height, self.stem_v, program)
        )
        widths = b" ".join(b"%d" % width for width in self.widths)
        descendant = sink.add(
            b"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /%s /CIDSystemInfo "
            b"<< /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /FontDescriptor %d 0 R "
            b"/DW 1000 /W [0 [%s]] /CIDToGIDMap /Identity >>" % (name, descriptor, widths)
        )
        return sink.add(
            b"<< /Type /Font /Subtype /Type0 /BaseFont /%s /Encoding /Identity-H "
            b"/DescendantFonts [%d 0 R] /ToUnicode %d 0 R >>" % (name, descendant, to_unicode)
        )


@cache
def typeface(name: str) -> Typeface:
    """Load a shipped typeface; once a process. Raises `ProfileError` for an unknown name."""
    stem = _ASSETS.get(name)
    if stem is None:
        raise ProfileError(f"unknown typeface {name!r}; known: {', '.join(_ASSETS)}")
    assets = resources.files("signer.sealing.appearance").joinpath("assets")
    metrics = json.loads(assets.joinpath(f"{stem}.json").read_text("utf-8"))
    program = assets.joinpath(f"{stem}.ttf").read_bytes()
    glyphs: dict[str, int] = metrics["glyphs"]
    x0, y0, x1, y1 = metrics["bbox"]
    return Typeface(
        name=metrics["name"],
        bbox=(x0, y0, x1, y1),
        ascent=metrics["ascent"],
        descent=metrics["descent"],
        cap_height=metrics["cap_height"],
        stem_v=metrics["stem_v"],
        widths=tuple(metrics["widths"]),
        glyphs=glyphs,
        program=program,
        _streams=(
            flate_stream(program, b"/Length1 %d" % len(program)),
            flate_stream(_to_unicode(glyphs)),
        ),
    )


def flate_stream(data: bytes, entries: bytes = b"") -> bytes:
    """A serialised stream object of `data`, compressed, with `entries` in its dictionary."""
    packed = zlib.compress(data, 9)
    return b"<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (
        entries,
        len(packed),
        packed,
    )


def _to_unicode(glyphs: dict[str, int]) -> bytes:
    """A ToUnicode CMap of single mappings (ISO 32000-1, 9.10.3), at most 100 to a block."""
    entries = [
        f"<{glyph:04X}> <{char.encode('utf-16-be').hex().upper()}>"
        for char, glyph in sorted(glyphs.items(), key=lambda item: item[1])
    ]
    blocks: list[str] = []
    for start in range(0, len(entries), 100):
        block = entries[start : start + 100]
        blocks += [f"{len(block)} beginbfchar", *block, "endbfchar"]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
            "/CMapName /Adobe-Identity-UCS def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<0000> <FFFF>",
            "endcodespacerange",
            *blocks,
            "endcmap",
            "CMapName currentdict /CMap defineresource pop",
            "end",
            "end",
        ]
    ).encode("ascii")


@dataclass(frozen=True, slots=True)
class SetLine:
    """A line of text at its place: x and baseline y in points from the box's lower left."""

    text: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class TextBlock:
    """Text that has been broken into lines and fits its box of `width` × `height` points."""

    face: Typeface
    size_pt: float
    colour: tuple[float, float, float]
    lines: tuple[SetLine, ...]
    width: float
    height: float


def set_text(
    paragraphs: Iterable[str], rule: TextRule, font: FontRule, width: float, height: float
) -> TextBlock:
    """Break `paragraphs` into lines within a box of `width` × `height` points.

    Lines break at spaces and are evened out; the size shrinks from `size_pt` to
    `min_size_pt` until everything fits. Nothing is ever cut off: raises `ProfileError` when
    the text does not fit at the smallest size, or has a character the face lacks.
    """
    face = typeface(font.name)
    words = [face.drawable(paragraph).split(" ") for paragraph in paragraphs]
    size = font.size_pt
    while True:
        measure = int(width * 1000 / size)
        lines = [line for paragraph in words for line in _broken(face, paragraph, measure)]
        # the first line needs its ascent, the last its descent, the leading lies between
        body = (face.bbox[3] - face.bbox[1]) / 1000 * size
        needed = body + (len(lines) - 1) * font.leading * size
        if needed <= height and all(line_width <= measure for _, line_width in lines):
            return _placed(face, lines, rule, font, size, width, height)
        if size <= font.min_size_pt:
            raise ProfileError(
                f"the text {' / '.join(' '.join(paragraph) for paragraph in words)!r} does not "
                f"fit into {width:.0f} × {height:.0f} pt even at {font.min_size_pt} pt: give the "
                "profile a larger box, or shorten the text"
            )
        size = max(font.min_size_pt, size - _SHRINK_STEP_PT)


def _broken(face: Typeface, words: Sequence[str], measure: int) -> list[tuple[str, int]]:
    """Lines with their widths: as few as possible, then as even as possible."""
    widths = [face.width(word.replace(_NO_BREAK_SPACE, " ")) for word in words]
    space = face.width(" ")
    fewest = _breaks(widths, space, measure)
    if len(fewest) > 2:  # several lines: the narrowest measure that needs no more of them
        low, high = max(widths), measure
        while low < high:
            middle = (low + high) // 2
            if len(_breaks(widths, space, middle)) <= len(fewest):
                high = middle
            else:
                low = middle + 1
        fewest = _breaks(widths, space, low)
    lines = []
    for start, end in pairwise(fewest):
        text = " ".join(words[start:end]).replace(_NO_BREAK_SPACE, " ")
        lines.append((text, sum(widths[start:end]) + space * (end - start - 1)))
    return lines


def _breaks(widths: Sequence[int], space: int, measure: int) -> list[int]:
    """Indices of the words that begin lines, and the end."""
    breaks, used = [0], 0
    for index, width in enumerate(widths):
        if index > breaks[-1] and used + space + width > measure:
            breaks.append(index)
            used = width
        else:
            used += width + (space if index > breaks[-1] else 0)
    return [*breaks, len(widths)]


def _placed(
    face: Typeface,
    lines: Sequence[tuple[str, int]],
    rule: TextRule,
    font: FontRule,
    size: float,
    width: float,
    height: float,
) -> TextBlock:
    step = font.leading * size
    body = (face.bbox[3] - face.bbox[1]) / 1000 * size + (len(lines) - 1) * step
    slack = {"top": 0.0, "middle": (height - body) / 2, "bottom": height - body}[rule.valign]
    baseline = height - slack - face.bbox[3] / 1000 * size
    part = {"left": 0.0, "center": 0.5, "right": 1.0}[rule.align]
    placed = []
    for text, units in lines:
        advance = units / 1000 * size
        placed.append(SetLine(text, part * (width - advance), baseline, advance))
        baseline -= step
    red, green, blue = bytes.fromhex(font.colour[1:])
    return TextBlock(face, size, (red / 255, green / 255, blue / 255), tuple(placed), width, height)
