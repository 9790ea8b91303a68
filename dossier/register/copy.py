"""A copy of the register for those who watch it: JSON lines, whole or in part.

    {"type": "sohoa register copy 1", "origin": "…", "size": 100000}
    {"index": 0, "at": "…", "entry": "{…}"}              an entry, as it is hashed
    {"index": 1, "at": "…", "entry_sha256": "<hex>"}     what may not be shown: time and digest

One line a leaf, in their order: a copy that shows nothing but digests still leads to the roots of
the checkpoints, and still shows every time.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dossier.audit.chain import moment_of, moment_text
from dossier.errors import InvalidOrder
from dossier.model import JSON
from dossier.register.entry import Entry, MalformedEntry, hash_of
from dossier.register.log import Register

MEDIA_TYPE = "application/x-ndjson"
MAX_LINE = 64 * 1024
_TYPE = "sohoa register copy 1"
_SHA256 = re.compile("[0-9a-f]{64}")


class MalformedCopy(ValueError):
    """A line of the copy is none."""


@dataclass(frozen=True, slots=True)
class Line:
    """One leaf. `entry` is None where only its digest is shown, or where `flaw` says why not."""

    index: int
    at: datetime
    leaf_hash: bytes
    entry: Entry | None = None
    flaw: str | None = None


def shown(entry: Entry, *, whole: bool) -> dict[str, JSON]:
    """An entry as a copy shows it."""
    told = {"entry": entry.text} if whole else {"entry_sha256": entry.sha256}
    return {"index": entry.index, "at": moment_text(entry.at), **told}


def copy_lines(
    register: Register, origin: str, size: int, discloses: Callable[[Entry], bool]
) -> Iterator[bytes]:
    """The first `size` entries: those that `discloses` says whole, others as digests."""
    yield _line({"type": _TYPE, "origin": origin, "size": size})
    for entry in register.walk(0, size):
        yield _line(shown(entry, whole=discloses(entry)))


def read_head(first: bytes) -> tuple[str, int]:
    """Origin and size that the first line names. Raises `InvalidOrder` for another file."""
    try:
        value = json.loads(first)
        if value["type"] == _TYPE:
            return str(value["origin"]), int(value["size"])
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise InvalidOrder(
        "Tệp không phải bản sao sổ đăng ký; hãy tạo bằng “sohoa register copy”. / The file is no "
        "copy of a register; make one with sohoa register copy."
    )


def read_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """The lines behind the first. Raises `MalformedCopy`, which names the line."""
    for number, line in enumerate(lines, 2):
        if len(line) > MAX_LINE:
            raise MalformedCopy(f"line {number}: it is too long")
        try:
            yield _read(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise MalformedCopy(f"line {number}: it cannot be read: {error!r}") from error


def _read(value: JSON) -> Line:
    index, at = value["index"], moment_of(value["at"])
    if type(index) is not int or index < 0:
        raise ValueError("an index is no number of a leaf")
    if "entry" not in value:
        sha256 = value["entry_sha256"]
        if not _SHA256.fullmatch(sha256):
            raise ValueError("a digest is none")
        return Line(index, at, hash_of(at, sha256))
    text: str = value["entry"]
    leaf = hash_of(at, hashlib.sha256(text.encode()).hexdigest())
    try:
        return Line(index, at, leaf, Entry.read(index, at, text))
    except MalformedEntry as error:
        return Line(index, at, leaf, flaw=str(error))


def _line(value: dict[str, JSON]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
