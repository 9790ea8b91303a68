"""Who points at an object: the roles that it plays in a file, wherever they come from.

Threat: one object in two roles. A save may replace a /Certs array of validation data; when the
signed file had prepared the same array as the /Contents of a page, the page changes with it
(shadow attacks). And a number that the signed file already refers to, but does not define, is a
hole in the signed page that a later save may fill.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterator
from dataclasses import dataclass

from signer.verification.file.pdf_objects import (
    Dictionary,
    PDFSyntaxError,
    Ref,
    Stream,
    Value,
)
from signer.verification.file.structure import Document, View
from signer.verification.file.xref import Entry

_NUMBER = re.compile(rb"(\d{1,10})(?=[\x00\t\n\x0c\r %])")
_SMALL = 1 << 12  # bytes: above, a stream is likely, and reading its dictionary is cheaper
_TRAILER_KEYS = (("Root",), ("Info",))  # of a cross-reference stream: it is a trailer too
_UNREADABLE: tuple[str, ...] = (
    "?",
)  # the keys of a reference in an object that a strict reader cannot read


@dataclass(frozen=True, slots=True)
class Reference:
    """`keys` lead from the object `source` to the reference; array positions are left out."""

    source: int
    keys: tuple[str, ...]


class References:
    """All references to what any later revision defines. Reads every object once."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._wanted = {n for r in document.revisions[1:] for n in r.entries}
        self._sections = {r.offset for r in document.revisions}
        self._found: dict[int, list[tuple[Entry, Reference]]] = {}
        for revision in document.revisions:
            view = document.view(revision.index)
            for number, entry in revision.entries.items():
                if not entry.is_free:
                    self._read(view, number, entry)

    def to(self, number: int, view: View) -> Iterator[Reference]:
        """The references to object `number` in the objects of `view`."""
        for entry, reference in self._found.get(number, ()):
            if view.entry(reference.source) == entry:
                yield reference

    def _read(self, view: View, number: int, entry: Entry) -> None:
        try:
            if entry.container:
                value = view.get(number)
            else:
                if not self._mentioned(entry.offset):
                    return
                value = self._document.head_at(entry, number)
        except PDFSyntaxError:
            # what a strict reader cannot read may mean anything to a forgiving one
            found = [(target, _UNREADABLE) for target in self._mentioned(entry.offset)]
        else:
            found = list(_references(value, self._wanted))
            if entry.offset in self._sections:
                found = [(n, keys) for n, keys in found if keys[:1] not in _TRAILER_KEYS]
        for target, keys in found:
            self._found.setdefault(target, []).append((entry, Reference(number, keys)))

    def _mentioned(self, offset: int) -> set[int]:
        """The wanted numbers that the bytes of the object at `offset` may mention."""
        offsets = self._document.object_offsets
        following = bisect.bisect_right(offsets, offset)
        end = offsets[following] if following < len(offsets) else len(self._document.data)
        if end - offset > _SMALL:
            return self._wanted
        chunk = self._document.data[offset:end]
        return self._wanted.intersection(map(int, _NUMBER.findall(chunk)))


def _references(value: Value, wanted: set[int]) -> Iterator[tuple[int, tuple[str, ...]]]:
    stack: list[tuple[Value, tuple[str, ...]]] = [(value, ())]
    while stack:
        item, keys = stack.pop()
        if isinstance(item, Ref):
            if item.number in wanted:
                yield item.number, keys
        elif isinstance(item, Stream | Dictionary):
            inner = item.dictionary if isinstance(item, Stream) else item
            stack += [(v, (*keys, k)) for k, v in inner.items() if not _is_plain(v)]
        elif isinstance(item, list):
            stack += [(v, keys) for v in item if not _is_plain(v)]


def _is_plain(value: Value) -> bool:
    return not isinstance(value, Ref | Dictionary | list | Stream)
