"""Writes PDF files and incremental saves as an attacker needs them: every lie is possible.

save = Save(signed)
save.put(5, stream(b"BT … ET"))
number = save.add(b"<< … >>")
forged = save.table()                # or .stream(), .packed(): the three kinds of sections
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Mapping

import pikepdf

from signer.verification.file.pdf_objects import Dictionary, Name, PDFString, Ref, Stream, Value
from signer.verification.file.structure import Document

Row = tuple[int, int, int]  # type, field 2, field 3, as in a cross-reference stream


def stream(data: bytes, entries: bytes = b"", *, packed: bool = False) -> bytes:
    """A stream object's body."""
    if packed:
        data, entries = zlib.compress(data), entries + b" /Filter /FlateDecode"
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


class Save:
    """One incremental save after `data`, or a whole new file when `data` is a header."""

    def __init__(self, data: bytes, *, size: int | None = None) -> None:
        self.data = data if data.endswith(b"\n") else data + b"\n"
        self.objects: dict[int, bytes] = {}
        self.generations: dict[int, int] = {}
        self.rows: dict[int, Row] = {}  # entries told as they are, right or wrong
        self.entries: dict[bytes, bytes] = {}  # of the trailer
        self.junk = b""  # before the objects
        self.tail = b""  # behind the trailer, before startxref
        self._size = size
        found = re.findall(rb"startxref\s+(\d+)", data)
        if found:
            self.entries[b"/Prev"] = found[-1]
            self._inherit()

    def _inherit(self) -> None:
        with pikepdf.open(io.BytesIO(self.data)) as pdf:
            self._size = self._size or int(pdf.trailer["/Size"])
            self.entries[b"/Root"] = b"%d 0 R" % pdf.Root.objgen[0]
            if "/Info" in pdf.trailer:
                self.entries[b"/Info"] = b"%d 0 R" % pdf.trailer["/Info"].objgen[0]
            if "/ID" in pdf.trailer:
                parts = [b"<%s>" % bytes(p).hex().encode() for p in pdf.trailer["/ID"]]
                self.entries[b"/ID"] = b"[%s]" % b" ".join(parts)

    def put(self, number: int, body: bytes, generation: int = 0) -> None:
        """Write object `number`."""
        self.objects[number] = body
        self.generations[number] = generation

    def add(self, body: bytes) -> int:
        """Write a new object; returns its number."""
        number = max([(self._size or 1) - 1, *self.objects]) + 1
        self.put(number, body)
        return number

    def free(self, number: int) -> None:
        """Say that `number` is not in use."""
        self.rows[number] = (0, 0, 65535)

    @property
    def size(self) -> int:
        """One more than the highest number."""
        return max([self._size or 1, *(n + 1 for n in (*self.objects, *self.rows))])

    def body(self) -> tuple[bytearray, dict[int, Row]]:
        """The file up to the objects, and where these are."""
        out = bytearray(self.data + self.junk)
        places: dict[int, Row] = {}
        for number, body in self.objects.items():
            generation = self.generations[number]
            places[number] = (1, len(out), generation)
            out += b"%d %d obj\n%s\nendobj\n" % (number, generation, body)
        return out, {**places, **self.rows}

    def table(self) -> bytes:
        """With a cross-reference table."""
        out, rows = self.body()
        start = len(out)
        out += table_of(rows) + b"trailer\n" + self._trailer() + b"\n" + self.tail
        return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)

    def stream(self) -> bytes:
        """With a cross-reference stream."""
        out, rows = self.body()
        return bytes(self._stream_section(out, rows))

    def packed(self) -> bytes:
        """With an object stream, for all that may stand in one, and a cross-reference stream."""
        plain = {n: b for n, b in self.objects.items() if b"endstream" not in b}
        streams = {n: b for n, b in self.objects.items() if n not in plain}
        self.objects = streams
        holder = self.size if not plain else max(self.size, max(plain) + 1)
        self.put(holder, object_stream(list(plain.items())))
        out, rows = self.body()
        rows |= {n: (2, holder, index) for index, n in enumerate(plain) if n not in self.rows}
        return bytes(self._stream_section(out, rows))

    def hybrid(self, hidden: Mapping[int, Row]) -> bytes:
        """With a table for old readers and a stream for new ones, which lists `hidden`."""
        out, rows = self.body()
        number = self.size
        self.entries[b"/XRefStm"] = b"%d" % len(out)
        out += b"%d 0 obj\n" % number + self._stream_object(dict(hidden), {}) + b"\nendobj\n"
        start = len(out)
        self._size = max(self.size, number + 1)
        out += table_of(rows) + b"trailer\n" + self._trailer() + b"\n"
        return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)

    def _trailer(self) -> bytes:
        entries = {b"/Size": b"%d" % self.size, **self.entries}
        return b"<< " + b" ".join(b"%s %s" % pair for pair in entries.items()) + b" >>"

    def _stream_section(self, out: bytearray, rows: dict[int, Row]) -> bytearray:
        number, start = max([self.size, *(n + 1 for n in rows)]), len(out)
        rows = {**rows, number: (1, start, 0)}
        entries = {b"/Size": b"%d" % (number + 1), **self.entries}
        out += b"%d 0 obj\n" % number + self._stream_object(rows, entries) + b"\nendobj\n"
        return out + self.tail + b"startxref\n%d\n%%%%EOF\n" % start

    def _stream_object(self, rows: dict[int, Row], entries: dict[bytes, bytes]) -> bytes:
        entries = {b"/Size": b"%d" % self.size, **entries}
        listed = sorted(rows)
        data = b"".join(
            bytes([rows[n][0]]) + rows[n][1].to_bytes(4) + rows[n][2].to_bytes(2) for n in listed
        )
        index = b" ".join(b"%d 1" % n for n in listed)
        head = b"/Type /XRef /W [1 4 2] /Index [%s] " % index
        return stream(data, head + b" ".join(b"%s %s" % pair for pair in entries.items()))


def table_of(rows: Mapping[int, Row]) -> bytes:
    """A cross-reference table, each entry in a subsection of its own."""
    out = b"xref\n"
    for number, (kind, place, generation) in sorted(rows.items()):
        out += b"%d 1\n%010d %05d %s \n" % (number, place, generation, b"n" if kind else b"f")
    return out


def object_stream(objects: list[tuple[int, bytes]]) -> bytes:
    """An object stream with these objects in this order."""
    head, body = b"", b""
    for number, text in objects:
        head += b"%d %d " % (number, len(body))
        body += text + b"\n"
    entries = b"/Type /ObjStm /N %d /First %d" % (len(objects), len(head))
    return stream(head + body, entries, packed=True)


def written(value: Value) -> bytes:
    """A value as it stands in a file."""
    if isinstance(value, Stream):
        return written(value.dictionary) + b"\nstream\n" + value.raw + b"\nendstream"
    if isinstance(value, Dictionary):
        return b"<< %s >>" % b" ".join(written(Name(k)) + b" " + written(value[k]) for k in value)
    if isinstance(value, list):
        return b"[%s]" % b" ".join(map(written, value))
    if isinstance(value, Ref):
        return b"%d %d R" % (value.number, value.generation)
    if isinstance(value, PDFString):
        return b"(%s)" % re.sub(rb"([()\\\\])", rb"\\\1", value.value)
    if isinstance(value, Name):
        return b"/" + re.sub(rb"[^!-~]|#", lambda m: b"#%02x" % m[0][0], value.encode("latin-1"))
    if value is None or isinstance(value, bool):
        return {None: b"null", True: b"true", False: b"false"}[value]
    return str(value).encode()


def current(data: bytes, number: int) -> bytes:
    """Object `number` as it is now, nothing pulled down from its parents."""
    return written(Document(data).current.get(number))
