"""What speaks for and against a value: certainty, other spellings, checks by format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ocr.fields.certainty import Evidence, Scale, bundled_scale, load_scale
from ocr.fields.consensus import Spellings, names_agency, place_tail
from ocr.fields.extract import DocumentFields, extract_fields
from ocr.fields.mending import all_terms, mend_agency, mend_recipient, without_specks
from ocr.fields.pieces import pieces_of
from ocr.fields.signature_cells import clean_title
from ocr.page import RecognisedPage
from tests.fixtures_samples import recognised
from tools.samples import typed
from tools.samples.groundtruth import TruthPage
from tools.samples.typefaces import FAMILIES

SURE = Evidence(weakest=96.0, mean=96.5)


@pytest.mark.parametrize(
    "worse",
    [{"weakest": 60.0}, {"contradicted": True}, {"weakest": 20.0, "mean": 50.0}],
)
def test_doubts_lower_the_certainty_and_confirmation_raises_it(worse: dict[str, float]):
    scale = bundled_scale()
    for name, value in (("doc_number", "12"), ("agency", "SỞ NỘI VỤ"), ("abstract", "Về họp")):
        sure = scale.certainty(name, value, SURE)
        assert scale.certainty(name, value, dataclasses.replace(SURE, **worse)) < sure
        assert scale.certainty(name, value, dataclasses.replace(SURE, confirmed=True)) > sure
        assert 0 <= sure <= 100


def test_a_sure_number_passes_and_a_weak_or_disputed_one_does_not():
    scale = bundled_scale()
    assert scale.certainty("doc_number", "12", SURE) >= scale.threshold
    for doubt in (Evidence(60.0, 92.0), Evidence(96.0, 96.0, contradicted=True)):
        assert scale.certainty("doc_number", "12", doubt) < scale.threshold


def test_a_title_whose_words_no_catalogue_has_is_always_doubtful():
    scale = bundled_scale()
    perfect = Evidence(97.0, 97.0)
    for name in ("agency", "copy_agency", "signer_title"):
        strange = dataclasses.replace(perfect, known=False)
        assert scale.doubtful(name, "CHI CỤC KIÊM LÂM", strange)
        assert not scale.doubtful(name, "SỞ NỘI VỤ", dataclasses.replace(perfect, confirmed=True))


def test_a_deputy_is_a_deputy():
    assert clean_title("PHO TRƯỞNG PHÒNG") == "PHÓ TRƯỞNG PHÒNG"


def test_a_deployment_may_bring_its_own_scale(tmp_path: Path):
    path = tmp_path / "scale.toml"
    path.write_text('basis = "unit 12"\nthreshold = 50.0\n[weights]\nbase = 1.0\n')
    scale = load_scale(path)
    assert (scale.threshold, scale.basis) == (50.0, "unit 12")
    assert scale.certainty("place", "Bình Mẫu", SURE) == pytest.approx(73.1, abs=0.1)
    path.write_text("threshold = 50.0\n")
    with pytest.raises(KeyError):
        load_scale(path)


# -- through extraction ---------------------------------------------------------------------------


def _paper(code: str = "KH") -> TruthPage:
    return typed.paper(code, "certain/3", "tuning", FAMILIES["Tinos"]).truth(code)


def _reread(page: RecognisedPage, old: str, new: str, confidence: float = 96.0) -> RecognisedPage:
    """The page with a word read otherwise wherever it stands in its first line that has it."""
    lines = list(page.lines)
    n = next(n for n, line in enumerate(lines) if any(old in w.text for w in line.words))
    words = tuple(
        dataclasses.replace(w, text=w.text.replace(old, new), confidence=confidence)
        if old in w.text
        else w
        for w in lines[n].words
    )
    lines[n] = dataclasses.replace(lines[n], words=words)
    return dataclasses.replace(page, lines=tuple(lines))


def _doubtful(found: DocumentFields) -> set[str]:
    return {f.name for f in found.fields if f.doubtful}


def test_number_symbol_type_and_date_read_without_error_are_not_doubtful():
    for code in ("KH", "QĐ", "TTr", "GM", "SL"):
        found = extract_fields([recognised(_paper(code))])
        certain = {"doc_number", "doc_symbol", "doc_type", "issued_date", "copy_number"}
        assert not _doubtful(found) & certain


def test_a_weak_word_makes_its_field_doubtful_and_the_json_says_so():
    truth = _paper()
    number = str(truth.fields["doc_number"])
    page = _reread(recognised(truth), f"{number}/", f"{number}/", confidence=50.0)
    found = extract_fields([page])
    assert "doc_number" in _doubtful(found)
    assert '"doubtful": true' in found.to_json()


def test_a_code_that_the_heading_contradicts_is_doubtful_or_mended():
    page = recognised(_paper("CTr"))
    mended = extract_fields([_reread(page, "/CTr-", "/CTT-")])
    assert str(mended.values("doc_symbol")[0]).startswith("CTr-")
    assert mended.values("doc_type") == ("CTr",)
    other = extract_fields([_reread(page, "/CTr-", "/BC-")])
    assert {"doc_symbol", "doc_type"} <= _doubtful(other)


def test_a_date_that_lost_a_digit_is_doubtful():
    truth = next(
        t for n in range(40)
        if (t := typed.paper("TB", f"day/{n}", "tuning", FAMILIES["Tinos"]).truth("x"))
        .fields["issued_date"][-2:] > "10"  # type: ignore[operator] # a single value is a str
    )  # fmt: skip
    page = recognised(truth)
    day = str(truth.fields["issued_date"])[-2:]
    line = next(n for n, x in enumerate(page.lines) if "ngày" in x.text and "tháng" in x.text)
    words = tuple(
        dataclasses.replace(w, text=day[0]) if w.text == day else w for w in page.lines[line].words
    )
    lines = list(page.lines)
    lines[line] = dataclasses.replace(lines[line], words=words)
    found = extract_fields([dataclasses.replace(page, lines=tuple(lines))])
    assert "issued_date" in _doubtful(found)


# -- what the paper says elsewhere ---------------------------------------------------------------


def _spellings(*texts: str) -> Spellings:
    truth = _paper()
    page = recognised(truth)
    model = page.lines[0]
    lines = []
    for row, text in enumerate(texts):
        words = tuple(dataclasses.replace(model.words[0], text=t) for t in text.split())
        lines.append(dataclasses.replace(model, words=words, row=row))
    return Spellings(pieces_of(dataclasses.replace(page, lines=tuple(lines)), 1))


def test_the_spelling_that_stands_more_often_wins_and_keeps_the_case():
    paper = _spellings("UBND XÃ GIẢ SƠN", "Giả Sơn, ngày", "Đảng ủy xã Giả Sơn;", "xã Giá Sơn")
    assert paper.of("GIÁ SƠN").text == "GIẢ SƠN"
    found = paper.of("Giả Sơn")
    assert (found.text, found.repeated, found.disputed) == ("Giả Sơn", True, True)


def test_one_against_one_is_disputed_and_left_as_it_was_read():
    found = _spellings("XÃ GIẢ SƠN", "Giá Sơn, ngày").of("Giá Sơn")
    assert (found.text, found.repeated, found.disputed) == ("Giá Sơn", False, True)
    assert _spellings("không có gì").of("Giá Sơn").text == "Giá Sơn"


@pytest.mark.parametrize(
    ("short", "agency", "fits"),
    [
        ("SNV", "SỞ NỘI VỤ", True),
        ("SNY", "SỞ NỘI VỤ", False),
        ("UBND", "ỦY BAN NHÂN DÂN XÃ BÌNH MẪU", True),
        ("UBND", "SỞ NỘI VỤ", False),
        ("TTPVHCC", "TRUNG TÂM PHỤC VỤ HÀNH CHÍNH CÔNG", True),
        ("VP", "VĂN PHÒNG HĐND VÀ UBND", True),
        ("HĐND", "HỘI ĐỒNG NHÂN DÂN TỈNH GIẢ SƠN", True),
    ],
)
def test_initials_stand_for_their_agency(short: str, agency: str, fits: bool):
    assert names_agency(short, agency) == fits


def test_the_place_of_an_agency_begins_after_its_last_level():
    assert place_tail("ỦY BAN NHÂN DÂN XÃ BÌNH MẪU") == 5
    assert place_tail("SỞ NỘI VỤ") is None


@pytest.mark.parametrize(
    ("read", "mended"),
    [
        ("UBND tình Mẫu Giang (b/©)", "UBND tỉnh Mẫu Giang (b/c)"),
        ("Cống thông tin điện tử", "Cổng thông tin điện tử"),
        ("Lưu: VI, NV", "Lưu: VT, NV"),
        ("Lựu: VT, HC", "Lưu: VT, HC"),
        ("Chủ tịch, các Phó Chủ tịch (b/c)", "Chủ tịch, các Phó Chủ tịch (b/c)"),
        ("Bà Lưu Thị Mẫu", "Bà Lưu Thị Mẫu"),
    ],
)
def test_recipients_are_mended_where_the_letters_agree(read: str, mended: str):
    assert mend_recipient(read) == mended


@pytest.mark.parametrize(
    ("read", "mended"),
    [
        ("SƠ NỘI VỤ", "SỞ NỘI VỤ"),
        ("UBND.TỈNH BẮC MẪU", "UBND TỈNH BẮC MẪU"),
        ("ỦY BAN NHÂN DÂN PHƯƠNG TÂN THỬ", "ỦY BAN NHÂN DÂN PHƯỜNG TÂN THỬ"),
        ("BAN QUẢN LÝ DỰ ÁN", "BAN QUẢN LÝ DỰ ÁN"),
    ],
)
def test_agencies_are_mended_in_their_fixed_words(read: str, mended: str):
    assert mend_agency(read) == mended


def test_specks_between_words_go_and_ends_of_sentences_stay():
    assert without_specks("thủ tục hành chính. ở cơ sở") == "thủ tục hành chính ở cơ sở"
    assert without_specks("Họp lần 2. Bàn việc") == "Họp lần 2. Bàn việc"
    assert without_specks("Họp tổ. Bàn việc") == "Họp tổ. Bàn việc"


def test_known_phrases_are_known_with_their_marks_only():
    assert all_terms("KT. CHỦ TỊCH")
    assert all_terms("PHÓ GIÁM ĐỐC SỞ NỘI VỤ")
    assert not all_terms("KT. CHU TỊCH")
    assert not all_terms("")


def test_an_unknown_feature_weighs_nothing():
    scale = Scale({"base": 0.0}, 50.0, "none")
    assert scale.certainty("abstract", "x", SURE) == 50.0
