"""Where /ByteRange stands in the bytes, whatever the file's own structure says of it."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Sequence

from signer.verification.file.pdf_objects import (
    PDFSyntaxError,
    Ref,
    Stream,
    Value,
    parse_indirect,
)

_KEY, _SPACES = b"/ByteRange", b"\x00\t\n\x0c\r "
_MOST_SPACES = 64  # behind a key: beyond, it counts as one with an array


def byte_range_keys(data: bytes) -> list[int]:
    """Offsets of all /ByteRange keys with an array, or what may be one.

    `bytes.find` is five times as fast as a pattern.
    """
    out: list[int] = []
    at = data.find(_KEY)
    while at >= 0:
        end = at + len(_KEY)
        following = data[end : end + _MOST_SPACES].lstrip(_SPACES)
        if following[:1] in (b"[", b"%", b""):
            out.append(at)
        at = data.find(_KEY, end)
    return out


def stream_data_around(
    data: bytes, object_offsets: Sequence[int], at: int, length: Callable[[Ref], Value]
) -> range:
    """The offsets of the stream's data (and what closes it) that `at` is in, or none.

    They end where the next object is said to be: it may lie in the data to hide there.
    `length` reads a /Length given by reference.
    """
    position = bisect.bisect_right(object_offsets, at) - 1
    if position < 0:
        return range(0)
    try:
        item = parse_indirect(data, object_offsets[position], length)
    except PDFSyntaxError:
        return range(0)
    if not isinstance(item.value, Stream):
        return range(0)
    following = object_offsets[position + 1 : position + 2]
    return range(item.value.dictionary.end, min([item.end, *following]))
