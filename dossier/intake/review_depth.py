"""How many people look at a paper before it is filed: one, or two where the machine is unsure.

    rule = ReviewRules.default().at("one-stop", day)
    depth = review_depth(fields, words=412, doubtful_words=31, warnings=0, rule=rule)
    depth.people        # 1 or 2
    depth.reasons       # why a second person

Everything that was extracted stays a proposal until a named person confirms it (D10); this asks
whether one is enough. The limits are dated data by purpose, `review_depth.toml`. Pure.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self

from dossier.errors import CatalogueUnusable
from dossier.intake.dated_tables import flag_of, period_of, require_known, text_of
from ocr.fields.extract import DocumentFields

_BUNDLED = Path(__file__).with_name("review_depth.toml")
_PATTERN = "dossier/intake/review_depth.toml"
_KEYS = frozenset(
    {"id", "vi", "en", "source", "legal_basis", "valid_from", "valid_to", "key_fields",
     "key_certainty", "most_doubtful_fields", "most_doubtful_words_percent",
     "two_when_handwritten", "two_when_warned", "always_two"}
)  # fmt: skip
_SOURCES = ("law", "ours")


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """What one purpose asks on one day. Certainty and share of words are in percent."""

    id: str
    title: tuple[str, str]  # Vietnamese, English
    is_law: bool
    legal_basis: str
    first: dt.date
    last: dt.date | None
    key_fields: frozenset[str]
    key_certainty: float
    most_doubtful_fields: int
    most_doubtful_words_percent: float
    two_when_handwritten: bool
    two_when_warned: bool
    always_two: bool

    def holds(self, day: dt.date) -> bool:
        """Whether the rule is in force on `day` (in Vietnam)."""
        return self.first <= day and (self.last is None or day <= self.last)


@dataclass(frozen=True, slots=True)
class ReviewDepth:
    """How many people look, and why two: sentences in Vietnamese and English."""

    people: Literal[1, 2]
    reasons: tuple[tuple[str, str], ...]


class ReviewRules:
    """The rules of all purposes and times. Immutable."""

    def __init__(self, rules: Iterable[ReviewRule]) -> None:
        self._rules = tuple(rules)

    @classmethod
    @cache
    def default(cls) -> Self:
        """The rules that come with the program."""
        return cls.load(_BUNDLED)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file like `review_depth.toml`. Raises `CatalogueUnusable`."""
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))["profile"]
        except (OSError, ValueError, KeyError) as error:
            raise _unusable(path, "", str(error)) from error
        if not isinstance(tables, list):
            raise _unusable(path, "profile", "write [[profile]] tables")
        rules: list[ReviewRule] = []
        for n, table in enumerate(tables, 1):
            label = (
                f"profile {table.get('id', f'#{n}')}"
                if isinstance(table, dict)
                else f"profile #{n}"
            )
            try:
                rule = _rule(table)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                said = f"no key {error}" if isinstance(error, KeyError) else str(error)
                raise _unusable(path, label, said) from error
            last = rule.last or dt.date.max
            if any(
                r.id == rule.id and r.first <= last and rule.first <= (r.last or dt.date.max)
                for r in rules
            ):
                raise _unusable(path, label, "two rules hold on one day")
            rules.append(rule)
        return cls(rules)

    def at(self, profile: str, day: dt.date) -> ReviewRule:
        """The rule of a purpose on `day`; before its first day, the first that it had.

        Raises `CatalogueUnusable` for a purpose that has none, or none any more.
        """
        mine = sorted((r for r in self._rules if r.id == profile), key=lambda r: r.first)
        if mine and day < mine[0].first:
            return mine[0]
        held = next((r for r in mine if r.holds(day)), None)
        if held is None:
            raise _unusable(_BUNDLED, f"profile {profile}", f"no rule on {day}")
        return held


def review_depth(
    fields: DocumentFields, *, words: int, doubtful_words: int, warnings: int, rule: ReviewRule
) -> ReviewDepth:
    """How many people have to look at one paper.

    `words` and `doubtful_words` count over all its pages; `warnings` are the findings of
    severity `warn` of `check_fields` and of its identity card. Raises ValueError when the counts
    cannot be.
    """
    if not 0 <= doubtful_words <= words or warnings < 0:
        raise ValueError(f"{doubtful_words} doubtful words of {words}, {warnings} warnings")
    reasons = []
    if rule.always_two:
        reasons.append(("Quy định luôn hai người xem", "The rule always asks for two people"))
    unsure = [
        f for f in fields.fields if f.name in rule.key_fields and f.certainty < rule.key_certainty
    ]
    for field in unsure:
        reasons.append((
            f"Trường {field.name} chỉ chắc {field.certainty:.0f} % (mức {rule.key_certainty:g} %)",
            f"Field {field.name} is {field.certainty:.0f} % certain (limit "
            f"{rule.key_certainty:g} %)",
        ))  # fmt: skip
    doubtful = sum(f.doubtful for f in fields.fields)
    if doubtful > rule.most_doubtful_fields:
        reasons.append((
            f"Có {doubtful} trường đáng ngờ (mức {rule.most_doubtful_fields})",
            f"{doubtful} fields are doubtful (limit {rule.most_doubtful_fields})",
        ))  # fmt: skip
    share = 100 * doubtful_words / words if words else 0.0
    if share > rule.most_doubtful_words_percent:
        limit = f"{rule.most_doubtful_words_percent:g}"
        reasons.append((
            f"Có {share:.0f} % số từ đáng ngờ (mức {limit} %)",
            f"{share:.0f} % of the words are doubtful (limit {limit} %)",
        ))  # fmt: skip
    pen = sorted({u.name for u in fields.unread if u.name in rule.key_fields})
    if pen and rule.two_when_handwritten:
        names = ", ".join(pen)
        reasons.append((f"Viết tay hoặc để trống: {names}", f"By hand or blank: {names}"))
    if warnings and rule.two_when_warned:
        reasons.append((f"Có {warnings} cảnh báo", f"There are {warnings} warnings"))
    return ReviewDepth(2 if reasons else 1, tuple(reasons))


def _rule(table: Mapping[str, Any]) -> ReviewRule:
    require_known(table, _KEYS)
    if table["source"] not in _SOURCES:
        raise ValueError(f"the source is law or ours, not {table['source']!r}")
    first, last = period_of(table)
    return ReviewRule(
        text_of(table["id"]), (text_of(table["vi"]), text_of(table["en"])),
        table["source"] == "law", text_of(table["legal_basis"]), first, last,
        frozenset(text_of(name) for name in table["key_fields"]),
        _number(table, "key_certainty", 100), int(_number(table, "most_doubtful_fields", 1000)),
        _number(table, "most_doubtful_words_percent", 100),
        flag_of(table, "two_when_handwritten"), flag_of(table, "two_when_warned"),
        flag_of(table, "always_two"),
    )  # fmt: skip


def _number(table: Mapping[str, Any], key: str, most: float) -> float:
    value = table[key]
    if type(value) not in (int, float) or not 0 <= value <= most:
        raise ValueError(f"{key} is {value!r}, not a number from 0 to {most:g}")
    return float(value)


def _unusable(path: Path, entry: str, said: str) -> CatalogueUnusable:
    return CatalogueUnusable(path.name, entry, said, said, pattern=_PATTERN)
