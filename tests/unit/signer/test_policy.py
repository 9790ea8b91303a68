"""What may not sign, and that refusing costs no use of the key."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from hsm.keys import SignatureScheme
from signer import certificate_path, der
from signer.certificate_parts import certificate_parts
from signer.certificate_path import NoPath, find_path
from signer.clock import ClockGate
from signer.errors import CertificateRefused, ClockRefused, RevocationError, TrustError
from signer.insecure_testpki import Role
from signer.insecure_testpki.certificates import build_certificate, sign_value
from signer.insecure_testpki.roles import PROFILES, KeyUses
from signer.policy import (
    CertificateUsage,
    PreSigningCheck,
    check_before_signing,
    check_timestamping,
)
from signer.services import RevocationEvidence
from tests.fakes import SoftwareKey
from tests.fixtures_pki import MemoryBareKey
from tests.spoilt_certificates import issue_with, key_usage, with_duplicate_extension

DAY = dt.timedelta(days=1)


def now():
    return dt.datetime.now(dt.UTC)


class Unrevoked:
    """A `RevocationSource` that knows of no revocation and counts who asks."""

    def __init__(self):
        self.asked = []

    def collect(self, chain, at):
        self.asked.append((tuple(chain), at))
        return RevocationEvidence((), (), ())


@pytest.fixture
def check(test_pki):
    return PreSigningCheck(test_pki.anchors, Unrevoked())


def refused(check, key, message, at=None):
    """It is refused, in both languages, and the key was not used."""
    before = key.calls
    with pytest.raises(CertificateRefused, match=message) as caught:
        check(key, at or now())
    assert key.calls == before
    assert "Chưa ký gì cả. / The certificate" in str(caught.value)
    assert str(caught.value).endswith("Nothing was signed.")


@pytest.mark.parametrize("role", [Role.OFFICER, Role.LEADER, Role.SEAL])
def test_signers_may_sign(test_pki, role):
    PreSigningCheck(test_pki.anchors, test_pki.revocation)(test_pki.pki.key(role), now())


def test_it_returns_the_path(test_pki):
    key = test_pki.seal
    clearance = check_before_signing(
        key.certificate,
        key.chain[:1],  # the root comes from the anchors
        key.scheme,
        now(),
        anchors=test_pki.anchors,
        revocation=None,
    )
    assert clearance.path == (key.certificate, *key.chain)
    assert clearance.valid_from <= now() < clearance.valid_to <= now() + DAY


def test_expired(test_pki, check):
    key = test_pki.issue(starts_after=-9 * DAY, lifetime=8 * DAY)
    refused(check, key, "đã hết hạn.*expired.*renew it")


def test_not_yet_valid(test_pki, check):
    key = test_pki.issue(starts_after=DAY)
    refused(check, key, "chưa có hiệu lực.*not valid before.*wait")


def test_near_expiry(test_pki, check):
    key = test_pki.issue(lifetime=6 * DAY)
    refused(check, key, "sắp hết hạn.*within the 7 days.*renew")
    PreSigningCheck(test_pki.anchors, None, near_expiry=5 * DAY)(key, now())


def test_times_are_those_of_viet_nam(test_pki, check):
    key = test_pki.issue(starts_after=DAY)
    refused(check, key, r"\+07:00")


@pytest.mark.parametrize("uses", [KeyUses(), KeyUses(key_cert_sign=True), KeyUses(crl_sign=True)])
def test_wrong_key_usage(test_pki, check, uses):
    refused(check, test_pki.issue(uses=uses), "digitalSignature")


@pytest.mark.parametrize(
    "uses", [KeyUses(digital_signature=True), KeyUses(content_commitment=True)]
)
def test_either_usage_will_do(test_pki, check, uses):
    check(test_pki.issue(uses=uses), now())


def test_ca_timestamp_and_ocsp_certificates_do_not_sign_documents(test_pki, check):
    refused(check, test_pki.pki.key(Role.ISSUING), "is a CA's")
    refused(check, test_pki.pki.key(Role.ROOT), "is a CA's")
    refused(check, test_pki.tsa, "for timestamps or OCSP")
    refused(check, test_pki.pki.key(Role.OCSP), "for timestamps or OCSP")


def test_other_extended_usages_are_fine(test_pki, check):
    key = test_pki.issue(extended_key_usage=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
    check(key, now())


def test_only_a_timestamp_unit_may_timestamp(test_pki):
    check = PreSigningCheck(test_pki.anchors, None, usage=CertificateUsage.TIMESTAMP)
    check(test_pki.tsa, now())
    check_timestamping(test_pki.tsa.certificate)
    refused(check, test_pki.officer, "timeStamping and no other")
    both = (ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.EMAIL_PROTECTION)
    refused(check, test_pki.issue(extended_key_usage=both), "timeStamping and no other")


def test_unreadable_extensions(test_pki, check):
    key = SoftwareKey(certificate=with_duplicate_extension(test_pki.pki))
    refused(check, key, "unreadable extensions")


def test_no_key_usage_at_all(test_pki, check):
    constraints = x509.BasicConstraints(False, None)
    key = SoftwareKey(certificate=issue_with(test_pki.pki, [(constraints, True)]))
    refused(check, key, "digitalSignature")


def test_weak_keys_and_unfit_schemes(test_pki, check):
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - to be refused
    certificate = issue_with(test_pki.pki, [(key_usage(), True)], public_key=weak.public_key())
    key = SoftwareKey(SignatureScheme.RSA_PKCS1_SHA256, certificate=certificate, private_key=weak)
    refused(check, key, "1024 bits")
    key = test_pki.issue()
    key.scheme = SignatureScheme.RSA_PSS_SHA256
    refused(check, key, "does not fit a key of type ecdsa")


def test_no_path(test_pki, check):
    refused(check, SoftwareKey(label="tự ký"), "no path to a trust anchor")
    stranger = test_pki.issue()
    refused(PreSigningCheck([SoftwareKey().certificate], None), stranger, "pin the right root")


def test_no_anchors(test_pki):
    with pytest.raises(TrustError, match="pinned"):
        PreSigningCheck((), None)(test_pki.officer, now())


def test_revoked(test_pki):
    key = test_pki.issue()
    test_pki.pki.revoke(key.certificate, at=now() - DAY)
    check = PreSigningCheck(test_pki.anchors, test_pki.new_revocation_client())
    with pytest.raises(CertificateRefused, match=r"thu hồi.*revoked"):
        check(key, now())
    assert key.calls == 0
    test_pki.pki.unrevoke(key.certificate)
    check(key, now())


def test_unknown_status_fails_closed(test_pki):
    key = test_pki.issue(has_ocsp=False, has_crl=False)
    check = PreSigningCheck(test_pki.anchors, test_pki.new_revocation_client())
    with pytest.raises(RevocationError):
        check(key, now())
    assert key.calls == 0


def test_status_is_looked_at_each_time_the_rest_once(test_pki, monkeypatch):
    source = Unrevoked()
    check = PreSigningCheck(test_pki.anchors, source)
    check(test_pki.officer, now())
    monkeypatch.setattr("signer.policy.find_path", None)
    check(test_pki.officer, now())
    assert len(source.asked) == 2
    assert source.asked[0][0] == source.asked[1][0] == (
        test_pki.officer.certificate, *test_pki.officer.chain
    )  # fmt: skip
    offline = PreSigningCheck(test_pki.anchors, None)
    monkeypatch.undo()
    offline(test_pki.officer, now())
    offline(test_pki.officer, now())


def test_what_is_remembered_ends_with_the_certificate(test_pki, check):
    key = test_pki.issue(lifetime=20 * DAY)
    check(key, now())
    refused(check, key, "sắp hết hạn", at=now() + 14 * DAY)
    refused(check, key, "đã hết hạn", at=now() + 21 * DAY)
    refused(check, key, "chưa có hiệu lực", at=now() - DAY)


def test_memory_is_bounded(test_pki, check, monkeypatch):
    monkeypatch.setattr("signer.policy._CLEARANCES", 1)
    for _ in range(3):
        check(test_pki.issue(), now())
    assert len(check._clearances) == 1


def test_a_stepped_clock(test_pki):
    wall = [0.0]
    gate = ClockGate(wall_s=lambda: wall[0], running_s=lambda: 0.0)
    check = PreSigningCheck(test_pki.anchors, None, clock=gate)
    check(test_pki.officer, now())
    wall[0] = 3600.0
    with pytest.raises(ClockRefused, match="stepped"):
        check(test_pki.officer, now())


# --- paths ----------------------------------------------------------------------------


def path(test_pki, certificate, candidates, at=None, anchors=None):
    return find_path(
        certificate,
        candidates,
        test_pki.anchors if anchors is None else anchors,
        at or now(),
    )


def no_path(test_pki, certificate, candidates, message, **options):
    with pytest.raises(NoPath, match=message):
        path(test_pki, certificate, candidates, **options)


def test_a_pinned_certificate_is_its_own_path(test_pki):
    own = test_pki.officer.certificate
    assert path(test_pki, own, (), anchors=[own]) == (own,)
    no_path(test_pki, own, (), "is valid from", anchors=[own], at=now() + 4000 * DAY)


def test_missing_intermediate(test_pki):
    no_path(test_pki, test_pki.officer.certificate, (), "no known certificate issued")


def sub_ca(test_pki, issuer=Role.ISSUING, **changes):
    changes.setdefault("common_name", "CA phụ thử")
    return test_pki.issue(PROFILES[Role.ISSUING], issuer=issuer, **changes)


def issued_by(key, common_name="Người ký"):
    """A certificate under the in-memory CA `key`."""
    public_key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return build_certificate(
        subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]),
        public_key=public_key,
        issuer=key.certificate.subject,
        signer=key,
        serial=x509.random_serial_number(),
        not_before=now() - DAY,
        not_after=now() + 100 * DAY,
        values=[(key_usage(), True)],
    )


def test_path_length(test_pki):
    """The issuing CA allows no CA below it."""
    extra = sub_ca(test_pki)
    chain = [extra.certificate, *test_pki.officer.chain]
    no_path(test_pki, issued_by(extra), chain, "longer than it allows")
    sibling = sub_ca(test_pki, Role.ROOT)
    certificate = issued_by(sibling)
    found = path(test_pki, certificate, [sibling.certificate])
    assert found == (certificate, sibling.certificate, *test_pki.anchors)


def test_issuers_that_are_no_cas(test_pki):
    key = test_pki.issue(uses=KeyUses(key_cert_sign=True), common_name="giả làm CA")
    no_path(test_pki, issued_by(key), chain_of(key), "is not a CA")
    bare = MemoryBareKey("x", SignatureScheme.ECDSA_SHA256)
    without = issue_with(test_pki.pki, [(key_usage(), True)], public_key=bare.public_key)
    key = bare.install(without, ())
    no_path(test_pki, issued_by(key), chain_of(key, test_pki.officer.chain), "is not a CA")


def chain_of(key, more=()):
    return (key.certificate, *key.chain, *more)


def test_cas_that_may_not_sign_certificates(test_pki):
    key = sub_ca(test_pki, Role.ROOT, uses=KeyUses(crl_sign=True))
    no_path(test_pki, issued_by(key), chain_of(key), "may not sign certificates")


def test_a_ca_without_key_usage_may_sign(test_pki):
    bare = MemoryBareKey("x", SignatureScheme.ECDSA_SHA256)
    values = [(x509.BasicConstraints(True, None), True)]
    authority = issue_with(test_pki.pki, values, public_key=bare.public_key, issuer=Role.ROOT)
    key = bare.install(authority, ())
    assert len(path(test_pki, issued_by(key), chain_of(key))) == 3


def test_unknown_critical_extensions(test_pki):
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.999.1"), b"\x05\x00")
    certificate = issue_with(test_pki.pki, [(unknown, True)])
    no_path(test_pki, certificate, test_pki.officer.chain, r"critical extension 2\.999\.1")


def test_weak_links(test_pki):
    weak = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505 - to be refused
    certificate = issue_with(test_pki.pki, [(key_usage(), True)], public_key=weak)
    no_path(test_pki, certificate, test_pki.officer.chain, "1024 bits")


def test_an_expired_issuer(test_pki):
    key = sub_ca(test_pki, Role.ROOT, starts_after=-9 * DAY, lifetime=8 * DAY)
    no_path(test_pki, issued_by(key), chain_of(key), "is valid from")


def test_a_forged_link(test_pki):
    """A CA of the right name whose key did not sign the certificate."""
    namesake = test_pki.issue(
        PROFILES[Role.ISSUING], issuer=Role.ROOT
    )  # the same subject, another key
    no_path(
        test_pki,
        test_pki.officer.certificate,
        [namesake.certificate],
        "no known certificate issued",
    )
    both = [namesake.certificate, *test_pki.officer.chain]
    assert len(path(test_pki, test_pki.officer.certificate, both)) == 3


def test_a_version_1_certificate(test_pki):
    """Without version and extensions, as old roots are: its parts lie elsewhere."""
    signer = SoftwareKey()
    body = der.parse(test_pki.anchors[0].tbs_certificate_bytes).fields(8)
    to_be_signed = der.sequence(*(field.raw for field in body[1:7]))
    old = x509.load_der_x509_certificate(sign_value(signer, to_be_signed))
    assert old.version is x509.Version.v1
    parts, like = certificate_parts(old), certificate_parts(test_pki.anchors[0])
    assert parts[1:] == like[1:]
    leaf = issue_with(test_pki.pki, [(key_usage(), True)], issuer=Role.ROOT)
    no_path(test_pki, leaf, [old], "is not a CA", anchors=[SoftwareKey().certificate])


def test_a_second_way_is_tried(test_pki):
    """The same CA key certified twice, once in a way that leads nowhere."""
    bare = MemoryBareKey("twice", SignatureScheme.ECDSA_SHA256)
    profile = PROFILES[Role.ISSUING].but(common_name="CA hai chứng thư")
    expired = test_pki.pki.issue(
        profile.but(starts_after=-9 * DAY, lifetime=8 * DAY), bare, issuer=Role.ROOT
    )
    good = test_pki.pki.issue(profile, bare, issuer=Role.ROOT)
    certificate = issued_by(good)
    found = path(test_pki, certificate, [expired.certificate, good.certificate])
    assert found[1] == good.certificate


def test_paths_are_bounded_and_have_no_cycles(test_pki, monkeypatch):
    """Self-issued certificates of one name: each could follow each."""
    bare = MemoryBareKey("loop", SignatureScheme.ECDSA_SHA256)
    profile = PROFILES[Role.ISSUING].but(common_name="CA vòng", path_length=30)
    first = test_pki.pki.issue(profile, bare, issuer=Role.ISSUING)
    ring = [
        build_certificate(
            subject=first.certificate.subject,
            public_key=bare.public_key,
            issuer=first.certificate.subject,
            signer=bare,
            serial=serial,
            not_before=now() - DAY,
            not_after=now() + DAY,
            values=[(x509.BasicConstraints(True, None), True)],
        )
        for serial in range(1, 13)
    ]
    looked_at = []
    genuine = certificate_path.is_issued_by

    def counted(certificate, issuer):
        looked_at.append(issuer)
        return genuine(certificate, issuer)

    monkeypatch.setattr(certificate_path, "is_issued_by", counted)
    no_path(test_pki, issued_by(first), ring, "no known certificate issued")
    assert len(looked_at) == certificate_path.MAX_LINKS
