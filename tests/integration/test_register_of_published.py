"""What is published is in the register, exactly once, whichever way it was made."""

from __future__ import annotations

import datetime as dt

import sqlalchemy as sa

from dossier.register.entry import Event, Status, status_of
from dossier.storage.tables import register_entries
from tests.fixtures_signing import SigningRoom

BOOK = {"symbol": "QĐ-UBND", "decided_on": dt.date(2026, 3, 2)}


def test_a_signature_is_entered_as_it_is_published(signing_room: SigningRoom):
    record, _ = signing_room.order(
        from_book=True, result_reference="H22.12-260302-0007-KQ1", **BOOK
    )
    assert signing_room.records.register.size() == 0
    signing_room.work_off()
    done = signing_room.record(record.id)
    [entry] = signing_room.records.register.of_code(record.code)
    assert entry.index == 0
    assert entry.told.event is Event.ISSUED
    assert (entry.told.document_sha256, entry.told.source_sha256) == (
        done.result_sha256, record.source_sha256,
    )  # fmt: skip
    assert (entry.told.number, entry.told.symbol, entry.told.year) == (1, "QĐ-UBND", 2026)
    assert (entry.told.agency, entry.told.decided_on) == (record.agency_id, BOOK["decided_on"])
    assert entry.told.reference == "H22.12-260302-0007-KQ1"
    assert signing_room.records.register.code_of(str(done.result_sha256)) == record.code


def test_what_failed_or_was_cancelled_is_not_entered(signing_room: SigningRoom):
    broken = signing_room.put(b"%PDF-1.7 this is none")
    signing_room.order(source=broken)
    cancelled, _ = signing_room.order()
    signing_room.records.cancel(signing_room.caller, cancelled.id)
    signing_room.work_off()
    assert signing_room.records.register.size() == 0


def test_superseding_is_entered_behind_what_supersedes(signing_room: SigningRoom):
    old, _ = signing_room.order(number=5, **BOOK)
    signing_room.work_off()
    new, _ = signing_room.order(number=5, supersedes=old.id, **BOOK)
    register = signing_room.records.register
    assert status_of(register.of_code(old.code)) is Status.IN_FORCE
    signing_room.work_off()
    told = [(entry.told.event, entry.told.code, entry.told.by) for entry in register.walk(0, 10)]
    assert told == [
        (Event.ISSUED, old.code, None),
        (Event.ISSUED, new.code, None),
        (Event.SUPERSEDED, old.code, new.code),
    ]
    assert status_of(register.of_code(old.code)) is Status.SUPERSEDED
    assert status_of(register.of_code(new.code)) is Status.IN_FORCE


def test_every_published_record_is_there_exactly_once(signing_room: SigningRoom):
    made = [signing_room.order(from_book=True, **BOOK)[0] for _ in range(12)]
    signing_room.work_off()
    with signing_room.database.read() as connection:
        codes = (
            connection.execute(sa.select(register_entries.c.code).order_by(register_entries.c.seq))
            .scalars()
            .all()
        )
    assert sorted(codes) == sorted(record.code for record in made)
