"""What is published is in the register, exactly once, whichever way it was made."""

from __future__ import annotations

import datetime as dt

import pytest
import sqlalchemy as sa

from dossier.batches import work
from dossier.batches.order import BatchOrder, Policy
from dossier.clerical.order import Step
from dossier.register.entry import Event, Status, status_of
from dossier.register.statuses import Comparison, look_up
from dossier.signing.order import SignatureOrder
from dossier.signing.renewal import RenewalWork
from dossier.signing.renewals import RenewalDesk
from dossier.storage.tables import records, register_entries
from signer.sealing.levels import Level
from tests.fixtures_clerical import ClericalRoom
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


def test_an_issued_sequence_is_entered_under_the_code_of_its_draft(
    clerical_room: ClericalRoom,
) -> None:
    office = clerical_room
    begun = office.begin(expected_agency=None)
    office.do(office.leader, begun.id, Step.LEADER)
    office.do(office.clerk, begun.id, Step.NUMBER)
    register = office.records.register
    assert register.of_code(begun.code) == []
    done = office.do(office.sealer, begun.id, Step.SEAL)
    [entry] = register.of_code(begun.code)
    assert done.code == begun.code == office.record(done.record_id).code
    assert (entry.told.document_sha256, entry.told.source_sha256) == (
        done.current_sha256, begun.source_sha256,
    )  # fmt: skip
    assert (entry.told.number, entry.told.symbol) == (done.number, done.symbol)


def test_a_batch_of_all_or_none_is_entered_when_it_is_released(
    clerical_room: ClericalRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "_AT_ONCE", 2)  # several pages
    office, register = clerical_room, clerical_room.records.register
    order = SignatureOrder(key="seal", from_book=True, symbol="QĐ-X")
    spoilt = office.put(b"%PDF-1.7 this is none")
    for last in (spoilt, office.source):
        listed = [{"source_sha256": one} for one in (*[office.source] * 4, last)]
        batch = office.freeze(BatchOrder(order, Policy.ALL), listed)
        office.batches.release(office.officer, batch.id)
        assert register.size() == 0
        office.run_all(threads=1)
        # nothing of a batch that is withheld is entered
        assert register.size() == (0 if last == spoilt else 5)
    items = office.batches.items(office.officer, batch.id, limit=10)
    codes = [office.record(str(item.record_id)).code for item in items]
    assert [entry.told.code for entry in register.walk(0, 5)] == codes


def test_a_renewal_is_entered_and_both_documents_are_the_result(
    signing_room: SigningRoom,
) -> None:
    register = signing_room.records.register
    record, _ = signing_room.order(level=Level.B_LTA)
    signing_room.work_off()
    first = signing_room.record(record.id)
    with signing_room.database.begin() as connection:
        past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
        connection.execute(
            sa.update(records).where(records.c.id == record.id).values(renew_at=past)
        )
    RenewalDesk(signing_room.database, signing_room.audit, signing_room.jobs).sweep()
    handler = RenewalWork(
        signing_room.database, signing_room.blobs, signing_room.holdings, signing_room.audit,
        signing_room.jobs, signing_room.desk().services,
    )  # fmt: skip
    [job] = signing_room.jobs.claim("seal", "renewer", 1, 60)
    handler(job)
    second = signing_room.record(record.id)
    assert second.result_sha256 != first.result_sha256
    found = look_up(register, record.code)
    assert [entry.told.event for entry in found.entries] == [Event.ISSUED, Event.RENEWED]
    for sha256 in (first.result_sha256, second.result_sha256):
        assert found.compare(str(sha256)) is Comparison.SAME
        assert register.code_of(str(sha256)) == record.code
    assert found.document_sha256 == second.result_sha256
