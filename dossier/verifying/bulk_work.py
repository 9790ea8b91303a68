"""The worker's part of a bulk verification: some documents, each in a process that may be killed.

Worker(jobs, "ocr", {"verify": BulkWork(bulk, blobs, checkers)})
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from dossier.errors import BlobDamaged, NotFound, VerificationStopped
from dossier.queue.jobs import Job
from dossier.queue.retrying import error_json
from dossier.storage.store import BlobStore
from dossier.verifying.bulk import BulkVerifications, Outcome
from dossier.verifying.bulk_values import Bulk, BulkItem
from dossier.verifying.checkers import Checkers
from signer.verification.words.expectation import expect_agency

CHUNK = 40
"""Documents of one job, at most."""
ENOUGH_S = 4.0
"""After this time a job leaves the rest to the next one: a worker that ends loses little."""


class BulkWork:
    """Handler for jobs of the kind ``verify``. Safe for threads."""

    def __init__(
        self,
        bulk: BulkVerifications,
        blobs: BlobStore,
        checkers: Checkers,
        *,
        at_once: int = 2,
        chunk: int = CHUNK,
    ) -> None:
        """`at_once` is how many processes `checkers` has."""
        self._bulk = bulk
        self._blobs = blobs
        self._checkers = checkers
        self._at_once = at_once
        self._chunk = chunk

    def __call__(self, job: Job) -> None:
        """Verify the next documents of the list, and end the job.

        Raises `Overloaded` and `StoreError`, to be tried again, and `LeaseLost`.
        """
        begun = self._bulk.begun(job, self._chunk)
        if begun is not None:
            self._work_off(*begun)
        self._bulk.finish(job)

    def _work_off(self, bulk: Bulk, items: list[BulkItem]) -> None:
        until = time.monotonic() + ENOUGH_S
        with ThreadPoolExecutor(self._at_once) as pool:
            for few in _chunks(items, self._at_once):
                outcomes = list(pool.map(lambda item: self._verify(bulk, item), few))
                if not self._bulk.note(bulk, outcomes) or time.monotonic() > until:
                    return

    def _verify(self, bulk: Bulk, item: BulkItem) -> Outcome:
        """What came of one document; a fault of the service itself is raised, not noted."""
        try:
            with self._blobs.local(item.sha256) as path:
                answer = self._checkers.verify(path, bulk.order.at)
        except (VerificationStopped, NotFound, BlobDamaged) as error:
            return Outcome(item.position, error=error_json(error))
        report: dict[str, Any] = json.loads(answer)
        if bulk.order.expected_agency is not None:
            report = expect_agency(report, bulk.order.expected_agency)
            answer = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()
        return Outcome(
            item.position,
            self._blobs.put(answer),
            report["indication"],
            report["sub_indication"],
            report["integrity"],
        )


def _chunks(items: list[BulkItem], size: int) -> Iterator[list[BulkItem]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
