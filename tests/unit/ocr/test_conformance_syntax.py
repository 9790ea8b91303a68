"""The strict reader: what it takes, and what a lenient reader would forgive and it does not."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from ocr.conformance.layout import LayoutViolation, RecordFile
from ocr.conformance.syntax import PDFString, Scanner, SyntaxViolation, Word
from ocr.record.pdfwriter import Name, Ref
from tests.pdf_surgery import bodies, sewn


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"(a(b)c)", PDFString(b"a(b)c")),
        (b"(\\(\\)\\\\\\n\\101\\7)", PDFString(b"()\\\nA\x07")),
        (b"()", PDFString(b"")),
        (b"<0aFF>", PDFString(b"\x0a\xff")),
        (b" /A#20B", Name("A B")),
        (b"[1 -2 .5 3. +4 true false]", [1, -2, 0.5, 3.0, 4, True, False]),
        (b"<</A 1/B[2 0 R]>>", {"A": 1, "B": [Ref(2)]}),
        (b"12 0 R", Ref(12)),
    ],
)
def test_values(data, value):
    scanner = Scanner(data)
    assert scanner.value() == value
    assert scanner.exhausted()


def test_bare_words_are_operators():
    assert Scanner(b"TJ").item() == Word("TJ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no value"),
        (b"% comment", "no value"),
        (b"null", "stands where a value should"),
        (b"]", "closes nothing"),
        (b">>", "closes nothing"),
        (b"<< 1 2 >>", "key is not a name"),
        (b"<< /A 1 /A 2 >>", "stands twice"),
        (b"<< /A >>", "closes nothing"),
        (b"<abc>", "odd number"),
        (b"(open", "does not end"),
        (b"(\\q)", "unknown escape"),
        (b"/#FF", "not UTF-8"),
        (b"/" + b"a" * 128, "longer than 127"),
        (b"<" + b"00" * 32_768 + b">", "longer than 32767"),
        (b"2147483648", "beyond"),
        (b"40000.0", "beyond"),
        (b"[" * 20, "nested too deep"),
    ],
)
def test_what_is_not_forgiven(data, message):
    with pytest.raises(SyntaxViolation, match=message):
        Scanner(data).value()


@pytest.fixture
def opened():
    """Opens record files and closes them after the test."""
    with ExitStack() as stack:

        def open_record(path: Path) -> RecordFile:
            return RecordFile(stack.enter_context(path.open("rb")).fileno())

        yield open_record


def layout_error(folder: Path, pdf: bytes) -> str:
    path = folder / "x.pdf"
    path.write_bytes(pdf)
    with path.open("rb") as stream, pytest.raises(LayoutViolation) as caught:
        RecordFile(stream.fileno())
    return caught.value.damage.message


def test_a_trailer_has_to_be_a_dictionary_and_to_end_the_revision(record, tmp_path):
    pdf = record.read_bytes()
    objects = bodies(pdf)
    assert "no dictionary" in layout_error(tmp_path, sewn(pdf, objects, b"[1]"))
    assert "not followed by startxref" in layout_error(tmp_path, sewn(pdf, objects, b"<< >> 1"))
    assert "no value" in layout_error(tmp_path, sewn(pdf, objects, b"{"))


def test_more_than_a_thousand_revisions_are_refused(tmp_path):
    out = bytearray(b"%PDF-1.7\n%\xc7\xa7\xe2\xa7\n")
    previous = b""
    for _ in range(1002):
        start = len(out)
        out += b"xref\n0 1\n0000000000 65535 f \ntrailer\n<< " + previous + b">>\n"
        out += b"startxref\n%d\n%%%%EOF\n" % start
        previous = b"/Prev %d " % start
    assert "1000 revisions" in layout_error(tmp_path, bytes(out))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<< /Length 3 >>\nstream\nabc\nendstraem", "does not end with endstream"),
        (b"<< >> 7", "neither endobj nor a stream"),
        (b"7\nstream\nabc\nendstream", "neither endobj nor a stream"),
        (b"<< /Length (3) >>\nstream\nabc\nendstream", "not the length"),
        (b"[" + b"1 " * (1 << 23) + b"]", "larger than 16 MB"),
    ],
)
def test_objects_that_are_not_whole(body, message, record, opened, tmp_path):
    pdf = record.read_bytes()
    objects = bodies(pdf)
    number = max(objects) + 1
    path = tmp_path / "x.pdf"
    path.write_bytes(sewn(pdf, {**objects, number: body}))
    file = opened(path)
    assert file.get(Ref(number)) is None
    assert message in file.damages[-1].message


def test_a_large_array_is_read_whole(record, opened, tmp_path):
    pdf = record.read_bytes()
    objects = bodies(pdf)
    number = max(objects) + 1
    path = tmp_path / "x.pdf"
    path.write_bytes(sewn(pdf, {**objects, number: b"[" + b"1 " * 60_000 + b"]"}))
    assert opened(path).get(Ref(number)) == [1] * 60_000
