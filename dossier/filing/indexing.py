"""Puts filed papers into the search index, with the words as people corrected them.

IndexWork(database, blobs, audit, jobs, search)      # jobs of the kind index-paper, queue ocr
"""

from __future__ import annotations

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.filing.material import gather
from dossier.model import AuditEvent
from dossier.queue.jobs import Job, JobQueue
from dossier.search.index import SearchIndex
from dossier.search.values import PageText, SearchDocument
from dossier.storage.database import Database
from dossier.storage.store import BlobStore


class IndexWork:
    """The handler; safe for threads. What is indexed twice is replaced."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        audit: AuditLog,
        jobs: JobQueue,
        search: SearchIndex,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._audit = audit
        self._jobs = jobs
        self._search = search

    def __call__(self, job: Job) -> None:
        """Index the paper that `job` is for. Raises `StoreError`, `LeaseLost`."""
        material = gather(self._database, self._blobs, job.agency_id, job.subject)
        paper = material.paper
        document = SearchDocument(
            paper.id, paper.agency_id, material.title, paper.dossier_code, paper.component_code
        )
        pages = [PageText.of(page) for page in material.words()]

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            self._search.put(connection, document, pages)
            details = {
                "record": paper.record_id,
                "sealed_sha256": paper.sealed_sha256,
                "digitization_code": paper.digitization_code,
            }
            event = AuditEvent(
                "paper.filed", f"worker:{job.worker}", paper.agency_id, paper.id, details
            )
            self._audit.append(connection, [event])

        self._database.together(work)
