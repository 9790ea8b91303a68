"""Ends what a published record is worth: annulled by its agency, or superseded by another result.

The document stays what and where it is (NĐ 45/2020 Điều 18); the register says what holds of it.
A decision that takes over the number of an earlier one supersedes it by itself, as it is
published (`Records.publish`); what is done here is for results with numbers of their own.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dossier.audit.chain import moment_text
from dossier.audit.log import AuditLog
from dossier.errors import InvalidOrder, NotFound, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, RecordState, Role
from dossier.register.entry import Event, Registration
from dossier.register.log import Register
from dossier.signing.recordtable import Record, find, record_of, required
from dossier.signing.registering import seals_of_papers, superseded
from dossier.storage.database import Database
from dossier.storage.tables import records

_ENDERS = (Role.LEADER, Role.CLERK)
_MOST_REASON = 500
_LOCKED = (
    sa.select(records)
    .where(
        records.c.id.in_(sa.bindparam("ids", expanding=True)),
        records.c.agency_id == sa.bindparam("agency"),
    )
    .order_by(records.c.id)
    .with_for_update()
)
# as the partial index says it, so that it is used
_OF_CODE = sa.select(records).where(
    records.c.code == sa.bindparam("code_"),
    records.c.state.not_in([sa.literal_column("'failed'"), sa.literal_column("'cancelled'")]),
)
_END = (
    sa.update(records)
    .where(records.c.id == sa.bindparam("id_"))
    .values(
        state=sa.bindparam("to"),
        ending=sa.bindparam("ending_", type_=sa.JSON),
        version=records.c.version + 1,
    )
)


class Endings:
    """Annuls and supersedes records of one database. Safe for threads."""

    def __init__(self, database: Database, audit: AuditLog) -> None:
        self._database = database
        self._audit = audit
        self._register = Register(database)

    def annul(
        self, caller: Caller, record_id: str, reason: str, version: int | None = None
    ) -> Record:
        """Withdraw a published record; `reason` is what the public is told.

        The same request of the same caller, sent again, changes nothing. `version` is the one
        that the caller read (None: whatever it is). Raises `AccessRefused`, `NotFound`,
        `InvalidOrder`, `StateConflict`, `VersionConflict`, `StoreError`, `AuditUnavailable`.
        """
        caller.require(*_ENDERS)
        _require_reason(reason)

        def work(connection: sa.Connection) -> Record:
            record = required(self._locked(connection, caller, record_id).get(record_id), record_id)
            if _was_done(record, Event.ANNULLED, caller, reason, None):
                return record
            _require_version(record, version)
            _require_ended_by_nothing(record, also=RecordState.SUPERSEDED)
            told = Registration(
                Event.ANNULLED, record.code, record.agency_id, _document(record), reason=reason
            )
            return self._end(connection, caller, record, RecordState.ANNULLED, told, None)

        return self._database.together(work)

    def supersede(
        self,
        caller: Caller,
        record_id: str,
        by: str,
        reason: str | None = None,
        version: int | None = None,
    ) -> Record:
        """Let the published record `by` (its id) take the place of another; else as `annul`."""
        caller.require(*_ENDERS)
        if reason is not None:
            _require_reason(reason)
        if by == record_id:
            raise InvalidOrder(
                "Kết quả không tự thay thế chính nó. / A result does not supersede itself.",
                field="by",
            )

        def work(connection: sa.Connection) -> Record:
            found = self._locked(connection, caller, record_id, by)
            record, new = required(found.get(record_id), record_id), found.get(by)
            if new is None:
                raise NotFound(
                    f"Không có hồ sơ thay thế “{by}”. / There is no such record to supersede it."
                )
            if _was_done(record, Event.SUPERSEDED, caller, reason, by):
                return record
            _require_version(record, version)
            _require_ended_by_nothing(record)
            if new.state is not RecordState.PUBLISHED:
                raise StateConflict(
                    f"Hồ sơ thay thế {by} đang ở trạng thái “{new.state}”; chỉ kết quả còn hiệu "
                    "lực mới thay thế được kết quả khác. / Only a result that is in force "
                    "supersedes another one."
                )
            told = superseded(record, new.code, reason)
            return self._end(connection, caller, record, RecordState.SUPERSEDED, told, by)

        return self._database.together(work)

    def of_code(self, code: str) -> Record:
        """The record with this result code, whosever it is: for whoever administers the database.

        Raises `NotFound`, `StoreError`.
        """
        with self._database.read() as connection:
            row = connection.execute(_OF_CODE, {"code_": code}).first()
        return required(None if row is None else record_of(row), code)

    def _end(
        self,
        connection: sa.Connection,
        caller: Caller,
        record: Record,
        state: RecordState,
        told: Registration,
        by: str | None,
    ) -> Record:
        ending: dict[str, JSON] = {
            "event": told.event.value,
            "reason": told.reason,
            "by": by,
            "at": moment_text(self._database.now(connection)),
            "principal": caller.principal_id,
        }
        connection.execute(_END, {"id_": record.id, "to": state, "ending_": ending})
        if not seals_of_papers(connection, [record.id]):
            self._register.append(connection, [told])
        details = {
            "code": record.code,
            "reason": told.reason,
            "by": by,
            "result_sha256": record.result_sha256,
            "request_id": caller.request_id,
        }
        event = f"signature.{told.event.value}"
        self._audit.append(
            connection,
            [AuditEvent(event, caller.principal_id, record.agency_id, record.id, details)],
        )
        return required(find(connection, record.agency_id, record.id), record.id)

    @staticmethod
    def _locked(connection: sa.Connection, caller: Caller, *ids: str) -> dict[str, Record]:
        values: dict[str, Any] = {"ids": list(ids), "agency": caller.agency_id}
        return {row.id: record_of(row) for row in connection.execute(_LOCKED, values)}


def _document(record: Record) -> str:
    if record.result_sha256 is None:
        raise StateConflict(
            f"Hồ sơ {record.id} chưa có tệp kết quả. / The record has no published document."
        )
    return record.result_sha256


def _was_done(
    record: Record, event: Event, caller: Caller, reason: str | None, by: str | None
) -> bool:
    """Whether this very request ended the record before."""
    ending = record.ending or {}
    asked = (event.value, caller.principal_id, reason, by)
    return tuple(ending.get(n) for n in ("event", "principal", "reason", "by")) == asked


def _require_version(record: Record, version: int | None) -> None:
    if version is not None and record.version != version:
        raise VersionConflict(
            f"Hồ sơ {record.id} đã thay đổi; hãy đọc lại rồi gửi lại. / The record was changed "
            "meanwhile; read it again, then repeat the request."
        )


def _require_ended_by_nothing(record: Record, *, also: RecordState | None = None) -> None:
    if record.state is RecordState.PUBLISHED and record.superseded_by is not None:
        raise StateConflict(
            f"Hồ sơ {record.superseded_by} đang được ký để thay thế; hãy đợi kết quả. / Record "
            f"{record.superseded_by}, which will supersede this one, is being signed; wait for it."
        )
    if record.state not in (RecordState.PUBLISHED, also):
        raise StateConflict(
            f"Hồ sơ {record.id} đang ở trạng thái “{record.state}”; chỉ kết quả đã phát hành và "
            f"còn hiệu lực mới làm được. / The record is {record.state}; this is for results that "
            "were published and still hold."
        )


def _require_reason(reason: str) -> None:
    if not reason.strip() or len(reason) > _MOST_REASON or not reason.isprintable():
        raise InvalidOrder(
            f"Hãy nêu lý do trên một dòng, tối đa {_MOST_REASON} ký tự; lý do được công khai. / "
            "Give a reason on one line; it is shown to the public.",
            field="reason",
        )
