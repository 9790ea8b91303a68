"""Which pages a save may alter: the rule must never spare a page that could look otherwise.

Every forgery here is one that a reader could fall for and that the rule must leave to the second
engine: it answers with the page, or with all pages (None).
"""

from __future__ import annotations

import io
import re

import pikepdf
import pytest

from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from signer.verification.file.structure import Document
from signer.verification.shown.dependencies import Dependencies
from tests.fixtures_signed import append, body_of, objects_of, plain_pdf, sealer_of
from tests.sealed import Box, edited, sealer

MARK = b"<< /Marked true "


def altered(pdf: bytes, since: int) -> frozenset[int] | None:
    """The pages that the saves behind the first `since` bytes may have altered."""
    document = Document(pdf)
    signed = document.revision_ending_at(since)
    assert signed is not None
    return Dependencies(document, signed).advance(len(document.revisions) - 1)


@pytest.fixture(scope="module")
def base(signed) -> bytes:
    return signed["B-B"]


def changed(pdf: bytes, number: int) -> bytes:
    """Any dictionary object, with one key more."""
    return append(pdf, {number: MARK + body_of(pdf, number).lstrip()[2:]})


def test_a_save_that_says_nothing_alters_no_page(base):
    number = objects_of(base)["next"]
    assert altered(append(base, {number: b"<< /Type /Whatever >>"}), len(base)) == frozenset()


def test_an_object_that_is_written_again_alters_nothing(base):
    document = Document(base)
    number = objects_of(base)["contents"]
    entry = document.current.entry(number)
    item = document.object_at(document.current, entry, number)
    body = base[item.start : item.end].partition(b"obj\n")[2].rpartition(b"\nendobj")[0]
    assert altered(append(base, {number: body}), len(base)) == frozenset()
    assert altered(append(base, {number: body + b" "}), len(base)) == {0}


@pytest.mark.parametrize("what", ["page", "contents", "annots", "field"])
def test_what_a_page_is_drawn_from_alters_that_page(base, what):
    numbers = objects_of(base)
    body = b"[ ]" if what == "annots" else b"<< /Changed true >>"
    assert altered(append(base, {numbers[what]: body}), len(base)) == {0}


def test_what_two_pages_share_alters_both(base):
    with pikepdf.open(io.BytesIO(base)) as pdf:
        font = pdf.pages[0].obj.Resources.Font.F1.objgen[0]
    assert altered(changed(base, font), len(base)) == {0, 1}


@pytest.mark.parametrize("what", ["pages"])
def test_the_tree_of_pages_alters_all(base, what):
    assert altered(changed(base, objects_of(base)[what]), len(base)) is None


@pytest.mark.parametrize("key", [b"/OCProperties", b"/OpenAction", b"/Names", b"/Lang"])
def test_keys_of_the_catalogue_alter_all(base, key):
    root = objects_of(base)["root"]
    body = body_of(base, root).rstrip()[:-2] + key + b" << /A 1 >> >>"
    assert altered(append(base, {root: body}), len(base)) is None


@pytest.mark.parametrize("key", [b"/DR << >>", b"/NeedAppearances true", b"/XFA (x)", b"/CO []"])
def test_keys_of_the_form_alter_all(base, key):
    form = objects_of(base)["form"]
    body = body_of(base, form).rstrip()[:-2] + key + b" >>"
    assert altered(append(base, {form: body}), len(base)) is None


def test_what_the_catalogue_shows_all_pages_by_alters_all(test_pki):
    """An optional content group that only the catalogue names."""

    def edit(pdf: pikepdf.Pdf) -> None:
        layers = pikepdf.Dictionary(OCGs=pikepdf.Array(), D=pikepdf.Dictionary())
        pdf.Root.OCProperties = pdf.make_indirect(layers)

    pdf, _ = sealer().seal_bytes(edited(plain_pdf(), edit), SealRequest(test_pki.officer))
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        number = opened.Root.OCProperties.objgen[0]
    assert altered(changed(pdf, number), len(pdf)) is None


def test_an_old_object_that_becomes_a_field_alters_all(base):
    numbers = objects_of(base)
    fields = re.sub(
        rb"/Fields \[", b"/Fields [ %d 0 R " % numbers["page"], body_of(base, numbers["form"])
    )
    assert fields != body_of(base, numbers["form"])
    assert altered(append(base, {numbers["form"]: fields}), len(base)) is None


def test_sizes_that_fall_alter_all(base):
    """Readers drop the objects beyond /Size: each of its own accord."""
    number = objects_of(base)["info"]
    whole = append(base, {number: body_of(base, number)})
    assert altered(whole, len(base)) is not None
    small = append(base, {number: body_of(base, number)}, size=number + 1)
    try:
        assert altered(small, len(base)) is None
    except ValueError as refusal:
        assert "Size" in str(refusal)  # noqa: PT017 - refused before the rule is asked


def test_hybrid_sections_alter_all(base):
    number = objects_of(base)["next"]
    hybrid = append(base, {number: b"<< >>"}, trailer=b"/XRefStm 10")
    try:
        assert altered(hybrid, len(base)) is None
    except ValueError:
        return  # refused before the rule is asked


def test_unexplained_bytes_alter_all(base):
    number = objects_of(base)["next"]
    junk = b"4 0 obj\n<< /Length 0 >>\nendobj\n"
    assert altered(append(base, {number: b"<< >>"}, junk=junk), len(base)) is None


def test_another_catalogue_alters_all(base):
    numbers = objects_of(base)
    moved = append(base, {numbers["next"]: body_of(base, numbers["root"])}, root=numbers["next"])
    assert altered(moved, len(base)) is None


# --- fields that draw nothing ------------------------------------------------------------------

BLANK = b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (x) /F 132 /P %d 0 R /Rect [ 0 0 0 0 ] %s >>"


def with_widget(base: bytes, widget: bytes) -> bytes:
    numbers = objects_of(base)
    annots = body_of(base, numbers["annots"]).rstrip()[:-1] + b" %d 0 R ]" % numbers["next"]
    return append(base, {numbers["annots"]: annots, numbers["next"]: widget})


def test_fields_without_extent_alter_nothing(base):
    page = objects_of(base)["page"]
    assert altered(with_widget(base, BLANK % (page, b"")), len(base)) == frozenset()


@pytest.mark.parametrize(
    "widget",
    [
        BLANK.replace(b"0 0 0 0", b"0 0 9 9") % (1, b""),
        BLANK % (1, b"/AP << /N 4 0 R >>"),
        BLANK % (1, b"/MK << /BG [ 1 0 0 ] >>"),
        BLANK.replace(b"/FT /Sig", b"/FT /Tx") % (1, b""),
        BLANK.replace(b"/Widget", b"/FreeText") % (1, b""),
        BLANK.replace(b"[ 0 0 0 0 ]", b"[ 0 0 0 0 9 9 ]") % (1, b""),
        b"[ ]",
    ],
)
def test_fields_that_may_be_drawn_alter_their_page(base, widget):
    assert altered(with_widget(base, widget), len(base)) == {0}


def test_an_old_annotation_that_comes_back_alters_its_page(base):
    numbers = objects_of(base)
    annots = body_of(base, numbers["annots"]).rstrip()[:-1] + b" %d 0 R ]" % numbers["field"]
    assert altered(append(base, {numbers["annots"]: annots}), len(base)) == {0}


def test_an_array_of_annotations_that_plays_another_part_alters_its_page(test_pki):
    """The same array is what a second page is annotated with: a stamp would come up twice."""

    def edit(pdf: pikepdf.Pdf) -> None:
        pdf.pages[1].obj.Annots = pdf.pages[0].obj.Annots

    pdf, _ = sealer().seal_bytes(edited(plain_pdf(), edit), SealRequest(test_pki.officer))
    page = objects_of(pdf)["page"]
    assert altered(with_widget(pdf, BLANK % (page, b"")), len(pdf)) == {0, 1}


# --- going on, save by save --------------------------------------------------------------------


def test_each_save_alters_the_pages_that_it_touches(test_pki):
    """Objects that a save brings are followed too: changed later, they alter their page."""
    first, _ = sealer().seal_bytes(plain_pdf(), SealRequest(test_pki.officer))
    second, _ = sealer().seal_bytes(
        first, SealRequest(test_pki.leader, stamp=Box((20, 20, 90, 60), page_index=1))
    )
    with pikepdf.open(io.BytesIO(second)) as pdf:
        (stamp,) = [a for a in pdf.pages[1].obj.Annots if "/AP" in a]
        face = stamp.AP.N.objgen[0]
    third = append(
        second, {face: b"<< /Subtype /Form /BBox [0 0 9 9] /Length 0 >>\nstream\n\nendstream"}
    )
    document = Document(third)
    pages = Dependencies(document, document.revision_ending_at(len(first)) or 0)
    assert pages.advance(len(document.revisions) - 2) == {1}
    assert pages.advance(len(document.revisions) - 1) == {1}


def test_sixty_signatures_touch_only_their_own_page(test_pki):
    pdf = plain_pdf()
    ends = []
    for number in range(12):
        box = Box((20 + 9 * number, 20, 26 + 9 * number, 60), page_index=number % 2)
        pdf, _ = sealer_of(test_pki).seal_bytes(
            pdf, SealRequest(test_pki.officer, Level.B_B, f"s{number}", stamp=box)
        )
        ends.append(len(pdf))
    document = Document(pdf)
    states = [document.revision_ending_at(end) or 0 for end in ends]
    pages = Dependencies(document, states[0])
    assert [pages.advance(state) for state in states[1:]] == [{n % 2} for n in range(1, 12)]
