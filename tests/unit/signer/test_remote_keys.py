"""`CSCClient` before a provider that keeps to the letter of the CSC API (tests/csc_provider.py)."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from hsm.errors import HSMError, KeyMismatch, KeyNotFound, SignatureFault, TokenUnavailable
from hsm.keys import SignatureScheme
from signer.csc import lane as lane_module
from signer.csc.lane import Lane
from signer.csc.wire import Context, Failure, MalformedMessage, scheme_from_wire, scheme_to_wire
from signer.errors import KeyUseRefused, SignerError, TimestampError
from signer.remote import ClientLogin, CSCClient
from tests.csc_provider import CLIENT, PIN, ProviderServer, Refusal
from tests.fixtures_token import CertificateMaker

SIGN = "/csc/v2/signatures/signHash"
INFO = "/csc/v2/credentials/info"


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def server(test_ca: CertificateMaker, rsa_key):
    with ProviderServer() as server:
        ec_key = ec.generate_private_key(ec.SECP256R1())
        chain = [test_ca.certificate]
        server.provider.add(
            "ký-số-01",
            ec_key,
            [test_ca.issue(ec_key.public_key(), "Người ký thử"), *chain],
            ["1.2.840.10045.4.3.2"],
        )
        server.provider.add(
            "rsa",
            rsa_key,
            [test_ca.issue(rsa_key.public_key(), "RSA"), *chain],
            ["1.2.840.113549.1.1.11", "1.2.840.113549.1.1.10"],
        )
        yield server


@pytest.fixture
def client(server):
    login = ClientLogin(CLIENT[0], lambda: CLIENT[1])
    client = CSCClient(
        server.url,
        timeout_s=5,
        login=login,
        activation=lambda _, hashes: [{"id": "PIN", "value": PIN}],
    )
    yield client
    client.close()


def digests(count, size=32):
    return [secrets.token_bytes(size) for _ in range(count)]


def test_it_lists_and_describes(client, test_ca):
    assert client.info()["specs"] == "2.0.0.2"
    first, second = client.credentials()
    assert (first.id, first.schemes) == ("ký-số-01", (SignatureScheme.ECDSA_SHA256,))
    assert first.chain == (test_ca.certificate,)
    assert SignatureScheme.RSA_PSS_SHA256 in second.schemes
    assert second.schemes[0] is SignatureScheme.RSA_PKCS1_SHA256
    assert client.health().ok
    assert "Authorization" not in repr(client)


@pytest.mark.parametrize(
    ("label", "scheme"),
    [
        ("ký-số-01", SignatureScheme.ECDSA_SHA256),
        ("rsa", SignatureScheme.RSA_PKCS1_SHA256),
        ("rsa", SignatureScheme.RSA_PSS_SHA256),
    ],
)
def test_it_signs_more_than_one_call_can_hold(client, server, label, scheme):
    key = client.key(label, scheme)
    signatures = key.sign_digests(digests(12))  # verified by the key itself
    assert len(signatures) == 12
    calls = [body for path, body in server.provider.asked if path == SIGN]
    assert [len(body["hashes"]) for body in calls] == [5, 5, 2]
    assert not server.provider.sads  # each was used up
    assert all("clientData" not in body for body in calls)  # contexts stay at home
    assert key.is_hardware is False


def test_r_and_s_side_by_side_are_made_what_cms_wants(client, server):
    server.provider.raw_ecdsa = True
    (signature,) = client.key("ký-số-01").sign_digests(digests(1))
    assert signature[0] == 0x30


def test_a_token_that_ran_out_is_fetched_anew(client, server):
    client.key("rsa")
    server.provider.tokens.clear()
    assert client.key("rsa").sign_digests(digests(1))
    assert server.provider.token_requests == 2


def test_wrong_login(server):
    client = CSCClient(server.url, login=ClientLogin("x", lambda: "y"))
    with pytest.raises(KeyUseRefused, match="unauthorized_client"):
        client.info()
    assert not client.health().ok
    client.close()


def test_wrong_activation_data(server):
    client = CSCClient(
        server.url,
        login=ClientLogin(CLIENT[0], lambda: CLIENT[1]),
        activation=lambda *_: [{"id": "PIN", "value": "000000"}],
    )
    with pytest.raises(SignerError, match="Invalid PIN"):
        client.key("rsa").sign_digests(digests(1))
    assert not [path for path, _ in server.provider.asked if path == SIGN]
    client.close()


def test_a_signature_that_is_not_the_certificate_s(client, server):
    wrong = base64.b64encode(bytes(256)).decode()
    key = client.key("rsa")
    server.provider.answers[SIGN] = {"signatures": [wrong]}
    with pytest.raises(SignatureFault, match="take it out of service"):
        key.sign_digests(digests(1))


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (Refusal(503, "temporarily_unavailable"), TokenUnavailable),
        (Refusal(429, "temporarily_unavailable"), TokenUnavailable),
        (Refusal(403, "access_denied"), KeyUseRefused),
        (Refusal(400, "invalid_request", "Invalid parameter hashes"), SignerError),
        (Refusal(500, "server_error"), HSMError),
    ],
    ids=["503", "429", "403", "400", "500"],
)
def test_errors_of_the_specification(client, server, refusal, kind):
    key = client.key("rsa")
    server.provider.answers[SIGN] = refusal
    server.provider.retry_after = "7"
    with pytest.raises(kind) as failure:
        key.sign_digests(digests(2))
    assert type(failure.value) is kind
    if kind is TokenUnavailable:
        assert failure.value.retry_after_s == 7


@pytest.mark.parametrize(
    "answer",
    [
        {"signatures": []},
        {"signatures": ["no base64!"]},
        {"signatures": "text"},
        {"signatures": [None]},
        {},
        {"signatures": ["", ""]},
    ],
)
def test_answers_that_are_none(client, server, answer):
    key = client.key("rsa")
    server.provider.answers[SIGN] = answer
    with pytest.raises(SignerError, match="CSC"):
        key.sign_digests(digests(1))


@pytest.mark.parametrize("page", [b"<html>", b"[1]", b"{", b""])
def test_a_body_that_is_no_json_object(client, server, page):
    key = client.key("rsa")
    server.provider.answers[SIGN] = page
    with pytest.raises((TokenUnavailable, SignerError)):
        key.sign_digests(digests(1))


def test_credentials_that_cannot_be_used(client, server, test_ca, rsa_key):
    with pytest.raises(KeyNotFound, match="sohoa keys list"):
        client.key("nobody")
    server.provider.disabled.add("rsa")
    with pytest.raises(KeyUseRefused, match="disabled"):
        client.key("rsa")
    with pytest.raises(KeyUseRefused, match="does not sign with"):
        client.key("ký-số-01", SignatureScheme.ECDSA_SHA384)
    other = ec.generate_private_key(ec.SECP256R1())
    own = test_ca.issue(other.public_key(), "x")
    server.provider.add("mixed", rsa_key, [own], ["1.2.840.113549.1.1.11"])
    with pytest.raises(KeyMismatch):
        client.key("mixed")


@pytest.mark.parametrize(
    "change",
    [
        {"key": None},
        {"cert": {"certificates": []}},
        {"cert": {"certificates": ["AAAA"]}},
        {"cert": {"certificates": ["é"]}},
        {"cert": {}},
    ],
)
def test_descriptions_that_are_none(client, server, change):
    good = {"key": {"algo": ["1.2.840.113549.1.1.11"]}, "cert": {}}
    server.provider.answers[INFO] = good | change
    with pytest.raises(SignerError, match="CSC"):
        client.key("rsa")


def test_strangers_in_the_chain_are_left_out(client, server, test_ca, rsa_key):
    own = test_ca.issue(rsa_key.public_key(), "RSA")
    stranger = CertificateMaker("Stranger").certificate
    server.provider.add(
        "long", rsa_key, [own, stranger, test_ca.certificate], ["1.2.840.113549.1.1.1"]
    )
    key = client.key("long")
    assert key.chain == (test_ca.certificate,)
    assert {s.family for s in client.credentials()[2].schemes} == {"rsa-pkcs1"}


def test_nobody_listens(tmp_path):
    for address in (f"unix:{tmp_path / 'no.sock'}", "http://127.0.0.1:1"):
        client = CSCClient(address, timeout_s=1)
        with pytest.raises(TokenUnavailable, match="sohoa agent") as failure:
            client.key("x")
        assert failure.value.retry_after_s == 1
        assert not client.health().ok


@pytest.mark.parametrize(
    "address", ["http://example.org", "ftp://x", "https://", "https://a:b@c", "https://x:y"]
)
def test_addresses_that_are_refused(address):
    with pytest.raises(SignerError, match="address"):
        CSCClient(address)


def test_tls_files_that_cannot_be_read(tmp_path):
    with pytest.raises(SignerError, match="TLS"):
        CSCClient("https://127.0.0.1:1", server_ca=tmp_path / "none.pem")


def test_digests_are_checked_before_anything_is_sent(client, server):
    key = client.key("rsa")
    asked = len(server.provider.asked)
    with pytest.raises(ValueError, match="signs digests of 32 bytes"):
        key.sign_digests([bytes(32), bytes(31)])
    assert key.sign_digests([]) == []
    with pytest.raises(TimestampError):
        client.timestamp(bytes(31))
    assert len(server.provider.asked) == asked


def test_a_provider_without_timestamps(client):
    with pytest.raises(SignerError, match="no such method"):
        client.timestamp(bytes(32))


def test_every_scheme_survives_the_wire():
    for scheme in SignatureScheme:
        words = scheme_to_wire(scheme)
        assert (
            scheme_from_wire(
                words["signAlgo"], words.get("signAlgoParams"), words["hashAlgorithmOID"]
            )
            is scheme
        )
    for wrong in (("1.2.3", None, None), ("1.2.840.113549.1.1.1", None, None)):
        with pytest.raises(MalformedMessage):
            scheme_from_wire(*wrong)


@pytest.mark.parametrize(
    "entry",
    [
        {"attempt": 0},
        {"attempt": True},
        {"purpose": 5},
        {"subject": "x" * 49},
        {"agency": "x" * 33},
        {"principal": "x" * 257},
        {"pin": "1"},
        [],
        None,
    ],
)
def test_contexts_from_outside_are_checked(entry):
    with pytest.raises(MalformedMessage):
        Context.read(entry)


def test_a_context_survives_the_wire():
    context = Context("H22.12", "pri_1", "document", "rec_1", 3, "a" * 64, "req")
    assert Context.read(json.loads(json.dumps(context.to_json()))) == context
    assert Context.read({}) == Context()


def test_failures_survive_the_wire():
    for error in (
        TokenUnavailable("gone", retry_after_s=9),
        SignatureFault("flip"),
        KeyUseRefused("no"),
        KeyNotFound("none"),
    ):
        failure = Failure.of(error)
        again = Failure.read(failure.status, json.loads(json.dumps(failure.to_json())), None)
        assert type(again.error()) is type(error)
        assert str(again.error()) == str(error)
    assert Failure.of(RuntimeError("x")).kind == "HSMError"


class Sender:
    """What a lane sends through; holds its first call until released."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.release = threading.Event()
        self.entered = threading.Event()

    def __call__(self, hashes, contexts):
        self.calls.append(len(hashes))
        assert len(hashes) == len(contexts)
        self.entered.set()
        if len(self.calls) == 1:
            self.release.wait(10)
        return [digest[::-1] for digest in hashes]


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    return threads


def test_hashes_gather_while_a_call_is_in_flight(monkeypatch):
    monkeypatch.setattr(lane_module, "PATIENCE_S", 5.0)
    sender = Sender()
    lane = Lane(sender, 32)
    results = {}

    def sign(number):
        digest = f"{number:032d}".encode()
        (results[number],) = lane.sign([digest], Context())
        assert results[number] == digest[::-1]

    first = in_threads(1, sign)
    sender.entered.wait(5)
    rest = [threading.Thread(target=sign, args=(n,)) for n in range(1, 50)]
    for thread in rest:
        thread.start()
    while len(lane._waiting) < 49:
        time.sleep(0.001)
    sender.release.set()
    for thread in first + rest:
        thread.join(10)
    assert sender.calls == [1, 32, 17]
    assert len(results) == 50


def test_a_call_that_stalls_does_not_keep_the_others(monkeypatch):
    monkeypatch.setattr(lane_module, "PATIENCE_S", 0.05)
    sender = Sender()
    lane = Lane(sender, 32)
    done = []
    first = in_threads(1, lambda _: lane.sign([bytes(32)], Context()))
    sender.entered.wait(5)
    rest = in_threads(3, lambda _: done.append(lane.sign([b"x" * 32], Context())))
    for thread in rest:
        thread.join(5)
    assert len(done) == 3
    assert not sender.release.is_set()
    sender.release.set()
    first[0].join(5)


def test_whoever_carries_and_dies_leaves_nobody_waiting():
    def send(hashes, contexts):
        raise KeyboardInterrupt

    lane = Lane(send, 8)
    with pytest.raises(KeyboardInterrupt):
        lane.sign([bytes(32)], Context())
    assert lane._flights == 0


@pytest.mark.parametrize(("last", "signers", "calls"), [(2, 3, [3]), (2, 1, [1]), (1, 1, [1])])
def test_a_call_waits_a_moment_for_one_more_than_the_last(monkeypatch, last, signers, calls):
    monkeypatch.setattr(lane_module, "LINGER_S", 5.0 if signers > last else 0.02)
    sender = Sender()
    sender.release.set()
    lane = Lane(sender, 32)
    lane._last = last
    for thread in in_threads(signers, lambda _: lane.sign([bytes(32)], Context())):
        thread.join(10)
    assert sender.calls == calls
    assert lane._flights == 0
    assert lane._last == signers
