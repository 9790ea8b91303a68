"""Whether a file is there to its end, from its first and last bytes alone; nothing is decoded."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Literal

Kind = Literal["jpeg", "png", "tiff", "pdf"]
MEDIA_TYPES: dict[Kind, str] = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "tiff": "image/tiff",
    "pdf": "application/pdf",
}
_HEAD = 1024
_TAIL = 4096
_MOST_IFDS = 10_000
_MOST_ENTRIES = 4096
_MOST_STRIPS = 1_000_000
_PAIRS = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
_DATA = frozenset(tag for pair in _PAIRS for tag in pair)
_WIDTHS = {3: "H", 4: "I", 16: "Q"}  # SHORT, LONG, LONG8
_ENDS: dict[Kind, bytes] = {"jpeg": b"\xff\xd9", "png": b"IEND", "pdf": b"%%EOF"}


def kind_of(handle: int) -> Kind | None:
    """What a file is by its first bytes; None: nothing that holds scanned pages."""
    head = os.pread(handle, _HEAD, 0)
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    return "pdf" if b"%PDF-" in head else None


def is_whole(handle: int, kind: Kind) -> bool:
    """Whether the end of the file is there, as far as its outermost structure tells."""
    size = os.fstat(handle).st_size
    if kind == "tiff":
        return _tiff_is_whole(handle, size)
    tail = os.pread(handle, _TAIL, max(0, size - _TAIL))
    return _ENDS[kind] in tail


@dataclass(frozen=True, slots=True)
class _Form:
    """How numbers stand in a TIFF: byte order, and the widths of links and counts."""

    order: str
    link: str
    count: str
    entry_bytes: int

    def read(self, handle: int, kind: str, at: int, number: int = 1) -> tuple[int, ...]:
        """Numbers at a place of the file. Raises `struct.error` beyond its end."""
        form = f"{self.order}{number}{kind}"
        found: tuple[int, ...] = struct.unpack(form, os.pread(handle, struct.calcsize(form), at))
        return found


def _tiff_is_whole(handle: int, size: int) -> bool:
    """Whether directories and image data lie within the file (TIFF 6.0, section 2; BigTIFF)."""
    head = os.pread(handle, 4, 0)
    order = "<" if head[:1] == b"I" else ">"
    is_big = b"+" in head
    form = _Form(order, "Q", "Q", 20) if is_big else _Form(order, "I", "H", 12)
    try:
        (at,) = form.read(handle, form.link, 8 if is_big else 4)
        for _ in range(_MOST_IFDS):
            if at == 0:
                return True
            (entries,) = form.read(handle, form.count, at)
            first = at + struct.calcsize(f"={form.count}")
            if _end_of_data(handle, form, first, entries) > size:
                return False
            (at,) = form.read(handle, form.link, first + entries * form.entry_bytes)
    except (struct.error, OverflowError, OSError):
        return False
    return True  # a loop is no end that is missing; the reader judges it


def _end_of_data(handle: int, form: _Form, first: int, entries: int) -> int:
    """Where the strips or tiles of one directory end."""
    found: dict[int, tuple[int, ...]] = {}
    wide = struct.calcsize(f"={form.link}")
    for number in range(min(entries, _MOST_ENTRIES)):
        at = first + number * form.entry_bytes
        tag, kind = form.read(handle, "H", at, 2)
        (count,) = form.read(handle, form.link, at + 4)
        width = _WIDTHS.get(kind)
        if tag not in _DATA or width is None or not 0 < count <= _MOST_STRIPS:
            continue
        where = at + 4 + wide
        if count * struct.calcsize(f"={width}") > wide:
            (where,) = form.read(handle, form.link, where)
        found[tag] = form.read(handle, width, where, count)
    ends = [0]
    for offsets, counts in _PAIRS:
        ends += map(sum, zip(found.get(offsets, ()), found.get(counts, ()), strict=False))
    return max(ends)
