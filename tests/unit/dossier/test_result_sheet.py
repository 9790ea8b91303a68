"""The result sheet: everything of the list is on it, and it is PDF/A by its marks."""

from __future__ import annotations

import datetime as dt
import io
import re

import pikepdf
import pypdfium2
import pytest

from dossier.batches.order import BatchItem
from dossier.batches.result_sheet import SheetFacts, SheetItem, write_sheet
from dossier.model import ItemState

AT = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
FACTS = SheetFacts("bat_1", "Đợt mẫu", "UBND xã Thử Nghiệm", AT, [("Khóa / Key", "seal")])


def item(position: int, state: ItemState = ItemState.PUBLISHED, **entries) -> SheetItem:
    values = {
        "position": position, "source_sha256": f"{position:064x}", "reference": f"hs-{position}",
        "overrides": {}, "state": state, "record_id": "rec_1", "number": position,
        "result_sha256": f"{position + 2**200:064x}", "symbol": "QĐ-X", "error": None, **entries,
    }  # fmt: skip
    return SheetItem(BatchItem(**values), state)


def pages(pdf: bytes) -> list[str]:
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as opened:
        return [page.get_textpage().get_text_bounded() for page in opened]


def test_every_item_stands_on_the_sheet_with_digests_number_and_result():
    wrong = item(3, ItemState.FAILED, result_sha256=None, number=None,
                 error={"kind": "X", "message": "Tệp hỏng / damaged"})  # fmt: skip
    (text,) = pages(write_sheet(FACTS, [item(1), item(2), wrong]))
    for wanted in ("bat_1", "Đợt mẫu", "UBND xã Thử Nghiệm", "2026-11-23T15:00:00+07:00", "hs-1",
                   "01/QĐ-X", f"{1:064x}", f"{2 + 2**200:064x}", "không ký được / failed",
                   "damaged"):  # fmt: skip
        assert wanted in text, wanted


def test_a_long_list_is_paginated_and_nothing_is_lost():
    found = pages(write_sheet(FACTS, (item(n) for n in range(1, 701))))
    assert len(found) > 20
    references = re.findall(r"hs-(\d+)", " ".join(found))
    assert [int(n) for n in references] == list(range(1, 701))
    assert all(f"page {n}" in text for n, text in enumerate(found, 1))
    assert all("STT" in text for text in found)


@pytest.mark.parametrize("reference", ["x" * 256, "từ " * 60, "漢字", "a\u200bb"])
def test_no_reference_is_too_long_or_too_strange(reference):
    (text,) = pages(write_sheet(FACTS, [item(1, reference=reference)]))
    if reference[0] == "x":
        assert text.count("x") >= 256
    if reference == "漢字":
        assert r"\u6f22\u5b57" in text


def test_it_is_marked_as_pdf_a_2u_with_everything_embedded():
    pdf = write_sheet(FACTS, [item(n) for n in range(1, 60)])
    assert pdf.startswith(b"%PDF-1.7")
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        with opened.open_metadata() as meta:
            assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("2", "U")
            assert "bat_1" in str(meta["dc:title"])
        assert opened.Root.OutputIntents[0].S == "/GTS_PDFA1"
        assert "/ID" in opened.trailer
        assert "/Encrypt" not in opened.trailer
        for page in opened.pages:
            (font,) = page.Resources.Font.values()
            assert "/FontFile2" in font.DescendantFonts[0].FontDescriptor
            assert "/ToUnicode" in font
            assert set(page.Resources.keys()) == {"/Font"}


def test_the_bytes_depend_on_what_is_said_alone():
    assert write_sheet(FACTS, [item(1)]) == write_sheet(FACTS, [item(1)])
