"""A strict reader of PDF objects (ISO 32000-2, 7.3) that remembers where each value stood.

The verifier does not ask a forgiving library what a signature dictionary says: attacks live in
what forgiving readers forgive. This reader accepts the syntax of the standard, refuses doubled
keys, unknown words and deep nesting, and keeps the byte span of strings and dictionary values,
so that a /ByteRange can be compared with the very bytes of its /Contents.

Pure functions over immutable bytes; safe under threads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeAlias

from signer.verification.attacks import Attack

MAX_DEPTH = 64
_WHITE = rb"\x00\t\n\x0c\r "  # ends a token
_BLANK = rb"\t\n\x0c\r "  # separates tokens: NUL, on which readers disagree, is refused
_END = rb"(?![^" + _WHITE + rb"()<>\[\]{}/%])"
_SKIP = re.compile(rb"(?:[" + _BLANK + rb"]++|%[^\r\n]*+)*+")
_REF = re.compile(
    rb"(\d{1,10})[" + _BLANK + rb"]+(\d{1,5})[" + _BLANK + rb"]+R" + _END,
)
_INTEGER = re.compile(rb"[+-]?\d{1,20}" + _END)
_REAL = re.compile(rb"[+-]?(?:\d{1,400}\.\d{0,400}|\.\d{1,400})" + _END)
_NAME = re.compile(rb"/([^" + _WHITE + rb"()<>\[\]{}/%]*)")
# what most entries are: a key without escapes, and a reference, a number or such a name
_PLAIN = rb"[^" + _WHITE + rb"()<>\[\]{}/%#]*+(?!#)"
_PLAIN_VALUE = (
    rb"(?:(\d{1,10})[" + _BLANK + rb"]++(\d{1,5})[" + _BLANK + rb"]++R" + _END
    + rb"|([+-]?\d{1,20})" + _END
    + rb"|([+-]?(?:\d{1,400}\.\d{0,400}|\.\d{1,400}))" + _END
    + rb"|/(" + _PLAIN + rb"))"
)  # fmt: skip
_PLAIN_ENTRY = re.compile(
    rb"/(" + _PLAIN + rb")([" + _BLANK + rb"]*+)" + _PLAIN_VALUE + rb"[" + _BLANK + rb"]*+"
)
_PLAIN_ITEM = re.compile(_PLAIN_VALUE + rb"[" + _BLANK + rb"]*+")
_NAME_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_HEX = re.compile(rb"<([0-9A-Fa-f" + _WHITE + rb"]*)>")
_WORD = re.compile(rb"(true|false|null)" + _END)
_LITERAL_SPECIAL = re.compile(rb"[()\\]")
_OBJECT = re.compile(rb"(\d{1,10})[" + _BLANK + rb"]+(\d{1,5})[" + _BLANK + rb"]+obj" + _END)
_STREAM = re.compile(rb"stream(\r\n|\n)")
_ENDSTREAM = re.compile(rb"(?:\r\n|\n|\r)?endstream" + _END)
_ENDOBJ = re.compile(rb"endobj" + _END)
_OCTAL = re.compile(rb"[0-7]{1,3}")
_ESCAPES = {
    ord("n"): b"\n",
    ord("r"): b"\r",
    ord("t"): b"\t",
    ord("b"): b"\b",
    ord("f"): b"\f",
}


class PDFSyntaxError(ValueError):
    """The bytes are not what ISO 32000-2 7.3 allows at this place.

    `attack` is the kind of forgery that leaves such a trace; None where nothing fits.
    """

    def __init__(self, message: str, attack: Attack | None = None) -> None:
        super().__init__(message)
        self.attack = attack


class Name(str):
    """A PDF name, without its solidus, #-escapes resolved."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """An indirect reference."""

    number: int
    generation: int


@dataclass(frozen=True, slots=True)
class PDFString:
    """A string; `start` and `end` are offsets of its delimiters and take no part in equality."""

    value: bytes
    is_hex: bool = field(compare=False, default=False)
    start: int = field(compare=False, default=-1)
    end: int = field(compare=False, default=-1)


class Dictionary(dict[str, "Value"]):
    """A dictionary; `spans` maps each key to the (start, end) offsets of its value."""

    __slots__ = ("end", "spans", "start")

    def __init__(self) -> None:
        super().__init__()
        self.spans: dict[str, tuple[int, int]] = {}
        self.start = -1
        self.end = -1


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream object: its dictionary and its bytes as they stand in the file."""

    dictionary: Dictionary
    raw: bytes = field(repr=False)


Value: TypeAlias = (
    "bool | int | float | Name | PDFString | Ref | list[Value] | Dictionary | Stream | None"
)


@dataclass(frozen=True, slots=True)
class IndirectObject:
    """``number generation obj … endobj``; `end` lies behind ``endobj``."""

    number: int
    generation: int
    value: Value
    start: int
    end: int


def same(one: Value, other: Value, *, loosely: bool = False) -> bool:
    """Whether two values are the same to every reader.

    ``True == 1 == 1.0`` in Python, but not in a PDF: an image mask that is 1 is none. `loosely`
    lets 1 and 1.0 be equal, as where a program writes a rectangle again.
    """
    if isinstance(one, Stream) and isinstance(other, Stream):
        return one.raw == other.raw and same(one.dictionary, other.dictionary)
    if isinstance(one, Dictionary) and isinstance(other, Dictionary):
        return one.keys() == other.keys() and all(
            same(one[key], other[key], loosely=loosely) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            same(a, b, loosely=loosely) for a, b in zip(one, other, strict=True)
        )
    if loosely and type(one) in (int, float) and type(other) in (int, float):
        return one == other
    return type(one) is type(other) and one == other


def skip(data: bytes, at: int) -> int:
    """The offset of the first byte at or after `at` that is neither white space nor comment."""
    found = _SKIP.match(data, at)
    return found.end() if found else at


def parse_value(data: bytes, at: int, depth: int = 0) -> tuple[Value, int]:
    """The value that starts at `at` (leading white space allowed) and the offset behind it.

    Raises `PDFSyntaxError`.
    """
    if depth > MAX_DEPTH:
        raise PDFSyntaxError(f"objects are nested deeper than {MAX_DEPTH} at byte {at}")
    at = skip(data, at)
    first = data[at : at + 1]
    if first == b"/":
        return _name(data, at)
    if first == b"<":
        if data[at + 1 : at + 2] == b"<":
            return _dictionary(data, at, depth)
        return _hex_string(data, at)
    if first == b"[":
        return _array(data, at, depth)
    if first == b"(":
        return _literal_string(data, at)
    if found := _REF.match(data, at):
        return Ref(int(found[1]), int(found[2])), found.end()
    if found := _INTEGER.match(data, at):
        return int(found[0]), found.end()
    if found := _REAL.match(data, at):
        return float(found[0]), found.end()
    if found := _WORD.match(data, at):
        return {b"true": True, b"false": False, b"null": None}[found[1]], found.end()
    raise PDFSyntaxError(f"no PDF object at byte {at}")


@lru_cache(4096)
def _plain_name(raw: bytes) -> Name:
    return Name(raw.decode("latin-1"))


def _plain_value(found: re.Match[bytes], group: int) -> Value:
    """What `_PLAIN_VALUE` found; its first group is `group`."""
    kind = (found.lastindex or 0) - group
    if kind == 1:
        return Ref(int(found[group]), int(found[group + 1]))
    if kind == 2:
        return int(found[group + 2])
    return float(found[group + 3]) if kind == 3 else _plain_name(found[group + 4])


def _name(data: bytes, at: int) -> tuple[Name, int]:
    found = _NAME.match(data, at)
    if found is None:  # pragma: no cover - the caller has seen the solidus
        raise PDFSyntaxError(f"no name at byte {at}")
    raw = _NAME_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), found[1])
    return Name(raw.decode("latin-1")), found.end()


def _hex_string(data: bytes, at: int) -> tuple[PDFString, int]:
    found = _HEX.match(data, at)
    if found is None:
        raise PDFSyntaxError(f"a hexadecimal string is damaged at byte {at}")
    digits = found[1].translate(None, b"\x00\t\n\x0c\r ")
    if len(digits) % 2:
        digits += b"0"
    return PDFString(bytes.fromhex(digits.decode("ascii")), True, at, found.end()), found.end()


def _literal_string(data: bytes, at: int) -> tuple[PDFString, int]:
    out = bytearray()
    depth = 1
    here = at + 1
    while True:
        found = _LITERAL_SPECIAL.search(data, here)
        if found is None:
            raise PDFSyntaxError(f"the string at byte {at} is not closed")
        out += data[here : found.start()]
        here = found.end()
        byte = data[found.start()]
        if byte == 0x28:
            depth += 1
            out.append(byte)
        elif byte == 0x29:
            depth -= 1
            if depth == 0:
                return PDFString(bytes(out), False, at, here), here
            out.append(byte)
        else:
            here = _escape(data, here, out)


def _escape(data: bytes, here: int, out: bytearray) -> int:
    """Append what the escape behind a reverse solidus means; the offset behind it."""
    octal = _OCTAL.match(data, here)
    if octal:
        out.append(int(octal[0], 8) & 0xFF)
        return octal.end()
    if data[here : here + 2] == b"\r\n":
        return here + 2
    byte = data[here] if here < len(data) else 0x0A
    if byte not in b"\r\n":
        out += _ESCAPES.get(byte, bytes([byte]))
    return here + 1


def _array(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    items: list[Value] = []
    here = skip(data, at + 1)
    while data[here : here + 1] != b"]":
        if depth < MAX_DEPTH and (plain := _PLAIN_ITEM.match(data, here)):
            items.append(_plain_value(plain, 1))
            here = plain.end()
            if data[here : here + 1] == b"%":
                here = skip(data, here)
            continue
        item, here = parse_value(data, here, depth + 1)
        items.append(item)
        here = skip(data, here)
    return items, here + 1


def _dictionary(data: bytes, at: int, depth: int) -> tuple[Dictionary, int]:
    out = Dictionary()
    here = skip(data, at + 2)
    while data[here : here + 2] != b">>":
        if data[here : here + 1] != b"/":
            raise PDFSyntaxError(f"a dictionary key is expected at byte {here}")
        if depth < MAX_DEPTH and (plain := _PLAIN_ENTRY.match(data, here)):
            key, start, value = _plain_name(plain[1]), plain.end(2), _plain_value(plain, 3)
            last = plain.lastindex or 0
            end = plain.end(last) if last != 4 else data.index(b"R", plain.end(4)) + 1
            here = plain.end()
        else:
            key, here = _name(data, here)
            start = skip(data, here)
            value, end = parse_value(data, start, depth + 1)
            here = end
        if key in out:
            raise PDFSyntaxError(
                f"the key /{key} stands twice in the dictionary at byte {at}",
                Attack.PARSER_DIFFERENTIAL,
            )
        out[str(key)] = value
        out.spans[str(key)] = (start, end)
        if data[here : here + 1] not in (b"/", b">"):
            here = skip(data, here)
    out.start, out.end = at, here + 2
    return out, here + 2


def parse_head(data: bytes, at: int) -> tuple[int, int, Value]:
    """Number, generation and value of the object at `at`; of a stream, its dictionary alone.

    Raises `PDFSyntaxError`.
    """
    found = _OBJECT.match(data, at)
    if found is None:
        raise PDFSyntaxError(f"no indirect object at byte {at}")
    return int(found[1]), int(found[2]), parse_value(data, found.end())[0]


def parse_indirect(
    data: bytes, at: int, length_of: Callable[[Ref], Value] | None = None
) -> IndirectObject:
    """The indirect object whose number stands exactly at `at`.

    `length_of` resolves a /Length that is itself a reference. Raises `PDFSyntaxError`.
    """
    found = _OBJECT.match(data, at)
    if found is None:
        raise PDFSyntaxError(f"no indirect object at byte {at}")
    value, here = parse_value(data, found.end())
    here = skip(data, here)
    if isinstance(value, Dictionary) and (opening := _STREAM.match(data, here)):
        length = value.get("Length")
        if isinstance(length, Ref) and length_of is not None:
            length = length_of(length)
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise PDFSyntaxError(f"the stream at byte {at} has no usable /Length")
        begin, end = opening.end(), opening.end() + length
        closing = _ENDSTREAM.match(data, end)
        if closing is None:
            raise PDFSyntaxError(f"the stream at byte {at} does not end where its /Length says")
        value = Stream(value, data[begin:end])
        here = skip(data, closing.end())
    closing = _ENDOBJ.match(data, here)
    if closing is None:
        raise PDFSyntaxError(f"the object at byte {at} is not closed by endobj")
    return IndirectObject(int(found[1]), int(found[2]), value, at, closing.end())
