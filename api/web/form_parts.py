"""multipart/form-data (RFC 7578) as it comes: parts with their names, their bytes, their ends.

The framework's own form parser would write each document twice, once to a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_HEADER_BYTES = 8192

Refusal = Callable[[str], Exception]
"""The error for a form that cannot be read, from the reason ("Vietnamese / English")."""


@dataclass(frozen=True, slots=True)
class Part:
    """The beginning of a part; `file_name` is None where it is an entry and no file."""

    name: str
    file_name: str | None


Event = Part | bytes | None
"""A part's beginning, a piece of it, its end (None)."""


class FormParts:
    """Reads one form of at most `most` parts. Raises what `refusal` makes of a reason."""

    def __init__(self, content_type: str, most: int, refusal: Refusal) -> None:
        self._most = most
        self._refusal = refusal
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise refusal("thiếu boundary / the boundary is missing")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._named,
            "on_part_data": self._data,
            "on_part_end": lambda: self._events.append(None),
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise refusal("boundary sai / the boundary is unusable") from error
        self._events: list[Event] = []
        self._name, self._value, self._disposition = bytearray(), bytearray(), b""
        self._parts = 0
        self.is_whole = False

    def feed(self, piece: bytes) -> list[Event]:
        """What `piece` brings. `is_whole` is set once the form's end was seen."""
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise self._refusal("không đúng khuôn dạng / it is no form") from error
        events, self._events = self._events, []
        return events

    def _begin(self) -> None:
        self._parts += 1
        self._disposition = b""
        if self._parts > self._most:
            raise self._refusal("quá nhiều phần / too many parts")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]
        self._bounded()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded()

    def _bounded(self) -> None:
        if len(self._name) + len(self._value) > _HEADER_BYTES:
            raise self._refusal("tiêu đề của phần quá dài / a part's header is too long")

    def _header_end(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _named(self) -> None:
        _, options = parse_options_header(self._disposition)
        file_name = options.get(b"filename")
        shown = None if file_name is None else file_name.decode("utf-8", "replace")
        self._events.append(Part(options.get(b"name", b"").decode("utf-8", "replace"), shown))

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end(self) -> None:
        self.is_whole = True
