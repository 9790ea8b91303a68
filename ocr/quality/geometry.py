"""Measures of the page as a sheet: colour, resolution, scale, cut edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from ocr.quality.findings import Place
from ocr.quality.picture import Picture, Plane
from ocr.quality.profiles import Paper
from ocr.reading.raster import Grey

_USUAL_DPI = (100, 150, 200, 240, 300, 400, 600)
_COLOURED = 0.005  # of the pixels
_ENOUGH_LETTERS = 60
_SMALL_PRINT_MM = 1.75  # median height of print of 10 point, marks and capitals with it
_POSSIBLE_MM = (1.55, 3.9)  # of print in large and small types, once the resolution is right
_SAME_PAPER = 0.015  # of its sides, within which a sheet is of that size
_CLEARLY = 0.003
_PAPER_OF_DOSSIERS = "A4"
_SCALES = (0.80, 1.25)  # what copiers and drivers do when they fit a page
_FLAT = 1.5  # grey levels (standard deviation): no sensor is that quiet over a whole frame
_STRIP_MM = 4.0  # looked at along each edge
_PAPER_MM = 6.0  # along the edge, in which there is some paper
_DEPTH_MM = 0.5  # of a cut stroke, from the edge inwards; dust is smaller
_STROKE_MM = (0.2, 12.0)  # of a cut stroke along the edge; longer is a rule or a photograph
_RIM = 0.8  # of a row that is dark: the scanner's, not the page's
_INK = 0.3  # darkness
_FEW = 4  # cut strokes that may be chance


def colour_channels(picture: Picture) -> int:
    """3 where the image shows any colour, 1 where it is grey, whatever its file calls itself."""
    if picture.chroma is None:
        return 1
    return 3 if float((picture.chroma >= 2).mean()) > _COLOURED else 1


def letter_height_mm(picture: Picture) -> float | None:
    """Median height of the letters in millimetres; None without enough of them.

    The middle of the page decides: heads and signatures are set in other sizes.
    """
    height, width = picture.fine.shape
    middle = picture.fine[height // 5 : -height // 5, width // 8 : -width // 8]
    _, ink = cv2.threshold(middle, 0, 1, cv2.THRESH_BINARY_INV + cv2.THRESH_OTSU)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    high, wide = stats[1:, cv2.CC_STAT_HEIGHT], stats[1:, cv2.CC_STAT_WIDTH]
    letters = (high >= 5) & (wide >= 3) & (high < 60) & (wide < 2.5 * high)
    letters &= stats[1:, cv2.CC_STAT_AREA] > 0.15 * high * wide
    if int(letters.sum()) < _ENOUGH_LETTERS:
        return None
    return float(np.median(high[letters])) / picture.fine_scale.y


def likely_dpi(
    dpi: float, page_mm: tuple[float, float], letters_mm: float | None, papers: Sequence[Paper]
) -> float | None:
    """The resolution that fits paper and letters where that of the file fits neither.

    None when the file's own is possible: a paper that exists with print that can be read, or an
    odd sheet that no other resolution makes an A4.
    """
    if letters_mm is None:
        return None
    is_known = _paper_of(page_mm, papers) is not None
    if is_known and letters_mm >= _SMALL_PRINT_MM:
        return None
    fitting = []
    for other in _USUAL_DPI:
        factor = dpi / other
        paper = _paper_of((page_mm[0] * factor, page_mm[1] * factor), papers)
        in_reach = _POSSIBLE_MM[0] <= letters_mm * factor <= _POSSIBLE_MM[1]
        if abs(factor - 1) <= 0.02 or paper is None:
            continue
        is_usual = paper[0].name == _PAPER_OF_DOSSIERS
        # a sheet of no known size is an odd one, unless it would be a very A4
        if in_reach if is_known else is_usual:
            fitting.append((is_usual, float(other)))
    return max(fitting)[1] if fitting else None


def scale_percent(picture: Picture, papers: Sequence[Paper]) -> tuple[float, Place] | None:
    """The page's scale in per cent of a paper that exists, and where the sheet lies.

    A sheet is the image without an empty frame, which drivers put around a page they fit. None
    when it is of no known size at any likely scale: odd papers are not wrong.
    """
    sheet = _sheet(picture)
    long, short = _sorted((sheet.right - sheet.left, sheet.bottom - sheet.top))
    is_framed = long < 0.985 * max(picture.page_mm)
    known = None if is_framed else _paper_of((long, short), papers)
    scaled = None
    for paper in papers:
        if paper.name == _PAPER_OF_DOSSIERS:  # anything is some scale of some paper
            factor = long / paper.height_mm
            apart = abs(short / paper.width_mm / factor - 1)
            if apart <= _SAME_PAPER and _SCALES[0] <= factor <= _SCALES[1]:
                scaled = apart, factor
    if scaled is not None and (known is None or scaled[0] < known[1] - _CLEARLY):
        return 100 * scaled[1], sheet
    return None if known is None else (100.0, sheet)


def _paper_of(sides: tuple[float, float], papers: Sequence[Paper]) -> tuple[Paper, float] | None:
    """The paper that a sheet is nearest to, and how far its sides are from it (of 1)."""
    long, short = _sorted(sides)
    apart = [(max(abs(long / p.height_mm - 1), abs(short / p.width_mm - 1)), p) for p in papers]
    far, paper = min(apart, key=lambda pair: pair[0])
    return (paper, far) if far <= _SAME_PAPER else None


def _sorted(sides: tuple[float, float]) -> tuple[float, float]:
    return max(sides), min(sides)


def _sheet(picture: Picture) -> Place:
    """The page without an empty frame: rows and columns of one colour, without any grain."""
    grey, scale = picture.small_grey, picture.small_scale
    rows = _alive(grey.std(axis=1), grey.mean(axis=1))
    columns = _alive(grey.std(axis=0), grey.mean(axis=0))
    if rows is None or columns is None:
        return picture.whole
    return scale.place(columns[0], rows[0], columns[1], rows[1])


def _alive(deviation: Plane, mean: Plane) -> tuple[int, int] | None:
    """First and end of the stretch between the frame's lines; None when all is frame."""
    flat = (deviation < _FLAT) & (mean > 252)
    inner = np.nonzero(~flat)[0]
    return (int(inner[0]), int(inner[-1]) + 1) if len(inner) else None


def cut_edges(picture: Picture) -> tuple[float, tuple[Place, ...]]:
    """Millimetres of cut strokes along the edges of the image, and their places, one an edge.

    A scanner's own dark rim is trimmed first; a few strokes may be dust.
    """
    total, places = 0.0, []
    width, height = picture.page_mm
    across, down = picture.fine_scale.x, picture.fine_scale.y
    fine = picture.fine
    for edge, strip, along, deep in (
        ("top", fine, across, down),
        ("bottom", fine[::-1], across, down),
        ("left", fine.T, down, across),
        ("right", fine.T[::-1], down, across),
    ):
        strokes = _cut_strokes(strip[: max(4, round(_STRIP_MM * deep))], along, deep)
        if len(strokes) < _FEW:
            continue
        total += sum(end - begin for begin, end in strokes) / along
        begin = min(b for b, _ in strokes) / along
        end = max(e for _, e in strokes) / along
        match edge:
            case "top":
                places.append(Place(begin, 0.0, end, _STRIP_MM))
            case "bottom":
                places.append(Place(begin, height - _STRIP_MM, end, height))
            case "left":
                places.append(Place(0.0, begin, _STRIP_MM, end))
            case _:
                places.append(Place(width - _STRIP_MM, begin, width, end))
    return total, tuple(places)


def _cut_strokes(strip: Grey, along: float, deep: float) -> list[tuple[int, int]]:
    """Begin and end, in pixels along the edge, of strokes that run out of the image.

    The first row of `strip` is the edge.
    """
    # print closed over along the edge: shadows, which run along it or into it, stay
    across = np.ones((1, max(3, round(_PAPER_MM * along) | 1)), np.uint8)
    paper = cv2.morphologyEx(np.ascontiguousarray(strip), cv2.MORPH_CLOSE, across)
    ink = (strip < (1 - _INK) * paper.astype(np.float32)).astype(np.uint8)
    rim = 0  # rows of the scanner's own
    while rim < len(ink) // 2 and ink[rim].mean() > _RIM:
        rim += 1
    _, _, stats, _ = cv2.connectedComponentsWithStats(
        np.ascontiguousarray(ink[rim:]), connectivity=8
    )
    strokes = []
    for left, top, wide, high, _ in stats[1:].tolist():
        if top <= 1 and high / deep >= _DEPTH_MM and _STROKE_MM[0] <= wide / along <= _STROKE_MM[1]:
            strokes.append((left, left + wide))
    return strokes
