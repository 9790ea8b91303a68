"""Batches as values: the order, the frozen list and its digest. No storage, no keys, no HTTP.

A list is frozen when its batch is made: `ListDigest` goes over the order and over every item in
its place, in canonical JSON, one a line. That digest is what one person approves, another
releases, and the key signs before any document of the list.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dossier.errors import InvalidOrder, QuotaExceeded
from dossier.model import JSON, BatchState, ItemState
from dossier.signing.order import SignatureOrder

MAX_LINE_BYTES = 64 * 1024
_MAX_REFERENCE = 256
_SHA256 = re.compile("[0-9a-f]{64}")
_OVERRIDES = frozenset(
    {
        "number", "symbol", "decided_on", "reason", "location", "expected_agency", "copy_form",
        "result_reference",
    }
)  # fmt: skip
_ENTRIES = frozenset({"source_sha256", "reference", "overrides"})


class Policy(enum.StrEnum):
    """What one failure means to the others."""

    EACH = "each"  # nothing: each document stands for itself
    ALL = "all"  # the batch stops, and no result is released


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """What is done with every document of a batch; immutable, checked when made."""

    order: SignatureOrder
    policy: Policy = Policy.EACH
    title: str = ""

    def __post_init__(self) -> None:
        """Raise `InvalidOrder` for what cannot be one order for many documents."""
        for name in ("number", "supersedes", "field_name", "result_reference"):
            if getattr(self.order, name) is not None:
                raise InvalidOrder(
                    f"“{name}” là của từng văn bản, không phải của cả lô. / {name} belongs to one "
                    "document, not to a batch.",
                    field=name,
                )
        if len(self.title) > _MAX_REFERENCE:
            raise InvalidOrder(
                f"Tên lô dài quá {_MAX_REFERENCE} ký tự. / The title is too long.", field="title"
            )

    def to_json(self) -> dict[str, JSON]:
        """As it is stored, shown and hashed."""
        return {"order": self.order.to_json(), "policy": self.policy.value, "title": self.title}

    @classmethod
    def from_json(cls, value: Mapping[str, JSON]) -> BatchOrder:
        """Read what `to_json` wrote, or a client's JSON. Raises `InvalidOrder`."""
        _known(value, frozenset({"order", "policy", "title"}))
        order, title = value.get("order"), value.get("title", "")
        if not isinstance(order, Mapping) or not isinstance(title, str):
            raise InvalidOrder(
                "Lô cần order (yêu cầu ký) và title dạng chữ. / A batch needs order (what to sign) "
                "and a title that is text.",
                field="order",
            )
        try:
            policy = Policy(value.get("policy", Policy.EACH))
        except ValueError as error:
            raise InvalidOrder(
                "policy là each hoặc all. / policy is each or all.", field="policy"
            ) from error
        return cls(SignatureOrder.from_json(order), policy, title)


@dataclass(frozen=True, slots=True)
class ListedItem:
    """One document of a list: its digest, the client's own name for it, what differs."""

    source_sha256: str
    reference: str | None = None
    overrides: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: JSON) -> ListedItem:
        """Read a client's entry. Raises `InvalidOrder`."""
        if not isinstance(value, Mapping):
            raise InvalidOrder(
                "Mỗi mục là một đối tượng JSON. / Each entry is a JSON object.", field="items"
            )
        _known(value, _ENTRIES)
        sha256, reference = value.get("source_sha256"), value.get("reference")
        overrides = value.get("overrides") or {}
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
            raise InvalidOrder(
                "source_sha256 là 64 chữ số thập lục phân thường của tệp đã tải lên. / "
                "source_sha256 is the lower-case hexadecimal digest of an uploaded file.",
                field="source_sha256",
            )
        if reference is not None and (
            not isinstance(reference, str) or not 0 < len(reference) <= _MAX_REFERENCE
        ):
            raise InvalidOrder(
                f"reference là chữ, 1 đến {_MAX_REFERENCE} ký tự. / reference is text of 1 to "
                f"{_MAX_REFERENCE} characters.",
                field="reference",
            )
        if not isinstance(overrides, Mapping):
            raise InvalidOrder("overrides là đối tượng JSON. / overrides is an object.")
        _known(overrides, _OVERRIDES)
        return cls(sha256, reference, dict(overrides))

    def order_of(self, batch: BatchOrder) -> SignatureOrder:
        """The order for this document. Raises `InvalidOrder`."""
        if not self.overrides:
            return batch.order
        merged = batch.order.to_json() | dict(self.overrides)
        if self.overrides.get("number") is not None:
            merged.pop("from_book", None)  # a number that is given is not taken from the book
        return SignatureOrder.from_json(merged)


def _known(value: Mapping[str, JSON], names: frozenset[str]) -> None:
    unknown = sorted(set(value) - names)
    if unknown:
        raise InvalidOrder(
            f"Không có mục “{unknown[0]}”; các mục: {', '.join(sorted(names))}. / There is no such "
            "entry.",
            field=unknown[0],
        )


def canonical(value: JSON) -> bytes:
    """The one way to write a JSON value: sorted keys, no blanks, UTF-8."""
    return json.dumps(
        value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()


class ListDigest:
    """SHA-256 over a batch's order and its items in their order."""

    def __init__(self, order: BatchOrder) -> None:
        self._hash = hashlib.sha256(canonical(order.to_json()) + b"\n")
        self.count = 0

    def add(self, item: ListedItem) -> None:
        """The next item. Positions count from 1."""
        self.count += 1
        line = {
            "position": self.count,
            "source_sha256": item.source_sha256,
            "reference": item.reference,
            "overrides": item.overrides,
        }
        self._hash.update(canonical(line) + b"\n")

    def hexdigest(self) -> str:
        """Of what was added so far."""
        return self._hash.hexdigest()


def checked_items(
    order: BatchOrder, entries: Iterable[JSON], most: int
) -> tuple[list[ListedItem], str]:
    """Read and check a list: its items and its digest.

    Raises `InvalidOrder` naming the position of what is wrong, `QuotaExceeded` for more than
    `most` documents. References and given numbers are unique within a list.
    """
    items: list[ListedItem] = []
    digest = ListDigest(order)
    references: dict[str, int] = {}
    numbers: dict[tuple[object, ...], int] = {}
    for position, entry in enumerate(entries, 1):
        if position > most:
            raise QuotaExceeded(
                f"Danh sách có hơn {most} văn bản; hãy chia thành nhiều lô. / The list has more "
                f"than {most} documents; divide it into several batches."
            )
        try:
            item = ListedItem.from_json(entry)
            merged = item.order_of(order)
        except InvalidOrder as error:
            raise InvalidOrder(
                f"Mục {position}: {_half(error, 0)} / Entry {position}: {_half(error, 1)}",
                field=f"items[{position - 1}].{error.field or ''}".rstrip("."),
            ) from error
        if item.reference is not None:
            _once(references, item.reference, position, "reference")
        if merged.number is not None:
            year = merged.decided_on.year if merged.decided_on else None
            _once(numbers, (merged.symbol, year, merged.number), position, "number")
        digest.add(item)
        items.append(item)
    if not items:
        raise InvalidOrder(
            "Danh sách rỗng; hãy nêu ít nhất một văn bản. / The list is empty; name at least one "
            "document.",
            field="items",
        )
    return items, digest.hexdigest()


def _once(seen: dict[Any, int], value: object, position: int, name: str) -> None:
    first = seen.setdefault(value, position)
    if first != position:
        raise InvalidOrder(
            f"Mục {position} trùng {name} với mục {first}. / Entry {position} has the same {name} "
            f"as entry {first}.",
            field=f"items[{position - 1}].{name}",
        )


def _half(error: InvalidOrder, which: int) -> str:
    parts = str(error).split(" / ")
    return parts[which] if len(parts) == 2 else str(error)


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch at one moment. `version` counts changes of state and is its entity tag.

    `handed` items became records; `published` and `failed` count those that are finished.
    """

    id: str
    agency_id: str
    state: BatchState
    order: BatchOrder
    created_by: str
    approved_by: str | None
    released_by: str | None
    total: int
    handed: int
    published: int
    failed: int
    list_sha256: str
    list_signature: JSON
    sheet_sha256: str | None
    error: JSON
    created_at: datetime
    finished_at: datetime | None
    version: int

    @property
    def in_flight(self) -> int:
        """Items that became records and are not finished."""
        return self.handed - self.published - self.failed


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One document of a batch at one moment; `number` as its record has it."""

    position: int
    source_sha256: str
    reference: str | None
    overrides: Mapping[str, JSON]
    state: ItemState
    record_id: str | None
    result_sha256: str | None
    number: int | None
    symbol: str | None
    error: JSON


def entries_of_lines(lines: Iterable[bytes]) -> Iterator[JSON]:
    """The values of JSON lines (one a line, blank lines pass). Raises `InvalidOrder`."""
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE_BYTES:
            raise InvalidOrder(
                f"Dòng {number} dài quá {MAX_LINE_BYTES} byte. / Line {number} is too long."
            )
        if line.strip():
            try:
                yield json.loads(line)
            except ValueError as error:
                raise InvalidOrder(
                    f"Dòng {number} không phải JSON. / Line {number} is no JSON: {error}."
                ) from error
