"""Readings and proposals are kept exactly, and outlive programs that are younger or older."""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dossier.errors import StoreError
from dossier.intake.page_trace import trace_of
from dossier.stacks.plainvalues import packed, plain, unpacked
from dossier.stacks.proposals import PaperProposals
from dossier.stacks.reading import NOWHERE, PageReading
from ocr.fields.card_reading import CardField, CardReading
from ocr.page import Box, ImageStream, Line, PageFault, PageImage, RecognisedPage, Word
from ocr.quality.findings import Code, Finding, PageQuality, Place, Severity, Threshold
from ocr.reading.recognise import EngineInfo
from ocr.separators.blanks import BlankLook
from ocr.separators.patch_codes import PatchCode

st.register_type_strategy(Path, st.sampled_from([Path("a.jpg"), Path("/b/c.tif")]))


def reading_of(findings: tuple[Finding, ...] = (), fault: PageFault | None = None) -> PageReading:
    kept = ImageStream(Path("/somewhere/page.jpg"), "DCTDecode", 1654, 2339, 3, 8)
    image = PageImage(3, "a" * 64, 3, "a" * 64, "b" * 64, kept, True, (200.0, 200.0), False, 0)
    words = (
        Word("QUYẾT", Box(1.5, 2.25, 30.1, 40.7), 91.3, 88.0, False, None),
        Word("ĐỊNH", Box(31.0, 2.0, 60.0, 40.0), 41.0, 35.5, True, "ĐINH"),
    )
    line = Line(words, Box(1.5, 2.0, 60.0, 40.7), 38.2, -0.003, 38.0, 0, 0)
    quality = PageQuality("one-stop", (210.0, 297.1), True, None, findings)
    page = RecognisedPage(
        image, 2, 1654, 2339, (200.0, 200.0), 0.31, False, (line,), None, fault, quality,
        (Box(5, 6, 7, 8),),
    )  # fmt: skip
    noise = np.random.default_rng(1).integers(0, 255, (300, 200), np.uint8)
    card = CardReading(
        "2024", (CardField("number", "001099000001", 100.0, Box(0, 0, 9, 9), "code"),), (),
        Box(0, 0, 9, 9),
    )  # fmt: skip
    return PageReading(
        page=page, codes=(b"\x00\xff|", b"abc"), patches=frozenset({PatchCode.PATCH_T}),
        blank=BlankLook(False, 12.5), trace=trace_of(noise, 100.0), card=card,
        pen=frozenset({Box(9, 9, 10, 10), Box(1, 1, 2, 2)}), printed_number=2, machine_turns=2,
        engine=EngineInfo("tesserocr", "5", (("vie", "c" * 64),)), key="k",
    )  # fmt: skip


def test_a_reading_comes_back_as_it_was_but_for_the_path():
    reading = reading_of()
    back = PageReading.from_bytes(reading.to_bytes())
    kept = replace(reading.page.image.kept, path=NOWHERE)
    assert back == replace(
        reading, page=replace(reading.page, image=replace(reading.page.image, kept=kept))
    )
    assert back.to_bytes() == reading.to_bytes()
    assert back.page.doubtful_words[0].alternative == "ĐINH"


@settings(max_examples=25, deadline=None)
@given(st.from_type(PageReading))
def test_any_reading_is_kept_exactly(reading):
    reading = replace(reading, version=1)
    data = reading.to_bytes()
    assert PageReading.from_bytes(data).to_bytes() == data


@settings(max_examples=25, deadline=None)
@given(st.from_type(PaperProposals))
def test_any_proposals_are_kept_exactly(proposals):
    proposals = replace(proposals, version=1)
    data = proposals.to_bytes()
    assert PaperProposals.from_bytes(data).to_bytes() == data


def test_entries_of_a_younger_program_are_passed_over_and_those_of_an_older_one_default():
    reading = reading_of()
    entries = plain(reading)
    entries["mood"] = "good"
    entries["page"]["lines"][0]["words"][0]["colour"] = "blue"
    del entries["page"]["unread"], entries["printed_number"]
    found = PageReading.from_bytes(zlib.compress(json.dumps(entries).encode()))
    assert found.printed_number is None
    assert found.page.unread == ()
    assert found.page.lines == reading.page.lines


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no zlib",
        zlib.compress(b"[]"),
        zlib.compress(b"{}"),
        packed(reading_of())[:-4],
        packed(replace(reading_of(), version=99)),
        packed(replace(reading_of(), machine_turns=7)),
        packed(replace(reading_of(), printed_number="2")),
    ],
)
def test_bytes_that_hold_no_reading_are_refused(data):
    with pytest.raises(StoreError, match="update the program"):
        PageReading.from_bytes(data)


def test_numbers_of_numpy_are_kept_as_plain_ones():
    box = Box(np.float64(1.5), np.float64(2), np.float64(3), np.float64(4))
    assert unpacked(Box, packed(box)) == Box(1.5, 2.0, 3.0, 4.0)


def test_the_summary_shows_what_asks_for_another_scan():
    place = (Place(0, 0, 210, 297),)
    low = Threshold(Code.LOW_RESOLUTION, Severity.BLOCK, 200, True, "TT 01/2023", "one-stop")
    cut = Threshold(Code.CUT_EDGE, Severity.WARN, 5, False, "ours", "one-stop")
    note = Threshold(Code.SKEWED, Severity.NOTE, 1, False, "ours", "one-stop")
    findings = (
        Finding(Code.LOW_RESOLUTION, 150, low, place, "thấp", "low"),
        Finding(Code.CUT_EDGE, 9, cut, place, "cắt", "cut"),
        Finding(Code.SKEWED, 2, note, place, "nghiêng", "skewed"),
    )
    summary = reading_of(findings, PageFault("EngineCrashed", "it died")).summary()
    assert summary["badges"] == ["N", "!", "P"]
    assert summary["findings"][0] == {
        "code": "LOW_RESOLUTION", "severity": "block", "vi": "thấp", "en": "low",
    }  # fmt: skip
    assert (summary["words"], summary["doubtful"], summary["turns"]) == (2, 1, 2)
    assert json.loads(json.dumps(summary)) == summary
