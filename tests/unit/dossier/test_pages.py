"""Pages as pictures: what a later save changed is marked where it is seen, and quoted."""

from __future__ import annotations

import io

import pikepdf
import pytest
from PIL import Image

from dossier.verifying.pages import PagePictures, ShownPage, picture_pages
from tests.fixtures_signed import append, objects_of, plain_pdf

_TEXT = b"BT /F1 14 Tf 72 700 Td (Quyet dinh trang 1: so tien 9.000.000) Tj ET"


def _contents(text: bytes) -> bytes:
    return b"<< /Length %d >> stream\n%s\nendstream" % (len(text), text)


def _image(content: bytes) -> Image.Image:
    return Image.open(io.BytesIO(content)).convert("RGB")


def test_a_changed_digit_is_framed_and_quoted() -> None:
    original = plain_pdf()
    changed = append(original, {objects_of(original)["contents"]: _contents(_TEXT)})
    shown = picture_pages(changed, saves=(2,))
    assert (shown.total, shown.compared) == (2, 2)
    first, second = shown.pages
    assert (first.kind, first.number, first.was) == ("changed", 1, 1)
    (mark,) = first.marks
    assert mark.before.endswith("so tien 1.000.000")
    assert mark.now.endswith("so tien 9.000.000")
    # the digit stands 700 points above the foot of an 842 points high page
    assert 0.14 < mark.y < 842 - 700 < 842 * (mark.y + mark.height)
    assert mark.width < 0.05
    assert (second.kind, second.marks, second.before) == ("same", (), b"")
    now, before = _image(first.now), _image(first.before)
    assert now.size == before.size == (first.width_px, first.height_px)
    assert now.tobytes() != before.tobytes()


def test_pages_put_in_and_taken_out_are_told_apart_from_changed_ones() -> None:
    original = plain_pdf()
    at = objects_of(original)
    page = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] /Contents %d 0 R >>"
    new = at["next"]
    square = _contents(b"1 0 0 rg 100 100 300 300 re f")
    with_one_more = append(
        original,
        {
            new: page % (at["pages"], new + 1),
            new + 1: square,
            at["pages"]: b"<< /Type /Pages /Count 3 /Kids [%d 0 R %d 0 R %d 0 R] >>"
            % (new, at["page"], _second_page(original)),
        },
    )
    kinds = [(p.kind, p.number, p.was) for p in picture_pages(with_one_more, saves=(2,)).pages]
    assert kinds == [("added", 1, None), ("same", 2, 1), ("same", 3, 2)]
    less = append(
        original,
        {at["pages"]: b"<< /Type /Pages /Count 1 /Kids [%d 0 R] >>" % _second_page(original)},
    )
    shown = picture_pages(less, saves=(2,)).pages
    assert [(p.kind, p.number, p.was) for p in shown] == [("removed", None, 1), ("same", 1, 2)]
    assert shown[0].before
    assert not shown[0].now


def _second_page(data: bytes) -> int:
    with pikepdf.open(io.BytesIO(data)) as pdf:
        return int(pdf.pages[1].obj.objgen[0])


def test_many_marks_become_one_and_few_pages_are_shown() -> None:
    original = plain_pdf()
    dots = b"".join(b"%d %d 3 3 re f " % (40 + 60 * (n % 8), 60 + 60 * (n // 8)) for n in range(60))
    changed = append(original, {objects_of(original)["contents"]: _contents(_TEXT + b"\n" + dots)})
    shown = picture_pages(changed, saves=(2,), most=1)
    assert [page.kind for page in shown.pages] == ["changed"]
    assert len(shown.pages[0].marks) == 1
    assert shown.total == 2


@pytest.mark.parametrize("saves", [(), (1,), (9,)])
def test_without_a_state_to_compare_nothing_is_marked(saves: tuple[int, ...]) -> None:
    shown = picture_pages(plain_pdf(), saves=saves)
    assert [page.kind for page in shown.pages] == ["same", "same"]
    assert shown.compared == 0


def test_what_is_no_pdf_has_no_pages() -> None:
    assert picture_pages(b"%PDF-1.7\nnothing") == PagePictures(0, 0)


def test_a_file_that_only_the_engine_can_read_is_shown_unmarked() -> None:
    assert len(picture_pages(b"\n" + plain_pdf(), saves=(2,)).pages) == 2


def test_messages_are_read_back_and_others_refused() -> None:
    sent = PagePictures(3, 1, (ShownPage("same", 1, 1, 10, 20, (), b"now", b"before"),))
    assert PagePictures.read(sent.pack()) == sent
    for other in (b"", b"\0\0\0\1{", b"\0\0\0\2{}", b"\0\0\0\x0d" + b'{"pages":[1]}'):
        with pytest.raises(ValueError, match="no page pictures"):
            PagePictures.read(other)
