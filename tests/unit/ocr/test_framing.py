"""Lines as the network takes them in, and which way up they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from ocr.page import Box
from ocr.reading.framing import HEIGHT_PX, framed, in_cut
from ocr.reading.raster import Grey, turned
from ocr.reading.recognise import EngineInfo, LineMode, Reading, ReadWord
from ocr.reading.segmentation import Layout, Segment, cut, segment
from ocr.reading.tesseract import TesserocrEngine
from ocr.reading.upright import standing
from tests.scans import TEXT, letters, printed

PAGE = np.asarray(printed(), np.uint8)


@pytest.fixture(scope="module")
def engine() -> Iterator[TesserocrEngine]:
    with TesserocrEngine() as found:
        yield found


def _lines(page: Grey) -> Iterator[tuple[Layout, Segment, Grey, int, int]]:
    layout = segment(page, 200)
    for row in layout.rows:
        for part in row:
            yield layout, part, *cut(page, layout, part)


def test_every_frame_has_the_networks_height_and_its_own_paper() -> None:
    grey = np.where(PAGE > 200, 231, PAGE).astype(np.uint8)
    for layout, part, image, _, top in _lines(grey):
        frame = framed(image, top, part, layout.letter_px)
        assert frame.pixels.shape[0] == HEIGHT_PX
        edges = (frame.pixels[0], frame.pixels[-1], frame.pixels[:, 0], frame.pixels[:, -1])
        for edge in edges:  # a step from grey to white would be read as a dot or a quote
            assert 225 <= np.median(edge) <= 237


def test_a_line_at_the_pages_edge_is_framed() -> None:
    layout, part, *_ = next(_lines(PAGE))
    close = np.ascontiguousarray(PAGE[part.top :, part.left :])
    layout, part, image, _, top = next(_lines(close))
    assert framed(image, top, part, layout.letter_px).pixels.shape[0] == HEIGHT_PX


@pytest.mark.tesseract
def test_words_stand_on_their_ink(engine: TesserocrEngine) -> None:
    read = []
    for layout, part, image, left, top in _lines(PAGE):
        frame = framed(image, top, part, layout.letter_px)
        (raw,) = engine.read([frame.pixels], 200, LineMode.RAW)
        placed = in_cut(raw, frame, layout, part, (left, top))
        read.append(placed.text)
        rest = PAGE[part.top : part.bottom, part.left : part.right] < 100
        for word in placed.words:
            box = word.box
            inside = (
                slice(int(box.top) + top - part.top, int(box.bottom) + top - part.top),
                slice(int(box.left) + left - part.left, int(box.right) + left - part.left),
            )
            ink = rest[inside]
            # tight to two faint pixels: ink touches all four sides
            assert ink[:3].any()
            assert ink[-3:].any()
            assert ink[:, :3].any()
            assert ink[:, -3:].any()
            rest[inside] = False
        assert not rest.any()
    assert letters("".join(read)) == letters("".join(TEXT))


def test_a_word_without_ink_is_as_high_as_its_line_and_an_underline_is_no_word() -> None:
    underlined = PAGE.copy()
    layout, part, *_ = next(_lines(PAGE))
    foot = int(part.baseline) + 2
    underlined[foot : foot + 2, part.left : part.right] = 20
    layout, part, image, left, top = next(_lines(underlined))
    frame = framed(image, top, part, layout.letter_px)
    middle, width = frame.pixels.shape[1] / 2, frame.pixels.shape[1]
    seen = Reading(
        (
            ReadWord("a", Box(0, 0, middle - 9, 36), 90.0),
            ReadWord("b", Box(middle + 9, 0, width, 36), 90.0),
            ReadWord("c", Box(width + 40, 0, width + 60, 36), 90.0),
        )
    )
    first, second, third = in_cut(seen, frame, layout, part, (left, top)).words
    half = middle / frame.scale + frame.left
    assert first.box.right < half + 2 * layout.letter_px
    assert second.box.left > half - 2 * layout.letter_px
    assert (third.box.top, third.box.bottom) == (part.top - top, part.bottom - top)
    assert in_cut(Reading(()), frame, layout, part, (left, top)).words == ()


@pytest.mark.tesseract
@pytest.mark.parametrize("turns", [0, 2])
def test_long_lines_tell_which_way_up(engine: TesserocrEngine, turns: int) -> None:
    page = turned(PAGE, turns)  # type: ignore[arg-type]  # 0 or 2
    layout = segment(page, 200)
    found = standing(engine, page, layout, 200)
    assert found.on_head is (turns == 2)
    assert set(found.read) <= {part.number for row in layout.rows for part in row}


class _Numb:
    """Reads everything alike."""

    info = EngineInfo("numb", "0", ())

    def __init__(self) -> None:
        self.asked = 0

    def read(self, lines: Sequence[Grey], dpi: int, mode: LineMode) -> list[Reading]:
        self.asked += len(lines)
        return [Reading((ReadWord("?", Box(0, 0, 9, 9), 50.0),)) for _ in lines]

    def upside_down(self, page: Grey, dpi: int) -> bool | None:
        return None

    def close(self) -> None:
        pass


def test_without_a_line_that_tells_nothing_is_said() -> None:
    numb = _Numb()
    layout = segment(PAGE, 200)
    assert standing(numb, PAGE, layout, 200).on_head is None
    assert numb.asked == 4  # two lines, both ways
    numbers = np.asarray(printed(["1", "24", "306"]), np.uint8)
    assert standing(numb, numbers, segment(numbers, 200), 200).on_head is None
    assert numb.asked == 4
