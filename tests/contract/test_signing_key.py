"""What every `SigningKey` promises, proved on the fake and on three PKCS#11 modules."""

from __future__ import annotations

import concurrent.futures
import hashlib
import subprocess
from collections import Counter

import pytest
from cryptography.hazmat.primitives.asymmetric import utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hsm.keys import SignatureScheme as Scheme
from hsm.keys import SigningKey
from tests.fakes import SoftwareKey
from tests.fixtures_token import CertificateMaker, make_key

KINDS = {
    Scheme.RSA_PKCS1_SHA256: "rsa-2048",
    Scheme.RSA_PSS_SHA256: "rsa-2048",
    Scheme.ECDSA_SHA256: "p-256",
    Scheme.ECDSA_SHA384: "p-384",
}
# openCryptoki's soft token, as Debian builds it, has no mechanism for elliptic curves
OFFERED = {
    "software": tuple(KINDS),
    "softhsm": tuple(KINDS),
    "nss": tuple(KINDS),
    "opencryptoki": (Scheme.RSA_PKCS1_SHA256, Scheme.RSA_PSS_SHA256),
}


@pytest.fixture(
    scope="module",
    params=[(maker, scheme) for maker, schemes in OFFERED.items() for scheme in schemes],
    ids=lambda pair: f"{pair[0]}-{pair[1].value}",
)
def key(request: pytest.FixtureRequest, test_ca: CertificateMaker) -> SigningKey:
    maker, scheme = request.param
    if maker == "software":
        return SoftwareKey(scheme)
    token = request.getfixturevalue(f"{maker}_token")
    return make_key(token, f"contract {KINDS[scheme]}", KINDS[scheme], scheme=scheme, ca=test_ca)


def digests_of(key: SigningKey, count: int, salt: str = "") -> list[bytes]:
    return [
        hashlib.new(key.scheme.digest_name, f"{salt}{number}".encode()).digest()
        for number in range(count)
    ]


@pytest.fixture
def openssl_verifies(key, tmp_path):
    """Independent of the libraries that signed: ``openssl pkeyutl -verify`` on the digest."""
    public = tmp_path / "public.pem"
    public.write_bytes(
        key.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    options = [f"digest:{key.scheme.digest_name}"]
    if key.scheme.family == "rsa-pss":
        options += ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"]

    def verify(signature: bytes, digest: bytes) -> bool:
        (tmp_path / "signature").write_bytes(signature)
        (tmp_path / "digest").write_bytes(digest)
        done = subprocess.run(
            ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public]
            + ["-in", tmp_path / "digest", "-sigfile", tmp_path / "signature"]
            + [part for option in options for part in ("-pkeyopt", option)],
            capture_output=True,
            text=True,
        )
        return done.returncode == 0 and "Verified Successfully" in done.stdout

    return verify


def test_signatures_verify_by_the_certificate(key, openssl_verifies):
    digests = digests_of(key, 2)
    signatures = key.sign_digests(digests)
    assert len(signatures) == 2
    assert openssl_verifies(signatures[0], digests[0])
    assert openssl_verifies(signatures[1], digests[1])
    assert not openssl_verifies(signatures[0], digests[1])


def test_signatures_have_the_form_that_cms_wants(key):
    (signature,) = key.sign_digests(digests_of(key, 1))
    size = key.certificate.public_key().key_size
    if key.scheme.family == "ecdsa":
        r, s = utils.decode_dss_signature(signature)
        assert utils.encode_dss_signature(r, s) == signature
        assert max(r, s) < 2**size
    else:
        assert len(signature) == size // 8


def test_an_empty_batch_is_signed_by_nothing(key):
    assert key.sign_digests([]) == []


def test_a_digest_of_another_algorithm_is_refused(key):
    with pytest.raises(ValueError, match="digest"):
        key.sign_digests([bytes(20)])
    assert len(key.sign_digests(digests_of(key, 1))) == 1


def test_it_describes_itself(key):
    assert isinstance(key.label, str)
    assert key.label
    assert isinstance(key.scheme, Scheme)
    assert isinstance(key.chain, tuple)
    assert all(
        issuer.subject == issued.issuer
        for issued, issuer in zip((key.certificate, *key.chain), key.chain, strict=False)
    )
    assert key.is_hardware is False  # all makers in this suite are software


def test_threads_get_their_own_signatures(key, openssl_verifies):
    def work(number: int) -> list[tuple[bytes, bytes]]:
        digests = digests_of(key, 3, f"{number}/")
        return list(zip(key.sign_digests(digests), digests, strict=True))

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        pairs = [pair for done in pool.map(work, range(8)) for pair in done]
    assert Counter(Counter(digest for _, digest in pairs).values()) == {1: 24}
    # tokens verify each signature themselves; one of each thread is proved independently
    assert all(openssl_verifies(*pair) for pair in pairs[::3])
