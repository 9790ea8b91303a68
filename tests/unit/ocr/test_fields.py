"""Fields from pages as a perfect reader gives them, and from anything at all."""

from __future__ import annotations

import dataclasses
import datetime
import io
import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bench.field_scoring import compare
from ocr.fields.extract import FieldCollector, extract_fields
from ocr.fields.handwriting import blue_words
from ocr.page import Box, ImageStream, Line, RecognisedPage, Word
from tests.fixtures_samples import page_image, recognised
from tools.samples.documents import decision
from tools.samples.evalset import SetOptions, documents
from tools.samples.fiction import Fiction
from tools.samples.kinds import KINDS
from tools.samples.typefaces import FAMILIES

TINOS = FAMILIES["Tinos"]
FONTS = ("Tinos", "Arimo", "Liberation Serif", "DejaVu Serif")


def _page(lines: list[tuple[float, float, str]], confidence: float = 95.0) -> RecognisedPage:
    """A page at 254 dpi (10 px a mm) of lines given as left mm, baseline mm and text."""
    made = []
    for row, (left, baseline, text) in enumerate(lines):
        words, x = [], left * 10
        for word in text.split():
            box = Box(x, baseline * 10 - 33, x + 19 * len(word), baseline * 10)
            words.append(Word(word, box, confidence))
            x = box.right + 14
        box = Box(left * 10, baseline * 10 - 33, x - 14, baseline * 10)
        made.append(Line(tuple(words), box, baseline * 10, 0.0, 46.0, row, 0))
    return RecognisedPage(page_image(1, 254), 0, 2100, 2970, (254, 254), 0.0, not made, tuple(made))


def _head(
    number: str = "Số: 12/QĐ-UBND", date: str = "ngày 05 tháng 3 năm 2024"
) -> list[tuple[float, float, str]]:
    return [
        (35, 24, "ỦY BAN NHÂN DÂN"),
        (105, 24, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
        (37, 30, "XÃ BÌNH MẪU"),
        (120, 30, "Độc lập - Tự do - Hạnh phúc"),
        (38, 38, number),
        (108, 38, f"Bình Mẫu, {date}"),
        (90, 50, "QUYẾT ĐỊNH"),
        (70, 56, "Về việc thử nghiệm số hóa"),
    ]


@pytest.mark.parametrize("seed", [11, 23])
def test_every_kind_of_paper_read_without_error_gives_its_fields(seed: int):
    options = SetOptions(seed, len(KINDS), fonts=FONTS)
    for name, _, _, sheets in documents(options):
        skew = random.Random(name).uniform(-3, 3)
        truth: dict[str, str | tuple[str, ...]] = {}
        pages = []
        for n, sheet in enumerate(sheets, 1):
            page = sheet.truth(name)
            truth.update(page.fields)
            pages.append(recognised(page, number=n, dpi=200, skew=skew))
        counts = compare(truth, extract_fields(pages))
        wrong = {k: c for k, c in counts.items() if c.right < c.expected or c.spurious}
        assert not wrong, (name, wrong)


def test_boxes_lie_over_the_words_they_were_read_from():
    page = _page(_head())
    number = extract_fields([page]).get("doc_number")
    assert number is not None
    word = next(w for line in page.lines for w in line.words if w.text == "12/QĐ-UBND")
    assert (number.box, number.page, number.confidence) == (word.box, 1, 95.0)


def test_a_number_left_open_is_unread_and_not_guessed():
    found = extract_fields([_page(_head("Số: /QĐ-UBND"))])
    assert found.get("doc_number") is None
    assert [(u.name, u.reason) for u in found.unread] == [("doc_number", "blank")]
    assert found.values("doc_symbol") == ("QĐ-UBND",)


@pytest.mark.parametrize("read", ["Số: ðŠ0 /QĐ-UBND", "Số: 3?6 /QĐ-UBND", "Số: 4 a1 /QĐ-UBND"])
def test_what_is_no_number_is_left_to_the_operator(read: str):
    found = extract_fields([_page(_head(read))])
    assert found.get("doc_number") is None
    assert [u.name for u in found.unread] == ["doc_number"]


def test_a_doubtful_number_counts_as_handwriting():
    page = _page(_head("Số: 12 /QĐ-UBND"))
    lines = [
        dataclasses.replace(
            line,
            words=tuple(
                dataclasses.replace(w, confidence=40.0) if w.text == "12" else w for w in line.words
            ),
        )
        for line in page.lines
    ]
    found = extract_fields([dataclasses.replace(page, lines=tuple(lines))])
    assert found.get("doc_number") is None
    assert [(u.name, u.reason) for u in found.unread] == [("doc_number", "handwritten")]


def test_digits_taller_than_the_print_beside_them_count_as_handwriting():
    page = _page(_head("Số: 12 /QĐ-UBND"))
    lines = [
        dataclasses.replace(
            line,
            words=tuple(
                dataclasses.replace(w, box=dataclasses.replace(w.box, top=w.box.top - 25))
                if w.text == "12"
                else w
                for w in line.words
            ),
        )
        for line in page.lines
    ]
    found = extract_fields([dataclasses.replace(page, lines=tuple(lines))])
    assert [u.name for u in found.unread] == ["doc_number"]


def _coloured(page: RecognisedPage, path: Path, ink: tuple[int, int, int]) -> RecognisedPage:
    """The page with a kept JPEG on which its number is written in `ink`."""
    image = Image.new("RGB", (2100, 2970), (250, 250, 245))
    draw = ImageDraw.Draw(image)
    for line in page.lines:
        for word in line.words:
            b = word.box
            colour = ink if word.text == "12" else (20, 20, 20)
            draw.rectangle((b.left + 2, b.top + 2, b.left + 8, b.bottom - 2), fill=colour)
    data = io.BytesIO()
    image.save(data, "JPEG", quality=95)
    path.write_bytes(data.getvalue())
    stream = ImageStream(path, "DCTDecode", 2100, 2970, 3, 8)
    return dataclasses.replace(page, image=dataclasses.replace(page.image, kept=stream))


def test_blue_digits_are_handwriting_and_black_ones_are_not(tmp_path: Path):
    page = _page(_head("Số: 12 /QĐ-UBND"))
    blue = extract_fields([_coloured(page, tmp_path / "blue.jpg", (40, 60, 160))])
    black = extract_fields([_coloured(page, tmp_path / "black.jpg", (20, 20, 20))])
    assert [(u.name, u.reason) for u in blue.unread] == [("doc_number", "handwritten")]
    assert blue.get("doc_number") is None
    assert black.values("doc_number") == ("12",)


def test_an_image_that_cannot_be_opened_is_no_evidence(tmp_path: Path):
    page = _page(_head())
    assert blue_words(page, [page.lines[0].words[0].box]) == frozenset()
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 no image")
    stream = dataclasses.replace(page.image.kept, path=broken)
    page = dataclasses.replace(page, image=dataclasses.replace(page.image, kept=stream))
    assert extract_fields([page]).values("doc_number") == ("12",)


def test_pen_writing_on_a_generated_paper_leaves_gaps_not_values():
    sheet = decision(Fiction("pen"), TINOS, handwritten=True)[0]
    found = extract_fields([recognised(sheet.truth("pen"))])
    assert found.get("doc_number") is None
    assert found.get("issued_date") is None
    assert {u.name for u in found.unread} == {"doc_number", "issued_date"}
    assert found.values("doc_symbol") == ("QĐ-UBND",)


@pytest.mark.parametrize(
    ("read", "symbol", "code"),
    [
        ("Số: 07/2024/NQ-HĐND", "2024/NQ-HĐND", "NQ"),
        ("Số: 12/QD-UBND", "QĐ-UBND", "QĐ"),
        ("Số: 12/QÐ-UBND", "QĐ-UBND", "QĐ"),
        ("Số: 12/QĐ - UBND", "QĐ-UBND", "QĐ"),
        ("Số: 12/HD-SNV", "HD-SNV", "HD"),
        ("Số:12/TTR-SNV", "TTr-SNV", "TTr"),
    ],
)
def test_type_codes_belong_to_the_catalogue(read: str, symbol: str, code: str):
    found = extract_fields([_page(_head(read))])
    assert (found.values("doc_symbol"), found.values("doc_type")) == ((symbol,), (code,))


def test_a_code_outside_the_catalogue_gives_no_type_of_its_own():
    lines = [line for line in _head("Số: 12/XYZ-UBND") if line[2] != "QUYẾT ĐỊNH"]
    assert extract_fields([_page(lines)]).get("doc_type") is None


@pytest.mark.parametrize(
    ("read", "date", "sure"),
    [
        ("ngày 05 tháng 3 năm 2024", "2024-03-05", True),
        ("ngày 2] tháng II năm 2025", "2025-11-21", False),
        ("ngày l6 tháng 1O năm 2025", "2025-10-16", False),
    ],
)
def test_dates_become_iso_and_mended_digits_lose_confidence(read: str, date: str, sure: bool):
    field = extract_fields([_page(_head(date=read))]).get("issued_date")
    assert field is not None
    assert field.value == date
    assert (field.confidence == 95.0) == sure


def test_an_impossible_date_is_not_proposed():
    assert (
        extract_fields([_page(_head(date="ngày 31 tháng 02 năm 2024"))]).get("issued_date") is None
    )


def test_papers_of_a_record_are_read_one_by_one():
    def paper(name: str, number: str) -> RecognisedPage:
        page = _page(_head(number))
        return dataclasses.replace(page, image=dataclasses.replace(page.image, source=name))

    collector = FieldCollector()
    for page in (paper("a.tif", "Số: 12/QĐ-UBND"), paper("b.tif", "Số: 13/TB-UBND")):
        collector.see(page)
    found = collector.fields()
    assert found.first_pages == (1, 2)
    assert [(f.page, f.value) for f in found.fields if f.name == "doc_number"] == [
        (1, "12"),
        (2, "13"),
    ]


def test_the_json_says_draft_and_names_its_legal_basis():
    data = json.loads(extract_fields([_page(_head())]).to_json())
    assert data["state"] == "DRAFT"
    assert "30/2020" in data["catalogue"]
    dates = [f["value"] for f in data["fields"] if f["name"] == "issued_date"]
    assert dates == [datetime.date(2024, 3, 5).isoformat()]
    assert all(len(f["box"]) == 4 for f in data["fields"])


_WORDS = st.text(min_size=1, max_size=14) | st.sampled_from(
    ["Số:", "12/QĐ-UBND", "CỘNG", "HÒA", "XÃ", "HỘI", "CHỦ", "NGHĨA", "VIỆT", "NAM", "ngày",
     "32", "tháng", "13", "năm", "9999", "V/v", "QUYẾT", "ĐỊNH", "Nơi", "nhận:", "KT.", "/",
     "CHỦ", "TỊCH", "Nguyễn", "000123456789", "SAO", "Y", "-", "...", "(", "\\"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(-50, 300), st.floats(-50, 400), st.lists(_WORDS, min_size=1, max_size=12)
        ),
        max_size=14,
    )
)
def test_no_text_whatever_makes_it_raise(lines: list[tuple[float, float, list[str]]]):
    found = extract_fields([_page([(x, y, " ".join(words)) for x, y, words in lines])])
    assert json.loads(found.to_json())["state"] == "DRAFT"
    assert all(f.value and f.page == 1 for f in found.fields if f.name == "doc_number")
    assert all(len(v) == 12 and v.isdigit() for v in found.values("citizen_number"))
