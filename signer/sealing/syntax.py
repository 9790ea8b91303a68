"""PDF values as sealing edits them, and how they are written (ISO 32000-1 7.3).

A value is a dictionary (keys with their slash), a list, a `Ref`, or bytes: anything that
sealing never looks into stays serialised, exactly as the reader gave it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import pikepdf

from signer.errors import UnsuitableDocument

_MAX_DEPTH = 100


class Ref(NamedTuple):
    """An indirect reference."""

    number: int
    generation: int = 0


Value: TypeAlias = "bytes | Ref | list[Value] | dict[str, Value]"


def load(value: object, depth: int = 0) -> Value:
    """Turn what pikepdf read into a value; indirect objects inside become `Ref`s.

    Called on an indirect dictionary or array it gives the object itself, not the reference.
    Raises `UnsuitableDocument` for nesting beyond 100 levels.
    """
    if depth > _MAX_DEPTH:
        raise UnsuitableDocument(
            "Tài liệu lồng giá trị quá 100 mức; hãy xuất lại từ nguồn. / The document nests values "
            "more than 100 levels deep; re-create it from its source."
        )
    if isinstance(value, pikepdf.Dictionary):
        if depth and value.is_indirect:
            return Ref(*value.objgen)
        return {key: load(item, depth + 1) for key, item in pairs(value)}
    if isinstance(value, pikepdf.Array):
        if depth and value.is_indirect:
            return Ref(*value.objgen)
        return [load(item, depth + 1) for item in items(value)]
    if isinstance(value, pikepdf.Object):
        return Ref(*value.objgen) if value.is_indirect else value.unparse()
    return _scalar(value)


def pairs(dictionary: object) -> list[tuple[str, object]]:
    """Keys, with their slash, and values of a dictionary; nothing for anything else."""
    return list(dictionary.items()) if isinstance(dictionary, pikepdf.Dictionary) else []


def items(array: object) -> list[object]:
    """The items of an array; nothing for anything else."""
    return list(array) if isinstance(array, pikepdf.Array) else []


def entry(dictionary: object, key: str) -> object:
    """What a dictionary holds under `key`; None when absent or when it is no dictionary."""
    return dictionary.get(key) if isinstance(dictionary, pikepdf.Dictionary) else None


def text_of(value: object) -> str:
    """A name or string as text; what pikepdf cannot decode stays as it is written."""
    try:
        return str(value)
    except UnicodeDecodeError:
        return value.unparse().decode("latin-1") if isinstance(value, pikepdf.Object) else ""


def _scalar(value: object) -> bytes:
    """Serialise what pikepdf turns into native Python: null, booleans and numbers."""
    if value is None:
        return b"null"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, Decimal):
        return format(value, "f").encode("ascii")
    return str(value).encode("ascii")


def dump(value: Value) -> bytes:
    """Serialise a value on one line."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, Ref):
        return b"%d %d R" % value
    if isinstance(value, list):
        return b"[" + b" ".join([dump(item) for item in value]) + b"]"
    parts = [b"<<"]
    for key, item in value.items():
        parts.append(name(key))
        parts.append(dump(item))
    parts.append(b">>")
    return b" ".join(parts)


def stream(entries: dict[str, Value], data: bytes) -> bytes:
    """Serialise a stream; /Length is set here (ISO 32000-1 7.3.8)."""
    header = dump({**entries, "/Length": b"%d" % len(data)})
    return header + b"\nstream\n" + data + b"\nendstream"


@lru_cache(maxsize=1024)  # a document has few names, and each of them often
def name(text: str) -> bytes:
    """Serialise a name, given with its slash; irregular bytes become #xx (7.3.5)."""
    raw = text[1:].encode("utf-8", "surrogateescape")  # as pikepdf decodes what is not UTF-8
    if raw.isalnum():
        return b"/" + raw
    return b"/" + b"".join(
        bytes([c]) if 0x21 <= c <= 0x7E and c not in b"#()<>[]{}/%" else b"#%02X" % c for c in raw
    )


def text_string(text: str) -> bytes:
    """Serialise a text string: a literal for printable ASCII, else UTF-16BE (7.9.2.2)."""
    if text.isascii() and text.isprintable():
        raw = text.encode("ascii")
        for special in (b"\\", b"(", b")"):
            raw = raw.replace(special, b"\\" + special)
        return b"(" + raw + b")"
    return hex_string(b"\xfe\xff" + text.encode("utf-16-be"))


def hex_string(raw: bytes) -> bytes:
    """Serialise bytes as a hexadecimal string."""
    return b"<" + raw.hex().encode("ascii") + b">"


def date(moment: datetime) -> bytes:
    """Serialise an aware datetime as a date string with its offset (7.9.4)."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a PDF date needs an aware datetime")
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    hours, minutes = divmod(abs(minutes), 60)
    return f"(D:{moment:%Y%m%d%H%M%S}{sign}{hours:02d}'{minutes:02d}')".encode("ascii")


def number(value: float) -> bytes:
    """Serialise a coordinate with at most four decimals and no exponent (7.3.3)."""
    text = f"{value:.4f}".rstrip("0").rstrip(".")
    return b"0" if text in {"-0", ""} else text.encode("ascii")


def numbers(values: Iterable[float]) -> list[Value]:
    """Serialise coordinates, for instance a rectangle."""
    return [number(value) for value in values]
