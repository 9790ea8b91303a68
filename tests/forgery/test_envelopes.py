"""Class 6: CMS confusion, weak and forged values, missing certificate attributes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from hsm.keys import SignatureScheme
from signer.verification.attacks import Attack
from signer.verification.report import Indication, Integrity
from tests.cms_surgery import signer_of
from tests.fakes import SoftwareKey
from tests.foreign import openssl_cms, place_cms
from tests.forgery.catalogue import assert_not_fooled, spoken
from tests.forgery.envelopes import envelope, envelopes, nothing, sign
from tests.forgery.paper import paper


def test_the_unchanged_envelope_is_genuine(informed_verifier, forger):
    data = place_cms(paper(), envelope(forger, nothing), name="That")
    report = informed_verifier.verify(data)
    assert report.integrity is Integrity.INTACT
    assert report.indication is Indication.TOTAL_PASSED


@pytest.mark.parametrize("forgery", envelopes.all, ids=spoken)
def test_cms_confusion(informed_verifier, forger, forgery):
    forged = forgery.make(b"", forger)
    assert_not_fooled(informed_verifier.verify(forged), forgery.words)


def test_missing_certificate_attribute(informed_verifier, forger):
    """PAdES demands it: what was signed is shown, but nobody knows by whose certificate."""
    data = place_cms(
        paper(), envelope(forger, nothing), name="Ke", sub_filter="ETSI.CAdES.detached"
    )
    report = informed_verifier.verify(data)
    assert report.indication is not Indication.TOTAL_PASSED
    assert Attack.CERTIFICATE_SUBSTITUTION in report.attacks


@pytest.mark.parametrize("exponent", [3, 5, 17, 257])
def test_low_exponent(informed_verifier, exponent):
    private = rsa.generate_private_key(65537, 2048)
    p, q = private.private_numbers().p, private.private_numbers().q
    phi = (p - 1) * (q - 1)
    while phi % exponent == 0:
        private = rsa.generate_private_key(65537, 2048)
        p, q = private.private_numbers().p, private.private_numbers().q
        phi = (p - 1) * (q - 1)
    d = pow(exponent, -1, phi)
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q),
        rsa.RSAPublicNumbers(exponent, p * q),
    )  # fmt: skip
    key = SoftwareKey(SignatureScheme.RSA_PKCS1_SHA256, private_key=numbers.private_key())
    report = informed_verifier.verify(place_cms(paper(), envelope(key, nothing), name="Ke"))
    assert report.indication is not Indication.TOTAL_PASSED
    assert Attack.WEAK_ALGORITHM in report.attacks


@pytest.mark.parametrize("digest", ["sha1", "md5"])
def test_weak_digest(informed_verifier, test_pki, tmp_path, digest):
    make = openssl_cms(test_pki.leader, tmp_path / digest, "-md", digest)
    report = informed_verifier.verify(place_cms(paper(), make))
    assert report.indication is not Indication.TOTAL_PASSED
    assert Attack.WEAK_ALGORITHM in report.attacks


def test_another_certificate_of_the_same_name(informed_verifier, test_pki):
    """A signature by a stranger's key, under the certificate of somebody trusted."""
    stranger = SoftwareKey(SignatureScheme.ECDSA_SHA256)
    posing = SoftwareKey(
        SignatureScheme.ECDSA_SHA256, certificate=test_pki.officer.certificate,
        chain=test_pki.officer.chain, private_key=test_pki.officer.private_key,
    )  # fmt: skip

    def resigned(content):
        attributes = signer_of(content)[3].dump()
        signer_of(content)[-1].value = sign(stranger, b"\x31" + attributes[1:])

    forged = place_cms(paper(), envelope(posing, nothing, after=resigned), name="Ke")
    assert_not_fooled(informed_verifier.verify(forged), frozenset({Attack.FORGED_VALUE}))
