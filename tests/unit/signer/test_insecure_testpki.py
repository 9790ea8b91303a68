"""The test PKI: what it certifies, publishes, remembers, and says about itself."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from hsm.errors import TokenUnavailable
from signer.errors import TrustError
from signer.insecure_testpki import InsecureTestPKI, Role, TokenKeys
from signer.insecure_testpki.authority import CRL_VALIDITY
from tests.fixtures_pki import no_loader, reused_key

STATE = "INSECURE-TEST-PKI.json"
BASE = "http://127.0.0.1:8319"


def now():
    return dt.datetime.now(dt.UTC)


class Clock:
    def __init__(self):
        self.time = now().replace(microsecond=0)

    def __call__(self):
        return self.time


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pki(tmp_path, clock):
    return InsecureTestPKI.create(
        tmp_path / "pki", reused_key, no_loader, base_url=BASE, clock=clock
    )


@pytest.mark.parametrize("role", list(Role))
def test_every_name_says_that_it_is_a_test(pki, role):
    subject = pki.certificate(role).subject
    for attribute in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        (value,) = subject.get_attributes_for_oid(attribute)
        assert "CHỈ DÙNG THỬ / TEST ONLY" in value.value
    assert role.label.startswith("test-")


def test_people_have_vietnamese_names(pki):
    for role, name in (
        (Role.OFFICER, "Nguyễn Văn Thử"),
        (Role.LEADER, "Trần Thị Mẫu"),
        (Role.SEAL, "UBND xã Thử Nghiệm"),
    ):
        assert name in pki.certificate(role).subject.rfc4514_string()


def test_addresses_are_on_loopback(pki):
    extensions = pki.certificate(Role.OFFICER).extensions
    access = extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [a.access_location.value for a in access] == [f"{BASE}/ocsp", f"{BASE}/ca/issuing.cer"]
    points = extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name[0].value == f"{BASE}/crl/issuing.crl"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:8319", "http://localhost:8319", "http://10.0.0.1:80", ""]
)
def test_only_loopback(tmp_path, url):
    with pytest.raises(TrustError, match="loopback only"):
        InsecureTestPKI.create(tmp_path, reused_key, no_loader, base_url=url)
    assert list(tmp_path.iterdir()) == []


def test_it_opens_again(pki, tmp_path):
    pki.revoke(pki.certificate(Role.LEADER), reason=x509.ReasonFlags.key_compromise)
    loaded = []

    def load(label, certificate, chain):
        loaded.append(label)
        return pki.key(next(role for role in Role if role.label == label))

    again = InsecureTestPKI(tmp_path / "pki", load)
    assert again.base_url == BASE
    assert again.anchors == pki.anchors
    assert loaded == []  # keys are loaded when they are needed
    crl = x509.load_der_x509_crl(again.crl(Role.ISSUING))
    assert crl.get_revoked_certificate_by_serial_number(pki.certificate(Role.LEADER).serial_number)
    again.crl(Role.ISSUING)
    assert loaded == ["test-issuing"]
    assert again.key(Role.OFFICER).certificate == pki.certificate(Role.OFFICER)
    assert again.chain(Role.ISSUING) == pki.anchors
    assert again.chain(Role.ROOT) == ()


def test_two_processes_share_the_state(pki, tmp_path):
    """Neither loses what the other did, and both publish it."""
    other = InsecureTestPKI(
        tmp_path / "pki", lambda label, *_: pki.key(Role(label.removeprefix("test-")))
    )

    def revoked(source):
        crl = x509.load_der_x509_crl(source.crl(Role.ISSUING))
        return {entry.serial_number for entry in crl}

    assert revoked(pki) == revoked(other) == set()
    leader, seal = (pki.certificate(role) for role in (Role.LEADER, Role.SEAL))
    pki.revoke(leader)
    other.revoke(seal)
    both = {leader.serial_number, seal.serial_number}
    assert revoked(pki) == revoked(other) == both
    assert answer(other, ask(pki, Role.LEADER)).revocation_time_utc is not None
    made = pki.crl(Role.ISSUING)
    other.crl(Role.ISSUING)
    assert pki.crl(Role.ISSUING) == made  # the other's CRL does not make ours stale


def test_crl_numbers_grow_over_restarts(pki, tmp_path, clock):
    def number(source):
        crl = x509.load_der_x509_crl(source.crl(Role.ISSUING))
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

    assert [number(pki), number(pki)] == [1, 1]
    clock.time += CRL_VALIDITY / 2 + dt.timedelta(seconds=1)
    assert number(pki) == 2
    again = InsecureTestPKI(tmp_path / "pki", lambda *_: pki.key(Role.ISSUING), clock=clock)
    assert number(again) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / STATE).unlink(),
        lambda folder: (folder / STATE).write_text("{"),
        lambda folder: (folder / STATE).write_text("{}"),
        lambda folder: (folder / STATE).write_text('{"format": 2}'),
        lambda folder: (folder / "seal.pem").unlink(),
        lambda folder: (folder / "seal.pem").write_text("no certificate"),
    ],
    ids=["no state", "no JSON", "empty", "other format", "no certificate", "bad certificate"],
)
def test_a_damaged_folder_says_what_to_do(pki, tmp_path, spoil):
    spoil(tmp_path / "pki")
    with pytest.raises(TrustError, match="sohoa init"):
        InsecureTestPKI(tmp_path / "pki", no_loader)


def test_creation_that_was_cut_short_does_not_open(tmp_path):
    def full(label, scheme):
        if label == Role.SEAL.label:
            raise OSError("disk full")
        return reused_key(label, scheme)

    with pytest.raises(OSError, match="disk full"):
        InsecureTestPKI.create(tmp_path, full, no_loader, base_url=BASE)
    with pytest.raises(TrustError):
        InsecureTestPKI(tmp_path, no_loader)


def test_the_state_file_has_no_scratch_left_and_no_secret(pki, tmp_path):
    names = {path.name for path in (tmp_path / "pki").iterdir()}
    assert names == {STATE} | {f"{role}.pem" for role in Role}
    state = json.loads((tmp_path / "pki" / STATE).read_text())
    assert set(state) == {"format", "base_url", "crl_number", "issued", "revoked"}
    for path in (tmp_path / "pki").iterdir():
        assert "PRIVATE" not in path.read_text()


def ask(pki, role=Role.OFFICER, issuer=Role.ISSUING, digest=None):
    request = ocsp.OCSPRequestBuilder().add_certificate(
        pki.certificate(role), pki.certificate(issuer), digest or hashes.SHA256()
    )
    return request.build()


def answer(pki, request):
    encoded = request if isinstance(request, bytes) else request.public_bytes(Encoding.DER)
    return ocsp.load_der_ocsp_response(pki.ocsp_responder().respond(encoded))


@pytest.mark.parametrize("digest", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_ocsp_says_good(pki, digest):
    response = answer(pki, ask(pki, digest=digest))
    assert response.certificate_status is ocsp.OCSPCertStatus.GOOD
    assert response.certificates == [pki.certificate(Role.OCSP)]


NEVER_SAID = {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}


@pytest.mark.parametrize("reason", [None, *(r for r in x509.ReasonFlags if r not in NEVER_SAID)])
def test_ocsp_and_crl_say_revoked(pki, reason):
    certificate = pki.certificate(Role.OFFICER)
    pki.revoke(certificate, reason=reason)
    response = answer(pki, ask(pki))
    assert response.certificate_status is ocsp.OCSPCertStatus.REVOKED
    assert response.revocation_reason == reason
    crl = x509.load_der_x509_crl(pki.crl(Role.ISSUING))
    entry = crl.get_revoked_certificate_by_serial_number(certificate.serial_number)
    assert entry.revocation_date_utc == response.revocation_time_utc
    assert len(x509.load_der_x509_crl(pki.crl(Role.ROOT))) == 0
    pki.unrevoke(certificate)
    pki.unrevoke(certificate)  # twice does no harm
    assert answer(pki, ask(pki)).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert len(x509.load_der_x509_crl(pki.crl(Role.ISSUING))) == 0


def test_ocsp_does_not_know_other_serials(pki):
    request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
        answer(pki, ask(pki)).issuer_name_hash,
        answer(pki, ask(pki)).issuer_key_hash,
        4711,
        hashes.SHA256(),
    )
    assert answer(pki, request.build()).certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def test_ocsp_is_not_for_other_issuers(pki):
    response = answer(pki, ask(pki, Role.ISSUING, Role.ROOT))
    assert response.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    response = answer(pki, ask(pki, digest=hashes.SHA224()))
    assert response.response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


@pytest.mark.parametrize("garbage", [b"", b"\x30\x00", b"GET /", bytes(5000)])
def test_ocsp_answers_garbage_with_malformed_request(pki, garbage):
    assert answer(pki, garbage).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_ocsp_says_when_its_token_is_gone(pki, monkeypatch, caplog):
    def gone(digests):
        raise TokenUnavailable("removed")

    monkeypatch.setattr(pki.key(Role.OCSP), "sign_digests", gone)
    assert answer(pki, ask(pki)).response_status is ocsp.OCSPResponseStatus.INTERNAL_ERROR
    assert "removed" in caplog.text


def test_ocsp_returns_the_nonce(pki):
    request = (
        ocsp.OCSPRequestBuilder()
        .add_certificate(
            pki.certificate(Role.OFFICER), pki.certificate(Role.ISSUING), hashes.SHA256()
        )
        .add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False)
        .build()
    )
    extension = answer(pki, request).extensions.get_extension_for_class(x509.OCSPNonce)
    assert extension.value.nonce == b"0123456789abcdef"


def test_keys_in_a_token_are_found_again(token_pki, softhsm_token, tmp_path):
    folder = token_pki.pki._folder
    again = InsecureTestPKI(folder, TokenKeys(softhsm_token).load)
    for role in Role:
        key = again.key(role)
        assert key.certificate == token_pki.pki.certificate(role)
        assert key.chain == token_pki.pki.chain(role)
        assert key.label == role.label
        assert not key.is_hardware
    assert x509.load_der_x509_crl(again.crl(Role.ROOT)).is_signature_valid(
        again.certificate(Role.ROOT).public_key()
    )


def test_rsa_keys_in_the_token_have_3072_bits(token_pki):
    assert token_pki.officer.certificate.public_key().key_size == 3072
    assert token_pki.leader.certificate.public_key().key_size == 3072
    assert token_pki.seal.certificate.public_key().key_size == 256
