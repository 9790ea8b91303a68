"""The second engine alone: the verifier's own search for changes is blind in these tests.

What PDFium draws decides. Each attack is found, and found at its place; what no reader shows
otherwise is not.
"""

from __future__ import annotations

import io
import re

import numpy as np
import pikepdf
import pytest

from signer.errors import EngineRefused
from signer.pdfium import PDFiumDocument, PDFiumPage, opened
from signer.sealing.seal import SealRequest
from signer.verification.changes import after as changes_after
from signer.verification.report import Indication, Integrity
from signer.verification.shown import rendering
from signer.verification.shown.opinion import Engines
from tests.fixtures_signed import append, body_of, objects_of, plain_pdf, seal
from tests.sealed import Box, edited, sealer

AMOUNT = b"BT /F1 14 Tf 72 700 Td (Quyet dinh trang 1: so tien 9.000.000) Tj ET"


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier finds no change, whatever was changed."""
    monkeypatch.setattr(changes_after.Changes, "_step", lambda self, revision: ())


def disagreement(verifier, pdf: bytes, page: int, what: str = "picture"):
    """The regions of the difference on `page`; everything else is as it must be."""
    report = verifier.verify(pdf)
    assert report.engines is Engines.DISAGREE
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.CHANGED
    assert any(
        c.check == "shown.revisions" and f"page {page}" in c.detail
        for s in report.signatures for c in s.checks
    )  # fmt: skip
    found = [d for d in report.shown.differences if d.page == page and d.what == what]
    assert found, report.shown
    return found[0].regions


@pytest.mark.parametrize("name", ["B-B", "B-LTA", "certified", "streams"])
def test_genuine_files_agree_and_nothing_is_drawn_where_nothing_is_shown(verifier, signed, name):
    """Validation data, document timestamps, and signatures that nobody sees."""
    report = verifier.verify(signed[name])
    assert report.engines is Engines.AGREE
    assert report.shown.differences == ()
    assert report.shown.pages_drawn == 0


def test_files_without_signatures_are_not_compared(verifier):
    report = verifier.verify(plain_pdf())
    assert report.engines is Engines.NOT_COMPARED
    assert report.to_json()["engines"] == "NOT_COMPARED"


@pytest.mark.parametrize("name", ["B-B", "B-LTA", "streams"])
def test_replaced_contents_are_seen_at_their_place(blind, verifier, signed, name):
    numbers = objects_of(signed[name])
    forged = append(signed[name], {numbers["contents"]: stream(AMOUNT)})
    region = disagreement(verifier, forged, 1)[0]
    assert region.top < 1000 * (842 - 705) / 842 < region.bottom
    assert region.bottom - region.top < 60
    (words,) = disagreement(verifier, forged, 1, "text")
    assert words.left > 300  # the first words are the same


def test_a_difference_is_told_in_json(blind, verifier, signed):
    numbers = objects_of(signed["B-B"])
    forged = append(signed["B-B"], {numbers["contents"]: stream(AMOUNT)})
    said = verifier.verify(forged).to_json()
    assert said["engines"] == "DISAGREE"
    first = said["shown"]["differences"][0]
    assert (first["page"], first["signed_revision"], first["shown_revision"]) == (1, 2, 3)
    assert all(0 <= n <= 1000 for region in first["regions"] for n in region)


def test_a_new_annotation_is_seen(blind, verifier, signed):
    pdf = signed["B-LTA"]
    numbers = objects_of(pdf)
    look = numbers["next"] + 1
    note = (
        b"<< /Type /Annot /Subtype /Stamp /F 4 /Rect [60 380 400 420] /AP << /N %d 0 R >> >>" % look
    )
    face = stream(b"1 0 0 rg 0 0 340 40 re f", b"/Subtype /Form /BBox [0 0 340 40]")
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        known = b" ".join(b"%d 0 R" % a.objgen[0] for a in opened.pages[0].obj.Annots)
    forged = append(
        pdf,
        {
            numbers["next"]: note,
            look: face,
            numbers["annots"]: b"[ %s %d 0 R ]" % (known, numbers["next"]),
        },
    )
    (region,) = disagreement(verifier, forged, 1)
    assert (region.left, region.right) == (pytest.approx(100, abs=25), pytest.approx(672, abs=25))


def test_pages_that_changed_places_are_seen(blind, verifier, signed):
    pdf = signed["B-B"]
    numbers = objects_of(pdf)
    pages = body_of(pdf, numbers["pages"])
    turned = re.sub(rb"/Kids \[ (\d+ 0 R) (\d+ 0 R) \]", rb"/Kids [ \2 \1 ]", pages)
    assert turned != pages
    disagreement(verifier, append(pdf, {numbers["pages"]: turned}), 2)


def test_a_page_that_was_removed_is_seen(blind, verifier, signed):
    pdf = signed["B-B"]
    numbers = objects_of(pdf)
    pages = body_of(pdf, numbers["pages"])
    fewer = re.sub(rb"/Kids \[ (\d+ 0 R) \d+ 0 R \]", rb"/Kids [ \1 ]", pages)
    fewer = fewer.replace(b"/Count 2", b"/Count 1")
    disagreement(verifier, append(pdf, {numbers["pages"]: fewer}), 2)


def test_a_page_that_was_cropped_is_seen(blind, verifier, signed):
    pdf = signed["B-B"]
    numbers = objects_of(pdf)
    page = body_of(pdf, numbers["page"])
    cropped = page.replace(b"/MediaBox", b"/CropBox [ 0 0 595 600 ] /MediaBox")
    disagreement(verifier, append(pdf, {numbers["page"]: cropped}), 1)


def test_a_font_that_was_replaced_is_seen(blind, verifier, signed):
    """Content masking: the same codes, other letters; on every page that uses the font."""
    pdf = signed["B-B"]
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        font = opened.pages[1].obj.Resources.Font.F1.objgen[0]
    other = b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier-Bold >>"
    forged = append(pdf, {font: other})
    disagreement(verifier, forged, 1)
    disagreement(verifier, forged, 2)


def layered(pki) -> tuple[bytes, int]:
    """A signed page with a layer that is off, and the number of what says so."""

    def edit(pdf: pikepdf.Pdf) -> None:
        group = pdf.make_indirect(
            pikepdf.Dictionary(Type=pikepdf.Name.OCG, Name=pikepdf.String("x"))
        )
        pdf.pages[1].obj.Resources.Properties = pikepdf.Dictionary(L=group)
        hidden = b"/OC /L BDC BT /F1 20 Tf 72 300 Td (them 900 trieu) Tj ET EMC "
        pdf.pages[1].obj.Contents = pdf.make_stream(hidden)
        pdf.Root.OCProperties = pdf.make_indirect(
            pikepdf.Dictionary(
                OCGs=pikepdf.Array([group]), D=pikepdf.Dictionary(OFF=pikepdf.Array([group]))
            )
        )

    pdf = seal(pki, edited(plain_pdf(), edit), pki.officer)
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        return pdf, opened.Root.OCProperties.objgen[0]


def test_a_hidden_layer_that_is_switched_on_is_seen(blind, verifier, test_pki):
    """Shadow attack, hide: the layer was signed, but nobody saw it."""
    pdf, number = layered(test_pki)
    assert verifier.verify(pdf).engines is Engines.AGREE
    shown = re.sub(rb"/OFF \[[^]]*\]", b"/OFF [ ]", body_of(pdf, number))
    (region, *_) = disagreement(verifier, append(pdf, {number: shown}), 2)
    assert region.top > 600


def test_a_form_value_with_a_face_is_seen(blind, verifier, signed):
    pdf = signed["B-B"]
    numbers = objects_of(pdf)
    face = stream(
        b"BT /F1 12 Tf 2 4 Td (9000000) Tj ET",
        b"/Subtype /Form /BBox [0 0 128 20] "
        b"/Resources << /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>",
    )
    field = body_of(pdf, numbers["field"])
    filled = field.rstrip()[:-2] + b" /AP << /N %d 0 R >> >>" % numbers["next"]
    forged = append(pdf, {numbers["field"]: filled, numbers["next"]: face})
    (region,) = disagreement(verifier, forged, 1)
    assert 250 < region.top < 310


def test_later_signatures_may_draw_in_their_own_widgets_only(verifier, test_pki, blind):
    plain = sealer()
    pdf, _ = plain.seal_bytes(
        plain_pdf(), SealRequest(test_pki.officer, stamp=Box((20, 20, 90, 60)))
    )
    twice, _ = plain.seal_bytes(pdf, SealRequest(test_pki.leader, stamp=Box((200, 20, 290, 60))))
    report = verifier.verify(twice)
    assert report.engines is Engines.AGREE
    assert report.shown.pages_drawn == 2  # one page, at both signatures
    assert report.integrity is Integrity.INTACT


def test_a_signature_that_draws_over_another_page_is_seen(verifier, test_pki, blind):
    """Its widget stands in the annotations of two pages, and on one of them twice as large."""
    plain = sealer()
    pdf, _ = plain.seal_bytes(plain_pdf(), SealRequest(test_pki.officer))
    twice, _ = plain.seal_bytes(pdf, SealRequest(test_pki.leader, stamp=Box((200, 20, 290, 60))))
    with pikepdf.open(io.BytesIO(twice)) as opened:
        (widget,) = [a for a in opened.pages[0].obj.Annots if "/AP" in a]
        number, page = widget.objgen[0], opened.pages[1].obj.objgen[0]
    other = body_of(twice, page).rstrip()[:-2] + b" /Annots [ %d 0 R ] >>" % number
    disagreement(verifier, append(twice, {page: other}), 2)


def test_what_costs_too_much_to_draw_never_passes(blind, verifier, signed, monkeypatch):
    monkeypatch.setattr(rendering, "MAX_SECONDS", -1.0)
    numbers = objects_of(signed["B-LTA"])
    report = verifier.verify(append(signed["B-LTA"], {numbers["contents"]: stream(AMOUNT)}))
    assert report.engines is Engines.NOT_COMPARED
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.UNKNOWN
    assert verifier.verify(signed["B-B"]).engines is Engines.AGREE  # nothing had to be drawn


def test_images_that_unpack_to_gigabytes_are_not_drawn(blind, verifier, signed):
    pdf = signed["B-B"]
    numbers = objects_of(pdf)
    image = stream(
        b"x",
        b"/Subtype /Image /Width 60000 /Height 60000 /BitsPerComponent 8 "
        b"/ColorSpace /DeviceGray /Type /XObject",
    )
    page = body_of(pdf, numbers["page"])
    drawn = re.sub(
        rb"/Resources <<", b"/Resources << /XObject << /I %d 0 R >>" % numbers["next"], page
    )
    assert drawn != page
    forged = append(
        pdf,
        {
            numbers["page"]: drawn,
            numbers["next"]: image,
            numbers["contents"]: stream(b"q 595 0 0 842 0 0 cm /I Do Q"),
        },
    )
    report = verifier.verify(forged)
    assert report.engines is Engines.DISAGREE
    assert report.indication is not Indication.TOTAL_PASSED
    assert any("pixels" in check.detail for check in report.checks)


# --- one revision, two engines: PDFium's half is made to see something else ---------------------


def refuse(*_: object) -> None:
    raise EngineRefused("PDFium không mở được tệp. / PDFium cannot open the file.")


SEEN_OTHERWISE = {
    "more pages": ("page_count", property(lambda self: 3), "counts 3 pages, not 2"),
    "larger pages": ("page_size", lambda self, index: (842.0, 1191.0), "842.0 × 1191.0"),
    "no signatures": ("byte_ranges", lambda self: [], "does not see the signature"),
    "other signatures": ("byte_ranges", lambda self: [(0, 1, 2, 3)], "that is not there"),
    "nothing": ("__init__", refuse, "cannot open the file"),
}


@pytest.mark.parametrize(("name", "seen", "said"), SEEN_OTHERWISE.values(), ids=SEEN_OTHERWISE)
def test_engines_that_disagree_are_a_verdict_of_their_own(
    verifier, signed, monkeypatch, name, seen, said
):
    monkeypatch.setattr(PDFiumDocument, name, seen)
    report = verifier.verify(signed["B-LTA"])
    assert report.engines is Engines.DISAGREE
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.UNKNOWN
    assert any(c.check == "shown.engines" and said in c.detail for c in report.checks)


def test_a_count_that_lies_is_a_disagreement(verifier, test_pki):
    """Readers that believe /Count show pages that are not there, or hide some."""

    def edit(pdf: pikepdf.Pdf) -> None:
        pdf.Root.Pages.Count = 7

    lying = edited(plain_pdf(), edit)
    with pikepdf.open(io.BytesIO(lying)) as pdf:
        if pdf.Root.Pages.Count != 7:
            lying = lying.replace(b"/Count 2", b"/Count 7")
    pdf, _ = sealer().seal_bytes(lying, SealRequest(test_pki.officer))
    report = verifier.verify(pdf)
    assert report.engines is not Engines.AGREE
    assert report.indication is not Indication.TOTAL_PASSED


def test_contents_are_drawn_once_where_only_annotations_differ(verifier, test_pki, monkeypatch):
    """A scan is decoded once, however many sign; the pictures are as if each were drawn whole."""
    pdf = plain_pdf()
    for number in range(3):
        box = Box((20 + 90 * number, 20, 90 + 90 * number, 60))
        pdf, _ = sealer().seal_bytes(pdf, SealRequest(test_pki.officer, stamp=box))
    drawn: list[str] = []
    for name in ("picture", "contents"):
        real = getattr(PDFiumPage, name)
        monkeypatch.setattr(
            PDFiumPage,
            name,
            lambda self, size, name=name, real=real: drawn.append(name) or real(self, size),
        )
    assert verifier.verify(pdf).engines is Engines.AGREE
    assert drawn == ["contents"]
    with opened(pdf) as document:
        with document.page(0) as page:
            size = page.size_px(1.0, 4_000_000)
            whole, contents = page.picture(size), page.contents(size)
        with document.page(0) as bare:
            assert np.array_equal(bare.over(contents), whole)
    assert not np.array_equal(contents, whole)
