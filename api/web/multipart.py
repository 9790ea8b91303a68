"""Reads multipart/form-data as it comes: small named entries to memory, one document to an intake.

The framework's own form parser would write each document twice, once to a file of its own. File
names are not even looked at (security.md 23).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from api.errors import MalformedRequest

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

    from api.web.intake import Intake

_ENTRY_BYTES = 64 * 1024
_HEADER_BYTES = 4096
_PARTS = 16


async def read_form(
    content_type: str,
    stream: AsyncIterator[bytes],
    intake: Intake,
    *,
    document: str,
    entries: Collection[str],
) -> dict[str, bytes]:
    """Read a form to its end: the part named `document` into `intake`, the others returned.

    Raises `MalformedRequest` for a form that cannot be read, a part with another name than
    `document` and `entries`, one that comes twice, and one that is missing.
    """
    reader = _Reader(content_type, document, frozenset(entries))
    async for piece in stream:
        reader.feed(piece)
        for data in reader.taken():
            await intake.write(data)
    return reader.finish()


class _Reader:
    def __init__(self, content_type: str, document: str, entries: frozenset[str]) -> None:
        _, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not boundary:
            raise _malformed("thiếu boundary / the boundary is missing")
        callbacks: MultipartCallbacks = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_name,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._named,
            "on_part_data": self._data,
            "on_end": self._end,
        }
        try:
            self._parser = MultipartParser(boundary, callbacks)
        except FormParserError as error:
            raise _malformed("boundary sai / the boundary is unusable") from error
        self._document = document
        self._allowed = entries | {document}
        self._entries: dict[str, bytearray] = {}
        self._seen: set[str] = set()
        self._out: list[bytes] = []
        self._is_whole = False
        self._current: str | None = None
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.write(piece)
        except FormParserError as error:
            raise _malformed("không đúng khuôn dạng / it is no form") from error

    def taken(self) -> list[bytes]:
        """The pieces of the document that the last `feed` brought."""
        out, self._out = self._out, []
        return out

    def finish(self) -> dict[str, bytes]:
        missing = self._allowed - self._seen
        if not self._is_whole or missing:
            names = ", ".join(sorted(missing)) or "--"
            raise _malformed(f"thiếu phần {names} / it ends early or lacks {names}")
        return {name: bytes(data) for name, data in self._entries.items()}

    def _begin(self) -> None:
        self._current = None
        self._disposition = b""
        if len(self._seen) > _PARTS:
            raise _malformed("quá nhiều phần / too many parts")

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]
        self._bounded()

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]
        self._bounded()

    def _bounded(self) -> None:
        if len(self._header) + len(self._value) > _HEADER_BYTES:
            raise _malformed("tiêu đề của phần quá dài / a part's header is too long")

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _named(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode("utf-8", "replace")
        if name not in self._allowed or name in self._seen:
            wanted = ", ".join(sorted(self._allowed))
            raise _malformed(
                f"chỉ nhận các phần {wanted}, mỗi phần một lần / the parts are {wanted}, each once"
            )
        self._seen.add(name)
        self._current = name
        if name != self._document:
            self._entries[name] = bytearray()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._current == self._document:
            self._out.append(data[start:end])
        elif self._current is not None:
            entry = self._entries[self._current]
            entry += data[start:end]
            if len(entry) > _ENTRY_BYTES:
                raise _malformed(
                    f"phần {self._current} quá dài / the part {self._current} is too long"
                )

    def _end(self) -> None:
        self._is_whole = True


def _malformed(reason: str) -> MalformedRequest:
    vietnamese, _, english = reason.partition(" / ")
    return MalformedRequest(
        f"Biểu mẫu multipart không đọc được: {vietnamese}. / The multipart form cannot be read: "
        f"{english}.",
        field="body",
    )
