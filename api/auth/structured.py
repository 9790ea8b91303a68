"""The part of structured fields (RFC 8941) that message signatures need: strict, and bounded.

A Signature-Input is a dictionary of inner lists of strings with parameters, a Signature is a
dictionary of byte sequences. Whatever else the grammar knows is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

BareItem = str | int
_MOST_CHARACTERS = 4096
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]{0,63}")
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")


class MalformedField(ValueError):
    """The field is not of the form that is expected of it."""


@dataclass(frozen=True, slots=True)
class InnerList:
    """A list of strings, and parameters in their order."""

    items: tuple[str, ...]
    parameters: tuple[tuple[str, BareItem], ...]

    def serialised(self) -> str:
        """The canonical text (RFC 8941 clause 4.1.1.1): what a signature covers."""
        items = " ".join(_quoted(item) for item in self.items)
        parameters = "".join(
            f";{name}={value if isinstance(value, int) else _quoted(value)}"
            for name, value in self.parameters
        )
        return f"({items}){parameters}"


def parse_inner_list_entry(text: str) -> tuple[str, InnerList]:
    """A dictionary with exactly one entry, an inner list of strings. Raises `MalformedField`."""
    scanner = _Scanner(text)
    label = scanner.take(_KEY)
    scanner.expect("=(")
    items: list[str] = []
    while True:
        scanner.skip_spaces()
        if scanner.accept(")"):
            break
        items.append(_unquoted(scanner.take(_STRING)))
        if not scanner.at(" ", ")"):
            raise MalformedField("a covered component with parameters is not supported")
    parameters: dict[str, BareItem] = {}
    while scanner.accept(";"):
        scanner.skip_spaces()
        name = scanner.take(_KEY)
        scanner.expect("=")
        if name in parameters:
            raise MalformedField(f"the parameter {name} comes twice")
        if scanner.at('"'):
            parameters[name] = _unquoted(scanner.take(_STRING))
        else:
            parameters[name] = int(scanner.take(_INTEGER))
    scanner.end()
    return label, InnerList(tuple(items), tuple(parameters.items()))


def parse_bytes_entry(text: str) -> tuple[str, bytes]:
    """A dictionary with exactly one entry, a byte sequence. Raises `MalformedField`."""
    scanner = _Scanner(text)
    label = scanner.take(_KEY)
    scanner.expect("=")
    encoded = scanner.take(_BYTES)
    scanner.end()
    try:
        return label, base64.b64decode(encoded[1:-1], validate=True)
    except binascii.Error as error:
        raise MalformedField("a byte sequence is not base 64") from error


class _Scanner:
    def __init__(self, text: str) -> None:
        if len(text) > _MOST_CHARACTERS:
            raise MalformedField(f"more than {_MOST_CHARACTERS} characters")
        self._text = text.strip(" ")
        self._at = 0

    def take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise MalformedField(f"unexpected text at character {self._at}")
        self._at = match.end()
        return match[0]

    def at(self, *texts: str) -> bool:
        return self._text.startswith(texts, self._at)

    def accept(self, text: str) -> bool:
        found = self.at(text)
        if found:
            self._at += len(text)
        return found

    def expect(self, text: str) -> None:
        if not self.accept(text):
            raise MalformedField(f"{text!r} is missing at character {self._at}")

    def skip_spaces(self) -> None:
        while self.accept(" "):
            pass

    def end(self) -> None:
        if self._at != len(self._text):
            raise MalformedField("exactly one entry is expected")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])
