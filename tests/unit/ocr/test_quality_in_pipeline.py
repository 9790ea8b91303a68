"""What is wrong with a page travels with it from the worker, for all kinds of scans."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from PIL import Image

from ocr.errors import RecognitionError
from ocr.intake.survey import pages_of, survey
from ocr.page_task import process_page
from ocr.pipeline import recognise_pages
from ocr.quality.findings import Code
from ocr.quality.profiles import QualityBook
from ocr.reading.page_reader import PageReader
from ocr.settings import DigitiseSettings
from tests.scans import TEXT, printed

pytestmark = pytest.mark.tesseract
PROFILE = QualityBook.default().at("one-stop", dt.date(2026, 3, 2))


def test_pages_come_with_their_findings_when_a_profile_is_given(tmp_path: Path) -> None:
    page = printed(TEXT)
    page.save(tmp_path / "1.jpg", dpi=(200, 200))
    page.resize((page.width // 2, page.height // 2)).convert("1").save(
        tmp_path / "2.png", dpi=(100, 100)
    )
    Image.new("RGB", (1654, 2339), (250, 248, 240)).save(tmp_path / "3.jpg", dpi=(200, 200))
    work = tmp_path / "work"
    work.mkdir()
    settings = DigitiseSettings(workers=1, quality=PROFILE)
    sources = [tmp_path / name for name in ("1.jpg", "2.png", "3.jpg")]
    found = [page.quality for page in recognise_pages(sources, settings, work)]
    assert [q and {f.code for f in q.findings} & {Code.LOW_RESOLUTION, Code.NOT_COLOUR}
            for q in found] == [
        {Code.NOT_COLOUR}, {Code.LOW_RESOLUTION, Code.NOT_COLOUR}, set(),
    ]  # fmt: skip


def test_without_a_profile_nothing_is_looked_at(tmp_path: Path) -> None:
    printed(TEXT).save(tmp_path / "1.jpg", dpi=(200, 200))
    (page,) = pages_of(survey([tmp_path / "1.jpg"]))
    done = process_page(page, DigitiseSettings(), tmp_path)
    assert getattr(done, "quality", "no page") is None


def test_a_page_that_the_engine_fails_on_is_looked_at_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RecognitionError("no memory")

    monkeypatch.setattr(PageReader, "read", fail)
    printed(TEXT).save(tmp_path / "1.jpg", dpi=(200, 200))
    (page,) = pages_of(survey([tmp_path / "1.jpg"]))
    done = process_page(page, DigitiseSettings(quality=PROFILE), tmp_path)
    quality = getattr(done, "quality", None)
    assert quality is not None
    assert quality.of(Code.NOT_COLOUR) is not None
    assert quality.of(Code.LOW_CONFIDENCE) is None  # nothing was read: the fault says so
