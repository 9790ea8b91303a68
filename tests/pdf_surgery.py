"""Cuts into a PDF of our own kind and sews it up again: offsets, table and lengths stay true.

So a mutation changes what it means to change and nothing else.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping

_OBJECT = re.compile(rb"(\d+) 0 obj\n")
_LENGTH = re.compile(rb"/Length (\d+)(?= )")
Edit = Callable[[bytes], bytes]


def bodies(pdf: bytes) -> dict[int, bytes]:
    """Object bodies (between ``obj`` and ``endobj``) of a file with one revision."""
    start = int(pdf.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    rows = re.findall(rb"(\d{10}) 00000 n ", pdf[start:])
    offsets = sorted(int(row) for row in rows)
    found = {}
    for begin, end in zip(offsets, [*offsets[1:], start], strict=True):
        head = _OBJECT.match(pdf, begin)
        found[int(head[1])] = pdf[head.end() : end].removesuffix(b"\nendobj\n")
    return found


def trailer(pdf: bytes) -> bytes:
    """The trailer dictionary of a file with one revision."""
    return pdf.rsplit(b"trailer\n", 1)[1].split(b"\nstartxref")[0]


def sewn(pdf: bytes, objects: Mapping[int, bytes], new_trailer: bytes | None = None) -> bytes:
    """A file with the header and trailer of `pdf` and these objects."""
    out = bytearray(pdf[: _OBJECT.search(pdf).start()])
    offsets = {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(offsets) + 1)
    for number in sorted(offsets):
        out += b"%010d 00000 n \n" % offsets[number]
    tail = new_trailer or re.sub(rb"/Size \d+", b"/Size %d" % (len(offsets) + 1), trailer(pdf))
    return bytes(out + b"trailer\n" + tail + b"\nstartxref\n%d\n%%%%EOF\n" % start)


def find(objects: Mapping[int, bytes], mark: bytes) -> int:
    """The number of the first object whose dictionary holds `mark`."""
    return next(n for n, body in objects.items() if mark in body.split(b"\nstream\n")[0])


def edited(pdf: bytes, mark: bytes, edit: Edit) -> bytes:
    """The file with `edit` applied to the dictionary of the object that holds `mark`."""
    objects = bodies(pdf)
    number = find(objects, mark)
    head, separator, data = objects[number].partition(b"\nstream\n")
    changed = edit(head)
    assert changed != head, mark
    objects[number] = changed + separator + data
    return sewn(pdf, objects)


def replaced(pdf: bytes, mark: bytes, old: bytes, new: bytes) -> bytes:
    """`edited` by replacing text."""
    return edited(pdf, mark, lambda head: head.replace(old, new))


def restreamed(pdf: bytes, mark: bytes, edit: Edit, number: int | None = None) -> bytes:
    """The file with `edit` applied to the decoded data of the stream that holds `mark`."""
    objects = bodies(pdf)
    number = find(objects, mark) if number is None else number
    head, _, rest = objects[number].partition(b"\nstream\n")
    data = rest.removesuffix(b"\nendstream")
    packed = b"/FlateDecode" in head
    before = zlib.decompress(data) if packed else data
    after = edit(before)
    assert after != before, mark
    data = zlib.compress(after, 9) if packed else after
    head = _LENGTH.sub(b"/Length %d" % len(data), head)
    objects[number] = head + b"\nstream\n" + data + b"\nendstream"
    return sewn(pdf, objects)


def reference(objects: Mapping[int, bytes], mark: bytes, key: bytes) -> int:
    """The object number that `key` refers to in the object that holds `mark`."""
    return int(re.search(key + rb" \[?(\d+) 0 R", objects[find(objects, mark)])[1])
