"""All 27 types, official letters and copies, read without error; and what used to be missed."""

from __future__ import annotations

import random

import pytest

from bench.field_scoring import compare
from ocr.fields.extract import DocumentFields, extract_fields
from ocr.page import Box, Line, RecognisedPage, Word
from tests.fixtures_samples import page_image, recognised
from tools.samples import typed
from tools.samples.typefaces import FAMILIES


@pytest.mark.parametrize("half", ["tuning", "unseen"])
@pytest.mark.parametrize("code", typed.codes())
def test_a_type_read_without_error_gives_its_fields(code: str, half: typed.Half):
    for n, font in enumerate(typed.FONTS[half][:2]):
        truth = typed.paper(code, f"read/{n}", half, FAMILIES[font]).truth(code)
        skew = random.Random(f"{code}{n}").uniform(-3, 3)
        counts = compare(truth.fields, extract_fields([recognised(truth, dpi=200, skew=skew)]))
        wrong = {k: c for k, c in counts.items() if c.right < c.expected or c.spurious}
        assert not wrong, (n, wrong)


def _page(*lines: tuple[float, float, str]) -> RecognisedPage:
    """A page at 254 dpi (10 px a mm) of lines given as centre mm, baseline mm, text."""
    made = []
    for row, (centre, baseline, text) in enumerate(sorted(lines, key=lambda line: line[1])):
        width = 19 * len(text.replace(" ", "")) + 14 * text.count(" ")
        words, x = [], centre * 10 - width / 2
        for word in text.split():
            box = Box(x, baseline * 10 - 33, x + 19 * len(word), baseline * 10)
            words.append(Word(word, box, 95.0))
            x = box.right + 14
        box = Box(words[0].box.left, baseline * 10 - 33, words[-1].box.right, baseline * 10)
        made.append(Line(tuple(words), box, baseline * 10, 0.0, 46.0, row, 0))
    image = page_image(1, 254)
    return RecognisedPage(image, 0, 2100, 2970, (254, 254), 0.0, not made, tuple(made))


def _read(*lines: tuple[float, float, str]) -> DocumentFields:
    return extract_fields([_page(*lines)])


HEAD = (
    (57, 24, "UBND XÃ BÌNH MẪU"),
    (145, 24, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
    (57, 30, "THANH TRA"),
    (145, 30, "Độc lập - Tự do - Hạnh phúc"),
    (145, 38, "Bình Mẫu, ngày 05 tháng 3 năm 2024"),
)
COPY = (
    (57, 150, "UBND TỈNH GIẢ SƠN"),
    (145, 150, "TRÍCH SAO"),
    (57, 156, "SỞ NỘI VỤ"),
    (57, 164, "Số: 07/TrS-SNV"),
    (145, 164, "Giả Sơn, ngày 21 tháng 6 năm 2024"),
    (145, 176, "GIÁM ĐỐC"),
    (145, 200, "Trần Thị Mẫu"),
)


def test_a_letter_has_no_type_even_when_its_agency_is_abbreviated_like_one():
    found = _read(*HEAD, (57, 38, "Số: 12/TTr-VP"), (57, 45, "V/v kiểm tra thử"))
    assert found.get("doc_type") is None
    assert found.values("doc_symbol") == ("TTr-VP",)


@pytest.mark.parametrize("opening", ["Thực hiện", "Đề nghị", "Theo dõi"])
def test_an_abstract_may_begin_as_a_body_does(opening: str):
    text = f"{opening} việc số hóa hồ sơ giấy"
    found = _read(*HEAD, (57, 38, "Số: 12/HD-TTr"), (110, 50, "HƯỚNG DẪN"), (110, 56, text))
    assert found.values("abstract") == (text,)
    body = _read(*HEAD, (57, 38, "Số: 12/HD-TTr"), (110, 50, "HƯỚNG DẪN"), (113, 56, text))
    assert body.values("abstract") == ("HƯỚNG DẪN",)


def test_an_abstract_keeps_a_last_line_of_one_short_word():
    first = "Về chuyển đổi số và cải cách thủ tục hành chính công ở"
    found = _read(*HEAD, (57, 38, "Số: 12/HD-TTr"), (110, 50, "HƯỚNG DẪN"), (110, 56, first),
                  (110, 61.5, "xã"))  # fmt: skip
    assert found.values("abstract") == (f"{first} xã",)


def test_a_contract_without_an_agency_has_its_number_in_the_middle():
    found = _read(
        (110, 24, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
        (110, 30, "Độc lập - Tự do - Hạnh phúc"),
        (110, 42, "HỢP ĐỒNG"),
        (110, 48, "Về việc thuê máy quét"),
        (110, 56, "Số: 19/HĐ-SNV"),
        (110, 64, "Hôm nay, ngày 05 tháng 3 năm 2024, tại trụ sở, chúng tôi gồm có:"),
    )
    assert found.values("doc_number") == ("19",)
    assert found.values("doc_symbol") == ("HĐ-SNV",)
    assert found.values("doc_type") == ("HĐ",)
    assert found.values("issued_date") == ("2024-03-05",)


def test_a_copy_keeps_the_copied_paper_and_the_copying_agency_apart():
    found = _read(*HEAD, (57, 38, "Số: 12/TB-TTr"), (110, 50, "THÔNG BÁO"), *COPY)
    values = {f.name: f.value for f in found.fields}
    assert values["doc_number"] == "12"
    assert values["agency"] == "THANH TRA"
    assert "signer_name" not in values  # the copied paper here shows none
    assert values["copy_form"] == "TrS"
    assert (values["copy_number"], values["copy_symbol"]) == ("07", "TrS-SNV")
    assert (values["copy_agency"], values["copy_date"]) == ("SỞ NỘI VỤ", "2024-06-21")
    assert values["copy_signer"] == "Trần Thị Mẫu"


def test_a_copy_mark_in_the_corner_names_the_form_and_parts_nothing():
    found = _read((170, 12, "SAO Y"), *HEAD, (57, 38, "Số: 12/TB-TTr"), (145, 100, "GIÁM ĐỐC"),
                  (145, 124, "Trần Thị Mẫu"))  # fmt: skip
    assert found.values("copy_form") == ("SY",)
    assert found.get("copy_number") is None
    assert found.values("signer_name") == ("Trần Thị Mẫu",)
    assert found.values("doc_number") == ("12",)


def test_a_missing_copy_number_is_marked_and_not_guessed():
    copy = [line for line in COPY if not line[2].startswith("Số")]
    found = _read(*HEAD, (57, 38, "Số: 12/TB-TTr"), *copy, (57, 164, "Số: /TrS-SNV"))
    assert [(u.name, u.reason) for u in found.unread] == [("copy_number", "blank")]


def test_the_copying_agency_may_stand_on_a_page_of_its_own():
    first = _page(*HEAD, (57, 38, "Số: 12/TB-TTr"), (110, 50, "THÔNG BÁO"))
    last = _page((110, 20, "Các đơn vị thực hiện thông báo này."), *COPY)
    found = extract_fields([first, last])
    values = {f.name: (f.value, f.page) for f in found.fields}
    assert values["copy_form"] == ("TrS", 2)
    assert values["copy_number"] == ("07", 2)
    assert values["copy_signer"] == ("Trần Thị Mẫu", 2)
    assert values["doc_number"] == ("12", 1)
    assert "signer_name" not in values
