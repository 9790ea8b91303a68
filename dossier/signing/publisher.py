"""Publishes finished records: those of all threads that are ready at one moment, in one commit.

In the transaction, in this order, so that two workers never wait for each other in a circle:
jobs done (the swap that decides), blobs, records, hooks, and the audit log last.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby

import sqlalchemy as sa

from dossier.errors import LeaseLost
from dossier.queue.jobs import Job, JobQueue
from dossier.signing.records import Publication, Record, Records
from dossier.signing.recordtable import find
from dossier.storage.database import Database
from dossier.storage.grouping import Group
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.store import BlobInfo

PublishHook = Callable[[sa.Connection, Record], None]
"""Runs in the transaction that publishes a record: webhooks, counters of batches."""

_MEDIA_TYPE = "application/pdf"
_LINGER_S = 0.015  # about what two documents take to be sealed


@dataclass(frozen=True, slots=True)
class Ready:
    """A record that is sealed, verified and stored, with the job that it was made for.

    `papers` are small blobs that are kept in the publishing transaction itself.
    """

    job: Job
    publication: Publication
    result: BlobInfo
    papers: tuple[bytes, ...] = ()


class Publisher:
    """Publishes for the threads of one process."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        records: Records,
        holdings: Holdings,
        hooks: Sequence[PublishHook] = (),
        small: SmallBlobs | None = None,
    ) -> None:
        """`small` keeps the papers of what is published."""
        self._database = database
        self._jobs = jobs
        self._records = records
        self._holdings = holdings
        self._hooks = tuple(hooks)
        self._small = small
        self._lock = threading.Lock()  # guards _making
        self._making = 0
        self._group: Group[Ready, None] = Group(
            self._publish, expected=lambda: self._making, linger_s=_LINGER_S
        )

    @contextmanager
    def making(self) -> Iterator[None]:
        """Around the making of a record, so that its neighbours wait a moment for it."""
        with self._lock:
            self._making += 1
        try:
            yield
        finally:
            with self._lock:
                self._making -= 1

    def publish(self, ready: Ready) -> None:
        """Publish one record; durable when it returns. May be repeated after a `StoreError`.

        Raises `LeaseLost`, `StateConflict`, `StoreError`, `AuditUnavailable`; then this record
        is not published, and those that shared its commit are.
        """
        try:
            self._group.do(ready)
        except LeaseLost:
            # the answer to an earlier commit may have been lost with the connection
            if not self._is_published(ready.publication):
                raise

    def _is_published(self, publication: Publication) -> bool:
        with self._database.read() as connection:
            record = find(connection, publication.agency_id, publication.record_id)
        return record is not None and record.result_sha256 == publication.result_sha256

    def _publish(self, group: Sequence[Ready]) -> list[None]:
        # one order for everybody: whoever updates what two records share takes it alike
        ordered = sorted(group, key=_place)
        with self._database.begin() as connection:
            self._jobs.done_many(connection, [ready.job for ready in ordered])
            if self._small is not None:
                self._small.keep(connection, [data for ready in ordered for data in ready.papers])
            by_agency = sorted(ordered, key=_agency)
            for agency_id, held in groupby(by_agency, key=_agency):
                # nobody may download what is withheld: its agency does not hold the bytes yet
                items = [(r.result, _MEDIA_TYPE) for r in held if not r.publication.held]
                self._holdings.register_all(connection, agency_id, items)
            made = [ready.publication for ready in ordered]
            self._records.publish(connection, made, self._hooks)
        return [None] * len(group)


def _place(ready: Ready) -> tuple[str, str]:
    made = ready.publication
    return made.batch[0] if made.batch else "", made.record_id


def _agency(ready: Ready) -> str:
    return ready.publication.agency_id
