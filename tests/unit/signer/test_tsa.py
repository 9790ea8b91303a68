"""The RFC 3161 responder: what it grants, what it refuses and how it says so."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import threading

import pytest
from asn1crypto import tsp
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from hsm.errors import TokenUnavailable
from hsm.keys import SignatureScheme
from signer import der
from signer.errors import CertificateRefused
from signer.insecure_testpki import Role
from signer.insecure_testpki.roles import PROFILES
from signer.timestamp_token import build_request
from signer.tsa import TimeSerials, TimestampAuthority
from tests.fixtures_pki import TSA_POLICY

IMPRINT = hashlib.sha256(b"hello").digest()


def request(imprint=IMPRINT, digest="sha256", nonce=77, policy=None):
    return build_request(imprint, digest, nonce, policy)


def failure(response):
    """The names of the failure bits and the text of a refusal."""
    (status,) = der.parse(response).children()  # asn1crypto wants a token in every response
    parsed = tsp.PKIStatusInfo.load(status.raw, strict=True)
    assert parsed["status"].native == "rejection"
    return parsed["fail_info"].native, parsed["status_string"].native[0]


@pytest.fixture(scope="module")
def authority(test_pki):
    return TimestampAuthority(test_pki.tsa, TSA_POLICY)


def info(response):
    parsed = tsp.TimeStampResp.load(response, strict=True)
    assert parsed["status"]["status"].native == "granted"
    return parsed["time_stamp_token"]["content"]["encap_content_info"]["content"].parsed.native


def test_a_token_says_what_was_asked(authority):
    before = dt.datetime.now(dt.UTC)
    found = info(authority.respond(request()))
    assert found["message_imprint"]["hashed_message"] == IMPRINT
    assert found["message_imprint"]["hash_algorithm"]["algorithm"] == "sha256"
    assert found["nonce"] == 77
    assert found["policy"] == TSA_POLICY
    assert found["accuracy"]["seconds"] == 1
    assert abs(found["gen_time"] - before) < dt.timedelta(seconds=5)


def openssl_verify(tmp_path, test_pki, response, *arguments):
    (tmp_path / "response.tsr").write_bytes(response)
    chain = [test_pki.pki.certificate(role) for role in (Role.ISSUING, Role.TSA)]
    for name, certificates in (("root.pem", test_pki.anchors), ("chain.pem", chain)):
        pem = b"".join(c.public_bytes(serialization.Encoding.PEM) for c in certificates)
        (tmp_path / name).write_bytes(pem)
    return subprocess.run(
        ["openssl", "ts", "-verify", "-in", "response.tsr", "-CAfile", "root.pem",
         "-untrusted", "chain.pem", *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("scheme", list(SignatureScheme))
def test_openssl_accepts_every_scheme(test_pki, tmp_path, scheme):
    key = test_pki.issue(PROFILES[Role.TSA], scheme=scheme)
    response = TimestampAuthority(key, TSA_POLICY).respond(request())
    (tmp_path / "request.tsq").write_bytes(request())
    done = openssl_verify(tmp_path, test_pki, response, "-queryfile", "request.tsq")
    if scheme.family == "rsa-pss":  # `openssl ts` reads PKCS #7, which has no PSS; `cms` does
        assert "Verification: OK" not in done.stdout
        _, token = der.parse(response).children()
        (tmp_path / "token").write_bytes(token.raw)
        done = subprocess.run(
            ["openssl", "cms", "-verify", "-in", "token", "-inform", "DER", "-CAfile", "root.pem",
             "-purpose", "timestampsign", "-cades", "-binary", "-out", "info"],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "successful" in done.stderr, done.stderr
        assert IMPRINT in (tmp_path / "info").read_bytes()
    else:
        assert "Verification: OK" in done.stdout, done.stderr


@pytest.mark.parametrize("arguments", [[], ["-cert"], ["-no_nonce"], ["-sha512"], ["-sha384"]])
def test_openssl_asks(authority, test_pki, tmp_path, arguments):
    """A query by `openssl ts`, verified by it; without -cert the token carries none."""
    (tmp_path / "data").write_bytes(b"hello")
    query = ["openssl", "ts", "-query", "-data", "data", "-out", "request.tsq", *arguments]
    subprocess.run(query, cwd=tmp_path, check=True, capture_output=True)
    response = authority.respond((tmp_path / "request.tsq").read_bytes())
    done = openssl_verify(tmp_path, test_pki, response, "-queryfile", "request.tsq")
    assert "Verification: OK" in done.stdout, done.stderr
    signed_data = tsp.TimeStampResp.load(response)["time_stamp_token"]["content"]
    assert len(signed_data["certificates"]) == (3 if "-cert" in arguments else 0)


def test_openssl_refuses_other_data(authority, test_pki, tmp_path):
    (tmp_path / "data").write_bytes(b"other")
    done = openssl_verify(tmp_path, test_pki, authority.respond(request()), "-data", "data")
    assert done.returncode != 0
    assert "message imprint mismatch" in done.stderr


def der_request(*fields):
    return der.sequence(*fields)


VERSION = der.integer(1)
SHA1 = der.sequence(der.sequence(der.oid("1.3.14.3.2.26")), der.octet_string(bytes(20)))
SHA256 = der.sequence(der.sequence(der.oid("2.16.840.1.101.3.4.2.1")), der.octet_string(IMPRINT))


@pytest.mark.parametrize(
    ("bad", "bits", "text"),
    [
        (b"", {"bad_data_format"}, "not a TimeStampReq"),
        (b"GET / HTTP/1.1", {"bad_data_format"}, "not a TimeStampReq"),
        (der_request(), {"bad_data_format"}, "0 fields"),
        (der_request(der.integer(2), SHA256), {"bad_data_format"}, "version"),
        (der_request(VERSION, SHA1), {"bad_alg"}, "SHA-256"),
        (der_request(VERSION, der.null()), {"bad_data_format"}, "tag"),
        (der_request(VERSION, der.sequence(SHA256)), {"bad_data_format"}, "1 fields"),
        (request(imprint=bytes(31)), {"bad_data_format"}, "as long as"),
        (request(policy="2.999.1"), {"unaccepted_policy"}, "policy"),
        (
            der_request(VERSION, SHA256, der.explicit(0, der.sequence())),
            {"unaccepted_extensions"},
            "extensions",
        ),
        (der_request(VERSION, SHA256, der.null()), {"bad_data_format"}, "unknown field"),
        (request() + bytes(5000), {"bad_request"}, "too long"),
    ],
)
def test_refusals(authority, bad, bits, text):
    assert failure(authority.respond(bad))[0] == bits
    assert text in failure(authority.respond(bad))[1]


@given(data=st.binary(max_size=80), cut=st.integers(0, 60), flip=st.integers(0, 8 * 60 - 1))
def test_no_request_makes_it_raise(authority, data, cut, flip):
    valid = bytearray(request())
    valid[flip // 8 % len(valid)] ^= 1 << flip % 8
    for candidate in (data, bytes(valid), request()[:cut] + data):
        status, *token = der.parse(authority.respond(candidate)).children()
        granted = tsp.PKIStatusInfo.load(status.raw, strict=True)["status"].native == "granted"
        assert len(token) == granted


def test_the_policy_asked_for_is_granted(authority):
    assert info(authority.respond(request(policy=TSA_POLICY)))["policy"] == TSA_POLICY


def test_faults_of_the_token_are_system_failures(test_pki, caplog):
    class Gone:
        label, scheme = test_pki.tsa.label, test_pki.tsa.scheme
        certificate, chain = test_pki.tsa.certificate, test_pki.tsa.chain
        is_hardware = False

        def sign_digests(self, digests):
            raise TokenUnavailable("removed")

    response = TimestampAuthority(Gone(), TSA_POLICY).respond(request())
    assert failure(response)[0] == {"system_failure"}
    assert "removed" in caplog.text


@pytest.mark.parametrize("days", [-1, 4 * 365])
def test_no_token_outside_the_certificates_time(test_pki, days):
    at = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    authority = TimestampAuthority(test_pki.tsa, TSA_POLICY, clock=lambda: at)
    assert failure(authority.respond(request()))[0] == {"time_not_available"}


@pytest.mark.parametrize(
    ("accuracy", "expected"),
    [
        (dt.timedelta(milliseconds=1500), {"seconds": 1, "millis": 500, "micros": None}),
        (dt.timedelta(milliseconds=200), {"seconds": None, "millis": 200, "micros": None}),
    ],
)
def test_accuracy(test_pki, accuracy, expected):
    authority = TimestampAuthority(test_pki.tsa, TSA_POLICY, accuracy=accuracy)
    assert info(authority.respond(request()))["accuracy"] == expected


def test_gen_time_has_no_trailing_zeros(test_pki):
    at = dt.datetime.now(dt.UTC).replace(microsecond=120_456)
    authority = TimestampAuthority(test_pki.tsa, TSA_POLICY, clock=lambda: at)
    assert f".{12}Z".encode() in authority.respond(request())


def test_a_signers_certificate_cannot_timestamp(test_pki):
    for key in (test_pki.officer, test_pki.pki.key(Role.OCSP), test_pki.pki.key(Role.ISSUING)):
        with pytest.raises(CertificateRefused):
            TimestampAuthority(key, TSA_POLICY)


def test_serials_grow_and_never_repeat_even_when_the_clock_goes_back():
    ticks = iter([5, 5, 3, 9] * 500)
    serials = TimeSerials(lambda: next(ticks))
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.extend(serials() for _ in range(500)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 2000
    single = [TimeSerials()() for _ in range(3)]
    assert single == sorted(single)
    assert all(1 << 120 < serial < 1 << 160 for serial in single)


def test_own_serials_are_used(test_pki):
    authority = TimestampAuthority(test_pki.tsa, TSA_POLICY, serials=iter(range(41, 50)).__next__)
    assert info(authority.respond(request()))["serial_number"] == 41
    assert info(authority.respond(request()))["serial_number"] == 42


def test_openssl_reads_a_refusal(authority, tmp_path):
    (tmp_path / "r").write_bytes(authority.respond(request(policy="2.999.1")))
    command = ["openssl", "ts", "-reply", "-in", "r", "-text"]
    shown = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Status: Rejected" in shown.stdout
    assert "unacceptedPolicy" in shown.stdout or "not supported" in shown.stdout
