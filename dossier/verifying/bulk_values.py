"""Bulk verification as values: what is ordered, how far it is, what came of each document."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dossier.errors import InvalidOrder
from dossier.model import JSON, JobState

MAX_ITEMS = 10_000
_LONGEST_NAME = 500


class ItemOutcome(enum.StrEnum):
    """What became of one document of a list."""

    LISTED = "listed"
    DONE = "done"  # there is a report
    STOPPED = "stopped"  # no verdict: it exceeds the bounds, or its bytes are gone
    SKIPPED = "skipped"  # cancelled before its turn


@dataclass(frozen=True, slots=True)
class BulkOrder:
    """What is asked of every document. Checked when it is made; immutable.

    `at` is aware; None: when each is verified.
    """

    title: str = ""
    at: datetime | None = None
    expected_agency: str | None = None

    def __post_init__(self) -> None:
        """Raises `InvalidOrder`."""
        if self.at is not None and self.at.tzinfo is None:
            raise InvalidOrder(
                "at phải có múi giờ. / at needs a time zone, as 2026-01-05T10:00:00+07:00.",
                field="at",
            )
        for name in ("title", "expected_agency"):
            text = getattr(self, name) or ""
            if len(text) > _LONGEST_NAME:
                raise InvalidOrder(
                    f"Mục {name} dài quá {_LONGEST_NAME} ký tự. / {name} is longer than "
                    f"{_LONGEST_NAME} characters.",
                    field=name,
                )

    def to_json(self) -> dict[str, JSON]:
        """As it is stored and shown."""
        return {
            "title": self.title,
            "at": self.at.isoformat() if self.at else None,
            "expected_agency": self.expected_agency,
        }

    @classmethod
    def read(cls, value: Mapping[str, Any]) -> BulkOrder:
        """From what `to_json` made."""
        at = value["at"]
        return cls(
            value["title"], datetime.fromisoformat(at) if at else None, value["expected_agency"]
        )


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """One document of a list: its digest, and the client's own name for it."""

    sha256: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Bulk:
    """A bulk verification and its account."""

    id: str
    agency_id: str
    principal_id: str
    state: JobState
    order: BulkOrder
    total: int
    passed: int
    undetermined: int
    failed: int
    stopped: int
    error: JSON
    created_at: datetime
    finished_at: datetime | None
    version: int

    @property
    def done(self) -> int:
        """How many documents have their outcome."""
        return self.passed + self.undetermined + self.failed + self.stopped


@dataclass(frozen=True, slots=True)
class BulkItem:
    """One document of a bulk verification."""

    position: int
    sha256: str
    reference: str | None
    state: ItemOutcome
    indication: str | None
    sub_indication: str | None
    integrity: str | None
    report_sha256: str | None
    error: JSON


def request_digest(order: BulkOrder, items: Sequence[ListedDocument]) -> str:
    """Names an order with its list: the same Idempotency-Key must bring the same."""
    value = [order.to_json(), [[item.sha256, item.reference] for item in items]]
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
