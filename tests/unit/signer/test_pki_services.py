"""The test PKI as a whole: what one client gets from its servers, and how often it asks."""

from __future__ import annotations

import datetime as dt
import hashlib


def now():
    return dt.datetime.now(dt.UTC)


def test_one_timestamp_one_request(test_pki):
    before = test_pki.services.requests["/tsa"]
    token = test_pki.timestamper.timestamp(hashlib.sha256(b"x").digest())
    assert len(token) < test_pki.timestamper.size_hint
    assert test_pki.services.requests["/tsa"] == before + 1


def test_no_request_within_the_validity_window(test_pki):
    client = test_pki.new_revocation_client()
    chain = (test_pki.officer.certificate, *test_pki.officer.chain)
    first = client.collect(chain, now())
    assert client.requests == 2  # OCSP for the officer, the root's CRL for the issuing CA
    assert client.collect(chain, now()) == first
    assert client.requests == 2
    assert (len(first.certificates), len(first.crls), len(first.ocsps)) == (4, 1, 1)


def test_the_same_with_keys_in_a_token(token_pki):
    token = token_pki.timestamper.timestamp(hashlib.sha256(b"x").digest())
    assert token
    chain = (token_pki.seal.certificate, *token_pki.seal.chain)
    assert token_pki.revocation.collect(chain, now()).ocsps
