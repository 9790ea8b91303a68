"""The file as a whole: every byte belongs to the header, an object or a cross-reference section.

A record is one body with a classical cross-reference table, followed by incremental updates
of the same kind (ISO 32000-1 7.5; ISO 19005-3 6.1.2 to 6.1.4). Objects are found through the
tables and have to fill the space between each other exactly, so nothing can hide in between.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from ocr.conformance.syntax import Scanner, StreamObject, SyntaxViolation, Value
from ocr.record.pdfwriter import Ref

_HEADER = re.compile(rb"%PDF-1\.7\n%[\x80-\xff]{4,}\n")
_TAIL = re.compile(rb"\nstartxref\n(\d{1,12})\n%%EOF\n\Z")
_SUBSECTION = re.compile(rb"(\d+) (\d+)\n")
_ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf]) \n")
_HEAD_BYTES = 1 << 16
_MOST_OBJECT_BYTES = 1 << 24  # of an object without a stream
_MOST_SECTION_BYTES = 1 << 25
_MOST_REVISIONS = 1000
_STREAM = b"\nstream\n"
_OBJECT_END = b"\nendobj\n"
_STREAM_END = b"\nendstream\nendobj\n"
_CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class Revision:
    """One cross-reference section: where it starts and ends, its objects, its trailer."""

    start: int
    end: int
    offsets: Mapping[int, int]
    trailer: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Damage:
    """A breach of the layout: rule, clause, place, message."""

    rule: str
    clause: str
    where: str
    message: str


class LayoutViolation(Exception):
    """The file's layout cannot be followed further; `damage` says why."""

    def __init__(self, rule: str, clause: str, where: str, message: str) -> None:
        super().__init__(message)
        self.damage = Damage(rule, clause, where, message)


class RecordFile:
    """A record on disk. Objects are read when they are asked for, streams by range.

    Raises `LayoutViolation` when the file cannot be followed at all; lesser breaches are in
    `damages`. `fd` stays the caller's.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.size = os.fstat(fd).st_size
        self.damages: list[Damage] = []
        self.body_start = self._header()
        self.revisions = self._revisions()  # oldest first
        self.current: dict[int, int] = {}
        for revision in self.revisions:
            self.current.update(revision.offsets)
        self._ends = self._boundaries()
        self._parsed: dict[int, Value | None] = {}

    @property
    def trailer(self) -> Mapping[str, Value]:
        """The trailer of the last revision."""
        return self.revisions[-1].trailer

    def read(self, start: int, length: int) -> bytes:
        """Bytes of the file."""
        return os.pread(self._fd, length, start)

    def stream_sha256(self, stream: StreamObject) -> str:
        """Digest of a stream's encoded bytes, read in pieces."""
        digest = hashlib.sha256()
        for start in range(stream.start, stream.start + stream.length, _CHUNK):
            digest.update(self.read(start, min(_CHUNK, stream.start + stream.length - start)))
        return digest.hexdigest()

    def get(self, ref: Ref) -> Value | None:
        """The current object of that number; None (with a damage) when it cannot be read."""
        offset = self.current.get(ref.number)
        return None if offset is None else self.at(offset, ref.number)

    def at(self, offset: int, number: int) -> Value | None:
        """The object at an offset."""
        if offset not in self._parsed:
            try:
                self._parsed[offset] = self._object(offset, number)
            except SyntaxViolation as error:
                self._damage("file.object", "6.1.9", f"object {number}", str(error))
                self._parsed[offset] = None
        return self._parsed[offset]

    def every_object(self) -> Iterator[tuple[int, int]]:
        """Number and offset of each object of each revision."""
        for revision in self.revisions:
            yield from revision.offsets.items()

    def _damage(self, rule: str, clause: str, where: str, message: str) -> None:
        self.damages.append(Damage(rule, clause, where, message))

    def _header(self) -> int:
        match = _HEADER.match(self.read(0, 64))
        if match is None:
            raise LayoutViolation(
                "file.header", "6.1.2", "header", "not %PDF-1.7 and a binary comment"
            )
        return match.end()

    def _revisions(self) -> list[Revision]:
        tail = _TAIL.search(self.read(max(0, self.size - 64), 64))
        if tail is None:
            raise LayoutViolation("file.end", "6.1.3", "end", "no startxref and %%EOF at the end")
        start, end = int(tail[1]), self.size
        newest_first: list[Revision] = []
        while len(newest_first) < _MOST_REVISIONS:
            revision = self._revision(start, end)
            newest_first.append(revision)
            previous = revision.trailer.get("Prev")
            if previous is None:
                return newest_first[::-1]
            end = min(revision.offsets.values(), default=start)
            if not isinstance(previous, int) or not self.body_start <= previous < end:
                raise LayoutViolation("file.prev", "6.1.3", "trailer", "/Prev leads nowhere")
            start = previous
        raise LayoutViolation("file.revisions", "6.1.3", "file", "more than 1000 revisions")

    def _revision(self, start: int, end: int) -> Revision:
        where = f"cross-reference at {start}"
        if not self.body_start <= start < end or end - start > _MOST_SECTION_BYTES:
            raise LayoutViolation("file.startxref", "6.1.4", where, "startxref leads nowhere")
        data = self.read(start, end - start)
        if not data.startswith(b"xref\n"):
            raise LayoutViolation("file.xref", "6.1.4", where, "no cross-reference table there")
        offsets, at = self._table(data, where)
        scanner = Scanner(data, at)
        try:
            trailer = scanner.value()
        except SyntaxViolation as error:
            raise LayoutViolation("file.trailer", "6.1.3", where, str(error)) from error
        if not isinstance(trailer, dict):
            raise LayoutViolation("file.trailer", "6.1.3", where, "the trailer is no dictionary")
        if not scanner.rest_is(b"\nstartxref\n%d\n%%%%EOF\n" % start):
            raise LayoutViolation(
                "file.end", "6.1.3", where, "the trailer is not followed by startxref and %%EOF"
            )
        return Revision(start, end, offsets, trailer)

    def _table(self, data: bytes, where: str) -> tuple[dict[int, int], int]:
        """The entries in use, and where the trailer's dictionary begins."""
        offsets: dict[int, int] = {}
        at = len(b"xref\n")
        while not data.startswith(b"trailer\n", at):
            head = _SUBSECTION.match(data, at)
            if head is None:
                raise LayoutViolation("file.xref", "6.1.4", where, "a malformed subsection")
            at = head.end()
            for number in range(int(head[1]), int(head[1]) + int(head[2])):
                entry = _ENTRY.match(data, at)
                if entry is None:
                    raise LayoutViolation("file.xref", "6.1.4", where, "a malformed entry")
                at = entry.end()
                if (entry[3] == b"f") != (number == 0) or int(entry[2]) != (0 if number else 65535):
                    raise LayoutViolation(
                        "file.xref", "6.1.4", where, f"object {number} is free, or not new"
                    )
                if number:
                    offsets[number] = int(entry[1])
        return offsets, at + len(b"trailer\n")

    def _boundaries(self) -> dict[int, int]:
        """Where each object ends: at the next object, or at its cross-reference section."""
        ends: dict[int, int] = {}
        begin = self.body_start
        for revision in self.revisions:
            marks = [*sorted(revision.offsets.values()), revision.start]
            if marks[0] != begin:
                self._damage("file.gap", "6.1.9", f"byte {begin}", "bytes that belong to no object")
            if len(set(marks)) != len(marks) or marks[-1] != max(marks):
                raise LayoutViolation(
                    "file.xref", "6.1.4", f"cross-reference at {revision.start}", "objects overlap"
                )
            ends.update(pairwise(marks))
            begin = revision.end
        return ends

    def _object(self, offset: int, number: int) -> Value:
        end = self._ends[offset]
        size = end - offset
        data = self.read(offset, min(size, _HEAD_BYTES))
        if size > len(data) and _STREAM not in data:
            if size > _MOST_OBJECT_BYTES:
                raise SyntaxViolation("larger than 16 MB without a stream")
            data = self.read(offset, size)
        head = b"%d 0 obj\n" % number
        if not data.startswith(head):
            raise SyntaxViolation("the cross-reference table does not point to it")
        scanner = Scanner(data, len(head))
        value = scanner.value()
        if scanner.rest_is(_OBJECT_END):
            return value
        if not isinstance(value, dict) or not data.startswith(_STREAM, scanner.at):
            raise SyntaxViolation("neither endobj nor a stream follows its value")
        start = offset + scanner.at + len(_STREAM)
        length = value.get("Length")
        if not isinstance(length, int) or start + length + len(_STREAM_END) != end:
            raise SyntaxViolation("/Length is not the length of its stream (6.1.7.1)")
        if self.read(start + length, len(_STREAM_END)) != _STREAM_END:
            raise SyntaxViolation("its stream does not end with endstream")
        return StreamObject(value, start, length)
