"""Geometry: millimetres on the page as it is seen, whatever its rotation and crop box."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer.errors import ProfileError
from signer.sealing.appearance.placement import (
    POINTS_PER_MM,
    View,
    centred,
    contained,
    corner_rect,
    overlap_rect,
)
from signer.sealing.appearance.profiles import CornerPlace
from signer.sealing.stamp import PageGeometry
from tests.stamped import A4

CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")
lengths = st.floats(0, 60, allow_nan=False)
sizes = st.floats(1, 90, allow_nan=False)


@st.composite
def pages(draw):
    x, y = draw(st.floats(-500, 500)), draw(st.floats(-500, 500))
    width, height = draw(st.floats(450, 2000)), draw(st.floats(450, 2000))
    unit = draw(st.sampled_from([1.0, 1.0, 0.5, 2.0]))
    return PageGeometry(
        (x, y, x + width / unit, y + height / unit), draw(st.sampled_from([0, 90, 180, 270])), unit
    )


@st.composite
def places(draw):
    return CornerPlace(
        corner=draw(st.sampled_from(CORNERS)),
        offset_x_mm=draw(lengths),
        offset_y_mm=draw(lengths),
        width_mm=draw(sizes),
        height_mm=draw(sizes),
    )


def seen_corner(view: View, rect, corner: str) -> tuple[float, float]:
    """Distances in mm of a view's rectangle from the edges of its corner."""
    u0, v0, u1, v1 = rect
    across = view.width - u1 if corner.endswith("right") else u0
    along = v0 if corner.startswith("bottom") else view.height - v1
    return across / POINTS_PER_MM, along / POINTS_PER_MM


@given(pages(), places())
def test_a_corner_is_kept_to_the_millimetre(page, place):
    view = View(page)
    rect = corner_rect(place, page)
    x0, y0, x1, y1 = rect
    assert page.box[0] - 0.1 <= x0 < x1 <= page.box[2] + 0.1
    assert page.box[1] - 0.1 <= y0 < y1 <= page.box[3] + 0.1
    seen = view.to_view(rect)
    assert (seen[2] - seen[0]) / POINTS_PER_MM == pytest.approx(place.width_mm, abs=0.01)
    assert (seen[3] - seen[1]) / POINTS_PER_MM == pytest.approx(place.height_mm, abs=0.01)
    assert seen_corner(view, seen, place.corner) == pytest.approx(
        (place.offset_x_mm, place.offset_y_mm), abs=0.01
    )


@given(pages(), st.tuples(sizes, sizes, sizes, sizes))
def test_the_view_turns_there_and_back(page, numbers):
    rect = (numbers[0], numbers[1], numbers[0] + numbers[2], numbers[1] + numbers[3])
    view = View(page)
    assert view.to_view(view.to_user(rect)) == pytest.approx(rect, abs=1e-6)
    assert view.holds((0, 0, view.width, view.height))


def test_the_view_of_a_turned_page_is_what_a_reader_sees():
    page = PageGeometry((10.0, 20.0, 610.0, 420.0), 90)  # 600 × 400, seen as 400 × 600
    view = View(page)
    assert (view.width, view.height) == (400.0, 600.0)
    # turned clockwise, the lower left of the paper comes to the upper left of the view
    assert view.to_view((10, 20, 11, 21)) == (0, 599, 1, 600)
    assert View(PageGeometry(page.box, 180)).to_view((10, 20, 11, 21)) == (599, 399, 600, 400)
    assert View(PageGeometry(page.box, 270)).to_view((10, 20, 11, 21)) == (399, 0, 400, 1)
    assert View(PageGeometry(page.box, 0)).to_view((10, 20, 11, 21)) == (0, 0, 1, 1)
    # a /Rotate that is no quarter turn is ignored, as viewers do
    assert View(PageGeometry(page.box, 45)).to_view((10, 20, 11, 21)) == (0, 0, 1, 1)


@given(pages(), places(), st.integers(1, 4))
def test_stamps_of_one_corner_stack_and_never_overlap(page, place, count):
    view = View(page)
    taken: list = []
    for _ in range(count):
        try:
            taken.append(corner_rect(place, page, taken))
        except ProfileError as full:
            if "has no room" not in str(full):
                raise
            break
    assert taken
    seen = sorted((view.to_view(rect) for rect in taken), key=lambda r: r[1])
    for below, above in pairwise(seen):
        assert (above[1] - below[3]) / POINTS_PER_MM == pytest.approx(place.gap_mm, abs=0.01)
    distances = [seen_corner(view, rect, place.corner)[0] for rect in seen]
    assert distances == pytest.approx([place.offset_x_mm] * len(seen), abs=0.01)


def test_a_taken_corner_can_be_refused_and_other_corners_do_not_matter():
    place = CornerPlace(
        corner="top-left", offset_x_mm=10, offset_y_mm=5, width_mm=80, height_mm=10,
        when_taken="refuse",
    )  # fmt: skip
    first = corner_rect(place, A4)
    assert corner_rect(place, A4, [(400, 10, 500, 60)]) == first
    with pytest.raises(ProfileError, match='when_taken = "stack"'):
        corner_rect(place, A4, [first])


def test_a_page_that_is_too_small_is_refused_with_its_size():
    place = CornerPlace(
        corner="top-right", offset_x_mm=10, offset_y_mm=5, width_mm=80, height_mm=10
    )
    with pytest.raises(ProfileError, match="page of 74 × 105 mm has no room at its top-right"):
        corner_rect(place, PageGeometry((0.0, 0.0, 209.76, 297.64), 0))


@given(pages(), st.floats(20, 150), st.floats(20, 100), sizes, st.floats(0.05, 1))
def test_the_seal_covers_its_share_of_the_signature(page, width, height, seal_mm, share):
    view = View(page)
    size = (seal_mm * POINTS_PER_MM,) * 2
    person = centred((width, height), (0, 0, view.width, view.height))
    try:
        rect = overlap_rect(view.to_user(person), page, size, share)
    except ProfileError as refusal:
        if "would leave the page" not in str(refusal) or person[0] + share * width > size[0]:
            raise
        return
    seal = view.to_view(rect)
    assert (seal[2] - person[0]) / width == pytest.approx(share, abs=0.001)
    assert seal[0] < person[0] or seal_mm * POINTS_PER_MM < share * width
    assert (seal[1] + seal[3]) / 2 == pytest.approx((person[1] + person[3]) / 2, abs=0.01)
    assert seal[2] - seal[0] == pytest.approx(size[0], abs=0.01)


def test_the_seal_stands_where_signed_documents_have_it():
    """domain.md 5.8: 62 pt left of and 21 pt below a leader's box of 150 × 70 pt."""
    seal = overlap_rect((300.0, 300.0, 450.0, 370.0), A4, (110.0, 110.0), 1 / 3)
    assert 300 - seal[0] == pytest.approx(62, abs=3)
    assert 300 - seal[1] == pytest.approx(21, abs=3)


@given(sizes, sizes, sizes, sizes)
def test_contained_keeps_proportions_and_touches_the_box(w, h, bw, bh):
    got = contained((w, h), (bw, bh))
    assert got[0] / got[1] == pytest.approx(w / h)
    assert got[0] <= bw * 1.000001
    assert got[1] <= bh * 1.000001
    assert got[0] == pytest.approx(bw) or got[1] == pytest.approx(bh)
