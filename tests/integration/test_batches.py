"""Batches over both databases: approved, released, signed, paused, crashed, all or none."""

from __future__ import annotations

import base64
import json
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest

from dossier.batches.accounts import enqueue
from dossier.batches.order import BatchOrder, Policy, checked_items
from dossier.clerical.order import Claim
from dossier.errors import (
    AccessRefused,
    IdempotencyConflict,
    InvalidOrder,
    LeaseLost,
    NotFound,
    QuotaExceeded,
    StateConflict,
    StoreError,
    VersionConflict,
)
from dossier.identity.values import AgencyPolicy
from dossier.model import BatchState, ItemState, RecordState, Role
from dossier.signing.order import SignatureOrder
from hsm.errors import KeyNotFound
from signer.sealing.levels import Level
from signer.statement import SignedStatement, verify_statement
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey
from tests.fixtures_clerical import ClericalRoom, person
from tests.fixtures_signed import plain_pdf
from tests.fixtures_signing import KEYS, OTHER_AGENCY, caller_of


@pytest.fixture
def office(sqlite_office: ClericalRoom) -> ClericalRoom:
    return sqlite_office


def release(office: ClericalRoom, batch_id: str) -> None:
    office.batches.release(office.officer, batch_id)


def items(office: ClericalRoom, batch_id: str, state: ItemState | None = None):
    return office.batches.items(office.officer, batch_id, limit=100_000, state=state)


def until(condition, within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def broken(office: ClericalRoom) -> str:
    """Something uploaded that is no PDF."""
    return office.put(b"%PDF-1.7 this is none")


def mixed(office: ClericalRoom, count: int, bad: int, policy: Policy, **entries):
    """A list whose item `bad` (from 0) cannot be signed."""
    order = BatchOrder(SignatureOrder(**{"key": "seal", **entries}), policy)
    listed = [
        {"source_sha256": broken(office) if n == bad else office.source} for n in range(count)
    ]
    return office.freeze(order, listed)


# --- the whole way --------------------------------------------------------------------------------


def test_three_hundred_documents_through_pause_crash_and_resume(clerical_room):
    office = clerical_room
    batch = office.list_of(300, from_book=True, symbol="QĐ-X")
    release(office, batch.id)
    (dead,) = office.jobs.claim("seal", "dead", 1, 0.01)  # dies before the list is signed
    assert dead.kind == "batch"
    with office.working():
        until(lambda: office.batch(batch.id).published >= 30)
        office.batches.pause(office.officer, batch.id)
        until(lambda: office.batch(batch.id).in_flight == 0)
    paused = office.batch(batch.id)
    assert paused.state is BatchState.PAUSED
    assert paused.handed == paused.published < 300
    office.batches.resume(office.officer, batch.id)
    (job,) = office.jobs.claim("seal", "dead", 1, 0.01)  # dies before it hands out
    assert job.kind == "batch"
    with office.working():
        until(lambda: office.batch(batch.id).handed > paused.handed)
    taken = office.jobs.claim("seal", "dead-3", 4, 0.01)  # dies with documents in its hands
    office.run_all(within_s=90)
    assert taken
    done = office.batch(batch.id)
    assert (done.state, done.published, done.failed) == (BatchState.DONE, 300, 0)
    published = office.published()
    assert len(published) == 300
    assert sorted(r.number for r in published) == list(range(1, 301))  # no gap, no double
    assert sorted(r.batch_position for r in published) == list(range(1, 301))
    found = items(office, batch.id)
    assert {i.state for i in found} == {ItemState.PUBLISHED}
    assert {i.record_id: i.result_sha256 for i in found} == {
        r.id: r.result_sha256 for r in published
    }
    # every use of the key: 300 documents, the list, the sheet, and what died in somebody's hands
    assert office.signatures == 302
    assert [e for e in office.event_names(batch.id) if e.startswith("batch.")][-1] == "batch.done"


def test_the_list_is_signed_before_any_document(office):
    batch = office.list_of(3, level=Level.B_T)
    release(office, batch.id)
    office.run_all()
    assert office.contexts[0]["purpose"] == "batch-list"
    assert [c["purpose"] for c in office.contexts].count("document") == 3
    assert office.contexts[-1]["purpose"] == "result-sheet"
    signature = office.batch(batch.id).list_signature
    statement = json.loads(signature["statement"])
    assert statement["list_sha256"] == batch.list_sha256
    assert (statement["total"], statement["released_by"]) == (3, "prn-officer")
    proof = verify_statement(
        signature["statement"].encode(),
        SignedStatement(base64.b64decode(signature["cms"])),
        office.pki.anchors,
    )
    assert proof.signer == office.keys["seal"].certificate
    order = BatchOrder(SignatureOrder(key="seal", level=Level.B_T))
    again = [{"source_sha256": office.source, "reference": f"hs-{n}"} for n in range(3)]
    assert checked_items(order, again, 10)[1] == batch.list_sha256
    events = office.event_names(batch.id)
    assert events.index("batch.list-signed") < events.index("batch.handed-out")


def test_the_result_sheet_is_signed_and_says_it_all(office):
    batch = mixed(office, 5, 2, Policy.EACH, level=Level.B_LTA, from_book=True, symbol="QĐ-X")
    release(office, batch.id)
    office.run_all()
    done = office.batch(batch.id)
    assert (done.state, done.published, done.failed) == (BatchState.DONE, 4, 1)
    sheet = office.blobs.get(done.sheet_sha256)
    report = Verifier(TrustStore.of(office.pki.anchors)).verify(sheet).require_passed()
    assert [s.level for s in report.signatures] == ["B-LTA"]
    with office.database.read() as connection:  # the agency may download it
        office.holdings.require(connection, batch.agency_id, done.sheet_sha256)
    from tests.unit.dossier.test_result_sheet import pages

    text = " ".join(pages(sheet))
    for item in items(office, batch.id):
        assert item.source_sha256 in text
        assert (item.result_sha256 or "không ký được") in text
    assert batch.list_sha256 in text


def test_overrides_and_given_numbers_reach_their_documents(office):
    order = BatchOrder(SignatureOrder(key="seal", symbol="QĐ-X", from_book=True))
    batch = office.freeze(
        order,
        [
            {"source_sha256": office.source, "overrides": {"number": 40, "reason": "riêng"}},
            {"source_sha256": office.source},
        ],
    )
    release(office, batch.id)
    office.run_all()
    first, second = items(office, batch.id)
    assert (first.number, second.number) == (40, 1)
    assert office.record(first.record_id).order.reason == "riêng"


def test_a_number_that_is_taken_fails_its_document_alone(office):
    record, _ = office.order(number=2, symbol="QĐ-X")
    order = BatchOrder(SignatureOrder(key="seal", symbol="QĐ-X"))
    listed = [{"source_sha256": office.source, "overrides": {"number": n}} for n in (1, 2, 3)]
    batch = office.freeze(order, listed)
    release(office, batch.id)
    office.run_all()
    found = items(office, batch.id)
    assert [i.state for i in found] == ["published", "failed", "published"]
    assert found[1].error["kind"] == "NumberTaken"
    assert record.id in found[1].error["message"]
    assert office.batch(batch.id).state is BatchState.DONE


def test_numbers_that_are_named_and_those_of_the_book_do_not_meet(office):
    order = BatchOrder(SignatureOrder(key="seal", symbol="QĐ-X", from_book=True))
    listed = [{"source_sha256": office.source}, {"source_sha256": office.source}]
    named = [{"source_sha256": office.source, "overrides": {"number": n}} for n in (1, 3)]
    batch = office.freeze(order, [*listed, *named])
    release(office, batch.id)
    office.run_all()
    assert [i.number for i in items(office, batch.id)] == [2, 4, 1, 3]


def test_a_batch_whose_list_cannot_be_signed_ends_and_says_why(office):
    batch = office.list_of(2)
    release(office, batch.id)
    desk = replace(office.desk(), key_for=gone)
    office.run_all(desk)
    ended = office.batch(batch.id)
    assert ended.state is BatchState.CANCELLED
    assert ended.error["kind"] == "KeyNotFound"
    assert ended.finished_at is not None
    assert {i.state for i in items(office, batch.id)} == {ItemState.SKIPPED}
    assert "batch.halted" in office.event_names(batch.id)


def test_a_sheet_that_cannot_be_signed_waits_for_somebody(office):
    batch = office.list_of(2)
    release(office, batch.id)
    desk = office.desk()

    def all_but_sheets(label, context):
        if context["purpose"] == "result-sheet":
            gone(label, context)
        return desk.key_for(label, context)

    office.run_all(replace(desk, key_for=all_but_sheets))
    halted = office.batch(batch.id)
    assert (halted.state, halted.published) == (BatchState.PAUSED, 2)
    assert halted.error["kind"] == "KeyNotFound"
    office.batches.resume(office.officer, batch.id)
    office.run_all()
    done = office.batch(batch.id)
    assert (done.state, done.error) == (BatchState.DONE, None)
    assert done.sheet_sha256 is not None


def gone(label, context):
    raise KeyNotFound(f"no key {label}")


def test_a_record_that_is_cancelled_by_itself_is_accounted_for(office):
    batch = office.list_of(2)
    release(office, batch.id)
    office.handlers()["batch"](*office.jobs.claim("seal", "w", 1, 60))  # the list
    office.handlers()["batch"](*office.jobs.claim("seal", "w", 1, 60))  # handed out
    first, _ = items(office, batch.id)
    office.records.cancel(office.caller, first.record_id)
    office.run_all()
    done = office.batch(batch.id)
    assert (done.state, done.published, done.failed) == (BatchState.DONE, 1, 1)
    assert items(office, batch.id)[0].state is ItemState.SKIPPED


# --- stopped --------------------------------------------------------------------------------------


def test_cancelling_finishes_what_is_begun_and_skips_the_rest(clerical_room):
    office = clerical_room
    batch = office.list_of(250)
    release(office, batch.id)
    with office.working():
        until(lambda: office.batch(batch.id).published >= 20)
        office.batches.cancel(office.officer, batch.id)
    office.run_all()
    done = office.batch(batch.id)
    assert done.state is BatchState.CANCELLED
    assert done.finished_at is not None
    counts = [len(items(office, batch.id, s)) for s in (ItemState.PUBLISHED, ItemState.SKIPPED)]
    assert counts == [done.published, 250 - done.published]
    assert 20 <= done.published < 250
    assert len(office.published()) == done.published  # nothing is lost
    assert done.sheet_sha256 is not None


@pytest.mark.parametrize("released", [False, True])
def test_a_batch_that_signed_nothing_is_cancelled_at_once(office, released):
    batch = office.list_of(3)
    if released:
        release(office, batch.id)
    cancelled = office.batches.cancel(office.officer, batch.id)
    assert cancelled.state is BatchState.CANCELLED
    assert cancelled.finished_at is not None
    office.run_all()
    assert {i.state for i in items(office, batch.id)} == {ItemState.SKIPPED}
    assert office.records.list(office.officer) == []
    assert office.batch(batch.id).sheet_sha256 is None
    assert office.batches.cancel(office.officer, batch.id).version == cancelled.version


def test_pausing_before_the_end_keeps_the_end_back(office):
    batch = office.list_of(4)
    release(office, batch.id)
    handlers = office.handlers()
    handlers["batch"](*office.jobs.claim("seal", "w", 1, 60))
    handlers["batch"](*office.jobs.claim("seal", "w", 1, 60))
    office.batches.pause(office.officer, batch.id)
    office.run_all()
    paused = office.batch(batch.id)
    assert (paused.state, paused.published) == (BatchState.PAUSED, 4)
    assert paused.sheet_sha256 is None
    office.batches.resume(office.officer, batch.id)
    office.run_all()
    assert office.batch(batch.id).state is BatchState.DONE


# --- all or none ----------------------------------------------------------------------------------


def test_all_or_none_releases_everything_at_the_end(office):
    batch = office.freeze(
        BatchOrder(SignatureOrder(key="seal", from_book=True, symbol="QĐ-X"), Policy.ALL),
        [{"source_sha256": office.source}] * 3,
    )
    release(office, batch.id)
    released: list[str] = []
    handlers = office.handlers(on_published=[lambda c, record: released.append(record.id)])
    for kind in ("batch", "batch", "signature", "signature"):
        (job,) = office.jobs.claim("seal", "w", 1, 60)
        assert job.kind == kind
        handlers[kind](job)
    held = items(office, batch.id, ItemState.HELD)
    assert len(held) == 2
    for item in held:  # nobody can fetch them, by record or by digest
        record = office.record(item.record_id)
        assert record.state is RecordState.HELD
        assert item.result_sha256 is None
        with office.database.read() as connection, pytest.raises(NotFound):
            office.holdings.require(connection, record.agency_id, record.result_sha256)
    assert released == []
    for kind in ("signature", "batch"):
        handlers[kind](*office.jobs.claim("seal", "w", 1, 60))
    done = office.batch(batch.id)
    assert (done.state, done.published) == (BatchState.DONE, 3)
    found = items(office, batch.id)
    assert {i.state for i in found} == {ItemState.PUBLISHED}
    assert released == [i.record_id for i in found]
    for item in found:
        assert office.record(item.record_id).state is RecordState.PUBLISHED
        names = office.event_names(item.record_id)
        assert names == ["signature.held", "signature.published"]
        with office.database.read() as connection:
            office.holdings.require(connection, batch.agency_id, item.result_sha256)


def test_one_failure_withholds_all_results(clerical_room):
    office = clerical_room
    batch = mixed(office, 12, 7, Policy.ALL, from_book=True, symbol="QĐ-X")
    release(office, batch.id)
    office.run_all()
    done = office.batch(batch.id)
    assert (done.state, done.published, done.failed) == (BatchState.CANCELLED, 0, 1)
    assert done.error["position"] == 8
    assert office.published() == []
    found = items(office, batch.id)
    assert [i.state for i in found].count(ItemState.FAILED) == 1
    assert {i.result_sha256 for i in found} == {None}
    for item in found:
        if item.record_id is not None:
            record = office.record(item.record_id)
            assert record.state in (RecordState.CANCELLED, RecordState.FAILED)
    (told,) = [e for e in office.events(batch.id) if e.event == "batch.cancelled"]
    unused = [entry["number"] for entry in told.details["unused_numbers"]]
    following, _ = office.order(from_book=True, symbol="QĐ-X")
    unused += [e.details["number"] for e in office.events() if e.event == "number.unused"]
    assert sorted(unused) == list(range(1, following.number))  # every gap is explained
    for number in unused:  # free to be named
        assert office.order(number=number, symbol="QĐ-X")[0].number == number


def test_cancelling_all_or_none_releases_none(office):
    order = BatchOrder(SignatureOrder(key="seal"), Policy.ALL)
    batch = office.freeze(order, [{"source_sha256": office.source}] * 3)
    release(office, batch.id)
    handlers = office.handlers()
    for kind in ("batch", "batch", "signature"):
        handlers[kind](*office.jobs.claim("seal", "w", 1, 60))
    office.batches.cancel(office.officer, batch.id)
    office.run_all()
    assert office.batch(batch.id).published == 0
    assert office.published() == []


# --- persons --------------------------------------------------------------------------------------


def test_where_two_persons_are_asked_for_one_approves_and_another_releases(office):
    office.policy = AgencyPolicy(keys=KEYS, two_person_batches=True)
    batch = office.list_of(1)
    an, binh = person("an", Role.LEADER), person("binh", Role.CLERK)
    with pytest.raises(AccessRefused, match="approve the list first"):
        office.batches.release(binh, batch.id)
    approved = office.batches.approve(an, batch.id)
    assert approved.approved_by == "prn-an"
    assert office.batches.approve(an, batch.id).version == approved.version
    with pytest.raises(StateConflict):
        office.batches.approve(binh, batch.id)
    with pytest.raises(AccessRefused, match="second person"):
        office.batches.release(an, batch.id)
    assert office.jobs.waiting("seal") == 0
    released = office.batches.release(binh, batch.id)
    assert office.batches.release(binh, batch.id).version == released.version
    office.run_all()
    done = office.batch(batch.id)
    assert (done.approved_by, done.released_by) == ("prn-an", "prn-binh")
    statement = json.loads(done.list_signature["statement"])
    assert (statement["approved_by"], statement["released_by"]) == ("prn-an", "prn-binh")
    assert office.contexts[0]["principal"] == "prn-binh"


def test_rights_are_asked_for_at_each_move(office):
    batch = office.list_of(1)
    auditor = person("a", Role.AUDITOR)
    no_key = person("b", Role.CLERK, keys=frozenset())
    for move in ("approve", "release", "pause", "resume", "cancel"):
        with pytest.raises(AccessRefused):
            getattr(office.batches, move)(auditor, batch.id)
    with pytest.raises(AccessRefused):
        office.batches.release(no_key, batch.id)
    with pytest.raises(AccessRefused):
        office.freeze(BatchOrder(SignatureOrder(key="seal")), [{"source_sha256": office.source}],
                      no_key)  # fmt: skip
    assert office.batches.get(auditor, batch.id).id == batch.id


def test_what_is_another_agencys_is_not_there(office):
    batch = office.list_of(1)
    stranger = caller_of(OTHER_AGENCY)
    for ask in ("get", "items", "approve", "release", "pause", "resume", "cancel"):
        with pytest.raises(NotFound):
            getattr(office.batches, ask)(stranger, batch.id)
    assert office.batches.list(stranger) == []
    with pytest.raises(InvalidOrder, match="1 documents are not here"):
        office.freeze(
            BatchOrder(SignatureOrder(key="seal")), [{"source_sha256": office.source}], stranger
        )


def test_illegal_moves_are_refused(office):
    batch = office.list_of(1)
    for move in ("pause", "resume"):
        with pytest.raises(StateConflict):
            getattr(office.batches, move)(office.officer, batch.id)
    with pytest.raises(VersionConflict):
        office.batches.release(office.officer, batch.id, batch.version + 1)
    release(office, batch.id)
    with pytest.raises(StateConflict, match="being signed"):
        office.batches.pause(office.officer, batch.id)
    with pytest.raises(StateConflict):
        office.batches.approve(office.officer, batch.id)
    office.run_all()
    for move in ("pause", "resume", "cancel", "approve"):
        with pytest.raises(StateConflict):
            getattr(office.batches, move)(office.officer, batch.id)


# --- limits, repeats, crashes ---------------------------------------------------------------------


def test_open_batches_and_their_documents_are_bounded(office):
    office.policy = AgencyPolicy(keys=KEYS, open_batches=1, batch_documents=2)
    batch = office.list_of(2)
    with pytest.raises(QuotaExceeded, match="As many batches as allowed"):
        office.list_of(1)
    with pytest.raises(QuotaExceeded, match="more than 2"):
        office.list_of(3)
    office.batches.cancel(office.officer, batch.id)
    office.list_of(1)


def test_a_list_that_is_sent_twice_is_frozen_once(office):
    order = BatchOrder(SignatureOrder(key="seal"))
    listed, digest = checked_items(order, [{"source_sha256": office.source}], 9)
    claim = Claim("k", "0" * 64)
    first, made = office.batches.create(office.officer, order, listed, digest, claim)
    again, made_again = office.batches.create(office.officer, order, listed, digest, claim)
    assert (made, made_again, first.id) == (True, False, again.id)
    with pytest.raises(IdempotencyConflict):
        office.batches.create(office.officer, order, listed, digest, Claim("k", "1" * 64))


def test_a_worker_that_was_thought_dead_begins_nothing(office):
    batch = office.list_of(2)
    release(office, batch.id)
    (lost,) = office.jobs.claim("seal", "slow", 1, 0.01)
    office.run_all()
    with pytest.raises(LeaseLost):
        office.handlers()["batch"](lost)
    done = office.batch(batch.id)
    assert (done.handed, done.published, done.state) == (2, 2, BatchState.DONE)
    assert len(office.published()) == 2


def test_lists_are_paged_and_filtered(office):
    made = [office.list_of(5).id for _ in range(3)]
    newest = office.batches.list(office.officer, limit=2)
    assert [b.id for b in newest] == made[:0:-1]
    assert [b.id for b in office.batches.list(office.officer, newest[-1].id)] == made[:1]
    assert office.batches.list(office.officer, state=BatchState.DONE) == []
    page = office.batches.items(office.officer, made[0], after=2, limit=2)
    assert [i.position for i in page] == [3, 4]
    assert office.batches.items(office.officer, made[0], state=ItemState.FAILED) == []


def test_different_documents_get_different_results(office):
    sources = [office.put(plain_pdf(amount=f"{n}.000")) for n in range(4)]
    order = BatchOrder(SignatureOrder(key="seal"))
    batch = office.freeze(order, [{"source_sha256": s} for s in sources])
    release(office, batch.id)
    office.run_all()
    found = items(office, batch.id)
    assert [i.source_sha256 for i in found] == sources
    for item, source in zip(found, sources, strict=True):
        assert office.blobs.get(item.result_sha256).startswith(office.blobs.get(source)[:200])
    assert len({i.result_sha256 for i in found}) == 4


class BusyKey(SoftwareKey):
    """The agency's key; something happens while it signs."""

    def __init__(self, key: SoftwareKey, meanwhile) -> None:
        super().__init__(key.scheme, label=key.label, certificate=key.certificate,
                         chain=key.chain, private_key=key.private_key)  # fmt: skip
        self.meanwhile = meanwhile

    def sign_digests(self, digests):
        self.meanwhile()
        return super().sign_digests(digests)


def busy(office: ClericalRoom, purpose: str, meanwhile):
    """A desk whose key, used for `purpose`, lets something else happen first."""
    desk = office.desk()
    key = BusyKey(office.keys["seal"], meanwhile)

    def key_for(label, context):
        return key if context["purpose"] == purpose else desk.key_for(label, context)

    return replace(desk, key_for=key_for)


def test_a_batch_that_is_cancelled_while_its_list_is_signed_signs_nothing_else(office):
    batch = office.list_of(2)
    release(office, batch.id)
    desk = busy(office, "batch-list", lambda: office.batches.cancel(office.officer, batch.id))
    office.run_all(desk)
    assert office.batch(batch.id).state is BatchState.CANCELLED
    assert office.batch(batch.id).list_signature is None
    assert office.records.list(office.officer) == []
    (told,) = [e for e in office.events(batch.id) if e.event == "signature.unpublished"]
    assert told.details["error"]["kind"] == "StateConflict"
    assert len(told.details["digests"]) == 1


@pytest.mark.parametrize("purpose", ["batch-list", "result-sheet"])
def test_what_a_slow_worker_signed_meanwhile_is_not_used(office, purpose):
    batch = office.list_of(2)
    release(office, batch.id)
    if purpose == "result-sheet":
        handlers = office.handlers()
        for kind in ("batch", "batch", "signature", "signature"):
            handlers[kind](*office.jobs.claim("seal", "w", 1, 60))
    (lost,) = office.jobs.claim("seal", "slow", 1, 0.01)
    with pytest.raises(LeaseLost):
        office.handlers(busy(office, purpose, office.run_all))["batch"](lost)
    done = office.batch(batch.id)
    assert (done.state, done.published) == (BatchState.DONE, 2)
    assert office.event_names(batch.id).count("signature.unpublished") == 1
    assert office.event_names(batch.id).count("batch.done") == 1


def test_a_job_too_many_does_nothing(office):
    batch = office.list_of(2)
    release(office, batch.id)
    office.run_all()
    before = (office.batch(batch.id), office.signatures)
    with office.database.begin() as connection:
        enqueue(connection, office.jobs, batch.id, batch.agency_id)
    office.run_all()
    assert (office.batch(batch.id), office.signatures) == before


@pytest.mark.parametrize("purpose", ["batch-list", "result-sheet"])
def test_a_commit_whose_answer_was_lost_counts(office, monkeypatch, purpose):
    batch = office.list_of(1)
    release(office, batch.id)
    begin, lost = office.database.begin, []

    @contextmanager
    def begin_and_lose():
        with begin() as connection:
            yield connection
        if armed and not lost:
            lost.append(True)
            raise StoreError("the connection was cut")

    armed: list[bool] = []
    desk = busy(office, purpose, lambda: armed.append(True))
    monkeypatch.setattr(office.database, "begin", begin_and_lose)
    office.run_all(desk, threads=1)
    assert lost
    assert office.batch(batch.id).state is BatchState.DONE
    assert "signature.unpublished" not in office.event_names(batch.id)
