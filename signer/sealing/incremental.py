"""Appends revisions to a PDF (ISO 32000-1 7.5.6) without touching a byte that is there.

The copy is hashed while it is written and the running digests are carried from revision to
revision, so that each byte is read once and hashed once however many signatures follow.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from signer.errors import UnsuitableDocument
from signer.sealing.document import SourceDocument
from signer.sealing.syntax import Ref, Value, dump, load, stream

_CHUNK = 256 * 1024  # stays in the cache between hashing and writing
_BYTE_RANGE = b"/ByteRange [0"
_BYTE_RANGE_WIDTH = 48  # three more integers, whatever their length


class SealedFile:
    """A file that grows at its end; knows the digest of all that was written to it.

    Owns nothing: `fd` belongs to the caller. The digests are of the very buffers handed to
    `write`, not of a second reading. Raises `OSError` (disk full, input/output error).
    """

    def __init__(self, fd: int, digest_names: Iterable[str]) -> None:
        self.fd = fd
        self.size = 0
        self._digests = {name: hashlib.new(name) for name in dict.fromkeys(digest_names)}

    def copy_from(self, source_fd: int) -> None:
        """Append everything that `source_fd` holds from its current position."""
        buffer = bytearray(_CHUNK)
        view = memoryview(buffer)
        while count := os.readv(source_fd, [buffer]):
            self.append(view[:count])

    def append(self, data: bytes | bytearray | memoryview) -> None:
        """Append and hash `data`."""
        for digest in self._digests.values():
            digest.update(data)
        self.write_hashed(data)

    def write_hashed(self, data: bytes | bytearray | memoryview) -> None:
        """Append `data` whose bytes the caller has fed to the digests already."""
        view = memoryview(data)
        self.size += len(view)
        while view:
            view = view[os.write(self.fd, view) :]

    def prefix(self, digest_name: str) -> Prefix:
        """The state now, for a check after more was appended."""
        return Prefix(self.size, self._digests[digest_name].copy())

    def digests(self) -> Mapping[str, hashlib._Hash]:
        """The running digests, to be fed or copied."""
        return self._digests


@dataclass(frozen=True, slots=True)
class Prefix:
    """The file before a revision: its size, and its running digest (copy it before feeding)."""

    size: int
    digest: hashlib._Hash


@dataclass(frozen=True, slots=True)
class SignatureHole:
    """A signature dictionary with room for /Contents.

    `entries` lack /Contents and /ByteRange; `digest_name` is what `fill` wants the byte range
    hashed with; `fill` turns that digest into the DER that goes into /Contents.
    """

    entries: dict[str, Value]
    reserved: int  # bytes, before hexadecimal
    digest_name: str
    fill: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Filled:
    """Where a signature landed: file offsets of the /Contents string with its brackets."""

    contents_start: int
    contents_end: int
    revision_end: int


class Revisions:
    """Edits a document in memory and appends what changed, one revision after the other.

    Implements the `ObjectSink` of `signer.sealing.stamp`. Not safe for several threads.
    """

    def __init__(self, source: SourceDocument, target: SealedFile) -> None:
        self._source = source
        self._target = target
        section = source.cross_reference
        self._previous = section.start
        self._is_stream = section.is_stream
        self._next = section.size
        self._root, self._info, self._identifier = section.root, section.info, section.identifier
        self._objects: dict[Ref, Value] = {}
        self._bodies: dict[Ref, bytes] = {}
        self._dirty: dict[Ref, None] = {}

    @property
    def root(self) -> Ref:
        """The document catalog."""
        return self._root

    def allocate(self) -> Ref:
        """A number for a new object, which `put` or `add` fills."""
        ref = Ref(self._next)
        self._next += 1
        return ref

    def add(self, body: bytes) -> int:
        """Append a serialised object to this revision and return its number."""
        ref = self.allocate()
        self._bodies[ref] = body
        return ref.number

    def add_stream(self, data: bytes) -> Ref:
        """Append an unfiltered stream and return its reference."""
        return Ref(self.add(stream({}, data)))

    def put(self, ref: Ref, value: Value) -> None:
        """Make `value` the object `ref` as of this revision."""
        self._objects[ref] = value
        self._dirty[ref] = None

    def touch(self, ref: Ref) -> None:
        """Write the object again: a value inside it was edited in place."""
        self._dirty[ref] = None

    def value(self, ref: Ref) -> Value:
        """The object as edited so far; edit it in place and `touch` it."""
        if ref not in self._objects:
            self._objects[ref] = load(self._source.object(ref))
        return self._objects[ref]

    def dictionary(self, ref: Ref) -> dict[str, Value]:
        """The object `ref`, which has to be a dictionary."""
        value = self.value(ref)
        if not isinstance(value, dict):
            raise UnsuitableDocument(
                f"Đối tượng {ref.number} phải là từ điển; hãy xuất lại tài liệu từ nguồn. / Object "
                f"{ref.number} should be a dictionary; re-create the document from its source."
            )
        return value

    def child(self, owner: Ref, container: Mapping[str, Value], key: str) -> tuple[Ref, Value]:
        """What `container[key]` leads to (b"null" when absent) and the object to touch for it.

        `owner` is the indirect object that `container` lies in.
        """
        value = container.get(key, b"null")
        if isinstance(value, Ref):
            return value, self.value(value)
        return owner, value

    def append(self, owner: Ref, container: dict[str, Value], key: str, item: Ref) -> None:
        """Append to the array `container[key]`, wherever it lies; made when there is none."""
        holder, listed = self.child(owner, container, key)
        if isinstance(listed, list):
            listed.append(item)
            self.touch(holder)
        else:
            container[key] = [item]
            self.touch(owner)

    def commit(self) -> None:
        """Append a revision that carries no signature. Raises `OSError`."""
        body, offsets = self._begin()
        self._end(body, offsets)
        self._target.append(body)

    def commit_signed(self, ref: Ref, hole: SignatureHole) -> Filled:
        """Append the revision with `ref` as its signature dictionary, once `fill` has signed it.

        Nothing of the revision is written before its signature exists. Raises whatever `fill`
        raises, and `OSError`.
        """
        body, offsets = self._begin()
        offsets[ref] = self._target.size + len(body)
        body += b"%d %d obj\n" % ref
        gap = _write_hole(body, hole)
        self._end(body, offsets)
        return self._fill(body, gap, hole)

    def _begin(self) -> tuple[bytearray, dict[Ref, int]]:
        """The objects of the revision that is due, and the file offset of each."""
        last = os.pread(self._target.fd, 1, self._target.size - 1)
        body = bytearray() if last in {b"\n", b"\r"} else bytearray(b"\n")
        offsets: dict[Ref, int] = {}
        due = [(ref, dump(self._objects[ref])) for ref in self._dirty]
        for ref, raw in (*self._bodies.items(), *due):
            offsets[ref] = self._target.size + len(body)
            body += b"%d %d obj\n" % ref + raw + b"\nendobj\n"
        self._bodies, self._dirty = {}, {}
        return body, offsets

    def _end(self, body: bytearray, offsets: dict[Ref, int]) -> None:
        """Append the cross-reference section; the next revision will point back to it."""
        start = self._target.size + len(body)
        self._write_section(body, offsets, start)
        body += b"startxref\n%d\n%%%%EOF\n" % start
        self._previous = start

    def _write_section(self, body: bytearray, offsets: dict[Ref, int], start: int) -> None:
        trailer: dict[str, Value] = {"/Root": self._root, "/Prev": b"%d" % self._previous}
        if self._info is not None:
            trailer["/Info"] = self._info
        if self._identifier:
            trailer["/ID"] = [b"<" + half.hex().encode("ascii") + b">" for half in self._identifier]
        if self._is_stream:
            own = self.allocate()
            offsets[own] = start
            trailer["/Size"] = b"%d" % self._next
            body += b"%d %d obj\n" % own
            body += _stream_section(offsets, trailer)
            body += b"\nendobj\n"
        else:
            trailer["/Size"] = b"%d" % self._next
            body += _table_section(offsets)
            body += b"trailer\n" + dump(trailer) + b"\n"

    def _fill(self, body: bytearray, gap: tuple[int, int], hole: SignatureHole) -> Filled:
        start, end = gap
        base = self._target.size
        numbers = b" %d %d %d" % (base + start, base + end, len(body) - end)
        at = body.rindex(_BYTE_RANGE, 0, start) + len(_BYTE_RANGE)
        body[at : at + len(numbers)] = numbers
        view = memoryview(body)
        running = self._target.digests()
        for digest in running.values():
            digest.update(view[:start])
        covered = running[hole.digest_name].copy()
        covered.update(view[end:])
        contents = hole.fill(covered.digest()).ljust(hole.reserved, b"\0")
        view[start + 1 : end - 1] = contents.hex().encode("ascii")
        for digest in running.values():
            digest.update(view[start:])
        self._target.write_hashed(view)
        return Filled(base + start, base + end, base + len(body))


def _write_hole(body: bytearray, hole: SignatureHole) -> tuple[int, int]:
    """Write the signature dictionary; return where its /Contents string lies in `body`."""
    body += dump(hole.entries)[:-2] + _BYTE_RANGE + b" " * _BYTE_RANGE_WIDTH + b"] /Contents "
    start = len(body)
    body += b"<" + b"0" * (2 * hole.reserved) + b">"
    end = len(body)
    body += b" >>\nendobj\n"
    return start, end


def _runs(offsets: Mapping[Ref, int]) -> list[list[Ref]]:
    """The objects in order, cut where the numbers are not consecutive."""
    runs: list[list[Ref]] = []
    for ref in sorted(offsets):
        if runs and runs[-1][-1].number + 1 == ref.number:
            runs[-1].append(ref)
        else:
            runs.append([ref])
    return runs


def _table_section(offsets: Mapping[Ref, int]) -> bytes:
    """A cross-reference table (7.5.4): twenty bytes an entry."""
    lines = [b"xref\n0 1\n0000000000 65535 f \n"]
    for run in _runs(offsets):
        lines.append(b"%d %d\n" % (run[0].number, len(run)))
        lines += [b"%010d %05d n \n" % (offsets[ref], ref.generation) for ref in run]
    return b"".join(lines)


def _stream_section(offsets: Mapping[Ref, int], trailer: dict[str, Value]) -> bytes:
    """A cross-reference stream (7.5.8): type, offset, generation of each object."""
    index: list[Value] = []
    rows = bytearray()
    for run in _runs(offsets):
        index += [b"%d" % run[0].number, b"%d" % len(run)]
        for ref in run:
            rows += b"\x01" + offsets[ref].to_bytes(5, "big") + ref.generation.to_bytes(2, "big")
    widths: list[Value] = [b"1", b"5", b"2"]
    return stream({"/Type": b"/XRef", "/W": widths, "/Index": index, **trailer}, bytes(rows))
