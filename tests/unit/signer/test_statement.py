"""Signed statements: genuine ones pass offline, each kind of forgery is refused."""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.keys import SignatureScheme
from signer.errors import OutputRejected, StatementInvalid, TimestampError
from signer.statement import SignedStatement, sign_statement, verify_statement
from tests.fakes import SoftwareKey, pem

TEXT = b'{"chain":"service","seq":7}'


@pytest.fixture(scope="module")
def audit_key(test_pki):
    return test_pki.issue()


@pytest.fixture(scope="module")
def signed(audit_key, test_pki) -> SignedStatement:
    return sign_statement(TEXT, audit_key, test_pki.timestamper)


def test_a_statement_is_proved_by_what_is_handed_in(signed, audit_key, test_pki):
    proof = verify_statement(TEXT, signed, test_pki.anchors)
    assert proof.signer == audit_key.certificate
    assert proof.authority == test_pki.tsa.certificate
    assert abs(proof.at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=2)


def test_openssl_takes_the_signature_too(signed, test_pki, tmp_path):
    (tmp_path / "s.der").write_bytes(signed.signature)
    (tmp_path / "text").write_bytes(TEXT)
    (tmp_path / "root.pem").write_bytes(b"".join(pem(c) for c in test_pki.anchors))
    done = subprocess.run(
        [
            *("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", tmp_path / "s.der"),
            *("-content", tmp_path / "text", "-CAfile", tmp_path / "root.pem", "-purpose", "any"),
        ],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == TEXT


def test_without_an_authority_there_is_no_time(audit_key, test_pki):
    signed = sign_statement(TEXT, audit_key, None)
    proof = verify_statement(TEXT, signed, test_pki.anchors)
    assert (proof.at, proof.authority) == (None, None)


@pytest.mark.parametrize("scheme", [SignatureScheme.RSA_PSS_SHA256, SignatureScheme.ECDSA_SHA384])
def test_other_schemes(scheme):
    key = SoftwareKey(scheme)
    signed = sign_statement(TEXT, key, None)
    assert verify_statement(TEXT, signed, [key.certificate]).signer == key.certificate


def test_another_text_is_refused(signed, test_pki):
    with pytest.raises(StatementInvalid, match="not the one that was signed"):
        verify_statement(TEXT + b" ", signed, test_pki.anchors)


def test_a_stranger_is_refused(test_pki):
    signed = sign_statement(TEXT, SoftwareKey(), test_pki.timestamper)
    with pytest.raises(StatementInvalid, match="no path"):
        verify_statement(TEXT, signed, test_pki.anchors)


def test_a_strange_authority_is_refused(signed, audit_key):
    with pytest.raises(StatementInvalid, match="no path"):
        verify_statement(TEXT, signed, [audit_key.certificate])


def test_an_expired_key_is_refused(test_pki):
    key = test_pki.issue(starts_after=dt.timedelta(days=-9), lifetime=dt.timedelta(days=8))
    signed = sign_statement(TEXT, key, test_pki.timestamper)
    with pytest.raises(StatementInvalid, match="no path"):
        verify_statement(TEXT, signed, test_pki.anchors)


def test_a_timestamp_of_something_else_is_refused(signed, audit_key, test_pki):
    other = sign_statement(TEXT, audit_key, test_pki.timestamper)
    mixed = SignedStatement(signed.signature, other.timestamp_token)
    with pytest.raises(StatementInvalid, match="another imprint"):
        verify_statement(TEXT, mixed, test_pki.anchors)


def test_a_wrong_signature_leaves_no_statement():
    key = SoftwareKey()
    key.corrupt = True
    with pytest.raises(OutputRejected, match="bị hủy"):
        sign_statement(TEXT, key, None)


def test_a_failing_authority_is_told(audit_key):
    class Deaf:
        size_hint = 1

        def timestamp(self, imprint, digest_name="sha256"):
            raise TimestampError("no answer")

    with pytest.raises(TimestampError):
        sign_statement(TEXT, audit_key, Deaf())


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_octet_of_the_proof_is_free(signed, test_pki, data):
    """Any bit flipped in signature or token: refused, or proves the same by the same people."""
    which = data.draw(st.sampled_from(["signature", "token"]))
    octets = bytearray(signed.signature if which == "signature" else signed.timestamp_token)
    place = data.draw(st.integers(0, len(octets) * 8 - 1))
    octets[place // 8] ^= 1 << place % 8
    if which == "signature":
        spoilt = SignedStatement(bytes(octets), signed.timestamp_token)
    else:
        spoilt = SignedStatement(signed.signature, bytes(octets))
    whole = verify_statement(TEXT, signed, test_pki.anchors)
    try:
        proof = verify_statement(TEXT, spoilt, test_pki.anchors)
    except StatementInvalid:
        return
    # a token's unsigned parts, such as certificates that nobody needs, are not what is proved
    assert which == "token"
    assert proof == whole


@settings(max_examples=100, deadline=None)
@given(cut=st.integers(0, 500), extra=st.binary(max_size=3))
def test_cut_or_longer_signatures_are_refused(signed, test_pki, cut, extra):
    octets = signed.signature[: len(signed.signature) - cut] + extra
    if octets == signed.signature:
        return
    for spoilt in (SignedStatement(octets), SignedStatement(octets, signed.timestamp_token)):
        with pytest.raises(StatementInvalid):
            verify_statement(TEXT, spoilt, test_pki.anchors)
