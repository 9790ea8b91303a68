"""Frozen dataclasses as JSON and back, exactly: what readings and proposals are kept in.

    packed(value)                    # bytes: canonical JSON, compressed
    unpacked(PageReading, data)      # an equal value

A dataclass is an object of its fields, a tuple an array, a frozenset a sorted array, bytes are
base 64, enums and paths texts. Entries that a class does not know (a newer program's) are passed
over; entries that are missing (an older one's) take the field's default.
"""

from __future__ import annotations

import base64
import enum
import json
import types
import zlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from dossier.errors import StoreError
from dossier.model import JSON

T = TypeVar("T")
_MOST_BYTES = 64 << 20  # of unpacked JSON: a page of ten thousand words has three million


def packed(value: Any) -> bytes:  # noqa: ANN401 - any dataclass
    """The value's JSON, the same for equal values, compressed."""
    text = json.dumps(plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return zlib.compress(text.encode("utf-8", "surrogatepass"), 6)


def unpacked(kind: type[T], data: bytes) -> T:
    """What `packed` made. Raises `StoreError` for bytes that hold no such value."""
    try:
        return made(kind, json.loads(_inflated(data).decode("utf-8", "surrogatepass")))
    except (zlib.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"Dữ liệu đã lưu ({kind.__name__}) không đọc được: {error}; hãy cập nhật chương trình "
            f"hoặc khôi phục từ bản sao lưu. / Stored {kind.__name__} cannot be read ({error}); "
            "update the program, or restore it from a backup."
        ) from error


def _inflated(data: bytes) -> bytes:
    inflate = zlib.decompressobj()
    text = inflate.decompress(data, _MOST_BYTES)
    if not inflate.eof:
        raise ValueError("cut short, or too large")
    return text


def plain(value: Any) -> JSON:  # noqa: ANN401 - any value of a dataclass
    """A value as JSON. Raises TypeError for what is none of the above."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, float):  # 5.0 and 5 are equal, so they are written alike
        return int(value) if value.is_integer() else float(value)
    for kind in (str, int):
        if isinstance(value, kind):
            return kind(value)  # of a subclass the plain one
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, frozenset):
        return sorted((plain(one) for one in value), key=lambda one: json.dumps(one))
    if isinstance(value, tuple | list):
        return [plain(one) for one in value]
    raise TypeError(f"{type(value).__name__} is no plain value")


def made(kind: type[T], entries: JSON) -> T:
    """The value of a dataclass from its JSON. Raises KeyError, ValueError, TypeError."""
    wanted: Any = kind
    value: T = _maker(wanted)(entries)
    return value


@cache
def _maker(kind: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a type, or what `typing` makes
    origin, inside = get_origin(kind), get_args(kind)
    if isinstance(kind, type) and is_dataclass(kind):
        return _of_class(kind)
    if origin in (Union, types.UnionType):
        [wanted] = [_maker(one) for one in inside if one is not type(None)]
        return lambda raw: None if raw is None else wanted(raw)
    if origin is tuple and inside[-1] is ...:
        each = _maker(inside[0])
        return lambda raw: tuple(each(one) for one in raw)
    if origin is tuple:
        makers = [_maker(one) for one in inside]
        return lambda raw: tuple(make(one) for make, one in zip(makers, raw, strict=True))
    if origin is frozenset:
        each = _maker(inside[0])
        return lambda raw: frozenset(each(one) for one in raw)
    if origin is Literal:
        return _one_of(inside)
    if kind is bytes:
        return lambda raw: base64.b64decode(raw, validate=True)
    if kind is Any:
        return lambda raw: raw
    if kind in (bool, int, str):
        return _exactly(kind)
    if isinstance(kind, type) and (kind is float or issubclass(kind, Path | enum.Enum)):
        return kind
    raise TypeError(f"{kind} is no kind of plain value")


def _of_class(kind: type) -> Callable[[Mapping[str, Any]], Any]:
    hints = get_type_hints(kind)
    makers = {field.name: _maker(hints[field.name]) for field in fields(kind)}
    needed = {
        field.name
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }

    def make(raw: Mapping[str, Any]) -> Any:  # noqa: ANN401 - an instance of `kind`
        missing = needed - raw.keys()
        if missing:
            raise KeyError(f"{kind.__name__}.{min(missing)}")
        return kind(**{name: make(raw[name]) for name, make in makers.items() if name in raw})

    return make


def _one_of(allowed: tuple[Any, ...]) -> Callable[[Any], Any]:
    def make(raw: Any) -> Any:  # noqa: ANN401 - a text or a number
        if raw not in allowed:
            raise ValueError(f"{raw!r} is none of {allowed}")
        return raw

    return make


def _exactly(kind: type) -> Callable[[Any], Any]:
    def make(raw: Any) -> Any:  # noqa: ANN401 - what the JSON has
        if type(raw) is not kind:
            raise ValueError(f"{raw!r} is no {kind.__name__}")
        return raw

    return make
