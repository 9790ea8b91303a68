"""The rows of digitizations: accepted once, moved with their jobs, published once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from dossier.digitizing.digitizations import Digitization
from dossier.errors import (
    AccessRefused,
    IdempotencyConflict,
    LeaseLost,
    NotFound,
    QuotaExceeded,
    StateConflict,
    VersionConflict,
)
from dossier.model import JobState, Role
from dossier.storage.tables import agencies
from dossier.storage.tables import jobs as job_rows
from tests.fixtures_digitizing import AGENCIES, ScanningRoom, scanner_of


def run_out(room: ScanningRoom) -> None:
    """The leases of all jobs run out, as after a kill."""
    with room.database.begin() as connection:
        past = room.database.now(connection).replace(year=2020)
        connection.execute(sa.update(job_rows).values(lease_until=past))


def test_accepted_in_one_transaction(scanning_room: ScanningRoom) -> None:
    found, created = scanning_room.order(page_count=2)
    assert created
    assert found.state is JobState.READY
    assert (found.pages_done, found.pages, found.version) == (0, None, 1)
    assert scanning_room.get(found) == found
    job = scanning_room.claim()
    assert (job.kind, job.subject, job.agency_id) == ("digitize", found.id, AGENCIES[0])
    assert scanning_room.events() == ["digitization.accepted"]


def test_the_same_key_gives_the_same_digitization(scanning_room: ScanningRoom) -> None:
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda _: scanning_room.order(key="k-1"), range(40)))
    assert len({found.id for found, _ in done}) == 1
    assert [created for _, created in done].count(True) == 1
    with pytest.raises(IdempotencyConflict):
        scanning_room.order(key="k-1", title="Khác")
    assert scanning_room.order(key="k-1", caller=scanner_of(name="prn_other"))[1]
    assert scanning_room.events().count("digitization.accepted") == 2


def test_who_may_order(scanning_room: ScanningRoom) -> None:
    assert scanning_room.order(caller=scanner_of(AGENCIES[0], Role.OFFICER))[1]
    found = scanning_room.order()[0]
    for role in (Role.CLERK, Role.LEADER, Role.AUDITOR, Role.ADMIN):
        with pytest.raises(AccessRefused):
            scanning_room.order(caller=scanner_of(AGENCIES[0], role))
        with pytest.raises(AccessRefused):
            scanning_room.digitizations.cancel(scanner_of(AGENCIES[0], role), found.id)


def test_another_agencys_things_do_not_exist(scanning_room: ScanningRoom) -> None:
    theirs = scanner_of(AGENCIES[1])
    scan = scanning_room.bring(b"a scan of theirs", theirs)
    with pytest.raises(NotFound):
        scanning_room.order(scan)
    found = scanning_room.order()[0]
    with pytest.raises(NotFound):
        scanning_room.digitizations.get(theirs, found.id)
    with pytest.raises(NotFound):
        scanning_room.digitizations.cancel(theirs, found.id)
    assert scanning_room.digitizations.list(theirs) == []
    assert scanning_room.events() == ["digitization.accepted"]


def test_no_order_beyond_the_quota(scanning_room: ScanningRoom) -> None:
    scan = scanning_room.bring(b"a scan")
    with scanning_room.database.begin() as connection:
        connection.execute(sa.update(agencies).values(policy={"blob_quota_bytes": 5}))
    with pytest.raises(QuotaExceeded):
        scanning_room.order(scan)


def test_lists_page_by_page(scanning_room: ScanningRoom) -> None:
    made = [scanning_room.order()[0] for _ in range(7)]
    caller, seen, after = scanner_of(), list[Digitization](), None
    while page := scanning_room.digitizations.list(caller, after, 3):
        seen += page
        after = page[-1].id
    assert seen == sorted(made, key=lambda found: found.id, reverse=True)
    scanning_room.digitizations.cancel(caller, made[0].id)
    cancelled = scanning_room.digitizations.list(caller, state=JobState.CANCELLED)
    assert [found.id for found in cancelled] == [made[0].id]


def test_progress_and_publication(scanning_room: ScanningRoom) -> None:
    room, ended = scanning_room, list[Digitization]()
    room.digitizations.watch(lambda connection, found: ended.append(found))
    room.order()
    job = room.claim()
    begun = room.digitizations.begun(job)
    assert begun is not None
    found, agency = begun
    assert agency == "UBND xã Mẫu Sơn Thử"
    assert found.state is JobState.RUNNING
    assert room.digitizations.progress(found, 1, 2)
    assert (room.get(found).pages_done, room.get(found).pages) == (1, 2)
    made = room.made()
    room.digitizations.publish(job, made)
    done = room.get(found)
    assert done.state is JobState.DONE
    assert (done.result_sha256, done.text_sha256, done.fields_sha256) == (
        made.record.sha256,
        made.text.sha256,
        made.fields.sha256,
    )
    assert (done.pages_done, done.error) == (2, None)
    assert done.finished_at is not None
    assert ended == [done]
    with room.database.read() as connection:
        for sha256 in (made.record.sha256, made.text.sha256, made.fields.sha256):
            room.holdings.require(connection, AGENCIES[0], sha256)
            assert room.holdings.find(connection, AGENCIES[1], sha256) is None
    with pytest.raises(LeaseLost):
        room.digitizations.publish(job, room.made(b"another text"))
    assert room.get(found) == done
    assert room.events() == ["digitization.accepted", "digitization.done"]


def test_of_two_workers_one_publishes(scanning_room: ScanningRoom) -> None:
    """A worker that hung comes back after its lease ran out and somebody else began."""
    room = scanning_room
    room.order()
    first = room.claim("first")
    begun = room.digitizations.begun(first)
    assert begun is not None
    assert room.digitizations.progress(begun[0], 1, 2)
    run_out(room)
    second = room.claim("second")
    assert room.get(begun[0]).pages_done == 0
    with pytest.raises(LeaseLost):
        room.digitizations.progress(begun[0], 2, 2)
    with pytest.raises(LeaseLost):
        room.digitizations.publish(first, room.made(b"of the first"))
    room.digitizations.publish(second, room.made(b"of the second"))
    text = room.get(begun[0]).text_sha256
    assert text is not None
    assert room.blobs.get(text) == b"of the second"
    assert room.events() == ["digitization.accepted", "job.retaken", "digitization.done"]


def test_cancelled_before_it_began(scanning_room: ScanningRoom) -> None:
    room = scanning_room
    found = room.order()[0]
    with pytest.raises(VersionConflict):
        room.digitizations.cancel(scanner_of(), found.id, version=9)
    cancelled = room.digitizations.cancel(scanner_of(), found.id, version=1)
    assert cancelled.state is JobState.CANCELLED
    assert room.jobs.claim("ocr", "here", 1, 5.0) == []
    with pytest.raises(StateConflict):
        room.digitizations.cancel(scanner_of(), found.id)
    assert room.events() == ["digitization.accepted", "digitization.cancelled"]


def test_cancelled_while_it_runs(scanning_room: ScanningRoom) -> None:
    room = scanning_room
    room.order()
    job = room.claim()
    begun = room.digitizations.begun(job)
    assert begun is not None
    room.digitizations.cancel(scanner_of(), begun[0].id)
    assert room.digitizations.progress(begun[0], 1, 2) is False
    room.digitizations.publish(job, room.made())  # too late, and it does no harm
    after = room.get(begun[0])
    assert after.state is JobState.CANCELLED
    assert after.result_sha256 is None
    with room.database.read() as connection:
        assert room.holdings.find(connection, AGENCIES[0], room.made().record.sha256) is None
    assert room.events() == ["digitization.accepted", "digitization.cancelled"]


def test_cancelled_and_its_worker_killed(scanning_room: ScanningRoom) -> None:
    room = scanning_room
    found = room.order()[0]
    room.claim("first")
    room.digitizations.cancel(scanner_of(), found.id)
    run_out(room)
    job = room.claim("second")
    assert room.digitizations.begun(job) is None
    room.work(job)
    assert room.get(found).state is JobState.CANCELLED
    assert room.jobs.claim("ocr", "third", 1, 5.0) == []


def test_tried_again_and_failed(scanning_room: ScanningRoom) -> None:
    room = scanning_room
    found = room.order()[0]
    error = {"kind": "StoreError", "message": "đĩa đầy / the disk is full"}
    job = room.claim()
    with room.database.begin() as connection:
        room.jobs.retry(connection, job, error, 0.0)
    waiting = room.get(found)
    assert (waiting.state, waiting.error) == (JobState.READY, error)
    job = room.claim()
    with room.database.begin() as connection:
        room.jobs.fail(connection, job, error)
    failed = room.get(found)
    assert (failed.state, failed.error) == (JobState.FAILED, error)
    assert failed.finished_at is not None
    assert room.events()[-1] == "digitization.failed"
