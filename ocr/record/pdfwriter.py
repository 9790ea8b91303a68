"""A small streaming PDF writer: each object goes to the file at once and is forgotten.

Memory holds one offset an object, so 300 scans cost no more than one. The bytes depend on
the objects alone: no clock, no random numbers, and /ID is a digest of the file's own bytes
(ISO 32000-1 14.4 leaves its making to the writer). The syntax keeps to ISO 19005-1 6.1 and
ISO 19005-3 6.1, so the same writer serves both parts: classical cross-reference table, a
binary comment after the header, even-length hexadecimal strings, exact /Length.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from ocr.errors import OutputError

_CHUNK_BYTES = 1 << 18
_REGULAR = re.compile(rb"[A-Za-z0-9._+-]")  # name bytes that are written as they are
_INTEGER_LIMIT = 2**31 - 1  # ISO 19005-1 6.1.12
_REAL_LIMIT = 32767  # ISO 19005-1 6.1.12, the narrowest of the parts


class Name(str):
    """A PDF name without its solidus."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Ref:
    """An indirect reference of generation 0."""

    number: int


Value: TypeAlias = (
    "Name | Ref | str | bytes | bool | int | float | Sequence[Value] | Mapping[str, Value]"
)


def number(value: float) -> str:
    """A PDF number: at most 4 decimals, no exponent, no trailing zeros, no minus zero."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def serialise(value: Value) -> bytes:
    """Write a value in PDF syntax (ISO 32000-1 7.3).

    `str` is a text string (ASCII as a literal, else UTF-16BE), `bytes` a byte string.
    Raises ValueError for numbers beyond the limits that every part of ISO 19005 shares.
    """
    match value:
        case Name():
            return b"/" + b"".join(
                bytes([b]) if _REGULAR.match(bytes([b])) else b"#%02X" % b
                for b in value.encode("utf-8")
            )
        case Ref():
            return b"%d 0 R" % value.number
        case bool():
            return b"true" if value else b"false"
        case int():
            if abs(value) > _INTEGER_LIMIT:
                raise ValueError(f"integer {value} is beyond the PDF/A limit")
            return b"%d" % value
        case float():
            if not abs(value) <= _REAL_LIMIT:  # also refuses NaN
                raise ValueError(f"number {value} is beyond the PDF/A limit")
            return number(value).encode()
        case str():
            return _text_string(value)
        case bytes():
            return b"<" + value.hex().upper().encode() + b">"
        case Mapping():
            inner = b" ".join(serialise(Name(k)) + b" " + serialise(v) for k, v in value.items())
            return b"<< " + inner + b" >>"
        case _:
            return b"[" + b" ".join(serialise(v) for v in value) + b"]"


def _text_string(value: str) -> bytes:
    if value.isascii() and value.isprintable():
        literal = value.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        return b"(" + literal.encode("ascii") + b")"
    return serialise(b"\xfe\xff" + value.encode("utf-16-be"))


class PDFWriter:
    """Writes one PDF to a binary stream, front to back. Not thread-safe.

    Errors of the stream itself pass as `OSError`; the owner of the file translates them.
    """

    def __init__(self, out: BinaryIO, *, version: str) -> None:
        """Start the file. `version` is the header's, such as ``1.7``."""
        self._out = out
        self._position = 0
        self._offsets: list[int | None] = []  # index n: object n + 1; None: reserved
        self._digest = hashlib.sha256()
        # four bytes above 127 mark the file as binary (ISO 19005-3 6.1.2)
        self._write(b"%PDF-" + version.encode() + b"\n%\xc7\xa7\xe2\xa7\n")

    @property
    def sha256(self) -> str:
        """Digest of all bytes written so far, hexadecimal."""
        return self._digest.hexdigest()

    @property
    def size_bytes(self) -> int:
        """Number of bytes written so far."""
        return self._position

    def reserve(self) -> Ref:
        """Take an object number whose object is written later."""
        self._offsets.append(None)
        return Ref(len(self._offsets))

    def add(self, value: Value, ref: Ref | None = None) -> Ref:
        """Write an indirect object, under a reserved number if `ref` is given."""
        ref = self._begin(ref)
        self._write(serialise(value) + b"\nendobj\n")
        return ref

    def add_serialised(self, body: bytes) -> Ref:
        """Write an indirect object whose value is in PDF syntax already, streams included."""
        ref = self._begin(None)
        self._write(body + b"\nendobj\n")
        return ref

    def add_stream(
        self,
        entries: Mapping[str, Value],
        data: bytes,
        *,
        compress: bool = True,
        ref: Ref | None = None,
    ) -> Ref:
        """Write a stream object from memory; `entries` get /Length (and /Filter) added."""
        if compress:
            entries = {**entries, "Filter": Name("FlateDecode")}
            data = zlib.compress(data, 9)
        ref = self._begin_stream(entries, len(data), ref)
        self._write(data)
        self._end_stream()
        return ref

    def copy_stream(
        self, entries: Mapping[str, Value], source: Path, ref: Ref | None = None
    ) -> tuple[Ref, str]:
        """Write a stream object whose encoded bytes are those of the file `source`.

        Returns the reference and the SHA-256 of those bytes in hexadecimal. The file is
        copied in chunks. Raises `OutputError` when it cannot be read or changes meanwhile.
        """
        digest = hashlib.sha256()
        try:
            length = source.stat().st_size
        except OSError as error:
            raise _source_error(source, error) from error
        ref = self._begin_stream(entries, length, ref)
        copied = 0
        for chunk in read_chunks(source):
            digest.update(chunk)
            copied += len(chunk)
            self._write(chunk)
        if copied != length:
            raise OutputError(f"image file {source.name} changed while it was read; run again")
        self._end_stream()
        return ref, digest.hexdigest()

    def finish(self, *, root: Ref, info: Ref) -> None:
        """Write the cross-reference table and the trailer.

        Raises ValueError when a reserved object was never written.
        """
        start = self._position
        rows = [b"0000000000 65535 f \n"]
        for index, offset in enumerate(self._offsets, 1):
            if offset is None:
                raise ValueError(f"object {index} was reserved but never written")
            rows.append(b"%010d 00000 n \n" % offset)
        self._write(b"xref\n0 %d\n" % len(rows) + b"".join(rows))
        file_id = self._digest.digest()[:16]
        trailer: dict[str, Value] = {
            "Size": len(rows),
            "Root": root,
            "Info": info,
            "ID": (file_id, file_id),
        }
        self._write(b"trailer\n" + serialise(trailer) + b"\nstartxref\n%d\n%%%%EOF\n" % start)

    def _begin(self, ref: Ref | None) -> Ref:
        ref = ref or self.reserve()
        if self._offsets[ref.number - 1] is not None:
            raise ValueError(f"object {ref.number} is already written")
        self._offsets[ref.number - 1] = self._position
        self._write(b"%d 0 obj\n" % ref.number)
        return ref

    def _begin_stream(self, entries: Mapping[str, Value], length: int, ref: Ref | None) -> Ref:
        ref = self._begin(ref)
        self._write(serialise({**entries, "Length": length}) + b"\nstream\n")
        return ref

    def _end_stream(self) -> None:
        self._write(b"\nendstream\nendobj\n")

    def _write(self, data: bytes) -> None:
        self._out.write(data)
        self._digest.update(data)
        self._position += len(data)


def read_chunks(source: Path) -> Iterator[bytes]:
    """Yield the file's bytes in pieces. Raises `OutputError` when it cannot be read."""
    try:
        with source.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise _source_error(source, error) from error


def _source_error(source: Path, cause: OSError) -> OutputError:
    reason = cause.strerror or str(cause)
    return OutputError(f"image file {source.name} cannot be read again: {reason}; run again")
