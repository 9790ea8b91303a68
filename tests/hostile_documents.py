"""Documents that are made to harm whoever reads them. All are generated; none comes from outside.

for name, make in HOSTILE.items():
    pdf = make()
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping

MEGABYTE = 1 << 20


def assemble(objects: Mapping[int, bytes], *, root: int = 1, trailer: bytes = b"") -> bytes:
    """A file with a cross-reference table; `objects` are bodies by number, generation 0."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = {}
    for number, body in sorted(objects.items()):
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start, size = len(out), max(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n" % size
    for number in range(1, size):
        known = number in offsets
        out += b"%010d %05d %s \n" % (
            offsets.get(number, 0), 0 if known else 65535, b"n" if known else b"f",
        )  # fmt: skip
    out += b"trailer\n<< /Size %d /Root %d 0 R %s >>\nstartxref\n%d\n%%%%EOF\n" % (
        size, root, trailer, start,
    )  # fmt: skip
    return bytes(out)


def stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def one_page(contents: bytes = b"", resources: bytes = b"", **more: bytes) -> dict[int, bytes]:
    """Catalogue 1, pages 2, page 3, its contents 4."""
    return {
        1: b"<< /Type /Catalog /Pages 2 0 R %s >>" % more.get("catalog", b""),
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R "
        b"/Resources << %s >> %s >>" % (resources, more.get("page", b"")),
        4: stream(b"", contents),
    }


def laughs(depth: int = 12, width: int = 10, pages: int = 1) -> bytes:
    """Forms that draw forms: pages of `width` to the power of `depth` texts."""
    objects = one_page(b"/F5 Do", b"/XObject << /F5 5 0 R >>")
    for number in range(5, 5 + depth):
        again = b"/F%d Do " % (number + 1) * width
        form = (
            b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] "
            b"/Resources << /XObject << /F%d %d 0 R >> >>" % (number + 1, number + 1)
        )
        objects[number] = stream(form, again)
    font = b"/Resources << /Font << /A << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    objects[5 + depth] = stream(
        b"/Type /XObject /Subtype /Form /BBox [0 0 595 842] " + font,
        b"BT /A 9 Tf 90 700 Td (x) Tj ET",
    )
    for page in range(1, pages):
        objects[50 + page] = objects[3]
    objects[2] = b"<< /Type /Pages /Kids [3 0 R %s] /Count %d >>" % (
        b" ".join(b"%d 0 R" % (50 + page) for page in range(1, pages)), pages,
    )  # fmt: skip
    return assemble(objects)


def deflated(size: int, first: bytes = b"") -> bytes:
    """`first` and blanks up to `size` bytes, compressed: one megabyte, and so often again."""
    blanks, packer = b" " * MEGABYTE, zlib.compressobj(1)
    head = packer.compress(first) + packer.flush(zlib.Z_FULL_FLUSH)
    # from here on the packer remembers nothing, and each megabyte looks the same
    block = packer.compress(blanks) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.adler32(first)
    for _ in range(size // MEGABYTE):
        checksum = zlib.adler32(blanks, checksum)
    return head + block * (size // MEGABYTE) + b"\x03\x00" + checksum.to_bytes(4, "big")


def with_streams(
    objects: Mapping[int, bytes], rows: bytes = b"", held: Mapping[int, int] | None = None
) -> bytes:
    """A file whose cross-reference is a stream: of these compressed `rows`, or of the true ones.

    `held`: objects that are the only ones in an object stream, by number.
    """
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    table = {number: (2, holder, 0) for number, holder in (held or {}).items()}
    for number, body in sorted(objects.items()):
        table[number] = (1, len(out), 0)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    number, start = max(table) + 1, len(out)
    table[number] = (1, start, 0)
    known = b"".join(
        bytes([kind]) + value.to_bytes(4, "big") + rest.to_bytes(2, "big")
        for kind, value, rest in (table.get(n, (0, 0, 65535)) for n in range(number + 1))
    )
    head = b"/Type /XRef /Size %d /W [1 4 2] /Root 1 0 R /Filter /FlateDecode" % (number + 1)
    body = stream(head, rows or zlib.compress(known))
    out += b"%d 0 obj\n%s\nendobj\nstartxref\n%d\n%%%%EOF\n" % (number, body, start)
    return bytes(out)


def _holding(number: int, body: bytes, size: int) -> bytes:
    """An object stream that holds one object and blanks up to `size` bytes."""
    first = b"%d 0 " % number
    entries = b"/Type /ObjStm /N 1 /First %d /Filter /FlateDecode" % len(first)
    return stream(entries, deflated(size, first + body))


def object_stream_bomb(size: int = 1280 * MEGABYTE) -> bytes:
    """An object stream that unpacks to gigabytes; the page lies in it."""
    objects = one_page()
    objects[5] = _holding(3, objects.pop(3), size)
    return with_streams(objects, held={3: 5})


def many_bombs(count: int = 40, size: int = 32 * MEGABYTE) -> bytes:
    """Object streams, none of them too large alone, that hold the fields of a form."""
    fields = b" ".join(b"%d 0 R" % (100 + n) for n in range(count))
    objects = one_page(catalog=b"/AcroForm << /SigFlags 3 /Fields [%s] >>" % fields)
    for n in range(count):
        objects[10 + n] = _holding(100 + n, b"<< /FT /Tx /T (F%d) >>" % n, size)
    return with_streams(objects, held={100 + n: 10 + n for n in range(count)})


def one_object_many_times(count: int = 90_000, size: int = MEGABYTE) -> bytes:
    """An object stream whose objects all begin at the same large array."""
    fields = b" ".join(b"%d 0 R" % n for n in range(100, 102))
    objects = one_page(catalog=b"/AcroForm << /SigFlags 3 /Fields [%s] >>" % fields)
    first = b" ".join(b"%d 0" % n for n in range(100, 100 + count)) + b" "
    entries = b"/Type /ObjStm /N %d /First %d /Filter /FlateDecode" % (count, len(first))
    objects[5] = stream(entries, zlib.compress(first + b"[" + b"1 " * (size // 2) + b"]"))
    return with_streams(objects, held={100: 5, 101: 5})


def xref_stream_bomb(size: int = 512 * MEGABYTE) -> bytes:
    return with_streams(one_page(), deflated(size))


def contents_bomb(size: int = 512 * MEGABYTE) -> bytes:
    """A page whose contents unpack to gigabytes."""
    objects = one_page()
    objects[4] = stream(b"/Filter /FlateDecode", deflated(size))
    return assemble(objects)


def cyclic_pages() -> bytes:
    objects = one_page()
    objects[2] = b"<< /Type /Pages /Kids [2 0 R 3 0 R] /Count 2 /Parent 2 0 R >>"
    return assemble(objects)


def pages_without_end(levels: int = 40) -> bytes:
    """Each node of the page tree names the next one ten times."""
    objects = one_page()
    for number in range(10, 10 + levels):
        kids = b"%d 0 R " % (number + 1) * 10
        objects[number] = b"<< /Type /Pages /Kids [%s] /Count 100000 /Parent 2 0 R >>" % kids
    objects[10 + levels] = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>"
    objects[2] = b"<< /Type /Pages /Kids [10 0 R] /Count 100000 >>"
    return assemble(objects)


def huge_size() -> bytes:
    return assemble(one_page()).replace(b"/Size 5", b"/Size 2147483647")


def huge_section() -> bytes:
    return assemble(one_page()).replace(b"xref\n0 5\n", b"xref\n0 999999999\n")


def loop_of_previous() -> bytes:
    plain = assemble(one_page())
    start = plain.index(b"xref\n0")
    return assemble(one_page(), trailer=b"/Prev %d" % start)


def revisions(count: int = 4000) -> bytes:
    """Thousands of incremental saves."""
    out = bytearray(assemble(one_page()))
    previous = out.index(b"xref\n0")
    for _ in range(count):
        at = len(out)
        out += b"4 0 obj\n<< /Length 0 >>\nstream\n\nendstream\nendobj\n"
        start = len(out)
        out += b"xref\n4 1\n%010d 00000 n \ntrailer\n<< /Size 5 /Root 1 0 R /Prev %d >>\n" % (
            at, previous,
        )  # fmt: skip
        out += b"startxref\n%d\n%%%%EOF\n" % start
        previous = start
    return bytes(out)


def signatures(count: int) -> bytes:
    """Fields with a signature each; their CMS is a megabyte of nested sets."""
    cms = (b"31 82 ff f0".replace(b" ", b"") * 2000).ljust(20_000, b"0")
    objects = one_page(
        catalog=b"/AcroForm << /SigFlags 3 /Fields [%s] >>"
        % b" ".join(b"%d 0 R" % (10 + 2 * n) for n in range(count))
    )
    for n in range(count):
        objects[10 + 2 * n] = (
            b"<< /FT /Sig /T (S%d) /V %d 0 R /Type /Annot /Subtype /Widget /Rect [0 0 0 0] >>"
        ) % (n, 11 + 2 * n)
        objects[11 + 2 * n] = (
            b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached "
            b"/ByteRange [0 100 20100 100] /Contents <%s> >>" % cms
        )
    return assemble(objects)


def stray_ranges(count: int = 100_000) -> bytes:
    """A stream full of what could be signatures outside the form."""
    objects = one_page()
    objects[5] = stream(b"", b"/ByteRange [0 1 2 3] " * count)
    return assemble(objects)


def many_fields(count: int = 30_000) -> bytes:
    fields = b" ".join(b"%d 0 R" % number for number in range(10, 10 + count))
    objects = one_page(catalog=b"/AcroForm << /Fields [%s] >>" % fields)
    for number in range(10, 10 + count):
        objects[number] = b"<< /FT /Tx /T (F%d) >>" % number
    return assemble(objects)


def certificates(count: int = 20_000) -> bytes:
    """One signature whose CMS holds megabytes of certificates."""

    def der(tag: int, *content: bytes) -> bytes:
        inner = b"".join(content)
        return bytes([tag, 0x84]) + len(inner).to_bytes(4, "big") + inner

    signed_data, data = (der(6, bytes.fromhex("2a864886f70d0107") + n) for n in (b"\2", b"\1"))
    cms = der(
        0x30, signed_data,
        der(0xA0, der(0x30, b"\2\1\1", der(0x31), der(0x30, data),
                      der(0xA0, der(0x30, bytes(64)) * count), der(0x31))),
    )  # fmt: skip
    objects = one_page(catalog=b"/AcroForm << /SigFlags 3 /Fields [10 0 R] >>")
    objects[10] = b"<< /FT /Sig /T (S) /V 11 0 R /Subtype /Widget /Rect [0 0 0 0] >>"
    objects[11] = (
        b"<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /ETSI.CAdES.detached "
        b"/ByteRange [0 100 20100 100] /Contents <%s> >>" % cms.hex().encode()
    )
    return assemble(objects)


def deep_form(depth: int = 90_000) -> bytes:
    """Dictionaries in dictionaries, where the form should be."""
    objects = one_page(catalog=b"/AcroForm 5 0 R")
    objects[5] = b"<< /A " * depth + b"1" + b" >>" * depth
    return assemble(objects)


def references_to_references(count: int = 100_000) -> bytes:
    objects = one_page(catalog=b"/AcroForm 10 0 R")
    for number in range(10, 10 + count):
        objects[number] = b"%d 0 R" % (number + 1)
    objects[10 + count] = b"<< /Fields [] >>"
    return assemble(objects)


def xref_stream_in_a_ring() -> bytes:
    """A cross-reference stream whose /Prev names itself."""
    plain = with_streams(one_page())
    start = plain.rsplit(b"startxref\n", 1)[1].split()[0]
    return plain.replace(b"/Root 1 0 R", b"/Prev %s /Root 1 0 R" % start)


def deep_arrays(depth: int = 200_000) -> bytes:
    objects = one_page()
    objects[5] = b"[" * depth + b"]" * depth
    return assemble(objects)


def fields_in_a_ring() -> bytes:
    """Direct fields in an array that holds itself: no object number ever repeats."""
    objects = one_page(catalog=b"/AcroForm << /SigFlags 3 /Fields 5 0 R >>")
    objects[5] = b"[ << /T (x) /Kids 5 0 R >> << /T (y) /Kids 5 0 R >> ]"
    return assemble(objects)


def nested_names(depth: int = 30) -> bytes:
    """Dictionaries that each name the next one twice: 2 to the power of `depth` paths."""
    objects = one_page(catalog=b"/Names 10 0 R /AcroForm 10 0 R")
    for number in range(10, 10 + depth):
        objects[number] = b"<< /Kids [%d 0 R %d 0 R] /Fields [%d 0 R %d 0 R] >>" % (
            (number + 1,) * 4
        )  # fmt: skip
    objects[10 + depth] = b"<< /T (end) >>"
    return assemble(objects)


def other_generations() -> Iterable[bytes]:
    """Objects of generation 1 where generation 0 is promised, elsewhere, and in place of others."""
    plain = assemble(one_page())
    yield plain.replace(b"3 0 obj", b"3 1 obj")
    yield plain.replace(b"3 0 R", b"3 1 R").replace(b"3 0 obj", b"3 1 obj")
    yield plain.replace(b"3 0 R", b"3 1 R").replace(b"3 0 obj", b"2 1 obj")
    table = plain.index(b"xref\n0")
    tail = plain[table:].replace(b" 00000 n", b" 00001 n")
    yield plain[:table] + tail
    yield plain[:table].replace(b" 0 R", b" 1 R").replace(b" 0 obj", b" 1 obj") + tail.replace(
        b"1 0 R", b"1 1 R"
    )
    yield plain[:table].replace(b"4 0 obj", b"2 1 obj").replace(b"4 0 R", b"2 1 R") + tail


def garbage() -> bytes:
    return b"%PDF-1.7\n" + bytes(range(256)) * 4096


HOSTILE: dict[str, Callable[[], bytes]] = {
    "forms that draw forms": laughs,
    "bomb in an object stream": object_stream_bomb,
    "forty bombs": many_bombs,
    "bomb in the cross-reference": xref_stream_bomb,
    "bomb in the contents": contents_bomb,
    "page tree in a ring": cyclic_pages,
    "page tree without end": pages_without_end,
    "size of two milliards": huge_size,
    "section of a milliard": huge_section,
    "previous sections in a ring": loop_of_previous,
    "cross-reference streams in a ring": xref_stream_in_a_ring,
    "ten thousand revisions": lambda: revisions(10_000),
    "sixty signatures": lambda: signatures(60),
    "a thousand signatures": lambda: signatures(1000),
    "stray byte ranges": stray_ranges,
    "thirty thousand fields": many_fields,
    "twenty thousand certificates": certificates,
    "one object many times": lambda: one_object_many_times(20_000, MEGABYTE // 4),
    "deep arrays": deep_arrays,
    "deep form": deep_form,
    "references to references": references_to_references,
    "fields in a ring": fields_in_a_ring,
    "names without end": nested_names,
    "garbage": garbage,
}
