"""Batches of the policy "all" over both databases: together at the end, or not at all.

What is released at the end is told as what is published by itself: an audit entry and a message
to subscribers for each record. What is withheld is nowhere to be had, and that is told too.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.batches import batches, work
from dossier.batches.order import Batch, BatchOrder, Policy
from dossier.errors import InvalidOrder, NotFound, StoreError
from dossier.model import BatchState, ItemState, RecordState
from dossier.signing.order import SignatureOrder
from dossier.storage.tables import deliveries, webhooks
from dossier.webhooks.outbox import WebhookOutbox
from signer.sealing.levels import Level
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fixtures_clerical import ClericalRoom
from tests.unit.dossier.test_result_sheet import pages

LISTENER = "whk_all"


@pytest.fixture
def office(clerical_room: ClericalRoom) -> ClericalRoom:
    """The room on either database, with a subscriber to everything."""
    room = clerical_room
    room.audit.follow(WebhookOutbox(room.jobs).heard)
    with room.database.begin() as connection:
        connection.execute(
            sa.insert(webhooks),
            {
                "id": LISTENER,
                "agency_id": room.caller.agency_id,
                "url": "https://hooks.example/all",
                "events": ["*"],
                "secret": b"0" * 32,
                "created_at": room.database.now(connection),
            },
        )
    return room


def batch_of(
    office: ClericalRoom, count: int, policy: Policy = Policy.ALL, *, bad: int | None = None
) -> Batch:
    """A released list with numbers of the book; its item `bad` (from 0) is no PDF."""
    order = SignatureOrder(key="seal", level=Level.B_LT, from_book=True, symbol="QĐ-X")
    spoilt = office.put(b"%PDF-1.7 this is none")
    listed = [{"source_sha256": spoilt if n == bad else office.source} for n in range(count)]
    batch = office.freeze(BatchOrder(order, policy), listed)
    office.batches.release(office.officer, batch.id)
    return batch


def items(office: ClericalRoom, batch: Batch):
    return office.batches.items(office.officer, batch.id, limit=1000)


def messages(office: ClericalRoom, event: str) -> list[dict[str, Any]]:
    """The data of what was put on its way to the subscriber."""
    wanted = sa.select(deliveries.c.body).where(
        deliveries.c.event == event, deliveries.c.webhook_id == LISTENER
    )
    with office.database.read() as connection:
        bodies = connection.execute(wanted.order_by(deliveries.c.id)).scalars().all()
    return [json.loads(body)["data"] for body in bodies]


def text_of_sheet(office: ClericalRoom, batch: Batch) -> str:
    """The text of the result sheet, whose signature was verified."""
    done = office.batch(batch.id)
    sheet = office.blobs.get(done.sheet_sha256)
    report = Verifier(TrustStore.of(office.pki.anchors)).verify(sheet).require_passed()
    assert [s.level for s in report.signatures] == ["B-LT"]
    return " ".join(" ".join(pages(sheet)).split())


def test_each_released_record_is_told_as_one_that_stands_for_itself(office, monkeypatch):
    monkeypatch.setattr(work, "_AT_ONCE", 2)  # several pages
    told: dict[Policy, list[dict[str, Any]]] = {}
    seen: dict[Policy, list[str]] = {}
    for policy in (Policy.EACH, Policy.ALL):
        hooked: list[tuple[str, RecordState]] = []
        batch = batch_of(office, 5, policy)
        office.run_all(
            on_published=[lambda c, r, seen=hooked: seen.append((r.id, r.state))], threads=1
        )
        assert office.batch(batch.id).state is BatchState.DONE
        listed = items(office, batch)
        assert {i.state for i in listed} == {ItemState.PUBLISHED}
        for item in listed:
            record = office.record(item.record_id)
            assert record.state is RecordState.PUBLISHED
            [event] = [e for e in office.events(record.id) if e.event == "signature.published"]
            told.setdefault(policy, []).append(dict(event.details))
            for name in ("result_sha256", "report_sha256", "evidence_sha256", "request_id"):
                assert event.details[name] == getattr(record, name)
            assert item.result_sha256 == record.result_sha256
        assert sorted(hooked) == sorted((i.record_id, RecordState.PUBLISHED) for i in listed)
        seen[policy] = [i.record_id for i in listed]
    # the events say the same, but for the use of the key, which was told with `signature.held`
    each, every = (told[policy][0] for policy in (Policy.EACH, Policy.ALL))
    assert each.keys() - every.keys() == {"attempt", "digests"}
    assert every.keys() - each.keys() == {"batch"}
    assert (each["key"], each["level"]) == (every["key"], every["level"])
    # and so do the messages: one for each record, with the same entries
    sent = messages(office, "signature.published")
    assert Counter(m["id"] for m in sent) == Counter(seen[Policy.EACH] + seen[Policy.ALL])
    assert {frozenset(m) for m in sent} == {frozenset({"id", "result_sha256"})}
    results = {m["id"]: m["result_sha256"] for m in sent}
    assert all(results[i] == office.record(i).result_sha256 for i in results)
    # told before the batch is, and in the order of the list
    published = [e for e in office.events() if e.event == "signature.published"]
    assert [e.subject for e in published[5:]] == seen[Policy.ALL]
    assert office.event_names()[-1] == "batch.done"
    assert len(messages(office, "batch.done")) == 2


def test_nothing_is_told_before_the_last_result_is_there(office):
    batch = batch_of(office, 3)
    handlers = office.handlers()
    for kind in ("batch", "batch", "signature", "signature"):
        (job,) = office.jobs.claim("seal", "w", 1, 60)
        assert job.kind == kind
        handlers[kind](job)
    assert messages(office, "signature.published") == []
    assert "signature.published" not in office.event_names()
    for item in items(office, batch)[:2]:
        record = office.record(item.record_id)
        assert (record.state, record.published_at) == (RecordState.HELD, None)


def test_the_list_is_signed_first_and_the_sheet_last(office):
    batch = batch_of(office, 3)
    office.run_all()
    assert [c["purpose"] for c in office.contexts] == [
        "batch-list", "document", "document", "document", "result-sheet",
    ]  # fmt: skip
    names = office.event_names()
    order = ["batch.released", "batch.list-signed", "batch.handed-out", "signature.held",
             "signature.published", "batch.done"]  # fmt: skip
    assert [names.index(name) for name in order] == sorted(names.index(name) for name in order)
    text = text_of_sheet(office, batch)
    assert "tất cả hoặc không / all or none" in text
    for item in items(office, batch):
        assert item.result_sha256 in text


def withheld(office: ClericalRoom, batch: Batch, results: list[str]) -> None:
    """Nothing of the batch is to be had, and everybody is told so."""
    done = office.batch(batch.id)
    assert (done.state, done.published) == (BatchState.CANCELLED, 0)
    assert results
    assert messages(office, "signature.published") == []
    assert "signature.published" not in office.event_names()
    cancelled = [e for e in office.events() if e.event == "signature.cancelled"]
    assert {e.details["withheld_sha256"] for e in cancelled} == set(results)
    assert {m["id"] for m in messages(office, "signature.cancelled")} == {
        e.subject for e in cancelled
    }
    for message in messages(office, "signature.cancelled"):
        assert message["error"]["kind"] == "BatchWithheld"
        assert "result_sha256" not in message
    text = text_of_sheet(office, batch)
    assert "none is released" in text
    assert f"{len(results)} văn bản đã ký bị giữ lại" in text
    for digest in results:
        assert digest not in text
        with office.database.read() as connection, pytest.raises(NotFound):
            office.holdings.require(connection, batch.agency_id, digest)
    for item in items(office, batch):
        assert item.result_sha256 is None
        assert item.state in (ItemState.SKIPPED, ItemState.FAILED)
        if item.record_id is not None:
            record = office.record(item.record_id)
            assert record.state in (RecordState.CANCELLED, RecordState.FAILED)
            assert record.error is not None
    [told] = [e for e in office.events(batch.id) if "withheld" in e.details]
    assert (told.event, told.details["withheld"]) == ("batch.cancelled", len(results))


def held_results(office: ClericalRoom) -> list[str]:
    return [str(e.details["result_sha256"]) for e in office.events() if e.event == "signature.held"]


def test_one_that_cannot_be_signed_withholds_all_and_says_so(office):
    batch = batch_of(office, 6, bad=4)
    office.run_all()
    withheld(office, batch, held_results(office))
    done = office.batch(batch.id)
    assert (done.failed, done.error["position"]) == (1, 5)
    [failed] = [i for i in items(office, batch) if i.state is ItemState.FAILED]
    assert failed.error["message"].partition(" / ")[0][:20] in text_of_sheet(office, batch)
    assert [m["failed"] for m in messages(office, "batch.cancelled")] == [1]


def test_a_batch_that_is_cancelled_withholds_what_was_signed(office):
    batch = batch_of(office, 4)
    handlers = office.handlers()
    for kind in ("batch", "batch", "signature", "signature"):
        handlers[kind](*office.jobs.claim("seal", "w", 1, 60))
    office.batches.cancel(office.officer, batch.id)
    office.run_all()
    assert office.signatures == 4 + 2  # what was begun is finished; list and sheet
    results = held_results(office)
    assert len(results) == 4
    assert office.batch(batch.id).error is None  # nothing went wrong; somebody stopped it
    withheld(office, batch, results)
    following, _ = office.order(from_book=True, symbol="QĐ-X")
    assert following.number == 1  # their numbers went back to the book


def test_a_release_that_cannot_be_committed_tells_nobody_and_is_repeated(office, monkeypatch):
    """The transaction of the end fails at its last step: no event, no message, no result."""
    batch = batch_of(office, 3)
    append, broken = office.audit.append, []

    def fail_at_the_end(connection, events):
        if events[-1].event == "batch.done" and len(broken) < 1:
            broken.append(messages_in(connection))
            raise StoreError("the disk is full")
        return append(connection, events)

    monkeypatch.setattr(office.audit, "append", fail_at_the_end)
    office.run_all()
    assert broken == [3]  # they were on their way in the transaction that was undone
    assert office.batch(batch.id).state is BatchState.DONE
    assert len(messages(office, "signature.published")) == 3
    assert Counter(office.event_names())["signature.published"] == 3


def messages_in(connection) -> int:
    wanted = sa.select(sa.func.count()).where(deliveries.c.event == "signature.published")
    return connection.execute(wanted).scalar_one()


def test_more_than_one_commit_can_release_is_refused(office: ClericalRoom, monkeypatch) -> None:
    monkeypatch.setattr(batches, "MOST_TOGETHER", 2)
    assert batch_of(office, 3, Policy.EACH).total == 3
    with pytest.raises(InvalidOrder, match="at most 2 documents"):
        batch_of(office, 3)
