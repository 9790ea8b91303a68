"""The worker's part of a digitization: read the scans, make the record, publish it.

    work = DigitizingWork(digitizations, blobs, folder, DigitiseSettings())
    Worker(jobs, "ocr", {"digitize": work})

Everything is made in a folder of its own that goes with the run. A worker that is killed leaves
it behind; the next one to try the same job removes it and begins again, and nothing is seen of
a run but by the one transaction that publishes it.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from dossier.digitizing.digitizations import Digitization, Digitizations, Made
from dossier.errors import InvalidOrder, StoreError
from dossier.queue.jobs import Job
from dossier.search.values import PageText
from dossier.storage.blobs import translated
from dossier.storage.store import BlobStore
from dossier.workflow import Outputs, digitise_dossier
from ocr.errors import EngineMissing, IntakeError, OutputError
from ocr.page import RecognisedPage
from ocr.pipeline import Station
from ocr.record.manifest import RecordMetadata
from ocr.settings import DigitiseSettings

_TOLD_S = 0.5  # between two notes of the progress
_ABANDONED_S = 2 * 24 * 3600.0


class _Cancelled(Exception):
    """Somebody cancelled the digitization while it ran."""


class DigitizingWork:
    """Handler for jobs of the kind ``digitize`` on the queue ``ocr``. Safe for threads."""

    def __init__(
        self,
        digitizations: Digitizations,
        blobs: BlobStore,
        folder: Path,
        settings: DigitiseSettings,
    ) -> None:
        """Work in `folder`, on a local disk; what died there two days ago is removed.

        `settings` say how pages are read; mode and languages come with each order.
        """
        self._digitizations = digitizations
        self._blobs = blobs
        self._folder = folder
        self._settings = settings
        with translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for left in folder.iterdir():
                if time.time() - left.stat().st_mtime > _ABANDONED_S:
                    shutil.rmtree(left, ignore_errors=True)

    def __call__(self, job: Job) -> None:
        """Do the job and finish it.

        Raises `InvalidOrder` for scans that cannot be taken in, `StoreError` when disk, blob
        store or engine are not there, `LeaseLost`.
        """
        begun = self._digitizations.begun(job)
        if begun is None:
            self._digitizations.stopped(job)
            return
        found, agency = begun
        try:
            with self._work_folder(job) as folder:
                made = self._digitise(found, agency, folder)
        except _Cancelled:
            self._digitizations.stopped(job)
            return
        except IntakeError as error:
            raise InvalidOrder(
                f"Không số hóa được bản quét: {error}. Hãy quét lại rồi gửi lại. / The scans "
                f"cannot be digitized: {error}. Scan them again.",
                field="scans",
            ) from error
        except (OutputError, EngineMissing) as error:
            raise StoreError(
                f"Chưa số hóa được: {error}; sẽ thử lại. / Not digitized yet: {error}; it will be "
                "tried again."
            ) from error
        self._digitizations.publish(job, made)

    def _digitise(self, found: Digitization, agency: str, folder: Path) -> Made:
        """Make the three files and store them."""
        order = found.order
        outputs = Outputs(folder / "record.pdf", folder / "record.txt", folder / "fields.json")
        meta = RecordMetadata(
            title=order.title,
            creator=agency,
            record_id=f"{order.dossier_code}/{order.component_code}/{found.id}",
            created=found.created_at,
        )
        station = Station(order.officer, order.station, found.created_at)
        settings = replace(self._settings, mode=order.mode, languages=order.languages)
        progress = _Progress(self._digitizations, found)
        with ExitStack() as stack:
            scans = [stack.enter_context(self._blobs.local(sha256)) for sha256 in order.scans]
            outcome = digitise_dossier(scans, outputs, meta, station, settings, progress=progress)
        return Made(
            self._blobs.put(outputs.record, sha256=outcome.sha256),
            self._blobs.put(folder / "record.txt"),
            self._blobs.put(folder / "fields.json"),
            outcome.digitised.pages,
            tuple(progress.words),
        )

    @contextmanager
    def _work_folder(self, job: Job) -> Iterator[Path]:
        """A folder for this attempt; those of earlier attempts, whose workers died, go."""
        with translated(self._folder):
            for left in self._folder.glob(f"{job.subject}.*"):
                shutil.rmtree(left, ignore_errors=True)
            folder = self._folder / f"{job.subject}.{job.attempt}"
            folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


class _Progress:
    """Notes pages as they are done; stops the work when the order turns out wrong or unwanted.

    `words` are those of the pages so far, for the search index.
    """

    def __init__(self, digitizations: Digitizations, found: Digitization) -> None:
        self._digitizations = digitizations
        self._found = found
        self._told_at = float("-inf")
        self._pages_done = 0
        self.words: list[PageText] = []

    def __call__(self, page: RecognisedPage, total: int) -> None:
        """Raises `InvalidOrder`, `LeaseLost`, and `_Cancelled`."""
        declared = self._found.order.page_count
        if declared is not None and declared != total:
            raise InvalidOrder(
                f"Bản quét có {total} trang, khai báo {declared} trang (TT 01/2023/TT-VPCP, Điều "
                f"8); hãy quét lại hoặc sửa số trang. / The scans have {total} pages, {declared} "
                "were declared; scan again or correct the count.",
                field="page_count",
            )
        self._pages_done += 1
        self.words.append(PageText.of(page))
        now = time.monotonic()
        if now - self._told_at < _TOLD_S and self._pages_done < total:
            return
        self._told_at = now
        if not self._digitizations.progress(self._found, self._pages_done, total):
            raise _Cancelled
