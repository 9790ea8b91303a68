"""Forged files, each class of attack by name: none is accepted, and the finding names it."""

from __future__ import annotations

import io
import re

import pikepdf
import pytest

from signer.sealing.levels import Level
from signer.verification.report import Indication, Integrity
from tests.cms_surgery import replace_token, token_of
from tests.fixtures_signed import append, body_of, objects_of, plain_pdf, seal

TEXT = b"BT /F1 14 Tf 72 700 Td (so tien 9.000.000) Tj ET"
FORGED_TEXT = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(TEXT), TEXT)


def rejected(verifier, data, integrity, *words):
    report = verifier.verify(data)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is integrity
    said = " ".join(f"{c.check} {c.detail}" for c in report.all_checks())
    for word in words:
        assert word in said
    return report


def changed(verifier, data, kind):
    report = rejected(verifier, data, Integrity.CHANGED)
    kinds = {c.kind for s in report.signatures for c in s.changes if not c.allowed}
    assert kind in kinds, kinds
    return report


@pytest.fixture(params=["B-B", "B-LTA", "streams", "certified"])
def victim(request, signed):
    return signed[request.param]


def test_replaced_page_content(verifier, victim):
    numbers = objects_of(victim)
    changed(verifier, append(victim, {numbers["contents"]: FORGED_TEXT}), "page")


def test_replaced_page(verifier, victim):
    numbers = objects_of(victim)
    new = numbers["next"]
    page = re.sub(
        rb"/Contents \d+ 0 R", b"/Contents %d 0 R" % new, body_of(victim, numbers["page"])
    )
    changed(verifier, append(victim, {numbers["page"]: page, new: FORGED_TEXT}), "page")


def test_replaced_page_tree(verifier, victim):
    numbers = objects_of(victim)
    pages = body_of(victim, numbers["pages"])
    kids = re.sub(rb"/Kids \[ (\d+ 0 R) \d+ 0 R \]", rb"/Kids [ \1 \1 ]", pages)
    assert kids != pages
    changed(verifier, append(victim, {numbers["pages"]: kids}), "page")


def test_another_catalogue(verifier, victim):
    new = objects_of(victim)["next"]
    root = body_of(victim, objects_of(victim)["root"])
    changed(verifier, append(victim, {new: root}, root=new), "catalogue")


def test_shadow_form_value(verifier, victim):
    numbers = objects_of(victim)
    field = body_of(victim, numbers["field"])
    forged = field.replace(b"(1000000)", b"(9000000)")
    assert forged != field
    changed(verifier, append(victim, {numbers["field"]: forged}), "form-value")


def test_hidden_then_shown_appearance(verifier, victim):
    numbers = objects_of(victim)
    field = body_of(victim, numbers["field"]).replace(b"<<", b"<< /F 4", 1)
    changed(verifier, append(victim, {numbers["field"]: field}), "annotation")


def test_evil_annotation(verifier, victim):
    numbers = objects_of(victim)
    new = numbers["next"]
    note = b"<< /Type /Annot /Subtype /FreeText /Rect [60 680 400 720] /Contents (9.000.000) >>"
    annots = b"[ %d 0 R %d 0 R ]" % (numbers["field"], new)
    with pikepdf.open(io.BytesIO(victim)) as pdf:
        annots = b"[ %s %d 0 R ]" % (
            b" ".join(b"%d 0 R" % a.objgen[0] for a in pdf.pages[0].obj.Annots), new,
        )  # fmt: skip
    changed(verifier, append(victim, {new: note, numbers["annots"]: annots}), "annotation")


def test_annotation_inside_the_page_object(verifier, victim):
    numbers = objects_of(victim)
    page = body_of(victim, numbers["page"])
    inline = re.sub(
        rb"/Annots \d+ 0 R", b"/Annots [ %d 0 R << /Subtype /Stamp >> ]" % numbers["field"], page
    )
    assert inline != page
    changed(verifier, append(victim, {numbers["page"]: inline}), "annotation")


def test_altered_metadata(verifier, victim):
    numbers = objects_of(victim)
    xmp = b"<x/>"
    stream = b"<< /Type /Metadata /Subtype /XML /Length 4 >>\nstream\n%s\nendstream" % xmp
    changed(verifier, append(victim, {numbers["metadata"]: stream}), "metadata")


def test_altered_title(verifier, victim):
    numbers = objects_of(victim)
    changed(verifier, append(victim, {numbers["info"]: b"<< /Title (Khac) >>"}), "metadata")


def test_attachment_added(verifier, victim):
    numbers = objects_of(victim)
    new = numbers["next"]
    root = body_of(victim, numbers["root"]).replace(
        b"<<", b"<< /Names << /EmbeddedFiles << /Names [ (a) %d 0 R ] >> >>" % new, 1
    )
    spec = b"<< /Type /Filespec /F (a) /EF << >> >>"
    changed(verifier, append(victim, {numbers["root"]: root, new: spec}), "attachment")


@pytest.mark.parametrize("entry", [b"/OpenAction << /S /JavaScript >>", b"/AA << >>"])
def test_action_added(verifier, victim, entry):
    numbers = objects_of(victim)
    root = body_of(victim, numbers["root"]).replace(b"<<", b"<< " + entry, 1)
    changed(verifier, append(victim, {numbers["root"]: root}), "catalogue")


def test_orphan_object(verifier, victim):
    new = objects_of(victim)["next"]
    changed(verifier, append(victim, {new: b"<< /Type /Font >>"}), "page")


def test_object_hidden_from_the_cross_reference(verifier, victim):
    hidden = b"%d 0 obj\n<< >>\nendobj\n" % objects_of(victim)["contents"]
    new = append(victim, {objects_of(victim)["info"]: b"<< /ModDate (D:2026) >>"}, junk=hidden)
    changed(verifier, new, "hidden-bytes")


def test_object_removed(verifier, victim):
    base = append(victim, {objects_of(victim)["next"]: b"null"})
    freed = base.replace(
        b"xref\n%d 1\n" % objects_of(victim)["next"],
        b"xref\n%d 1\n" % objects_of(victim)["contents"],
    )
    start = freed.rindex(b"xref\n%d 1\n" % objects_of(victim)["contents"])
    freed = freed[:start] + re.sub(rb"\d{10} 00000 n", b"0000000000 65535 f", freed[start:])
    report = verifier.verify(freed)
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity is Integrity.CHANGED


def test_signature_field_emptied(verifier, victim):
    with pikepdf.open(io.BytesIO(victim)) as pdf:
        field = next(f for f in pdf.Root.AcroForm.Fields if f.get("/FT") == "/Sig")
        number, body = field.objgen[0], field.unparse(resolved=True)
    emptied = re.sub(rb"/V \d+ 0 R", b"", body)
    report = verifier.verify(append(victim, {number: emptied}))
    assert report.indication is Indication.TOTAL_FAILED
    assert report.integrity in (Integrity.MALFORMED, Integrity.CHANGED)


def test_fields_removed(verifier, signed):
    victim = signed["B-LTA"]
    numbers = objects_of(victim)
    form = body_of(victim, numbers["form"])
    forged = re.sub(rb"/Fields \[[^\]]*\]", b"/Fields [ ]", form)
    assert forged != form
    rejected(verifier, append(victim, {numbers["form"]: forged}), Integrity.MALFORMED, "stray")


def test_xfa_added(verifier, victim):
    numbers = objects_of(victim)
    form = body_of(victim, numbers["form"]).replace(b"<<", b"<< /XFA (x) /NeedAppearances true", 1)
    changed(verifier, append(victim, {numbers["form"]: form}), "form")


def test_universal_forgery_variants(verifier, signed):
    """USF: a signature dictionary whose ByteRange or Contents says nothing."""
    data = signed["B-B"]
    found = re.search(rb"/ByteRange ?\[[^\]]*\]", data)
    for text in (
        b"/ByteRange []", b"/ByteRange [0 0 0 0]", b"/ByteRange [null null]", b"/ByteRange null",
        b"/ByteRange [0 -1 5 5]", b"/ByteRange [-1 9 5 5]", b"/ByteRange [0 1.5 5 5]",
        b"/ByteRange [0 9 5 5 5 5]", b"/ByteRange [1 9 5 5]", b"/ByteRange (x)",
    ):  # fmt: skip
        forged = data[: found.start()] + text.ljust(len(found[0])) + data[found.end() :]
        rejected(verifier, forged, Integrity.MALFORMED)
    found = re.search(rb"/Contents <[0-9a-f]+>", data)
    for text in (b"/Contents null", b"/Contents ()", b"/Contents <>", b"", b"/Contents 7 0 R"):
        forged = data[: found.start()] + text.ljust(len(found[0])) + data[found.end() :]
        rejected(verifier, forged, Integrity.MALFORMED)


def numbers_of(data):
    found = re.search(rb"/ByteRange ?\[ ?(\d+) (\d+) (\d+) (\d+)", data)
    return found, [int(n) for n in found.groups()]


def with_range(data, *numbers):
    found = re.search(rb"/ByteRange ?\[[^\]]*\] *", data)
    text = b"/ByteRange [%d %d %d %d]" % numbers
    return data[: found.start()] + text.ljust(len(found[0])) + data[found.end() :]


def test_wrapping_variants(verifier, signed):
    """SWA: the gap is larger, smaller or elsewhere; the end is not the end of a revision."""
    data = signed["B-B"]
    _, (a, b, c, d) = numbers_of(data)
    for numbers in (
        (a, b - 1, c, d), (a, b, c + 1, d - 1), (a, b + 1, c, d), (a, b, c - 1, d + 1),
        (a, b, c, d - 7), (a, b, c, d + 1), (a, c, b, d), (a, b, b, d), (a, b - 30, c - 30, d),
    ):  # fmt: skip
        rejected(verifier, with_range(data, *numbers), Integrity.MALFORMED, "byterange")


def test_wrapped_content_behind_the_signature(verifier, signed):
    """SWA by moving the covered tail away and putting content of one's own into the gap."""
    data = signed["B-B"]
    _, (a, b, c, d) = numbers_of(data)
    tail = data[c:]
    start = int(re.findall(rb"startxref\s+(\d+)", data)[-1])
    xref = data[start : data.rindex(b"startxref")]
    evil = b"\n9 0 obj\n<< >>\nendobj\n"
    moved = data[:c] + evil + tail
    rejected(verifier, with_range(moved, a, b, c + len(evil), d), Integrity.MALFORMED)
    own_end = data[: c + data[c:].index(b"endobj") + 7]
    own = own_end + evil + xref + b"startxref\n%d\n%%%%EOF\n" % (len(own_end) + len(evil))
    rejected(verifier, with_range(own + tail, a, b, len(own), d), Integrity.MALFORMED)


def test_truncation_to_an_older_revision_stays_honest(verifier, signed):
    """Cutting the last timestamp off gives the older file, judged by what is left."""
    data = signed["B-LTA"]
    ends = [m.end() for m in re.finditer(rb"%%EOF\r?\n?", data)]
    report = verifier.verify(data[: ends[-2]])
    assert report.integrity is Integrity.INTACT
    assert not report.document_timestamps
    assert {s.level for s in report.signatures} <= {"B-B", "B-T", "B-LT"}


def test_signature_copied_into_another_file(verifier, signed, test_pki):
    """A signature dictionary of one document in another: its digest is of other bytes."""
    other = seal(test_pki, plain_pdf(amount="9.000.000"), test_pki.seal)
    mine = re.search(rb"/Contents <([0-9a-fA-F]+)>", signed["B-B"])
    theirs = re.search(rb"/Contents <([0-9a-fA-F]+)>", other)
    assert len(mine[1]) == len(theirs[1])
    forged = other[: theirs.start(1)] + mine[1] + other[theirs.end(1) :]
    rejected(verifier, forged, Integrity.BROKEN, "signature.digest")


def test_timestamp_replayed_from_another_signature(verifier, signed, test_pki):
    """The token of one signature in another: found, and the whole document is BROKEN."""
    other = seal(test_pki, plain_pdf(), test_pki.seal, Level.B_T)
    forged = replace_token(signed["B-T"], token_of(other))
    rejected(verifier, forged, Integrity.BROKEN, "timestamp.imprint")


def test_document_timestamp_is_never_a_signature(verifier, signed):
    """A timestamp typed /Sig stays a timestamp; alone it leaves the file unsigned."""
    report = verifier.verify(signed["B-LTA"])
    assert [t.field_name for t in report.document_timestamps] == ["Timestamp1"]
    assert all(s.sub_filter != "ETSI.RFC3161" for s in report.signatures)


def test_later_signature_and_its_appearance_are_allowed(verifier, sealed_record):
    report = verifier.verify(sealed_record)
    assert report.indication is Indication.TOTAL_PASSED
    first = report.signatures[0]
    assert [c.kind for c in first.changes] == [
        "signature", "signature", "dss", "document-timestamp",
    ]  # fmt: skip


def test_encrypted_file(verifier, tmp_path):
    with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
        pdf.save(tmp_path / "e.pdf", encryption=pikepdf.Encryption(owner="o", user=""))
    report = verifier.verify(tmp_path / "e.pdf")
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.MALFORMED


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"%PDF-1.7", b"%PDF-1.7\nstartxref\n0\n%%EOF", b"\0" * 5000, b"PK\x03\x04" * 99],
)
def test_garbage(verifier, data):
    rejected(verifier, data, Integrity.MALFORMED, "file.structure")


def test_every_truncation_is_rejected(informed_verifier, signed):
    data = signed["B-T"]
    for length in range(0, len(data) - 1, 211):
        report = informed_verifier.verify(data[:length])
        assert report.indication is not Indication.TOTAL_PASSED


def test_unsigned(verifier):
    report = verifier.verify(plain_pdf())
    assert report.indication is Indication.INDETERMINATE
    assert report.integrity is Integrity.NONE
    assert report.sub_indication is None
    assert report.signatures == ()
