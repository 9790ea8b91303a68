"""Archive timestamps are renewed on schedule, once, and the record keeps its history."""

from __future__ import annotations

import dataclasses
import datetime as dt
import threading

import pytest
import sqlalchemy as sa

from dossier.errors import LeaseLost
from dossier.queue.worker import Worker
from dossier.signing.renewal import (
    MARGIN,
    RenewalWork,
    renewal_schedule,
    renewal_time,
)
from dossier.signing.renewals import RenewalDesk
from dossier.storage.tables import jobs as job_rows
from dossier.storage.tables import records
from signer.errors import SignatureNotValid, TimestampError
from signer.sealing.augment import Augmenter
from signer.sealing.levels import Level
from signer.trust import TrustStore
from signer.verification.report import Indication
from signer.verification.verify import Verifier

YEAR = dt.timedelta(days=365)


@pytest.fixture
def room(signing_room):
    return signing_room


def publish(room, level: Level = Level.B_LTA) -> str:
    """A published record whose renewal was scheduled by its publication."""
    record, _ = room.order(level=level)
    desk = dataclasses.replace(room.desk(), renew_at=renewal_schedule())
    room.work_off(room.work(desk=desk))
    return record.id


def make_due(room, record_id: str) -> None:
    with room.database.begin() as connection:
        connection.execute(
            sa.update(records)
            .where(records.c.id == record_id)
            .values(renew_at=dt.datetime.now(dt.UTC) - dt.timedelta(hours=1))
        )


def renewals(room) -> RenewalDesk:
    return RenewalDesk(room.database, room.audit, room.jobs)


def work(room, services=None) -> RenewalWork:
    return RenewalWork(
        room.database, room.blobs, room.holdings, room.audit, room.jobs,
        services or room.desk().services,
    )  # fmt: skip


def work_off(room, handler) -> None:
    worker = Worker(room.jobs, "seal", {"renewal": handler})
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        for _ in range(3000):
            if not room.jobs.waiting("seal"):
                break
            stop.wait(0.01)
    finally:
        stop.set()
        thread.join(20)


def test_a_record_is_renewed_when_it_is_due(room, test_pki):
    record_id = publish(room)
    before = room.record(record_id)
    until = test_pki.tsa.certificate.not_valid_after_utc
    assert before.renew_at == until - MARGIN
    desk = renewals(room)
    assert desk.sweep() == 0
    make_due(room, record_id)
    signatures = room.signatures
    assert desk.sweep() == 1
    assert desk.sweep() == 0
    work_off(room, work(room))

    after = room.record(record_id)
    assert after.result_sha256 != before.result_sha256
    assert after.renew_at == until - MARGIN
    assert after.version == before.version + 1
    old, new = room.blobs.get(before.result_sha256), room.blobs.get(after.result_sha256)
    assert new.startswith(old)  # what was signed is there, byte for byte
    assert after.result_bytes == len(new)
    report = Verifier(TrustStore.of(test_pki.anchors)).verify(new)
    assert report.indication is Indication.TOTAL_PASSED
    assert len(report.document_timestamps) == 2
    assert room.signatures == signatures  # no key of the agency was used
    with room.database.read() as connection:
        room.holdings.require(connection, after.agency_id, after.result_sha256)
        room.holdings.require(connection, after.agency_id, before.result_sha256)
    [told] = [e for e in room.events(record_id) if e.event == "signature.renewed"]
    assert told.details["before_sha256"] == before.result_sha256
    assert told.details["result_sha256"] == after.result_sha256
    assert told.details["report_sha256"] == after.report_sha256
    # and again, years later
    make_due(room, record_id)
    assert desk.sweep() == 1
    work_off(room, work(room))
    assert room.record(record_id).result_sha256 != after.result_sha256


def test_what_has_no_archive_timestamp_is_never_due(room):
    record_id = publish(room, Level.B_T)
    assert room.record(record_id).renew_at is None
    assert renewals(room).sweep() == 0


def test_racing_sweeps_order_a_renewal_once(room):
    due = [publish(room) for _ in range(3)]
    for record_id in due:
        make_due(room, record_id)
    counts: list[int] = []
    barrier = threading.Barrier(4)

    def sweep() -> None:
        barrier.wait()
        counts.append(renewals(room).sweep(limit=2))

    threads = [threading.Thread(target=sweep) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts.append(renewals(room).sweep())
    assert sum(counts) == 3
    # a job that is still open is not doubled, though its record is due once more
    for record_id in due:
        make_due(room, record_id)
    assert renewals(room).sweep() == 0
    with room.database.read() as connection:
        wanted = sa.select(sa.func.count()).where(job_rows.c.kind == "renewal")
        assert connection.execute(wanted).scalar_one() == 3


def test_of_two_workers_with_one_job_one_renews(room):
    """The first is thought dead while it works; what it made is dropped."""
    record_id = publish(room)
    make_due(room, record_id)
    renewals(room).sweep()
    [first] = room.jobs.claim("seal", "first", 1, 0.05)
    handler = work(room)
    taken = []
    for _ in range(200):
        taken = room.jobs.claim("seal", "second", 1, 60)
        if taken:
            break
        threading.Event().wait(0.02)
    handler(taken[0])
    after = room.record(record_id)
    with pytest.raises(LeaseLost):
        handler(first)
    assert room.record(record_id) == after
    assert room.event_names(record_id).count("signature.renewed") == 1


def test_a_job_that_was_done_already_changes_nothing(room):
    record_id = publish(room)
    make_due(room, record_id)
    renewals(room).sweep()
    [job] = room.jobs.claim("seal", "w", 1, 60)
    stale = dataclasses.replace(job, payload={"result": "0" * 64})
    before = room.record(record_id)
    work(room)(stale)
    assert room.record(record_id) == before


def test_an_authority_that_is_away_is_waited_for(sqlite_room):
    class Deaf:
        size_hint = 8192

        def timestamp(self, imprint, digest_name="sha256"):
            raise TimestampError("no answer")

    room = sqlite_room
    record_id = publish(room)
    make_due(room, record_id)
    renewals(room).sweep()
    services = room.desk().services
    deaf = Augmenter(Deaf(), room.pki.new_revocation_client())
    handler = work(room, dataclasses.replace(services, augmenter=deaf))
    [job] = room.jobs.claim("seal", "w", 1, 60)
    before = room.record(record_id)
    with pytest.raises(TimestampError):
        handler(job)
    assert room.record(record_id) == before


def test_a_renewal_that_fails_its_check_is_told_and_ordered_again(sqlite_room):
    """The verifier trusts nobody (a root was taken away): what is renewed proves nothing."""
    room = sqlite_room
    record_id = publish(room)
    make_due(room, record_id)
    renewals(room).sweep()
    blind = dataclasses.replace(room.desk().services, verifier=Verifier(TrustStore()))
    handler = work(room, blind)
    before = room.record(record_id)
    [job] = room.jobs.claim("seal", "w", 1, 60)
    with pytest.raises(SignatureNotValid, match="giữ nguyên") as told:
        handler(job)
    with room.database.begin() as connection:
        room.jobs.fail(connection, job, {"kind": "SignatureNotValid", "message": str(told.value)})
    after = room.record(record_id)
    assert after.result_sha256 == before.result_sha256
    assert after.renew_at > dt.datetime.now(dt.UTC) + dt.timedelta(hours=23)
    assert "signature.renewal-failed" in room.event_names(record_id)
    make_due(room, record_id)
    assert renewals(room).sweep() == 1


def test_when_to_renew(sqlite_room, test_pki):
    record_id = publish(sqlite_room)
    pdf = sqlite_room.blobs.get(sqlite_room.record(record_id).result_sha256)
    report = Verifier(TrustStore.of(test_pki.anchors)).verify(pdf)
    token = report.document_timestamps[0]
    until = test_pki.tsa.certificate.not_valid_after_utc
    assert token.authority_until == until
    assert renewal_time(report, dt.timedelta(days=7)) == until - dt.timedelta(days=7)
    # a margin longer than the certificate lives: half of its time
    assert renewal_time(report, 100 * YEAR) == until - (until - token.time) / 2
    older = dataclasses.replace(token, time=token.time - YEAR, authority_until=until + YEAR)
    both = dataclasses.replace(report, document_timestamps=(older, token))
    assert renewal_time(both, MARGIN) == until - MARGIN
    assert renewal_time(dataclasses.replace(report, document_timestamps=())) is None
