"""One suite for every recognition engine: the in-process one and the program."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ocr.errors import EngineMissing
from ocr.page_task import engine_of
from ocr.reading.raster import Grey, turned
from ocr.reading.recognise import LineMode, Recogniser
from ocr.reading.segmentation import cut, segment
from ocr.settings import DigitiseSettings
from tests.scans import TEXT, letters, printed

pytestmark = pytest.mark.tesseract


@pytest.fixture(params=["tesserocr", "pytesseract"], scope="module")
def settings(request: pytest.FixtureRequest) -> Iterator[DigitiseSettings]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("OMP_THREAD_LIMIT", "1")
        yield DigitiseSettings(engine=request.param)


@pytest.fixture(scope="module")
def engine(settings: DigitiseSettings) -> Iterator[Recogniser]:
    engine = engine_of(settings)
    yield engine
    engine_of.cache_clear()
    engine.close()
    engine.close()  # idempotent


@pytest.fixture(scope="module")
def lines() -> list[Grey]:
    page = np.asarray(printed())
    layout = segment(page, 200)
    return [cut(page, layout, row[0])[0] for row in layout.rows]


def test_lines_are_read_in_order(engine: Recogniser, lines: list[Grey]) -> None:
    readings = engine.read(lines, 200, LineMode.LINE)
    assert [letters(r.text) for r in readings] == [letters(t) for t in TEXT]
    assert all(r.confidence > 80 for r in readings)


def test_words_have_boxes_over_their_ink(engine: Recogniser, lines: list[Grey]) -> None:
    for line, reading in zip(lines, engine.read(lines, 200, LineMode.LINE), strict=True):
        covered = np.zeros_like(line, dtype=bool)
        for word in reading.words:
            box = word.box
            assert 0 <= box.left < box.right <= line.shape[1]
            assert 0 <= box.top < box.bottom <= line.shape[0]
            covered[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = True
        assert covered[line < 100].mean() > 0.9
        lefts = [word.box.left for word in reading.words]
        assert lefts == sorted(lefts)


def test_raw_mode_reads_numbers(engine: Recogniser) -> None:
    page = np.asarray(printed(["049289636448"]))
    layout = segment(page, 200)
    image, _, _ = cut(page, layout, layout.rows[0][0])
    (reading,) = engine.read([image], 200, LineMode.RAW)
    assert letters(reading.text).startswith("049289636448")


def test_nothing_to_see(engine: Recogniser, lines: list[Grey]) -> None:
    white = np.full((40, 300), 255, np.uint8)
    none, tiny = np.zeros((0, 10), np.uint8), np.full((2, 3), 255, np.uint8)
    readings = engine.read([white, none, tiny, lines[1]], 200, LineMode.LINE)
    assert readings[0].confidence < 50  # an engine may see things in white paper, never surely
    assert readings[1].words == ()
    assert letters(readings[3].text) == letters(TEXT[1])
    assert [r.words for r in engine.read([none], 200, LineMode.LINE)] == [()]
    assert engine.read([], 200, LineMode.LINE) == []


def test_upside_down(engine: Recogniser) -> None:
    page = np.asarray(printed([*TEXT, *TEXT, *TEXT], size_inches=(8.27, 8)))
    assert engine.upside_down(page, 200) is False
    assert engine.upside_down(turned(page, 2), 200) is True
    assert engine.upside_down(np.full((400, 400), 255, np.uint8), 200) is None


def test_engine_names_itself_and_its_models(engine: Recogniser, settings: DigitiseSettings) -> None:
    info = engine.info
    assert info.name == settings.engine
    assert info.version[0].isdigit()
    assert [name for name, _ in info.models] == ["vie"]
    assert all(len(digest) == 64 for _, digest in info.models)


def test_orientation_without_its_model(
    settings: DigitiseSettings, tmp_path: Path, engine: Recogniser
) -> None:
    folder = Path("/usr/share/tesseract-ocr/5/tessdata")
    (tmp_path / "vie.traineddata").symlink_to(folder / "vie.traineddata")
    page = np.asarray(printed())
    alone = engine_of.__wrapped__(DigitiseSettings(engine=settings.engine, models=tmp_path))
    assert alone.upside_down(page, 200) is None
    alone.close()


@pytest.mark.parametrize("languages", ["vie+xyz", "", "../x"])
def test_missing_model_says_what_to_install(settings: DigitiseSettings, languages: str) -> None:
    with pytest.raises(EngineMissing, match=r"tesseract-ocr-xyz|does not name languages"):
        engine_of.__wrapped__(DigitiseSettings(engine=settings.engine, languages=languages))
