"""The objects that an object stream holds (ISO 32000-2, 7.5.7)."""

from __future__ import annotations

from signer.verification.file.pdf_objects import (
    IndirectObject,
    PDFSyntaxError,
    Stream,
    Value,
    parse_value,
)
from signer.verification.file.xref import decode_stream

NOWHERE = -1
"""The position of a number that an object stream names twice, or not at all."""


def read_object_stream(item: IndirectObject) -> tuple[dict[int, tuple[int, Value]], int]:
    """Position and value of the objects by number, and the bytes they were unpacked to."""
    stream = item.value
    if not isinstance(stream, Stream) or stream.dictionary.get("Type") != "ObjStm":
        raise PDFSyntaxError(f"object {item.number} is not an object stream")
    count, first = stream.dictionary.get("N"), stream.dictionary.get("First")
    if not isinstance(count, int) or not isinstance(first, int) or not 0 <= count <= 100_000:
        raise PDFSyntaxError(f"the object stream {item.number} has unusable counts")
    decoded = decode_stream(stream)
    here = 0
    places: list[tuple[int, int]] = []
    for _ in range(count):
        number, here = parse_value(decoded, here)
        offset, here = parse_value(decoded, here)
        if not isinstance(number, int) or not isinstance(offset, int) or offset < 0:
            raise PDFSyntaxError(f"the object stream {item.number} has a damaged header")
        places.append((number, first + offset))
    objects: dict[int, tuple[int, Value]] = {}
    read = 0
    for index, (number, offset) in enumerate(places):
        value, end = parse_value(decoded, offset)
        objects[number] = (index if number not in objects else NOWHERE, value)
        read += end - offset
        if read > 2 * len(decoded):  # thousands of numbers for one large array
            raise PDFSyntaxError(f"the objects in the object stream {item.number} overlap")
    return objects, len(decoded)
