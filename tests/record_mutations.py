"""Ways to spoil a good record, for `test_conformance_mutations`.

They go through `tests.pdf_surgery`, so that the file around them stays whole and the rule that
is meant is the one that speaks.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

from tests.pdf_surgery import (
    Edit,
    bodies,
    edited,
    find,
    reference,
    replaced,
    restreamed,
    sewn,
    trailer,
)

CATALOG = b"/Type /Catalog"
PAGE = b"/Type /Page /Parent"
PAGES = b"/Type /Pages"
INFO = b"/Producer"
INTENT = b"/Type /OutputIntent"
FILESPEC = b"/Type /Filespec"
EMBEDDED = b"/Type /EmbeddedFile"
METADATA = b"/Type /Metadata"
TYPE0 = b"/Subtype /Type0"
CIDFONT = b"/Subtype /CIDFontType2"
DESCRIPTOR = b"/Type /FontDescriptor"
JPEG = b"/DCTDecode"
FAX = b"/CCITTFaxDecode"
FLATE_IMAGE = b"/BitsPerComponent 8 /Filter /FlateDecode"
PROFILE = b"/N 3"
PROGRAM = b"/Length1"

Mutation = Callable[[bytes], bytes]


def swap(mark: bytes, old: bytes, new: bytes) -> Mutation:
    return lambda pdf: replaced(pdf, mark, old, new)


def add(mark: bytes, entry: bytes) -> Mutation:
    """Add an entry at the end of the outermost dictionary."""
    return lambda pdf: edited(pdf, mark, lambda head: head[: head.rindex(b">>")] + entry + b" >>")


def stream(mark: bytes, old: bytes, new: bytes) -> Mutation:
    return lambda pdf: restreamed(pdf, mark, lambda data: data.replace(old, new, 1))


def behind(mark: bytes, key: bytes, edit: Edit) -> Mutation:
    """Change the decoded stream that `key` refers to in the object that holds `mark`."""

    def mutate(pdf: bytes) -> bytes:
        return restreamed(pdf, mark, edit, reference(bodies(pdf), mark, key))

    return mutate


def contents(old: bytes, new: bytes) -> Mutation:
    """Change the content stream of the first page."""
    return behind(PAGE, b"/Contents", lambda data: data.replace(old, new, 1))


def cmap(old: bytes, new: bytes) -> Mutation:
    """Change the font's /ToUnicode."""
    return behind(TYPE0, b"/ToUnicode", lambda data: data.replace(old, new, 1))


def raw(old: bytes, new: bytes) -> Mutation:
    """Change bytes in place, without sewing."""

    def mutate(pdf: bytes) -> bytes:
        changed = pdf.replace(old, new, 1)
        assert changed != pdf
        return changed

    return mutate


def new_trailer(old: bytes, new: bytes) -> Mutation:
    return lambda pdf: sewn(pdf, bodies(pdf), trailer(pdf).replace(old, new))


def extra_object(body: bytes) -> Mutation:
    def mutate(pdf: bytes) -> bytes:
        objects = bodies(pdf)
        return sewn(pdf, {**objects, max(objects) + 1: body})

    return mutate


def kid_twice(pdf: bytes) -> bytes:
    return edited(pdf, PAGES, lambda head: re.sub(rb"\[(\d+ 0 R) \d+ 0 R", rb"[\1 \1", head))


def first_width(pdf: bytes) -> bytes:
    return edited(
        pdf,
        CIDFONT,
        lambda head: re.sub(rb"/W \[1 \[(\d+) (\d+)", rb"/W [1 [\1 999", head),
    )


def other_profile(pdf: bytes) -> bytes:
    return restreamed(pdf, PROFILE, lambda data: data[:40] + b"X" + data[41:])


def broken_program(pdf: bytes) -> bytes:
    return restreamed(pdf, PROGRAM, lambda data: b"\0" * len(data))


def restricted_program(pdf: bytes) -> bytes:
    def forbid(data: bytes) -> bytes:
        at = int.from_bytes(data[data.index(b"OS/2") + 8 :][:4])
        return data[: at + 8] + b"\x00\x02" + data[at + 10 :]

    return restreamed(pdf, PROGRAM, forbid)


def short_flate(pdf: bytes) -> bytes:
    return restreamed(pdf, FLATE_IMAGE, lambda data: data[:-3])


def encoded(pdf: bytes, number: int, edit: Edit) -> bytes:
    """Change a stream's encoded bytes, and its /Length with them."""
    objects = bodies(pdf)
    head, _, rest = objects[number].partition(b"\nstream\n")
    data = edit(rest.removesuffix(b"\nendstream"))
    head = re.sub(rb"/Length \d+", b"/Length %d" % len(data), head)
    objects[number] = head + b"\nstream\n" + data + b"\nendstream"
    return sewn(pdf, objects)


def flate_garbage(pdf: bytes) -> bytes:
    return encoded(pdf, find(bodies(pdf), FLATE_IMAGE), lambda data: b"not zlib")


def flate_tail(pdf: bytes) -> bytes:
    """Data behind the end of a content stream's zlib data."""
    return encoded(pdf, reference(bodies(pdf), PAGE, b"/Contents"), lambda data: data + b"hidden")


def other_jpeg(pdf: bytes) -> bytes:
    """Another valid JPEG of the same size: only the manifest can tell."""
    return restreamed(pdf, JPEG, lambda data: data[:-2] + b"\xff\xfe\x00\x04ab\xff\xd9")


def manifest_edit(old: bytes, new: bytes) -> Mutation:
    """Change the manifest and its own figures, but not the packet's digest."""

    def mutate(pdf: bytes) -> bytes:
        changed = restreamed(pdf, EMBEDDED, lambda data: data.replace(old, new, 1))
        size = len(zlib.decompress(_stream_data(changed, EMBEDDED)))
        return edited(
            changed, EMBEDDED, lambda head: re.sub(rb"/Size \d+ ", b"/Size %d  " % size, head)
        )

    return mutate


def _stream_data(pdf: bytes, mark: bytes) -> bytes:
    objects = bodies(pdf)
    return objects[find(objects, mark)].partition(b"\nstream\n")[2].removesuffix(b"\nendstream")


def shifted(pdf: bytes, before: bytes, hidden: bytes) -> bytes:
    """Bytes slipped in before an object, with every offset put right."""
    at = pdf.index(before)
    moved = pdf[:at] + hidden + pdf[at:]

    def later(match: re.Match[bytes]) -> bytes:
        offset = int(match[1])
        return b"%010d 00000 n" % (offset + len(hidden) * (offset >= at))

    moved = re.sub(rb"(\d{10}) 00000 n", later, moved)
    return re.sub(
        rb"startxref\n(\d+)", lambda m: b"startxref\n%d" % (int(m[1]) + len(hidden)), moved
    )


def first_offsets_swapped(pdf: bytes) -> bytes:
    return re.sub(
        rb"(\d{10}) 00000 n \n(\d{10}) 00000 n", rb"\2 00000 n \n\1 00000 n", pdf, count=1
    )


def appended(data: bytes) -> Mutation:
    """More at the end of the first page's content."""
    return behind(PAGE, b"/Contents", lambda content: content + data)


def mapped(utf16: bytes) -> Mutation:
    """Code 2 stands for something else."""
    return behind(
        TYPE0,
        b"/ToUnicode",
        lambda data: re.sub(rb"<0002> <....>", b"<0002> <" + utf16 + b">", data),
    )


recounted = behind(
    TYPE0, b"/ToUnicode", lambda data: re.sub(rb"\d+ beginbfchar", b"1 beginbfchar", data)
)
