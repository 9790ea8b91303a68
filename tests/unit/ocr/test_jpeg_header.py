"""What a JPEG's markers tell, and which JPEGs a PDF filter shows rightly."""

from __future__ import annotations

import io
import struct

import pytest
from PIL import Image

from ocr.intake.jpeg import read_header
from tests.scans import photo


def _frame(kind: int = 0xC0, bits: int = 8, ids: tuple[int, ...] = (1, 2, 3)) -> bytes:
    body = struct.pack(">BHHB", bits, 30, 40, len(ids)) + b"".join(bytes([i, 17, 0]) for i in ids)
    return b"\xff" + bytes([kind]) + struct.pack(">H", len(body) + 2) + body


def _adobe(transform: int) -> bytes:
    body = b"Adobe" + bytes([0, 100, 0, 0, 0, 0, transform])
    return b"\xff\xee" + struct.pack(">H", len(body) + 2) + body


SOI = b"\xff\xd8"


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_agrees_with_a_decoder(mode: str) -> None:
    out = io.BytesIO()
    photo().convert(mode).save(out, "JPEG")
    header = read_header(out.getvalue())
    with Image.open(io.BytesIO(out.getvalue())) as image:
        assert (header.width_px, header.height_px) == image.size
        assert len(header.component_ids) == len(image.getbands())
    assert header.fits_pdf == (mode != "CMYK")


@pytest.mark.parametrize(
    ("data", "fits"),
    [
        (SOI + _frame(), True),
        (SOI + b"\xff" + _frame(), True),  # a fill byte before the marker
        (SOI + b"\xff\xd0" + _frame(0xC2), True),  # a bare marker; progressive
        (SOI + _frame(ids=(0x52, 0x47, 0x42)), False),
        (SOI + _adobe(0) + _frame(ids=(0x52, 0x47, 0x42)), True),
        (SOI + _frame(bits=12), False),
        (SOI + _frame(0xC9), False),  # arithmetic coding
        (SOI + _frame(0xC3), False),  # lossless
        (SOI + _frame(ids=(1,)), True),
        (SOI + _frame(ids=(1, 2)), False),
    ],
)
def test_what_fits_pdf(data: bytes, fits: bool) -> None:
    assert read_header(data).fits_pdf is fits


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG",
        SOI,
        SOI + b"\x00\x01\x02\x03",
        SOI + b"\xff\xd9\x00\x00",
        SOI + b"\xff\xe0\x00\x00\x00\x00",  # a segment of length nothing
        SOI + _frame()[:9],
        SOI + b"\xff\xe0\x00\x10",
    ],
)
def test_not_a_jpeg(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"marker|frame header"):
        read_header(data)
