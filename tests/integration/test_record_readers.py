"""Independent programs read records: exact text, boxes over ink, original bytes, no complaint."""

from __future__ import annotations

import hashlib
import re
import subprocess
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from ocr.reading.raster import decode
from ocr.record.compact import encode_compact
from ocr.record.pdfa import PDFA_1B, write_record
from tests.record_pages import DECISION, META, PROVENANCE, PageSpec, draw_page, make_page, text_page

BASES = ["a", "ă", "â", "e", "ê", "i", "o", "ô", "ơ", "u", "ư", "y"]
TONES = ["", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323"]
PLAIN = "bcdfghjklmnpqrstvwxz"
LETTERS = [unicodedata.normalize("NFC", base + tone) for base in BASES for tone in TONES] + ["đ"]
LETTERS += [letter.upper() for letter in LETTERS]


def output(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, check=True)
    return done.stdout.decode("utf-8")


def pdfium_text(path: Path) -> str:
    document = pypdfium2.PdfDocument(path)
    try:
        pages = [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()
    return "\n".join(pages)


READERS = {
    "pdftotext": lambda path: output("pdftotext", path, "-"),
    "pdftotext -layout": lambda path: output("pdftotext", "-layout", path, "-"),
    "mutool": lambda path: output("mutool", "draw", "-q", "-F", "txt", path),
    "pdfium": pdfium_text,
}


def words(text: str) -> list[str]:
    return text.replace("\f", " ").split()


def test_there_are_146_vietnamese_letters():
    assert len(set(LETTERS)) == 146


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_every_vietnamese_letter_comes_back(reader, form, tmp_path):
    expected = [f"{letter}{PLAIN[i % 20]}" for i, letter in enumerate(LETTERS)] + LETTERS
    given = [unicodedata.normalize(form, word) for word in expected]
    path = write_record([text_page(tmp_path, given)], tmp_path / "r.pdf", META, PROVENANCE).path
    assert words(READERS[reader](path)) == expected


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("overlap_px", [0, 4, 20, 60])
def test_words_whose_boxes_touch_come_back_as_two(reader, overlap_px, tmp_path):
    """An engine's boxes may touch where a comma or a descender bridges the gap."""
    page = text_page(tmp_path, ["căn", "cứ", "Luật", "Đất", "đai"])
    lines = []
    for line in page.lines:
        found = list(line.words)
        for n in range(len(found) - 1):
            right = found[n + 1].box.left + overlap_px
            found[n] = replace(found[n], box=replace(found[n].box, right=right))
        lines.append(replace(line, words=tuple(found)))
    touching = replace(page, lines=tuple(lines))
    path = write_record([touching], tmp_path / "r.pdf", META, PROVENANCE).path
    assert words(READERS[reader](path)) == ["căn", "cứ", "Luật", "Đất", "đai"]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("skew", [0.0, 0.6, -0.6])
@pytest.mark.parametrize("turns", [0, 3])
def test_lines_come_back_exactly(reader, skew, turns, tmp_path):
    page = make_page(tmp_path, PageSpec(skew_degrees=skew, turns=turns))
    path = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    lines = [line.strip() for line in READERS[reader](path).splitlines() if line.strip(" \f")]
    assert [line.split() for line in lines] == [line.split() for line in DECISION]


# From about a degree on, pdftotext and PDFium order the words of long lines by height, as they do
# for every slanted page; no word is harmed, and mutool keeps the lines too.
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("skew", [-7.0, -2.5, 2.0, 5.0])
def test_slanted_lines_keep_their_words(reader, skew, tmp_path):
    page = make_page(tmp_path, PageSpec(skew_degrees=skew))
    path = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    read = READERS[reader](path)
    assert sorted(words(read)) == sorted(" ".join(DECISION).split())
    if reader == "mutool":
        assert words(read) == " ".join(DECISION).split()


@pytest.mark.parametrize("skew", [-12.0, 10.0])
def test_steep_words_are_turned_and_stay_whole_in_mutool(skew, tmp_path):
    page = make_page(tmp_path, PageSpec(skew_degrees=skew))
    path = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    assert words(READERS["mutool"](path)) == " ".join(DECISION).split()


def word_boxes(path: Path) -> list[tuple[str, float, float, float, float]]:
    found = re.findall(
        r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>',
        output("pdftotext", "-bbox", path, "-"),
    )
    return [(text, *map(float, sides)) for *sides, text in found]


@pytest.mark.parametrize(
    "spec",
    [
        PageSpec(),
        PageSpec(encoding="g4", turns=1),
        PageSpec(encoding="jpeg-grey", turns=2, skew_degrees=1.5),
        PageSpec(encoding="g4-inverse", turns=3, skew_degrees=-2.8),
        PageSpec(skew_degrees=6.0),
    ],
)
def test_word_boxes_lie_over_the_ink(spec, tmp_path):
    page = make_page(tmp_path, spec)
    path = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    scale = 72 / spec.dpi
    drawn = [word for line in page.lines for word in line.words]
    read = word_boxes(path)
    assert sorted(text for text, *_ in read) == sorted(word.text for word in drawn)
    for word in drawn:
        _, left, top, right, bottom = min(
            (box for box in read if box[0] == word.text),
            key=lambda box: abs(box[1] - word.box.left * scale),
        )
        assert left == pytest.approx(word.box.left * scale, abs=0.05)
        assert right == pytest.approx(word.box.right * scale, abs=0.05)
        middle = (word.box.top + word.box.bottom) / 2 * scale
        assert top < middle < bottom


def test_turned_characters_lie_over_the_ink(tmp_path):
    page = make_page(tmp_path, PageSpec(lines=("Quyết", "Nghị", "Hộ"), skew_degrees=10.0))
    path = write_record([page], tmp_path / "r.pdf", META, PROVENANCE).path
    document = pypdfium2.PdfDocument(path)
    text = document[0].get_textpage()
    shown = text.get_text_range()
    for line in page.lines:
        (word,) = line.words
        at = shown.index(word.text)
        part = [text.get_charbox(i) for i in range(at, at + len(word.text))]
        box = [side * 72 / 150 for side in (word.box.left, word.box.right)]
        assert min(b[0] for b in part) == pytest.approx(box[0], abs=3)
        assert max(b[2] for b in part) == pytest.approx(box[1], abs=3)
    text.close()
    document.close()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("encoding", ["jpeg", "g4", "g4-inverse", "flate"])
def test_the_page_is_shown_upright(turns, encoding, tmp_path):
    spec = PageSpec(turns=turns, encoding=encoding, dpi=100)
    upright = np.asarray(draw_page(spec)[0].convert("L"), np.int16)
    path = write_record([make_page(tmp_path, spec)], tmp_path / "r.pdf", META, PROVENANCE).path
    document = pypdfium2.PdfDocument(path)
    shown = document[0].render(scale=100 / 72).to_pil().convert("L").resize(upright.shape[::-1])
    document.close()
    difference = np.abs(np.asarray(shown, np.int16) - upright)
    assert difference.mean() < 12
    assert np.asarray(shown).mean() > 200  # white paper, black ink


def test_pdfimages_gives_the_original_jpeg_back(tmp_path):
    pages = [
        make_page(tmp_path, PageSpec(number=1, seal=True)),
        make_page(tmp_path, PageSpec(number=2, encoding="jpeg-grey", turns=1)),
    ]
    path = write_record(pages, tmp_path / "r.pdf", META, PROVENANCE).path
    subprocess.run(["pdfimages", "-all", path, tmp_path / "out"], check=True)
    for index, page in enumerate(pages):
        data = (tmp_path / f"out-{index:03d}.jpg").read_bytes()
        assert hashlib.sha256(data).hexdigest() == page.image.original_sha256


def test_the_manifest_can_be_detached(record, tmp_path):
    target = tmp_path / "m.json"
    subprocess.run(["pdfdetach", "-save", "1", "-o", target, record], check=True)
    assert target.read_bytes().startswith(b'{"digitised":')


def test_qpdf_has_nothing_to_say(record):
    assert "No syntax or stream encoding errors" in output("qpdf", "--check", record)


# PDFBox preflight knows PDF/A-1b only: the twin must pass; of a 3u record only these remain.
ATTACHED_AND_PART_3 = {"1.2.9", "1.4", "1.4.7", "7.11.1", "7.11.2"}
# soft masks of stamps; an invisible widget without an appearance, which part 3 allows (6.3.3)
SEALED = ATTACHED_AND_PART_3 | {"2.2.2", "4.1.2", "3.1.11", "5.3.1"}


def test_preflight_passes_the_twin_and_knows_why_not_the_record(
    preflight, record, sealed_record, tmp_path
):
    pages = [
        make_page(tmp_path, PageSpec(number=1, seal=True)),
        make_page(tmp_path, PageSpec(number=2, encoding="g4", turns=1)),
        make_page(tmp_path, PageSpec(number=3, encoding="flate", skew_degrees=-6.0)),
        make_page(tmp_path, PageSpec(number=4, encoding="jpeg-grey", lines=())),
    ]
    raster = decode(pages[0].image.kept)
    compact = encode_compact(raster, raster.max(axis=2), pages[0].dpi, tmp_path, "compact")
    pages.append(replace(pages[0], compact=compact))
    twin = write_record(pages, tmp_path / "twin.pdf", META, PROVENANCE, flavour=PDFA_1B).path
    broken = tmp_path / "broken.pdf"
    broken.write_bytes(twin.read_bytes().replace(b"/GTS_PDFA1", b"/GTS_PDFX1"))
    codes = preflight(twin, record, sealed_record, broken)
    assert codes[twin] == set()
    assert codes[record] <= ATTACHED_AND_PART_3
    assert codes[sealed_record] <= SEALED
    assert codes[broken]  # preflight does look
