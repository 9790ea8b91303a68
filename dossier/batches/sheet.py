"""What the result sheet of a batch says, read from the database a few hundred items at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dossier.batches import batchtable
from dossier.batches.order import Batch, Policy
from dossier.batches.result_sheet import SheetFacts, SheetItem, write_sheet
from dossier.model import BatchState, ItemState
from dossier.signing.sealing import common_name
from dossier.storage.tables import principals, records

if TYPE_CHECKING:
    from dossier.storage.database import Database
    from hsm.keys import SigningKey

_PAGE = 500
_POLICIES = {
    Policy.EACH: "từng văn bản / each document for itself",
    Policy.ALL: "tất cả hoặc không / all or none",
}

_WITHHELD = (
    "không phát hành kết quả nào: lô “tất cả hoặc không” không hoàn thành; {0} văn bản đã ký bị "
    "giữ lại / none is released: not all could be signed; {0} that were signed are withheld"
)


def sheet_of(
    database: Database, batch: Batch, key: SigningKey, agency: str, at: datetime, *, is_whole: bool
) -> bytes:
    """The unsigned sheet of a batch with nothing in flight.

    `is_whole`: held results are going to be released, else dropped. Raises `StoreError`.
    """
    is_withheld = batch.order.policy is Policy.ALL and not is_whole
    published = 0 if is_withheld else batch.published
    signature = batch.list_signature or {}
    lines = [
        ("SHA-256 danh sách / of the list", batch.list_sha256),
        ("Danh sách ký lúc / List signed at", signature.get("at", "")),
        ("Khóa / Key", f"{key.label}: {common_name(key)}"),
        ("Mức / Level", batch.order.order.level.value),
        ("Quy tắc / Policy", _POLICIES[batch.order.policy]),
        *_people(database, batch),
        ("Số văn bản / Documents", str(batch.total)),
        ("Đã ký / Signed", str(published)),
        ("Không ký được / Failed", str(batch.failed)),
        ("Bỏ qua / Skipped", str(batch.total - published - batch.failed)),
    ]
    if batch.state is BatchState.CANCELLED:
        lines.append(("Trạng thái / State", "đã dừng / cancelled"))
    if is_withheld:
        lines.append(("Kết quả / Results", _WITHHELD.format(batch.published)))
    facts = SheetFacts(batch.id, batch.order.title, agency, at, lines)
    held = ItemState.PUBLISHED if is_whole else ItemState.SKIPPED
    return write_sheet(facts, _items(database, batch.id, held))


def _people(database: Database, batch: Batch) -> Iterator[tuple[str, str]]:
    """Who did what, by name where the person is known here."""
    roles = [
        ("Lập danh sách / Listed by", batch.created_by),
        ("Duyệt / Approved by", batch.approved_by),
        ("Phát lệnh ký / Released by", batch.released_by),
    ]
    wanted = [person for _, person in roles if person]
    with database.read() as connection:
        found = connection.execute(
            sa.select(principals.c.id, principals.c.name).where(principals.c.id.in_(wanted))
        )
        names = {row.id: f"{row.name} ({row.id})" for row in found}
    for label, person in roles:
        if person:
            yield label, names.get(person, person)


def _items(database: Database, batch_id: str, held: ItemState) -> Iterator[SheetItem]:
    after = 0
    while True:
        with database.read() as connection:
            rows = connection.execute(
                batchtable.items_page(batch_id, after, _PAGE, None).add_columns(
                    records.c.result_sha256.label("held_result")
                )
            ).all()
        for row in rows:
            item = batchtable.item_of(row)
            if item.state is ItemState.HELD:
                result = row.held_result if held is ItemState.PUBLISHED else None
                yield SheetItem(replace(item, result_sha256=result), held)
            else:
                yield SheetItem(item, item.state)
        if len(rows) < _PAGE:
            return
        after = rows[-1].position
