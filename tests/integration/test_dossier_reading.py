"""The bundled dossier through the real pipeline: text, turns, blank page, fields, QR."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from bench.field_scoring import compare
from bench.scoring import pooled, score
from ocr.fields.extract import FieldCollector
from ocr.pipeline import recognise_pages
from ocr.settings import DigitiseSettings
from tools.samples.groundtruth import read_page

DOSSIER = Path(__file__).parents[2] / "samples" / "dossier"

pytestmark = pytest.mark.tesseract


def _entries(folder: str) -> list[dict[str, object]]:
    entries = json.loads((DOSSIER / "truth" / "pages.json").read_text(encoding="utf-8"))
    return [e for e in entries if str(e["file"]).startswith(folder)]


@pytest.mark.parametrize("folder", ["thanh-phan", "quyet-dinh"])
def test_the_dossier_is_read_and_its_printed_fields_are_found(folder: str, tmp_path: Path):
    collector, scores = FieldCollector(), []
    truth: dict[str, tuple[str, ...]] = {}
    entries = _entries(folder)
    settings = DigitiseSettings(workers=2)
    pages = recognise_pages([DOSSIER / folder], settings, tmp_path)
    for entry, page in zip(entries, pages, strict=True):
        collector.see(page)
        assert page.fault is None
        assert page.turns == entry["turns"]
        assert page.blank == (entry["truth"] is None)
        if entry["truth"] is None:
            continue
        assert page.skew_degrees == pytest.approx(float(str(entry["skew"])), abs=0.2)
        expected = read_page(DOSSIER / str(entry["truth"]))
        scores.append(score(expected, page.text))
        for name, value in expected.fields.items():
            values = (value,) if isinstance(value, str) else value
            truth[name] = (*truth.get(name, ()), *values)
    assert pooled(scores).cer < 0.015
    counts = compare(truth, collector.fields())
    for name in ("doc_number", "doc_symbol", "issued_date", "signer_name", "citizen_number"):
        if name in truth:
            assert counts[name].right == counts[name].expected, name
            assert counts[name].spurious == 0, name


def test_the_card_s_qr_holds_the_applicant_s_number():
    image = cv2.imread(str(DOSSIER / "thanh-phan" / "02-can-cuoc.jpg"))
    corner = image[: image.shape[0] // 3]
    code, _, _ = cv2.QRCodeDetector().detectAndDecode(cv2.resize(corner, None, fx=2, fy=2))
    truth = read_page(DOSSIER / "truth" / "02-can-cuoc-p1.json")
    assert code.split("|")[0] == truth.fields["citizen_number"][0]
