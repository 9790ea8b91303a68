"""Word boxes from the gaps in a line's ink."""

from __future__ import annotations

import numpy as np
import pytest

from ocr.page import Box
from ocr.reading.recognise import Reading, ReadWord
from ocr.reading.segmentation import Layout, Segment
from ocr.reading.word_gaps import parted

X_HEIGHT = 10.0
CORNER = (90, 40)  # of the cut image on the page


def line_of(*words: tuple[int, int], rule: bool = False) -> tuple[Segment, Layout]:
    """Words given by their start and their letters: 8 px wide, 2 px apart, on a page at y 50."""
    boxes = [(0, 0, 0, 0)]
    for start, letters in words:
        boxes += [(start + 10 * k, 50, start + 10 * k + 8, 62) for k in range(letters)]
    if rule:
        boxes.append((words[0][0], 64, boxes[-1][2], 66))
    ink = np.array(boxes, np.int32)
    parts = np.arange(1, len(ink), dtype=np.int32)
    right, bottom = int(ink[:, 2].max()), int(ink[:, 3].max())
    part = Segment(parts, words[0][0], 50, right, bottom, 56.0, 62.0, len(parts), 1)
    labels = np.zeros((1, 1), np.int32)
    return part, Layout(((part,),), labels, np.ones(len(ink), np.int32), X_HEIGHT, ink)


def reading(*spans: tuple[float, float]) -> Reading:
    return Reading(tuple(ReadWord("w", Box(a, 5, b, 30), 96.0) for a, b in spans))


@pytest.mark.parametrize("rule", [False, True])
def test_words_get_the_ink_between_the_gaps(rule: bool) -> None:
    part, layout = line_of((100, 5), (160, 4), (210, 1), rule=rule)
    # the engine gave the second word's first letters to the first
    found = parted(reading((10, 95), (95, 115), (118, 130)), part, layout, CORNER)
    assert [w.box for w in found.words] == [
        Box(9, 9, 59, 23),
        Box(69, 9, 109, 23),
        Box(119, 9, 129, 23),
    ]
    assert [w.text for w in found.words] == ["w", "w", "w"]


def test_without_a_clear_gap_the_engines_boxes_stay() -> None:
    part, layout = line_of((100, 5), (160, 4), (210, 3))
    given = reading((10, 59), (69, 149))  # two words were read where the ink shows three
    assert parted(given, part, layout, CORNER) is given


def test_one_word_or_too_little_ink_stays_as_it_is() -> None:
    part, layout = line_of((100, 1))
    for given in (Reading(()), reading((0, 9)), reading((0, 9), (9, 20))):
        assert parted(given, part, layout, CORNER) is given


def test_marks_over_a_gap_do_not_close_it() -> None:
    part, layout = line_of((100, 2), (140, 2))
    ink = layout.boxes.copy()
    ink[2, 2] += 6  # the second letter's hook leans over
    leaning = Layout(layout.rows, layout.labels, layout.owner, X_HEIGHT, ink)
    found = parted(reading((10, 60), (60, 70)), part, leaning, CORNER)
    assert [w.box.left for w in found.words] == [9, 49]
