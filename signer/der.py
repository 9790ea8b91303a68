"""DER (X.690), as much of it as signing needs: an encoder and a strict, bounded reader.

asn1crypto re-encodes whole trees on `dump()` and reads BER leniently; the hot paths need
neither. The encoder builds values from finished parts, so constant parts are encoded once.
The reader accepts definite, minimal lengths only and never looks outside the bytes it was
given. `MalformedDER` stays inside `signer`: each caller turns it into its own typed error.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cache
from typing import NamedTuple

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
UTF8_STRING = 0x0C
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

_HIGH_TAG = 0x1F
_MAX_LENGTH_OCTETS = 4
_UTC_TIME_END = 2050  # RFC 5280 4.1.2.5: UTCTime through 2049


class MalformedDER(ValueError):
    """The bytes are not the DER that was expected. Translated by every caller."""


# --- encoding -------------------------------------------------------------------------


def tlv(tag: int, *parts: bytes) -> bytes:
    """One value with tag octet `tag` around the joined `parts`."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of encoded `parts`."""
    return tlv(SEQUENCE, *parts)


def set_of(parts: Iterable[bytes]) -> bytes:
    """A SET OF in DER order (X.690 11.6)."""
    return tlv(SET, *sorted(parts))


def explicit(number: int, *parts: bytes) -> bytes:
    """A constructed, context-specific tag ``[number]`` around `parts`."""
    return tlv(0xA0 | number, *parts)


def implicit(number: int, content: bytes) -> bytes:
    """A primitive value whose tag is replaced by the context-specific ``[number]``."""
    return tlv(0x80 | number, content)


def integer(value: int) -> bytes:
    """An INTEGER, two's complement, minimal."""
    magnitude = value if value >= 0 else ~value
    return tlv(INTEGER, value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True))


def octet_string(content: bytes) -> bytes:
    """An OCTET STRING."""
    return tlv(OCTET_STRING, content)


def bit_string(content: bytes, unused_bits: int = 0) -> bytes:
    """A BIT STRING whose last octet has `unused_bits` padding bits."""
    return tlv(BIT_STRING, bytes((unused_bits,)), content)


def boolean(value: bool) -> bytes:
    """A BOOLEAN: DER knows 00 and FF only."""
    return b"\x01\x01\xff" if value else b"\x01\x01\x00"


def null() -> bytes:
    """The NULL value."""
    return b"\x05\x00"


def utf8_string(text: str) -> bytes:
    """A UTF8String."""
    return tlv(UTF8_STRING, text.encode())


@cache
def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    out = bytearray()
    for arc in (first * 40 + second, *rest):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(0x80 | arc & 0x7F)
        out += bytes(reversed(septets))
    return tlv(OID, bytes(out))


def generalized_time(moment: dt.datetime, *, fraction: bool = False) -> bytes:
    """A GeneralizedTime in Zulu; with `fraction`, milliseconds without trailing zeros.

    Trailing zeros are left out, and the point with them, as X.690 11.7 and RFC 3161 2.4.2
    demand.
    """
    moment = moment.astimezone(dt.UTC)
    text = moment.strftime("%Y%m%d%H%M%S").rjust(14, "0")
    milliseconds = moment.microsecond // 1000
    if fraction and milliseconds:
        text += f".{milliseconds:03d}".rstrip("0")
    return tlv(GENERALIZED_TIME, f"{text}Z".encode())


def x509_time(moment: dt.datetime) -> bytes:
    """A Time of RFC 5280: UTCTime through 2049, GeneralizedTime after; whole seconds."""
    moment = moment.astimezone(dt.UTC)
    if moment.year >= _UTC_TIME_END:
        return generalized_time(moment)
    return tlv(UTC_TIME, moment.strftime("%y%m%d%H%M%SZ").encode())


# --- reading --------------------------------------------------------------------------


class Element(NamedTuple):
    """One value within `data`: its tag octet and where header, content and end lie."""

    data: bytes
    tag: int
    start: int
    content_start: int
    end: int

    @property
    def raw(self) -> bytes:
        """The whole encoding, header included."""
        return self.data[self.start : self.end]

    @property
    def content(self) -> bytes:
        """The content octets."""
        return self.data[self.content_start : self.end]

    def children(self) -> Iterator[Element]:
        """The values inside, one after another. Raises `MalformedDER`."""
        offset = self.content_start
        while offset < self.end:
            child = _read(self.data, offset, self.end)
            yield child
            offset = child.end

    def fields(self, least: int, tag: int = SEQUENCE) -> list[Element]:
        """The values inside a SEQUENCE (or `tag`), `least` or more. Raises `MalformedDER`."""
        found = list(self.expect(tag).children())
        if len(found) < least:
            raise MalformedDER(f"{len(found)} fields instead of {least}")
        return found

    def pair(self) -> tuple[Element, Element]:
        """The two values of a SEQUENCE of two. Raises `MalformedDER`."""
        first, second, *more = self.fields(2)
        if more:
            raise MalformedDER("more than two fields")
        return first, second

    def unwrap(self) -> Element:
        """The only value inside (an EXPLICIT tag). Raises `MalformedDER`."""
        child = _read(self.data, self.content_start, self.end)
        if child.end != self.end:
            raise MalformedDER("more than one value inside an explicit tag")
        return child

    def as_integer(self) -> int:
        """The value of an INTEGER. Raises `MalformedDER`."""
        content = self.expect(INTEGER).content
        if not content or (
            len(content) > 1
            and (
                (content[0] == 0 and content[1] < 0x80)
                or (content[0] == 0xFF and content[1] > 0x7F)
            )
        ):
            raise MalformedDER("an INTEGER is empty or not minimal")
        return int.from_bytes(content, "big", signed=True)

    def as_octets(self) -> bytes:
        """The octets of a BIT STRING that has no unused bits. Raises `MalformedDER`.

        Signatures are such strings; a count of unused bits other than zero would pass unseen
        wherever the last bits of the signature happen to be zero.
        """
        content = self.expect(BIT_STRING).content
        if content[:1] != b"\0":
            raise MalformedDER("a BIT STRING is not a whole number of octets")
        return content[1:]

    def as_time(self) -> dt.datetime:
        """The moment of a GeneralizedTime in Zulu (X.690 11.7). Raises `MalformedDER`."""
        text = self.expect(GENERALIZED_TIME).content
        whole, point, fraction = text[:-1].partition(b".")
        if (
            text[-1:] != b"Z"
            or len(whole) != len(b"YYYYMMDDhhmmss")
            or not whole.isdigit()
            or (point and (not fraction.isdigit() or fraction.endswith(b"0")))
        ):
            raise MalformedDER("a GeneralizedTime is not in the form of DER")
        try:
            moment = dt.datetime.strptime(whole.decode(), "%Y%m%d%H%M%S").replace(tzinfo=dt.UTC)
        except ValueError as error:
            raise MalformedDER("a GeneralizedTime names no such moment") from error
        return moment + dt.timedelta(microseconds=int(fraction[:6].ljust(6, b"0")))

    def expect(self, tag: int) -> Element:
        """Itself, if it has the tag octet `tag`. Raises `MalformedDER`."""
        if self.tag != tag:
            raise MalformedDER(f"expected tag {tag:#04x}, found {self.tag:#04x}")
        return self


def parse(data: bytes) -> Element:
    """The one value that fills `data`. Raises `MalformedDER`."""
    element = _read(data, 0, len(data))
    if element.end != len(data):
        raise MalformedDER("bytes follow the value")
    return element


def _read(data: bytes, offset: int, limit: int) -> Element:
    if offset + 2 > limit:
        raise MalformedDER("the value is cut off")
    tag = data[offset]
    if tag & _HIGH_TAG == _HIGH_TAG:
        raise MalformedDER("a tag number above 30 has no place here")
    first = data[offset + 1]
    start = offset + 2
    if first < 0x80:
        end = start + first
    else:
        count = first & 0x7F
        if not 0 < count <= _MAX_LENGTH_OCTETS or start + count > limit:
            raise MalformedDER("the length is indefinite, too long or cut off")
        length = int.from_bytes(data[start : start + count], "big")
        if length < 0x80 or data[start] == 0:
            raise MalformedDER("the length is not minimal")
        start += count
        end = start + length
    if end > limit:
        raise MalformedDER("the value is cut off")
    return Element(data, tag, offset, start, end)
