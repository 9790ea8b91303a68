"""From an order to a published record: what is made, kept, tried again and refused."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import io
import json
import threading
import time
from collections.abc import Callable
from typing import Any

import pikepdf
import pytest
from cryptography import x509

from dossier.errors import AuditUnavailable, StoreError
from dossier.model import RecordState
from dossier.queue.worker import Worker
from dossier.signing.records import Record
from dossier.storage.database import Database
from hsm.errors import AnswerLost, TokenUnavailable
from signer.errors import KeyUseRefused, TimestampError
from signer.sealing.levels import Level
from signer.sealing.seal import FieldPlan
from signer.verification.report import Indication, Integrity
from tests.fixtures_signed import append, plain_pdf, seal
from tests.fixtures_signing import AGENCY, SigningRoom


def result_of(room: SigningRoom, record: Record) -> bytes:
    return room.blobs.get(room.record(record.id).result_sha256 or "")


def json_of(room: SigningRoom, digest: str | None) -> Any:
    return json.loads(room.blobs.get(digest or ""))


def stamped_text(pdf: bytes, field: str) -> bytes:
    """The appearance stream of a signature field."""
    with pikepdf.open(io.BytesIO(pdf)) as document:
        (found,) = (f for f in document.Root.AcroForm.Fields if str(f.T) == field)
        return bytes(found.AP.N.read_bytes())


def test_an_order_becomes_a_published_record(signing_room: SigningRoom):
    record, created = signing_room.order(
        profiles=("P6",), level=Level.B_LTA, from_book=True, symbol="QĐ-UBND", reason="Phát hành"
    )
    assert created
    assert record.state is RecordState.ACCEPTED
    signing_room.work_off()
    done = signing_room.record(record.id)
    assert (done.error, done.state, done.attempts) == (None, RecordState.PUBLISHED, 1)
    pdf = result_of(signing_room, record)
    assert done.result_bytes == len(pdf)
    assert pdf.startswith(plain_pdf())
    report = signing_room.desk().services.verifier.verify(pdf)
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].reason == "Phát hành"
    stored = json_of(signing_room, done.report_sha256)
    assert stored["indication"] == "TOTAL-PASSED"
    assert stored["document"]["sha256"] == done.result_sha256
    assert signing_room.event_names(record.id) == ["signature.accepted", "signature.published"]
    published = signing_room.events(record.id)[-1]
    assert published.details["result_sha256"] == done.result_sha256
    assert published.details["evidence_sha256"] == done.evidence_sha256
    with signing_room.database.read() as connection:  # the agency may use it as a document
        assert signing_room.holdings.find(connection, AGENCY, done.result_sha256 or "")


@pytest.mark.parametrize("level", [Level.B_B, Level.B_LTA])
def test_evidence_says_what_was_relied_on(sqlite_room: SigningRoom, level: Level):
    record, _ = sqlite_room.order(level=level)
    sqlite_room.work_off()
    done = sqlite_room.record(record.id)
    evidence = json_of(sqlite_room, done.evidence_sha256)
    assert evidence["record"] == record.id
    assert evidence["source_sha256"] == sqlite_room.source
    assert evidence["result_sha256"] == done.result_sha256
    assert evidence["report_sha256"] == done.report_sha256
    certificate = x509.load_der_x509_certificate(base64.b64decode(evidence["certificate"]["der"]))
    assert certificate == sqlite_room.keys["seal"].certificate
    assert len(evidence["chain"]) == len(sqlite_room.keys["seal"].chain)
    revocation = evidence["revocation"]
    assert revocation["ocsp"] or revocation["crl"]
    for answer in (*revocation["ocsp"], *revocation["crl"]):
        assert dt.datetime.fromisoformat(answer["this_update"]).utcoffset() is not None
    with sqlite_room.database.read() as connection:  # each value is a blob of the agency
        for value in (*revocation["certificates"], *revocation["ocsp"], *revocation["crl"]):
            held = sqlite_room.holdings.require(connection, AGENCY, value["sha256"])
            assert held.size_bytes == value["bytes"]
            assert len(sqlite_room.blobs.get(value["sha256"])) == value["bytes"]
    assert len(evidence["timestamps"]) == (0 if level is Level.B_B else 2)
    (made,) = evidence["signatures"]
    assert base64.b64decode(made["signature"])
    assert evidence["key"] == {"label": "test-seal", "scheme": "ecdsa-sha256", "hardware": False}


def test_keys_are_bound_to_what_they_sign(sqlite_room: SigningRoom):
    record, _ = sqlite_room.order(key="leader")
    sqlite_room.work_off()
    assert sqlite_room.contexts == [
        {
            "agency": AGENCY,
            "principal": "prn-H22.12",
            "purpose": "document",
            "subject": record.id,
            "attempt": 1,
            "document_sha256": sqlite_room.source,
            "request_id": "req-1",
        }
    ]


def test_an_annex_cites_the_main_document(sqlite_room: SigningRoom):
    record, _ = sqlite_room.order(profiles=("P4",), number=7, symbol="QĐ-UBND", annex=True)
    bare, _ = sqlite_room.order(profiles=("P4",))
    sqlite_room.work_off()
    assert sqlite_room.record(record.id).state is RecordState.PUBLISHED
    assert b" Tj" in stamped_text(result_of(sqlite_room, record), "seal-P4")
    refused = sqlite_room.record(bare.id)
    assert (refused.state, refused.error["kind"]) == (RecordState.FAILED, "ProfileError")
    assert "number_symbol" in refused.error["message"]


@pytest.mark.parametrize("form", ["SY", "TRS", "SL"])
def test_copies_say_their_form(sqlite_room: SigningRoom, form: str):
    record, _ = sqlite_room.order(profiles=("P5",), copy_form=form)
    bare, _ = sqlite_room.order(profiles=("P5",))
    sqlite_room.work_off()
    assert sqlite_room.record(record.id).state is RecordState.PUBLISHED
    assert sqlite_room.record(bare.id).error["kind"] == "ProfileError"
    assert sqlite_room.signatures == 1


def test_several_profiles_are_several_signatures(sqlite_room: SigningRoom):
    record, _ = sqlite_room.order(
        profiles=("P4", "P6"), number=1, symbol="QĐ", annex=True, level=Level.B_LT
    )
    sqlite_room.work_off()
    report = sqlite_room.desk().services.verifier.verify(result_of(sqlite_room, record))
    assert [s.field_name for s in report.signatures] == ["seal-P4", "seal-P6"]
    assert report.indication is Indication.TOTAL_PASSED


def locked() -> bytes:
    """A document that allows no further signature."""
    with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
        out = io.BytesIO()
        pdf.save(out, encryption=pikepdf.Encryption(owner="o", user="u"))
        return out.getvalue()


def test_refusals_are_final_and_use_no_key(sqlite_room: SigningRoom):
    room = sqlite_room
    orders = {
        "UnsuitableDocument": {"source": room.put(locked())},
        "ProfileError": {"profiles": ("P99",)},
        "CertificateRefused": {"expected_agency": "UBND tỉnh Không Có"},
    }
    made = {kind: room.order(**order)[0] for kind, order in orders.items()}
    room.work_off()
    for kind, record in made.items():
        failed = room.record(record.id)
        assert (failed.state, failed.error["kind"], failed.attempts) == (
            RecordState.FAILED, kind, 1,
        )  # fmt: skip
        assert " / " in failed.error["message"] or kind == "ProfileError"
        assert room.event_names(record.id)[-1] == "signature.failed"
    assert room.signatures == 0


def test_the_expected_agency_is_compared_with_the_certificate(sqlite_room: SigningRoom):
    subject = sqlite_room.keys["seal"].certificate.subject
    (name,) = subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    spaced = f"  {str(name.value).upper()} "
    record, _ = sqlite_room.order(expected_agency=spaced)
    sqlite_room.work_off()
    assert sqlite_room.record(record.id).state is RecordState.PUBLISHED


def test_docmdp_of_a_certified_document_is_honoured(sqlite_room: SigningRoom, tmp_path):
    room = sqlite_room
    source, prepared = tmp_path / "source.pdf", tmp_path / "prepared.pdf"
    source.write_bytes(plain_pdf())
    room.desk().services.sealer.prepare_fields(source, prepared, [FieldPlan("agency")])
    certified = seal(room.pki, prepared.read_bytes(), room.pki.leader, certify=True)
    digest = room.put(certified)
    refused, _ = room.order(source=digest)  # would add a field
    allowed, _ = room.order(source=digest, field_name="agency", level=Level.B_LT)
    room.work_off()
    assert room.record(refused.id).error["kind"] == "PolicyRefused"
    assert room.record(allowed.id).error is None
    assert room.signatures == 1


def test_nothing_goes_over_a_broken_signature(sqlite_room: SigningRoom):
    signed = seal(sqlite_room.pki, plain_pdf(), sqlite_room.pki.leader, Level.B_LT)
    report = sqlite_room.desk().services.verifier.verify(signed)
    assert report.integrity is Integrity.INTACT
    broken = signed.replace(b"/Helvetica", b"/Helvetjca", 1)
    assert broken != signed
    record, _ = sqlite_room.order(source=sqlite_room.put(broken), level=Level.B_LT)
    sqlite_room.work_off()
    failed = sqlite_room.record(record.id)
    assert (failed.state, failed.error["kind"]) == (RecordState.FAILED, "SignatureNotValid")
    assert failed.result_sha256 is None


def test_changed_after_signing_is_not_published(sqlite_room: SigningRoom):
    signed = seal(sqlite_room.pki, plain_pdf(), sqlite_room.pki.leader, Level.B_LT)
    with pikepdf.open(io.BytesIO(signed)) as pdf:
        page = pdf.pages[0].obj
        number, body = page.Contents.objgen[0], b"<< /Length 0 >>\nstream\n\nendstream"
    altered = append(signed, {number: body})
    record, _ = sqlite_room.order(source=sqlite_room.put(altered), level=Level.B_LT)
    sqlite_room.work_off()
    assert sqlite_room.record(record.id).state is RecordState.FAILED


class Failing:
    """Fails some times, then works."""

    def __init__(self, work: Callable[..., Any], times: int, error: Exception) -> None:
        self.work, self.times, self.error = work, times, error
        self.calls = 0

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.calls += 1
        if self.calls <= self.times:
            raise self.error
        return self.work(*arguments, **options)


def test_a_token_that_is_away_is_waited_for(signing_room: SigningRoom, monkeypatch):
    away = TokenUnavailable("the token is away", retry_after_s=0)
    key = signing_room.keys["seal"]
    monkeypatch.setattr(key, "sign_digests", Failing(key.sign_digests, 2, away))
    record, _ = signing_room.order()
    signing_room.work_off()
    done = signing_room.record(record.id)
    assert (done.state, done.attempts, done.error) == (RecordState.PUBLISHED, 3, None)
    assert signing_room.signatures == 1
    assert signing_room.event_names(record.id) == ["signature.accepted", "signature.published"]


def test_while_it_waits_the_record_says_why_and_can_be_cancelled(sqlite_room: SigningRoom):
    key = sqlite_room.keys["seal"]
    away = TokenUnavailable("the token is away", retry_after_s=60)
    key.sign_digests = Failing(key.sign_digests, 99, away)  # type: ignore[method-assign]
    record, _ = sqlite_room.order()
    stop = threading.Event()
    worker = Worker(sqlite_room.jobs, "seal", {"signature": sqlite_room.work()})
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    until = time.monotonic() + 10
    while sqlite_room.record(record.id).error is None:
        assert time.monotonic() < until
        time.sleep(0.01)
    waiting = sqlite_room.record(record.id)
    assert waiting.state is RecordState.ACCEPTED
    assert waiting.error == {"kind": "TokenUnavailable", "message": "the token is away"}
    sqlite_room.records.cancel(sqlite_room.caller, record.id)
    stop.set()
    thread.join(10)


def test_a_signature_that_is_not_used_is_explained(signing_room: SigningRoom):
    """The TSA fails after C_Sign: the next attempt signs again, and the log has both."""
    desk = signing_room.desk()
    tsa = signing_room.pki.timestamper

    class Flaky:
        size_hint = tsa.size_hint
        timestamp = Failing(tsa.timestamp, 1, TimestampError("the TSA is away"))

    sealer = type(desk.services.sealer)(Flaky(), desk.revocation, precheck=lambda key, at: None)
    services = dataclasses.replace(desk.services, sealer=sealer)
    record, _ = signing_room.order(level=Level.B_LT)
    signing_room.work_off(signing_room.work(desk=dataclasses.replace(desk, services=services)))
    assert signing_room.record(record.id).state is RecordState.PUBLISHED
    assert signing_room.signatures == 2
    events = signing_room.events(record.id)
    assert [e.event for e in events][1:] == ["signature.unpublished", "signature.published"]
    assert events[1].details["attempt"] == 1
    assert events[1].details["error"]["kind"] == "TimestampError"
    [given_up], [used] = (e.details["digests"] for e in events[1:])
    signed = [digest.hex() for key in signing_room.keys.values() for digest in key.signed]
    assert [given_up, used] == signed  # equal if made within a second: PAdES signs no finer time
    assert [c["attempt"] for c in signing_room.contexts] == [1, 2]


def test_a_signature_whose_answer_was_lost_is_explained(sqlite_room: SigningRoom, monkeypatch):
    """The agent signed, and the answer did not arrive: the log names what was asked for."""
    key = sqlite_room.keys["seal"]
    asked: list[str] = []
    sign = key.sign_digests

    def lose_the_first(digests):
        signatures = sign(digests)
        asked.extend(digest.hex() for digest in digests)
        if len(asked) == 1:
            raise AnswerLost("no answer in time", retry_after_s=1)
        return signatures

    monkeypatch.setattr(key, "sign_digests", lose_the_first)
    record, _ = sqlite_room.order()
    sqlite_room.work_off()
    events = sqlite_room.events(record.id)
    assert [e.event for e in events][1:] == ["signature.unpublished", "signature.published"]
    assert [e.details["digests"] for e in events[1:]] == [[asked[0]], [asked[1]]]


def test_a_token_that_is_away_leaves_nothing_to_explain(sqlite_room: SigningRoom, monkeypatch):
    key = sqlite_room.keys["seal"]
    away = TokenUnavailable("the token is away", retry_after_s=1)
    monkeypatch.setattr(key, "sign_digests", Failing(key.sign_digests, 1, away))
    record, _ = sqlite_room.order()
    sqlite_room.work_off()
    assert sqlite_room.event_names(record.id) == ["signature.accepted", "signature.published"]


def test_a_policy_of_the_agent_is_final(sqlite_room: SigningRoom, monkeypatch):
    refused = KeyUseRefused("Hết hạn mức. / The quota of this key is used up.")
    monkeypatch.setattr(sqlite_room.keys["seal"], "sign_digests", Failing(None, 99, refused))
    record, _ = sqlite_room.order()
    sqlite_room.work_off()
    assert sqlite_room.record(record.id).error["kind"] == "KeyUseRefused"


def test_a_finished_document_waits_for_its_store(signing_room: SigningRoom, monkeypatch):
    full = StoreError("the disk is full")
    put = Failing(signing_room.blobs.put, 3, full)
    record, _ = signing_room.order()
    monkeypatch.setattr(signing_room.blobs, "put", put)
    signing_room.work_off()
    assert signing_room.record(record.id).state is RecordState.PUBLISHED
    assert signing_room.signatures == 1  # it was not signed again


def test_a_finished_document_waits_for_the_audit_log(signing_room: SigningRoom, monkeypatch):
    record, _ = signing_room.order()
    append_ = Failing(signing_room.audit.append, 3, AuditUnavailable("the audit log is away"))
    monkeypatch.setattr(signing_room.audit, "append", append_)
    signing_room.work_off()
    assert signing_room.record(record.id).state is RecordState.PUBLISHED
    assert (signing_room.signatures, append_.calls) == (1, 4)


def test_a_worker_that_was_thought_dead_publishes_nothing(signing_room: SigningRoom):
    record, _ = signing_room.order()
    (slow,) = signing_room.jobs.claim("seal", "slow", 1, 0.02)
    time.sleep(0.05)
    signing_room.work_off()
    published = signing_room.record(record.id)
    handler = signing_room.work()
    with pytest.raises(Exception, match="another worker") as lost:
        handler(slow)
    assert type(lost.value).__name__ == "LeaseLost"
    assert signing_room.record(record.id) == published
    assert signing_room.signatures == 2
    assert signing_room.event_names(record.id) == [
        "signature.accepted",
        "signature.retaken",
        "signature.published",
        "signature.unpublished",
    ]


def test_a_commit_whose_answer_was_lost_is_recognised(signing_room: SigningRoom, monkeypatch):
    record, _ = signing_room.order()
    handler = signing_room.work()
    publish = handler._publisher._publish

    def lose_the_answer(group):
        publish(group)
        monkeypatch.setattr(handler._publisher._group, "_run", publish)
        raise StoreError("the connection broke")

    monkeypatch.setattr(handler._publisher._group, "_run", lose_the_answer)
    signing_room.work_off(handler)
    assert signing_room.record(record.id).state is RecordState.PUBLISHED
    assert signing_room.event_names(record.id) == ["signature.accepted", "signature.published"]


def test_hooks_run_in_the_publishing_transaction(signing_room: SigningRoom):
    seen: list[Record] = []

    def hook(connection, record: Record) -> None:
        seen.append(record)
        if len(seen) == 1:
            raise StoreError("the hook's table is away")

    record, _ = signing_room.order()
    signing_room.work_off(signing_room.work(on_published=[hook]))
    assert [r.id for r in seen] == [record.id] * 2
    assert seen[-1].state is RecordState.PUBLISHED
    assert signing_room.signatures == 1


def test_a_database_restart_repeats_nothing(
    postgres, postgres_url, open_database: Callable[[str], Database], tmp_path, test_pki
):
    room = SigningRoom(open_database(postgres_url), tmp_path, test_pki)
    ids = [room.order(idempotency_key=f"k{n}")[0].id for n in range(60)]
    worker = Worker(room.jobs, "seal", {"signature": room.work()}, lease_s=2)
    stop = threading.Event()
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    time.sleep(0.15)
    postgres.restart()
    until = time.monotonic() + 30
    while len(room.published()) < len(ids):
        assert time.monotonic() < until, worker.health()
        time.sleep(0.05)
    stop.set()
    thread.join(10)
    assert room.signatures == len(ids)
    assert sorted(set(room.event_names())) == ["signature.accepted", "signature.published"]
