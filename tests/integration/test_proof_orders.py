"""Codes on results of the service: ordered, printed, signed by a key of their own, read back."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
import zxingcpp

from dossier.model import RecordState
from dossier.printout.issuing import CodePrinter, Printing
from signer.proofcode import ProofKeys
from signer.prooftext import Masking, read_text
from tests.clerical import decision
from tests.fakes import SoftwareKey
from tests.fixtures_signing import SigningRoom
from tests.printed_codes import drawn

LOOKUP = "https://sohoa.example/verify"
PRINTING = Printing(LOOKUP, "Sohoa (mẫu)", Masking.GIVEN_NAME)


@pytest.fixture
def room(sqlite_room: SigningRoom) -> SigningRoom:
    sqlite_room.keys["proof"] = SoftwareKey(label="proof")
    sqlite_room.source = sqlite_room.put(decision(number="Số: 12"))
    return sqlite_room


def work_off(room: SigningRoom, *, always: bool = False) -> None:
    printer = CodePrinter(PRINTING, "proof", always)
    desk = dataclasses.replace(room.desk(), code_printer=printer)
    room.work_off(room.work(desk=desk))


def read_back(room: SigningRoom, record):
    pdf = room.blobs.get(record.result_sha256)
    found = zxingcpp.read_barcodes(drawn(pdf, 200), formats=zxingcpp.BarcodeFormat.QRCode)
    return [read_text(code.text) for code in found]


def test_a_code_is_printed_when_it_is_ordered(room):
    record, _ = room.order(
        number=12, symbol="QĐ-UBND", proof_code=True, holder="Nguyễn Văn An", profiles=("P7",),
        valid_until=dt.date(2031, 12, 31), decided_on=dt.date(2026, 11, 23),
    )  # fmt: skip
    work_off(room)
    [published] = room.published()
    [read] = read_back(room, published)
    assert read.unverified_code == record.code
    keys = ProofKeys([room.keys["proof"].certificate])
    claims = keys.verify(read.proof, dt.datetime.now(dt.UTC)).claims
    assert (claims.code, claims.number) == (record.code, "12/QĐ-UBND")
    assert claims.digest.hex() == record.source_sha256
    assert (claims.holder, claims.decided_on) == ("N. V. An", dt.date(2026, 11, 23))
    assert claims.valid_until.astimezone(dt.timezone(dt.timedelta(hours=7))).date() == dt.date(
        2031, 12, 31
    )
    assert room.keys["proof"].calls == 1


def test_the_key_for_codes_is_asked_for_its_own_purpose_and_both_uses_are_told(room):
    record, _ = room.order(proof_code=True)
    work_off(room)
    assert [context["purpose"] for context in room.contexts] == ["document", "proof"]
    assert {context["subject"] for context in room.contexts} == {record.id}
    entries = room.audit.entries(None, 0, 100)
    [told] = [entry for entry in entries if entry.event == "signature.published"]
    used = {digest.hex() for key in room.keys.values() for digest in key.signed}
    assert set(told.details["digests"]) == used
    assert len(used) == 2


@pytest.mark.parametrize(
    ("always", "asked", "printed"), [(True, None, 1), (True, False, 0), (False, None, 0)]
)
def test_the_installation_may_print_it_unasked(room, always, asked, printed):
    room.order(proof_code=asked)
    work_off(room, always=always)
    [published] = room.published()
    found = read_back(room, published)
    assert len(found) == printed


def test_a_code_without_a_key_for_it_is_refused(room):
    record, _ = room.order(proof_code=True)
    room.work_off()
    failed = room.records.get(room.caller, record.id)
    assert failed.state is RecordState.FAILED
    assert "proof_code" in str(failed.error)
