"""The PDF syntax that records are written in, read strictly (ISO 32000-1 7.3).

Only what our writers emit is accepted: no comments, no null, generation 0, no duplicate keys.
Whatever else a lenient reader would forgive is a `SyntaxViolation`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ocr.record.pdfwriter import Name, Ref

MOST_DEPTH = 16
MOST_NAME_BYTES = 127  # ISO 19005-3 6.1.13
MOST_STRING_BYTES = 32_767
MOST_INTEGER = 2**31 - 1
MOST_REAL = 32_767.0  # the narrowest limit of all parts; pages are far below it

_TOKEN = re.compile(
    rb"[ \n\r]*(?:"
    rb"(?P<ref>[1-9]\d{0,9} 0 R(?![0-9A-Za-z]))"
    rb"|(?P<real>[+-]?(?:\d+\.\d*|\.\d+))"
    rb"|(?P<integer>[+-]?\d+)"
    rb"|(?P<name>/[^\x00-\x20()<>\[\]{}/%\x7f-\xff]*)"
    rb"|(?P<open><<)|(?P<close>>>)"
    rb"|(?P<hexadecimal><[0-9A-Fa-f]*>)"
    rb"|(?P<literal>\()"
    rb"|(?P<array>\[)|(?P<end>\])"
    rb"|(?P<word>[A-Za-z*'\"]+)"
    rb")"
)
_ESCAPE = re.compile(rb"#([0-9A-Fa-f]{2})")
_STRING_PART = re.compile(rb"[^()\\\r]+|\\[nrtbf()\\]|\\[0-7]{1,3}|[()]")
_ESCAPED = {
    b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f",
    b"(": b"(", b")": b")", b"\\": b"\\",
}  # fmt: skip


class SyntaxViolation(Exception):
    """The bytes are not in the syntax that records are written in."""


class Word(str):
    """A bare word: an operator of a content stream, or a keyword."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PDFString:
    """A string object; `raw` are its bytes."""

    raw: bytes

    def text(self) -> str:
        """The text that it stands for: UTF-16BE with its mark, else ASCII. Raises ValueError."""
        if self.raw.startswith(b"\xfe\xff"):
            return self.raw[2:].decode("utf-16-be")
        return self.raw.decode("ascii")


@dataclass(frozen=True, slots=True)
class StreamObject:
    """A stream: its dictionary and where its encoded bytes lie in the file."""

    entries: Mapping[str, Value]
    start: int
    length: int


Value: TypeAlias = (
    "bool | int | float | Name | Ref | PDFString | Sequence[Value] | Mapping[str, Value]"
    " | StreamObject"
)


class Scanner:
    """Reads values one after another from `data`, beginning at `at`."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self._data = data
        self.at = at

    def rest_is(self, tail: bytes) -> bool:
        """Whether exactly `tail` is left."""
        return self._data[self.at :] == tail

    def value(self, depth: int = 0) -> Value:
        """The next value. Raises `SyntaxViolation`."""
        item = self.item(depth)
        if isinstance(item, Word):
            raise SyntaxViolation(f"{item!r} stands where a value should")
        return item

    def item(self, depth: int = 0) -> Value | Word:
        """The next value or bare word. Raises `SyntaxViolation`."""
        if depth > MOST_DEPTH:
            raise SyntaxViolation("values are nested too deep")
        token = _TOKEN.match(self._data, self.at)
        if token is None:
            raise SyntaxViolation(f"no value at byte {self.at} of the object")
        self.at = token.end()
        kind = token.lastgroup or ""
        text = token.group(kind)
        match kind:
            case "ref":
                return Ref(int(text.split()[0]))
            case "integer":
                return _within(int(text), MOST_INTEGER)
            case "real":
                return _within(float(text), MOST_REAL)
            case "name":
                return _name(text)
            case "hexadecimal":
                return _hexadecimal(text)
            case "literal":
                return self._literal()
            case "open":
                return self._dictionary(depth)
            case "array":
                return self._array(depth)
            case "word":
                return _word(text)
            case _:
                raise SyntaxViolation(f"{text.decode()} closes nothing")

    def exhausted(self) -> bool:
        """Whether nothing but white space is left."""
        return not self._data[self.at :].strip(b" \n\r")

    def _closes(self, mark: bytes) -> bool:
        token = _TOKEN.match(self._data, self.at)
        if token is not None and token.group().strip() == mark:
            self.at = token.end()
            return True
        return False

    def _array(self, depth: int) -> list[Value]:
        items: list[Value] = []
        while not self._closes(b"]"):
            items.append(self.value(depth + 1))
        return items

    def _dictionary(self, depth: int) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        while not self._closes(b">>"):
            key = self.value(depth + 1)
            if not isinstance(key, Name):
                raise SyntaxViolation("a dictionary key is not a name")
            if key in entries:
                raise SyntaxViolation(f"the key /{key} stands twice in a dictionary")
            entries[str(key)] = self.value(depth + 1)
        return entries

    def _literal(self) -> PDFString:
        out, level = bytearray(), 1
        while True:
            part = _STRING_PART.match(self._data, self.at)
            if part is None:
                raise SyntaxViolation("a literal string does not end, or has an unknown escape")
            self.at = part.end()
            text = part.group()
            level += {b"(": 1, b")": -1}.get(text, 0)
            if not level:
                return _string(bytes(out))
            if not text.startswith(b"\\"):
                out += text
            elif text[1:] in _ESCAPED:
                out += _ESCAPED[text[1:]]
            else:
                out.append(int(text[1:], 8) & 0xFF)


def _within(value: int | float, most: float) -> int | float:
    if abs(value) > most:
        raise SyntaxViolation(f"the number {value} is beyond {most}")
    return value


def _name(text: bytes) -> Name:
    raw = _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), text[1:])
    if len(raw) > MOST_NAME_BYTES:
        raise SyntaxViolation("a name is longer than 127 bytes")
    try:
        return Name(raw.decode("utf-8"))  # 6.1.8
    except UnicodeDecodeError as error:
        raise SyntaxViolation("a name is not UTF-8") from error


def _hexadecimal(text: bytes) -> PDFString:
    if len(text) % 2:
        raise SyntaxViolation("a hexadecimal string has an odd number of digits")  # 6.1.6
    return _string(bytes.fromhex(text[1:-1].decode("ascii")))


def _string(raw: bytes) -> PDFString:
    if len(raw) > MOST_STRING_BYTES:
        raise SyntaxViolation("a string is longer than 32767 bytes")
    return PDFString(raw)


def _word(text: bytes) -> bool | Word:
    return {b"true": True, b"false": False}.get(text, Word(text.decode("ascii")))
