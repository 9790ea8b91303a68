"""What a record costs when there are few and when there are many: accept, claim, publish.

Sealing and verifying are left out, since they know nothing of other records; everything that
touches the database is done as the service does it, by the same classes. The cost is the CPU
time of this process (for SQLite all of it) and the time by the wall (with PostgreSQL's share).
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from bench.harness import Measurement, spread_of
from dossier.audit.log import AuditLog
from dossier.model import Caller, Role
from dossier.queue.jobs import Job, JobQueue
from dossier.signing.order import SignatureOrder
from dossier.signing.publisher import Publisher, Ready
from dossier.signing.records import Publication, Records
from dossier.storage import tables
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.migrations import upgrade
from dossier.storage.store import BlobInfo
from tests.fixtures_databases import PostgresCluster, postgres_programs

RECORDS = 50_000
WINDOW = 1_000
GROUP = 20  # documents in the hands of a worker at once
_SIGNER = Caller("prn_bench", "đo", "H22.12", frozenset({Role.LEADER}), frozenset({"leader"}))
_ORDER = SignatureOrder(key="leader", symbol="QĐ-UBND", from_book=True)


def growth() -> Iterable[Measurement]:
    """The last 1,000 of 50,000 records against the first, on both databases."""
    for name, opened in (("sqlite", _sqlite), ("postgresql", _postgresql)):
        with opened() as url:
            cpu, wall = _windows(url)
        for kind, windows in (("cpu", cpu), ("wall", wall)):
            first, last = windows[1:4], windows[-3:]  # the very first one warms up
            ratios = [late / early for early, late in zip(first, last, strict=True)]
            yield Measurement(
                f"service.growth.{name}.{kind}_last_over_first",
                sum(ratios) / len(ratios),
                "×",
                sum(last) / len(last),
                sum(first) / len(first),
                len(ratios),
                spread_of(ratios),
            )


@contextmanager
def _sqlite() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="sohoa-growth-") as folder:
        yield f"sqlite:///{Path(folder) / 'house.db'}"


@contextmanager
def _postgresql() -> Iterator[str]:
    cluster = PostgresCluster(postgres_programs())
    try:
        yield cluster.url(cluster.new_database())
    finally:
        cluster.close()


def _windows(url: str) -> tuple[list[float], list[float]]:
    """CPU and wall milliseconds a record, window by window."""
    database = Database(url)
    upgrade(database)
    _enter_agency(database)
    audit, holdings = AuditLog(database), Holdings(database)
    jobs = JobQueue(database, audit)
    records = Records(database, None, holdings, audit, jobs, max_backlog=10 * RECORDS)
    publisher = Publisher(database, jobs, records, holdings)
    cpu, wall = [], []
    try:
        for start in range(0, RECORDS, WINDOW):
            began = time.process_time(), time.perf_counter()
            for first in range(start, start + WINDOW, GROUP):
                _round(records, jobs, publisher, range(first, first + GROUP))
            cpu.append((time.process_time() - began[0]) * 1000 / WINDOW)
            wall.append((time.perf_counter() - began[1]) * 1000 / WINDOW)
    finally:
        database.close()
    return cpu, wall


def _round(records: Records, jobs: JobQueue, publisher: Publisher, numbers: Sequence[int]) -> None:
    """Accept some orders, claim their jobs, publish their results."""
    for number in numbers:
        digest = _digest("source", number)
        records.accept(
            _SIGNER,
            _ORDER,
            digest,
            idempotency_key=f"growth-{number}",
            request_sha256=_digest("request", number),
            uploaded=BlobInfo(digest, 100_000),
        )
    claimed: list[Job] = []
    while len(claimed) < len(numbers):
        taken = jobs.claim("seal", "bench", len(numbers), 60.0)
        if not taken:
            raise RuntimeError("the queue gave fewer jobs than were put in")
        claimed += taken
    for job in claimed:
        publisher.publish(_made(job))


def _made(job: Job) -> Ready:
    result = _digest("result", job.subject)
    publication = Publication(
        record_id=job.subject,
        agency_id=job.agency_id or "",
        supersedes=None,
        result_sha256=result,
        report_sha256=_digest("report", job.subject),
        evidence_sha256=_digest("evidence", job.subject),
        result_bytes=120_000,
        level="B-LTA",
        published_at=datetime.now(UTC),
        renew_at=datetime.now(UTC),
        actor="worker:bench",
        details={"result_sha256": result, "attempt": job.attempt, "key": "leader"},
    )
    return Ready(job, publication, BlobInfo(result, 120_000))


def _digest(kind: str, name: object) -> str:
    return hashlib.sha256(f"{kind} {name}".encode()).hexdigest()


def _enter_agency(database: Database) -> None:
    with database.begin() as connection:
        connection.execute(
            sa.insert(tables.agencies),
            {
                "id": _SIGNER.agency_id,
                "name": "UBND xã (đo)",
                "policy": {},
                "created_at": datetime.now(UTC),
                "version": 1,
            },
        )
