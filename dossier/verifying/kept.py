"""Verifications that a caller wished to keep: the same answer can be given years later (K13).

Kept are the digest of the document, the whole report, and what judged: roots, rules and revocation
values. The document itself is kept by whoever uploaded it; with it,
`at` and the kept trust store the verification can be repeated. Deleting is an audited act: what
remains is that there was an answer, when, for whom, and which one. Nothing is kept unasked.
"""

from __future__ import annotations

import builtins
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import NotFound, Overloaded, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, Role, new_id
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.store import BlobStore
from dossier.storage.tables import verifications
from dossier.verifying.checkers import TrustSource

MAY_KEEP = (Role.SCANNER, Role.OFFICER, Role.LEADER, Role.CLERK, Role.AUDITOR)
MAY_DELETE = (Role.ADMIN, Role.CLERK, Role.LEADER)
_JSON_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class KeptVerification:
    """One kept answer. `report_sha256` and `trust_sha256` are None once it was deleted."""

    id: str
    agency_id: str
    principal_id: str
    sha256: str
    size_bytes: int
    reference: str | None
    verified_at: datetime
    indication: str
    integrity: str
    report_sha256: str | None
    trust_sha256: str | None
    created_at: datetime
    deleted_at: datetime | None
    deleted_by: str | None
    version: int


class KeptVerifications:
    """The kept verifications of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        holdings: Holdings,
        audit: AuditLog,
        trust: TrustSource,
    ) -> None:
        """`trust` is what the verifier asks, too: roots, rules and evidence of a time."""
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._audit = audit
        self._trust = trust

    def keep(
        self,
        caller: Caller,
        report: Mapping[str, Any],
        reference: str | None = None,
        at: datetime | None = None,
    ) -> KeptVerification:
        """Keep `report`, which was just made as of `at`, with what judged. Durable on return.

        Raises `AccessRefused`, `QuotaExceeded`, `Overloaded` (another trust store is in force by
        now), `StoreError`, `AuditUnavailable`.
        """
        caller.require(*MAY_KEEP)
        snapshot = self._trust.snapshot(at)
        said = report["trust"]
        if said is not None and said["sha256"] != snapshot.store.fingerprint:
            raise Overloaded(
                "Kho tin cậy vừa thay đổi trong khi kiểm tra; hãy gửi lại. / The trust store "
                "changed during the verification; send it again."
            )
        trust = snapshot.pack()
        text = json.dumps(report, ensure_ascii=False, separators=(",", ":")).encode()
        self._holdings.require_room(caller.agency_id, len(text) + len(trust))
        answer, store = self._blobs.put(text), self._blobs.put(trust)
        new = new_id("vrf")

        def work(connection: sa.Connection) -> KeptVerification:
            items = [(answer, _JSON_TYPE), (store, _JSON_TYPE)]
            self._holdings.register_all(connection, caller.agency_id, items)
            connection.execute(
                sa.insert(verifications).values(
                    id=new,
                    agency_id=caller.agency_id,
                    principal_id=caller.principal_id,
                    sha256=report["document"]["sha256"],
                    size_bytes=report["document"]["size"],
                    reference=reference,
                    verified_at=datetime.fromisoformat(report["verified_at"]),
                    indication=report["indication"],
                    integrity=report["integrity"],
                    report_sha256=answer.sha256,
                    trust_sha256=store.sha256,
                    created_at=self._database.now(connection),
                )
            )
            details: dict[str, JSON] = {
                "document_sha256": report["document"]["sha256"],
                "report_sha256": answer.sha256,
                "trust_sha256": store.sha256,
                "indication": report["indication"],
                "request_id": caller.request_id,
            }
            self._tell(connection, caller, "verification.kept", new, details)
            return self._one(connection, caller, new)

        return self._database.together(work)

    def get(self, caller: Caller, kept_id: str) -> KeptVerification:
        """One kept verification. Raises `NotFound`, also for another agency's."""
        with self._database.read() as connection:
            return self._one(connection, caller, kept_id)

    def report(self, caller: Caller, kept_id: str) -> dict[str, Any]:
        """The very answer that was given. Raises `NotFound`, `StateConflict`, `StoreError`."""
        found = self.get(caller, kept_id)
        report: dict[str, Any] = json.loads(self._blobs.get(_there(found.report_sha256)))
        return report

    def trust(self, caller: Caller, kept_id: str) -> bytes:
        """What judged, as `dossier.trust.snapshot.Snapshot.unpack` reads it. Raises as `report`."""
        return self._blobs.get(_there(self.get(caller, kept_id).trust_sha256))

    def list(
        self,
        caller: Caller,
        after: str | None = None,
        limit: int = 50,
        sha256: str | None = None,
    ) -> builtins.list[KeptVerification]:
        """Those of the caller's agency, newest first; of one document if given."""
        wanted = sa.select(verifications).where(verifications.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(verifications.c.id < after)
        if sha256 is not None:
            wanted = wanted.where(verifications.c.sha256 == sha256)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(verifications.c.id.desc()).limit(limit))
            return [_kept_of(row) for row in rows]

    def delete(self, caller: Caller, kept_id: str, version: int | None = None) -> KeptVerification:
        """Delete the evidence; the row that says so stays. Repeating it changes nothing.

        `version` is the one that the caller read (None: whatever it is). The bytes are nobody's
        afterwards. Raises `AccessRefused`, `NotFound`, `VersionConflict`, `AuditUnavailable`.
        """
        caller.require(*MAY_DELETE)

        def work(connection: sa.Connection) -> KeptVerification:
            found = self._one(connection, caller, kept_id, lock=True)
            if found.deleted_at is not None:
                return found
            if version is not None and found.version != version:
                raise VersionConflict(
                    "Kết quả đã thay đổi; hãy đọc lại rồi xóa. / It was changed meanwhile; read it "
                    "again, then delete it."
                )
            connection.execute(
                sa.update(verifications)
                .where(verifications.c.id == kept_id)
                .values(
                    report_sha256=None,
                    trust_sha256=None,
                    deleted_at=self._database.now(connection),
                    deleted_by=caller.principal_id,
                    version=verifications.c.version + 1,
                )
            )
            if found.report_sha256 is not None and not self._is_kept(
                connection, caller, found.report_sha256
            ):
                self._holdings.release(connection, caller.agency_id, found.report_sha256)
            details: dict[str, JSON] = {
                "document_sha256": found.sha256,
                "report_sha256": found.report_sha256,
                "trust_sha256": found.trust_sha256,
                "request_id": caller.request_id,
            }
            self._tell(connection, caller, "verification.deleted", kept_id, details)
            return self._one(connection, caller, kept_id)

        return self._database.together(work)

    # --- rows ----------------------------------------------------------------------------

    @staticmethod
    def _is_kept(connection: sa.Connection, caller: Caller, report_sha256: str) -> bool:
        """Whether another kept verification has the very same answer."""
        query = sa.select(verifications.c.id).where(
            verifications.c.agency_id == caller.agency_id,
            verifications.c.report_sha256 == report_sha256,
        )
        return connection.execute(query.limit(1)).first() is not None

    def _tell(
        self,
        connection: sa.Connection,
        caller: Caller,
        event: str,
        kept_id: str,
        details: dict[str, JSON],
    ) -> None:
        made = AuditEvent(event, caller.principal_id, caller.agency_id, kept_id, details)
        self._audit.append(connection, [made])

    @staticmethod
    def _one(
        connection: sa.Connection, caller: Caller, kept_id: str, *, lock: bool = False
    ) -> KeptVerification:
        query = sa.select(verifications).where(
            verifications.c.id == kept_id, verifications.c.agency_id == caller.agency_id
        )
        row = connection.execute(query.with_for_update() if lock else query).first()
        if row is None:
            raise NotFound(
                f"Không có kết quả kiểm tra {kept_id}. / There is no kept verification {kept_id}; "
                "look it up in the list."
            )
        return _kept_of(row)


def _there(sha256: str | None) -> str:
    if sha256 is None:
        raise StateConflict(
            "Kết quả kiểm tra này đã bị xóa; nhật ký kiểm toán ghi ai xóa và khi nào. / This "
            "verification was deleted; the audit log says by whom and when."
        )
    return sha256


def _kept_of(row: Any) -> KeptVerification:  # noqa: ANN401 - a row
    return KeptVerification(
        row.id,
        row.agency_id,
        row.principal_id,
        row.sha256,
        row.size_bytes,
        row.reference,
        row.verified_at,
        row.indication,
        row.integrity,
        row.report_sha256,
        row.trust_sha256,
        row.created_at,
        row.deleted_at,
        row.deleted_by,
        row.version,
    )
