"""Finding the room between title and name in the text of a document."""

from __future__ import annotations

import pypdfium2
import pytest

from signer.errors import UnsuitableDocument
from signer.sealing.appearance import anchor as anchor_module
from signer.sealing.appearance.anchor import TextLine, find_anchor, lines_of
from signer.sealing.stamp import PageGeometry
from tests.stamped import A4, Typed, stamped_pdf

TURNED = [
    PageGeometry((40.0, 60.0, 635.28, 901.89) if r % 180 == 0 else (40.0, 60.0, 881.89, 655.28), r)
    for r in (0, 90, 180, 270)
]
DECISION = [
    Typed(85, 700, "Điều 6. Chánh Văn phòng, Trưởng phòng các phòng chuyên môn và các tổ chức,"),
    Typed(85, 682, "cá nhân có liên quan chịu trách nhiệm thi hành Quyết định này./."),
    Typed(85, 640, "Nơi nhận:", 12),
    Typed(85, 626, "- Như Điều 6;", 11),
    Typed(85, 612, "- Lưu: VT, KSTTHC.", 11),
    Typed(370, 640, "TM. ỦY BAN NHÂN DÂN"),
    Typed(380, 624, "KT. CHỦ TỊCH"),
    Typed(372, 608, "PHÓ CHỦ TỊCH"),
    Typed(375, 520, "Nguyễn Văn Mẫu"),
]


def line(text, x, y, page=0, size=13.0, width=None):
    return TextLine(page, (x, y, x + (width or 7 * len(text)), y + size), text)


def block(title, name, x=380.0, top=300.0, gap=80.0, page=0):
    return [line(title, x, top, page), line(name, x, top - gap - 13, page)]


@pytest.mark.parametrize("page", TURNED, ids=lambda page: f"rotate {page.rotate}")
def test_lines_are_read_as_they_are_seen_and_columns_are_parted(page):
    lines = lines_of(stamped_pdf([], [page], DECISION))
    assert {found.text for found in lines} == {typed.text for typed in DECISION}
    assert [found.page_index for found in lines] == [0] * len(DECISION)
    anchor = find_anchor(lines, [page], "Nguyễn Văn Mẫu")
    low, high = anchor.room
    assert high - low == pytest.approx(608 - 520 - 14, abs=3)
    # the name's box: baseline 520, as placed on the page as it is seen
    assert anchor.name[0] == pytest.approx(375, abs=0.5)
    assert anchor.name[1] == pytest.approx(520 - 2.8, abs=0.5)


def test_only_the_pages_asked_for_are_read(tmp_path):
    pages = [A4] * 5
    typed = [Typed(100, 700, f"Trang {index}", page_index=index) for index in range(5)]
    path = tmp_path / "five.pdf"
    path.write_bytes(stamped_pdf([], pages, typed))
    assert [found.page_index for found in lines_of(path)] == [2, 3, 4]
    assert [found.text for found in lines_of(path, [0, 4, 9, -1])] == ["Trang 0", "Trang 4"]


def test_a_page_with_too_much_text_is_passed_over(monkeypatch):
    monkeypatch.setattr(anchor_module, "_MAX_CHARACTERS", 10)
    assert lines_of(stamped_pdf([], [A4], DECISION)) == ()


def test_text_off_the_page_is_not_read():
    typed = [*DECISION, Typed(700, 700, "CHỦ TỊCH"), Typed(85, -60, "Trần Thị Mẫu")]
    texts = {found.text for found in lines_of(stamped_pdf([], [A4], typed))}
    assert texts == {typed.text for typed in DECISION}


def test_a_page_that_fails_while_it_is_read_is_unsuitable(monkeypatch):
    def fail(*_):
        raise pypdfium2.PdfiumError("Failed to load page.")

    monkeypatch.setattr(pypdfium2.PdfDocument, "__getitem__", fail)
    with pytest.raises(UnsuitableDocument, match="Failed to load page"):
        lines_of(stamped_pdf([], [A4], DECISION))


@pytest.mark.parametrize("data", [b"", b"%PDF-1.7 and nothing more"])
def test_a_file_that_cannot_be_read_is_unsuitable(data, tmp_path):
    with pytest.raises(UnsuitableDocument, match="give a whole PDF without a password"):
        lines_of(data)
    with pytest.raises(UnsuitableDocument):
        lines_of(tmp_path / "missing.pdf")


# --- which block --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("CHỦ TỊCH", "Trần Thị Mẫu"),
        ("KT. GIÁM ĐỐC", "Lê Văn Thử"),
        ("TUQ. CHỦ TỊCH", "Hoàng Văn Thử"),
        ("PHÓ CHỦ TỊCH THƯỜNG TRỰC", "Nguyễn Thị Mẫu"),
        ("TRƯỞNG PHÒNG", "ThS. Nguyễn Thử-Mẫu"),
        ("CHU TICH", "Tran Thi Mau"),  # accents lost
        ("NGƯỜI LẬP BIỂU", "Phạm Thử"),
    ],
)
def test_titles_and_names_as_documents_have_them(title, name):
    assert find_anchor(block(title, name), [A4], None) is not None


@pytest.mark.parametrize(
    "lines",
    [
        [],
        block("CHỦ TỊCH", "Trần Thị Mẫu", gap=8.0),  # no room
        block("CHỦ TỊCH", "Trần Thị Mẫu", gap=240.0),  # another part of the page
        block("Chủ tịch", "Trần Thị Mẫu"),
        block("CHỦ TỊCH", "TRẦN THỊ MẪU"),
        block("CHỦ TỊCH", "và các tổ chức"),
        block("CHỦ TỊCH", "Ngày 12 tháng 5"),
        block("CHỦ TỊCH", "Mẫu"),
        block("SỐ 12/2026", "Trần Thị Mẫu"),
        block("ĐÃ", "Trần Thị Mẫu"),
        [line("CHỦ TỊCH", 100, 300), line("Trần Thị Mẫu", 400, 200)],  # two columns
        [line("Trần Thị Mẫu", 380, 300), line("CHỦ TỊCH", 380, 200)],  # the wrong way round
    ],
    ids=[
        "nothing", "no room", "too far", "small letters", "name in capitals", "no name", "a date",
        "one word", "a number", "too short", "columns", "upside down",
    ],
)  # fmt: skip
def test_what_is_no_block_is_not_taken_for_one(lines):
    assert find_anchor(lines, [A4], None) is None


def test_running_text_between_title_and_name_parts_them():
    lines = block("QUYẾT ĐỊNH", "Trần Thị Mẫu", gap=120.0)
    prose = line("chịu trách nhiệm thi hành quyết định này", 300, 260)
    assert find_anchor(lines, [A4], None) is not None
    assert find_anchor([*lines, prose], [A4], None) is None


def test_a_note_below_the_title_belongs_to_it():
    lines = [
        line("NGƯỜI LÀM ĐƠN", 380, 300),
        line("(Ký, ghi rõ họ tên)", 370, 284),
        line("Phạm Thị Mẫu", 385, 200),
    ]
    anchor = find_anchor(lines, [A4], None)
    assert anchor.title[1] == 284
    assert anchor.room == (213.0, 284.0)


def test_letters_of_a_seal_read_between_do_not_end_the_search():
    lines = block("CHỦ TỊCH", "Trần Thị Mẫu", gap=70.0)
    noise = [line("ỦY BAN NHÂN", 385, 232, size=6.0), line("*~", 400, 260)]
    anchor = find_anchor([*lines, *noise], [A4], None)
    assert anchor.title == lines[0].rect
    # but an office right over a name is its title, and leaves no room
    tight = line("PHÓ CHỦ TỊCH", 385, 235)
    assert find_anchor([*lines, tight], [A4], None) is None


def test_the_named_signers_block_is_taken_and_no_other():
    left = block("NGƯỜI NỘP HỒ SƠ", "Trần Thử Một", x=90)
    right = block("NGƯỜI TIẾP NHẬN HỒ SƠ", "Phan Mẫu Hai", x=380)
    both = [*left, *right]
    assert find_anchor(both, [A4], "Trần Thử Một").name == left[1].rect
    assert find_anchor(both, [A4], "Phan Mẫu Hai").name == right[1].rect
    # recognition loses accents and a letter
    assert find_anchor(both, [A4], "Phan Mẩu Hải").name == right[1].rect
    assert find_anchor(both, [A4], "Đỗ Quang Ba") is None
    # certificates say more than the name
    for common_name in (
        "Phan Mẫu Hai – CHỈ DÙNG THỬ",
        "Phan Mẫu Hai, Chủ tịch",
        "Phan Mẫu Hai (UBND)",
    ):
        assert find_anchor(both, [A4], common_name).name == right[1].rect
    # a name in capitals is found too when it is known
    capitals = block("CHỦ TỊCH", "ĐỖ QUANG BA")
    assert find_anchor(capitals, [A4], "Đỗ Quang Ba").name == capitals[1].rect


def test_without_a_name_the_last_block_on_the_right_is_taken():
    first = block("CHỦ TỊCH", "Trần Thử Một", page=0)
    left = block("BÊN B", "Lý Thử Hai", x=90, page=1)
    right = block("BÊN A", "Ngô Mẫu Ba", x=390, page=1)
    pages = [A4, A4]
    assert find_anchor([*right, *left, *first], pages, None).name == right[1].rect
    assert find_anchor([*first, *left], pages, None).name == left[1].rect
    assert find_anchor([*first, *left], pages, None).page_index == 1
    # lines of pages that the document does not have are ignored
    beyond = block("CHỦ TỊCH", "Trần Thử Một", page=7)
    assert find_anchor(beyond, pages, None) is None
