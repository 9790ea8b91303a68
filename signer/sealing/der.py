"""The few DER rules (ITU-T X.690) that the hot path of sealing needs.

A general encoder spends most of a signature's time on parts that never change; here constant
parts stay bytes. The reader accepts definite lengths only and checks bounds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

SEQUENCE, SET = 0x30, 0x31
INTEGER, OCTET_STRING, OID, NULL = 0x02, 0x04, 0x06, 0x05


def tlv(tag: int, *parts: bytes) -> bytes:
    """One value: tag, definite length, contents."""
    contents = b"".join(parts)
    size = len(contents)
    if size < 0x80:
        return bytes((tag, size)) + contents
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + contents


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return tlv(SEQUENCE, *parts)


def set_of(items: Iterable[bytes], tag: int = SET) -> bytes:
    """A SET OF, its elements in the order that DER prescribes (X.690 11.6)."""
    return tlv(tag, *sorted(items))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in (first * 40 + second, *rest):
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(0x80 | (arc & 0x7F))
        out += bytes(reversed(digits))
    return tlv(OID, bytes(out))


def integer(value: int) -> bytes:
    """A non-negative INTEGER."""
    return tlv(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


class Node(NamedTuple):
    """One value that was read: `raw` is all of it, `contents` what its length spans."""

    tag: int
    raw: bytes
    contents: bytes

    @property
    def children(self) -> list[Node]:
        """The values inside a constructed value. Raises ValueError."""
        return read_all(self.contents)


def read(data: bytes, at: int = 0) -> tuple[Node, int]:
    """Read the value at `at`; return it and the offset behind it.

    Raises ValueError when it is cut off, indefinite, or has a tag of more than one byte.
    """
    if at + 2 > len(data) or data[at] & 0x1F == 0x1F:
        raise ValueError("DER value is cut off or has an unknown tag")
    tag, size, start = data[at], data[at + 1], at + 2
    if size >= 0x80:
        count = size & 0x7F
        if not 1 <= count <= 4:
            raise ValueError("DER length is indefinite or too large")
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    if start + size > len(data):
        raise ValueError("DER value is cut off")
    return Node(tag, data[at : start + size], data[start : start + size]), start + size


def read_all(data: bytes) -> list[Node]:
    """Read the values that `data` consists of. Raises ValueError."""
    nodes = []
    at = 0
    while at < len(data):
        node, at = read(data, at)
        nodes.append(node)
    return nodes
