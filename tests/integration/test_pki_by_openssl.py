"""What the test PKI and its services hand out, judged by OpenSSL."""

from __future__ import annotations

import datetime as dt
import hashlib
import subprocess

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from signer.insecure_testpki import Role

SIGNERS = [Role.OFFICER, Role.LEADER, Role.SEAL, Role.TSA, Role.OCSP]


@pytest.fixture(params=["test_pki", "token_pki"])
def running(request):
    """Keys in memory, then keys in the token."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def openssl(running, tmp_path):
    """Runs openssl in a folder that holds each role's certificate as ROLE.pem."""
    for role in Role:
        (tmp_path / f"{role}.pem").write_bytes(
            running.pki.certificate(role).public_bytes(Encoding.PEM)
        )

    def run(*arguments, succeeds=True):
        done = subprocess.run(
            ["openssl", *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        output = done.stdout + done.stderr
        assert (done.returncode == 0) == succeeds, output
        return output

    return run


@pytest.fixture
def crls(running, tmp_path, openssl):
    """Both CRLs in crls.pem, fetched from their distribution points and verified."""
    for role in (Role.ROOT, Role.ISSUING):
        encoded = running.revocation._fetcher.get(
            f"{running.services.base_url}/crl/{role}.crl", timeout_s=5, max_bytes=10_000
        )
        (tmp_path / f"{role}.crl").write_bytes(encoded)
        shown = openssl("crl", "-in", f"{role}.crl", "-inform", "DER", "-CAfile", f"{role}.pem",
                        "-noout", "-text")  # fmt: skip
        assert "verify OK" in shown
        openssl("crl", "-in", f"{role}.crl", "-inform", "DER", "-out", f"{role}.crl.pem")
    both = [(tmp_path / f"{role}.crl.pem").read_bytes() for role in (Role.ROOT, Role.ISSUING)]
    (tmp_path / "crls.pem").write_bytes(b"".join(both))


@pytest.mark.parametrize("role", SIGNERS)
def test_chains_verify_strictly(openssl, crls, role):
    purpose = {Role.TSA: ["-purpose", "timestampsign"], Role.OCSP: ["-purpose", "ocsphelper"]}
    shown = openssl(
        "verify", "-x509_strict", "-crl_check_all", "-CRLfile", "crls.pem", "-CAfile", "root.pem",
        "-untrusted", "issuing.pem", *purpose.get(role, ["-purpose", "smimesign"]), f"{role}.pem",
    )  # fmt: skip
    assert f"{role}.pem: OK" in shown


def test_no_signer_is_a_ca(openssl):
    for role in SIGNERS:
        shown = openssl("x509", "-in", f"{role}.pem", "-noout", "-purpose")
        assert "S/MIME signing CA : No" in shown


def test_the_issuing_ca_may_have_no_ca_below(openssl):
    assert "pathlen:0" in openssl("x509", "-in", "issuing.pem", "-noout", "-text")


@pytest.mark.parametrize("options", [[], ["-no_nonce"], ["-sha256"], ["-sha512"]])
def test_ocsp_over_http(running, openssl, options):
    digest = [option for option in options if option.startswith("-sha")]
    rest = [option for option in options if option not in digest]
    shown = openssl(
        "ocsp", *digest, "-issuer", "issuing.pem", "-cert", "officer.pem", "-CAfile", "root.pem",
        "-url", f"{running.services.base_url}/ocsp", "-text", *rest,
    )  # fmt: skip
    assert "Response verify OK" in shown
    assert "officer.pem: good" in shown
    assert "Next Update" in shown


def test_revocation_is_seen(running, openssl, tmp_path, request):
    key = running.pki.key(Role.LEADER)
    running.pki.revoke(key.certificate)
    try:
        request.getfixturevalue("crls")
        shown = openssl(
            "ocsp", "-issuer", "issuing.pem", "-cert", "leader.pem", "-cert", "seal.pem",
            "-CAfile", "root.pem", "-url", f"{running.services.base_url}/ocsp", succeeds=False,
        )  # fmt: skip
        assert "Responder Error: malformedrequest" in shown  # one certificate a request
        shown = openssl(
            "ocsp", "-issuer", "issuing.pem", "-cert", "leader.pem", "-CAfile", "root.pem",
            "-url", f"{running.services.base_url}/ocsp",
        )  # fmt: skip
        assert "leader.pem: revoked" in shown
        shown = openssl(
            "verify", "-crl_check_all", "-CRLfile", "crls.pem", "-CAfile", "root.pem",
            "-untrusted", "issuing.pem", "leader.pem", succeeds=False,
        )  # fmt: skip
        assert "certificate revoked" in shown
    finally:
        running.pki.unrevoke(key.certificate)


def test_collected_evidence_satisfies_openssl(running, openssl, tmp_path):
    """The very bytes that go into a DSS."""

    client = running.new_revocation_client()
    chain = (running.officer.certificate, *running.officer.chain)
    evidence = client.collect(chain, dt.datetime.now(dt.UTC))
    (tmp_path / "answer").write_bytes(evidence.ocsps[0])
    shown = openssl(
        "ocsp", "-respin", "answer", "-issuer", "issuing.pem", "-cert", "officer.pem",
        "-CAfile", "root.pem",
    )  # fmt: skip
    assert "Response verify OK" in shown
    assert "officer.pem: good" in shown
    (tmp_path / "crl").write_bytes(evidence.crls[0])
    assert "verify OK" in openssl("crl", "-in", "crl", "-inform", "DER", "-CAfile", "root.pem",
                                  "-noout")  # fmt: skip


def test_timestamps_of_the_client(running, openssl, tmp_path):
    data = "số hóa hồ sơ".encode()
    token = running.timestamper.timestamp(hashlib.sha256(data).digest())
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "data").write_bytes(data)
    shown = openssl("ts", "-verify", "-token_in", "-in", "token", "-data", "data", "-CAfile",
                    "root.pem", "-untrusted", "issuing.pem")  # fmt: skip
    assert "Verification: OK" in shown
    (tmp_path / "data").write_bytes(data + b"!")
    shown = openssl("ts", "-verify", "-token_in", "-in", "token", "-data", "data", "-CAfile",
                    "root.pem", "-untrusted", "issuing.pem", succeeds=False)  # fmt: skip
    assert "message imprint mismatch" in shown
