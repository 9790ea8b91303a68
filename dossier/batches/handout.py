"""The next documents of a batch become signature records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dossier.batches import batchtable
from dossier.batches.order import Batch, ListedItem, Policy
from dossier.errors import NumberTaken
from dossier.model import JSON, ItemState
from dossier.queue.retrying import error_json
from dossier.signing import recordtable
from dossier.signing.numbers import book_year
from dossier.signing.recordtable import NewRecord
from dossier.storage.tables import records as record_table

if TYPE_CHECKING:
    from dossier.batches.accounts import BatchAccounts
    from dossier.signing.order import SignatureOrder
    from dossier.signing.records import Records


def hand_out(
    connection: sa.Connection,
    records: Records,
    accounts: BatchAccounts,
    batch: Batch,
    rows: Sequence[Any],
) -> dict[str, JSON]:
    """Make records and jobs of these items, in the caller's transaction, in bulk.

    An item whose given number a record holds already fails alone. The batch's row is locked.
    Returns what the audit event says: positions, digests, records.
    """
    items = [ListedItem(row.source_sha256, row.reference, row.overrides) for row in rows]
    orders = [item.order_of(batch.order) for item in items]
    named = _named_numbers(orders)
    taken = _taken_numbers(connection, batch.agency_id, named)
    made: list[NewRecord] = []
    states: list[dict[str, Any]] = []
    failed: list[tuple[int, JSON]] = []
    for row, item, order in zip(rows, items, orders, strict=True):
        state = {"batch": batch.id, "at": row.position, "to": ItemState.RUNNING}
        holder = taken.get(_number_of(order))
        if holder is None:
            made.append(_record(connection, batch, item, row.position, order, named))
            states.append(state | {"record": made[-1].id, "error_": None})
        else:
            error = _number_taken(order, holder)
            failed.append((row.position, error))
            states.append(state | {"to": ItemState.FAILED, "record": None, "error_": error})
    if made:
        records.insert(connection, made)
    connection.execute(batchtable.TAKE_ITEM, states)
    connection.execute(batchtable.HAND, {"id_": batch.id, "more": len(rows)})
    if failed:
        accounts.failed(connection, batch.id, failed)
    return {
        "first": rows[0].position,
        "last": rows[-1].position,
        "source_sha256": [new.source_sha256 for new in made],
        "records": [new.id for new in made],
        "failed": [position for position, _ in failed],
    }


def _record(
    connection: sa.Connection,
    batch: Batch,
    item: ListedItem,
    position: int,
    order: SignatureOrder,
    named: Mapping[_Book, Collection[int]],
) -> NewRecord:
    number, year = None, None
    if order.symbol is not None and order.issues_number:
        year = book_year(order.decided_on)
        number = order.number
        if order.from_book:
            spoken_for = named.get((order.symbol, year), ())
            number = recordtable.next_free_number(connection, batch.agency_id, order, spoken_for)
    return NewRecord(
        batch.agency_id,
        batch.released_by or batch.created_by,
        batch.id,
        order,
        item.source_sha256,
        number,
        year,
        batch_id=batch.id,
        batch_position=position,
        held=batch.order.policy is Policy.ALL,
        priority=1,  # whoever waits for one signature goes before
    )


_Book = tuple[str | None, int]
_Number = tuple[str | None, int, int | None]


def _number_of(order: SignatureOrder) -> _Number:
    return order.symbol, book_year(order.decided_on), order.number


def _named_numbers(orders: Sequence[SignatureOrder]) -> dict[_Book, list[int]]:
    """The numbers that these orders name, by book."""
    books: defaultdict[_Book, list[int]] = defaultdict(list)
    for order in orders:
        if order.issues_number and order.number is not None:
            books[order.symbol, book_year(order.decided_on)].append(order.number)
    return dict(books)


def _taken_numbers(
    connection: sa.Connection, agency_id: str, books: Mapping[_Book, Collection[int]]
) -> dict[_Number, str]:
    """Which of the named numbers records hold already, and which records those are."""
    taken: dict[_Number, str] = {}
    for (symbol, year), numbers in books.items():
        found = connection.execute(
            sa.select(record_table.c.number, record_table.c.id).where(
                record_table.c.agency_id == agency_id,
                record_table.c.symbol == symbol,
                record_table.c.year == year,
                record_table.c.number.in_(numbers),
                recordtable.HOLDS_NUMBER,
            )
        )
        taken |= {(symbol, year, number): record_id for number, record_id in found}
    return taken


def _number_taken(order: SignatureOrder, holder: str) -> JSON:
    return error_json(
        NumberTaken(
            f"Số {order.number}/{order.symbol} đã cấp cho hồ sơ {holder}; hãy chọn số khác. / The "
            f"number belongs to record {holder}; choose another."
        )
    )
