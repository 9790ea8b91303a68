"""What old tools left: usage rights of Reader-enabled files, and adbe.pkcs7.sha1."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from signer.trust import TrustStore
from signer.verification.checks import Indication, Integrity, Outcome, SubIndication
from signer.verification.verify import Verifier
from tests.der_writing import name
from tests.fixtures_signed import flip, plain_pdf
from tests.foreign import place_cms
from tests.increments import Increment, signed_save
from tests.odd_certificates import OddAuthority
from tests.odd_cms import Habit, signer_of
from tests.office_signing import LEADER_BOX, Stroke, sign_visibly

OLD = Habit(digest="sha1", holds_sha1=True, names_certificate=(), generic_key_oid=False)


@pytest.fixture(scope="module")
def authority() -> OddAuthority:
    return OddAuthority()


@pytest.fixture(scope="module")
def key(authority):
    return authority.issue(name(("C", "VN"), ("CN", "Trần Mẫu Thử")))


@pytest.fixture(scope="module")
def judge(authority) -> Verifier:
    return Verifier(TrustStore.of([authority.anchor]))


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_a_signature_over_the_sha1_of_the_document(judge, key, digest):
    """INTACT, and weak whatever the signer's own digest is."""
    make = signer_of(key, replace(OLD, digest=digest))
    data = place_cms(plain_pdf(), make, sub_filter="adbe.pkcs7.sha1")
    report = judge.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert report.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE
    altered = judge.verify(flip(data, len(b"%PDF-1."), 0))
    assert altered.integrity is Integrity.BROKEN


def test_the_content_and_its_digest_must_agree(judge, key):
    """A signed digest of something else does not cover for the content that was put in."""

    def confused(covered: bytes) -> bytes:
        other = signer_of(key, OLD)(b"something else")
        own = signer_of(key, OLD)(covered)
        found = re.search(rb"\x04\x14(.{20})", own[own.index(b"\xa0\x16") :], re.DOTALL)
        at = other.index(b"\xa0\x16\x04\x14") + 4
        return other[:at] + found[1] + other[at + 20 :]

    data = place_cms(plain_pdf(), confused, sub_filter="adbe.pkcs7.sha1")
    assert judge.verify(data).integrity is Integrity.BROKEN


def test_content_stays_forbidden_in_a_detached_signature(judge, key):
    data = place_cms(plain_pdf(), signer_of(key, OLD), sub_filter="adbe.pkcs7.detached")
    assert judge.verify(data).integrity is Integrity.MALFORMED


def test_usage_rights_are_no_signature_of_the_document(judge, key):
    """Reader-enabled forms carry one in /Perms: noted, not counted, not suspected."""
    save = Increment(plain_pdf())
    rights = save.add(b"")
    save.edit(save.root, lambda body: body.rstrip()[:-2] + b" /Perms << /UR3 %d 0 R >> >>" % rights)
    entries = b"/Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached"
    enabled = signed_save(save, rights, entries, signer_of(key), 6000)
    unsigned = judge.verify(enabled)
    assert unsigned.integrity is Integrity.NONE
    assert unsigned.signatures == ()
    report = judge.verify(sign_visibly(enabled, Stroke("S1", signer_of(key), LEADER_BOX)))
    assert report.integrity is Integrity.INTACT
    assert [s.field_name for s in report.signatures] == ["S1"]
    notes = {c.check for c in report.checks if c.outcome is Outcome.WARNING}
    assert "file.usage-rights" in notes


def test_usage_rights_that_come_after_the_signature_are_a_change(judge, key):
    signed = sign_visibly(plain_pdf(), Stroke("S1", signer_of(key), LEADER_BOX))
    save = Increment(signed)
    rights = save.add(b"")
    save.edit(save.root, lambda body: body.rstrip()[:-2] + b" /Perms << /UR3 %d 0 R >> >>" % rights)
    entries = b"/Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached"
    assert judge.verify(signed_save(save, rights, entries, signer_of(key), 6000)).integrity is (
        Integrity.CHANGED
    )
