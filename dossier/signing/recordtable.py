"""The rows of signature records as values, and the statements over them, each made once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa

from dossier.errors import IdempotencyConflict, NotFound
from dossier.model import JSON, RecordState, new_id
from dossier.register.codes import new_code
from dossier.signing.numbers import book_year, next_number
from dossier.signing.order import SignatureOrder
from dossier.storage.database import insert_if_new
from dossier.storage.tables import idempotency, records


@dataclass(frozen=True, slots=True)
class Record:
    """A signature record at one moment. Digests are lower-case hex; `version` is its entity tag.

    `code` is printed on the result (`dossier.register.codes`).
    """

    id: str
    agency_id: str
    principal_id: str
    request_id: str
    state: RecordState
    code: str
    order: SignatureOrder
    source_sha256: str
    number: int | None
    symbol: str | None
    year: int | None
    supersedes: str | None
    superseded_by: str | None
    batch_id: str | None
    batch_position: int | None
    sequence_id: str | None
    result_sha256: str | None
    report_sha256: str | None
    evidence_sha256: str | None
    result_bytes: int | None
    level: str
    attempts: int
    error: JSON
    ending: JSON
    created_at: datetime
    published_at: datetime | None
    renew_at: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class NewRecord:
    """A record to be made. `number` is settled by then; `priority` is the job's."""

    agency_id: str
    principal_id: str
    request_id: str
    order: SignatureOrder
    source_sha256: str
    number: int | None = None
    year: int | None = None
    batch_id: str | None = None
    batch_position: int | None = None
    sequence_id: str | None = None
    held: bool = False  # withhold the result until the whole batch is there
    priority: int = 0
    id: str = field(default_factory=lambda: new_id("rec"))
    code: str = field(default_factory=new_code)


@dataclass(frozen=True, slots=True)
class Publication:
    """What a worker made of a record: stored, verified, ready to be published."""

    record_id: str
    agency_id: str
    supersedes: str | None
    result_sha256: str
    report_sha256: str
    evidence_sha256: str
    result_bytes: int
    level: str
    published_at: datetime
    renew_at: datetime | None
    actor: str
    details: Mapping[str, JSON]  # for the audit event
    batch: tuple[str, int] | None = None  # and the position in its list
    held: bool = False

    @property
    def state(self) -> RecordState:
        """What the record becomes."""
        return RecordState.HELD if self.held else RecordState.PUBLISHED


class RecordWatcher(Protocol):
    """Keeps account of records in the transactions that end them; `Records.watch` it.

    Every method runs before the audit log is locked, with records in the order of their batches.
    """

    def published(self, connection: sa.Connection, made: Sequence[Publication]) -> None:
        """These were published, or are held."""
        ...

    def ended(
        self, connection: sa.Connection, record: Record, state: RecordState, error: JSON
    ) -> None:
        """The record, as it was, failed or was cancelled."""
        ...


# --- statements ------------------------------------------------------------------------------

_INSERTED = tuple(
    name
    for name in Record.__dataclass_fields__
    if name
    not in {
        "superseded_by", "result_sha256", "report_sha256", "evidence_sha256", "result_bytes",
        "error", "ending", "published_at", "renew_at",
    }
)  # fmt: skip
_JSON_OR_NULL = sa.JSON(none_as_null=True)
_THIS = records.c.id == sa.bindparam("id_")
_NEXT_VERSION = records.c.version + 1
# as the partial index says it, so that it is used
HOLDS_NUMBER = sa.and_(
    records.c.number.is_not(None),
    records.c.superseded_by.is_(None),
    records.c.state.not_in([sa.literal_column("'failed'"), sa.literal_column("'cancelled'")]),
)
_SAME_NUMBER = sa.and_(
    records.c.agency_id == sa.bindparam("agency"),
    records.c.symbol == sa.bindparam("symbol_"),
    records.c.year == sa.bindparam("year_"),
    records.c.number == sa.bindparam("number_"),
)

INSERT = sa.insert(records)
ONE = sa.select(records).where(_THIS, records.c.agency_id == sa.bindparam("agency"))
_THESE = (
    sa.select(records)
    .where(records.c.id.in_(sa.bindparam("ids", expanding=True)))
    .order_by(records.c.id)
)
STATES = sa.select(records.c.id, records.c.state).where(
    records.c.id.in_(sa.bindparam("ids", expanding=True))
)
HOLDER = sa.select(records.c.id, records.c.state).where(_SAME_NUMBER, HOLDS_NUMBER)
SUPERSEDE = (
    sa.update(records)
    .where(
        records.c.id == sa.bindparam("old"),
        _SAME_NUMBER,
        records.c.state == RecordState.PUBLISHED,
        records.c.superseded_by.is_(None),
    )
    .values(superseded_by=sa.bindparam("new"), version=_NEXT_VERSION)
)
UNSUPERSEDE = (
    sa.update(records)
    .where(records.c.id == sa.bindparam("old"), records.c.superseded_by == sa.bindparam("by"))
    .values(superseded_by=None, version=_NEXT_VERSION)
)
REPLACE = (
    sa.update(records)
    .where(
        _THIS,
        records.c.superseded_by == sa.bindparam("by"),
        records.c.state == RecordState.PUBLISHED,
    )
    .values(state=RecordState.SUPERSEDED, version=_NEXT_VERSION)
)
BEGIN = (
    sa.update(records)
    .where(_THIS)
    .values(state=RecordState.SIGNING, attempts=sa.bindparam("tries"), version=_NEXT_VERSION)
)
WAIT = (
    sa.update(records)
    .where(_THIS)
    .values(
        state=RecordState.ACCEPTED,
        error=sa.bindparam("error_", type_=_JSON_OR_NULL),
        version=_NEXT_VERSION,
    )
)
END = (
    sa.update(records)
    .where(_THIS)
    .values(
        state=sa.bindparam("state_"),
        error=sa.bindparam("error_", type_=_JSON_OR_NULL),
        version=_NEXT_VERSION,
    )
)
PUBLISH = (
    sa.update(records)
    .where(_THIS, records.c.state == RecordState.SIGNING)
    .values(
        state=sa.bindparam("to"),
        result_sha256=sa.bindparam("result"),
        report_sha256=sa.bindparam("report"),
        evidence_sha256=sa.bindparam("evidence"),
        result_bytes=sa.bindparam("size"),
        published_at=sa.bindparam("published"),
        renew_at=sa.bindparam("renew"),
        error=sa.null(),
        version=_NEXT_VERSION,
    )
)
_KEY = insert_if_new(idempotency, idempotency.c.key)
_KEY_OWNER = sa.select(idempotency.c.request_sha256, idempotency.c.resource_id).where(
    idempotency.c.principal_id == sa.bindparam("principal"),
    idempotency.c.key == sa.bindparam("key_"),
)


def claim_key(
    connection: sa.Connection,
    principal: str,
    key: str | None,
    digest: str,
    record_id: str,
    now: datetime,
) -> str | None:
    """Take the idempotency key for `record_id`; the record that has it already, if any."""
    if key is None:
        return None
    values = {
        "principal_id": principal,
        "key": key,
        "request_sha256": digest,
        "resource_id": record_id,
        "created_at": now,
    }
    if connection.execute(_KEY[connection.dialect.name], values).first() is not None:
        return None
    row = connection.execute(_KEY_OWNER, {"principal": principal, "key_": key}).one()
    if row.request_sha256 != digest:
        raise IdempotencyConflict(
            "Idempotency-Key này đã dùng cho một yêu cầu khác; hãy dùng khóa mới. / This "
            "Idempotency-Key was used for another request; use a new one."
        )
    return str(row.resource_id)


def number_values(agency_id: str, order: SignatureOrder) -> dict[str, Any]:
    return {
        "agency": agency_id,
        "symbol_": order.symbol,
        "year_": book_year(order.decided_on),
        "number_": order.number,
    }


def next_free_number(
    connection: sa.Connection,
    agency_id: str,
    order: SignatureOrder,
    spoken_for: Collection[int] = (),
) -> int:
    """The next number of the order's book that no record holds already by being named.

    `spoken_for` are numbers that records will hold in a moment. Holds the book's row until the
    caller's transaction ends.
    """
    book, year = order.symbol or "", book_year(order.decided_on)
    while True:
        number = next_number(connection, agency_id, book, year)
        values = number_values(agency_id, order) | {"number_": number}
        if number not in spoken_for and connection.execute(HOLDER, values).first() is None:
            return number


def payload(new: NewRecord) -> dict[str, JSON]:
    """What the worker needs to know, so that it does not have to read the record."""
    return {
        "order": new.order.to_json(),
        "source": new.source_sha256,
        "code": new.code,
        "number": new.number,
        "principal": new.principal_id,
        "request": new.request_id,
        **({"batch": [new.batch_id, new.batch_position]} if new.batch_id else {}),
        **({"held": True} if new.held else {}),
    }


def made(new: NewRecord, now: datetime) -> Record:
    return Record(
        id=new.id,
        agency_id=new.agency_id,
        principal_id=new.principal_id,
        request_id=new.request_id,
        state=RecordState.ACCEPTED,
        code=new.code,
        order=new.order,
        source_sha256=new.source_sha256,
        number=new.number,
        symbol=new.order.symbol,
        year=new.year,
        supersedes=new.order.supersedes,
        superseded_by=None,
        batch_id=new.batch_id,
        batch_position=new.batch_position,
        sequence_id=new.sequence_id,
        result_sha256=None,
        report_sha256=None,
        evidence_sha256=None,
        result_bytes=None,
        level=new.order.level.value,
        attempts=0,
        error=None,
        ending=None,
        created_at=now,
        published_at=None,
        renew_at=None,
        version=1,
    )


def row_of(record: Record) -> dict[str, Any]:
    row = {name: getattr(record, name) for name in _INSERTED}
    row["order"] = record.order.to_json()
    return row


def record_of(row: Any) -> Record:  # noqa: ANN401 - a row
    values = dict(row._mapping)
    values["state"] = RecordState(values["state"])
    values["order"] = SignatureOrder.from_json(values["order"])
    return Record(**values)


def find(connection: sa.Connection, agency_id: str, record_id: str) -> Record | None:
    row = connection.execute(ONE, {"id_": record_id, "agency": agency_id}).first()
    return None if row is None else record_of(row)


def find_all(connection: sa.Connection, ids: Sequence[str]) -> list[Record]:
    """The records with these ids, by id; for whoever knows whose they are."""
    if not ids:
        return []
    rows = connection.execute(_THESE, {"ids": list(ids)}).all()
    return [record_of(row) for row in rows]


def required(record: Record | None, record_id: str) -> Record:
    if record is None:
        raise NotFound(
            f"Không có hồ sơ ký “{record_id}”; hãy kiểm tra mã. / There is no such signature "
            "record; check its id."
        )
    return record
