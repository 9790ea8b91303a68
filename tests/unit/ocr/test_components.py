"""Components found by looking at the ink alone, against OpenCV's statistics."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ocr.reading.components import components_of
from tests.scans import printed


def _noise(share: float) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    drawn = np.random.default_rng(5).random((700, 900)) < share
    return np.where(drawn, 255, 0).astype(np.uint8)


@pytest.mark.parametrize(
    "ink",
    [
        np.where(np.asarray(printed()) < 128, 255, 0).astype(np.uint8),
        _noise(0.02),
        _noise(0.3),
        _noise(0.6),
        np.full((5, 7), 255, np.uint8),
        np.eye(9, dtype=np.uint8),
    ],
    ids=["page", "specks", "blots", "web", "all", "diagonal"],
)
def test_as_opencv_counts(ink: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    found = components_of(ink)
    assert np.array_equal(found.labels, labels)
    ours = np.stack([found.x, found.y, found.w, found.h, found.area], axis=1)
    assert np.array_equal(ours[1:count], stats[1:])
    assert np.array_equal(found.boxes[1:, 2:], stats[1:, :2] + stats[1:, 2:4])


def test_paper_alone_has_no_components() -> None:
    found = components_of(np.zeros((30, 40), np.uint8))
    assert found.boxes.tolist() == [[0, 0, 0, 0]]
    assert not found.labels.any()


def test_more_components_than_sixteen_bits_count() -> None:
    ink = np.zeros((600, 600), np.uint8)
    ink[::2, ::2] = 1
    found = components_of(ink)
    assert len(found.x) == 300 * 300 + 1
    assert (found.area[1:] == 1).all()
    assert (found.x[-1], found.y[-1]) == (598, 598)
