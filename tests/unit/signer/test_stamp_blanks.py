"""Number and date over the blanks that were typed for them (domain.md 5.8, NĐ 30/2020)."""

from __future__ import annotations

import io
import unicodedata
from datetime import UTC, date, datetime

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signer.errors import ProfileError, UnsuitableDocument
from signer.sealing.appearance.anchor import Glyph, PageRows, rows_of
from signer.sealing.appearance.blanks import (
    Room,
    date_texts,
    find_date,
    find_number,
    given_room,
    number_text,
)
from signer.sealing.appearance.plan import StampFacts, plan_stamp
from signer.sealing.appearance.profiles import BlankPlace, default_profiles, load_profiles
from signer.sealing.stamp import PageGeometry
from tests.clerical import DATE_X, NUMBER_X, NUMBER_Y, decision
from tests.stamped import A4, PaperDocument, Typed, stamped_pdf

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SO = default_profiles().get("SO", TODAY)
NGAY = default_profiles().get("NGAY", TODAY)
assert isinstance(SO.place, BlankPlace)
assert isinstance(NGAY.place, BlankPlace)


def number_room(pdf: bytes) -> Room | None:
    return find_number(rows_of(pdf), SO.place)


def date_room(pdf: bytes) -> Room | None:
    return find_date(rows_of(pdf), NGAY.place)


def words(pdf: bytes, index: int = 0) -> dict[str, tuple[float, float, float, float]]:
    """Every word that a renderer shows, widgets drawn in, with its box."""
    with pypdfium2.PdfDocument(io.BytesIO(pdf)) as document:
        document.init_forms()
        page = document[index]
        page.flatten()
        page = document[index]
        text = page.get_textpage()
        found: dict[str, tuple[float, float, float, float]] = {}
        word, box = "", None
        for at in range(text.count_chars() + 1):
            char = text.get_text_range(at, 1) if at < text.count_chars() else " "
            if char.isspace() or not char:
                if word and box:
                    found.setdefault(word, box)
                word, box = "", None
                continue
            a = text.get_charbox(at, loose=True)
            word += char
            box = a if box is None else (
                min(box[0], a[0]), min(box[1], a[1]), max(box[2], a[2]), max(box[3], a[3])
            )  # fmt: skip
        return found


@pytest.mark.parametrize(
    ("number", "symbol_x"),
    [("Số:", 150), ("Số: ........", 165), ("Số: ……", 150), ("Số:…", 128), ("Số", 150)],
)
def test_the_numbers_blank_lies_between_label_and_slash(number, symbol_x):
    room = number_room(decision(number=number, symbol_x=symbol_x))
    assert room is not None
    assert NUMBER_X + 10 < room.rect[0] < NUMBER_X + 20
    assert room.rect[2] == pytest.approx(symbol_x, abs=0.5)
    assert room.baseline == pytest.approx(NUMBER_Y, abs=0.3)
    assert room.symbol == "QĐ-UBND"


@pytest.mark.parametrize(
    "number",
    ["Số: 12", "Luật số:", "", "Số hiệu:"],
)
def test_no_blank_is_found_where_none_was_left(number):
    assert number_room(decision(number=number, symbol_x=150 if number != "Số: 12" else 130)) is None


def test_the_bodys_own_numbers_and_dates_are_not_taken():
    pdf = decision(
        number="", symbol="", date="", body="Kèm theo Tờ trình số:      /TTr, ngày    tháng    năm"
    )
    assert number_room(pdf) is None
    # lower half of the page: somebody else's blanks
    assert date_room(stamped_pdf([], (A4,), [Typed(300, 300, "ngày    tháng    năm 2026")])) is None


@pytest.mark.parametrize(
    ("typed", "blank"),
    [
        ("Mẫu Sơn, ngày      tháng      năm 2026", ["", "", "2026"]),
        ("Mẫu Sơn, ngày ... tháng ... năm 2026", ["", "", "2026"]),
        ("ngày     tháng 11 năm 2026", ["", "11", "2026"]),
        ("ngày …… tháng …… năm 20……", ["", "", "20"]),
        ("ngày      tháng      năm      ", ["", "", ""]),
    ],
)
def test_what_is_blank_of_a_date(typed, blank):
    room = date_room(decision(date=typed))
    assert room is not None
    assert [slot.typed for slot in room.slots] == blank
    assert room.rect[0] > DATE_X
    assert room.baseline == pytest.approx(NUMBER_Y, abs=0.3)


def test_a_date_typed_whole_leaves_nothing_to_write():
    assert date_room(decision(date="Mẫu Sơn, ngày 05 tháng 01 năm 2026")) is None


@pytest.mark.parametrize(
    ("number", "text"), [(1, "01"), (9, "09"), (10, "10"), (123, "123"), (12345, "12345")]
)
def test_numbers_below_ten_get_a_leading_zero(number, text):
    assert number_text(number) == text


@pytest.mark.parametrize(
    ("day", "texts"),
    [
        (date(2026, 1, 5), ("05", "01", "2026")),
        (date(2026, 2, 10), ("10", "02", "2026")),
        (date(2026, 3, 9), ("09", "3", "2026")),
        (date(2026, 12, 31), ("31", "12", "2026")),
    ],
)
def test_days_below_ten_and_the_months_one_and_two_get_a_leading_zero(day, texts):
    assert date_texts(day) == texts


def test_number_and_date_stand_over_their_blanks():
    pdf = decision()
    number, day = number_room(pdf), date_room(pdf)
    assert number is not None
    assert day is not None
    paper = PaperDocument()
    stamps = [
        number.write_number(7, SO).resolve(paper),
        day.write_date(date(2026, 2, 3), NGAY).resolve(paper),
    ]
    seen = words(stamped_pdf(stamps, (A4,), [Typed(10, 10, "x")]))
    (left, right) = (number.slots[0].left, number.slots[0].right)
    assert left < seen["07"][0]
    assert seen["07"][2] < right
    for text, slot in (("03", day.slots[0]), ("02", day.slots[1])):
        assert slot.left < seen[text][0]
        assert seen[text][2] < slot.right
    assert "2026" not in seen  # it is typed already
    assert all(stamp.anchored for stamp in stamps)


def test_the_rest_of_a_begun_year_is_written():
    room = date_room(decision(date="ngày ... tháng ... năm 20..."))
    assert room is not None
    stamp = room.write_date(date(2026, 11, 23), NGAY).resolve(PaperDocument())
    seen = words(stamped_pdf([stamp], (A4,), [Typed(10, 10, "x")]))
    assert {"23", "11", "26"} <= set(seen)


def test_another_year_than_the_typed_one_is_refused():
    room = date_room(decision())
    assert room is not None
    with pytest.raises(ProfileError, match="“2026” where the date 2027-01-05 has “2027”"):
        room.write_date(date(2027, 1, 5), NGAY)


def test_what_does_not_fit_the_blank_is_refused_with_a_way_out():
    room = number_room(decision(symbol_x=122))
    assert room is not None
    with pytest.raises(ProfileError, match=r"give a place \(page and rectangle\)"):
        room.write_number(123456, SO)


@given(number=st.integers(1, 999_999), room=st.floats(112, 300))
@settings(max_examples=60, deadline=None)
def test_a_number_never_leaves_its_blank(number, room):
    made = given_room(0, A4, (100.0, 740.0, room, 758.0))
    try:
        stamp = made.write_number(number, SO).resolve(PaperDocument())
    except ProfileError:
        assert room - 100 < 40  # only a narrow blank refuses
        return
    (block, _) = stamp.face.text
    (line,) = block.lines
    assert line.x >= 0
    assert line.x + line.width <= room - 100
    assert 0 < line.y < 18


def test_a_place_that_was_given_takes_the_whole_date():
    room = given_room(0, A4, (300.0, 740.0, 480.0, 757.0))
    stamp = room.write_date(date(2026, 1, 5), NGAY).resolve(PaperDocument())
    seen = words(stamped_pdf([stamp], (A4,), [Typed(10, 10, "x")]))
    assert {"ngày", "05", "tháng", "01", "năm", "2026"} <= set(seen)
    assert not stamp.anchored


@pytest.mark.parametrize("rect", [(10.0, 10.0, 10.0, 30.0), (500.0, 10.0, 600.0, 30.0)])
def test_a_place_off_the_page_is_refused(rect):
    with pytest.raises(ProfileError, match="give x0 y0 x1 y1"):
        given_room(0, A4, rect)


def test_a_page_that_the_document_lacks_is_refused():
    room = given_room(3, A4, (100.0, 740.0, 200.0, 757.0))
    with pytest.raises(ProfileError, match="no page 4"):
        room.empty().resolve(PaperDocument())


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_on_a_turned_page_the_number_is_upright_over_its_blank(turn):
    page = PageGeometry((0.0, 0.0, 842.0, 595.0) if turn % 180 else (0.0, 0.0, 595.0, 842.0), turn)
    typed = [Typed(60, 800, "Số:"), Typed(130, 800, "/QĐ-UBND")]
    room = number_room(stamped_pdf([], (page,), typed))
    assert room is not None
    assert room.baseline == pytest.approx(800, abs=0.5)
    stamp = room.write_number(45, SO).resolve(PaperDocument((page,)))
    assert stamp.rotate == turn
    assert "45" in words(stamped_pdf([stamp], (page,), typed))


def test_the_profiles_of_blanks_belong_to_the_sequence():
    with pytest.raises(ProfileError, match="order a sequence"):
        plan_stamp("SO", StampFacts(), NOW)


def test_a_blank_takes_no_image_and_no_text(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        '[[profile]]\nid = "SO"\nbase = "SO"\nlegal_basis = "x"\nvalid_from = 2026-01-01\n'
        'text = { lines = ["{time}"] }\n',
        "utf-8",
    )
    with pytest.raises(ProfileError, match="no image, no text"):
        load_profiles(path)


def row(text: str, *, x: float = 60.0, y: float = 800.0) -> PageRows:
    """A page with one row of characters, eight points each; a blank is a gap."""
    glyphs = [
        Glyph(char, (x + 8 * n, y - 3, x + 8 * n + 8, y + 11), y)
        for n, char in enumerate(text)
        if char != " "
    ]
    return PageRows(0, A4, (tuple(glyphs),))


def test_letters_that_come_apart_from_their_accents_are_read():
    typed = unicodedata.normalize("NFD", "Số:    /QĐ")
    assert find_number(row(typed), SO.place) is not None


def test_a_slash_close_to_the_label_leaves_no_blank():
    assert find_number(row("Số:/QĐ"), SO.place) is None


def test_a_year_that_would_leave_the_page_is_no_room():
    typed = "ngày   tháng   năm"
    assert find_date(row(typed, x=60), NGAY.place) is not None
    assert find_date(row(typed, x=A4.box[2] - 8 * len(typed)), NGAY.place) is None


def test_characters_off_the_page_are_not_seen():
    pdf = stamped_pdf([], (A4,), [Typed(-300, 800, "Số:"), Typed(60, 700, "thấy")])
    assert ["".join(glyph.char for glyph in found) for found in rows_of(pdf).rows] == ["thấy"]


def test_pages_and_files_that_are_not_there_are_refused():
    with pytest.raises(ProfileError, match="has 1 pages and no page 3"):
        rows_of(decision(), 2)
    with pytest.raises(UnsuitableDocument, match="cannot be read"):
        rows_of(b"no PDF")
