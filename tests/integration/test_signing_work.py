"""From an order to a published record: what is made, kept and refused."""

from __future__ import annotations

from dossier.model import RecordState
from signer.sealing.levels import Level


def test_an_order_becomes_a_published_record(signing_room):
    record, created = signing_room.order(
        profiles=("P6",), level=Level.B_LTA, from_book=True, symbol="QĐ-UBND"
    )
    assert created
    signing_room.work_off()
    done = signing_room.record(record.id)
    assert done.error is None
    assert done.state is RecordState.PUBLISHED
