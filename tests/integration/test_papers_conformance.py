"""Documents of our own (result sheet, report) under PDFBox preflight, as PDF/A-1b twins.

Preflight knows part 1 only. The pages use nothing that part 1 forbids, so with the header and the
identification of part 1 they have to pass; what is then wrong is found.
"""

from __future__ import annotations

import datetime as dt
import subprocess

import pytest

from dossier.batches.order import BatchItem
from dossier.batches.result_sheet import SheetFacts, SheetItem, write_sheet
from dossier.model import ItemState
from dossier.verifying.report_pdf import ReportFacts, write_report
from tests.fixtures_signed import plain_pdf

AT = dt.datetime(2026, 11, 23, 8, 0, tzinfo=dt.UTC)
# of the twin alone: its cross-reference table tells another header's length, nothing more
TWIN = ((b"%PDF-1.7", b"%PDF-1.4"), (b"<pdfaid:part>2<", b"<pdfaid:part>1<"),
        (b"<pdfaid:conformance>U<", b"<pdfaid:conformance>B<"))  # fmt: skip


@pytest.fixture(scope="module")
def papers(verifier, signed):
    flipped = bytearray(signed["B-LTA"])
    flipped[300] ^= 1
    found = {
        name: write_report(verifier.verify(data).to_json(), ReportFacts(AT, "UBND xã Mẫu", name))
        for name, data in (("passed", signed["B-LTA"]), ("open", signed["B-B"]),
                           ("broken", bytes(flipped)), ("unsigned", plain_pdf()))
    }  # fmt: skip
    item = BatchItem(1, "0" * 64, "hs-1", {}, ItemState.PUBLISHED, "rec_1", "1" * 64, 1, "QĐ", None)
    facts = SheetFacts("bat_1", "Đợt mẫu", "UBND xã Mẫu", AT, [])
    found["sheet"] = write_sheet(facts, [SheetItem(item, ItemState.PUBLISHED)] * 80)
    return found


def twin(pdf: bytes) -> bytes:
    for old, new in TWIN:
        assert pdf.count(old) == 1
        pdf = pdf.replace(old, new)
    return pdf


def test_preflight_passes_the_twins_and_does_look(papers, preflight, tmp_path):
    paths = {}
    for name, pdf in papers.items():
        paths[name] = tmp_path / f"{name}.pdf"
        paths[name].write_bytes(twin(pdf))
    broken = tmp_path / "spoilt.pdf"
    broken.write_bytes(twin(papers["passed"]).replace(b"/GTS_PDFA1", b"/GTS_PDFX1"))
    codes = preflight(*paths.values(), broken)
    assert {name: codes[path] for name, path in paths.items()} == {name: set() for name in paths}
    assert codes[broken]


def test_qpdf_has_nothing_to_say(papers, tmp_path):
    for name, pdf in papers.items():
        path = tmp_path / f"{name}.pdf"
        path.write_bytes(pdf)
        done = subprocess.run(["qpdf", "--check", path], capture_output=True, text=True, check=True)
        assert "No syntax or stream encoding errors" in done.stdout, name
