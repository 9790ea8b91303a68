"""Duplicates: honest rescans are found, other pages of the same form are not, notes are told."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dossier.intake.duplicates import (
    DuplicateGround,
    Paper,
    alike_pairs,
    duplicate_warnings,
)
from dossier.intake.observations import AlikePair, Likeness
from dossier.intake.page_trace import compare, trace_of
from tests.scanned_sheets import blank_back, scanned, with_note
from tools.samples.documents import decision
from tools.samples.fiction import Fiction
from tools.samples.forms import application
from tools.samples.printouts import alter
from tools.samples.typefaces import FAMILIES

FAMILY = FAMILIES["Liberation Serif"]


def print_of(kind, seed: str, dpi: int) -> np.ndarray:
    sheet = kind(Fiction(seed), FAMILY)[0]
    return np.asarray(255 - sheet.draw_ink(dpi), np.uint8)


def form(story: Fiction, family) -> list:
    return application(story, family, form=0)


@pytest.fixture(scope="module")
def traces():
    """0-2: three scans of one form, the last with a note; 3: another's form; 4-5: a decision."""
    mine, other = print_of(form, "an", 150), print_of(form, "binh", 150)
    paper = print_of(decision, "qd", 150)
    again = print_of(form, "an", 200)
    scans = [
        (scanned(mine, 150, 1, skew=1.5), 150),
        (scanned(again, 200, 2, skew=-2.0, turns=2, noise=8.0, density=0.65), 200),
        (with_note(scanned(mine, 150, 3, skew=-0.5), 150, 90, 95), 150),
        (scanned(other, 150, 1, skew=1.5), 150),
        (np.repeat(scanned(paper, 150, 4, skew=0.5)[:, :, None], 3, axis=2), 150),
        (scanned(paper, 150, 5, skew=2.5, noise=9.0, density=0.5), 150),
        (blank_back(None, 150, 6, grey=True), 150),
        (blank_back(None, 150, 7, grey=True), 150),
    ]
    return [trace_of(raster, dpi) for raster, dpi in scans]


def test_rescans_are_found_notes_told_and_other_pages_of_the_form_left_alone(traces):
    assert alike_pairs(traces) == (
        AlikePair(0, 1, Likeness.SAME),
        AlikePair(0, 2, Likeness.NOTE),
        AlikePair(1, 2, Likeness.NOTE),
        AlikePair(4, 5, Likeness.SAME),
    )


def test_empty_pages_are_not_known_again(traces):
    assert compare(traces[6], traces[7]) is None
    assert alike_pairs([traces[0], None]) == ()


def test_the_form_of_a_namesake_is_another_page():
    sheet = form(Fiction("an"), FAMILY)[0]
    changed, what = alter(sheet, random.Random(2), "name")
    assert (what.before, what.after) == ("Minh", "An")
    one = trace_of(scanned(255 - sheet.draw_ink(150), 150, 1, skew=1.0), 150)
    other = trace_of(scanned(255 - changed.draw_ink(150), 150, 3, noise=5.0), 150)
    assert compare(one, other) is None


def test_pages_do_not_lose_their_place_beside_unseen_ones(traces):
    assert alike_pairs([None, traces[4], None, traces[5]]) == (AlikePair(1, 3, Likeness.SAME),)


def test_a_trace_is_small(traces):
    assert max(len(trace.packed) for trace in traces) < 60_000


def test_warnings_have_three_grounds(traces):
    paper = Paper(
        "moi",
        frozenset({"aa"}),
        (traces[0], traces[4]),
        "0379",
        "QĐ–UBND",
        "Ủy ban nhân dân xã Mẫu",
    )
    known = [
        Paper("cu-1", frozenset({"aa", "bb"})),
        Paper("cu-2", traces=(traces[3], traces[5])),
        Paper("cu-3", number="379", symbol="QĐ-UBND", agency="UỶ BAN  nhân dân xã Mẫu"),
        Paper("cu-4", frozenset({"cc"}), (traces[3],), "379", "QĐ-UBND", "Ủy ban nhân dân xã Thử"),
        Paper("cu-5", number="379", symbol="QĐ-UBND"),
    ]
    warnings = duplicate_warnings(paper, known)
    assert [(w.ground, w.reference, w.pages) for w in warnings] == [
        (DuplicateGround.BYTES, "cu-1", ()),
        (DuplicateGround.PAGE_IMAGE, "cu-2", ((1, 1),)),
        (DuplicateGround.NUMBER, "cu-3", ()),
    ]
    assert all(w.reference in w.message and " / " in w.message for w in warnings)
    assert duplicate_warnings(Paper("x"), [Paper("y")]) == ()
