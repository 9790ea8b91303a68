"""Each measure finds its defect where it is, and says nothing on honest bad pages."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from ocr.page import Box, Line, RecognisedPage, Word
from ocr.quality.findings import Code, Severity
from ocr.quality.inspect import inspect_page, missing_seal
from ocr.reading.raster import Raster
from tests.quality_cases import (
    EXPECTED,
    NEEDS_ENGINE,
    judged,
    meets,
    profile_of,
    read,
    with_defect,
    without_defect,
)
from tools.samples.defects import SKINS, Defect, Legible
from tools.samples.marks import RGB

SEED = 1017  # 200 dpi: the less to draw
PROFILE = profile_of()


@pytest.mark.parametrize("defect", [d for d in EXPECTED if d not in NEEDS_ENGINE])
def test_a_defect_is_found_where_it_is(defect: Defect, tmp_path: Path) -> None:
    scan, place = with_defect(defect, SEED)
    page, raster = read(scan, tmp_path)
    found = {f.code: f for f in judged(page, raster, sealed=defect == "no-seal")}
    assert EXPECTED[defect] in found
    assert meets(found[EXPECTED[defect]], place)


@pytest.mark.parametrize("kind", ["noise", "combo", "lowcon", "coffee", "near-edge"])
def test_a_legible_page_is_left_in_peace(kind: Legible, tmp_path: Path) -> None:
    page, raster = read(without_defect(kind, SEED), tmp_path)
    assert judged(page, raster, sealed=True) == []


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[RecognisedPage, Raster]:
    return read(without_defect("clean", SEED), tmp_path_factory.mktemp("clean"))


def test_an_upside_down_page_is_told_and_its_places_are_upright(
    clean: tuple[RecognisedPage, Raster],
) -> None:
    page, raster = clean
    upside_down = np.ascontiguousarray(np.rot90(raster, 2))
    quality = inspect_page(replace(page, turns=2), upside_down, PROFILE)
    found = quality.of(Code.WRONG_ORIENTATION)
    assert found is not None
    assert (found.value, found.severity) == (180, Severity.WARN)
    upright = inspect_page(page, raster, PROFILE)
    assert quality.seal is not None
    assert upright.seal is not None
    assert quality.seal.place.left == pytest.approx(upright.seal.place.left, abs=1.0)
    assert quality.seal.place.top == pytest.approx(upright.seal.place.top, abs=1.0)


def test_turns_that_the_file_itself_asks_for_are_not_wrong(
    clean: tuple[RecognisedPage, Raster],
) -> None:
    page, raster = clean
    turned = replace(page, turns=2, image=replace(page.image, exif_turns=2))
    quality = inspect_page(turned, np.ascontiguousarray(np.rot90(raster, 2)), PROFILE)
    assert quality.of(Code.WRONG_ORIENTATION) is None


def test_doubtful_words_are_shown_where_they_stand(clean: tuple[RecognisedPage, Raster]) -> None:
    page, raster = clean
    dpi = page.dpi[0]
    words = tuple(
        Word("chữviếtmờ", Box(dpi, dpi * (1 + k), dpi * 2, dpi * (1.2 + k)), 40.0 + 15 * k)
        for k in range(5)
    )
    line = Line(words, words[0].box, 0.0, 0.0, 20.0, 0, 0)
    quality = inspect_page(replace(page, lines=(line,)), raster, PROFILE)
    found = quality.of(Code.LOW_CONFIDENCE)
    assert found is not None
    assert (round(found.value), found.severity) == (70, Severity.WARN)
    assert [p.to_json() for p in found.places] == [
        [25.4, 25.4, 50.8, 30.5],
        [25.4, 50.8, 50.8, 55.9],
    ]


def test_one_sealed_page_is_enough_for_a_paper(
    clean: tuple[RecognisedPage, Raster], tmp_path: Path
) -> None:
    sealed = inspect_page(*clean, PROFILE)
    scan, _ = with_defect("no-seal", SEED)
    bare = inspect_page(*read(scan, tmp_path), PROFILE)
    assert sealed.seal is not None
    assert sealed.seal.diameter_mm == pytest.approx(36, abs=1.5)
    assert missing_seal([bare, sealed], PROFILE) is None
    assert missing_seal([sealed, bare], PROFILE) is None
    found = missing_seal([bare, bare], PROFILE)
    assert found is not None
    assert (found.code, found.severity, found.value) == (Code.SEAL_MISSING, Severity.BLOCK, 0)
    # a page in grey cannot show one: it is told for that
    assert missing_seal([bare, replace(bare, has_colour=False)], PROFILE) is None
    assert missing_seal([], PROFILE) is None


@pytest.mark.parametrize(("strong_degrees", "is_seal"), [(360, True), (130, True), (0, False)])
def test_a_seal_may_be_pale_in_part_and_a_pale_stain_is_none(
    clean: tuple[RecognisedPage, Raster], strong_degrees: int, is_seal: bool
) -> None:
    page, raster = clean
    paper = np.full_like(raster, (246, 244, 238))
    at, size = (1100, 1800), (142, 142)  # 36 mm at 200 dpi
    cv2.ellipse(paper, at, size, 0, 0, 360, (236, 200, 200), 18, cv2.LINE_AA)
    if strong_degrees:
        cv2.ellipse(paper, at, size, 0, 0, strong_degrees, (200, 50, 60), 18, cv2.LINE_AA)
    seal = inspect_page(page, paper, PROFILE).seal
    assert (seal is not None) is is_seal
    if seal is not None:
        assert seal.diameter_mm == pytest.approx(38.3, abs=1)


@pytest.mark.parametrize("skin", SKINS)
def test_a_thumb_of_any_tone_is_found(clean: tuple[RecognisedPage, Raster], skin: RGB) -> None:
    page, raster = clean
    covered = raster.copy()
    at, size = (raster.shape[1], 1500), (200, 80)  # 25 mm in from the right edge, 20 mm broad
    cv2.ellipse(covered, at, size, 0, 0, 360, skin, -1, cv2.LINE_AA)
    found = inspect_page(page, covered, PROFILE).of(Code.FINGER)
    assert found is not None
    assert found.value == pytest.approx(400, rel=0.25)
    assert meets(found, (185, 181, 210, 200))


def test_a_blank_page_is_not_blamed_for_its_lack_of_print(
    clean: tuple[RecognisedPage, Raster],
) -> None:
    page, raster = clean
    rng = np.random.default_rng(5)
    paper = (246 + rng.normal(0, 2, raster.shape)).clip(0, 255).astype(np.uint8)
    paper[:, :, 2] -= 4
    assert inspect_page(replace(page, blank=True), paper, PROFILE).findings == ()


@pytest.mark.parametrize(
    "shape", [(40, 30, 3), (1, 1), (3000, 3, 3), (165, 700, 3), (500, 340), (331, 331, 3)]
)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_no_shape_or_shade_is_too_odd_to_be_looked_at(
    clean: tuple[RecognisedPage, Raster], shape: tuple[int, ...], level: int
) -> None:
    page, _ = clean
    quality = inspect_page(page, np.full(shape, level, np.uint8), PROFILE)
    width, height = quality.page_mm
    for found in quality.findings:
        assert all(0 <= p.left <= p.right <= width + 1 for p in found.places)
        assert all(0 <= p.top <= p.bottom <= height + 1 for p in found.places)


def test_all_measures_together_are_cheap(clean: tuple[RecognisedPage, Raster]) -> None:
    page, raster = clean
    best = 1.0
    for _ in range(5):
        began = time.process_time()
        inspect_page(page, raster, PROFILE)
        best = min(best, time.process_time() - began)
    assert best < 0.25  # 0.05 alone on a core; a shared one counts waiting for memory too


def test_a_report_is_plain_json(clean: tuple[RecognisedPage, Raster]) -> None:
    page, raster = clean
    told = inspect_page(replace(page, skew_degrees=-3.62), raster, PROFILE).to_json()
    assert told["profile"] == "one-stop"
    assert told["page_mm"] == [pytest.approx(210, abs=0.2), pytest.approx(297, abs=0.2)]
    (found,) = told["findings"]
    assert found["code"] == "SKEWED"
    assert (found["value"], found["unit"], found["severity"]) == (3.6, "°", "warn")
    assert found["threshold"]["limit"] == 3.0
    assert found["threshold"]["source"] == "ours"
