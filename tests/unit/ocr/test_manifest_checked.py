"""Manifests of checked papers: both readings, provable page by page, in a conformant record."""

from __future__ import annotations

import json
from dataclasses import replace

from ocr.conformance import require_conformant
from ocr.record.manifest import canonical, page_proof, verify_page_proof
from ocr.record.pdfa import write_record
from tests.checked_papers import QUALITY, checked_paper
from tests.record_pages import META, PROVENANCE, PageSpec, make_page


def two_pages(folder):
    first = replace(make_page(folder, PageSpec(dpi=75)), quality=QUALITY)
    return [first, make_page(folder, PageSpec(dpi=75, number=2, encoding="g4"))]


def test_both_readings_stand_side_by_side_and_are_proved_with_their_page(tmp_path):
    pages = two_pages(tmp_path)
    checked = checked_paper(pages[0])
    info = write_record(pages, tmp_path / "r.pdf", META, PROVENANCE, checked=checked)
    require_conformant(info.path)
    manifest = json.loads(info.manifest)
    assert manifest["version"] == 2
    assert canonical(manifest) == info.manifest
    (correction,) = manifest["pages"][0]["corrections"]
    assert (correction["machine"], correction["person"]) == ("0123/QĐ-UBND", "0124/QĐ-UBND")
    assert correction["by"]["name"] == "Nguyễn Thị Mẫu"
    assert manifest["pages"][0]["quality"]["profile"] == "one-stop"
    assert manifest["pages"][1]["note_of"] == 1
    assert "quality" not in manifest["pages"][1]
    assert manifest["checked"]["set_aside"][0]["why"] == "blank"
    assert manifest["checked"]["owner"]["id"] == ""
    proof = page_proof(info.manifest, 1)
    verify_page_proof(proof, info.pages_root)
    assert proof.page["corrections"] == [correction]


def test_a_record_that_nobody_checked_is_what_it_was(tmp_path):
    pages = two_pages(tmp_path)
    info = write_record(pages, tmp_path / "r.pdf", META, PROVENANCE)
    manifest = json.loads(info.manifest)
    assert manifest["version"] == 1
    assert "checked" not in manifest
    assert not {"corrections", "quality", "note_of"} & manifest["pages"][0].keys()
