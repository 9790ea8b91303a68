"""A real SoftHSM2 token for each test process, and keys with certificates made for it.

def test_signing(softhsm_token):
    key = make_key(softhsm_token, "officer", "rsa-2048")       # a SigningKey
"""

from __future__ import annotations

import datetime as dt
import shutil
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hsm import provision, softhsm
from hsm._pkcs11 import load_module
from hsm.keys import SignatureScheme, SigningKey
from hsm.token import Token

PIN = "73519264"
SO_PIN = "64827193"
TOKEN_LABEL = "sohoa-test"


class CertificateMaker:
    """A certification authority in memory: `certificate`, `private_key`, `issue`."""

    def __init__(self, common_name: str = "Sohoa test CA - not for production") -> None:
        self.private_key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        self.certificate = self._sign(
            self._builder(self.name, self.private_key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(False, False, False, False, False, True, True, False, False), True
            )
        )

    def issue(
        self,
        public_key,
        common_name: str,
        *,
        extensions=(),
        not_before: dt.datetime | None = None,
        not_after: dt.datetime | None = None,
    ) -> x509.Certificate:
        """A signer's certificate; `extensions` are pairs (extension, critical)."""
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
            ]
        )
        builder = (
            self._builder(name, public_key, not_before, not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(True, True, False, False, False, False, False, False, False), True
            )
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        return self._sign(builder)

    def _builder(self, subject, public_key, not_before=None, not_after=None):
        now = dt.datetime.now(dt.UTC)
        issuer_key = self.private_key.public_key()
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now - dt.timedelta(days=1))
            .not_valid_after(not_after or now + dt.timedelta(days=1000))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), False)
        )

    def _sign(self, builder: x509.CertificateBuilder) -> x509.Certificate:
        return builder.sign(self.private_key, hashes.SHA256())


def make_key(
    token: Token,
    label: str,
    kind: str = "p-256",
    *,
    scheme: SignatureScheme | None = None,
    ca: CertificateMaker | None = None,
    certificate: x509.Certificate | None = None,
) -> SigningKey:
    """The key `label`, made in the token with a certificate by `ca` unless it is there already.

    `kind` is one of ``rsa-2048|rsa-3072|rsa-4096|p-256|p-384``. The issuer's certificate is
    stored beside it, so that `chain` is not empty.
    """
    if label not in {info.label for info in provision.list_keys(token)}:
        provision.create(token, label, provision.KeyKind(kind))
        ca = ca or CertificateMaker()
        own = certificate or ca.issue(token.private_key(label).public_key, label)
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (own, ca.certificate))
        provision.import_certificates(token, label, pem)
    return token.signing_key(label, scheme)


@pytest.fixture(scope="session")
def test_ca() -> CertificateMaker:
    """One authority for the session."""
    return CertificateMaker()


@pytest.fixture(scope="session")
def softhsm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SoftHSM folder of this test process (one each xdist worker) with one token in it.

    SoftHSM allows a process one folder: tests of `sohoa init` run the command in a process of
    its own.
    """
    folder = tmp_path_factory.mktemp("softhsm")
    softhsm.create_token(folder, TOKEN_LABEL, PIN, SO_PIN)
    return folder


@pytest.fixture(scope="session")
def softhsm_module(softhsm_folder: Path) -> Path:
    """The path of the module, already pointed at `softhsm_folder`."""
    return softhsm.use_folder(softhsm_folder)


@pytest.fixture(scope="session")
def softhsm_token(softhsm_module: Path) -> Token:
    """The token, open. Make keys in it with `make_key`, under labels of your own."""
    return Token.open(softhsm_module, TOKEN_LABEL, lambda: PIN)


@pytest.fixture(scope="session")
def officer_key(softhsm_token: Token, test_ca: CertificateMaker) -> SigningKey:
    """RSA-2048, PKCS#1 v1.5 with SHA-256."""
    return make_key(softhsm_token, "officer", "rsa-2048", ca=test_ca)


@pytest.fixture(scope="session")
def leader_key(softhsm_token: Token, test_ca: CertificateMaker) -> SigningKey:
    """RSA-3072, PKCS#1 v1.5 with SHA-256."""
    return make_key(softhsm_token, "leader", "rsa-3072", ca=test_ca)


@pytest.fixture(scope="session")
def seal_key(softhsm_token: Token, test_ca: CertificateMaker) -> SigningKey:
    """P-256, ECDSA with SHA-256."""
    return make_key(softhsm_token, "seal", "p-256", ca=test_ca)


class Spy:
    """Stands before the functions of a module: counts the calls and can change the answers.

    `faults[name]` is called instead of the function, with the real one as first argument.
    """

    def __init__(self, functions: dict[str, Callable[..., int]]) -> None:
        self.calls: Counter[str] = Counter()
        self.faults: dict[str, Callable[..., int]] = {}
        self._lock = threading.Lock()
        for name, function in list(functions.items()):
            functions[name] = self._before(name, function)

    def _before(self, name: str, function: Callable[..., int]) -> Callable[..., int]:
        def call(*arguments: object) -> int:
            with self._lock:
                self.calls[name] += 1
            fault = self.faults.get(name)
            return function(*arguments) if fault is None else fault(function, *arguments)

        return call


class OwnSoftHSM:
    """SoftHSM loaded a second time, from a copy of its file: nobody else's state is in it.

    For tests that break, unplug or lock a token. `module`, `folder`, `spy`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = folder / "libsofthsm2.so"
        shutil.copy(softhsm.module_path(), self.module)

    def start(self) -> None:
        softhsm.create_token(self.folder, TOKEN_LABEL, PIN, SO_PIN)
        self.spy = Spy(load_module(self.module).functions)

    def open(self, pin: str | Callable[[], str] = PIN, **options: int) -> Token:
        return Token.open(self.module, TOKEN_LABEL, pin, **options)

    def unplug(self) -> None:
        """Take the token away from under the module."""
        (self.folder / "tokens").rename(self.folder / "unplugged")
        (self.folder / "tokens").mkdir()

    def plug_in(self) -> None:
        """Bring it back."""
        (self.folder / "tokens").rmdir()
        (self.folder / "unplugged").rename(self.folder / "tokens")


@pytest.fixture
def own_softhsm(
    softhsm_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> OwnSoftHSM:
    """A SoftHSM for this test alone, with an empty token."""
    own = OwnSoftHSM(tmp_path)
    monkeypatch.setattr(softhsm, "module_path", lambda: own.module)
    # set here so that it is set back afterwards; create_token points it at the folder
    monkeypatch.setenv(softhsm.VARIABLE, str(own.folder / "softhsm2.conf"))
    own.start()
    return own
