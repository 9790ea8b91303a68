"""The signing service without its door: queue, records, worker, in one process, real parts.

def test_x(signing_room):                         # runs on SQLite and on PostgreSQL
    record = signing_room.order(number=3, symbol="QĐ-X")[0]
    signing_room.work_off()                       # until the queue is empty
    signing_room.record(record.id)                # published
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.audit.chain import AuditEntry
from dossier.audit.log import AuditLog
from dossier.model import Caller, RecordState, Role
from dossier.queue.jobs import JobQueue
from dossier.queue.worker import Worker
from dossier.signing.records import Record, Records, SignatureOrder
from dossier.signing.sealing import Services
from dossier.signing.work import Desk, SigningWork
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SmallBlobs
from dossier.storage.tables import agencies
from hsm.keys import SigningKey
from signer.policy import PreSigningCheck
from signer.sealing.appearance.plan import specimen_images
from signer.sealing.appearance.profiles import default_profiles
from signer.sealing.augment import Augmenter
from signer.sealing.seal import Sealer
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey
from tests.fixtures_pki import RunningPKI
from tests.fixtures_signed import plain_pdf

AGENCY = "H22.12"
OTHER_AGENCY = "H22.13"
KEYS = frozenset({"officer", "leader", "seal"})


def caller_of(agency: str = AGENCY, *roles: Role, keys: frozenset[str] = KEYS) -> Caller:
    """A client of `agency` with these roles (none: those of a signer)."""
    return Caller(
        f"prn-{agency}", "Hệ thống mẫu", agency, frozenset(roles or {Role.CLERK}), keys, "req-1"
    )


class SigningRoom:
    """What a seal worker's process holds. `keys` counts every signature that is made."""

    def __init__(self, database: Database, folder: Path, pki: RunningPKI) -> None:
        self.database = database
        self.blobs = SmallBlobs(database, FolderBlobs(folder / "blobs"))
        self.holdings = Holdings(database)
        self.audit = AuditLog(database)
        self.jobs = JobQueue(database, self.audit)
        self.records = Records(database, self.blobs, self.holdings, self.audit, self.jobs)
        self.caller = caller_of()
        self.pki = pki
        self.contexts: list[dict[str, Any]] = []
        self.keys: dict[str, SoftwareKey] = {
            name: _counting(getattr(pki, name)) for name in sorted(KEYS)
        }
        with database.begin() as connection:
            for agency in (AGENCY, OTHER_AGENCY):
                connection.execute(
                    sa.insert(agencies),
                    {
                        "id": agency,
                        "name": f"UBND xã Thử Nghiệm {agency}",
                        "policy": {},
                        "created_at": dt.datetime.now(dt.UTC),
                    },
                )
        self.source = self.put(plain_pdf())

    @property
    def signatures(self) -> int:
        """How often a key was used."""
        return sum(key.calls for key in self.keys.values())

    def put(self, pdf: bytes, agency: str = AGENCY) -> str:
        """Upload a document for an agency; its digest."""
        info = self.blobs.put(pdf)
        with self.database.begin() as connection:
            self.holdings.register(connection, agency, info, "application/pdf")
        return info.sha256

    def order(
        self, *, idempotency_key: str | None = None, source: str | None = None, **entries: Any
    ) -> tuple[Record, bool]:
        """Order a signature of the test document."""
        order = SignatureOrder(**{"key": "seal", **entries})
        return self.records.accept(
            self.caller,
            order,
            source or self.source,
            idempotency_key=idempotency_key,
            request_sha256="0" * 64,
        )

    def record(self, record_id: str) -> Record:
        """The record as it is now."""
        return self.records.get(self.caller, record_id)

    def events(self, subject: str | None = None) -> list[AuditEntry]:
        """The audit entries, of one subject if given."""
        found = self.audit.entries(None, 0, 100_000)
        return [entry for entry in found if subject in (None, entry.subject)]

    def event_names(self, subject: str | None = None) -> list[str]:
        """Their names."""
        return [entry.event for entry in self.events(subject)]

    def desk(self) -> Desk:
        """The services of the test PKI, with its own keys and the specimen pictures."""
        revocation = self.pki.new_revocation_client()
        precheck = PreSigningCheck(self.pki.anchors, revocation, near_expiry=dt.timedelta(days=1))
        services = Services(
            Sealer(self.pki.timestamper, revocation, precheck=precheck),
            Augmenter(self.pki.timestamper, revocation),
            Verifier(TrustStore.of(self.pki.anchors)),
            default_profiles(),
        )
        return Desk(services, self._key, lambda label: specimen_images(), revocation)

    def _key(self, label: str, context: Any) -> SigningKey:
        self.contexts.append(dict(context))
        return self.keys[label]

    def work(self, **options: Any) -> SigningWork:
        """The handler."""
        desk = options.pop("desk", None) or self.desk()
        return SigningWork(
            self.database, self.blobs, self.holdings, self.audit, self.jobs, self.records, desk,
            **options,
        )  # fmt: skip

    def work_off(
        self, handler: Callable[..., None] | None = None, *, within_s: float = 30, **options: Any
    ) -> Worker:
        """Run a worker until nothing waits; asserts that this happens."""
        worker = Worker(self.jobs, "seal", {"signature": handler or self.work()}, **options)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        until = time.monotonic() + within_s
        try:
            while self.jobs.waiting("seal"):
                assert time.monotonic() < until, worker.health()
                time.sleep(0.02)
        finally:
            stop.set()
            thread.join(20)
        return worker

    def published(self) -> list[Record]:
        """All published records of the agency."""
        return self.records.list(self.caller, limit=100_000, state=RecordState.PUBLISHED)


def _counting(key: SigningKey) -> SoftwareKey:
    assert isinstance(key, SoftwareKey)
    return SoftwareKey(
        key.scheme,
        label=key.label,
        certificate=key.certificate,
        chain=key.chain,
        private_key=key.private_key,
    )


@pytest.fixture
def signing_room(database: Database, tmp_path: Path, test_pki: RunningPKI) -> SigningRoom:
    """The room with an empty database, once of each kind."""
    return SigningRoom(database, tmp_path, test_pki)


@pytest.fixture
def sqlite_room(
    sqlite_url: str, open_database: Callable[[str], Database], tmp_path: Path, test_pki: RunningPKI
) -> SigningRoom:
    """The room on SQLite alone, for what the database does not matter to."""
    return SigningRoom(open_database(sqlite_url), tmp_path, test_pki)
