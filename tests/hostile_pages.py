"""Documents whose pages, pictures or page contents are made to harm whoever reads them.

Beside `tests.hostile_documents`, whose parts are used; whole service and single parts are tried
with both.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import pikepdf

from tests.hostile_documents import MEGABYTE, assemble, deflated, one_page, stream, with_streams


def pages(count: int) -> bytes:
    """A flat tree of so many pages."""
    objects = one_page()
    for number in range(10, 10 + count):
        objects[number] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] >>"
    kids = b" ".join(b"%d 0 R" % number for number in range(10, 10 + count))
    objects[2] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count)
    return assemble(objects)


def deep_page_tree(levels: int = 10_000) -> bytes:
    """One page under a chain of nodes."""
    objects = one_page()
    for number in range(10, 10 + levels):
        objects[number] = b"<< /Type /Pages /Kids [%d 0 R] /Count 1 /Parent %d 0 R >>" % (
            number + 1, number - 1 if number > 10 else 2,
        )  # fmt: skip
    objects[10 + levels] = b"<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595 842] >>" % (
        9 + levels
    )
    objects[2] = b"<< /Type /Pages /Kids [10 0 R] /Count 1 >>"
    return assemble(objects)


def parents_in_a_ring() -> bytes:
    """What the page inherits never ends."""
    objects = one_page()
    objects[3] = b"<< /Type /Page /Parent 5 0 R /Contents 4 0 R >>"
    objects[5] = b"<< /Type /Pages /Parent 6 0 R >>"
    objects[6] = b"<< /Type /Pages /Parent 5 0 R >>"
    return assemble(objects)


def page_of_size(box: bytes) -> bytes:
    """A page whose /MediaBox is `box`."""
    objects = one_page(b"BT /A 9 Tf 90 700 Td (x) Tj ET")
    objects[3] = b"<< /Type /Page /Parent 2 0 R /MediaBox %s /Contents 4 0 R >>" % box
    return assemble(objects)


def picture(decoder: bytes, side: int = 60_000) -> bytes:
    """A page with an image of `side` by `side` pixels in a few bytes."""
    edge = side.to_bytes(4, "big")
    data = {
        b"JPXDecode": b"\x00\x00\x00\x0cjP  \r\n\x87\n\x00\x00\x00\x14ftypjp2 \x00\x00\x00\x00jp2 "
        + b"\x00\x00\x00-jp2h\x00\x00\x00\x16ihdr" + edge * 2 + b"\x00\x03\x07\x07\x00\x00"
        + b"\x00\x00\x00\x0fcolr\x01\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00jp2c\xff\x4f\xff\x51"
        + b"\x00\x2f\x00\x00" + edge * 2 + bytes(8) + edge * 2 + bytes(8)
        + b"\x00\x03\x07\x01\x01\x07\x01\x01\x07\x01\x01",
        b"JBIG2Decode": b"\x00\x00\x00\x00\x30\x00\x01\x00\x00\x00\x13" + edge * 2 + bytes(11)
        + b"\x00\x00\x00\x01\x26\x00\x01\x00\x00\x00\x12" + edge * 2 + bytes(10),
        b"FlateDecode": deflated(64 * MEGABYTE),
    }[decoder]  # fmt: skip
    objects = one_page(b"q 595 0 0 842 0 0 cm /I Do Q", b"/XObject << /I 5 0 R >>")
    entries = b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 " % (
        side, side,
    )  # fmt: skip
    objects[5] = stream(entries + b"/ColorSpace /DeviceRGB /Filter /" + decoder, data)
    return assemble(objects)


def filters_in_a_row(count: int = 3, size: int = 1024 * MEGABYTE) -> bytes:
    """Contents of two kilobytes that unpack to a gigabyte, a thousandfold by each filter."""
    data = deflated(size)
    for _ in range(count - 1):
        data = zlib.compress(data, 9)
    objects = one_page()
    objects[4] = stream(b"/Filter [%s]" % (b"/FlateDecode " * count), data)
    return assemble(objects)


def a_hundred_thousand_filters(count: int = 100_000) -> bytes:
    objects = one_page()
    objects[4] = stream(b"/Filter [%s]" % (b"/ASCIIHexDecode " * count), b"41>")
    return assemble(objects)


def contents_many_times(count: int = 100_000) -> bytes:
    """A page that names one megabyte of contents so often: who joins them needs 90 GB."""
    objects = one_page()
    text = b"BT /A 9 Tf 90 700 Td (x) Tj ET " * 30_000
    objects[4] = stream(b"/Filter /FlateDecode", zlib.compress(text))
    objects[3] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents [%s] >>" % (
        b"4 0 R " * count
    )
    return assemble(objects)


def many_annotations(count: int = 500_000) -> bytes:
    objects = one_page(page=b"/Annots [%s]" % (b"5 0 R " * count))
    objects[5] = b"<< /Type /Annot /Subtype /Widget /Rect [0 0 9 9] /FT /Tx /T (x) >>"
    return assemble(objects)


def hardest_rows(count: int = 4, size: int = 60 * MEGABYTE, columns: int = 4096) -> bytes:
    """Object streams of PNG rows of the costliest kind, to be undone byte by byte.

    Every structure is in order and below all bounds on sizes: only time tells.
    """
    fields = b" ".join(b"%d 0 R" % (100 + n) for n in range(count))
    objects = one_page(catalog=b"/AcroForm << /SigFlags 3 /Fields [%s] >>" % fields)
    for n in range(count):
        first = b"%d 0 " % (100 + n)
        plain = (first + b"<< /FT /Tx /T (F%d) >>" % n).ljust(columns)
        steps = bytes((this - last) & 255 for last, this in zip(b"\0" + plain, plain, strict=False))
        rest = (b"\x04" + bytes(columns)) * (size // columns - 1)  # each like the row above it
        entries = b"/Type /ObjStm /N 1 /First %d /Filter /FlateDecode " % len(first)
        predicted = b"/DecodeParms << /Predictor 15 /Columns %d >>" % columns
        objects[10 + n] = stream(entries + predicted, zlib.compress(b"\x04" + steps + rest, 1))
    return with_streams(objects, held={100 + n: 10 + n for n in range(count)})


def wide_rows() -> bytes:
    """A predictor whose one row has 128 gigabytes."""
    objects = one_page()
    widest = b"/Predictor 15 /Colors 32 /BitsPerComponent 16 /Columns 2147483647"
    objects[4] = stream(
        b"/Filter /FlateDecode /DecodeParms << %s >>" % widest, zlib.compress(b"\x04" + bytes(999))
    )
    return assemble(objects)


def encrypted(password: str = "") -> bytes:
    """A file that needs a password, or opens with none but says which rights it takes away."""
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(assemble(one_page()))) as pdf:
        pdf.save(out, encryption=pikepdf.Encryption(user=password, owner="chu-so-huu"))
    return out.getvalue()


HOSTILE_PAGES: dict[str, Callable[[], bytes]] = {
    "a hundred thousand pages": lambda: pages(100_000),
    "deep page tree": deep_page_tree,
    "parents in a ring": parents_in_a_ring,
    "page of 1e30 points": lambda: page_of_size(b"[0 0 1e30 1e30]"),
    "page of a quintillion": lambda: page_of_size(b"[0 0 %s %s]" % (b"9" * 30, b"9" * 30)),
    "page of no size": lambda: page_of_size(b"[0 0 0 0]"),
    "page that is its own box": lambda: page_of_size(b"3 0 R"),
    "JPEG 2000 of 60000 pixels": lambda: picture(b"JPXDecode"),
    "JBIG2 of 60000 pixels": lambda: picture(b"JBIG2Decode"),
    "bitmap of 60000 pixels": lambda: picture(b"FlateDecode"),
    "filters in a row": filters_in_a_row,
    "a hundred thousand filters": a_hundred_thousand_filters,
    "contents many times": contents_many_times,
    "half a million annotations": many_annotations,
    "hardest rows": hardest_rows,
    "wide rows": wide_rows,
    "encrypted": encrypted,
}
