"""Fields of heads and feet as an engine misreads them; what was mended is always doubtful."""

from __future__ import annotations

import pytest

from ocr.fields.extract import DocumentFields, extract_fields
from ocr.fields.mending import mend_agency, mend_recipient, without_specks
from ocr.page import Box, Line, RecognisedPage, Word
from tests.fixtures_samples import page_image

Row = tuple[float, float, str]


def page_of(rows: list[Row]) -> RecognisedPage:
    """A page at 254 dpi (10 px a mm); rows are left mm, baseline mm, text; 4 mm a letter pair."""
    made = []
    for n, (left, baseline, text) in enumerate(rows):
        words, x = [], left * 10
        for word in text.split():
            box = Box(x, baseline * 10 - 33, x + 19 * len(word), baseline * 10)
            words.append(Word(word, box, 97.0))
            x = box.right + 14
        box = Box(left * 10, baseline * 10 - 33, x - 14, baseline * 10)
        made.append(Line(tuple(words), box, baseline * 10, 0.0, 46.0, n, 0))
    return RecognisedPage(page_image(1, 254), 0, 2100, 2970, (254, 254), 0.0, False, tuple(made))


def fields(
    number: str = "Số: 12/QĐ-UBND", date: str = "ngày 05 tháng 3 năm 2024", *,
    agency: tuple[Row, ...] = ((35, 24, "ỦY BAN NHÂN DÂN"), (37, 30, "XÃ BÌNH MẪU")),
    country: Row = (105, 24, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"), below: tuple[Row, ...] = (),
) -> DocumentFields:  # fmt: skip
    rows = [
        *agency, country, (120, 30, "Độc lập - Tự do - Hạnh phúc"), (38, 38, number),
        (108, 38, f"Bình Mẫu, {date}"), (90, 50, "QUYẾT ĐỊNH"), (70, 56, "Về việc thử nghiệm"),
        *below,
    ]  # fmt: skip
    return extract_fields([page_of(sorted(rows, key=lambda r: (r[1], r[0])))])


@pytest.mark.parametrize(
    ("read", "date"),
    [
        ("ngày 17 tháng 5Š năm 2025", "2025-05-17"),
        ("ngày 12 tháng B8 năm 2021", "2021-08-12"),
        ("ngày LI tháng 6 năm 2022", "2022-06-11"),
    ],
)
def test_a_digit_given_twice_counts_once_and_a_person_looks(read: str, date: str):
    found = fields(date=read).get("issued_date")
    assert found is not None
    assert (found.value, found.doubtful) == (date, True)


@pytest.mark.parametrize("read", ["CƠ SỞ", "Cơ sở", "cơ sở"])
def test_a_last_line_of_letters_alike_in_both_cases_belongs_to_the_abstract(read: str):
    first = "Về việc chuyển đổi số và cải cách thủ tục hành chính ở"
    width = sum(19 * len(w) + 14 for w in first.split()) / 10
    middle = 90 + (19 * 5 + 14 + 19 * 4) / 20
    rows: tuple[Row, ...] = (
        (middle - width / 2, 56, first),
        (middle - (19 * 2 * 2 + 14) / 20, 62, read),
    )
    page = page_of([
        (35, 24, "ỦY BAN NHÂN DÂN"), (105, 24, "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
        (37, 30, "XÃ BÌNH MẪU"), (38, 38, "Số: 12/TB-UBND"),
        (108, 38, "Bình Mẫu, ngày 05 tháng 3 năm 2024"), (90, 50, "THÔNG BÁO"), *rows,
    ])  # fmt: skip
    assert extract_fields([page]).values("abstract") == (f"{first} cơ sở",)


def test_specks_between_the_words_of_a_date_do_no_harm():
    found = fields(date="ngày.10 tháng 10. năm 2025").get("issued_date")
    assert found is not None
    assert (found.value, found.doubtful) == ("2025-10-10", False)
    lost = fields(date="ngày.1 tháng 10 năm 2025").get("issued_date")
    assert lost is not None
    assert lost.doubtful  # NĐ 30 writes 01: a digit was lost


@pytest.mark.parametrize("read", ["ngày 37 tháng 3 năm 2025", "ngày 12 tháng 88 năm 2021"])
def test_digits_that_make_no_date_are_not_guessed_at(read: str):
    assert fields(date=read).get("issued_date") is None


@pytest.mark.parametrize(
    ("read", "number", "symbol"),
    [
        ("Số: I532/QĐ-UBND", "1532", "QĐ-UBND"),
        ("Số: 977QĐ-UBND", "977", "QĐ-UBND"),  # 97/QĐ it may have been: shown to a person
    ],
)
def test_a_letter_for_a_digit_and_a_lost_stroke_are_proposed_with_doubt(
    read: str, number: str, symbol: str
):
    found = fields(read)
    (told,) = [f for f in found.fields if f.name == "doc_number"]
    assert (told.value, told.doubtful) == (number, True)
    assert found.values("doc_symbol") == (symbol,)
    assert found.values("doc_type") == ("QĐ",)


def test_a_number_as_it_should_be_is_not_doubtful():
    found = fields().get("doc_number")
    assert found is not None
    assert (found.value, found.doubtful) == ("12", False)


def test_an_agency_close_to_the_country_is_not_lost():
    found = fields(
        agency=((37, 30, "VĂN PHÒNG HĐND VÀ UBND"),),
        country=(30, 24, "UBND PHƯỜNG MINH HỌA ĐÔNG CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"),
    )
    assert found.values("parent_agency") == ("UBND PHƯỜNG MINH HỌA ĐÔNG",)
    assert found.values("agency") == ("VĂN PHÒNG HĐND VÀ UBND",)


@pytest.mark.parametrize(
    ("read", "agency"),
    [
        ("- TRƯỜNG TIỂU HỌC BÌNH MẪU", "TRƯỜNG TIỂU HỌC BÌNH MẪU"),
        ("TRUNG-TÂM Y TẾ", "TRUNG-TÂM Y TẾ"),
    ],
)
def test_a_speck_in_a_unit_does_not_join_it_to_its_parent(read: str, agency: str):
    found = fields(agency=((35, 24, "UBND XÃ BÌNH MẪU"), (33, 30, read)))
    assert found.values("agency") == (agency,)
    assert found.values("parent_agency") == ("UBND XÃ BÌNH MẪU",)


@pytest.mark.parametrize("label", ["Nơi nhận:", "-_ Nơi nhận:", "`_ Nơi nhận:"])
def test_recipients_are_found_below_a_label_with_specks(label: str):
    found = fields(below=((30, 200, label), (30, 206, "- Như trên;"), (30, 212, "- tưu: VT, NV.")))
    assert found.values("recipients") == ("Như trên", "Lưu: VT, NV")


@pytest.mark.parametrize(
    ("read", "meant"),
    [
        ("CHI CỤC KIÊM LÂM", "CHI CỤC KIỂM LÂM"),
        ("BẠN QUẢN LÝ DỤ ÁN ĐẦU TƯ XÂY DỰNG", "BAN QUẢN LÝ DỰ ÁN ĐẦU TƯ XÂY DỰNG"),
        ("SỞ VĂN HOA VÀ THỂ THAO", "SỞ VĂN HÓA VÀ THỂ THAO"),
        ("CHI CỤC KIÊM LÂM TỈNH Y TÊ", "CHI CỤC KIỂM LÂM TỈNH Y TÊ"),  # a place's own name
        ("BẢO HIÊM XÃ HÔI", "BẢO HIỂM XÃ HỘI"),
        ("UBND.XA Y TÊ", "UBND XÃ Y TÊ"),
    ],
)
def test_the_fixed_words_of_agencies_get_their_marks(read: str, meant: str):
    assert mend_agency(read) == meant


@pytest.mark.parametrize("read", ["(bí/c)", "(b/)", "(/c)", "(/©)", "(l/C)", "(h/c)"])
def test_to_report_is_known_however_it_was_misread(read: str):
    assert mend_recipient(f"UBND tỉnh Ví Dương {read}") == "UBND tỉnh Ví Dương (b/c)"


def test_marks_in_lists_and_running_text():
    assert mend_recipient("Phòng Tư pháp (02 bản)") == "Phòng Tư pháp (02 bản)"
    assert mend_recipient("Đảng ủy phường-Tân Thử") == "Đảng ủy phường Tân Thử"
    assert mend_recipient("Phòng Văn hóa - Xã hội") == "Phòng Văn hóa - Xã hội"
    assert without_specks("Kết luận cuộc.họp về") == "Kết luận cuộc họp về"
    assert without_specks("TP.HCM và v.v. theo QĐ.12") == "TP.HCM và v.v. theo QĐ.12"
