"""Signed receipts: every use of a key is told, and nothing that failed its check is handed out."""

from __future__ import annotations

import dataclasses

import pytest

from dossier.errors import AccessRefused, AuditUnavailable, InvalidOrder
from dossier.model import Role
from dossier.verifying.receipts import ReceiptRequest, Receipts
from signer.errors import SignatureNotValid
from signer.sealing.levels import Level
from signer.trust import TrustStore
from signer.verification.verify import Verifier
from tests.fixtures_signing import caller_of


@pytest.fixture
def report(verifier, signed):
    return verifier.verify(signed["B-LTA"]).to_json()


def receipts(room, desk=None, own_key=None):
    return Receipts(
        room.audit, desk or room.desk, own_key=own_key, maker="Sohoa (mẫu)", level=Level.B_T
    )


def test_a_receipt_is_told_before_it_is_handed_out(signing_room, verifier, report):
    made = receipts(signing_room).seal(report, ReceiptRequest(caller_of(), "seal", "qd.pdf", "r-1"))
    assert verifier.verify(made.pdf).integrity.value == "INTACT"
    (event,) = signing_room.events(made.id)
    assert event.event == "verification.receipt"
    assert event.details["receipt_sha256"] == made.sha256
    assert event.details["request_id"] == "r-1"
    assert event.agency_id == caller_of().agency_id
    assert len(event.details["digests"]) == signing_room.signatures == 1


def test_a_citizen_gets_one_by_the_services_own_key_alone(signing_room, report):
    with pytest.raises(InvalidOrder, match="no key of its own"):
        receipts(signing_room).seal(report, ReceiptRequest(None))
    made = receipts(signing_room, own_key="seal").seal(report, ReceiptRequest(None, "leader"))
    assert signing_room.keys["leader"].calls == 0  # nobody names a key who is nobody
    (event,) = signing_room.events(made.id)
    assert (event.actor, event.agency_id) == ("public", None)


def test_what_fails_its_check_is_not_handed_out_and_explained(signing_room, report):
    def distrusting():
        desk = signing_room.desk()
        services = dataclasses.replace(desk.services, verifier=Verifier(TrustStore()))
        return dataclasses.replace(desk, services=services)

    with pytest.raises(SignatureNotValid):
        receipts(signing_room, distrusting).seal(report, ReceiptRequest(caller_of(), "seal"))
    (event,) = [e for e in signing_room.events() if e.event == "signature.unpublished"]
    assert event.details["error"]["kind"] == "SignatureNotValid"
    assert len(event.details["digests"]) == signing_room.signatures == 1
    assert event.subject == signing_room.contexts[-1]["subject"]


def test_without_the_audit_log_there_is_no_receipt(signing_room, report, monkeypatch):
    def unavailable(*events):
        raise AuditUnavailable("Nhật ký không ghi được. / The audit log cannot be written.")

    monkeypatch.setattr(signing_room.audit, "write", unavailable)
    with pytest.raises(AuditUnavailable):
        receipts(signing_room).seal(report, ReceiptRequest(caller_of(), "seal"))


def test_rights_are_asked_before_a_key_is_used(signing_room, report):
    for caller, key in (
        (caller_of("H22.12", Role.SCANNER), "seal"),
        (caller_of("H22.12", Role.CLERK, keys=frozenset({"officer"})), "seal"),
    ):
        with pytest.raises(AccessRefused):
            receipts(signing_room).seal(report, ReceiptRequest(caller, key))
    assert signing_room.signatures == 0
