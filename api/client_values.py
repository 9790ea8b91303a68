"""What the Python client gives back: frozen values, and the service's own JSON behind them.

Each has `raw`, the answer as it came, with entries that this version does not name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Level = Literal["B-B", "B-T", "B-LT", "B-LTA"]
JSON = Mapping[str, Any]

UNDER_WAY = frozenset({"accepted", "signing"})


@dataclass(frozen=True, slots=True)
class Blob:
    """A file that the service has stored for the agency."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Record:
    """A signature record.

    `state`: accepted, signing, held, published, failed, cancelled, superseded, annulled.

    `code` is the result code, which is printed on the document and looks it up.
    """

    id: str
    code: str
    state: str
    level: str
    number: int | None
    symbol: str | None
    year: int | None
    source_sha256: str
    result_sha256: str | None
    result_bytes: int | None
    error: JSON | None
    version: int
    raw: JSON = field(repr=False)

    @property
    def is_settled(self) -> bool:
        """Whether waiting longer changes nothing."""
        return self.state not in UNDER_WAY

    @property
    def is_published(self) -> bool:
        """Whether the signed file can be downloaded."""
        return self.state in ("published", "superseded", "annulled")

    @classmethod
    def read(cls, raw: JSON) -> Self:
        """The record in an answer."""
        return cls(
            raw["id"],
            raw["code"],
            raw["state"],
            raw["level"],
            raw["number"],
            raw["symbol"],
            raw["year"],
            raw["source_sha256"],
            raw["result_sha256"],
            raw["result_bytes"],
            raw["error"],
            raw["version"],
            raw,
        )


@dataclass(frozen=True, slots=True)
class Resource:
    """A batch, a clerical sequence, a digitization or a stack: its id, state and version."""

    id: str
    state: str
    version: int
    raw: JSON = field(repr=False)

    def __getitem__(self, entry: str) -> Any:  # noqa: ANN401 - any entry of the answer
        """An entry of the answer, by its name there."""
        return self.raw[entry]

    @classmethod
    def read(cls, raw: JSON) -> Self:
        """The resource in an answer."""
        return cls(raw["id"], raw["state"], raw["version"], raw)


@dataclass(frozen=True, slots=True)
class Verification:
    """A verification report (EN 319 102-1). A `bool` of it says nothing and raises."""

    indication: str
    sub_indication: str | None
    raw: JSON = field(repr=False)
    kept_id: str | None = None

    @property
    def has_passed(self) -> bool:
        """Whether the indication is TOTAL-PASSED; all else is no proof of validity."""
        return self.indication == "TOTAL-PASSED"

    @classmethod
    def read(cls, raw: JSON, kept_id: str | None) -> Self:
        """The report in an answer; `kept_id` names what the service keeps of it."""
        return cls(raw["indication"], raw.get("sub_indication"), raw, kept_id)

    def __bool__(self) -> bool:
        raise TypeError("ask for .has_passed: a report is neither true nor false")


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event of a batch. `id` resumes the stream after it."""

    id: str
    name: str
    data: JSON
