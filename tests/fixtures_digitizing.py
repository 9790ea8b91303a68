"""Digitizations without the door: database, blobs, queue and the worker's handler.

def test_x(scanning_room):                       # runs on SQLite and on PostgreSQL
    found, _ = scanning_room.order()
    job = scanning_room.claim()
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.digitizing.digitizations import Digitization, DigitizationOrder, Digitizations, Made
from dossier.digitizing.work import DigitizingWork
from dossier.model import Caller, Role
from dossier.queue.jobs import Job, JobQueue
from dossier.queue.worker import Worker
from dossier.search.index import SearchIndex
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.tables import agencies
from ocr.settings import DigitiseSettings

AGENCIES = ("H22.12", "H22.13")


def scanner_of(agency: str = AGENCIES[0], *roles: Role, name: str = "prn_scanner") -> Caller:
    """A caller with these roles (none: a scanner)."""
    return Caller(name, "Trạm quét mẫu", agency, frozenset(roles or {Role.SCANNER}))


class ScanningRoom:
    """What a process of the service holds to digitize."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.database = Database(url)
        self.blobs = FolderBlobs(folder / "blobs")
        self.holdings = Holdings(self.database)
        self.audit = AuditLog(self.database)
        self.jobs = JobQueue(self.database, self.audit)
        self.search = SearchIndex(self.database)
        self.search.prepare()
        self.digitizations = Digitizations(
            self.database, self.blobs, self.holdings, self.audit, self.jobs, self.search
        )
        self.work = DigitizingWork(
            self.digitizations, self.blobs, folder / "work", DigitiseSettings(workers=1)
        )

    def worker(self, lease_s: float = 5.0) -> Worker:
        return Worker(self.jobs, "ocr", {"digitize": self.work}, threads=1, lease_s=lease_s)

    def make_agencies(self) -> None:
        with self.database.begin() as connection:
            for agency in AGENCIES:
                connection.execute(
                    sa.insert(agencies).values(
                        id=agency, name="UBND xã Mẫu Sơn Thử", policy={}, created_at=_now()
                    )
                )

    def bring(self, data: bytes, caller: Caller | None = None) -> str:
        """Store a scan for the caller's agency; its digest."""
        info = self.blobs.put(data)
        with self.database.begin() as connection:
            agency = (caller or scanner_of()).agency_id
            self.holdings.register(connection, agency, info, "image/jpeg")
        return info.sha256

    def order(
        self, *scans: str, caller: Caller | None = None, key: str | None = None, **more: object
    ) -> tuple[Digitization, bool]:
        entries = {
            "scans": list(scans) or [self.bring(b"a scan", caller)],
            "title": "Quyết định mẫu",
            "dossier_code": "H22.12-260301-0001",
            "component_code": "KQ.01",
            "station": "tram-01",
            "officer": "Nguyễn Văn Mẫu",
        }
        order = DigitizationOrder.from_json(entries | more)
        return self.digitizations.accept(caller or scanner_of(), order, key)

    def claim(self, worker: str = "here") -> Job:
        (job,) = self.jobs.claim("ocr", worker, 1, 60.0)
        return job

    def made(self, text: bytes = b"text") -> Made:
        """Something to publish."""
        return Made(self.blobs.put(b"pdf"), self.blobs.put(text), self.blobs.put(b"{}"), 2)

    def get(self, found: Digitization) -> Digitization:
        return self.digitizations.get(scanner_of(found.agency_id), found.id)

    def events(self) -> list[str]:
        return [str(entry.event) for entry in self.audit.entries(None, 0, 1000)]


def _now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def scanning_room(database_url: str, tmp_path: Path) -> Iterator[ScanningRoom]:
    """A room on a fresh database of each kind."""
    room = ScanningRoom(database_url, tmp_path)
    room.make_agencies()
    yield room
    room.database.close()


@pytest.fixture
def sqlite_scanning_room(sqlite_url: str, tmp_path: Path) -> Iterator[ScanningRoom]:
    """A room on SQLite alone, for tests that really read pages."""
    room = ScanningRoom(sqlite_url, tmp_path)
    room.make_agencies()
    yield room
    room.database.close()
