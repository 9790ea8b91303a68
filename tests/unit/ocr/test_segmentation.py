"""Cutting lines: every mark with its letter, every cell by itself."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr.reading.raster import Grey
from ocr.reading.segmentation import cut, segment
from tests.scans import TEXT, printed

_BOLD = "/usr/share/fonts/truetype/croscore/Tinos-Bold.ttf"
_PLAIN = "/usr/share/fonts/truetype/croscore/Tinos-Regular.ttf"


def test_one_segment_a_line() -> None:
    layout = segment(np.asarray(printed()), 200)
    assert [len(row) for row in layout.rows] == [1] * len(TEXT)
    middles = [row[0].middle for row in layout.rows]
    assert middles == sorted(middles)


def test_an_empty_page_has_no_rows() -> None:
    assert segment(np.full((400, 400), 255, np.uint8), 200).rows == ()


def _drawn(texts: list[tuple[int, int, str]], size: int, face: str = _PLAIN) -> Grey:
    page = Image.new("L", (1400, 700), 255)
    draw = ImageDraw.Draw(page)
    for x, y, text in texts:
        draw.text((x, y), text, fill=0, font=ImageFont.truetype(face, size))
    return np.asarray(page).copy()


def test_every_pixel_of_tight_capitals_stays_with_its_line() -> None:
    first, second = "CỘNG HOÀ XÃ HỘI CHỦ NGHĨA VIỆT NAM", "ỦY BAN NHÂN DÂN HUYỆN ẾCH"
    size = 34
    together = _drawn([(40, 100, first), (60, 142, second)], size, _BOLD)
    layout = segment(together, 200)
    assert [len(r) for r in layout.rows] == [1, 1]
    for row, (x, y, text) in zip(layout.rows, [(40, 100, first), (60, 142, second)], strict=True):
        image, left, top = cut(together, layout, row[0])
        alone = _drawn([(x, y, text)], size, _BOLD)
        height, width = image.shape
        window = alone[max(0, top) : top + height, left : left + width]
        lost = (window < 100) & (image[-window.shape[0] :, :] > 200)
        assert lost.sum() <= 4, text


def test_two_columns_are_two_segments_of_one_row() -> None:
    page = _drawn([(40, 100, "Số: 12/QĐ-UBND"), (760, 100, "ngày 5 tháng 6")], 36)
    (row,) = segment(page, 200).rows
    assert [s.left < 700 for s in row] == [True, False]


def _in_table(texts: list[tuple[int, int, str]]) -> Grey:
    page = Image.fromarray(_drawn(texts, 34))
    draw = ImageDraw.Draw(page)
    for x in (100, 500, 1300):
        draw.line((x, 100, x, 500), fill=0, width=2)
    for y in (100, 320, 500):
        draw.line((100, y, 1300, y), fill=0, width=2)
    return np.asarray(page)


def test_a_cell_is_read_whole_before_its_neighbour() -> None:
    page = _in_table(
        [
            (140, 130, "Nguyễn Văn"),
            (140, 200, "Mẫu"),
            (540, 160, "thôn Ví Dụ, xã Mẫu"),
            (140, 370, "Trần Thị Thử"),
            (540, 370, "thôn Thử Nghiệm"),
        ]
    )
    rows = segment(page, 200).rows
    assert [len(r) for r in rows] == [3, 2]
    lefts = [s.left > 500 for s in rows[0]]
    assert lefts == [False, False, True]


def test_small_print_among_large() -> None:
    page = _drawn([(40, 100 + 60 * k, "Điều khoản thi hành quyết định") for k in range(8)], 44)
    small = _drawn([(40, 620, "VĂN PHÒNG HỘI ĐỒNG NHÂN DÂN VÀ ỦY BAN")], 23, _BOLD)
    rows = segment(np.minimum(page, small), 200).rows
    assert len(rows) == 9
    assert len(rows[-1]) == 1
