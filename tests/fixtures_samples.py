"""Recognised pages made from ground truth, as a perfect reader would give them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocr.fields.pieces import enclosing
from ocr.page import Box, ImageStream, Line, PageImage, RecognisedPage, Word
from tools.samples.groundtruth import MM_PER_INCH, ScanGeometry, TruthLine, TruthPage


def page_image(number: int, dpi: float, path: Path = Path("no-such-image")) -> PageImage:
    """A page image that claims A4 at `dpi`; its stream need not exist."""
    width, height = round(210 * dpi / MM_PER_INCH), round(297 * dpi / MM_PER_INCH)
    stream = ImageStream(path, "DCTDecode", width, height, 3, 8)
    return PageImage(
        number, f"page-{number}.jpg", 1, "0" * 64, "0" * 64, stream, True, (dpi, dpi), False, 0
    )


def recognised(
    truth: TruthPage, *, number: int = 1, dpi: float = 300.0, skew: float = 0.0,
    confidence: float = 96.0,
) -> RecognisedPage:  # fmt: skip
    """The page as read without error: printed lines with boxes, rows from the baselines."""
    geometry = ScanGeometry(dpi, skew)
    printed = [line for line in truth.lines if line.kind == "print" and line.words]
    lines = []
    for row, members in enumerate(_rows(printed)):
        for segment, line in enumerate(sorted(members, key=lambda x: x.words[0].left)):
            lines.append(_line(line, geometry, row, segment, confidence))
    image = page_image(number, dpi)
    return RecognisedPage(
        image, 0, image.kept.width_px, image.kept.height_px, (dpi, dpi), skew, not lines,
        tuple(lines),
    )  # fmt: skip


def _rows(lines: Sequence[TruthLine]) -> list[list[TruthLine]]:
    rows: list[list[TruthLine]] = []
    for line in sorted(lines, key=lambda x: x.baseline_mm):
        if rows and line.baseline_mm - rows[-1][0].baseline_mm < 1.8:
            rows[-1].append(line)
        else:
            rows.append([line])
    return rows


def _line(
    line: TruthLine, geometry: ScanGeometry, row: int, segment: int, confidence: float
) -> Line:
    words = tuple(Word(w.text, geometry.on_scan(w), confidence) for w in line.words)
    box: Box = enclosing(w.box for w in words)
    size = line.size_pt / 72 * geometry.dpi
    return Line(words, box, box.bottom, 0.0, size, row, segment)
