"""The signed payload of a cover sheet: what it says, and that no bit of it may change."""

from __future__ import annotations

import datetime as dt

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hsm.keys import SignatureScheme
from signer.coversheet import (
    MAX_COMPONENTS,
    MAX_SHEET_BYTES,
    CoverSheetClaims,
    CoverSheetKeys,
    SheetComponent,
    sign_cover_sheet,
    unverified_cover_sheet,
)
from signer.errors import (
    CoverSheetForged,
    CoverSheetInvalid,
    CoverSheetKeyUnknown,
    CoverSheetMalformed,
    PolicyRefused,
    ProofMalformed,
)
from signer.proofcode import ProofClaims, ProofKeys, sign_proof
from tests.fakes import SoftwareKey


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    return SoftwareKey(label="sheets")


def claims(**changes) -> CoverSheetClaims:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    values = {
        "agency": "ubnd-xa-thu",
        "dossier": "000.00.15.H99-261123-0004",
        "station": "quay-3",
        "serial": bytes(range(10)),
        "components": (SheetComponent("TP-DON", 2), SheetComponent("TP-GCN", 4)),
        "issued_at": now,
        "valid_until": now + dt.timedelta(days=7),
    }
    return CoverSheetClaims(**{**values, **changes})


def test_a_sheet_says_what_was_signed(key):
    wanted = claims()
    payload = sign_cover_sheet(wanted, key)
    sheet = CoverSheetKeys([key.certificate]).verify(payload)
    assert sheet.claims == wanted == unverified_cover_sheet(payload)
    assert sheet.claims.pages == 6
    assert sheet.certificate == key.certificate


def test_every_bit_counts(key):
    keys = CoverSheetKeys([key.certificate])
    payload = sign_cover_sheet(claims(), key)
    for bit in range(8 * len(payload)):
        changed = bytearray(payload)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(CoverSheetInvalid):
            keys.verify(bytes(changed))


def test_a_sheet_of_a_stranger_is_unknown_and_one_by_a_faulty_token_forged(key):
    keys = CoverSheetKeys([key.certificate])
    with pytest.raises(CoverSheetKeyUnknown):
        keys.verify(sign_cover_sheet(claims(), SoftwareKey(label="stranger")))
    with pytest.raises(CoverSheetKeyUnknown):
        CoverSheetKeys([]).verify(sign_cover_sheet(claims(), key))
    broken = SoftwareKey(private_key=key.private_key, certificate=key.certificate)
    broken.corrupt = True
    with pytest.raises(CoverSheetForged):
        keys.verify(sign_cover_sheet(claims(), broken))


def test_a_sheet_made_outside_its_certificates_life_is_not_believed(key):
    before = (key.certificate.not_valid_before_utc - dt.timedelta(days=1)).replace(microsecond=0)
    with pytest.raises(CoverSheetKeyUnknown):
        CoverSheetKeys([key.certificate]).verify(sign_cover_sheet(claims(issued_at=before), key))


def test_a_code_of_a_result_is_no_sheet_and_a_sheet_no_result_under_the_same_key(key):
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    proof = sign_proof(ProofClaims("UBND xã Thử", "7K2M", bytes(32), now), key)
    with pytest.raises(CoverSheetMalformed):
        CoverSheetKeys([key.certificate]).verify(proof)
    with pytest.raises(ProofMalformed):
        ProofKeys([key.certificate]).verify(sign_cover_sheet(claims(), key), now)


def test_p384_is_taken_and_rsa_refused_before_any_use():
    longer = SoftwareKey(SignatureScheme.ECDSA_SHA384)
    wanted = claims()
    payload = sign_cover_sheet(wanted, longer)
    assert CoverSheetKeys([longer.certificate]).verify(payload).claims == wanted
    rsa = SoftwareKey(SignatureScheme.RSA_PKCS1_SHA256)
    with pytest.raises(PolicyRefused, match="RSA"):
        sign_cover_sheet(claims(), rsa)
    assert rsa.calls == 0


@pytest.mark.parametrize(
    "change",
    [
        {"agency": ""},
        {"dossier": "a\nb"},
        {"station": "x" * 121},
        {"serial": b"short"},
        {"components": ()},
        {"components": (SheetComponent("TP", 1),) * (MAX_COMPONENTS + 1)},
        {"components": (SheetComponent("TP", 0),)},
        {"components": (SheetComponent("TP", 5001),)},
        {"components": (SheetComponent("", 1),)},
        {"components": (SheetComponent("T" * 110, 1),) * 12},
        {"valid_until": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)},
    ],
)
def test_claims_that_do_not_fit_use_no_key(change):
    fresh = SoftwareKey()
    with pytest.raises(PolicyRefused):
        sign_cover_sheet(claims(**change), fresh)
    assert fresh.calls == 0


@given(
    st.lists(st.tuples(st.text("ABC-", min_size=1, max_size=30), st.integers(1, 5000)), min_size=1)
)
@settings(max_examples=60, deadline=None)
def test_what_can_be_signed_can_be_read(components):
    software = SoftwareKey(SignatureScheme.ECDSA_SHA384)
    wanted = claims(components=tuple(SheetComponent(*c) for c in components))
    try:
        payload = sign_cover_sheet(wanted, software)
    except PolicyRefused:
        return
    assert len(payload) <= MAX_SHEET_BYTES
    assert CoverSheetKeys([software.certificate]).verify(payload).claims == wanted


def reassembled(payload: bytes, said: object) -> bytes:
    protected, unprotected, _, signature = cbor2.loads(payload).value
    parts = [protected, unprotected, cbor2.dumps(said, canonical=True), signature]
    return cbor2.dumps(cbor2.CBORTag(18, parts))


def test_whatever_is_not_the_one_permitted_form_is_refused(key):
    payload = sign_cover_sheet(claims(), key)
    said = cbor2.loads(cbor2.loads(payload).value[2])
    sheet = said[-65538]
    wrong = [
        payload + b"\0",
        payload[:-1],
        reassembled(payload, []),
        reassembled(payload, {**said, 7: "text"}),
        reassembled(payload, {**said, 4: said[6]}),
        reassembled(payload, {**said, 4: True}),
        reassembled(payload, {**said, -65538: {**sheet, 3: [["TP"]]}}),
        reassembled(payload, {**said, -65538: {**sheet, 3: [["TP", True]]}}),
        reassembled(payload, {**said, -65538: {**sheet, 3: [[1, 1]]}}),
        reassembled(payload, {**said, -65538: {**sheet, 3: ["TP"]}}),
        reassembled(payload, {**said, -65538: {**sheet, 1: "A\u202eB"}}),
    ]
    for data in wrong:
        with pytest.raises(CoverSheetMalformed):
            CoverSheetKeys([key.certificate]).verify(data)


@given(st.binary(max_size=400))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_typed_refusal(data):
    with pytest.raises(CoverSheetMalformed):
        unverified_cover_sheet(data)
