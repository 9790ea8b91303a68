"""Takes orders: those of all threads that come in at one moment, in one commit.

In the transaction, in this order, so that two processes never wait for each other in a circle:
idempotency keys, uploaded blobs, numbers, records, jobs, and the audit log last. Within each
step the orders are sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.errors import NumberTaken, StateConflict
from dossier.model import JSON, AuditEvent, Caller, new_id
from dossier.signing import recordtable
from dossier.signing.numbers import book_year, next_number
from dossier.signing.order import SignatureOrder
from dossier.signing.recordtable import NewRecord, Record, claim_key, find, number_values, required
from dossier.storage.database import Database
from dossier.storage.grouping import Group
from dossier.storage.store import BlobInfo

_PDF = "application/pdf"


class Holder(Protocol):
    """What is asked of `dossier.storage.holdings.Holdings`."""

    def require(self, connection: sa.Connection, agency_id: str, sha256: str) -> object:
        """Raise `NotFound` unless the agency holds the blob."""
        ...

    def register(
        self, connection: sa.Connection, agency_id: str, info: BlobInfo, media_type: str
    ) -> None:
        """Make the blob the agency's."""
        ...


@dataclass(frozen=True, slots=True)
class Incoming:
    """An order as it came in. `claim` is the idempotency key and the request's digest."""

    caller: Caller
    order: SignatureOrder
    source_sha256: str
    claim: tuple[str | None, str]
    uploaded: BlobInfo | None = None
    careful: bool = False  # look whether a number of the book was given by hand already
    record_id: str = field(default_factory=lambda: new_id("rec"))

    @property
    def book(self) -> tuple[str, str, int, int]:
        """Sorts by what is locked for its number."""
        order = self.order
        year = book_year(order.decided_on) if order.issues_number else 0
        return self.caller.agency_id, order.symbol or "", year, order.number or 0


Insert = Callable[[sa.Connection, Sequence[NewRecord], datetime], list[Record]]


class Acceptance:
    """Accepts for the threads of one process."""

    def __init__(
        self, database: Database, holdings: Holder, audit: AuditLog, insert: Insert
    ) -> None:
        """`insert` adds records and their jobs in the caller's transaction."""
        self._database = database
        self._holdings = holdings
        self._audit = audit
        self._insert = insert
        self._group: Group[Incoming, tuple[Record, bool]] = Group(self._accept)

    def take(self, incoming: Incoming) -> tuple[Record, bool]:
        """The record, and whether it is new; durable when this returns.

        Raises `IdempotencyConflict`, `NotFound`, `NumberTaken`, `StateConflict`, `StoreError`,
        `AuditUnavailable`.
        """
        try:
            return self._group.do(incoming)
        except sa.exc.IntegrityError as error:  # somebody else took the number just now
            return self._after_a_race(incoming, error)

    def _after_a_race(self, incoming: Incoming, cause: Exception) -> tuple[Record, bool]:
        order = incoming.order
        if order.from_book and not incoming.careful:
            again = Incoming(
                incoming.caller, order, incoming.source_sha256, incoming.claim, incoming.uploaded,
                careful=True,
            )  # fmt: skip
            return self.take(again)
        if order.number is not None:
            with self._database.read() as connection:
                require_free(connection, incoming.caller.agency_id, order)
        raise StateConflict(
            "Yêu cầu trùng với một yêu cầu khác vừa được nhận; hãy thử lại. / Another request came "
            "in between; try again."
        ) from cause

    def _accept(self, group: Sequence[Incoming]) -> list[tuple[Record, bool]]:
        with self._database.begin() as connection:
            now = self._database.now(connection)
            earlier: dict[str, str] = {}  # ours → the record that answers the same request
            for one in sorted(group, key=lambda one: (one.caller.principal_id, one.claim[0] or "")):
                found = claim_key(
                    connection, one.caller.principal_id, *one.claim, one.record_id, now
                )
                if found is not None:
                    earlier[one.record_id] = found
            fresh = [one for one in group if one.record_id not in earlier]
            for one in sorted(fresh, key=lambda one: (one.caller.agency_id, one.source_sha256)):
                if one.uploaded is not None:
                    agency_id = one.caller.agency_id
                    self._holdings.register(connection, agency_id, one.uploaded, _PDF)
                else:
                    self._holdings.require(connection, one.caller.agency_id, one.source_sha256)
            new = [
                self._numbered(connection, one) for one in sorted(fresh, key=lambda one: one.book)
            ]
            records: dict[str, Record] = {}
            new.sort(key=_unique_number)  # whoever writes the same number waits in this order
            if new:
                records = {r.id: r for r in self._insert(connection, new, now)}
                self._audit.append(connection, [_event(entry) for entry in new])
            results = []
            for one in group:
                record_id = earlier.get(one.record_id, one.record_id)
                known = records.get(record_id) or find(connection, one.caller.agency_id, record_id)
                results.append((required(known, record_id), one.record_id in records))
            return results

    def _numbered(self, connection: sa.Connection, one: Incoming) -> NewRecord:
        """The record with its number settled. Raises `NumberTaken`."""
        order, agency_id = one.order, one.caller.agency_id
        number, year = None, None
        if order.symbol is not None and order.issues_number:
            number, year = order.number, book_year(order.decided_on)
            if order.from_book:
                number = next_number(connection, agency_id, order.symbol, year)
                while one.careful and _is_held(connection, agency_id, order, number):
                    number = next_number(connection, agency_id, order.symbol, year)
            elif order.supersedes is not None:
                _supersede(connection, agency_id, order, one.record_id)
            else:
                require_free(connection, agency_id, order)
        return NewRecord(
            agency_id,
            one.caller.principal_id,
            one.caller.request_id,
            order,
            one.source_sha256,
            number,
            year,
            id=one.record_id,
        )


def _unique_number(new: NewRecord) -> tuple[str, str, int, int]:
    return new.agency_id, new.order.symbol or "", new.year or 0, new.number or 0


def require_free(connection: sa.Connection, agency_id: str, order: SignatureOrder) -> None:
    """Raise `NumberTaken` when a record holds the order's number."""
    values = number_values(agency_id, order)
    found = connection.execute(recordtable.HOLDER, values).first()
    if found is not None:
        raise NumberTaken(
            f"Số {order.number}/{order.symbol} đã cấp cho hồ sơ {found.id} (trạng thái "
            f"“{found.state}”); để thay thế, hãy gửi supersedes={found.id} khi hồ sơ ấy đã phát "
            f"hành. / The number belongs to record {found.id} ({found.state}); to replace it once "
            f"it is published, send supersedes={found.id}."
        )


def _is_held(connection: sa.Connection, agency_id: str, order: SignatureOrder, number: int) -> bool:
    values = number_values(agency_id, order) | {"number_": number}
    return connection.execute(recordtable.HOLDER, values).first() is not None


def _supersede(
    connection: sa.Connection, agency_id: str, order: SignatureOrder, record_id: str
) -> None:
    """Take the number over from the published record that the order names."""
    values = number_values(agency_id, order) | {"old": order.supersedes, "new": record_id}
    if connection.execute(recordtable.SUPERSEDE, values).rowcount != 1:
        raise NumberTaken(
            f"Hồ sơ {order.supersedes} không phải bản đã phát hành mang số "
            f"{order.number}/{order.symbol}, hoặc đã có văn bản thay thế. / What is superseded has "
            "to be a published record of this agency with that number, not replaced yet."
        )


def _event(new: NewRecord) -> AuditEvent:
    order = new.order
    details: dict[str, JSON] = {
        "source_sha256": new.source_sha256,
        "key": order.key,
        "level": order.level.value,
        "request_id": new.request_id,
    }
    if new.number is not None:
        details |= {"number": new.number, "symbol": order.symbol, "year": new.year}
    if order.supersedes is not None:
        details["supersedes"] = order.supersedes
    return AuditEvent("signature.accepted", new.principal_id, new.agency_id, new.id, details)
