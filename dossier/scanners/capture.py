"""Page after page into a folder. What was scanned is never lost.

Each document is durable, and noted in the folder's log, before the next one is asked for.
Whatever ends a run, the pages before it stay, and the same command goes on behind the last of
them. After a crash (kill -9, power) the scanner is asked how many pages it handed out: when all
of them are here its job goes on as if nothing had happened; when one did not reach the disk a
person is told, since it lies among the sheets that are done.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from dossier.errors import ScanCancelled, ScannerError, ScannerStopped
from dossier.scanners.escl import ScanJob, Scanner
from dossier.scanners.folder import FolderLog, ScannedPage, only_writer, settings_told
from dossier.scanners.values import (
    DocumentFormat,
    InputSource,
    JobState,
    ScannerCapabilities,
    ScanSettings,
)
from ocr.errors import OutputError

_GOES_ON = (JobState.PENDING, JobState.PROCESSING)


@dataclass(frozen=True, slots=True)
class Capture:
    """What one call brought. `pages` are this call's, `pages_in_folder` all of them.

    A call that goes on with a run that was cut off has that run's number.
    """

    folder: Path
    run: int
    pages: tuple[ScannedPage, ...]
    pages_in_folder: int
    settings: ScanSettings
    capabilities: ScannerCapabilities


def capture(
    scanner: Scanner,
    capabilities: ScannerCapabilities,
    settings: ScanSettings,
    folder: Path,
    *,
    now: Callable[[], datetime],
    stop: threading.Event | None = None,
    seen: Callable[[ScannedPage], None] = lambda _: None,
) -> Capture:
    """Scan all that lies in the feeder, or the page on the glass, into `folder`.

    `seen` is told of each page once it is durable. When `stop` is set, or any error leaves this
    function, the device is told to forget the job. Raises `ScannerError` whose message says
    which pages are kept and how to go on, `StateConflict` while another run writes into the
    folder, `StoreError` when its log is damaged, and `OutputError` when it cannot be written.
    """
    with only_writer(folder):
        log = FolderLog(folder)
        stop = stop or threading.Event()
        job = _cut_off_job(scanner, settings, log, stop, now)
        is_new = job is None
        job = job or scanner.start(settings, stop)
        pages: list[ScannedPage] = []
        try:
            if is_new:
                log.begin(scanner, capabilities, settings, job.path, now())
            run = len(log.runs)
            while (document := job.next_document()) is not None:
                page = log.add(document, run, _side(settings, job.received))
                pages.append(page)
                seen(page)
        except ScannerError as error:
            _break_off(job, log, error, now)
            raise error.keeping(_advice(error, folder, pages, settings)) from error.__cause__
        except BaseException as error:
            _break_off(job, log, error, now)
            raise
        log.end("complete", now())
        return Capture(folder, run, tuple(pages), len(log.pages), settings, capabilities)


def _break_off(
    job: ScanJob, log: FolderLog, why: BaseException, now: Callable[[], datetime]
) -> None:
    """Free the scanner, and note it; a log that cannot be written is put right by the next run."""
    with suppress(ScannerError):
        job.cancel()
    with suppress(OutputError):
        log.end(type(why).__name__, now())


def _cut_off_job(
    scanner: Scanner,
    settings: ScanSettings,
    log: FolderLog,
    stop: threading.Event,
    now: Callable[[], datetime],
) -> ScanJob | None:
    """The job of a run that was killed, when it can go on: the device still has its next pages.

    None when there was none, or all its pages are here. Else the job is ended and
    `ScannerStopped` raised, once: a page was handed out and not kept, or the device no longer
    knows, and then only a person can look.
    """
    run = log.cut_off()
    if run is None:
        return None
    pages = log.pages_of(run["run"])
    is_same = run["scanner"] == scanner.address.name
    is_told = is_same and settings.format is DocumentFormat.JPEG
    job = scanner.status().job(run["job"]) if is_told else None
    if job is not None and job.images_completed == len(pages):
        if job.state is JobState.COMPLETED:
            log.end("complete", now())
            return None
        if job.state in _GOES_ON and run["settings"] == settings_told(settings):
            return ScanJob(scanner, run["job"], settings, stop, received=len(pages))
    if is_same:
        with suppress(ScannerError):
            scanner.cancel(run["job"])
    log.end("cut off", now())
    last = pages[-1]["file"] if pages else "–"
    raise ScannerStopped(
        f"Lần quét trước bị ngắt đột ngột; trang cuối lưu được của lần đó: {last}. Có thể có tờ đã "
        "qua máy mà chưa được lưu đủ mặt: đối chiếu, đặt lại các tờ đó lên đầu rồi chạy lại cùng "
        f"lệnh. / The run before was cut off; the last page kept of it: {last}. A sheet may have "
        "passed the scanner without both its sides being kept: compare, put such sheets back on "
        "top, and run the same command."
    )


def _side(settings: ScanSettings, nth: int) -> str:
    if not settings.duplex or settings.format is not DocumentFormat.JPEG:
        return ""
    return "front" if nth % 2 else "back"


def _advice(
    error: ScannerError, folder: Path, pages: list[ScannedPage], settings: ScanSettings
) -> str:
    """What of this run is kept, and what to put into the feeder before the same command again."""
    if not pages:
        return f"Chưa có trang mới trong {folder}. / No new page is in {folder}."
    first, last = pages[0].file, pages[-1].file
    told = (
        f"Đã lưu {len(pages)} trang của lần quét này ({first}–{last}) trong {folder}. / "
        f"{len(pages)} pages of this run are kept ({first}–{last}) in {folder}."
    )
    if isinstance(error, ScanCancelled) or settings.source is InputSource.PLATEN:
        return told
    if pages[-1].side == "front":
        return (
            f"{told} Tờ cuối mới có mặt trước ({last}): đặt lại chính tờ đó lên đầu các tờ chưa "
            f"quét rồi chạy lại cùng lệnh; mặt trước của nó sẽ có hai ảnh. / Of the last sheet "
            f"only the front was scanned ({last}): put that sheet back on top of those that were "
            "not, and run the same command; its front will be there twice."
        )
    return (
        f"{told} Đặt các tờ chưa quét vào khay rồi chạy lại cùng lệnh để quét tiếp. / Load the "
        "sheets that were not scanned and run the same command to go on."
    )
