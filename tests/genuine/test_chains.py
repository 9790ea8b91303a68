"""One program signs what another has signed: neither breaks the other's signature."""

from __future__ import annotations

import io

import pikepdf
import pytest
from cryptography import x509

from signer.trust import TrustStore
from signer.verification.checks import Integrity, Outcome
from signer.verification.verify import Verifier
from tests.fixtures_signed import plain_pdf, seal
from tests.foreign import pyhanko_sign
from tests.increments import Increment
from tests.odd_cms import signer_of
from tests.office_signing import LEADER_BOX, SEAL_BOX, Stroke, sign_visibly
from tests.other_tools import VECTORS, mutool_sign, pdfsig_sign, signature_fields, with_empty_field
from tests.workshop import Workshop

OFFICE = ("libreoffice-signed", "libreoffice-signed-pdfa")


@pytest.fixture(scope="module")
def first(workshop: Workshop, test_pki, signed) -> dict[str, bytes]:
    """Files with one signature (ours with four), by who made them."""
    office, plain = workshop.bases["libreoffice"], workshop.bases["pikepdf"]
    leader = Stroke("S1", signer_of(workshop.key), LEADER_BOX, picture="signature")
    box = ("SHA512withRSA", "der", "visible")
    boxed = workshop.pdfbox_sign([office, plain, workshop.bases["object-streams"]], box)
    empty = with_empty_field(office, "Lanh dao", LEADER_BOX)
    return {
        **{name: (VECTORS / f"{name}.pdf").read_bytes() for name in OFFICE},
        "pdfbox-office": boxed[0],
        "pdfbox": boxed[1],
        "pdfbox-streams": boxed[2],
        "pyhanko-office": pyhanko_sign(office, test_pki.leader, "S1", box=(40, 700, 140, 740)),
        "agency-office": sign_visibly(office, leader),
        "mupdf-office": mutool_sign(empty, workshop.store, signature_fields(empty)[0]),
        "ours": signed["B-B"],
        "ours-archived": signed["B-LTA"],
        "ours-certified": signed["certified"],
        "ours-streams": signed["streams"],
    }


FIRST = (
    *OFFICE, "pdfbox-office", "pdfbox", "pdfbox-streams", "pyhanko-office", "agency-office",
    "mupdf-office", "ours", "ours-archived", "ours-certified", "ours-streams",
)  # fmt: skip


@pytest.fixture(scope="module")
def judge(workshop: Workshop, test_pki) -> Verifier:
    office = x509.load_der_x509_certificate((VECTORS / "libreoffice-root.der").read_bytes())
    return Verifier(TrustStore.of([office, workshop.authority.anchor, *test_pki.anchors]))


@pytest.mark.parametrize("second", ["poppler", "pyhanko", "agency"])
@pytest.mark.parametrize("made_by", FIRST)
def test_a_second_program_signs(workshop, judge, test_pki, first, made_by, second):
    data = first[made_by]
    count = len(judge.verify(data).signatures)
    if second == "poppler":
        data = pdfsig_sign(data, workshop.store)
    elif second == "pyhanko":
        data = pyhanko_sign(data, test_pki.leader, "S9", box=(440, 700, 500, 740))
    else:
        data = sign_visibly(data, Stroke("S8", signer_of(workshop.key), SEAL_BOX, picture="seal"))
    report = judge.verify(data)
    found = [(c.check, c.detail) for c in report.all_checks() if c.integrity is not None]
    assert report.integrity is Integrity.INTACT, found
    assert len(report.signatures) == count + 1
    assert {s.integrity for s in report.signatures} == {Integrity.INTACT}
    assert report.signatures[-1].covers_whole_file


def test_a_field_that_the_form_forgets_is_named(workshop, judge, first):
    """poppler 22.12 does not enter its field into a form that stands in the catalogue itself."""
    data = pdfsig_sign(first["pdfbox"], workshop.store)
    report = judge.verify(data)
    [told] = [c for c in report.all_checks() if c.check == "file.unlisted-field"]
    assert told.outcome is Outcome.WARNING
    last = data.replace(b"/Annots", b"/Annotx")  # on no page: nobody shows it
    assert judge.verify(last).integrity is not Integrity.INTACT
    assert "belongs to no field" in str([c.detail for c in judge.verify(last).all_checks()])


def _content(pdf: bytes, added: bytes) -> bytes:
    """`pdf` with more content on page 1."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        opened.pages[0].contents_add(opened.make_stream(added))
        out = io.BytesIO()
        opened.save(out, deterministic_id=True)
    return out.getvalue()


def _sharing(pdf: bytes) -> bytes:
    """`pdf` with a form whose /DR is the dictionary of the page's resources."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        page = opened.pages[0].obj
        page.Resources.Font = opened.make_indirect(page.Resources.Font)
        page.Resources = opened.make_indirect(page.Resources)
        opened.Root.AcroForm = opened.make_indirect(
            pikepdf.Dictionary(Fields=pikepdf.Array(), DR=page.Resources)
        )
        del page.Annots
        out = io.BytesIO()
        opened.save(out, deterministic_id=True)
    return out.getvalue()


@pytest.mark.parametrize("asked", [b"/popplerfont", b"/poppler#66ont"])
def test_a_font_that_a_page_has_asked_for_already(workshop, judge, test_pki, asked):
    """Drawn with whatever a reader likes when it was signed, and with the new font afterwards."""
    text = b"BT " + asked + b" 14 Tf 72 500 Td (So tien) Tj ET"
    for pdf, expected in (
        (_sharing(plain_pdf()), Integrity.INTACT),
        (_content(_sharing(plain_pdf()), text), Integrity.CHANGED),
    ):
        later = pdfsig_sign(seal(test_pki, pdf, test_pki.seal), workshop.store)
        report = judge.verify(later)
        assert report.signatures[0].integrity is expected, report.signatures[0].changes
    details = [c.detail for c in report.signatures[0].changes if not c.allowed]
    assert any("what a page may ask for" in detail for detail in details)


def test_a_font_that_a_field_has_asked_for_already(workshop, judge, test_pki):
    def with_default(pdf: bytes, font: str) -> bytes:
        with pikepdf.open(io.BytesIO(pdf)) as opened:
            opened.Root.AcroForm.Fields[0].DA = pikepdf.String(f"/{font} 12 Tf 0 g")
            out = io.BytesIO()
            opened.save(out, deterministic_id=True)
        return out.getvalue()

    for font, expected in (("Helv", Integrity.INTACT), ("popplerfont", Integrity.CHANGED)):
        base = seal(test_pki, with_default(plain_pdf(), font), test_pki.seal)
        report = judge.verify(pdfsig_sign(base, workshop.store))
        assert report.signatures[0].integrity is expected


@pytest.mark.parametrize(
    ("name", "expected"), [(b"Helv", Integrity.CHANGED), (b"Stamp", Integrity.INTACT)]
)
def test_a_font_that_readers_fall_back_on(workshop, judge, test_pki, name, expected):
    """The text field of the file names no font: readers would draw it with a new /Helv."""
    base = seal(test_pki, plain_pdf(), test_pki.seal)
    save = Increment(base)
    form = save.indirect(save.root, "/AcroForm")
    font = save.add(b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>")
    added = b" /DR << /Font << /%s %d 0 R >> >> >>" % (name, font)
    save.edit(form, lambda b: b.rstrip()[:-2] + added)
    stroke = Stroke("S3", signer_of(workshop.key), SEAL_BOX, picture="seal")
    report = judge.verify(sign_visibly(save.close(), stroke))
    assert report.signatures[0].integrity is expected, report.signatures[0].changes


def test_other_resources_than_fonts_are_used_without_a_name(workshop, judge, test_pki):
    """A /DefaultRGB under the cover of a second signature gives a page other colours."""
    base = seal(test_pki, _sharing(plain_pdf()), test_pki.seal)
    save = Increment(base)
    with pikepdf.open(io.BytesIO(base)) as opened:
        resources = opened.Root.AcroForm.DR.objgen[0]
    space = save.add(b"[/CalRGB << /WhitePoint [1 1 1] /Gamma [9 9 9] >>]")
    save.edit(resources, lambda b: b[:-2] + b" /ColorSpace << /DefaultRGB %d 0 R >> >>" % space)
    stroke = Stroke("S3", signer_of(workshop.key), SEAL_BOX, picture="seal")
    report = judge.verify(sign_visibly(save.close(), stroke))
    assert report.signatures[0].integrity is Integrity.CHANGED


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        (b"[0 0 595.0000000001 842]", Integrity.INTACT),
        (b"[0 0 595.001 842]", Integrity.CHANGED),
        (b"[0.001 0 595 842]", Integrity.CHANGED),
        (b"[0 0 595]", Integrity.CHANGED),
    ],
)
def test_a_box_written_with_other_decimals(workshop, judge, test_pki, box, expected):
    base = seal(test_pki, plain_pdf(), test_pki.seal)
    save = Increment(base)
    assert b"/MediaBox [ 0 0 595 842 ]" in save.body(save.page())
    save.edit(save.page(), lambda b: b.replace(b"/MediaBox [ 0 0 595 842 ]", b"/MediaBox " + box))
    stroke = Stroke("S3", signer_of(workshop.key), SEAL_BOX, picture="seal")
    report = judge.verify(sign_visibly(save.close(), stroke))
    assert report.signatures[0].integrity is expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (b"<FEFF005100750079>", Integrity.INTACT),
        (b"(Quy)", Integrity.INTACT),
        (b"(Quy )", Integrity.CHANGED),
        (b"<FEFF0051007500790080>", Integrity.CHANGED),
    ],
)
def test_a_title_written_in_another_encoding(workshop, judge, test_pki, title, expected):
    with pikepdf.open(io.BytesIO(plain_pdf())) as opened:
        opened.docinfo["/Title"] = pikepdf.String("Quy")
        out = io.BytesIO()
        opened.save(out, deterministic_id=True)
    save = Increment(seal(test_pki, out.getvalue(), test_pki.seal))
    assert b"(Quy)" in save.body(save.info)
    save.put(save.info, save.body(save.info).replace(b"(Quy)", title))
    stroke = Stroke("S3", signer_of(workshop.key), SEAL_BOX, picture="seal")
    report = judge.verify(sign_visibly(save.close(), stroke))
    assert report.signatures[0].integrity is expected
