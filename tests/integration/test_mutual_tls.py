"""Client certificates over a real uvicorn on loopback, with the protocol that the service uses."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from api.auth.mutual_tls import server_context
from api.errors import SettingsError
from api.settings import WebSettings
from api.web.bounded_protocol import BoundedProtocol

NOW = datetime.now(UTC)


@dataclass
class Issuer:
    """A certificate authority in memory that writes what it issues into a folder."""

    name: str
    folder: Path

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = _named(self.name)
        certificate = (
            _begun(
                self.subject,
                self.subject,
                self.key,
                NOW - timedelta(days=9),
                NOW.replace(year=NOW.year + 1),
            )
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self.key, hashes.SHA256())
        )
        self.file = self.folder / f"{self.name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, begins: datetime, ends: datetime, server: bool = False) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = (
            _begun(_named(name), self.subject, key, begins, ends)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(self.key, hashes.SHA256())
        )
        path = self.folder / f"{self.name}-{name}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return Issued(path, certificate.public_bytes(serialization.Encoding.DER))


@dataclass
class Issued:
    """A certificate and its key in one file."""

    file: Path
    der: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.der).hexdigest()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} (mẫu)")])


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
    )


@dataclass
class Serving:
    """An application behind TLS on loopback."""

    port: int
    ca: Issuer

    def whoami(
        self, client: Issued | None = None, *, headers: dict[str, str] | None = None, **tls
    ) -> tuple[int, dict]:
        context = ssl.create_default_context(cafile=str(self.ca.file))
        for name, value in tls.items():
            setattr(context, name, value)
        if client is not None:
            context.load_cert_chain(client.file)
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, context=context, timeout=20
        )
        try:
            connection.request("GET", "/v1/whoami", headers=headers or {})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()


@pytest.fixture
def ca(tmp_path: Path) -> Issuer:
    return Issuer("co-quan", tmp_path)


@pytest.fixture
def serving(auth_client, ca: Issuer) -> Iterator[Serving]:
    app = auth_client().app
    server_certificate = ca.issue(
        "may-chu", begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=1), server=True
    )
    web = WebSettings(
        tls_certificate=server_certificate.file,
        tls_key=server_certificate.file,
        tls_client_ca=ca.file,
    )
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        http=BoundedProtocol,
        ssl_context_factory=server_context(web),
        log_config=None,
        log_level="critical",
        lifespan="off",
        loop="asyncio",
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield Serving(server.servers[0].sockets[0].getsockname()[1], ca)
    server.should_exit = True
    thread.join(20)


def good(ca: Issuer, name: str = "he-thong") -> Issued:
    return ca.issue(name, begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=1))


def test_a_known_certificate_is_its_principal(serving, ca, lone_directory) -> None:
    certificate = good(ca)
    principal = lone_directory.principal(certificate_sha256=certificate.fingerprint)
    status, told = serving.whoami(certificate)
    assert (status, told["id"], told["method"]) == (200, principal.id, "mtls")


def test_a_certificate_that_nobody_has_is_refused_like_none(serving, ca, lone_directory) -> None:
    lone_directory.principal(certificate_sha256=good(ca, "cua-nguoi-khac").fingerprint)
    statuses = [serving.whoami(good(ca, "la")), serving.whoami()]
    assert [status for status, _ in statuses] == [401, 401]
    assert statuses[0][1]["detail"] == statuses[1][1]["detail"]


def test_a_certificate_of_another_ca_ends_the_handshake(
    serving, ca, lone_directory, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    for other in (Issuer("ca-la", tmp_path), Issuer("co-quan", tmp_path / "other")):
        stranger = good(other)
        # even if its fingerprint were entered: the chain has to be good as well
        lone_directory.principal(certificate_sha256=stranger.fingerprint)
        with pytest.raises((ssl.SSLError, OSError)):
            serving.whoami(stranger)


@pytest.mark.parametrize(
    ("begins", "ends"), [pytest.param(-9, -1, id="expired"), pytest.param(1, 9, id="not-yet")]
)
def test_a_certificate_out_of_its_time_ends_the_handshake(
    serving, ca, lone_directory, begins: int, ends: int
) -> None:
    late = ca.issue("cu", begins=NOW + timedelta(days=begins), ends=NOW + timedelta(days=ends))
    lone_directory.principal(certificate_sha256=late.fingerprint)
    with pytest.raises((ssl.SSLError, OSError)):
        serving.whoami(late)


def test_a_server_certificate_is_no_client_certificate(serving, ca, lone_directory) -> None:
    wrong = ca.issue(
        "vai-khac", begins=NOW - timedelta(days=1), ends=NOW + timedelta(days=1), server=True
    )
    lone_directory.principal(certificate_sha256=wrong.fingerprint)
    with pytest.raises((ssl.SSLError, OSError)):
        serving.whoami(wrong)


def test_without_a_certificate_an_api_key_still_works(serving, lone_directory) -> None:
    text = lone_directory.client()
    status, told = serving.whoami(headers={"Authorization": f"Bearer {text}"})
    assert (status, told["method"]) == (200, "api-key")


def test_old_tls_is_refused(serving) -> None:
    with warnings.catch_warnings(action="ignore"):  # a client that still would
        old = ssl.create_default_context(cafile=str(serving.ca.file))
        old.minimum_version = ssl.TLSVersion.TLSv1_1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", serving.port), 20) as raw,
        pytest.raises(ssl.SSLError),
    ):
        old.wrap_socket(raw, server_hostname="127.0.0.1")
    assert serving.whoami(maximum_version=ssl.TLSVersion.TLSv1_2)[0] == 401


def test_a_header_is_no_certificate(serving, ca, lone_directory) -> None:
    certificate = good(ca)
    lone_directory.principal(certificate_sha256=certificate.fingerprint)
    for name in ("X-Client-Cert", "sohoa.peer_certificate_sha256", "X-SSL-Client-SHA256"):
        status, _ = serving.whoami(headers={name: certificate.fingerprint})
        assert status == 401


def test_settings_that_cannot_work_are_named(ca: Issuer, tmp_path: Path) -> None:
    assert server_context(WebSettings()) is None
    with pytest.raises(SettingsError, match="tls_client_ca"):
        server_context(WebSettings(tls_client_ca=ca.file))
    with pytest.raises(SettingsError, match="tls_certificate"):
        server_context(WebSettings(tls_certificate=tmp_path / "none.pem"))
    mine = good(ca)
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(SettingsError, match="tls_client_ca"):
        server_context(
            WebSettings(tls_certificate=mine.file, tls_key=mine.file, tls_client_ca=broken)
        )
