"""A strict reader of DER (X.690), which can also read BER where a genuine writer used it.

Every octet belongs to a node or the reading fails: nothing can hide between values. A value of
indefinite length is BER down to its last part, wherever it stands: time-stamping authorities
stream their tokens, and signing tools put them into DER as they come (RFC 5652 allows it).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from signer.verification.attacks import Attack

MAX_DEPTH = 40

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x01, 0x02, 0x03, 0x04, 0x05, 0x06
ENUMERATED, UTC_TIME, GENERALIZED_TIME = 0x0A, 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31
_GENERALIZED = re.compile(rb"(\d{14})(?:\.(\d{0,5}[1-9]))?Z")


class DERError(ValueError):
    """The octets are not the encoding that the structure asks for.

    `attack` is the kind of forgery that leaves such a trace.
    """

    def __init__(self, message: str, attack: Attack = Attack.AMBIGUOUS_ENCODING) -> None:
        super().__init__(message)
        self.attack = attack


@dataclass(frozen=True, slots=True)
class Node:
    """One value: `octets` is its whole encoding, `content` what is behind tag and length."""

    tag: int
    octets: bytes
    content: bytes
    is_ber: bool = False

    def children(self) -> list[Node]:
        """The values inside a constructed one. Raises `DERError`."""
        return list(_walk(self.content, self.is_ber))

    def expect(self, tag: int) -> Node:
        """Itself, when its tag is `tag`. Raises `DERError`."""
        if self.tag != tag:
            raise DERError(f"tag {tag:#04x} expected, {self.tag:#04x} found")
        return self

    def explicit(self, tag: int) -> Node:
        """The single value inside an explicit tag. Raises `DERError`."""
        inside = self.expect(tag).children()
        if len(inside) != 1:
            raise DERError(f"one value expected inside tag {tag:#04x}")
        return inside[0]

    def oid(self) -> str:
        """Dotted form of an OBJECT IDENTIFIER."""
        return _oid(self.expect(OID).content)

    def integer(self) -> int:
        """Value of an INTEGER in its shortest form."""
        body = self.expect(INTEGER).content
        if not body or (len(body) > 1 and body[0] in (0, 0xFF) and (body[0] ^ body[1]) < 0x80):
            raise DERError("an INTEGER is not in its shortest form")
        return int.from_bytes(body, signed=True)

    def octet_string(self) -> bytes:
        """Content of an OCTET STRING; in BER its parts are joined."""
        if self.is_ber and self.tag == OCTET_STRING | 0x20:
            return b"".join(part.octet_string() for part in self.children())
        return self.expect(OCTET_STRING).content

    def time(self) -> dt.datetime:
        """A UTCTime or GeneralizedTime that ends in Z."""
        try:
            if self.tag == UTC_TIME:
                digits = self.content.decode("ascii").removesuffix("Z")
                # RFC 5280 4.1.2.5.1: two-digit years turn at 50; RFC 5652 11.3 says the same
                century = "19" if digits[:2] >= "50" else "20"
                return _moment(century + digits + "Z")
            found = _GENERALIZED.fullmatch(self.expect(GENERALIZED_TIME).content)
            if found is None:
                raise DERError("a GeneralizedTime is not in its DER form")
            micro = int((found[2] or b"").ljust(6, b"0"))
            return _moment(found[1].decode("ascii") + "Z").replace(microsecond=micro)
        except (ValueError, OverflowError) as error:
            raise DERError(f"an unreadable time: {error}") from error


def _moment(digits: str) -> dt.datetime:
    return dt.datetime.strptime(digits, "%Y%m%d%H%M%S%z")


def read(octets: bytes) -> tuple[Node, bytes]:
    """The first value and what follows it. BER is read when the value begins ``30 80``."""
    is_ber = octets[:2] == b"\x30\x80"
    node, end = _node(octets, 0, is_ber, 0)
    return node, octets[end:]


def read_exactly(octets: bytes, *, is_ber: bool = False) -> Node:
    """The only value in `octets`. Raises `DERError` when something follows.

    `is_ber` forgives lengths that are not in their shortest form, for what others have signed.
    """
    if is_ber:
        node, end = _node(octets, 0, True, 0)
        rest = octets[end:]
    else:
        node, rest = read(octets)
    if rest:
        raise DERError(f"{len(rest)} octets follow the value")
    return node


def check_tree(node: Node, depth: int = 0) -> None:
    """All rules of DER that matter for tampering, in the whole tree. Raises `DERError`."""
    if depth > MAX_DEPTH:
        raise DERError("values are nested too deeply")
    if node.is_ber:
        return
    if node.tag & 0x20:
        for child in node.children():
            check_tree(child, depth + 1)
        if node.tag & 0xC0 == 0 and node.tag not in (SEQUENCE, SET):
            raise DERError(f"a constructed value with tag {node.tag:#04x}")
    elif node.tag == BOOLEAN and node.content not in (b"\0", b"\xff"):
        raise DERError("a BOOLEAN is neither true nor false")
    elif node.tag == NULL and node.content:
        raise DERError("a NULL has content")
    elif node.tag == INTEGER:
        node.integer()
    elif node.tag == OID:
        node.oid()
    elif node.tag == BIT_STRING:
        _check_bit_string(node.content)


def _check_bit_string(content: bytes) -> None:
    if not content or content[0] > 7 or (len(content) == 1 and content[0]):
        raise DERError("a BIT STRING is damaged")
    if content[-1] & ((1 << content[0]) - 1):
        raise DERError("a BIT STRING has unused bits that are set")


def _walk(content: bytes, is_ber: bool) -> Iterator[Node]:
    here = 0
    while here < len(content):
        node, here = _node(content, here, is_ber, 0)
        yield node


def _node(data: bytes, at: int, is_ber: bool, depth: int) -> tuple[Node, int]:
    if depth > MAX_DEPTH:
        raise DERError("values are nested too deeply")
    if at + 2 > len(data):
        raise DERError("the encoding is cut short")
    tag, first = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise DERError("tags above 30 are not used in CMS")
    here = at + 2
    if first == 0x80:
        if not tag & 0x20:
            raise DERError("a primitive value of indefinite length")
        return _indefinite(data, at, here, tag, depth)
    if first < 0x80:
        length = first
    else:
        count = first & 0x7F
        raw = data[here : here + count]
        length = int.from_bytes(raw)
        here += count
        if len(raw) != count or count > 4:
            raise DERError("a length is damaged")
        if not is_ber and (raw[0] == 0 or length < 0x80):
            raise DERError("a length is not in its shortest form")
    end = here + length
    if end > len(data):
        raise DERError("a value is longer than what holds it")
    return Node(tag, data[at:end], data[here:end], is_ber), end


def _indefinite(data: bytes, at: int, here: int, tag: int, depth: int) -> tuple[Node, int]:
    start = here
    while data[here : here + 2] != b"\0\0":
        _, here = _node(data, here, True, depth + 1)
    return Node(tag, data[at : here + 2], data[start:here], True), here + 2


@lru_cache(4096)
def _oid(content: bytes) -> str:
    if not content or content[-1] & 0x80:
        raise DERError("an OBJECT IDENTIFIER is damaged")
    arcs: list[int] = []
    value, fresh = 0, True
    for octet in content:
        if fresh and octet == 0x80:
            raise DERError("an OBJECT IDENTIFIER is not in its shortest form")
        value, fresh = value << 7 | octet & 0x7F, not octet & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    top = min(arcs[0] // 40, 2)
    return ".".join(str(a) for a in (top, arcs[0] - 40 * top, *arcs[1:]))
