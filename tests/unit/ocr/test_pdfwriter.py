"""The streaming writer: syntax, limits, and misuse that it refuses."""

from __future__ import annotations

import hashlib
import io
import math
from pathlib import Path

import pikepdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ocr.conformance.syntax import PDFString, Scanner
from ocr.errors import OutputError
from ocr.record.pdfwriter import Name, PDFWriter, Ref, number, serialise


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Name("Type"), b"/Type"),
        (Name("application/json"), b"/application#2Fjson"),
        (Name("Đ"), b"/#C4#90"),
        (Ref(7), b"7 0 R"),
        (True, b"true"),
        (False, b"false"),
        (12, b"12"),
        (1.5, b"1.5"),
        (-0.00001, b"0"),
        (595.2, b"595.2"),
        ("a(b)\\", b"(a\\(b\\)\\\\)"),
        ("Số", b"<FEFF00531ED1>"),
        ("a\nb", b"<FEFF0061000A0062>"),
        (b"\x00\xff", b"<00FF>"),
        ((1, "x"), b"[1 (x)]"),
        ({"A": [Name("B")]}, b"<< /A [/B] >>"),
        ({}, b"<<  >>"),
    ],
)
def test_values_in_pdf_syntax(value, expected):
    assert serialise(value) == expected


@pytest.mark.parametrize("value", [2**31, -(2**31), 32768.0, -40000.5, math.nan, math.inf])
def test_numbers_beyond_the_limits_are_refused(value):
    with pytest.raises(ValueError, match="beyond the PDF/A limit"):
        serialise(value)


@given(st.floats(-32_767, 32_767))
def test_numbers_have_no_exponent_and_keep_four_decimals(value):
    text = number(value)
    assert set(text) <= set("-0123456789.")
    assert float(text) == pytest.approx(value, abs=6e-5)
    assert not text.startswith("-0") or text.startswith("-0.")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_strings_are_read_back_by_others(text):
    scanned = Scanner(serialise(text)).value()
    assert isinstance(scanned, PDFString)
    assert scanned.text() == text
    if not any(c in text for c in "\r\x00") and text == text.strip("\ufeff"):
        assert str(pikepdf.Object.parse(serialise(text))) == text


def write(build) -> bytes:
    out = io.BytesIO()
    writer = PDFWriter(out, version="1.7")
    build(writer)
    return out.getvalue()


def minimal(writer: PDFWriter) -> None:
    tree = writer.reserve()
    page = writer.add(
        {"Type": Name("Page"), "Parent": tree, "MediaBox": (0, 0, 9, 9), "Resources": {}}
    )
    writer.add({"Type": Name("Pages"), "Kids": (page,), "Count": 1}, tree)
    info = writer.add({"Title": "Số"})
    writer.finish(root=writer.add({"Type": Name("Catalog"), "Pages": tree}), info=info)


def test_another_reader_finds_every_object():
    with pikepdf.open(io.BytesIO(write(minimal))) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert len(pdf.pages) == 1
        assert str(pdf.docinfo["/Title"]) == "Số"


def test_the_identifier_is_a_digest_of_the_bytes():
    first = write(minimal)
    assert first == write(minimal)
    other = write(lambda w: (w.add("more"), minimal(w)))
    assert first.split(b"/ID")[1][:40] != other.split(b"/ID")[1][:40]


def test_size_and_digest_are_those_of_the_file():
    out = io.BytesIO()
    writer = PDFWriter(out, version="1.7")
    minimal(writer)
    assert writer.size_bytes == len(out.getvalue())
    assert writer.sha256 == hashlib.sha256(out.getvalue()).hexdigest()


def test_a_reserved_object_has_to_be_written():
    writer = PDFWriter(io.BytesIO(), version="1.7")
    root = writer.add({})
    writer.reserve()
    with pytest.raises(ValueError, match="object 2 was reserved"):
        writer.finish(root=root, info=root)


def test_an_object_is_written_once():
    writer = PDFWriter(io.BytesIO(), version="1.7")
    ref = writer.add({})
    with pytest.raises(ValueError, match="already written"):
        writer.add({}, ref)


def test_a_missing_image_file_is_a_typed_error(tmp_path):
    writer = PDFWriter(io.BytesIO(), version="1.7")
    with pytest.raises(OutputError, match=r"gone\.jpg cannot be read again: No such file"):
        writer.copy_stream({}, tmp_path / "gone.jpg")


def test_an_image_file_that_cannot_be_opened_is_a_typed_error(tmp_path):
    writer = PDFWriter(io.BytesIO(), version="1.7")
    with pytest.raises(OutputError, match="cannot be read again: Is a directory"):
        writer.copy_stream({}, tmp_path)


def test_an_image_file_that_changes_meanwhile_is_a_typed_error(tmp_path, monkeypatch):
    image = tmp_path / "x.jpg"
    image.write_bytes(b"12345678")
    monkeypatch.setattr("ocr.record.pdfwriter.read_chunks", lambda source: iter([b"1234"]))
    writer = PDFWriter(io.BytesIO(), version="1.7")
    with pytest.raises(OutputError, match="changed while it was read"):
        writer.copy_stream({}, image)


def test_streams_are_copied_byte_for_byte(tmp_path):
    image = tmp_path / "x.jpg"
    image.write_bytes(bytes(range(256)) * 4096)  # more than one chunk
    out = io.BytesIO()
    writer = PDFWriter(out, version="1.7")
    _, digest = writer.copy_stream({"Subtype": Name("Image")}, Path(image))
    assert digest == hashlib.sha256(image.read_bytes()).hexdigest()
    assert b"stream\n" + image.read_bytes() + b"\nendstream" in out.getvalue()
