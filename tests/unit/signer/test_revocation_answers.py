"""OCSP responses and CRLs that must not become evidence, and those that must."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from hypothesis import given
from hypothesis import strategies as st

from hsm.keys import SignatureScheme
from signer.algorithm_policy import AlgorithmPolicy
from signer.insecure_testpki import Role
from signer.insecure_testpki.roles import PROFILES, KeyUses
from signer.revocation_answers import (
    UnusableEvidence,
    build_ocsp_request,
    read_crl,
    read_ocsp_response,
)
from tests.fakes import SoftwareKey
from tests.fixtures_pki import MemoryBareKey

HOUR = dt.timedelta(hours=1)
SHA1 = hashes.SHA1()  # noqa: S303 - the usual hash of a CertID, which nothing relies on
SKEW = dt.timedelta(minutes=5)


def now():
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@pytest.fixture(scope="module")
def issuer(test_pki):
    return test_pki.pki.key(Role.ISSUING)


@pytest.fixture(scope="module")
def responder(test_pki):
    return test_pki.pki.key(Role.OCSP)


@pytest.fixture(scope="module")
def officer(test_pki):
    return test_pki.officer.certificate


def judge(encoded, certificate, issuer, at=None, nonce=None):
    return read_ocsp_response(
        encoded,
        certificate,
        issuer.certificate,
        at or now(),
        nonce=nonce,
        skew=SKEW,
        maximum_age=HOUR,
        policy=AlgorithmPolicy.default(),
    )


def response(
    certificate,
    issuer,
    signer,
    *,
    status=ocsp.OCSPCertStatus.GOOD,
    this_update=None,
    next_update=HOUR,
    certificates=None,
    digest=None,
    encoding=ocsp.OCSPResponderEncoding.HASH,
    algorithm=None,
    nonce=None,
):
    """An OCSPResponse by `signer`, made by the cryptography library."""
    this_update = this_update or now()
    revoked = status is ocsp.OCSPCertStatus.REVOKED
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            certificate,
            issuer.certificate,
            algorithm or hashes.SHA256(),
            status,
            this_update,
            next_update and this_update + next_update,
            this_update - HOUR if revoked else None,
            x509.ReasonFlags.key_compromise if revoked else None,
        )
        .responder_id(encoding, signer.certificate)
    )
    if certificates != []:
        builder = builder.certificates(certificates or [signer.certificate])
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), False)
    return builder.sign(signer.private_key, digest or hashes.SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize("encoding", list(ocsp.OCSPResponderEncoding))
@pytest.mark.parametrize("algorithm", [SHA1, hashes.SHA256(), hashes.SHA512()])
def test_a_good_answer_by_the_delegated_responder(officer, issuer, responder, encoding, algorithm):
    encoded = response(officer, issuer, responder, encoding=encoding, algorithm=algorithm)
    answer = judge(encoded, officer, issuer)
    assert (answer.encoded, answer.revoked, answer.responder) == (
        encoded,
        None,
        responder.certificate,
    )
    assert not answer.responder_needs_evidence  # id-pkix-ocsp-nocheck


def test_a_good_answer_by_the_issuer(officer, issuer):
    encoded = response(officer, issuer, issuer, certificates=[])
    assert judge(encoded, officer, issuer).responder is None


def test_a_responder_without_nocheck_needs_evidence(test_pki, officer, issuer):
    key = test_pki.issue(PROFILES[Role.OCSP], ocsp_no_check=False)
    answer = judge(response(officer, issuer, key), officer, issuer)
    assert (answer.responder, answer.responder_needs_evidence) == (key.certificate, True)


def test_a_revoked_certificate(officer, issuer, responder):
    encoded = response(officer, issuer, responder, status=ocsp.OCSPCertStatus.REVOKED)
    revoked = judge(encoded, officer, issuer).revoked
    assert revoked.at < now()
    assert revoked.reason == "keyCompromise"


def test_windows(officer, issuer, responder):
    for this_update, next_update in (
        (now() - 2 * HOUR, HOUR),  # outdated
        (now() + HOUR, HOUR),  # not yet valid
        (now() - 2 * HOUR, None),  # no nextUpdate and older than the maximum age
    ):
        encoded = response(
            officer, issuer, responder, this_update=this_update, next_update=next_update
        )
        with pytest.raises(UnusableEvidence, match="it speaks from"):
            judge(encoded, officer, issuer)
    start = now()
    fresh = response(officer, issuer, responder, this_update=start, next_update=None)
    assert judge(fresh, officer, issuer).window.next_update == start + HOUR
    early = response(officer, issuer, responder, this_update=now() + SKEW / 2)
    assert judge(early, officer, issuer)  # clocks differ a little


def refused(encoded, officer, issuer, message, **options):
    with pytest.raises(UnusableEvidence, match=message):
        judge(encoded, officer, issuer, **options)


def test_another_certificate(test_pki, officer, issuer, responder):
    refused(
        response(test_pki.leader.certificate, issuer, responder),
        officer,
        issuer,
        "another certificate",
    )


def test_another_issuer_with_the_same_serial(test_pki, officer, issuer, responder):
    root = test_pki.pki.key(Role.ROOT)
    refused(response(officer, root, responder), officer, issuer, "another certificate")


def test_unknown(officer, issuer, responder):
    encoded = response(officer, issuer, responder, status=ocsp.OCSPCertStatus.UNKNOWN)
    refused(encoded, officer, issuer, "does not know")


@pytest.mark.parametrize(
    "status",
    [s for s in ocsp.OCSPResponseStatus if s is not ocsp.OCSPResponseStatus.SUCCESSFUL],
)
def test_error_statuses(officer, issuer, status):
    encoded = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
    refused(encoded, officer, issuer, status.name)


def test_signers_without_a_mandate(test_pki, officer, issuer):
    stranger = SoftwareKey(label="stranger")
    for key, message in (
        (stranger, "not certified by"),
        (test_pki.leader, "may not sign OCSP"),
        (test_pki.tsa, "may not sign OCSP"),
        (test_pki.pki.key(Role.ROOT), "not certified by"),
    ):
        refused(response(officer, issuer, key), officer, issuer, message)


def test_a_signer_whose_certificate_is_missing(officer, issuer, responder, test_pki):
    for certificates in ([], [test_pki.leader.certificate]):
        encoded = response(officer, issuer, responder, certificates=certificates)
        refused(encoded, officer, issuer, "is missing")


def test_an_expired_responder(test_pki, officer, issuer):
    key = test_pki.issue(PROFILES[Role.OCSP], starts_after=-9 * 24 * HOUR, lifetime=8 * 24 * HOUR)
    refused(response(officer, issuer, key), officer, issuer, "not in force")


def test_a_weak_responder_key(test_pki, officer, issuer):
    weak = MemoryBareKey("weak", SignatureScheme.RSA_PKCS1_SHA256, bits=1024)
    key = test_pki.pki.issue(PROFILES[Role.OCSP], weak)
    refused(response(officer, issuer, key), officer, issuer, "1024 bits")


def test_signatures_with_a_digest_that_is_not_allowed(officer, issuer, responder):
    refused(
        response(officer, issuer, responder, digest=hashes.SHA224()),
        officer,
        issuer,
        "not an allowed one",
    )


def test_a_wrong_signature(officer, issuer, responder):
    encoded = bytearray(response(officer, issuer, responder, certificates=[responder.certificate]))
    window = encoded.find(now().strftime("%Y%m%d%H").encode())
    encoded[window + 11] ^= 1  # a digit of producedAt
    refused(bytes(encoded), officer, issuer, "does not hold")


def test_nonces(officer, issuer, responder):
    nonce = bytes(range(16))
    encoded = response(officer, issuer, responder, nonce=nonce)
    assert judge(encoded, officer, issuer, nonce=nonce)
    assert judge(encoded, officer, issuer)  # from the cache, where no nonce is asked for
    assert judge(response(officer, issuer, responder), officer, issuer, nonce=nonce)
    refused(encoded, officer, issuer, "replay", nonce=bytes(16))


@pytest.mark.parametrize("nonce", [None, bytes(16)])
def test_our_requests_are_read_by_the_cryptography_library(officer, issuer, nonce):
    request = ocsp.load_der_ocsp_request(build_ocsp_request(officer, issuer.certificate, nonce))
    assert request.serial_number == officer.serial_number
    expected = ocsp.OCSPRequestBuilder().add_certificate(officer, issuer.certificate, SHA1)
    wanted = expected.build()
    assert request.issuer_name_hash == wanted.issuer_name_hash
    assert request.issuer_key_hash == wanted.issuer_key_hash
    if nonce:
        extension = request.extensions.get_extension_for_class(x509.OCSPNonce)
        assert extension.value.nonce == nonce
    else:
        assert build_ocsp_request(officer, issuer.certificate, None) == wanted.public_bytes(
            Encoding.DER
        )


@given(data=st.binary(max_size=200), position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_spoilt_responses_never_pass_and_never_escape(
    officer, issuer, responder, data, position, bit
):
    with pytest.raises(UnusableEvidence):
        judge(data, officer, issuer)
    genuine = response(officer, issuer, responder)
    spoilt = bytearray(genuine)
    spoilt[position % len(spoilt)] ^= 1 << bit
    try:
        answer = judge(bytes(spoilt), officer, issuer)
    except UnusableEvidence:
        return
    assert answer.revoked is None  # only what no signature covers was changed
    assert answer.responder == responder.certificate


# --- CRLs -----------------------------------------------------------------------------


def crl(key, *, name=None, start=None, validity=HOUR, revoked=(), extensions=(), digest=None):
    """A DER CRL by `key`, made by the cryptography library."""
    start = start or now()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(name or key.certificate.subject)
        .last_update(start)
        .next_update(start + validity)
    )
    for certificate, reason in revoked:
        entry = x509.RevokedCertificateBuilder(certificate.serial_number, now())
        if reason:
            entry = entry.add_extension(x509.CRLReason(reason), False)
        builder = builder.add_revoked_certificate(entry.build())
    for value, critical in extensions:
        builder = builder.add_extension(value, critical)
    signed = builder.sign(key.private_key, digest or hashes.SHA256())
    return signed.public_bytes(Encoding.DER)


def check(encoded, issuer, at=None):
    return read_crl(
        encoded,
        issuer.certificate,
        at or now(),
        skew=SKEW,
        maximum_age=HOUR,
        policy=AlgorithmPolicy.default(),
    )


def test_a_crl_says_who_is_revoked(officer, test_pki, issuer):
    leader, seal = test_pki.leader.certificate, test_pki.seal.certificate
    encoded = crl(issuer, revoked=[(leader, x509.ReasonFlags.certificate_hold), (seal, None)])
    checked = check(encoded, issuer)
    assert checked.encoded == encoded
    assert checked.status(officer) is None
    assert checked.status(leader).reason == "certificateHold"
    assert checked.status(seal).reason == "unspecified"


def refuse_crl(encoded, issuer, message):
    with pytest.raises(UnusableEvidence, match=message):
        check(encoded, issuer)


def test_unusable_crls(test_pki, issuer):
    root = test_pki.pki.key(Role.ROOT)
    refuse_crl(crl(root), issuer, "another issuer")
    refuse_crl(crl(root, name=issuer.certificate.subject), issuer, "does not hold")
    refuse_crl(crl(issuer, start=now() - 2 * HOUR), issuer, "it speaks from")
    refuse_crl(crl(issuer, start=now() + HOUR), issuer, "it speaks from")
    refuse_crl(crl(issuer, digest=hashes.SHA224()), issuer, "sha224 is not allowed")
    refuse_crl(crl(issuer, extensions=[(x509.DeltaCRLIndicator(1), True)]), issuer, "delta")
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"\x05\x00")
    refuse_crl(crl(issuer, extensions=[(unknown, True)]), issuer, r"critical extension 2\.999\.1")
    assert check(crl(issuer, extensions=[(unknown, False)]), issuer)
    refuse_crl(b"", issuer, "unusable")
    refuse_crl(b"-----BEGIN X509 CRL-----", issuer, "unusable")


def scope(**changes):
    values = dict.fromkeys(
        ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl",
         "only_contains_attribute_certs"), False,
    ) | dict.fromkeys(("full_name", "relative_name", "only_some_reasons"))  # fmt: skip
    return [(x509.IssuingDistributionPoint(**(values | changes)), True)]


def test_scopes(test_pki, officer, issuer):
    for changes in (
        {"indirect_crl": True},
        {"only_contains_attribute_certs": True},
        {"only_some_reasons": frozenset([x509.ReasonFlags.key_compromise])},
    ):
        refuse_crl(crl(issuer, extensions=scope(**changes)), issuer, "indirect or holds only")
    users = check(crl(issuer, extensions=scope(only_contains_user_certs=True)), issuer)
    authorities = check(crl(issuer, extensions=scope(only_contains_ca_certs=True)), issuer)
    assert users.status(officer) is None
    assert authorities.status(issuer.certificate) is None
    for checked, certificate in ((users, issuer.certificate), (authorities, officer)):
        with pytest.raises(UnusableEvidence, match="this kind of certificate"):
            checked.status(certificate)


def test_distribution_points(test_pki, officer, issuer):
    own = f"{test_pki.services.base_url}/crl/issuing.crl"
    for url, certificate, fits in (
        (own, officer, True),
        ("http://127.0.0.1:1/other.crl", officer, False),
        (own, SoftwareKey().certificate, False),  # names no distribution point at all
    ):
        point = [x509.UniformResourceIdentifier(url)]
        checked = check(crl(issuer, extensions=scope(full_name=point)), issuer)
        if fits:
            assert checked.status(certificate) is None
        else:
            with pytest.raises(UnusableEvidence, match="another distribution point"):
                checked.status(certificate)


def test_a_ca_without_basic_constraints_counts_as_a_user(issuer):
    checked = check(crl(issuer, extensions=scope(only_contains_user_certs=True)), issuer)
    assert checked.status(SoftwareKey().certificate) is None


def test_issuers_that_may_not_sign_crls(test_pki):
    signer = test_pki.issue(
        PROFILES[Role.ISSUING],
        uses=KeyUses(key_cert_sign=True),
        issuer=Role.ROOT,
        common_name="CA khác",
    )
    refuse_crl(crl(signer), signer, "may not sign CRLs")


def test_an_issuer_without_key_usage():
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "không có KeyUsage")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(5)
        .not_valid_before(now())
        .not_valid_after(now() + HOUR)
        .sign(private, hashes.SHA256())
    )
    key = SoftwareKey(certificate=certificate, private_key=private)
    assert check(crl(key), key)


@given(data=st.binary(max_size=200), position=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_spoilt_crls_never_pass(issuer, data, position, bit):
    with pytest.raises(UnusableEvidence):
        check(data, issuer)
    spoilt = bytearray(crl(issuer))
    spoilt[position % len(spoilt)] ^= 1 << bit
    with pytest.raises(UnusableEvidence):
        check(bytes(spoilt), issuer)


def test_no_bit_of_a_signature_s_framing_is_free(officer, issuer, responder):
    """A count of unused bits other than zero passed wherever the signature ended in zeros."""
    for _ in range(8):  # signatures are random: half of them end in a zero bit
        genuine = response(officer, issuer, responder)
        for found in re.finditer(rb"\x03[\x47-\x49]\x00\x30", genuine):
            spoilt = bytearray(genuine)
            spoilt[found.start() + 2] = 1
            with pytest.raises(UnusableEvidence):
                judge(bytes(spoilt), officer, issuer)
