"""The number of a clerical sequence: reserved with the record that holds it, given back with it."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dossier.clerical import sequencetable
from dossier.clerical.order import ClericalSequence, Numbering, Step
from dossier.errors import InvalidOrder
from dossier.model import JSON, AuditEvent, Caller, RecordState
from dossier.signing import recordtable
from dossier.signing.acceptance import require_free
from dossier.signing.numbers import book_year
from dossier.signing.order import SignatureOrder
from dossier.signing.records import end_unpublished
from dossier.signing.recordtable import NewRecord, next_free_number
from signer.sealing.appearance.blanks import date_texts

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog


def reserve_number(
    connection: sa.Connection,
    caller: Caller,
    sequence: ClericalSequence,
    numbering: Numbering,
    now: datetime,
) -> dict[str, JSON]:
    """Give the number in the caller's transaction, and make the record that holds it.

    Returns what the audit event says of it. Raises `NumberTaken`; racing callers also meet the
    table's own unique index (`sqlalchemy.exc.IntegrityError`).
    """
    given = sequence.order
    order = SignatureOrder(
        key=given.agency_key,
        profiles=(given.number_profile, given.date_profile, given.seal_profile),
        level=given.level,
        number=numbering.number,
        from_book=numbering.number is None,
        symbol=given.symbol,
        decided_on=numbering.decided_on,
        reason=given.reason,
        location=given.location,
        expected_agency=given.expected_agency,
        result_reference=given.result_reference,
    )
    year, number = book_year(numbering.decided_on), numbering.number
    if number is None:
        number = next_free_number(connection, sequence.agency_id, order)
    else:
        require_free(connection, sequence.agency_id, order)
    new = NewRecord(
        sequence.agency_id,
        caller.principal_id,
        caller.request_id,
        order,
        sequence.source_sha256,
        number,
        year,
        sequence_id=sequence.id,
        code=sequence.code,
    )
    # no worker takes it from a queue: the steps of the sequence bring it to publication
    row = recordtable.row_of(recordtable.made(new, now)) | {"state": RecordState.SIGNING}
    connection.execute(recordtable.INSERT, row)
    connection.execute(
        sequencetable.NUMBER,
        {"id_": sequence.id, "number_": number, "year_": year, "record": new.id},
    )
    return {
        "number": number,
        "symbol": given.symbol,
        "year": year,
        "decided_on": numbering.decided_on.isoformat(),
        "record": new.id,
    }


def give_back_number(
    connection: sa.Connection,
    audit: AuditLog,
    sequence: ClericalSequence,
    error: JSON,
    event: AuditEvent,
) -> bool:
    """End the record that holds the sequence's number, with `event`; False when there is none."""
    if sequence.record_id is None:
        return False
    record = recordtable.required(
        recordtable.find(connection, sequence.agency_id, sequence.record_id), sequence.record_id
    )
    connection.execute(
        sequencetable.NUMBER, {"id_": sequence.id, "number_": None, "year_": None, "record": None}
    )
    end_unpublished(connection, audit, record, RecordState.CANCELLED, error, event)
    return True


def require_date(sequence: ClericalSequence, day: date) -> None:
    """Raise `InvalidOrder` when the document is typed with another date than `day`."""
    signed = sequence.done(Step.LEADER)
    typed = signed.facts.get("typed_date", []) if signed else []
    for text, part in zip(typed, date_texts(day), strict=False):
        is_begun = len(text) > 1 and part.startswith(text)
        if text and not is_begun and int(text) != int(part):
            raise InvalidOrder(
                f"Văn bản đã in “{text}” ở chỗ ngày ban hành, không khớp {day.isoformat()}; hãy "
                f"sửa ngày. / The document is typed with “{text}” in its date, which is not "
                f"{day.isoformat()}; correct the date.",
                field="decided_on",
            )
