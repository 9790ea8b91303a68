"""The strict reader: what it reads, what it refuses, and that nothing makes it run away."""

from __future__ import annotations

import io
import zlib

import pikepdf
import pytest

from signer.verification.file.pdf_objects import (
    Dictionary,
    Name,
    PDFString,
    PDFSyntaxError,
    Ref,
    Stream,
    parse_indirect,
    parse_value,
)
from signer.verification.file.structure import Document, text
from signer.verification.file.xref import decode_stream, read_revisions
from signer.verification.report import Indication, Integrity
from signer.verification.summary import pdf_date
from tests.fixtures_signed import append, objects_of, plain_pdf, seal


def stream(raw, **entries):
    dictionary = Dictionary()
    dictionary.update(entries)
    return Stream(dictionary, raw)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (b"12", 12),
        (b" -7 ", -7),
        (b"+0.5", 0.5),
        (b".5", 0.5),
        (b"4.", 4.0),
        (b"true", True),
        (b"false", False),
        (b"null", None),
        (b"/Na#20me", Name("Na me")),
        (b"3 0 R", Ref(3, 0)),
        (b"[1 2 0 R (a)]", [1, Ref(2, 0), PDFString(b"a")]),
        (b"<48 65 6c6>", PDFString(b"Hel`")),
        (b"(a\\(b\\)(c)\\n\\101\\7\\\r\nd\\q)", PDFString(b"a(b)(c)\nA\x07dq")),
        (b"% comment\n5", 5),
        (b"<< /A << /B [ ] >> >>", {"A": {"B": []}}),
    ],
)
def test_values(source, value):
    assert parse_value(source, 0)[0] == value


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"(open",
        b"<4x>",
        b"<4",
        b"[1 2",
        b"<< /A 1",
        b"<< 1 2 >>",
        b"<< /A 1 /A 2 >>",
        b"<< /A >>",
        b"truely",
        b"1e5",
        b"\x00 1",
        b"[" * 100,
        b"<</A" * 100,
        b")",
        b"R",
    ],
)
def test_refused(source):
    with pytest.raises(PDFSyntaxError):
        parse_value(source, 0)


def test_spans_point_at_the_values():
    data = b"xx<< /A (abc) /B <61> >>"
    value, end = parse_value(data, 2)
    assert end == len(data)
    assert data[slice(*value.spans["A"])] == b"(abc)"
    assert data[slice(*value.spans["B"])] == b"<61>"
    assert (value.start, value.end) == (2, len(data))


def test_streams():
    found = parse_indirect(b"4 0 obj\n<< /Length 5 0 R >>\nstream\nabc\nendstream\nendobj", 0,
                           lambda ref: 3)  # fmt: skip
    assert found.value.raw == b"abc"


@pytest.mark.parametrize(
    "source",
    [
        b"4 0 obj << >>",
        b"x",
        b"4 0 obj 5 6 endobj",
        b"4 0 obj << >>\nstream\nabc\nendstream endobj",
        b"4 0 obj << /Length 2 >>\nstream\nabc\nendstream endobj",
        b"4 0 obj << /Length -1 >>\nstream\nabc\nendstream endobj",
        b"4 0 obj << /Length true >>\nstream\nabc\nendstream endobj",
        b"4 0 obj << /Length 9 0 R >>\nstream\nabc\nendstream endobj",
    ],
)
def test_damaged_objects(source):
    with pytest.raises(PDFSyntaxError):
        parse_indirect(source, 0)


PNG_ROWS = b"".join(bytes([kind, 5, 6, 7, 8]) for kind in range(5))


def test_every_png_filter_is_undone_as_qpdf_does():
    packed = zlib.compress(PNG_ROWS)
    parameters = Dictionary()
    parameters.update(Predictor=15, Columns=4)
    mine = decode_stream(stream(packed, Filter=Name("FlateDecode"), DecodeParms=parameters))
    pdf = pikepdf.new()
    theirs = pikepdf.Stream(
        pdf, packed, Filter=pikepdf.Name.FlateDecode,
        DecodeParms=pikepdf.Dictionary(Predictor=15, Columns=4),
    )  # fmt: skip
    assert mine == theirs.read_bytes()


def parameters(**entries):
    out = Dictionary()
    out.update(entries)
    return out


@pytest.mark.parametrize(
    "found",
    [
        stream(b"x", Filter=Name("FlateDecode")),
        stream(zlib.compress(b"x" * 99)[:-6], Filter=Name("FlateDecode")),
        stream(zlib.compress(b"\0" * (1 << 27)), Filter=Name("FlateDecode")),
        stream(b"x", Filter=Name("LZWDecode")),
        stream(b"x", Filter=[Name("FlateDecode"), Name("FlateDecode")]),
        stream(zlib.compress(b"abc"), Filter=Name("FlateDecode"),
               DecodeParms=parameters(Predictor=2)),
        stream(zlib.compress(b"abc"), Filter=Name("FlateDecode"),
               DecodeParms=parameters(Predictor=12, Columns=5)),
        stream(zlib.compress(b"\x09abc"), Filter=Name("FlateDecode"),
               DecodeParms=parameters(Predictor=12, Columns=3)),
        stream(b"x", Filter=Name("FlateDecode"), DecodeParms=parameters(Predictor=Name("a"))),
    ],
)  # fmt: skip
def test_streams_that_are_refused(found):
    with pytest.raises(PDFSyntaxError):
        decode_stream(found)


def test_plain_and_listed_filters():
    assert decode_stream(stream(b"x")) == b"x"
    assert decode_stream(stream(b"x", Filter=[])) == b"x"
    listed = stream(
        zlib.compress(b"abc"), Filter=[Name("FlateDecode")], DecodeParms=[parameters(Predictor=1)]
    )
    assert decode_stream(listed) == b"abc"


def table(body, trailer=b"<< /Size 3 /Root 1 0 R >>", start=None):
    head = b"%PDF-1.7\n"
    offset = len(head) if start is None else start
    return head + b"xref\n" + body + b"trailer\n" + trailer + b"\nstartxref\n%d\n%%%%EOF" % offset


ENTRY = b"0000000009 00000 n \n"


@pytest.mark.parametrize(
    "data",
    [
        table(b"0 1\n" + ENTRY, start=999999),
        table(b"0 1\n" + ENTRY, start=0),
        table(b"0 99999999\n"),
        table(b"0 2\n" + ENTRY),
        table(b"0 1\n" + ENTRY + b"0 1\n" + ENTRY),
        table(b"0 1\n" + ENTRY, b"[ ]"),
        table(b"0 1\n" + ENTRY, b"<< /Prev 9 >>"),
        table(b"0 1\n" + ENTRY, b"<< /Prev true >>"),
        table(b"0 1\n" + ENTRY, b"<< /Prev (x) >>"),
        table(b"0 1\n" + ENTRY).replace(b"trailer", b"tailer!"),
        table(b"0 1\n" + ENTRY).replace(b">>\nstartxref", b">>\nextra startxref"),
        table(b"0 1\n" + ENTRY) + b"\nmore",
    ],
)
def test_damaged_cross_references(data):
    with pytest.raises(PDFSyntaxError):
        read_revisions(data)


def xref_stream(rows, trailing=b"", **entries):
    base = {"Type": "/XRef", "W": "[1 2 1]", "Size": "3", "Root": "1 0 R", "Length": str(len(rows))}
    base.update(entries)
    head = b"%PDF-1.7\n"
    text = " ".join(f"/{k} {v}" for k, v in base.items()).encode()
    return (head + b"9 0 obj\n<< " + text + b" >>\nstream\n" + rows + b"\nendstream\nendobj\n"
            + trailing + b"startxref\n%d\n%%%%EOF" % len(head))  # fmt: skip


ROWS = b"\0\0\0\xff" + b"\1\0\x09\0" + b"\2\0\5\0"


def test_cross_reference_stream():
    (revision,) = read_revisions(xref_stream(ROWS))
    assert revision.entries[0].is_free
    assert revision.entries[1].offset == 9
    assert revision.entries[2].container == 5
    (other,) = read_revisions(xref_stream(ROWS[:4], Index="[7 1]"))
    assert set(other.entries) == {7}


@pytest.mark.parametrize(
    "data",
    [
        xref_stream(ROWS, Type="/Other"),
        xref_stream(ROWS, W="[1 2]"),
        xref_stream(ROWS, W="[0 0 0]"),
        xref_stream(ROWS, W="(x)"),
        xref_stream(ROWS, Index="[0]"),
        xref_stream(ROWS, Index="[0 99999999]"),
        xref_stream(ROWS, Index="[-1 3]"),
        xref_stream(ROWS, Index="[0 2 1 1]"),
        xref_stream(ROWS[:-1]),
        xref_stream(b"\7" + ROWS[1:]),
    ],
)
def test_damaged_cross_reference_streams(data):
    with pytest.raises(PDFSyntaxError):
        read_revisions(data)


def test_default_type_of_rows():
    (revision,) = read_revisions(xref_stream(b"\0\x09\0" * 3, W="[0 2 1]"))
    assert revision.entries[2].offset == 9


def test_linearised_file_is_one_revision(tmp_path):
    with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
        pdf.save(tmp_path / "l.pdf", linearize=True)
    document = Document((tmp_path / "l.pdf").read_bytes())
    assert len(document.revisions) == 1
    assert document.current.root["Type"] == "Catalog"


def test_linearised_file_signed(informed_verifier, test_pki, tmp_path):
    with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
        pdf.save(tmp_path / "l.pdf", linearize=True)
    data = seal(test_pki, (tmp_path / "l.pdf").read_bytes(), test_pki.seal)
    assert informed_verifier.verify(data).indication is Indication.TOTAL_PASSED


def test_loop_of_revisions_and_thousands_of_them():
    data = plain_pdf()
    many = data
    for _ in range(3):
        many = append(many, {objects_of(data)["info"]: b"<< >>"})
    assert len(Document(many).revisions) == 4
    previous = many.rindex(b"/Prev ")
    start = many.rindex(b"startxref\n") + 10
    own = many[start:].split(b"\n")[0]
    end = many.index(b" ", previous + 6)
    looped = many[:previous] + b"/Prev " + own + many[end:]
    with pytest.raises(PDFSyntaxError, match=r"loops|inside"):
        Document(looped)


def test_fields_that_loop(verifier):
    data = plain_pdf()
    numbers = objects_of(data)
    field = b"<< /T (a) /Kids [ %d 0 R ] >>" % numbers["field"]
    report = verifier.verify(append(data, {numbers["field"]: field}))
    assert report.integrity is Integrity.MALFORMED
    assert "loop" in report.checks[0].detail


def test_references_that_loop():
    data = plain_pdf()
    new = objects_of(data)["next"]
    document = Document(append(data, {new: b"%d 0 R" % new}))
    with pytest.raises(PDFSyntaxError, match="does not end"):
        document.current.resolve(Ref(new, 0))


def test_object_that_is_elsewhere():
    data = plain_pdf()
    number = objects_of(data)["contents"]
    other = b"7" * len(str(number))
    forged = data.replace(b"\n%d 0 obj" % number, b"\n%s 0 obj" % other, 1)
    assert len(forged) == len(data)
    with pytest.raises(PDFSyntaxError, match="is said to be"):
        Document(forged).current.get(number)


def test_without_catalogue(verifier):
    data = plain_pdf()
    report = verifier.verify(append(data, {objects_of(data)["root"]: b"<< /Type /Font >>"}))
    assert report.integrity is Integrity.MALFORMED


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"\xfe\xff\x1e\xd0", "Ố"),
        (b"\xff\xfe\xd0\x1e", "Ố"),
        (b"\xef\xbb\xbf\xe1\xbb\x90", "Ố"),
        (b"abc", "abc"),
    ],
)
def test_text_strings(raw, value):
    assert text(raw) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"D:20260302120000+07'00'", "2026-03-02T12:00:00+07:00"),
        (b"D:20260302120000-0330", "2026-03-02T12:00:00-03:30"),
        (b"D:20260302120000Z", "2026-03-02T12:00:00+00:00"),
        (b"D:2026", "2026-01-01T00:00:00+00:00"),
        (b"D:20261399", None),
        (b"yesterday", None),
    ],
)
def test_dates(raw, value):
    found = pdf_date(PDFString(raw))
    assert (found.isoformat() if found else None) == value
    assert pdf_date(None) is None


def test_attached_signed_pdf_is_no_stray_signature(informed_verifier, signed, test_pki):
    """A signed PDF inside an uncompressed attachment has a /ByteRange of its own."""
    with pikepdf.open(io.BytesIO(plain_pdf())) as pdf:
        pdf.attachments["inner.pdf"] = signed["B-B"]
        out = io.BytesIO()
        pdf.save(out, compress_streams=False, stream_decode_level=pikepdf.StreamDecodeLevel.none)
    data = seal(test_pki, out.getvalue(), test_pki.seal)
    assert data.count(b"/ByteRange") == 2
    assert informed_verifier.verify(data).indication is Indication.TOTAL_PASSED
