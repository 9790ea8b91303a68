"""Genuine files by other producers are INTACT, and what is weak or unproved is said as such."""

from __future__ import annotations

import pytest
from asn1crypto import cms as asn1_cms
from asn1crypto import crl as asn1_crl
from asn1crypto import ocsp as asn1_ocsp
from cryptography.hazmat.primitives.serialization import Encoding
from pyhanko.sign.fields import MDPPerm, SigSeedSubFilter
from pyhanko_certvalidator import ValidationContext

from hsm.keys import SignatureScheme
from signer.trust import TrustStore
from signer.verification.report import Indication, Integrity, Outcome, SubIndication
from signer.verification.verify import Verifier
from tests.fakes import SoftwareKey
from tests.fixtures_signed import now, plain_pdf
from tests.foreign import (
    PyhankoTimeStamper,
    asn1_certificate,
    openssl_cms,
    place_cms,
    pyhanko_sign,
    pyhanko_timestamp,
)


def warnings_of(report):
    return {c.check for c in report.all_checks() if c.outcome is Outcome.WARNING}


def undecided(report):
    return {c.check for c in report.all_checks() if c.outcome is Outcome.INDETERMINATE}


@pytest.fixture(scope="module")
def context(test_pki):
    """pyHanko's own context with our evidence, no network."""
    evidence = test_pki.revocation.collect(
        (test_pki.officer.certificate, *test_pki.officer.chain), now()
    )
    for key in (test_pki.leader, test_pki.seal, test_pki.tsa):
        evidence = evidence.merged(
            test_pki.revocation.collect((key.certificate, *key.chain), now())
        )

    def make():
        return ValidationContext(
            trust_roots=[asn1_certificate(c) for c in test_pki.anchors],
            other_certs=[asn1_certificate(c) for c in test_pki.officer.chain],
            crls=[asn1_crl.CertificateList.load(c) for c in evidence.crls],
            ocsps=[asn1_ocsp.OCSPResponse.load(o) for o in evidence.ocsps],
            allow_fetching=False,
            revocation_mode="hard-fail",
        )

    return make


def test_pyhanko_b_b(informed_verifier, test_pki):
    data = pyhanko_sign(plain_pdf(), test_pki.officer, "Sig1")
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_PASSED
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].level == "B-B"


def test_pyhanko_two_signatures_with_appearances(informed_verifier, test_pki):
    """pyHanko rewrites XMP and adds fonts and fields with each signature."""
    data = pyhanko_sign(plain_pdf(), test_pki.leader, "Leader", box=(300, 100, 450, 170))
    data = pyhanko_sign(data, test_pki.seal, "Seal", box=(240, 80, 350, 190))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT, [
        c.detail for s in report.signatures for c in s.changes if not c.allowed
    ]
    assert report.indication is Indication.TOTAL_PASSED
    kinds = [c.kind for c in report.signatures[0].changes]
    assert "signature" in kinds
    assert set(kinds) <= {"signature", "metadata-dates"}


def test_pyhanko_b_lta(informed_verifier, test_pki, context):
    """Two signatures over object streams, a DSS and a document timestamp, all by pyHanko."""
    stamper = PyhankoTimeStamper(test_pki.timestamper)
    data = pyhanko_sign(plain_pdf(object_streams=True), test_pki.leader, "Leader")
    data = pyhanko_sign(data, test_pki.seal, "Seal", timestamper=stamper, context=context())
    data = pyhanko_timestamp(data, stamper)
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_PASSED
    assert [s.level for s in report.signatures][1] == "B-LTA"
    assert [t.indication for t in report.document_timestamps] == [Indication.TOTAL_PASSED]


def test_pyhanko_b_lt_ends_uncovered(verifier, test_pki, context):
    stamper = PyhankoTimeStamper(test_pki.timestamper)
    data = pyhanko_sign(plain_pdf(), test_pki.leader, "L", timestamper=stamper, context=context())
    report = verifier.verify(data)
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].level == "B-LT"


def test_pyhanko_certified_then_signed(informed_verifier, test_pki):
    data = pyhanko_sign(
        plain_pdf(), test_pki.leader, "L", certify=True, docmdp_permissions=MDPPerm.FILL_FORMS
    )
    data = pyhanko_sign(data, test_pki.seal, "S")
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_PASSED
    assert report.signatures[0].certification == 2


def test_pkcs7_detached_without_certificate_attribute(informed_verifier, test_pki, tmp_path):
    """As agencies really sign (leaf certificate only): a warning, and INTACT."""
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert "cms.signing-certificate" in warnings_of(report)
    assert report.signatures[0].level == "PKCS7-B"
    assert report.indication in (Indication.TOTAL_PASSED, Indication.INDETERMINATE)


def test_pkcs7_with_intermediate_from_the_store(test_pki, tmp_path, informed_verifier):
    """Only the leaf is embedded; the verifier holds the intermediate (K9)."""
    store = TrustStore.of(test_pki.anchors, intermediates=test_pki.leader.chain)
    verifier = Verifier(store, evidence=informed_verifier._evidence)
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path), upper=True)
    assert verifier.verify(data).indication is Indication.TOTAL_PASSED


def test_cades_claimed_without_certificate_attribute(informed_verifier, test_pki, tmp_path):
    """ETSI.CAdES.detached demands the attribute: undecided, not passed."""
    data = place_cms(
        plain_pdf(), openssl_cms(test_pki.leader, tmp_path), sub_filter="ETSI.CAdES.detached"
    )
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert "cms.signing-certificate" in undecided(report)


def test_openssl_cades(informed_verifier, test_pki, tmp_path):
    data = place_cms(
        plain_pdf(), openssl_cms(test_pki.seal, tmp_path, "-cades"),
        sub_filter="ETSI.CAdES.detached",
    )  # fmt: skip
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].level == "B-B"


@pytest.mark.parametrize("digest", ["sha384", "sha512", "sha3-256"])
def test_other_digests(informed_verifier, test_pki, tmp_path, digest):
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path, "-md", digest))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].algorithm == f"rsa-pkcs1-{digest.replace('-', '_')}"


def test_pss(informed_verifier, test_pki, tmp_path):
    options = ("-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_pss_saltlen:32")
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path, *options))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.signatures[0].algorithm == "rsa-pss-sha256"


def test_sha1_is_intact_but_weak(informed_verifier, test_pki, tmp_path):
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path, "-md", "sha1"))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert report.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE


def test_small_rsa_key_is_weak(tmp_path):
    key = SoftwareKey(SignatureScheme.RSA_PKCS1_SHA256, bits=1024)
    data = place_cms(plain_pdf(), openssl_cms(key, tmp_path))
    report = Verifier(TrustStore.of([key.certificate])).verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.sub_indication is SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE
    assert "RSA-1024" in " ".join(c.detail for c in report.all_checks())


def test_no_signed_attributes(informed_verifier, test_pki, tmp_path):
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path, "-noattr"))
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.MALFORMED


def test_encapsulated_content(informed_verifier, test_pki, tmp_path):
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path, "-nodetach"), room=40000)
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.MALFORMED


def test_certificate_left_out(informed_verifier, test_pki, tmp_path):
    """The signer's certificate is nowhere: its digest is right, nothing else can be said."""
    key = SoftwareKey(SignatureScheme.ECDSA_SHA256, label="Vô danh")
    data = place_cms(plain_pdf(), openssl_cms(key, tmp_path, "-nocerts"))
    report = informed_verifier.verify(data)
    assert report.indication is Indication.INDETERMINATE
    assert report.sub_indication is SubIndication.NO_SIGNING_CERTIFICATE_FOUND
    assert report.integrity is Integrity.UNKNOWN
    assert report.signatures[0].signer == ""


def test_signer_named_by_key_identifier(informed_verifier, test_pki, tmp_path):
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path, "-keyid"))
    assert informed_verifier.verify(data).integrity is Integrity.INTACT


def as_ber(der: bytes) -> bytes:
    """The outer three layers with indefinite lengths, as BouncyCastle streams write them."""
    info = asn1_cms.ContentInfo.load(der)
    oid = info["content_type"].dump()
    body = info["content"].contents
    return b"\x30\x80" + oid + b"\xa0\x80\x30\x80" + body + b"\0\0" * 3


def test_ber_from_a_streaming_writer(informed_verifier, test_pki, tmp_path):
    make = openssl_cms(test_pki.leader, tmp_path)
    data = place_cms(plain_pdf(), lambda covered: as_ber(make(covered)))
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert "cms.structure" in warnings_of(report)


@pytest.mark.parametrize("sub_filter", ["adbe.pkcs7.sha1", "adbe.x509.rsa_sha1", "vnpt.detached"])
def test_formats_that_are_not_computed(informed_verifier, test_pki, tmp_path, sub_filter):
    data = place_cms(plain_pdf(), openssl_cms(test_pki.leader, tmp_path), sub_filter=sub_filter)
    report = informed_verifier.verify(data)
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.UNKNOWN


@pytest.mark.parametrize("kind", ["Sig", "DocTimeStamp"])
def test_document_timestamp_of_either_type(informed_verifier, test_pki, kind):
    """ETSI.RFC3161 typed /Sig is a timestamp, and alone it makes no signed document."""
    import hashlib

    data = place_cms(
        plain_pdf(),
        lambda covered: test_pki.timestamper.timestamp(hashlib.sha256(covered).digest()),
        sub_filter="ETSI.RFC3161",
        kind=kind,
    )
    report = informed_verifier.verify(data)
    assert report.signatures == ()
    assert report.integrity is Integrity.NONE
    assert report.indication is Indication.INDETERMINATE
    (token,) = report.document_timestamps
    assert token.integrity is Integrity.INTACT
    assert token.indication is Indication.TOTAL_PASSED
    assert token.covers_whole_file


def test_the_shape_of_provincial_decisions(test_pki, tmp_path, informed_verifier):
    """Five signatures in one file, leaf certificates only, no DSS, SHA-1 among them (5.8)."""
    names = ["Lanh dao", "Con dau", "So", "Ngay", "Cong bao"]
    keys = [test_pki.leader, test_pki.officer, test_pki.officer, test_pki.officer, test_pki.leader]
    data = plain_pdf()
    for index, (name, key) in enumerate(zip(names, keys, strict=True)):
        options = ("-md", "sha1") if index == 1 else ()
        data = place_cms(data, openssl_cms(key, tmp_path, *options), name=name)
    store = TrustStore.of(test_pki.anchors, intermediates=test_pki.leader.chain)
    report = Verifier(store, evidence=informed_verifier._evidence).verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.INDETERMINATE
    assert [s.field_name for s in report.signatures] == names
    assert [s.indication for s in report.signatures].count(Indication.TOTAL_PASSED) == 4
    assert len(report.signatures[0].changes) == 4
    assert test_pki.leader.certificate.public_bytes(Encoding.DER)


def test_pkcs7_subfilter_by_pyhanko(informed_verifier, test_pki):
    data = pyhanko_sign(
        plain_pdf(), test_pki.officer, "S", subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED
    )
    report = informed_verifier.verify(data)
    assert report.indication is Indication.TOTAL_PASSED
