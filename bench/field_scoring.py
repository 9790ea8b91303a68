"""How many fields of a paper were extracted rightly, wrongly, or not at all.

Single-valued fields count once a paper; citizen numbers and recipients count each. Values are
compared after NFC, white space collapsed, in full (no partial credit).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ocr.fields.extract import DocumentFields
from tools.samples.groundtruth import Fields

HEADLINE = ("doc_number", "issued_date", "signer_name", "citizen_number")
"""The printed fields that the project promises a rate for."""


@dataclass(frozen=True, slots=True)
class FieldCount:
    """Expected values, those found exactly, and values given that nobody expected."""

    expected: int = 0
    right: int = 0
    spurious: int = 0

    @property
    def recall(self) -> float:
        """Share of the expected values found; 1 when none was expected."""
        return self.right / self.expected if self.expected else 1.0

    def __add__(self, other: FieldCount) -> FieldCount:
        return FieldCount(
            self.expected + other.expected,
            self.right + other.right,
            self.spurious + other.spurious,
        )


def compare(truth: Fields, found: DocumentFields) -> dict[str, FieldCount]:
    """Counts by field name for one paper."""
    return compare_values(truth, [(f.name, f.value) for f in found.fields])


def compare_values(truth: Fields, found: Sequence[tuple[str, str]]) -> dict[str, FieldCount]:
    """Counts by field name for one paper whose fields are given as names and values."""
    counts = {}
    for name in {*truth, *(name for name, _ in found)}:
        expected = _expected(truth, name)
        got = Counter(_form(value) for named, value in found if named == name)
        counts[name] = FieldCount(
            expected.total(), (expected & got).total(), (got - expected).total()
        )
    return counts


def is_right(truth: Fields, proposed: Sequence[tuple[str, str]]) -> list[bool]:
    """For each proposed name and value whether the paper bears it; a value counts once."""
    left = {name: _expected(truth, name) for name in truth}
    verdicts = []
    for name, value in proposed:
        remaining = left.get(name, Counter())
        verdicts.append(remaining[_form(value)] > 0)
        remaining[_form(value)] -= 1
    return verdicts


def _expected(truth: Fields, name: str) -> Counter[str]:
    value = truth.get(name, ())
    return Counter(map(_form, (value,) if isinstance(value, str) else value))


def _form(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())


def tally(papers: Sequence[Mapping[str, FieldCount]]) -> dict[str, FieldCount]:
    """Counts added up over papers, by field name."""
    total: dict[str, FieldCount] = {}
    for paper in papers:
        for name, count in paper.items():
            total[name] = total.get(name, FieldCount()) + count
    return dict(sorted(total.items()))
