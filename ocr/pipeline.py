"""Digitising: files in, one record out. Read `digitise` from top to bottom."""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from ocr.errors import EngineCrashed, EngineTimedOut, IntakeError, LimitExceeded
from ocr.intake.sources import IntakeFault, ScanPage, Source, files_of, pages_of, within
from ocr.page import PageFault, RecognisedPage
from ocr.record.manifest import ModelFile, Provenance, RecordMetadata
from ocr.record.pdfa import RecordInfo, write_record
from ocr.settings import WORKING_DPI, DigitiseSettings
from ocr.wholefile import output_error
from ocr.worker_jobs import engine_info, keep_page, look, process_page
from ocr.workers import Pending, Workers

_AHEAD = 2  # pages under way for each worker: none waits, and memory stays bounded

PageSeen = Callable[[RecognisedPage, int], None]
"""Called for each page in order with the number of pages of the record."""


@dataclass(frozen=True, slots=True)
class Station:
    """Who digitises, where and when (aware time): what the provenance manifest names."""

    operator: str
    station: str
    time: datetime


@dataclass(frozen=True, slots=True)
class DigitisedRecord:
    """A written record. `faults` holds (page number, fault) of every marked page."""

    record: RecordInfo
    pages: int
    blank_pages: int
    confidence: float
    faults: tuple[tuple[int, PageFault], ...]


def digitise(
    sources: Sequence[Path],
    target: Path,
    meta: RecordMetadata,
    station: Station,
    settings: DigitiseSettings,
    on_page: PageSeen | None = None,
) -> DigitisedRecord:
    """Make one PDF/A record at `target` out of files (or folders) of scans.

    Pages that cannot be read are marked and reported, not lost. `on_page` sees every page
    with its text (its image files are gone when it returns the next). Raises an
    `IntakeError` when a file is no dossier at all or no page of it can be taken in,
    `EngineMissing`, or `OutputError`; then nothing is written.
    """
    with _workers(settings) as workers, _work_folder() as work:
        # 1 look at all files, before any work is spent on one of them
        found = survey_in(workers, sources, settings)
        # 2 which engine and models will read: named in the manifest
        provenance = _provenance(workers, settings, station)
        # 3 pages through the workers, in order, into the record
        tally = _Tally(sum(s.pages for s in found), on_page)
        pages = tally.counted(pages_in(workers, found, settings, work))
        record = write_record(pages, target, meta, provenance)
    return DigitisedRecord(record, tally.total, tally.blank, tally.confidence, tuple(tally.faults))


def recognise_pages(
    sources: Sequence[Path],
    settings: DigitiseSettings,
    work: Path,
    on_page: PageSeen | None = None,
) -> Iterator[RecognisedPage]:
    """All pages with their text, in order; a few are read ahead.

    A page's image files in `work` last until the next page is asked for. Raises like
    `digitise`.
    """
    with _workers(settings) as workers:
        found = survey_in(workers, sources, settings)
        tally = _Tally(sum(s.pages for s in found), on_page)
        yield from tally.counted(pages_in(workers, found, settings, work))


def survey_in(
    workers: Workers, sources: Sequence[Path], settings: DigitiseSettings
) -> tuple[Source, ...]:
    """`ocr.intake.survey` in worker processes: hostile bytes are parsed nowhere else."""
    paths = list(files_of(sources))
    under_way = [(p, workers.submit(look, p, settings.limits)) for p in paths]
    found = []
    for path, pending in under_way:
        try:
            found.append(pending.result())
        except (EngineCrashed, EngineTimedOut) as error:
            raise LimitExceeded(
                f"opening it used up time or memory ({error}): the file may be built to do so",
                source=path.name,
            ) from error
    return within(found, settings.limits)


def pages_in(
    workers: Workers, sources: Sequence[Source], settings: DigitiseSettings, work: Path
) -> Iterator[RecognisedPage]:
    """Pages in order with a bounded number under way.

    Raises the first page's error at the end when no page at all could be taken in.
    """
    under_way: deque[tuple[ScanPage, Pending[RecognisedPage | IntakeFault]]] = deque()
    first_error: IntakeError | None = None
    taken_in = False
    waiting = pages_of(sources)
    while True:
        for page in waiting:
            under_way.append((page, workers.submit(process_page, page, settings, work)))
            if len(under_way) >= _AHEAD * workers.count:
                break
        if not under_way:
            break
        page, pending = under_way.popleft()
        outcome = _outcome(workers, page, pending, settings, work)
        if isinstance(outcome, IntakeFault):
            first_error = first_error or outcome.error
            yield from _forgetting(_placeholder(outcome, work))
        else:
            taken_in = True
            yield from _forgetting(outcome)
    if first_error is not None and not taken_in:
        raise first_error


def _outcome(
    workers: Workers,
    page: ScanPage,
    pending: Pending[RecognisedPage | IntakeFault],
    settings: DigitiseSettings,
    work: Path,
) -> RecognisedPage | IntakeFault:
    """The page; when its worker died, its image without text."""
    try:
        return pending.result()
    except (EngineCrashed, EngineTimedOut) as error:
        fault = PageFault(type(error).__name__, str(error))
    try:
        return workers.submit(keep_page, page, settings, work, fault).result()
    except (EngineCrashed, EngineTimedOut) as error:
        return IntakeFault(
            page,
            LimitExceeded(
                f"decoding it used up time or memory ({error}): scan the page again",
                source=page.source.name,
                page=page.index,
            ),
        )


def _placeholder(fault: IntakeFault, work: Path) -> RecognisedPage:
    from ocr.intake.placeholder import placeholder  # loads Pillow, which other runs do without

    return placeholder(fault, work)


def _forgetting(page: RecognisedPage) -> Iterator[RecognisedPage]:
    """The page; its files go when the next one is asked for, so the work folder stays small."""
    yield page
    compact = page.compact
    streams = [page.image.kept]
    if compact is not None:
        streams.append(compact.mask)
        if compact.background is not None:
            streams.append(compact.background)
    for stream in streams:
        stream.path.unlink(missing_ok=True)


class _Tally:
    """Counts pages as they pass, and shows them to whoever asked."""

    def __init__(self, total: int, on_page: PageSeen | None) -> None:
        self.total = total
        self.blank = 0
        self.faults: list[tuple[int, PageFault]] = []
        self._on_page = on_page
        self._confidence = 0.0
        self._letters = 0

    @property
    def confidence(self) -> float:
        """Mean confidence of all words, weighted by length; 0 without words."""
        return self._confidence / self._letters if self._letters else 0.0

    def counted(self, pages: Iterator[RecognisedPage]) -> Iterator[RecognisedPage]:
        for page in pages:
            self.blank += page.blank
            if page.fault is not None:
                self.faults.append((page.image.number, page.fault))
            letters = sum(len(w.text) for line in page.lines for w in line.words)
            self._letters += letters
            self._confidence += letters * page.confidence
            if self._on_page is not None:
                self._on_page(page, self.total)
            yield page


def _workers(settings: DigitiseSettings) -> Workers:
    return Workers(settings.workers, settings.page_seconds, settings.page_memory_bytes)


@contextmanager
def _work_folder() -> Iterator[Path]:
    place = Path(tempfile.gettempdir())
    try:
        folder = tempfile.TemporaryDirectory(prefix="sohoa-", dir=place)
    except OSError as error:
        raise output_error(place, error) from error
    with folder as name:
        yield Path(name)


def _provenance(workers: Workers, settings: DigitiseSettings, station: Station) -> Provenance:
    engine = workers.submit(engine_info, settings).result()
    return Provenance(
        engine=engine.name,
        engine_version=engine.version,
        models=tuple(ModelFile(name, sha256) for name, sha256 in engine.models),
        settings={
            "languages": settings.languages,
            "mode": settings.mode,
            "recognition_dpi": WORKING_DPI,
        },
        operator=station.operator,
        station=station.station,
        time=station.time,
    )
