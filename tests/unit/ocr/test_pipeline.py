"""Files in, one record out; whatever goes wrong on a page stays on that page."""

from __future__ import annotations

import datetime as dt
import multiprocessing
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from PIL import Image

from ocr.errors import (
    DamagedFile,
    EngineCrashed,
    EngineMissing,
    LimitExceeded,
    OutputError,
    RecognitionError,
    UnreadableFile,
)
from ocr.intake.survey import IntakeFault, ScanPage, Source, survey
from ocr.page import PageFault, RecognisedPage
from ocr.page_task import engine_of, keep_page, process_page
from ocr.pipeline import DigitisedRecord, Station, digitise, pages_in, recognise_pages, survey_in
from ocr.record.manifest import RecordMetadata
from ocr.settings import DigitiseSettings
from tests.scans import TEXT, letters, photo, printed

pytestmark = pytest.mark.tesseract

NOW = dt.datetime(2026, 3, 2, 8, 30, tzinfo=dt.UTC)
META = RecordMetadata("Hồ sơ mẫu", "UBND xã Ví Dụ", "HS-1", NOW)
STATION = Station("Nguyễn Văn Mẫu", "quầy 1", NOW)


def _scan(path: Path, *lines: str) -> Path:
    printed(lines or TEXT).save(path, dpi=(200, 200))
    return path


def _digitise(sources: list[Path], target: Path, **settings: object) -> DigitisedRecord:
    chosen = DigitiseSettings(**{"workers": 1, **settings})  # type: ignore[arg-type]  # by name
    return digitise(sources, target, META, STATION, chosen)


def _text(record: Path) -> str:
    done = subprocess.run(["pdftotext", record, "-"], capture_output=True, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("mode", ["faithful", "compact"])
def test_a_record_with_text(tmp_path: Path, mode: str) -> None:
    scan = _scan(tmp_path / "a.jpg")
    result = _digitise([scan], tmp_path / "out.pdf", mode=mode)
    assert (result.pages, result.blank_pages, result.faults) == (1, 0, ())
    assert result.confidence > 90
    assert letters(TEXT[3]) in letters(_text(tmp_path / "out.pdf"))
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        images = [i.read_raw_bytes() for i in pdf.pages[0].Resources.XObject.values()]
    assert (scan.read_bytes() in images) == (mode == "faithful")


def test_same_scans_same_bytes_whatever_the_number_of_workers(tmp_path: Path) -> None:
    scans = [_scan(tmp_path / f"{k}.jpg", *TEXT[k:]) for k in range(3)]
    first = _digitise(scans, tmp_path / "1.pdf", workers=1)
    second = _digitise(scans, tmp_path / "2.pdf", workers=2)
    assert first.record.sha256 == second.record.sha256


def test_pages_in_order_and_their_files_go(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    pages = [printed([f"Trang thứ {k} của hồ sơ mẫu"]) for k in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:], dpi=(200, 200))
    seen = []
    for page in recognise_pages(
        [tmp_path / "a.tif"],
        DigitiseSettings(workers=2, mode="compact"),
        work,
        on_page=lambda p, total: seen.append((p.image.number, total)),
    ):
        assert page.image.kept.path.exists()
        assert f"thứ {page.image.number}" in page.text
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert list(work.iterdir()) == []


def test_a_crash_while_reading_costs_that_page_s_text_only(tmp_path: Path) -> None:
    scans = [tmp_path / f"{k}.png" for k in range(4)]
    for scan in scans:  # each long enough to be at work on when the signal comes
        printed([*TEXT * 3], size_inches=(8.27, 8)).save(scan, dpi=(200, 200))
    killed: list[int] = []

    def kill_the_worker(page: RecognisedPage, total: int) -> None:
        if not killed:  # page 1 is done, the only worker is busy with another
            (worker,) = multiprocessing.active_children()
            assert worker.pid is not None
            time.sleep(0.3)
            os.kill(worker.pid, signal.SIGABRT)
            killed.append(worker.pid)
        texts.append(page.text)

    texts: list[str] = []
    settings = DigitiseSettings(workers=1)
    result = digitise(scans, tmp_path / "out.pdf", META, STATION, settings, kill_the_worker)
    assert result.pages == 4
    ((number, fault),) = result.faults
    assert fault == PageFault("EngineCrashed", "the worker process died (signal 6)")
    assert [not t for t in texts] == [k == number - 1 for k in range(4)]
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert len(pdf.pages) == 4
        assert len(pdf.pages[number - 1].Resources.XObject) == 1
        assert "/Font" not in pdf.pages[number - 1].Resources


def test_a_page_that_takes_too_long_keeps_its_image(tmp_path: Path) -> None:
    long = printed([*TEXT * 5], size_inches=(8.27, 11.7))
    scan = tmp_path / "a.png"
    long.save(scan, dpi=(200, 200))
    small = _scan(tmp_path / "b.png", TEXT[0])
    source = survey([scan])[0]
    fault = PageFault("EngineTimedOut", "stopped")
    kept = keep_page(ScanPage(source, 1, 1), DigitiseSettings(), tmp_path, fault)
    assert isinstance(kept, RecognisedPage)
    assert (kept.lines, kept.fault, kept.blank) == ((), fault, False)
    assert small.exists()


def test_an_engine_that_fails_keeps_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing:
        def read(self, *_: object) -> None:
            raise RecognitionError("failed")

        def upside_down(self, *_: object) -> None:
            return None

    monkeypatch.setattr("ocr.page_task.engine_of", lambda settings: Failing())
    source = survey([_scan(tmp_path / "a.png")])[0]
    for mode in ("faithful", "compact"):
        settings = DigitiseSettings(mode=mode)  # type: ignore[arg-type]  # one of two
        page = process_page(ScanPage(source, 1, 1), settings, tmp_path)
        assert isinstance(page, RecognisedPage)
        assert page.fault == PageFault("RecognitionError", "failed")
        assert (page.compact is None) == (mode == "faithful")


def test_a_bad_page_is_marked_and_the_dossier_goes_on(tmp_path: Path) -> None:
    good = _scan(tmp_path / "tốt.png")
    bad = tmp_path / "hỏng đĩa.jpg"
    photo().save(bad)
    bad.write_bytes(bad.read_bytes()[:-3000])
    result = _digitise([good, bad, good], tmp_path / "out.pdf")
    ((number, fault),) = result.faults
    assert (number, fault.kind) == (2, "DamagedFile")
    assert "hỏng đĩa.jpg, page 1" in fault.message
    with pikepdf.open(tmp_path / "out.pdf") as pdf:
        assert len(pdf.pages) == 3


def _nothing_written(folder: Path, target: Path) -> bool:
    return not target.exists() and not list(folder.glob(f".{target.name}*"))


def test_no_page_that_can_be_read(tmp_path: Path) -> None:
    bad = tmp_path / "a.jpg"
    photo().save(bad)
    bad.write_bytes(bad.read_bytes()[:-3000])
    target = tmp_path / "out.pdf"
    with pytest.raises(DamagedFile, match=r"a\.jpg, page 1"):
        _digitise([bad], target)
    assert _nothing_written(tmp_path, target)


def test_refused_before_any_work(tmp_path: Path) -> None:
    target = tmp_path / "out.pdf"
    good = _scan(tmp_path / "a.png")
    with pytest.raises(UnreadableFile, match="no such file"):
        _digitise([good, tmp_path / "missing.pdf"], target)
    with pytest.raises(EngineMissing, match="tesseract-ocr-xyz"):
        _digitise([good], target, languages="xyz")
    assert _nothing_written(tmp_path, target)


class DyingWorkers:
    """Workers that all die: what a file built to crash every decoder would do."""

    count = 1

    def submit(self, *_: object) -> DyingWorkers:
        return self

    def result(self) -> None:
        raise EngineCrashed("the worker process died (signal 9)")


def test_a_file_that_kills_whoever_opens_it(tmp_path: Path) -> None:
    workers: Any = DyingWorkers()
    with pytest.raises(LimitExceeded, match=r"a\.png: opening it used up time or memory"):
        survey_in(workers, [_scan(tmp_path / "a.png")], DigitiseSettings())


def test_a_page_that_kills_whoever_decodes_it(tmp_path: Path) -> None:
    workers: Any = DyingWorkers()
    sources = survey([_scan(tmp_path / "a.png")])
    pages = pages_in(workers, sources, DigitiseSettings(), tmp_path)
    marked = next(pages)
    assert marked.fault is not None
    assert marked.fault.kind == "LimitExceeded"
    with pytest.raises(LimitExceeded, match=r"a\.png, page 1: decoding it used up"):
        next(pages)  # no page was taken in


def test_target_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no such folder"):
        _digitise([_scan(tmp_path / "a.png")], tmp_path / "missing" / "out.pdf")


def test_no_room_for_the_work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(OutputError, match="missing cannot be written"):
        _digitise([_scan(tmp_path / "a.png")], tmp_path / "out.pdf")


def test_engine_is_made_once() -> None:
    settings = DigitiseSettings()
    engine_of.cache_clear()
    engine = engine_of(settings)
    assert engine_of(DigitiseSettings()) is engine
    engine_of.cache_clear()
    engine.close()


def test_taking_in_fails_in_both_ways(tmp_path: Path) -> None:
    bad = Source(tmp_path / "gone.png", "gone.png", "png", "0" * 64, 1)
    page, settings = ScanPage(bad, 1, 1), DigitiseSettings()
    assert isinstance(process_page(page, settings, tmp_path), IntakeFault)
    assert isinstance(keep_page(page, settings, tmp_path, PageFault("x", "y")), IntakeFault)


def test_blank_pages_are_counted(tmp_path: Path) -> None:
    Image.new("L", (1654, 2339), 245).save(tmp_path / "a.png", dpi=(200, 200))
    result = _digitise([tmp_path / "a.png"], tmp_path / "out.pdf")
    assert (result.blank_pages, result.confidence) == (1, 0.0)
