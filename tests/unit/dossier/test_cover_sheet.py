"""The printed cover sheet: what people read on it, and its code on bad scans."""

from __future__ import annotations

import datetime as dt
import io
import shutil
import subprocess

import pikepdf
import pytest

from dossier.intake.cover_sheet import (
    AnnouncedComponent,
    CoverSheet,
    CoverSheetOrder,
    make_cover_sheet,
    printed_serial,
)
from dossier.intake.observations import PageObservation
from dossier.intake.sheet_codes import SheetReading, Signature, judge_codes
from dossier.intake.sheet_reading import Worth, worth_of
from dossier.intake.splitting import SplitRules, split_stack
from ocr.separators.codes import find_page_codes
from signer.coversheet import CoverSheetKeys, SheetComponent
from signer.errors import PolicyRefused
from tests.fakes import SoftwareKey
from tests.printed_codes import drawn
from tests.scanned_sheets import scanned

NAME = "Đơn đề nghị cấp giấy phép xây dựng (bản mẫu, hư cấu)"


@pytest.fixture(scope="module")
def key() -> SoftwareKey:
    return SoftwareKey(label="sheets")


def order(components: int = 3) -> CoverSheetOrder:
    return CoverSheetOrder(
        "ubnd-xa-thu",
        "UBND xã Thử Nghiệm",
        "000.00.15.H99-261123-0004",
        "quay-3",
        tuple(AnnouncedComponent(f"1.004122-TP{n:02d}", NAME, n) for n in range(1, components + 1)),
    )


@pytest.fixture(scope="module")
def sheet(key) -> CoverSheet:
    return make_cover_sheet(order(), key, dt.datetime.now(dt.UTC))


def text_of(pdf: bytes, tmp_path) -> str:
    path = tmp_path / "sheet.pdf"
    path.write_bytes(pdf)
    command = [shutil.which("pdftotext") or "pdftotext", "-layout", str(path), "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode()


def test_people_read_what_the_code_says(sheet, key, tmp_path):
    verified = CoverSheetKeys([key.certificate]).verify(sheet.payload)
    assert verified.claims == sheet.claims
    assert sheet.claims.components[2] == SheetComponent("1.004122-TP03", 3)
    assert sheet.claims.valid_until - sheet.claims.issued_at == dt.timedelta(days=7)
    text = text_of(sheet.pdf, tmp_path)
    for word in ("TỜ BÌA HỒ SƠ", sheet.claims.dossier, "quay-3", "UBND xã Thử Nghiệm", NAME,
                 "1.004122-TP02", printed_serial(sheet.claims.serial)):  # fmt: skip
        assert word in text
    with pikepdf.open(io.BytesIO(sheet.pdf)) as pdf:
        assert len(pdf.pages) == 1
        assert [round(float(v)) for v in pdf.pages[0].mediabox] == [0, 0, 595, 842]


def test_every_sheet_has_a_serial_of_its_own(key):
    at = dt.datetime.now(dt.UTC)
    serials = {make_cover_sheet(order(1), key, at).claims.serial for _ in range(5)}
    assert len(serials) == 5


@pytest.mark.parametrize(
    ("dpi", "skew", "turns", "ring"),
    [(150, 4.0, 2, True), (150, -3.0, 0, True), (200, 2.0, 1, True), (300, -2.0, 3, False)],
)
def test_its_code_is_read_from_bad_scans(sheet, dpi, skew, turns, ring):
    page = scanned(
        drawn(sheet.pdf, dpi), dpi, 5, skew=skew, turns=turns, ring=ring, noise=9.0, density=0.6
    )
    assert {code.data for code in find_page_codes(page, dpi)} == {sheet.payload}


def test_forty_components_stay_on_one_page_and_readable(key):
    full = make_cover_sheet(order(40), key, dt.datetime.now(dt.UTC))
    with pikepdf.open(io.BytesIO(full.pdf)) as pdf:
        assert len(pdf.pages) == 1
    page = scanned(drawn(full.pdf, 150), 150, 2, skew=2.0, noise=6.0)
    assert {code.data for code in find_page_codes(page, 150)} == {full.payload}
    with pytest.raises(PolicyRefused):
        make_cover_sheet(order(41), key, dt.datetime.now(dt.UTC))


def test_a_scanned_forgery_never_splits_and_the_scanned_original_does(sheet, key):
    impostor = make_cover_sheet(order(), SoftwareKey(label="impostor"), sheet.claims.issued_at)
    keys = CoverSheetKeys([key.certificate])
    now = sheet.claims.issued_at
    rules = SplitRules("ubnd-xa-thu", "quay-3", now)
    late = SplitRules("ubnd-xa-thu", "quay-3", now + dt.timedelta(days=8))
    for made, signature, under, splits in (
        (sheet, Signature.GENUINE, rules, 1),
        (sheet, Signature.GENUINE, late, 0),
        (impostor, Signature.UNKNOWN_KEY, rules, 0),
    ):
        page = scanned(drawn(made.pdf, 150), 150, 8, skew=1.0, ring=True)
        readings = judge_codes([code.data for code in find_page_codes(page, 150)], keys)
        assert [reading.signature for reading in readings] == [signature]
        split = split_stack([PageObservation(sheets=readings), PageObservation()], under)
        assert len(split.sheets) == splits
        assert split.every_page == (0, 1)


@pytest.mark.parametrize(
    ("signature", "days", "worth"),
    [
        (Signature.GENUINE, 0, Worth.GENUINE),
        (Signature.GENUINE, 8, Worth.EXPIRED),
        (Signature.GENUINE, -1, Worth.NOT_YET_VALID),
        (Signature.FORGED, 0, Worth.FORGED),
        (Signature.UNKNOWN_KEY, 8, Worth.UNKNOWN_KEY),
    ],
)
def test_what_a_sheet_is_worth_is_what_splitting_makes_of_it(sheet, signature, days, worth):
    at = sheet.claims.issued_at + dt.timedelta(days=days)
    assert worth_of(SheetReading(signature, sheet.claims), at) is worth
