"""The signed payload of a printout's QR code: what it says, and that no bit of it may change."""

from __future__ import annotations

import datetime as dt
import hashlib

import cbor2
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.keys import SignatureScheme
from signer.cose import key_id
from signer.errors import PolicyRefused, ProofForged, ProofInvalid, ProofKeyUnknown, ProofMalformed
from signer.proofcode import (
    MAX_PROOF_BYTES,
    ProofClaims,
    ProofKeys,
    sign_proof,
    unverified_claims,
)
from signer.prooftext import Masking, decoded, encoded, masked, proof_text, read_text
from tests.fakes import SoftwareKey

NOW = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
AT = NOW + dt.timedelta(days=1)
URL = "https://sohoa.example/verify"


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    return SoftwareKey(label="proof")


def claims(**changes) -> ProofClaims:
    values = {
        "issuer": "UBND xã Thử Nghiệm",
        "code": "7K2M-9QXT-4",
        "digest": hashlib.sha256(b"document").digest(),
        "issued_at": dt.datetime.now(dt.UTC).replace(microsecond=0),
        "number": "379/QĐ-UBND",
        "decided_on": dt.date(2026, 11, 23),
        "holder": "N. V. An",
        "valid_until": None,
    }
    return ProofClaims(**{**values, **changes})


def test_a_proof_says_what_was_signed(key):
    wanted = claims(valid_until=dt.datetime(2031, 1, 1, tzinfo=dt.UTC))
    verified = ProofKeys([key.certificate]).verify(sign_proof(wanted, key), AT)
    assert verified.claims == wanted
    assert verified.certificate == key.certificate
    assert not verified.expired


def test_only_what_is_known_is_said(key):
    wanted = claims(number=None, decided_on=None, holder=None)
    assert ProofKeys([key.certificate]).verify(sign_proof(wanted, key), AT).claims == wanted


def test_a_proof_is_a_cose_sign1_with_cwt_claims_that_others_can_verify(key):
    """Built up again from RFC 9052 4.4 and RFC 8392 with nothing of ours."""
    wanted = claims()
    tag = cbor2.loads(sign_proof(wanted, key))
    protected, unprotected, payload, signature = tag.value
    assert tag.tag == 18
    assert unprotected == {}
    assert cbor2.loads(protected) == {1: -7, 4: key_id(key.certificate)}
    assert cbor2.loads(payload)[1] == wanted.issuer
    assert cbor2.loads(payload)[6] == int(wanted.issued_at.timestamp())
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = (int.from_bytes(signature[at : at + 32], "big") for at in (0, 32))
    key.certificate.public_key().verify(
        utils.encode_dss_signature(r, s), structure, ec.ECDSA(hashes.SHA256())
    )


def test_every_bit_counts(key):
    keys = ProofKeys([key.certificate])
    proof = sign_proof(claims(), key)
    for bit in range(8 * len(proof)):
        changed = bytearray(proof)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProofInvalid):
            keys.verify(bytes(changed), AT)


def test_p384_is_taken_and_every_rsa_key_refused():
    longer = SoftwareKey(SignatureScheme.ECDSA_SHA384)
    wanted = claims()
    assert ProofKeys([longer.certificate]).verify(sign_proof(wanted, longer), AT).claims == wanted
    rsa = SoftwareKey(SignatureScheme.RSA_PKCS1_SHA256)
    with pytest.raises(PolicyRefused, match="RSA"):
        sign_proof(claims(), rsa)
    assert rsa.calls == 0


def test_a_key_that_is_not_pinned_proves_nothing(key):
    proof = sign_proof(claims(), SoftwareKey(label="stranger"))
    with pytest.raises(ProofKeyUnknown):
        ProofKeys([key.certificate]).verify(proof, AT)
    with pytest.raises(ProofKeyUnknown):
        ProofKeys([]).verify(proof, AT)


def test_a_code_made_outside_its_certificates_life_proves_nothing(key):
    before = key.certificate.not_valid_before_utc - dt.timedelta(days=1)
    proof = sign_proof(claims(issued_at=before.replace(microsecond=0)), key)
    with pytest.raises(ProofKeyUnknown):
        ProofKeys([key.certificate]).verify(proof, AT)


def test_expiry_is_told_not_hidden(key):
    proof = sign_proof(claims(valid_until=AT - dt.timedelta(seconds=1)), key)
    assert ProofKeys([key.certificate]).verify(proof, AT).expired


def test_a_faulty_token_makes_no_valid_code(key):
    broken = SoftwareKey(private_key=key.private_key, certificate=key.certificate)
    broken.corrupt = True
    with pytest.raises(ProofForged):
        ProofKeys([key.certificate]).verify(sign_proof(claims(), broken), AT)


def reassembled(proof: bytes, **changes) -> bytes:
    """The same proof with parts replaced; `raw` takes the whole list of parts."""
    protected, unprotected, payload, signature = cbor2.loads(proof).value
    parts = {"p": protected, "u": unprotected, "c": payload, "s": signature, **changes}
    return cbor2.dumps(cbor2.CBORTag(18, [parts["p"], parts["u"], parts["c"], parts["s"]]))


def test_whatever_is_not_the_one_permitted_form_is_refused(key):
    keys = ProofKeys([key.certificate])
    proof = sign_proof(claims(), key)
    protected, _, payload, signature = cbor2.loads(proof).value
    header = cbor2.loads(protected)
    said = cbor2.loads(payload)
    wrong = {
        "octet behind": proof + b"\0",
        "no tag": proof[1:],
        "another tag": b"\xd8\x62" + proof[1:],
        "nothing": b"",
        "too long": proof + bytes(MAX_PROOF_BYTES),
        "longer length than needed": b"\xd8\x12" + proof[1:],
        "indefinite list": b"\xd2\x9f" + proof[2:] + b"\xff",
        "unprotected header": reassembled(proof, u={4: b"x"}),
        "critical header": reassembled(proof, p=cbor2.dumps({**header, 2: [-70001]})),
        "other algorithm": reassembled(proof, p=cbor2.dumps({**header, 1: -8})),
        "no key id": reassembled(proof, p=cbor2.dumps({1: -7})),
        "header no map": reassembled(proof, p=cbor2.dumps([1])),
        "short signature": reassembled(proof, s=signature[:-1]),
        "detached payload": reassembled(proof, c=None),
        "payload no map": reassembled(proof, c=cbor2.dumps([])),
        "text that turns": reassembled(proof, c=cbor2.dumps({**said, 1: "A\u202eB"})),
        "issuer no text": reassembled(proof, c=cbor2.dumps({**said, 1: 5})),
        "boolean time": reassembled(proof, c=cbor2.dumps({**said, 6: True})),
        "time out of range": reassembled(proof, c=cbor2.dumps({**said, 6: 1 << 60})),
        "short digest": reassembled(
            proof, c=cbor2.dumps({**said, -65537: {**said[-65537], 5: b"x"}})
        ),
        "day out of range": reassembled(
            proof, c=cbor2.dumps({**said, -65537: {**said[-65537], 3: -1}})
        ),
        "nested": b"\x81" * 900 + b"\x00",
    }
    for name, data in wrong.items():
        with pytest.raises(ProofMalformed):
            print(name, keys.verify(data, AT))


def test_signature_values_of_nothing_are_forgeries(key):
    keys = ProofKeys([key.certificate])
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    for r, s in ((0, 0), (1, 0), (0, 1), (order, order), (2**256 - 1, 1)):
        raw = r.to_bytes(32, "big") + s.to_bytes(32, "big")
        with pytest.raises(ProofForged):
            keys.verify(reassembled(sign_proof(claims(), key), s=raw), AT)


@pytest.mark.parametrize(
    "change",
    [
        {"issuer": ""},
        {"issuer": "x" * 121},
        {"code": "a\nb"},
        {"digest": b"short"},
        {"number": ""},
        {"holder": "N\u0000"},
    ],
)
def test_claims_that_do_not_fit_use_no_key(change):
    fresh = SoftwareKey()
    with pytest.raises(PolicyRefused):
        sign_proof(claims(**change), fresh)
    assert fresh.calls == 0


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_a_typed_refusal(data):
    with pytest.raises(ProofMalformed):
        unverified_claims(data)


# --- the text of the code -------------------------------------------------------------------


@given(st.binary(max_size=300))
@settings(deadline=None)
def test_base41_comes_back(data):
    text = encoded(data)
    assert decoded(text) == data
    assert not text.endswith((".", ":"))


@given(st.text("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-/*.:", max_size=30))
@settings(deadline=None)
def test_base41_has_one_form(text):
    try:
        data = decoded(text)
    except ProofMalformed:
        return
    assert encoded(data) == text


def test_the_text_opens_the_lookup_page_and_holds_the_proof(key):
    proof = sign_proof(claims(), key)
    text = proof_text(URL, "7K2M-9QXT-4", proof)
    assert str(text).startswith("https://sohoa.example/verify?code=7K2M-9QXT-4#")
    read = read_text(str(text))
    assert (read.unverified_host, read.unverified_code) == ("sohoa.example", "7K2M-9QXT-4")
    assert read.proof == proof


@pytest.mark.parametrize("url", ["sohoa.example", "ftp://x/verify", "https://x/?a=1", "https://"])
def test_a_lookup_address_is_a_page(url):
    with pytest.raises(PolicyRefused):
        proof_text(url, "X", b"")


@pytest.mark.parametrize(
    "text",
    ["", "hello", "https://sohoa.example/verify?code=1", "mailto:a#B", "https://x/#b", "https://["
     "x/#AA", "https://x/#A", "https://x/#:::", "https://x/#" + "A" * 3000],
)  # fmt: skip
def test_other_codes_are_no_proofs(text):
    with pytest.raises(ProofMalformed):
        read_text(text)


@pytest.mark.parametrize(
    ("masking", "shown"),
    [
        (Masking.HIDDEN, None),
        (Masking.INITIALS, "N. V. A."),
        (Masking.GIVEN_NAME, "N. V. An"),
        (Masking.FULL, "Nguyễn Văn An"),
    ],
)
def test_names_are_masked_as_configured(masking, shown):
    assert masked(" Nguyễn  Văn An ", masking) == shown
    assert masked(None, masking) is None
