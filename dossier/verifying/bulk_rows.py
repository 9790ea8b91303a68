"""Rows of bulk verifications as values, and what a list asks of the table of holdings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dossier.errors import InvalidOrder
from dossier.model import JobState
from dossier.storage.tables import blobs
from dossier.verifying.bulk_values import Bulk, BulkItem, BulkOrder, ItemOutcome, ListedDocument

_ROWS = 500  # digests in one statement


def require_held(
    connection: sa.Connection, agency_id: str, documents: Sequence[ListedDocument]
) -> None:
    """Raise `InvalidOrder` naming the first document that the agency does not hold."""
    wanted = list(dict.fromkeys(one.sha256 for one in documents))
    held: set[str] = set()
    for start in range(0, len(wanted), _ROWS):
        found = connection.execute(
            sa.select(blobs.c.sha256).where(
                blobs.c.agency_id == agency_id, blobs.c.sha256.in_(wanted[start : start + _ROWS])
            )
        )
        held.update(found.scalars())
    for position, one in enumerate(documents):
        if one.sha256 not in held:
            raise InvalidOrder(
                f"Văn bản thứ {position + 1} chưa được tải lên; hãy tải lên /v1/blobs trước. / "
                f"Document {position + 1} was not uploaded; upload it to /v1/blobs first.",
                field=f"items.{position}.sha256",
            )


def bulk_of(row: Any) -> Bulk:  # noqa: ANN401 - a row
    """The bulk verification of a row."""
    return Bulk(
        row.id,
        row.agency_id,
        row.principal_id,
        JobState(row.state),
        BulkOrder.read(row.order),
        row.total,
        row.passed,
        row.undetermined,
        row.failed,
        row.stopped,
        row.error,
        row.created_at,
        row.finished_at,
        row.version,
    )


def item_of(row: Any) -> BulkItem:  # noqa: ANN401 - a row
    """The document of a row."""
    return BulkItem(
        row.position,
        row.sha256,
        row.reference,
        ItemOutcome(row.state),
        row.indication,
        row.sub_indication,
        row.integrity,
        row.report_sha256,
        row.error,
    )
