"""What ink says against a read text: marks, heights, depths, widths and the sign at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ocr.page import Box, Line, Word
from ocr.reading.doubt_evidence import Features
from ocr.reading.doubt_ink import ink_features, promise_of
from ocr.reading.doubt_places import ReadCell
from ocr.reading.placing import Cell, View
from ocr.reading.segmentation import Layout, Segment

STRAIGHT = View(1.0, 1.0, 0.0, 0.0, 0.0)
X, BASE = 20, 100  # x-height and baseline, pixels
Ink = tuple[int, int, int, int]  # left, top, right, bottom; the baseline is 0, upwards is minus


def letters(text: str, high: float = 1.0, deep: float = 0.0) -> Ink:
    """One piece of ink as wide as the text, `high` and `deep` in x-heights."""
    return (0, -round(high * X), round(promise_of(text).wide * X * 2), round(deep * X))


def features(*words: tuple[str, Sequence[Ink]]) -> list[Features]:
    """What the ink says of each of the words, set on one line."""
    boxes, placed, x = [(0, 0, 0, 0)], [], 10
    for text, inks in words:
        width = max((ink[2] for ink in inks), default=X)
        boxes += [(x + a, BASE + b, x + c, BASE + d) for a, b, c, d in inks]
        placed.append(Word(text, Box(x, BASE - X, x + width, BASE), 96.0))
        x += width + X
    number = np.arange(1, len(boxes), dtype=np.int32)
    part = Segment(number, 0, 0, x, BASE + X, BASE - X / 2, float(BASE), len(number), 1)
    line = Line(tuple(placed), Box(0, 0, x, BASE), float(BASE), 0.0, 22.0, 0, 0)
    cell = ReadCell(line, Cell(part, float(X), 0, 0, 0, 0), np.full((9, 9), 255, np.uint8))
    owner = np.array([0, *[1] * len(number)], np.int32)
    layout = Layout(
        ((part,),), np.zeros((9, 9), np.int32), owner, float(X), np.array(boxes, np.int32)
    )
    (found,) = ink_features([cell, ReadCell(None, cell.cell, cell.image)], layout, STRAIGHT)
    return found


PLAIN = [(text, [letters(text)]) for text in ("xong", "mau", "van", "xuan", "cam")]
PLAIN[0] = ("xong", [letters("xong", deep=0.41)])


def of(text: str, *inks: Ink) -> set[str]:
    """What is said of a word that stands among plain ones."""
    return {name for name in features(*PLAIN, (text, inks))[-1] if name != "marks_none"}


def acute(up: float = 1.1) -> Ink:
    return (12, -round((up + 0.35) * X), 20, -round(up * X))


DOT = (12, 3, 17, 7)
STOP = (44, -5, 49, 0)
COMMA = (44, -4, 49, 6)


def test_words_that_keep_their_promise() -> None:
    assert [set(f) for f in features(*PLAIN)] == [{"marks_none"}] * len(PLAIN)
    assert of("cám", letters("cám"), acute()) == set()
    assert of("cạm", letters("cạm"), DOT) == set()


@pytest.mark.parametrize(
    ("text", "inks", "said"),
    [
        ("cam", [letters("cam"), acute()], {"ink_high", "marks_more"}),
        ("cám", [letters("cám")], {"ink_low", "marks_lost"}),
        ("cam", [letters("cam"), DOT], {"ink_deep", "dots_more"}),
        ("cạm", [letters("cạm")], {"ink_shallow", "dots_lost"}),
        ("camcam", [letters("cam")], {"ink_narrow"}),
        ("cam", [letters("camcam")], {"ink_wide"}),
        ("cam", [], {"no_ink"}),
        ("Cam", [letters("Cam")], {"ink_low", "first_low"}),
        ("cam", [letters("cam", 1.37)], {"ink_high", "first_tall"}),
    ],
)
def test_promises_broken(text: str, inks: list[Ink], said: set[str]) -> None:
    assert of(text, *inks) == said


@pytest.mark.parametrize(
    ("text", "end", "said"),
    [
        ("ca.", STOP, set()),
        ("ca.", None, {"end_lost"}),
        ("ca.", COMMA, {"stop_tall"}),
        ("ca.", (44, -2, 46, 0), {"stop_small"}),
        ("ca,", COMMA, set()),
        ("ca,", STOP, {"comma_short"}),
        ("ca", STOP, {"end_more"}),
        ("ca:", STOP, {"colon_single"}),
        ("ca:", COMMA, {"colon_single", "colon_tail"}),
    ],
)
def test_ends(text: str, end: Ink | None, said: set[str]) -> None:
    core = (0, -X, 40, 0)
    found = of(text, core, *([end] if end else []))
    assert {f for f in found if f.startswith(("end", "stop", "comma", "colon"))} == said


def test_a_dash_is_flat() -> None:
    assert of("-", (0, -10, 9, -7)) == {"flat_dash"}
    assert of("-", (0, -20, 9, 0)) == {"odd_dash"}
    assert of("-", (0, -10, 9, -7), (12, -10, 21, -7)) == {"odd_dash"}


def test_what_a_text_promises() -> None:
    assert promise_of("ế").high > promise_of("é").high > promise_of("e").high
    assert promise_of("Ế").high > promise_of("É").high > promise_of("E").high
    assert promise_of("ướt").marks == (1, 1)
    assert promise_of("ấn").marks == (1, 2)
    assert promise_of("nghị").marks == (1, 1)
    assert promise_of("nghị").dots == 1
    assert promise_of("ngạc").deep > promise_of("nạc").deep > promise_of("nac").deep == 0
    assert promise_of("UBND").wide > promise_of("ubnd").wide


def test_no_words_no_ink() -> None:
    assert features() == []
