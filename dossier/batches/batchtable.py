"""The rows of batches as values, and the statements over them, each made once."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from dossier.batches.order import Batch, BatchItem, BatchOrder
from dossier.errors import NotFound
from dossier.model import BatchState, ItemState, RecordState
from dossier.storage.tables import batch_items, batches, records

_JSON_OR_NULL = sa.JSON(none_as_null=True)
_THIS = batches.c.id == sa.bindparam("id_")
_MINE = batch_items.c.batch_id == sa.bindparam("batch")
_ERROR = sa.bindparam("error_", type_=_JSON_OR_NULL)

INSERT = sa.insert(batches)
INSERT_ITEM = sa.insert(batch_items)
ONE = sa.select(batches).where(_THIS, batches.c.agency_id == sa.bindparam("agency"))
LOCKED = sa.select(batches).where(_THIS).with_for_update()
OPEN = (
    sa.select(sa.func.count())
    .select_from(batches)
    .where(
        batches.c.agency_id == sa.bindparam("agency"),
        batches.c.state.not_in([BatchState.DONE, BatchState.CANCELLED]),
    )
)
# every change of state is made with the row locked
MOVE = (
    sa.update(batches)
    .where(_THIS)
    .values(state=sa.bindparam("to"), error=sa.null(), version=batches.c.version + 1)
)
APPROVE = (
    sa.update(batches)
    .where(_THIS)
    .values(approved_by=sa.bindparam("by"), version=batches.c.version + 1)
)
RELEASE = (
    sa.update(batches)
    .where(_THIS)
    .values(
        state=BatchState.RELEASED,
        released_by=sa.bindparam("by"),
        version=batches.c.version + 1,
    )
)
LIST_SIGNED = (
    sa.update(batches)
    .where(_THIS)
    .values(
        state=BatchState.RUNNING,
        list_signature=sa.bindparam("signature", type_=sa.JSON),
        version=batches.c.version + 1,
    )
)
HAND = sa.update(batches).where(_THIS).values(handed=batches.c.handed + sa.bindparam("more"))
COUNT = (
    sa.update(batches)
    .where(_THIS)
    .values(
        published=batches.c.published + sa.bindparam("good"),
        failed=batches.c.failed + sa.bindparam("bad"),
    )
    .returning(batches)
)
HALT = (
    sa.update(batches)
    .where(_THIS)
    .values(state=BatchState.PAUSED, error=_ERROR, version=batches.c.version + 1)
)
STOP = (
    sa.update(batches)
    .where(_THIS)
    .values(
        state=BatchState.CANCELLED,
        error=_ERROR,
        finished_at=sa.bindparam("at"),
        version=batches.c.version + 1,
    )
)
FINISH = (
    sa.update(batches)
    .where(_THIS)
    .values(
        state=sa.bindparam("to"),
        published=sa.bindparam("good"),
        sheet_sha256=sa.bindparam("sheet"),
        finished_at=sa.bindparam("at"),
        version=batches.c.version + 1,
    )
)

NEXT_ITEMS = (
    sa.select(batch_items)
    .where(_MINE, batch_items.c.state == ItemState.LISTED)
    .order_by(batch_items.c.position)
    .limit(sa.bindparam("limit_", type_=sa.Integer))
)
TAKE_ITEM = (
    sa.update(batch_items)
    .where(_MINE, batch_items.c.position == sa.bindparam("at"))
    .values(
        state=sa.bindparam("to"),
        record_id=sa.bindparam("record"),
        error=_ERROR,
    )
)
END_ITEM = (
    sa.update(batch_items)
    .where(_MINE, batch_items.c.position == sa.bindparam("at"))
    .values(state=sa.bindparam("to"), result_sha256=sa.bindparam("result"), error=_ERROR)
)
SKIP_LISTED = (
    sa.update(batch_items)
    .where(_MINE, batch_items.c.state == ItemState.LISTED)
    .values(state=ItemState.SKIPPED)
)
SKIP_HELD = (
    sa.update(batch_items)
    .where(_MINE, batch_items.c.state == ItemState.HELD)
    .values(state=ItemState.SKIPPED, error=_ERROR)
)
RELEASE_ITEMS = (
    sa.update(batch_items)
    .where(_MINE, batch_items.c.state == ItemState.HELD)
    .values(
        state=ItemState.PUBLISHED,
        result_sha256=sa.select(records.c.result_sha256)
        .where(records.c.id == batch_items.c.record_id)
        .scalar_subquery(),
    )
)
_HELD_RECORDS = sa.and_(
    records.c.batch_id == sa.bindparam("batch"), records.c.state == RecordState.HELD
)
HELD = (
    sa.select(
        records.c.id,
        records.c.symbol,
        records.c.year,
        records.c.number,
        records.c.order,
        records.c.result_sha256,
    )
    .where(_HELD_RECORDS)
    .order_by(records.c.batch_position)
)
HELD_RESULTS = sa.select(records.c.result_sha256, records.c.result_bytes).where(_HELD_RECORDS)
RELEASED = (
    sa.select(
        records.c.id,
        records.c.batch_position,
        records.c.result_sha256,
        records.c.report_sha256,
        records.c.evidence_sha256,
        records.c.level,
        records.c.request_id,
    )
    .where(
        records.c.batch_id == sa.bindparam("batch"),
        records.c.state == RecordState.PUBLISHED,
        records.c.batch_position > sa.bindparam("after", type_=sa.Integer),
    )
    .order_by(records.c.batch_position)
    .limit(sa.bindparam("limit_", type_=sa.Integer))
)
RELEASE_HELD = (
    sa.update(records)
    .where(_HELD_RECORDS)
    .values(
        state=RecordState.PUBLISHED,
        published_at=sa.bindparam("at"),
        version=records.c.version + 1,
    )
)
DROP_HELD = (
    sa.update(records)
    .where(_HELD_RECORDS)
    .values(
        state=RecordState.CANCELLED,
        renew_at=sa.null(),
        error=_ERROR,
        version=records.c.version + 1,
    )
)
_NUMBERED = (batch_items, records.c.number, records.c.symbol)
_WITH_RECORDS = batch_items.outerjoin(records, records.c.id == batch_items.c.record_id)


def items_page(batch_id: str, after: int, limit: int, state: ItemState | None) -> sa.Select[Any]:
    """The items behind position `after`, in their order, with the numbers of their records."""
    wanted = (
        sa.select(*_NUMBERED)
        .select_from(_WITH_RECORDS)
        .where(batch_items.c.batch_id == batch_id, batch_items.c.position > after)
        .order_by(batch_items.c.position)
        .limit(limit)
    )
    return wanted if state is None else wanted.where(batch_items.c.state == state)


def batch_of(row: Any) -> Batch:  # noqa: ANN401 - a row
    """The row as a value."""
    values = dict(row._mapping)
    values["state"] = BatchState(values["state"])
    values["order"] = BatchOrder.from_json(values["order"])
    return Batch(**values)


def item_of(row: Any) -> BatchItem:  # noqa: ANN401 - a row
    """A row of `items_page` as a value."""
    values = {name: row._mapping[name] for name in BatchItem.__dataclass_fields__}
    values["state"] = ItemState(values["state"])
    return BatchItem(**values)


def required(row: Any, batch_id: str) -> Batch:  # noqa: ANN401 - a row or None
    """The batch of a row. Raises `NotFound` when there is none."""
    if row is None:
        raise NotFound(
            f"Không có lô ký “{batch_id}”; hãy kiểm tra mã. / There is no such batch; check its id."
        )
    return batch_of(row)
