"""A running test PKI: signing keys with real chains, a TSA, OCSP and CRLs on loopback.

def test_signing(test_pki):
    test_pki.officer, .leader, .seal, .tsa       # SigningKeys (in memory) with their chains
    test_pki.anchors                             # the root
    test_pki.timestamper                         # TSAClient
    test_pki.revocation                          # RevocationClient with a fresh cache
    test_pki.services.requests["/tsa"]           # what the servers were asked

`token_pki` is the same with all keys, the CAs' too, in the SoftHSM token. Both last for the
session: whoever revokes (`test_pki.pki.revoke`) takes it back, and asks through a
RevocationClient of its own (`test_pki.new_revocation_client()`), since answers are cached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from api.loopback import LoopbackServices, choose_port
from hsm.keys import SignatureScheme, SigningKey
from hsm.token import Token
from signer.insecure_testpki import CertificateProfile, InsecureTestPKI, Role, TokenKeys
from signer.insecure_testpki.roles import PROFILES
from signer.revocation import RevocationClient
from signer.timestamp import TSAClient
from signer.tsa import TimestampAuthority
from tests.fakes import SoftwareKey

TSA_POLICY = "2.999.5.3"  # the arc that X.660 keeps for examples


class MemoryBareKey:
    """A `BareKey` in memory."""

    def __init__(self, label: str, scheme: SignatureScheme, bits: int = 2048) -> None:
        self._key = SoftwareKey(scheme, label=label, bits=bits)
        self.scheme = scheme
        self.public_key = self._key.private_key.public_key()

    def sign_digests(self, digests):
        return self._key.sign_digests(digests)

    def install(
        self, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
    ) -> SoftwareKey:
        return SoftwareKey(
            self.scheme,
            label=self._key.label,
            certificate=certificate,
            chain=chain,
            private_key=self._key.private_key,
        )


_reused: dict[tuple[str, SignatureScheme], MemoryBareKey] = {}


def reused_key(label: str, scheme: SignatureScheme) -> MemoryBareKey:
    """A key maker for tests that make many PKIs: the same key for the same label."""
    if (label, scheme) not in _reused:
        _reused[label, scheme] = MemoryBareKey(label, scheme)
    return _reused[label, scheme]


def no_loader(
    label: str, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...]
) -> SigningKey:
    """Keys in memory die with their process: nothing is ever loaded."""
    raise LookupError(label)


@dataclass
class RunningPKI:
    """A test PKI whose services answer on loopback."""

    pki: InsecureTestPKI
    authority: TimestampAuthority
    services: LoopbackServices
    timestamper: TSAClient
    revocation: RevocationClient
    extra_keys: int = field(default=0)

    @property
    def officer(self) -> SigningKey:
        return self.pki.key(Role.OFFICER)

    @property
    def leader(self) -> SigningKey:
        return self.pki.key(Role.LEADER)

    @property
    def seal(self) -> SigningKey:
        return self.pki.key(Role.SEAL)

    @property
    def tsa(self) -> SigningKey:
        return self.pki.key(Role.TSA)

    @property
    def anchors(self) -> tuple[x509.Certificate, ...]:
        return self.pki.anchors

    def new_revocation_client(self, cache_folder: Path | None = None) -> RevocationClient:
        """A client that has asked nothing yet."""
        return RevocationClient(self.anchors, cache_folder=cache_folder)

    def issue(
        self, profile: CertificateProfile | None = None, *, issuer: Role = Role.ISSUING, **changes
    ) -> SigningKey:
        """One more signer (in memory): the officer's profile, or `profile`, with `changes`.

        key = test_pki.issue(starts_after=-timedelta(days=9), lifetime=timedelta(days=8))
        """
        self.extra_keys += 1
        base = profile or PROFILES[Role.OFFICER].but(scheme=SignatureScheme.ECDSA_SHA256)
        wanted = base.but(**changes)
        key = MemoryBareKey(f"extra-{self.extra_keys}", wanted.scheme)
        return self.pki.issue(wanted, key, issuer=issuer)


def run_pki(folder: Path, make_key, load_key) -> Iterator[RunningPKI]:
    """Create a PKI whose keys `make_key` makes, and serve it on a free port."""
    port = choose_port()
    pki = InsecureTestPKI.create(folder, make_key, load_key, base_url=f"http://127.0.0.1:{port}")
    authority = TimestampAuthority(pki.key(Role.TSA), TSA_POLICY)
    with LoopbackServices(pki, authority, port) as services:
        yield RunningPKI(
            pki,
            authority,
            services,
            TSAClient(f"{services.base_url}/tsa", timeout_s=20, first_pause_s=0.05),
            RevocationClient(pki.anchors),
        )


@pytest.fixture(scope="session")
def test_pki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPKI]:
    """The PKI with keys in memory."""
    yield from run_pki(tmp_path_factory.mktemp("pki"), MemoryBareKey, no_loader)


@pytest.fixture(scope="session")
def token_pki(
    softhsm_token: Token, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningPKI]:
    """The PKI with every key in the SoftHSM token."""
    keys = TokenKeys(softhsm_token)
    yield from run_pki(tmp_path_factory.mktemp("token-pki"), keys.make, keys.load)
