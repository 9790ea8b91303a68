"""LT and LTA as iText, the EU's DSS and Adobe write them: allowed additions, right levels."""

from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signer.trust import TrustStore
from signer.verification.checks import Indication, Integrity, Outcome
from signer.verification.verify import Verifier
from tests.clerical import decision
from tests.der_writing import attribute
from tests.fixtures_signed import now
from tests.odd_certificates import OddKey
from tests.odd_cms import TIMESTAMP, Habit, adobe_revocation, signer_of
from tests.office_signing import LEADER_BOX, SEAL_BOX, Stroke, sign_visibly
from tests.store_shapes import Shape, add_document_timestamp, add_store


def der(certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


class Makers:
    """The test PKI's keys under other producers' habits."""

    def __init__(self, pki) -> None:
        self.pki = pki
        self.leader, self.officer = self._key(pki.leader), self._key(pki.officer)
        self.evidence = self._collect(pki.leader, pki.tsa)
        self.more = self._collect(pki.officer, pki.tsa)

    def _key(self, key) -> OddKey:
        return OddKey(key.private_key, der(key.certificate), tuple(map(der, key.chain)))

    def _collect(self, *keys):
        found = None
        for key in keys:
            one = self.pki.revocation.collect((key.certificate, *key.chain), now())
            found = one if found is None else found.merged(one)
        return found

    def stamp(self, octets: bytes) -> bytes:
        return self.pki.timestamper.timestamp(hashlib.sha256(octets).digest())

    def signed(self, pdf: bytes, key: OddKey, name: str, box, *, timed=True, **habit) -> bytes:
        if timed:
            habit["unsigned"] = lambda value: [attribute(TIMESTAMP, self.stamp(value))]
        packed = habit.pop("packed", False)
        make = signer_of(key, Habit(**habit))
        return sign_visibly(pdf, Stroke(name, make, box, picture="seal"), packed=packed)


@pytest.fixture(scope="module")
def makers(test_pki) -> Makers:
    return Makers(test_pki)


def require(report, level: str) -> None:
    found = [(c.check, c.detail) for c in report.all_checks()
             if c.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)]  # fmt: skip
    assert report.integrity is Integrity.INTACT, found
    assert report.indication is Indication.TOTAL_PASSED, found
    assert [s.level for s in report.signatures][-1] == level


@pytest.mark.parametrize("shape", Shape)
def test_long_term(makers, verifier, shape):
    packed = shape is Shape.ADOBE
    data = makers.signed(decision(), makers.leader, "Signature1", LEADER_BOX, packed=packed)
    data = add_store(data, makers.evidence, shape, stamp=makers.stamp)
    report = verifier.verify(data)
    require(report, "B-LT")
    assert {c.kind for c in report.signatures[0].changes} == {"dss"}


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("kind", ["DocTimeStamp", "Sig"])
def test_long_term_with_archive_timestamp(makers, verifier, shape, kind):
    """Of either type: what a dictionary calls itself makes no signer of a timestamp."""
    packed = shape is Shape.ADOBE
    data = makers.signed(decision(), makers.leader, "Signature1", LEADER_BOX, packed=packed)
    data = add_store(data, makers.evidence, shape, stamp=makers.stamp)
    data = add_document_timestamp(data, makers.stamp, kind=kind, packed=packed)
    report = verifier.verify(data)
    require(report, "B-LTA")
    assert len(report.signatures) == 1
    assert [t.indication for t in report.document_timestamps] == [Indication.TOTAL_PASSED]


@pytest.mark.parametrize("shape", Shape)
def test_a_second_signature_and_several_updates_of_the_store(makers, verifier, shape):
    """Signature, store, timestamp; another signature, the store grows, another timestamp."""
    packed = shape is Shape.ADOBE
    data = makers.signed(decision(), makers.leader, "Signature1", LEADER_BOX, packed=packed)
    data = add_store(data, makers.evidence, shape, stamp=makers.stamp)
    data = add_document_timestamp(data, makers.stamp, packed=packed)
    data = makers.signed(data, makers.officer, "Signature2", SEAL_BOX, packed=packed)
    data = add_store(data, makers.more, shape, stamp=makers.stamp)
    data = add_document_timestamp(data, makers.stamp, name="Timestamp2", kind="Sig", packed=packed)
    data = add_store(data, makers.more.merged(makers.evidence), shape, related=False)
    report = verifier.verify(data)
    assert report.integrity is Integrity.INTACT, [
        (c.check, c.detail) for c in report.all_checks() if c.integrity
    ]
    assert [s.integrity for s in report.signatures] == [Integrity.INTACT] * 2
    assert [t.integrity for t in report.document_timestamps] == [Integrity.INTACT] * 2
    assert [s.level for s in report.signatures] == ["B-LTA", "B-LTA"]
    assert report.indication is not Indication.TOTAL_FAILED


@pytest.mark.parametrize("shape", Shape)
def test_without_related_entries(makers, verifier, shape):
    """/VRI is optional (EN 319 142-1, 5.4.2.1)."""
    data = makers.signed(decision(), makers.leader, "Signature1", LEADER_BOX)
    data = add_store(data, makers.evidence, shape, related=False)
    require(verifier.verify(data), "B-LT")


def test_adobes_own_way_of_storing_revocation(makers, verifier):
    """adbe-revocationInfoArchival among the signed attributes: evidence without a store."""
    values = adobe_revocation(makers.evidence.crls, makers.evidence.ocsps)
    data = makers.signed(
        decision(), makers.leader, "Signature1", LEADER_BOX, signed=[values],
        certificates=[makers.leader.certificate, *makers.leader.chain],
    )  # fmt: skip
    report = verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.TOTAL_PASSED
    revocation = [c for c in report.signatures[0].checks if c.check == "revocation"]
    assert {c.outcome for c in revocation} == {Outcome.PASSED}


def test_revocation_lists_inside_the_signature(makers, verifier):
    """CRLs in the crls field of SignedData."""
    data = makers.signed(
        decision(), makers.leader, "Signature1", LEADER_BOX, revocation=makers.evidence.crls,
    )  # fmt: skip
    report = verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert "cms.canonical" not in {
        c.check for c in report.signatures[0].checks if c.outcome is not Outcome.PASSED
    }


def test_a_revocation_list_of_somebody_unknown_leaves_doubt(makers):
    """Genuine signers embed lists whose issuer is nowhere: undecided, but intact."""
    habit = Habit(revocation=makers.evidence.crls[:1], leaf_only=True)
    data = sign_visibly(decision(), Stroke("S", signer_of(makers.leader, habit), SEAL_BOX))
    report = Verifier(TrustStore()).verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE


def test_years_later(makers, verifier):
    """A B-LTA file still passes when its signer's certificate has long expired."""
    data = makers.signed(decision(), makers.leader, "Signature1", LEADER_BOX)
    data = add_store(data, makers.evidence, Shape.DSS)
    data = add_document_timestamp(data, makers.stamp)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=2 * 365)
    assert verifier.verify(data, later).indication is Indication.TOTAL_PASSED
    assert verifier.verify(data, later + dt.timedelta(days=3650)).integrity is Integrity.INTACT
