"""A form with one document: small named entries to memory, the document to an intake as it comes.

File names are not even looked at (security.md 23).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from api.errors import MalformedRequest
from api.web.form_parts import Event, FormParts, Part

if TYPE_CHECKING:
    from api.web.intake import Intake

_ENTRY_BYTES = 64 * 1024
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
    reader = _Entries(document, frozenset(entries))
    parts = FormParts(content_type, _PARTS, _malformed)
    async for piece in stream:
        for data in reader.sort(parts.feed(piece)):
            await intake.write(data)
    return reader.finish(is_whole=parts.is_whole)


class _Entries:
    """Sorts the parts of a form: the document's bytes go on, the others are kept."""

    def __init__(self, document: str, entries: frozenset[str]) -> None:
        self._document = document
        self._allowed = entries | {document}
        self._entries: dict[str, bytearray] = {}
        self._seen: set[str] = set()
        self._current: str | None = None

    def sort(self, events: Iterable[Event]) -> Iterator[bytes]:
        """The pieces of the document among `events`."""
        for event in events:
            if isinstance(event, Part):
                self._begin(event.name)
            elif event is not None and self._current == self._document:
                yield event
            elif event is not None and self._current is not None:
                self._extend(self._current, event)

    def finish(self, *, is_whole: bool) -> dict[str, bytes]:
        missing = self._allowed - self._seen
        if not is_whole or missing:
            names = ", ".join(sorted(missing)) or "--"
            raise _malformed(f"thiếu phần {names} / it ends early or lacks {names}")
        return {name: bytes(data) for name, data in self._entries.items()}

    def _begin(self, name: str) -> None:
        if name not in self._allowed or name in self._seen:
            wanted = ", ".join(sorted(self._allowed))
            raise _malformed(
                f"chỉ nhận các phần {wanted}, mỗi phần một lần / the parts are {wanted}, each once"
            )
        self._seen.add(name)
        self._current = name
        if name != self._document:
            self._entries[name] = bytearray()

    def _extend(self, name: str, data: bytes) -> None:
        entry = self._entries[name]
        entry += data
        if len(entry) > _ENTRY_BYTES:
            raise _malformed(f"phần {name} quá dài / the part {name} is too long")


def _malformed(reason: str) -> MalformedRequest:
    vietnamese, _, english = reason.partition(" / ")
    return MalformedRequest(
        f"Biểu mẫu multipart không đọc được: {vietnamese}. / The multipart form cannot be read: "
        f"{english}.",
        field="body",
    )
