"""Whom and when: anchors, paths, validity, revocation, timestamps, levels, `at`."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hsm.keys import SignatureScheme
from signer.errors import TrustError
from signer.insecure_testpki.roles import KeyUses
from signer.sealing.levels import Level
from signer.services import RevocationEvidence
from signer.trust import TrustDomain, TrustStore
from signer.verification.report import Indication, Integrity, SubIndication
from signer.verification.validity.evidence import RevocationPolicy
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey, pem
from tests.fixtures_signed import now, plain_pdf, seal

DAY = dt.timedelta(days=1)


def outcome(report):
    return report.indication, report.sub_indication


def details(report):
    return " | ".join(f"{c.check}: {c.detail}" for c in report.all_checks())


def evidence_for(pki, *keys):
    """What the servers say now, asked by a client that has asked nothing yet."""
    client = pki.new_revocation_client()
    out = RevocationEvidence((), (), ())
    for key in keys:
        out = out.merged(client.collect((key.certificate, *key.chain), now()))
    return out


def test_other_anchors(signed):
    stranger = SoftwareKey(label="Gốc khác")
    report = Verifier(TrustStore.of([stranger.certificate])).verify(signed["B-LTA"])
    assert outcome(report) == (
        Indication.INDETERMINATE, SubIndication.NO_CERTIFICATE_CHAIN_FOUND,
    )  # fmt: skip
    assert report.integrity is Integrity.INTACT
    assert all(s.level == "B-B" for s in report.signatures)
    assert all(s.trust_domain is None for s in report.signatures)


def test_no_anchors(signed):
    report = Verifier(TrustStore()).verify(signed["B-LTA"])
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.INTACT


def test_a_namesake_root_is_not_the_root(test_pki, signed):
    """Same name, another key: nothing it says counts."""
    root = test_pki.anchors[0]
    key = SoftwareKey(label="x")
    forged = (
        x509.CertificateBuilder()
        .subject_name(root.subject)
        .issuer_name(root.subject)
        .public_key(key.private_key.public_key())
        .serial_number(root.serial_number)
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + DAY)
        .add_extension(x509.BasicConstraints(True, None), True)
        .sign(key.private_key, hashes.SHA256())
    )
    report = Verifier(TrustStore.of([forged])).verify(signed["B-LTA"])
    assert report.sub_indication is SubIndication.NO_CERTIFICATE_CHAIN_FOUND


def test_domain_is_named(verifier, signed):
    report = verifier.verify(signed["B-LTA"])
    assert {s.trust_domain for s in report.signatures} == {"TEST"}
    assert report.document_timestamps[0].trust_domain == "TEST"


def test_several_roots_at_once(test_pki, signed):
    other = SoftwareKey(label="Gốc cũ").certificate
    store = TrustStore.of([other], TrustDomain.PUBLIC).merged(
        TrustStore.of(test_pki.anchors, TrustDomain.OFFICIAL_DUTY)
    )
    report = Verifier(store).verify(signed["B-LTA"])
    assert {s.trust_domain for s in report.signatures} == {"OFFICIAL_DUTY"}


def test_levels_from_evidence(verifier, informed_verifier, signed):
    levels = {
        name: [s.level for s in informed_verifier.verify(data).signatures]
        for name, data in signed.items()
    }
    assert levels == {
        "B-B": ["B-B"], "roomy": ["B-B"],
        "rsa": ["B-B"], "pss": ["B-T"], "B-T": ["B-T"], "B-LT": ["B-LT"],
        "B-LTA": ["B-LTA"] * 3, "certified": ["B-LTA"], "streams": ["B-LTA"],
    }  # fmt: skip


def test_missing_evidence_is_never_a_silent_pass(verifier, signed):
    for name in ("B-B", "B-T"):
        report = verifier.verify(signed[name])
        assert outcome(report) == (Indication.INDETERMINATE, SubIndication.TRY_LATER)
        assert report.integrity is Integrity.INTACT


def test_evidence_ages(informed_verifier, signed):
    """Evidence valid today says nothing of the day after its window."""
    report = informed_verifier.verify(signed["B-B"], now() + 60 * DAY)
    assert outcome(report) == (Indication.INDETERMINATE, SubIndication.TRY_LATER)
    assert "too old" in details(report)


def test_maximum_age_is_configurable(trust, test_pki, signed):
    evidence = evidence_for(test_pki, test_pki.seal)
    strict = RevocationPolicy(dt.timedelta(0), dt.timedelta(0), dt.timedelta(0))
    later = now() + dt.timedelta(minutes=10)
    assert (
        Verifier(trust, evidence=evidence).verify(signed["B-B"], later).indication
        is Indication.TOTAL_PASSED
    )
    report = Verifier(trust, revocation=strict, evidence=evidence).verify(signed["B-B"], later)
    assert report.sub_indication is SubIndication.TRY_LATER


def test_evidence_from_after_the_moment_is_ignored(informed_verifier, signed):
    report = informed_verifier.verify(signed["B-B"], now() - dt.timedelta(minutes=30))
    assert report.indication is Indication.INDETERMINATE


def test_archive_keeps_its_value_after_the_certificates(verifier, signed):
    """B-LTA: signer and TSA have expired by then, the last timestamp's TSA too: not passed.

    Within the TSA's life the proved time decides, long after the evidence went stale.
    """
    year_later = verifier.verify(signed["B-LTA"], now() + 365 * DAY)
    assert year_later.indication is Indication.TOTAL_PASSED
    ten_years = verifier.verify(signed["B-LTA"], now() + 3650 * DAY)
    assert ten_years.indication is Indication.INDETERMINATE
    assert ten_years.sub_indication is SubIndication.OUT_OF_BOUNDS_NO_POE
    assert ten_years.integrity is Integrity.INTACT


def test_proved_time_beats_expiry(trust, test_pki):
    """A certificate that expires in a minute signs with a timestamp; judged a day later."""
    short = test_pki.issue(lifetime=dt.timedelta(hours=1))
    data = seal(test_pki, plain_pdf(), short, Level.B_LTA)
    report = Verifier(trust).verify(data, now() + DAY)
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].proved_time is not None


def test_expired_without_proof_of_time(trust, test_pki):
    short = test_pki.issue(lifetime=dt.timedelta(hours=1))
    data = seal(test_pki, plain_pdf(), short)
    report = Verifier(trust, evidence=evidence_for(test_pki, short)).verify(data, now() + DAY)
    assert outcome(report) == (Indication.INDETERMINATE, SubIndication.OUT_OF_BOUNDS_NO_POE)


def test_expired_before_the_claimed_time(trust, test_pki):
    old = test_pki.issue(starts_after=-9 * DAY, lifetime=8 * DAY)
    data = seal(test_pki, plain_pdf(), old)
    report = Verifier(trust).verify(data)
    assert outcome(report) == (Indication.TOTAL_FAILED, SubIndication.EXPIRED)
    assert report.integrity is Integrity.INTACT


def test_not_yet_valid_at_the_proved_time(trust, test_pki):
    young = test_pki.issue(starts_after=DAY)
    data = seal(test_pki, plain_pdf(), young, Level.B_T)
    evidence = evidence_for(test_pki, test_pki.tsa)
    report = Verifier(trust, evidence=evidence).verify(data)
    assert outcome(report) == (Indication.TOTAL_FAILED, SubIndication.NOT_YET_VALID)


@pytest.fixture
def revoked(test_pki):
    """A key revoked an hour ago, and taken back afterwards; evidence of both kinds."""
    key = test_pki.issue()
    moment = now() - dt.timedelta(hours=1)
    test_pki.pki.revoke(key.certificate, at=moment, reason=x509.ReasonFlags.key_compromise)
    crl = test_pki.pki.crl(_issuing())
    yield key, moment, crl
    test_pki.pki.unrevoke(key.certificate)


def _issuing():
    from signer.insecure_testpki import Role

    return Role.ISSUING


def test_revoked_before_the_claimed_time(trust, test_pki, revoked):
    key, _, crl = revoked
    data = seal(test_pki, plain_pdf(), key)
    report = Verifier(trust, evidence=RevocationEvidence((), (crl,), ())).verify(data)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.sub_indication is SubIndication.REVOKED
    assert report.integrity is Integrity.INTACT


def test_revoked_and_no_proof_of_an_earlier_time(trust, test_pki, revoked):
    """Backdating /M does not help: without proof it stays undecided."""
    key, moment, crl = revoked
    data = seal(test_pki, plain_pdf(), key, claimed_at=moment - DAY)
    report = Verifier(trust, evidence=RevocationEvidence((), (crl,), ())).verify(data)
    assert outcome(report) == (Indication.INDETERMINATE, SubIndication.REVOKED_NO_POE)


def test_revoked_after_the_proved_time(trust, test_pki):
    key = test_pki.issue()
    data = seal(test_pki, plain_pdf(), key, Level.B_T)
    good = evidence_for(test_pki, test_pki.tsa)
    try:
        test_pki.pki.revoke(key.certificate, at=now() + dt.timedelta(seconds=2))
        crl = test_pki.pki.crl(_issuing())
    finally:
        test_pki.pki.unrevoke(key.certificate)
    verifier = Verifier(trust, evidence=good.merged(RevocationEvidence((), (crl,), ())))
    report = verifier.verify(data, now() + dt.timedelta(minutes=1))
    assert report.indication is Indication.TOTAL_PASSED
    assert "after the proved time" in details(report)


def test_revoked_by_ocsp(trust, test_pki, revoked):
    key, *_ = revoked
    import httpx
    from cryptography.x509 import ocsp

    request = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(key.certificate, key.chain[0], hashes.SHA1())  # noqa: S303
        .build()
    )
    answer = httpx.post(
        f"{test_pki.services.base_url}/ocsp",
        content=request.public_bytes(Encoding.DER),
        headers={"Content-Type": "application/ocsp-request"},
    )
    data = seal(test_pki, plain_pdf(), key)
    evidence = RevocationEvidence((), (), (answer.content,))
    report = Verifier(trust, evidence=evidence).verify(data)
    assert report.sub_indication is SubIndication.REVOKED


def test_wrong_key_usage(trust, test_pki):
    key = test_pki.issue(uses=KeyUses(crl_sign=True))
    data = seal(test_pki, plain_pdf(), key)
    report = Verifier(trust, evidence=evidence_for(test_pki, key)).verify(data)
    assert outcome(report) == (
        Indication.INDETERMINATE, SubIndication.CHAIN_CONSTRAINTS_FAILURE,
    )  # fmt: skip


def test_wrong_extended_usage(trust, test_pki):
    key = test_pki.issue(extended_key_usage=(ExtendedKeyUsageOID.SERVER_AUTH,))
    report = Verifier(trust).verify(seal(test_pki, plain_pdf(), key))
    assert report.sub_indication is SubIndication.CHAIN_CONSTRAINTS_FAILURE


def test_signed_by_an_end_entity_posing_as_issuer(trust, test_pki):
    """A signer's certificate must not issue others, whatever its chain."""
    officer = test_pki.officer
    child = SoftwareKey(SignatureScheme.ECDSA_SHA256, label="con")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kẻ mạo danh")]))
        .issuer_name(officer.certificate.subject)
        .public_key(child.private_key.public_key())
        .serial_number(7)
        .not_valid_before(now() - DAY)
        .not_valid_after(now() + DAY)
        .sign(officer.private_key, hashes.SHA256())
    )
    forged = SoftwareKey(
        SignatureScheme.ECDSA_SHA256,
        certificate=certificate,
        private_key=child.private_key,
        chain=(officer.certificate, *officer.chain),
    )
    report = Verifier(trust).verify(seal(test_pki, plain_pdf(), forged))
    assert outcome(report) == (
        Indication.INDETERMINATE, SubIndication.CHAIN_CONSTRAINTS_FAILURE,
    )  # fmt: skip
    assert "not a certification authority" in details(report)


def test_pinned_signer_certificate(test_pki):
    """A self-signed signer that was pinned is a path of one."""
    key = SoftwareKey(SignatureScheme.ECDSA_SHA256, label="Tự ký")
    report = Verifier(TrustStore.of([key.certificate])).verify(seal(test_pki, plain_pdf(), key))
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].trust_domain == "PINNED"


def test_naive_time_is_refused(verifier, signed):
    with pytest.raises(ValueError, match="time zone"):
        verifier.verify(signed["B-B"], dt.datetime(2026, 1, 1))  # noqa: DTZ001


class TestTrustStore:
    def test_domain_in_the_file(self, test_pki):
        text = b"Trust-Domain: OFFICIAL_DUTY\n" + pem(test_pki.anchors[0])
        assert TrustStore.from_pem(text).anchors[0].domain is TrustDomain.OFFICIAL_DUTY
        assert TrustStore.from_pem(text, TrustDomain.TEST).anchors[0].domain is TrustDomain.TEST

    def test_unlabelled_is_pinned(self, test_pki):
        store = TrustStore.from_pem(pem(test_pki.anchors[0]))
        assert store.anchors[0].domain is TrustDomain.PINNED

    def test_unknown_domain(self, test_pki):
        with pytest.raises(TrustError, match="OFFICIAL_DUTY"):
            TrustStore.from_pem(b"Trust-Domain: XYZ\n" + pem(test_pki.anchors[0]))

    def test_intermediates_are_told_from_anchors(self, test_pki):
        chain = test_pki.officer.chain
        both = b"".join(pem(c) for c in (*chain, *test_pki.anchors))
        store = TrustStore.from_pem(both)
        assert {a.certificate for a in store.anchors} == set(test_pki.anchors)
        assert set(store.intermediates) == set(chain) - set(test_pki.anchors)

    def test_pinned_intermediate_is_an_anchor(self, test_pki, signed):
        issuing = test_pki.officer.chain[0]
        store = TrustStore.from_pem(pem(issuing))
        assert [a.certificate for a in store.anchors] == [issuing]
        assert Verifier(store).verify(signed["B-LTA"]).indication is Indication.TOTAL_PASSED

    @pytest.mark.parametrize(
        "text",
        [
            b"",
            b"nonsense",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ],
    )
    def test_unreadable(self, text, tmp_path):
        path = tmp_path / "a.pem"
        path.write_bytes(text)
        with pytest.raises(TrustError, match=r"a\.pem"):
            TrustStore.from_files([path])

    def test_missing_file(self, tmp_path):
        with pytest.raises(TrustError, match="cannot be read"):
            TrustStore.from_files([tmp_path / "none.pem"])

    def test_merging_keeps_the_first_domain(self, test_pki):
        first = TrustStore.of(test_pki.anchors, TrustDomain.TEST)
        second = TrustStore.of(test_pki.anchors, TrustDomain.PUBLIC)
        assert first.merged(second) == first
