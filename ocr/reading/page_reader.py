"""What one page goes through, from pixels to recognised lines.

Read `PageReader.read` from top to bottom: the steps stand there in their order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np

from ocr.page import Line, PageFault, PageImage, QuarterTurns, RecognisedPage
from ocr.reading.cleanup import despeckled, rotated, scaled
from ocr.reading.doubt import look_again
from ocr.reading.doubt_places import ReadCell, unread_places
from ocr.reading.framing import framed, in_cut
from ocr.reading.orientation import SURE, ink_balance, ink_runs_down
from ocr.reading.placing import Cell, View, line_of
from ocr.reading.quality import is_blank
from ocr.reading.raster import Grey, turned
from ocr.reading.recognise import LineMode, Reading, Recogniser
from ocr.reading.scribble import is_scribble
from ocr.reading.segmentation import Layout, Segment, cut, segment
from ocr.reading.skew import LONG_SIDE_PX, skew_of, small_ink
from ocr.reading.syllables import vocabulary
from ocr.reading.upright import standing
from ocr.reading.word_gaps import parted
from ocr.settings import WORKING_DPI

__all__ = ["WORKING_DPI", "PageReader", "unread"]

_SKEW_FLOOR = 0.1  # degrees; turning the image for less blurs more than it helps
_DOUBTFUL = 92.0  # a segment read with less confidence is read again
_KNOWN = 93.0  # words read so surely vouch for others of the page
_SHORT = 16  # letters: a table cell, not a sentence
_SURER, _MUCH_SURER = 0.5, 3.0  # confidence that another reading must win by
_SMOOTHING_PX = 0.9


class PageReader:
    """Reads pages with one engine. Not thread-safe."""

    def __init__(self, engine: Recogniser) -> None:
        self._engine = engine

    def read(
        self, image: PageImage, even: Grey, *, turns: QuarterTurns | None = None
    ) -> RecognisedPage:
        """Recognise a page; with `turns` (all of them, clockwise) a person said which way is up.

        `even` is the kept image without seals on even paper (`cleanup.without_seal`; a bilevel
        page as it is), in its own orientation and size. Raises RecognitionError when the engine
        fails.
        """
        # 1 working resolution, the metadata's quarter turns
        grey = despeckled(even) if image.kept.bits == 1 else even
        scale_x, scale_y = (min(1.0, WORKING_DPI / d) for d in image.dpi)
        all_turns = image.exif_turns if turns is None else turns
        grey = turned(scaled(grey, scale_x, scale_y), all_turns)
        # 2 anything on it?
        if is_blank(grey, WORKING_DPI):
            return _page(image, all_turns, 0.0, (), blank=True)
        # 3 quarter turns found by looking; skew
        ink = small_ink(grey, LONG_SIDE_PX)
        if turns is None and ink_runs_down(ink):
            all_turns = _quarter(all_turns + 1)
            grey, ink = turned(grey, 1), turned(ink, 1)
        skew = skew_of(ink)
        skew = skew if abs(skew) > _SKEW_FLOOR else 0.0
        straight = rotated(grey, skew) if skew else grey
        layout = segment(straight, WORKING_DPI)
        stands = standing(self._engine, straight, layout, WORKING_DPI)
        told = stands.read
        on_head = stands.on_head if turns is None else False
        if on_head is None:
            on_head = self._upside_down(straight)
        if on_head:
            all_turns, told = _quarter(all_turns + 2), {}
            straight = turned(straight, 2)
            layout = segment(straight, WORKING_DPI)
        # 4 lines, cut and read one by one
        if all_turns % 2:
            scale_x, scale_y = scale_y, scale_x
        view = View(scale_x, scale_y, skew, straight.shape[1] / 2, straight.shape[0] / 2)
        cells = self._cells(straight, layout, view, told)
        # 5 what a person has to look at
        page = _page(image, all_turns, skew, self._judged(cells, layout, view), blank=False)
        return replace(page, unread=unread_places(cells, layout, view))

    def _upside_down(self, straight: Grey) -> bool:
        """Without a line that tells."""
        balance = ink_balance(straight)
        if abs(balance) >= SURE:
            return balance < 0
        told = self._engine.upside_down(straight, WORKING_DPI)
        return balance < -0.1 if told is None else told

    def _judged(self, cells: list[ReadCell], layout: Layout, view: View) -> tuple[Line, ...]:
        return look_again(cells, self._engine, layout, view, WORKING_DPI)

    def _cells(
        self, grey: Grey, layout: Layout, view: View, told: Mapping[int, Reading]
    ) -> list[ReadCell]:
        segments = [(r, k, s) for r, row in enumerate(layout.rows) for k, s in enumerate(row)]
        cuts = [cut(grey, layout, s) for _, _, s in segments]
        readings = self._read_framed([s for _, _, s in segments], cuts, layout, told)
        readings, moved = self._read_again(segments, cuts, readings, layout)
        known = vocabulary(w.text for r in readings for w in r.words if w.confidence >= _KNOWN)
        out = []
        for (row, k, part), (made, left, top), reading, shift in zip(
            segments, cuts, readings, moved, strict=True
        ):
            reading = parted(reading, part, layout, (left, top + shift))
            cell = Cell(part, layout.letter_px, left, top + shift, row, k)
            line = None if is_scribble(reading) else line_of(reading, cell, view, known)
            out.append(ReadCell(line, cell, made))
        return out

    def _read_framed(
        self,
        parts: list[Segment],
        cuts: list[tuple[Grey, int, int]],
        layout: Layout,
        told: Mapping[int, Reading],
    ) -> list[Reading]:
        """All segments; those of `told`, by segment number, are read already."""
        frames = [
            framed(made, top, part, layout.letter_px)
            for part, (made, _, top) in zip(parts, cuts, strict=True)
        ]
        new = [k for k, part in enumerate(parts) if part.number not in told]
        read = self._engine.read([frames[k].pixels for k in new], WORKING_DPI, LineMode.RAW)
        seen = dict(told) | {parts[k].number: r for k, r in zip(new, read, strict=True)}
        return [
            in_cut(seen[part.number], frame, layout, part, (left, top))
            for frame, part, (_, left, top) in zip(frames, parts, cuts, strict=True)
        ]

    def _read_again(
        self,
        segments: list[tuple[int, int, Segment]],
        cuts: list[tuple[Grey, int, int]],
        readings: list[Reading],
        layout: Layout,
    ) -> tuple[list[Reading], list[int]]:
        """Doubtful readings tried in other ways; the surest wins.

        With each reading comes how far the top of its image moved down against the cut.
        """
        best, moved = list(readings), [0] * len(readings)
        doubtful = [i for i, r in enumerate(readings) if r.confidence < _DOUBTFUL]
        # noise and broken edges weigh less on a smoothed line
        smooth = [_smoothed(cuts[i][0]) for i in doubtful]
        tried = list(zip(doubtful, smooth, [0] * len(doubtful), strict=True))
        self._try(LineMode.LINE, tried, _SURER, best, moved)
        # digits in a cell have no ascenders or marks: a fixed height scales them rightly
        tried = [
            (i, *_fixed_height(cuts[i], segments[i][2], layout))
            for i in doubtful
            if segments[i][2].letters <= _SHORT and best[i].confidence < _DOUBTFUL
        ]
        self._try(LineMode.RAW, tried, _MUCH_SURER, best, moved)
        return best, moved

    def _try(
        self,
        mode: LineMode,
        tried: list[tuple[int, Grey, int]],
        surer: float,
        best: list[Reading],
        moved: list[int],
    ) -> None:
        if not tried:
            return
        seen = self._engine.read([image for _, image, _ in tried], WORKING_DPI, mode)
        for (i, _, shift), reading in zip(tried, seen, strict=True):
            if reading.confidence > best[i].confidence + surer:
                best[i], moved[i] = reading, shift


def _smoothed(line: Grey) -> Grey:
    return np.asarray(cv2.GaussianBlur(line, (0, 0), _SMOOTHING_PX), np.uint8)


def unread(image: PageImage, fault: PageFault) -> RecognisedPage:
    """The page without text, marked with the fault."""
    return replace(_page(image, image.exif_turns, 0.0, (), blank=False), fault=fault)


def _page(
    image: PageImage,
    turns: QuarterTurns,
    skew: float,
    lines: tuple[Line, ...],
    *,
    blank: bool,
) -> RecognisedPage:
    width, height, dpi = image.kept.width_px, image.kept.height_px, image.dpi
    if turns % 2:
        width, height, dpi = height, width, (dpi[1], dpi[0])
    return RecognisedPage(image, turns, width, height, dpi, skew, blank, lines)


def _quarter(turns: int) -> QuarterTurns:
    return (0, 1, 2, 3)[turns % 4]


def _fixed_height(made: tuple[Grey, int, int], part: Segment, layout: Layout) -> tuple[Grey, int]:
    """The cut brought to the height of an ordinary line, and how far its top moved down.

    A cell with digits only has no ascenders or marks; without the usual space above and below
    the engine scales it wrongly.
    """
    image, _, cut_top = made
    middle = int(part.middle) - cut_top
    top, bottom = (
        middle - int(1.55 * layout.letter_px),
        middle + int(1.25 * layout.letter_px),
    )
    above, below = max(0, -top), max(0, bottom - image.shape[0])
    padded = cv2.copyMakeBorder(image, above, below, 0, 0, cv2.BORDER_CONSTANT, value=(255,))
    start = max(0, top)
    framed = padded[start : start + bottom - top]
    return np.ascontiguousarray(framed, np.uint8), start - above
