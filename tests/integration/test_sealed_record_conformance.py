"""Sealed records stay PDF/A, and the checker sees what does not belong to sealing."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ocr.conformance import check_conformance, require_conformant
from signer.sealing.seal import Sealer, SealRequest
from tests.pdf_surgery import bodies, edited, sewn

Mutation = Callable[[bytes], bytes]


def rules(folder: Path, pdf: bytes) -> set[str]:
    path = folder / "mutant.pdf"
    path.write_bytes(pdf)
    return {finding.rule for finding in check_conformance(path).findings}


def same_length(old: bytes, new: bytes) -> Mutation:
    """Change bytes where no offset moves."""
    assert len(old) == len(new)

    def mutate(pdf: bytes) -> bytes:
        at = pdf.rindex(old)
        return pdf[:at] + new + pdf[at + len(new) :]

    return mutate


def update(objects: dict[int, bytes], extra: bytes = b"") -> Mutation:
    """Append an incremental update."""

    def mutate(pdf: bytes) -> bytes:
        last = pdf.rsplit(b"trailer\n", 1)[1]
        head = re.search(rb"/Root \d+ 0 R", last)[0] + re.search(rb" /Info \d+ 0 R", last)[0]
        head += b" " + re.search(rb"/ID \[.*?\]", last)[0]
        previous = re.search(rb"startxref\n(\d+)", last)[1]
        size = int(re.search(rb"/Size (\d+)", last)[1])
        out, rows = bytearray(pdf), b""
        for number, body in objects.items():
            number = number or size
            size = max(size, number + 1)
            rows += b"%d 1\n%010d 00000 n \n" % (number, len(out))
            out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
        start = len(out)
        out += b"xref\n0 1\n0000000000 65535 f \n" + rows + b"trailer\n<< " + head
        out += b" /Prev " + previous + b" /Size %d >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)
        return bytes(out) + extra

    return mutate


def evidence_not_der(pdf: bytes) -> bytes:
    number = int(re.search(rb"/Certs \[(\d+) 0 R", pdf)[1])
    at = pdf.index(b"stream\n", pdf.rindex(b"\n%d 0 obj\n" % number)) + len(b"stream\n")
    assert pdf[at] == 0x30
    return pdf[:at] + b"\x31" + pdf[at + 1 :]


def byte_range_off(pdf: bytes) -> bytes:
    """The last range ends one byte early."""
    last = list(re.finditer(rb"/ByteRange \[0 \d+ \d+ (\d+)", pdf))[-1]
    end = last.end(1)
    digit = b"1" if pdf[end - 1 : end] == b"0" else b"0"
    return pdf[: end - 1] + digit + pdf[end:]


def gap_differs(pdf: bytes) -> bytes:
    """The gap begins one byte late: a part of /Contents would be signed by itself."""
    last = list(re.finditer(rb"/ByteRange \[0 (\d+) (\d+) (\d+)", pdf))[-1]
    before = int(last[1])
    start, end = last.span(1)
    return pdf[:start] + b"%d" % (before + 1) + pdf[end:]


MUTATIONS: dict[str, tuple[str, Mutation]] = {
    "hidden widget": ("value.integer", same_length(b"/F 132", b"/F 130")),
    "button": ("value.name", same_length(b"/FT /Sig", b"/FT /Btn")),
    "screen annotation": ("value.name", same_length(b"/Subtype /Widget", b"/Subtype /Screen")),
    "no appearance": ("widget.appearance", same_length(b"/AP <<", b"/AX <<")),
    "signature flags": ("value.integer", same_length(b"/SigFlags 3", b"/SigFlags 2")),
    "appearances needed": ("acroform", same_length(b"/SigFlags 3", b"/XXXFlags 3")),
    "old sub-filter": (
        "value.name",
        same_length(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached"),
    ),
    "other handler": ("value.name", same_length(b"/Adobe.PPKLite", b"/Entrust.PPKEF")),
    "undated": ("value.date", same_length(b"/M (D:20", b"/M (X:20")),
    "build properties": ("signature", same_length(b"/Reason <", b"/Propss <")),
    "range too short": ("signature.range", byte_range_off),
    "gap too small": ("signature.range", gap_differs),
    "soft mask of another kind": ("image", same_length(b"/SMask ", b"/SMusk ")),
    "store type": ("value.name", same_length(b"/Type /DSS", b"/Type /DSX")),
    "store key": ("dss", same_length(b"/Certs [", b"/Cerxs [")),
    "evidence key": (
        "value.dictionary",
        lambda pdf: re.sub(rb"/VRI << /[0-9A-F]{4}", rb"/VRI << /abcd", pdf),
    ),
    "evidence is no DER": ("dss", evidence_not_der),
    "widget of no page": (
        "widget",
        lambda pdf: re.sub(
            rb"/P (\d+) 0 R /Rect", lambda m: b"/P " + b"9" * len(m[1]) + b" 0 R /Rect", pdf
        ),
    ),
    "junk after the last revision": ("file.end", lambda pdf: pdf + b"\n"),
    "update with a hidden object": ("object.unused", update({0: b"<< /Type /Sig >>"})),
    "update that replaces the root by nothing": (
        "file.xref",
        lambda pdf: update({0: b"<< >>"})(pdf).replace(b"00000 n \ntrailer", b"00000 f \ntrailer"),
    ),
    "update with another identifier": (
        "file.trailer",
        lambda pdf: _last_identifier(update({0: b"<< >>"})(pdf)),
    ),
}


def _last_identifier(pdf: bytes) -> bytes:
    at = pdf.rindex(b"/ID [<") + len(b"/ID [<")
    return pdf[:at] + (b"0" if pdf[at : at + 1] != b"0" else b"1") + pdf[at + 1 :]


def test_a_sealed_record_has_no_findings(sealed_record):
    report = require_conformant(sealed_record)
    assert report.signatures == 4  # officer, leader, agency, document timestamp
    assert report.revisions == 6  # written, three signatures, evidence, document timestamp


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_found(name, sealed_record, tmp_path):
    rule, mutate = MUTATIONS[name]
    original = sealed_record.read_bytes()
    pdf = mutate(original)
    assert pdf != original
    assert rule in rules(tmp_path, pdf)


# A field with an appearance, not yet signed, sewn into a plain record: its form can be cut.

FORM = (
    b"<< /Type /XObject /Subtype /Form /BBox [0 0 90 30] /Resources << %s >> /Length %d >>\n"
    b"stream\n%s\nendstream"
)
WIDGET = (
    b"<< /Type /Annot /Subtype /Widget /FT /Sig /T (officer) /F 132 /P %d 0 R "
    b"/Rect [10 10 100 40] /AP << /N %d 0 R >> >>"
)


def with_field(pdf: bytes, content: bytes, resources: bytes = b"", widget: bytes = WIDGET) -> bytes:
    objects = bodies(pdf)
    first = min(n for n, body in objects.items() if b"/Type /Page /Parent" in body)
    number = max(objects) + 1
    objects[number] = FORM % (resources, len(content), content)
    objects[number + 1] = widget % (first, number)
    objects[first] = objects[first][:-2] + b"/Annots [%d 0 R] >>" % (number + 1)
    grown = sewn(pdf, objects)
    form = b"/AcroForm << /Fields [%d 0 R] /SigFlags 3 >> >>" % (number + 1)
    return edited(grown, b"/Type /Catalog", lambda head: head[:-2] + form)


def test_an_empty_field_is_fine(record, tmp_path):
    assert rules(tmp_path, with_field(record.read_bytes(), b"q Q")) == set()


@pytest.mark.parametrize(
    ("rule", "content", "resources"),
    [
        ("content.operator", b"0 0 9 9 re S", b""),
        ("content.operator", b"BT 3 Tr ET", b""),
        ("content.resource", b"/Fm0 Do", b""),
        ("content.font", b"BT 1 0 0 1 0 0 Tm <0001> Tj ET", b""),
        ("content.operand", b"BT 1 0 0 1 0 0 Tm <01> Tj ET", b""),
        ("content.operand", b"q 1 0 0 1 0 cm Q", b""),
        ("form.resources", b"q Q", b"/ExtGState << /G0 << /ca 0.5 >> >>"),
        ("value.reference", b"q Q", b"/Font << /F0 << /Type /Font >> >>"),
        ("content.unused", b"q Q", b"/XObject << /Im0 2 0 R >>"),
        ("value.dictionary", b"q Q", b"/XObject << >>"),
        ("object.missing", b"/Im0 Do", b"/XObject << /Im0 999 0 R >>"),
        ("value.stream", b"/Im0 Do", b"/XObject << /Im0 1 0 R >>"),
    ],
)
def test_a_form_holds_what_stamps_hold(rule, content, resources, record, tmp_path):
    assert rule in rules(tmp_path, with_field(record.read_bytes(), content, resources))


@pytest.mark.parametrize(
    ("rule", "old", "new"),
    [
        ("widget.rectangle", b"[10 10 100 40]", b"[100 10 10 40]"),
        ("widget.appearance", b"/AP << /N %d 0 R >>", b""),
        ("widget.appearance", b"/N %d 0 R", b"/N %d 0 R /D 2 0 R"),
        ("widget", b"/F 132", b"/F 132 /A << /S /URI >>"),
        ("widget", b"/F 132", b"/F 132 /AA << >>"),
        ("widget.lock", b"/F 132", b"/F 132 /Lock << /Type /SigFieldLock /Action /All /X 1 >>"),
        ("value.text", b"(officer)", b"(\\377)"),
    ],
)
def test_a_widget_holds_what_ours_hold(rule, old, new, record, tmp_path):
    widget = WIDGET.replace(old, new)
    if b"/AP" not in widget:
        widget = widget.replace(b">>", b"/Lock %d 0 R >>")  # keep two numbers to fill in
    assert rule in rules(tmp_path, with_field(record.read_bytes(), b"q Q", widget=widget))


def test_a_locked_field_is_fine(record, tmp_path):
    lock = b"/F 132 /Lock << /Type /SigFieldLock /Action /Include /Fields [(a)] /P 2 >>"
    widget = WIDGET.replace(b"/F 132", lock)
    assert rules(tmp_path, with_field(record.read_bytes(), b"q Q", widget=widget)) == set()


def test_permissions_name_a_signature_of_a_field(record, tmp_path):
    pdf = edited(
        record.read_bytes(),
        b"/Type /Catalog",
        lambda head: head[:-2] + b"/Perms << /DocMDP 2 0 R >> >>",
    )
    assert "permissions" in rules(tmp_path, pdf)
    direct = edited(
        record.read_bytes(),
        b"/Type /Catalog",
        lambda head: head[:-2] + b"/Perms << /DocMDP << >> >> >>",
    )
    assert "permissions" in rules(tmp_path, direct)


def test_a_certified_record_has_no_findings(record, test_pki, tmp_path):
    target = tmp_path / "certified.pdf"
    sealer = Sealer(precheck=lambda key, at: None)
    sealer.seal_file(record, target, SealRequest(test_pki.officer, certify=True, location="Hà Nội"))
    assert require_conformant(target).signatures == 1
    pdf = target.read_bytes()
    spoiled = same_length(b"/TransformMethod /DocMDP", b"/TransformMethod /UR3   ")(pdf)
    assert "value.name" in rules(tmp_path, spoiled)
    digest = same_length(b"/V /1.2", b"/D /1.2")(pdf)
    assert "signature.reference" in rules(tmp_path, digest)


def test_a_lock_refers_to_the_catalog(record, test_pki, tmp_path):
    lock = b"/F 132 /Lock << /Type /SigFieldLock /Action /Include /Fields [(a)] >>"
    source, target = tmp_path / "locked.pdf", tmp_path / "signed.pdf"
    widget = WIDGET.replace(b"/F 132", lock).replace(b"[10 10 100 40]", b"[0 0 0 0]")
    source.write_bytes(with_field(record.read_bytes(), b"q Q", widget=widget))
    sealer = Sealer(precheck=lambda key, at: None)
    sealer.seal_file(source, target, SealRequest(test_pki.officer, field_name="officer"))
    require_conformant(target)
    pdf = target.read_bytes()
    spoiled = re.sub(
        rb"/Data (\d+) 0 R", lambda m: b"/Data " + b"2".ljust(len(m[1]), b"0") + b" 0 R", pdf
    )
    assert "signature.reference" in rules(tmp_path, spoiled)
