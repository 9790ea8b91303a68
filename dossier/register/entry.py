"""What the register says of a result: one entry for each thing that happens to it.

    issued       the document was published: its digests, number, symbol, agency
    renewed      a further archive timestamp was added, so its bytes have another digest
    superseded   another result, `by`, took its place
    annulled     the agency withdrew it; `reason` says why

Nothing is ever altered: what holds of a result follows from all of its entries. The text of an
entry is canonical JSON (RFC 8785), kept as it was hashed. The leaf of the Merkle tree binds it to
its time:

    sohoa register leaf 1⏎<time>⏎<SHA-256 of the text, hex>⏎

So whoever may not see the text still sees when it was entered; nobody finds the text from its
digest, for it holds a code of 68 random bits.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from dossier.audit.chain import canonical, moment_text
from dossier.model import JSON
from dossier.register.codes import PATTERN
from dossier.register.merkle import leaf_hash

_TYPE = "sohoa register entry 1"
_LEAF = "sohoa register leaf 1"
_CODE = re.compile(PATTERN)
_SHA256 = re.compile("[0-9a-f]{64}")


class MalformedEntry(ValueError):
    """The text is not an entry of the register in canonical form."""


class Event(enum.StrEnum):
    """What happened to a result."""

    ISSUED = "issued"
    RENEWED = "renewed"
    SUPERSEDED = "superseded"
    ANNULLED = "annulled"


@dataclass(frozen=True, slots=True)
class Registration:
    """What is to be entered. Digests are lower-case hex.

    `document_sha256` is the published document as it is from now on; `source_sha256` the
    document that was handed in; `before_sha256` what a renewal replaced. `reference` is the
    dossier's own code of its result; `by` the code of the result that supersedes.
    """

    event: Event
    code: str
    agency: str
    document_sha256: str
    source_sha256: str | None = None
    before_sha256: str | None = None
    number: int | None = None
    symbol: str | None = None
    year: int | None = None
    decided_on: date | None = None
    reference: str | None = None
    by: str | None = None
    reason: str | None = None

    def text(self) -> bytes:
        """The canonical text of the entry."""
        said: dict[str, JSON] = {
            name: value for name in _NAMES if (value := getattr(self, name)) is not None
        }
        if self.decided_on is not None:
            said["decided_on"] = self.decided_on.isoformat()
        return canonical(said | {"type": _TYPE})


_NAMES = tuple(entry.name for entry in fields(Registration))
_DIGESTS = {"document_sha256", "source_sha256", "before_sha256"}
_REQUIRED: dict[Event, frozenset[str]] = {
    Event.ISSUED: frozenset({"source_sha256"}),
    Event.RENEWED: frozenset({"before_sha256"}),
    Event.SUPERSEDED: frozenset({"by"}),
    Event.ANNULLED: frozenset({"reason"}),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry at its place: leaf `index` (from 0) of the tree, made at `at`."""

    index: int
    at: datetime
    told: Registration
    text: str

    @property
    def sha256(self) -> str:
        """Of the text, in hex."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def leaf_hash(self) -> bytes:
        """The hash of the leaf."""
        return hash_of(self.at, self.sha256)

    @classmethod
    def read(cls, index: int, at: datetime, text: str) -> Entry:
        """The entry with this time and text. Raises `MalformedEntry`."""
        try:
            value = json.loads(text)
            if not isinstance(value, dict) or value.pop("type", None) != _TYPE:
                raise MalformedEntry("it is of another type")
            told = _told(value)
            if told.text().decode() != text:
                raise MalformedEntry("it is not in canonical form")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise MalformedEntry(f"entry {index} cannot be read: {error}") from error
        return cls(index, at, told, text)


def _told(value: dict[str, Any]) -> Registration:
    told = Registration(
        **{
            **value,
            "event": Event(value["event"]),
            "decided_on": date.fromisoformat(value["decided_on"])
            if "decided_on" in value
            else None,
        }
    )
    if not _REQUIRED[told.event] <= value.keys():
        raise MalformedEntry(f"an entry “{told.event}” lacks what it has to say")
    for name, entry in value.items():
        if name in ("number", "year"):
            good = type(entry) is int
        elif name in _DIGESTS:
            good = bool(_SHA256.fullmatch(entry))
        elif name in ("code", "by"):
            good = bool(_CODE.fullmatch(entry))
        else:
            good = isinstance(entry, str)
        if not good:
            raise MalformedEntry(f"{name} is of another kind")
    return told


def hash_of(at: datetime, sha256: str) -> bytes:
    """The hash of a leaf with this time (aware) and digest of its text (hex)."""
    return leaf_hash(f"{_LEAF}\n{moment_text(at)}\n{sha256}\n".encode())


class Status(enum.StrEnum):
    """What a result is worth now (K10)."""

    IN_FORCE = "in-force"
    SUPERSEDED = "superseded"
    ANNULLED = "annulled"


def status_of(entries: Iterable[Entry]) -> Status:
    """What follows from all entries of one result, in their order. Annulled wins for ever."""
    events = {entry.told.event for entry in entries}
    if Event.ANNULLED in events:
        return Status.ANNULLED
    return Status.SUPERSEDED if Event.SUPERSEDED in events else Status.IN_FORCE
