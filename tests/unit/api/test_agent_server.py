"""The agent's door and desk, in this process: CSC messages, limits, callers, refusals."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import socket
import ssl
import stat
import threading
import time
from ipaddress import ip_address

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import DNSName, IPAddress, SubjectAlternativeName

from api.agent import server as server_module
from api.agent.desk import Desk
from api.agent.keyring import Keyring, KeyringState
from api.agent.ledger import Ledger
from api.agent.policy import load_policy
from api.agent.routes import Routes
from api.agent.server import AgentServer
from api.errors import SettingsError
from dossier.errors import AuditUnavailable
from hsm.errors import KeyNotFound, TokenUnavailable
from signer.errors import KeyUseRefused, SignerError
from signer.remote import CSCClient
from tests.fixtures_token import make_key

POLICY = """
[keys."agent p-256"]
agencies = ["H1"]
callers = ["local", "CERTIFICATE"]
purposes = ["document"]
max_per_call = 4
max_per_day = 1000
[keys."agent rsa"]
agencies = ["*"]
callers = ["*"]
purposes = ["*"]
schemes = ["rsa-pss-sha256", "rsa-pkcs1-sha256"]
[keys."agent nobody's"]
agencies = ["*"]
callers = ["uid:54321"]
purposes = ["*"]
"""
EC, RSA = "agent p-256", "agent rsa"


class FakeTSA:
    size_hint = 1000

    def timestamp(self, imprint, digest_name="sha256"):
        return b"\x30\x03\x02\x01\x07"


class House:
    """The agent's parts around the session's token."""

    def __init__(self, folder, token, certificate="certificate:" + "0" * 64):
        self.folder = folder
        path = folder / "key-policy.toml"
        path.write_text(POLICY.replace("CERTIFICATE", certificate))
        self.policy = load_policy(path)
        self.ledger = Ledger(folder / "keys.db")
        self.ledger.open()
        self.keyring = Keyring(self.policy, self.ledger, lambda: token)
        self.desk = Desk(self.policy, self.ledger, self.keyring, answer_within_s=5)
        self.routes = Routes(self.policy, self.keyring, self.desk, FakeTSA())
        self.keyring.start()
        deadline = time.monotonic() + 10
        while self.keyring.state is not KeyringState.READY:
            assert time.monotonic() < deadline, self.keyring.message
            time.sleep(0.01)

    def close(self):
        self.keyring.close()
        self.desk.drain(1)
        self.ledger.close()

    def events(self, name):
        entries = self.ledger.log.entries(None, 0, 100_000)
        return [entry for entry in entries if entry.event == name]


@pytest.fixture(scope="module")
def token(softhsm_token, test_ca):
    make_key(softhsm_token, EC, "p-256", ca=test_ca)
    make_key(softhsm_token, RSA, "rsa-2048", ca=test_ca)
    return softhsm_token


@pytest.fixture
def house(tmp_path, token):
    house = House(tmp_path, token)
    yield house
    house.close()


@pytest.fixture
def address(house, tmp_path):
    address = f"unix:{tmp_path / 'agent.sock'}"
    server = AgentServer(address, house.routes, house.policy, request_s=0.5, max_connections=4)
    server.start()
    yield address
    server.drain(1)
    assert not (tmp_path / "agent.sock").exists()


@pytest.fixture
def client(address):
    client = CSCClient(address, timeout_s=5)
    yield client
    client.close()


def ask(house, path, body, caller="local"):
    return house.routes.answer(f"/csc/v2/{path}", caller, json.dumps(body).encode())


def sign_body(count=1, **changes):
    return {
        "credentialID": EC,
        "hashes": [base64.b64encode(bytes([n]) * 32).decode() for n in range(count)],
        "signAlgo": "1.2.840.10045.4.3.2",
        "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
        "clientData": json.dumps([{"agency": "H1", "purpose": "document"}] * count),
        **changes,
    }


def test_a_client_signs(client, house):
    assert {c.label for c in client.credentials()} == {EC, RSA}
    key = client.key(EC).bound(agency="H1", purpose="document", subject="rec_1")
    assert len(key.sign_digests([bytes(32)] * 9)) == 9  # four a call, as the policy says
    assert client.key(RSA).scheme.value == "rsa-pss-sha256"  # the policy's first
    assert client.key(RSA).sign_digests([bytes(32)])
    assert client.info()["specs"] == "2.0.0.2"
    assert client.timestamp(bytes(32)) == b"\x30\x03\x02\x01\x07"
    health = client.health()
    assert health.ok
    assert "agent nobody's" in health.details["faults"]
    assert health.details["counts"]["signed"] == 10
    assert len(house.events("key.intent")) == 10 + 3  # and a self-test a key and scheme


def test_a_bad_one_among_good_ones(client, house):
    """Contexts that the policy refuses fail alone."""
    status, answer, _ = ask(
        house,
        "signatures/signHash",
        sign_body(
            3,
            clientData=json.dumps(
                [
                    {"agency": "H1", "purpose": "document"},
                    {"agency": "H2", "purpose": "document"},
                    {"agency": "H1", "purpose": "document"},
                ]
            ),
        ),
    )
    assert status == 200
    assert [bool(s) for s in answer["signatures"]] == [True, False, True]
    assert answer["sohoa"]["errors"][1]["error"] == "access_denied"
    (refused,) = house.events("key.refused")
    assert refused.agency_id == "H1"
    assert refused.details["hashes"] == 1
    with pytest.raises(KeyUseRefused, match="agencies"):
        client.key(EC).bound(agency="H2", purpose="document").sign_digests([bytes(32)])
    with pytest.raises(KeyUseRefused, match="purposes"):
        client.key(EC).bound(agency="H1").sign_digests([bytes(32)])


def test_a_client_of_the_plain_specification(house):
    """Without our list in clientData an error is the whole call's."""
    body = sign_body(2, credentialID=RSA, signAlgo="1.2.840.113549.1.1.11", clientData="mine")
    status, answer, _ = ask(house, "signatures/signHash", body)
    assert (status, len(answer["signatures"])) == (200, 2)
    assert set(answer) == {"signatures"}
    status, answer, _ = ask(house, "signatures/signHash", sign_body(2, clientData=""))
    assert (status, answer["error"]) == (403, "access_denied")
    status, answer, _ = ask(
        house,
        "credentials/list",
        {"credentialInfo": True, "onlyValid": True, "certificates": "none"},
    )
    assert answer["onlyValid"] is True
    first = answer["credentialInfos"][0]
    assert first["key"]["curve"] == "1.2.840.10045.3.1.7"
    assert first["cert"]["certificates"] == []
    assert first["multisign"] == 4


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"hashes": []}, "hashes"),
        ({"hashes": "x"}, "hashes"),
        ({"hashes": ["?"]}, "base64"),
        ({"hashes": ["AAAA"]}, "32 bytes"),
        ({"hashes": ["A" * 44] * 33}, "hashes"),
        ({"credentialID": 5}, "credentialID"),
        ({"credentialID": ""}, "credentialID"),
        ({"signAlgo": "1.2.3"}, "signAlgo"),
        ({"signAlgo": None}, "signAlgo"),
        ({"hashAlgorithmOID": "1.2.3"}, "hashAlgorithmOID"),
        ({"hashAlgorithmOID": "2.16.840.1.101.3.4.2.2"}, "different digests"),
        ({"signAlgoParams": 5}, "signAlgoParams"),
        ({"operationMode": "A"}, "operationMode"),
        ({"clientData": "[1"}, "clientData"),
        ({"clientData": "[]"}, "clientData"),
        ({"clientData": "[5]"}, "clientData"),
    ],
    ids=range(16),
)
def test_requests_that_are_none(house, changes, says):
    status, answer, _ = ask(house, "signatures/signHash", sign_body(1, **changes))
    assert (status, answer["error"]) == (400, "invalid_request")
    assert says in answer["error_description"]
    assert len(house.events("key.intent")) == 3  # the self-tests


def test_other_refusals(house):
    assert ask(house, "signatures/signHash", sign_body(5))[0] == 403  # max_per_call is 4
    assert ask(house, "signatures/signHash", sign_body(1), caller="uid:7")[0] == 403
    assert ask(house, "signatures/signHash", sign_body(1, credentialID="none"))[0] == 403
    assert ask(house, "credentials/info", {"credentialID": "agent nobody's"})[0] == 400
    assert ask(house, "credentials/info", {"credentialID": EC}, caller="uid:7")[0] == 400
    assert ask(house, "credentials/list", {}, caller="uid:7")[1] == {"credentialIDs": [RSA]}
    assert ask(house, "nothing", {})[0] == 404
    assert house.routes.answer("/csc/v2/info", "local", b"[]")[0] == 400
    assert house.routes.answer("/csc/v2/info", "local", b"{")[0] == 400
    body = sign_body(1, credentialID=EC, signAlgo="1.2.840.10045.4.3.3",
                     hashAlgorithmOID="2.16.840.1.101.3.4.2.2",
                     hashes=[base64.b64encode(bytes(48)).decode()])  # fmt: skip
    status, answer, _ = ask(house, "signatures/signHash", body)
    assert (status, answer["sohoa"]["kind"]) == (400, "SchemeNotSupported")
    for wrong in ({"hash": "AAAA", "hashAlgo": "1.2"}, {"hash": "AAAA"}, {"hashAlgo": 1}):
        assert ask(house, "signatures/timestamp", wrong)[0] == 400
    assert len(house.events("key.refused")) == 3


def test_the_day_s_number(house, monkeypatch):
    from api.agent import ledger

    monkeypatch.setattr(ledger, "_used", lambda *_: 998)
    assert ask(house, "signatures/signHash", sign_body(2))[0] == 200
    status, answer, _ = ask(house, "signatures/signHash", sign_body(3))
    assert (status, answer["sohoa"]["kind"]) == (403, "KeyUseRefused")
    assert "998/1000" in answer["error_description"]


def test_no_audit_no_signature(client, house, monkeypatch):
    key = client.key(EC).bound(agency="H1", purpose="document")
    calls = []
    token_key = house.keyring.key(EC)
    real = token_key._recipe.payload
    monkeypatch.setattr(token_key._recipe, "payload", lambda d: calls.append(d) or real(d))

    def full(connection, events):
        raise AuditUnavailable("disk full")

    append = house.ledger.log.append
    monkeypatch.setattr(house.ledger.log, "append", full)
    with pytest.raises(TokenUnavailable, match=r"agent\.database") as failure:
        key.sign_digests([bytes(32)])
    assert failure.value.retry_after_s == 5
    assert not client.health().ok
    monkeypatch.setattr(house.ledger.log, "append", append)
    assert key.sign_digests([bytes(32)])
    assert client.health().ok


def test_while_the_token_is_being_opened(tmp_path, token):
    here = threading.Event()

    def slow():
        if not here.is_set():
            raise TokenUnavailable("not plugged in yet")
        return token

    path = tmp_path / "p.toml"
    path.write_text(POLICY.replace('"CERTIFICATE"', '"local"'))
    policy, ledger = load_policy(path), Ledger(tmp_path / "keys.db")
    ledger.open()
    keyring = Keyring(policy, ledger, slow)
    keyring.start()
    desk = Desk(policy, ledger, keyring, answer_within_s=1)
    routes = Routes(policy, keyring, desk, None)
    while keyring.message != "not plugged in yet":
        time.sleep(0.01)
    for path in ("credentials/list", "credentials/info", "signatures/signHash"):
        status, answer, wait = routes.answer(
            f"/csc/v2/{path}", "local", json.dumps(sign_body(1)).encode()
        )
        assert (status, wait) == (503, 2)
        assert "not plugged in yet" in answer["error_description"]
    assert routes.health()[0] == 503
    with pytest.raises(TokenUnavailable):
        keyring.probe()
    here.set()
    while keyring.state is not KeyringState.READY:
        time.sleep(0.05)
    assert routes.answer("/csc/v2/credentials/list", "local", b"")[0] == 200
    with pytest.raises(KeyNotFound):
        keyring.key("none")
    keyring.close()
    desk.drain(1)
    ledger.close()


# --- the door ---------------------------------------------------------------------------------


def talk(address, sent):
    """Send raw bytes; everything that comes back until the connection is closed."""
    with socket.socket(socket.AF_UNIX) as raw:
        raw.settimeout(5)
        raw.connect(address.removeprefix("unix:"))
        received = b""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # refused unheard
            raw.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while chunk := raw.recv(65536):
                received += chunk
        return received


def test_only_the_owner_opens_the_socket(address, house, monkeypatch):
    path = address.removeprefix("unix:")
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600  # noqa: PTH116
    monkeypatch.setattr(server_module.os, "geteuid", lambda: os.getuid() + 1)
    assert b"403" in talk(address, b"GET /healthz HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n", b"200"),
        (b"GET /other HTTP/1.1\r\nConnection: close\r\n\r\n", b"404"),
        (b"POST /csc/v2/info HTTP/1.1\r\n\r\n", b"411"),
        (b"POST /csc/v2/info HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /csc/v2/info HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"POST /csc/v2/info HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n", b"413"),
        (b"DELETE / HTTP/1.1\r\n\r\n", b"501"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n", b"414"),
        (b"GET / HTTP/9.9\r\n\r\n", b"505"),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", b"431"),
    ],
    ids=range(11),
)
def test_what_the_door_answers(address, request_text, status):
    received = talk(address, request_text)
    assert received.split(b" ", 2)[1] == status
    head, _, body = received.partition(b"\r\n\r\n")
    assert json.loads(body)
    assert b"application/json" in head


@pytest.mark.parametrize(
    "begun",
    [b"POST /csc/v2/info HTTP/1.1\r\nContent-Length: 100\r\n\r\nhalf", b"POST /csc/v2/in", b"GET"],
)
def test_a_slow_client_is_cut_off(address, client, begun):
    began = time.monotonic()
    assert talk(address, begun) == b""
    assert 0.3 < time.monotonic() - began < 3
    assert client.health().ok


def test_too_many_connections(address, client):
    path = address.removeprefix("unix:")
    held = []
    for _ in range(4):
        raw = socket.socket(socket.AF_UNIX)
        raw.connect(path)
        held.append(raw)
    time.sleep(0.2)
    received = talk(address, b"GET /healthz HTTP/1.1\r\n\r\n")
    assert b" 503 " in received
    assert b"Retry-After: 1" in received
    for raw in held:
        raw.close()
    deadline = time.monotonic() + 5
    while not client.health().ok:
        assert time.monotonic() < deadline


def test_a_socket_in_a_deep_folder(tmp_path, house):
    folder = tmp_path / ("a" * 120)
    folder.mkdir()
    server = AgentServer(f"unix:{folder / 'agent.sock'}", house.routes, house.policy)
    server.start()
    client = CSCClient(f"unix:{folder / 'agent.sock'}")
    assert client.info()
    client.close()
    server.drain(1)


def test_a_dead_agent_s_socket_is_replaced(tmp_path, house):
    path = tmp_path / "agent.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    server = AgentServer(f"unix:{path}", house.routes, house.policy)
    server.start()
    client = CSCClient(f"unix:{path}")
    assert client.info()
    client.close()
    later = AgentServer(f"unix:{path}", house.routes, house.policy)
    later.start()
    server.drain(1)
    assert path.exists()  # the later one's
    later.drain(1)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:1", "https://127.0.0.1", "tcp:1", "unix:/no/x"]
)
def test_addresses_that_cannot_be_served(house, address):
    with pytest.raises(SettingsError, match=r"agent\.address"):
        AgentServer(address, house.routes, house.policy)


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory, test_ca):
    """Server, client and stranger certificates; the CA of the first two."""
    from tests.fixtures_token import CertificateMaker

    folder = tmp_path_factory.mktemp("tls")
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(test_ca.certificate.public_bytes(pem))
    names = SubjectAlternativeName([DNSName("localhost"), IPAddress(ip_address("127.0.0.1"))])
    for name, ca in (("server", test_ca), ("client", test_ca), ("stranger", CertificateMaker("X"))):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = ca.issue(key.public_key(), name, extensions=[(names, False)])
        (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
        (folder / f"{name}.key").write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
    return folder


def test_tls_with_client_certificates(tmp_path, token, tls_files):
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    own = x509.load_pem_x509_certificate((tls_files / "client.pem").read_bytes())
    house = House(tmp_path, token, f"certificate:{own.fingerprint(hashes.SHA256()).hex()}")
    server = AgentServer(
        "https://127.0.0.1:0",
        house.routes,
        house.policy,
        certificate=tls_files / "server.pem",
        key=tls_files / "server.key",
        client_ca=tls_files / "ca.pem",
        request_s=1,
    )
    server.start()
    address = f"https://127.0.0.1:{server.port}"

    def connect(name):
        return CSCClient(
            address,
            timeout_s=5,
            server_ca=tls_files / "ca.pem",
            client_certificate=name and tls_files / f"{name}.pem",
            client_key=name and tls_files / f"{name}.key",
        )

    client = connect("client")
    key = client.key(EC).bound(agency="H1", purpose="document")
    assert len(key.sign_digests([bytes(32)] * 3)) == 3
    assert house.events("key.intent")[-1].details["caller"].startswith("certificate:")
    server_as_client = connect("server")  # of the CA, but no key's caller
    assert [c.label for c in server_as_client.credentials()] == [RSA]
    for name in ("stranger", None):
        stranger = connect(name)
        with pytest.raises(TokenUnavailable):
            stranger.info()
    plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    plain.request("GET", "/healthz")
    with pytest.raises((OSError, http.client.HTTPException)):
        plain.getresponse()
    plain.close()
    # a client that opens a connection and says nothing
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as mute:
        assert mute.recv(1) == b""
    untrusting = CSCClient(address, timeout_s=5)
    with pytest.raises(TokenUnavailable):
        untrusting.info()
    for each in (client, server_as_client):
        each.close()
    server.drain(1)
    house.close()


def test_tls_needs_its_files(house, tls_files):
    for files in ({}, {"certificate": tls_files / "server.pem"}):
        with pytest.raises(SettingsError, match="tls_client_ca"):
            AgentServer("https://127.0.0.1:0", house.routes, house.policy, **files)
    assert ssl.OPENSSL_VERSION
    with pytest.raises(SignerError, match="TLS"):
        CSCClient("https://127.0.0.1:1", client_certificate=tls_files / "ca.pem")


def test_the_agent_s_own_signatures(house):
    """Heads of its chain are signed through the desk: policy and chain apply."""
    from signer.csc.wire import Context

    key = house.desk.signer(EC, Context("H1", purpose="document"))
    assert len(key.sign_digests([bytes(32)])) == 1
    assert key.sign_digests([]) == []
    assert (key.label, key.is_hardware, key.chain != ()) == (EC, False, True)
    assert key.certificate
    with pytest.raises(KeyUseRefused):
        house.desk.signer(EC, Context("H1", purpose="other")).sign_digests([bytes(32)])
