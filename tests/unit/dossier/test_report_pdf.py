"""The PDF report: everything of the report is on it, readable, bounded, and PDF/A by its marks."""

from __future__ import annotations

import copy
import datetime as dt
import io

import pikepdf
import pypdfium2
import pytest

from dossier.paper.pages import WIDTH
from dossier.verifying.report_pdf import ReportFacts, report_digest, write_report
from signer.verification.words.expectation import expect_agency
from tests.fixtures_signed import plain_pdf

AT = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
FACTS = ReportFacts(AT, "UBND xã Thử Nghiệm", "quyet-dinh-12.pdf")


def said(pdf: bytes) -> str:
    """All words, without the line breaks."""
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as opened:
        pages = [page.get_textpage().get_text_bounded() for page in opened]
    assert pages
    return " ".join(" ".join(pages).split())


@pytest.fixture(scope="module")
def reports(verifier, signed):
    flipped = bytearray(signed["B-LTA"])
    flipped[300] ^= 1
    found = {name: verifier.verify(data).to_json() for name, data in signed.items()}
    found["broken"] = verifier.verify(bytes(flipped)).to_json()
    found["unsigned"] = verifier.verify(plain_pdf()).to_json()
    found["other"] = expect_agency(found["B-LTA"], "Sở Khác")
    return found


def test_the_verdict_stands_first(reports):
    for report in reports.values():
        text = said(write_report(report, FACTS))
        verdict, _, reason = report["message"]["vi"].partition(": ")
        assert 0 < text.index(verdict) < 120
        assert reason[1:30] in text
        assert report["message"]["en"][:40] in text
        assert report["document"]["sha256"] in text


def test_what_the_circular_asks_for_is_there_for_every_signature(reports):
    """K4 in the paper's words: label by label, value by value."""
    for report in reports.values():
        text = said(write_report(report, FACTS))
        for one in report["signatures"]:
            values = [one["signer"], one["part_name"]["vi"], one["certificate"]["issuer"],
                      one["certificate"]["managed_by"], one["certificate"]["serial"],
                      one["validity_at_signing"]["vi"], one["algorithm"]]  # fmt: skip
            assert [value for value in values if " ".join(value.split()) not in text] == []
        if report["signatures"]:
            for label in ("Người ký", "Tổ chức cấp chứng thư", "Đơn vị quản lý chứng thư",
                          "Thời gian ký", "Nội dung được ký", "Chứng thư khi ký",
                          "Thời hạn chứng thư"):  # fmt: skip
                assert text.count(label) >= len(report["signatures"])


def test_every_check_and_every_change_is_told(reports):
    for report in reports.values():
        text = said(write_report(report, FACTS))
        for one in report["signatures"]:
            for check in one["checks"]:
                assert f"[{check['check']}]" in text
            for change in one["changes"]:
                assert change["vi"] in text
        assert text.count("Mọi kiểm tra đã làm") == 1


def test_claims_are_marked_as_claims(reports):
    assert "tự khai / claimed" in said(write_report(reports["B-B"], FACTS))
    proved = said(write_report(reports["B-LTA"], FACTS))
    assert "tự khai" not in proved
    assert "dấu thời gian chứng minh" in proved


def test_a_receipt_says_that_it_is_signed_and_a_report_that_it_is_not(reports):
    report = said(write_report(reports["B-B"], FACTS))
    receipt = said(write_report(reports["B-B"], ReportFacts(AT, is_receipt=True)))
    assert "không có chữ ký số nên không tự chứng minh" in report
    assert "Biên nhận này có chữ ký số" in receipt
    assert "BIÊN NHẬN" in receipt


def test_the_expected_agency_is_compared(reports):
    assert "Sở Khác: KHÔNG thấy" in said(write_report(reports["other"], FACTS))


def test_names_of_strangers_stay_on_the_page_and_within_bounds(reports):
    report = copy.deepcopy(reports["B-LTA"])
    for one in report["signatures"]:
        one["signer"] = "x" * 5000
        one["organisation"] = "từ " * 3000
        one["reason"] = "\x00\ud800漢\u202e" * 2000
        one["changes"] = [
            {"kind": "page", "revision": n, "allowed": False, "vi": "Nội dung", "en": "Page",
             "detail": "y" * 9000, "attack": "shadow-replace"}
            for n in range(500)
        ]  # fmt: skip
        one["checks"] = [{**check, "detail": "z" * 9000} for check in one["checks"]] * 4
    pdf = write_report(report, FACTS)
    assert len(pdf) < 3_000_000
    assert r"\u6f22" in said(pdf)
    assert "và 400 thay đổi khác" in said(pdf)
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as opened:
        for page in opened:
            words = page.get_textpage()
            for n in range(0, words.count_chars(), 97):
                left, bottom, right, top = words.get_charbox(n)
                assert 30 < left <= right < WIDTH - 20
                assert 20 < bottom <= top < 830


def test_it_is_marked_as_pdf_a_2u_with_everything_embedded(reports):
    for report in reports.values():
        pdf = write_report(report, FACTS)
        assert pdf.startswith(b"%PDF-1.7")
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            with opened.open_metadata() as meta:
                assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("2", "U")
            assert opened.Root.OutputIntents[0].S == "/GTS_PDFA1"
            for page in opened.pages:
                (font,) = page.Resources.Font.values()
                assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor
                operators = {str(o.operator) for o in pikepdf.parse_content_stream(page)}
                assert operators <= {"q", "Q", "BT", "ET", "Tf", "Tm", "Tj", "Tr", "w", "J", "j",
                                     "rg", "RG", "re", "f", "m", "l", "S"}  # fmt: skip


def test_the_bytes_depend_on_what_is_said_alone(reports):
    first = write_report(reports["B-T"], FACTS)
    assert first == write_report(copy.deepcopy(reports["B-T"]), FACTS)
    assert report_digest(reports["B-T"]) != report_digest(reports["B-B"])
