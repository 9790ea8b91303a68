"""A printout read back: the code verified offline, the words held to the original.

The long form with its figures is `tests.proof_printout`; here a few pages of it.
"""

from __future__ import annotations

import datetime as dt
import io
import random
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from PIL import Image, ImageDraw, ImageFont

from dossier.printout.check import check_printout, photo_answer
from dossier.printout.desk import PrintoutDesk
from dossier.printout.registration import register
from dossier.printout.report import CodeStatus, Finding, PrintoutReport, Verdict
from ocr.errors import OCRError
from signer.proofcode import sign_proof
from signer.prooftext import proof_text
from signer.sealing.appearance.symbol import symbol_of
from tests.fakes import SoftwareKey
from tests.printed_codes import CODE, LOOKUP, claims_for, drawn
from tests.printout_cases import altered, issued, printed, proof_key
from tests.proof_printout import examine, was_found
from tools.samples.degrade import Recipe
from tools.samples.printouts import Return, return_for
from tools.samples.typefaces import FAMILIES

AT = dt.datetime(2027, 1, 1, tzinfo=dt.UTC)
WORST = Return(150, True, Recipe(sensor_noise=4.0, skew_degrees=2.5, turns=1), 0.8, True, 0.0)


def der(key=None) -> bytes:
    return (key or proof_key()).certificate.public_bytes(Encoding.DER)


def check(
    folder: Path, photo: bytes, record: bytes | None = None, keys=None, **options
) -> PrintoutReport:
    path = folder / "photo.jpg"
    path.write_bytes(photo)
    original = None
    if record is not None:
        original = folder / "record.pdf"
        original.write_bytes(record)
    return check_printout(path, [der()] if keys is None else keys, AT, folder, original, **options)


def jpeg(pixels: np.ndarray, dpi: int = 200) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=85, dpi=(dpi, dpi))
    return out.getvalue()


@pytest.fixture(scope="module")
def result():
    return issued(0)


@pytest.mark.parametrize("number", [1])
def test_an_honest_printout_is_the_same_and_an_altered_one_differs_at_its_place(number):
    case = examine(number)
    assert case["codes"] == ["genuine", "genuine"]
    assert case["honest"] == Verdict.SAME.value, case
    assert case["found"], case


def test_the_worst_scan_of_the_code_is_read_offline(result, tmp_path):
    """150 dpi grey, blurred, skewed, turned, under a coffee ring."""
    report = check(tmp_path, printed(result, WORST, 1))
    assert report.verdict is Verdict.CODE_GENUINE
    assert report.code.claims == replace(
        claims_for(result.source), issued_at=report.code.claims.issued_at
    )
    said = report.to_json()
    assert said["code"]["status"] == "genuine"
    assert said["code"]["claims"]["code"] == CODE
    assert said["pages"] == []
    assert said["code"]["lookup_host"] == "sohoa.example"


def test_a_code_of_another_key_says_nothing(result, tmp_path):
    photo = jpeg(drawn(result.pdf, 200))
    report = check(tmp_path, photo, keys=[der(SoftwareKey())])
    assert (report.code.status, report.verdict) == (CodeStatus.UNKNOWN_KEY, Verdict.CANNOT_SAY)
    assert "khóa" in report.sentence[0]


def coded(text, quiet: int = 40) -> np.ndarray:
    """A code alone on paper."""
    symbol = symbol_of(text)
    modules = np.full((symbol.side, symbol.side), 255, np.uint8)
    for row, runs in enumerate(symbol.runs):
        for column, length in runs:
            modules[row, column : column + length] = 0
    large = np.kron(modules, np.ones((6, 6), np.uint8))
    return np.pad(large, quiet, constant_values=255)


def test_one_changed_bit_is_a_forgery(tmp_path):
    proof = sign_proof(claims_for(b"x"), proof_key())
    for at in (-1, -40):
        changed = bytearray(proof)
        changed[at] ^= 1
        photo = jpeg(coded(proof_text(LOOKUP, CODE, bytes(changed))))
        report = check(tmp_path, photo)
        assert (report.code.status, report.verdict) == (CodeStatus.FORGED, Verdict.DIFFERS)
        assert "GIẢ" in report.sentence[0]


def test_an_expired_code_is_genuine_and_says_so(tmp_path):
    until = AT - dt.timedelta(days=1)
    proof = sign_proof(claims_for(b"x", valid_until=until), proof_key())
    report = check(tmp_path, jpeg(coded(proof_text(LOOKUP, CODE, proof))))
    assert report.code.status is CodeStatus.EXPIRED
    assert "hết thời hạn" in report.sentence[0]


def test_a_code_of_something_else_and_none_at_all(tmp_path):
    import segno

    out = io.BytesIO()
    segno.make("https://example.org/menu").save(out, kind="png", scale=8)
    other = jpeg(np.array(Image.open(out).convert("L")))
    assert check(tmp_path, other).code.status is CodeStatus.NO_PROOF
    blank = jpeg(np.full((800, 600), 240, np.uint8))
    report = check(tmp_path, blank)
    assert (report.code.status, report.verdict) == (CodeStatus.NOT_FOUND, Verdict.CANNOT_SAY)
    rubbish = jpeg(coded(proof_text(LOOKUP, CODE, b"\xd2rubbish")))
    assert check(tmp_path, rubbish).code.status is CodeStatus.NO_PROOF


def test_the_code_of_another_record_is_told(result, tmp_path):
    other = issued(2)
    report = check(tmp_path, jpeg(drawn(result.pdf, 200)), other.pdf)
    assert report.same_code is False
    assert report.verdict is Verdict.DIFFERS
    assert report.sentence[1].startswith("The code on the printout is NOT")


def test_what_is_cut_off_cannot_be_said(result, tmp_path):
    page = drawn(result.pdf, 200)
    half = page.copy()[: page.shape[0] // 2]
    report = check(tmp_path, jpeg(half), result.pdf)
    assert report.verdict is Verdict.CANNOT_SAY
    [compared] = report.pages
    assert compared.page == 1
    assert {place.finding for place in compared.places} == {Finding.UNCLEAR}


def test_another_page_altogether_is_like_none(result, tmp_path):
    noise = np.random.default_rng(1).integers(0, 255, (900, 700), np.uint8)
    report = check(tmp_path, jpeg(noise), result.pdf)
    assert report.pages[0].page is None
    assert report.verdict is Verdict.CANNOT_SAY


def test_words_that_were_added_are_found(result, tmp_path):
    paper = Image.fromarray(drawn(result.pdf, 200))
    family = FAMILIES["Liberation Serif"]
    font = ImageFont.truetype(str(family.path("regular")), 38)
    ImageDraw.Draw(paper).text((900, 2000), "và 5.000.000 đồng", 0, font)
    report = check(tmp_path, jpeg(np.array(paper)), result.pdf)
    assert report.verdict is Verdict.DIFFERS
    [place] = report.places
    assert (place.finding, place.expected) == (Finding.ADDED, None)
    assert "5.000.000" in place.read


def test_without_the_code_features_lay_the_page_over(result):
    page = drawn(result.pdf, 200)
    turned = cv2.rotate(cv2.resize(page, None, fx=0.8, fy=0.8), cv2.ROTATE_180)
    placed = register(turned, page, None)
    assert placed is not None
    assert placed.agreement > 0.9


def test_pictures_of_places_are_saved_on_request(result, tmp_path):
    rng = random.Random(4)
    sheet, alteration = altered(result, rng, "digit")
    folder = tmp_path / "places"
    folder.mkdir()
    how = replace(return_for(rng), ring=False, corner=0.0)
    report = check(tmp_path, printed(result, how, 4, sheet), result.pdf, crops=folder)
    assert was_found(report, alteration)
    assert len(list(folder.iterdir())) == len(list(report.places))
    place = next(place for place in report.places if place.finding is Finding.CHANGED)
    assert alteration.before in place.expected.split()
    assert place.read != place.expected


def test_a_record_of_several_pages_is_compared_with_the_page_that_is_shown(result, tmp_path):
    other = issued(4)
    with (
        pikepdf.open(io.BytesIO(other.pdf)) as first,
        pikepdf.open(io.BytesIO(result.pdf)) as second,
    ):
        first.add_pages_from(second)
        out = io.BytesIO()
        first.save(out)
    report = check(tmp_path, jpeg(drawn(result.pdf, 200)), out.getvalue())
    assert [page.page for page in report.pages] == [2]


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff" + bytes(50), b"%PDF-1.7\n"])
def test_files_that_are_no_pictures_are_typed_refusals(data, tmp_path):
    with pytest.raises(OCRError):
        check(tmp_path, data)
    assert b"unreadable" in photo_answer(tmp_path / "photo.jpg", [der()], AT)


def test_the_desk_reads_in_a_process_of_its_own(result, tmp_path):
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(jpeg(drawn(result.pdf, 200)))
    with PrintoutDesk([proof_key().certificate]) as desk:
        assert desk.check(photo, at=AT).verdict is Verdict.CODE_GENUINE
        photo.write_bytes(b"no picture")
        with pytest.raises(OCRError):
            desk.check(photo)
