"""Where a widget is seen: pages turned, cropped and inherited, widgets of their own."""

from __future__ import annotations

import io

import pikepdf
import pytest

from signer.verification.file.structure import Document
from signer.verification.parts.places import place_of

BOX = (100, 200, 250, 270)


def placed(change=lambda pdf, widget: None, *, pages: int = 3, on: int = 0, kid: bool = False):
    """`place_of` a signature field after `change(pdf, widget)`."""
    pdf = pikepdf.new()
    for _ in range(pages):
        pdf.add_blank_page(page_size=(595, 842))
    page = pdf.pages[on].obj
    widget = pdf.make_indirect(
        pikepdf.Dictionary(Type=pikepdf.Name.Annot, Subtype=pikepdf.Name.Widget, Rect=list(BOX),
                           P=page)
    )  # fmt: skip
    field = widget
    if kid:
        field = pdf.make_indirect(pikepdf.Dictionary(Kids=pikepdf.Array([widget])))
        widget.Parent = field
    field.FT, field.T = pikepdf.Name.Sig, pikepdf.String("S")
    page.Annots = pikepdf.Array([widget])
    pdf.Root.AcroForm = pikepdf.Dictionary(Fields=pikepdf.Array([field]))
    change(pdf, widget)
    out = io.BytesIO()
    pdf.save(out, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    view = Document(out.getvalue()).current
    number = next(number for _, number, _, kind in view.fields() if kind == "Sig")
    return place_of(view, number)


def corners(place) -> tuple[float, ...]:
    return (place.x0, place.y0, place.x1, place.y1)


@pytest.mark.parametrize("kid", [False, True])
@pytest.mark.parametrize("on", [0, 2])
def test_on_its_page(kid, on):
    place = placed(on=on, kid=kid)
    assert corners(place) == BOX
    assert (place.width, place.height) == (595, 842)
    assert place.is_first_page is (on == 0)


@pytest.mark.parametrize(("on", "is_found"), [(0, True), (1, False), (2, True)])
def test_without_a_page_of_its_own_the_outer_pages_are_asked(on, is_found):
    def forget(pdf, widget):
        del widget.P

    assert (placed(forget, on=on) is not None) is is_found


@pytest.mark.parametrize(
    ("turn", "expected"),
    [(0, (100, 200, 250, 270)), (90, (200, 345, 270, 495)), (180, (345, 572, 495, 642)),
     (270, (572, 100, 642, 250)), (-90, (572, 100, 642, 250))],
)  # fmt: skip
def test_a_turned_page(turn, expected):
    def rotate(pdf, widget):
        pdf.pages[0].obj.Rotate = turn

    place = placed(rotate)
    assert corners(place) == expected
    assert (place.width, place.height) == ((595, 842) if turn % 180 == 0 else (842, 595))


def test_a_cropped_page_with_inherited_boxes():
    def crop(pdf, widget):
        for page in pdf.pages:
            del page.obj.MediaBox
        pdf.Root.Pages.MediaBox = [0, 0, 700, 900]
        pdf.Root.Pages.CropBox = [50, 100, 650, 850]

    place = placed(crop)
    assert corners(place) == (50, 100, 200, 170)
    assert (place.width, place.height) == (600, 750)


def test_no_box_anywhere_means_letter():
    def bare(pdf, widget):
        for page in pdf.pages:
            del page.obj.MediaBox

    assert (placed(bare).width, placed(bare).height) == (612, 792)


@pytest.mark.parametrize("box", [[0, 0, 0, 0], [1, 2, 3], ["a", 1, 2, 3], None])
def test_what_is_not_seen(box):
    def hide(pdf, widget):
        del widget.Rect
        if box is not None:
            widget.Rect = [pikepdf.String(n) if isinstance(n, str) else n for n in box]

    assert placed(hide) is None
