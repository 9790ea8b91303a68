"""The thresholds by purpose and date, and how they are read from TOML.

    profile = QualityBook.default().at("one-stop", day)      # what was in force then
    profile.crossed(Code.SKEWED, 3.4)                        # a Threshold, or None

``thresholds.toml`` beside this file comes with the program; another file of the same shape may
be read instead. A change of the law is a new entry with dates, never a change of code. What is
missing, misspelt or leaves a gap in time is found when the file is read.
"""

from __future__ import annotations

import datetime as dt
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Self

from ocr.errors import QualityProfileError
from ocr.quality.findings import QUANTITIES, Code, Severity, Threshold

_DEFAULT = Path(__file__).with_name("thresholds.toml")
_DAY = dt.timedelta(days=1)
DEFAULT_PROFILE = "one-stop"
"""The purpose of the counter, TT 01/2023/TT-VPCP."""


@dataclass(frozen=True, slots=True)
class Paper:
    """A size of paper that exists, in millimetres, upright (height the longer side)."""

    name: str
    width_mm: float
    height_mm: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What one purpose asks of a page on one day. Hashable and picklable."""

    id: str
    title: tuple[str, str]  # Vietnamese, English
    legal_basis: str
    thresholds: tuple[Threshold, ...]
    papers: tuple[Paper, ...]

    def crossed(self, code: Code, value: float) -> Threshold | None:
        """The gravest threshold of `code` that `value` crosses."""
        crossed = [t for t in self.thresholds if t.code is code and t.is_crossed_by(value)]
        return min(crossed, key=lambda t: t.severity.rank, default=None)

    def least(self, code: Code) -> float:
        """The first limit of `code` that is met on the way from good to bad."""
        limits = [t.limit for t in self.thresholds if t.code is code]
        return max(limits) if QUANTITIES[code].is_minimum else min(limits)


@dataclass(frozen=True, slots=True)
class _Dated:
    threshold: Threshold
    begins: dt.date
    ends: dt.date | None

    def holds(self, day: dt.date) -> bool:
        return self.begins <= day and (self.ends is None or day <= self.ends)


@dataclass(frozen=True, slots=True)
class _Purpose:
    """A profile with everything that ever was in it."""

    id: str
    title: tuple[str, str]
    legal_basis: str
    begins: dt.date
    entries: tuple[_Dated, ...]


class QualityBook:
    """All profiles that are known. Immutable."""

    def __init__(self, purposes: Iterable[_Purpose], papers: tuple[Paper, ...]) -> None:
        self._purposes = {one.id: one for one in purposes}
        self._papers = papers

    @classmethod
    @cache
    def default(cls) -> Self:
        """The profiles that come with the program."""
        return cls.load(_DEFAULT)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file like ``ocr/quality/thresholds.toml``. Raises `QualityProfileError`."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise _unusable(str(path), str(error)) from error
        return cls.read(text, str(path))

    @classmethod
    def read(cls, text: str, name: str = "thresholds") -> Self:
        """The profiles of a TOML text; `name` is for messages. Raises `QualityProfileError`."""
        try:
            data = tomllib.loads(text)
            papers = tuple(_paper(entry) for entry in data["paper"])
            return cls(_purposes(data["profile"]), papers)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"no entry {error}" if isinstance(error, KeyError) else str(error)
            raise _unusable(name, said) from error

    @property
    def ids(self) -> tuple[str, ...]:
        """The purposes, in the order of the file."""
        return tuple(self._purposes)

    def at(self, profile: str, day: dt.date) -> Profile:
        """What `profile` asks on `day` (in Vietnam); before its first day, what it asked then.

        Raises `QualityProfileError` for a name that is not known.
        """
        purpose = self._purposes.get(profile)
        if purpose is None:
            known = ", ".join(self._purposes)
            raise QualityProfileError(
                f"Không có bộ ngưỡng chất lượng {profile!r}. Hãy chọn: {known}. / There is no "
                f"quality profile {profile!r}. Choose one of: {known}."
            )
        return _on(purpose, max(day, purpose.begins), self._papers)


def _on(purpose: _Purpose, day: dt.date, papers: tuple[Paper, ...]) -> Profile:
    held = tuple(entry.threshold for entry in purpose.entries if entry.holds(day))
    return Profile(purpose.id, purpose.title, purpose.legal_basis, held, papers)


def _unusable(name: str, why: str) -> QualityProfileError:
    return QualityProfileError(
        f"Bộ ngưỡng chất lượng {name} không dùng được: {why}. Hãy so với "
        f"ocr/quality/thresholds.toml. / The quality thresholds in {name} cannot be used: {why}. "
        "Compare the file with ocr/quality/thresholds.toml."
    )


def _purposes(tables: Iterable[Mapping[str, Any]]) -> list[_Purpose]:
    known: dict[str, _Purpose] = {}
    for table in tables:
        one = _purpose(table, known)
        if one.id in known:
            raise ValueError(f"the profile {one.id} comes twice")
        known[one.id] = one
    return list(known.values())


def _purpose(table: Mapping[str, Any], known: Mapping[str, _Purpose]) -> _Purpose:
    """`extends` names an earlier profile: what is not said again of a code is taken from it."""
    begins = _day(table["valid_from"])
    name = _text(table["id"])
    entries = tuple(_entry(entry, name, begins) for entry in table.get("threshold", ()))
    if "extends" in table:
        entries += _inherited(known[table["extends"]], entries, name, begins)
    title = (_text(table["vi"]), _text(table["en"]))
    one = _Purpose(name, title, _text(table["legal_basis"]), begins, entries)
    _require_whole(one)
    return one


def _inherited(
    base: _Purpose, said: tuple[_Dated, ...], profile: str, begins: dt.date
) -> tuple[_Dated, ...]:
    """What `base` says of codes that its heir is silent about.

    What holds from the first day of `base` holds from the first day of the heir; other dates
    stay.
    """
    again = {entry.threshold.code for entry in said}
    return tuple(
        replace(
            entry,
            threshold=replace(entry.threshold, profile=profile),
            begins=begins if entry.begins == base.begins else entry.begins,
        )
        for entry in base.entries
        if entry.threshold.code not in again
    )


def _require_whole(one: _Purpose) -> None:
    """Raise `ValueError` unless every code has a threshold on every day, and only one a severity.

    A graver threshold may not lie on the good side of a milder one: it would hide it.
    """
    days = {one.begins, *(e.begins for e in one.entries)}
    days |= {e.ends + _DAY for e in one.entries if e.ends}
    for day in sorted(d for d in days if d >= one.begins):
        held = [e.threshold for e in one.entries if e.holds(day)]
        for code in Code:
            mine = sorted((t for t in held if t.code is code), key=lambda t: t.severity.rank)
            if not mine:
                raise ValueError(f"{one.id} says nothing on {day} about {code.value}")
            sign = 1 if QUANTITIES[code].is_minimum else -1
            limits = [sign * t.limit for t in mine]
            if len({t.severity for t in mine}) < len(mine) or limits != sorted(set(limits)):
                raise ValueError(
                    f"{one.id} on {day}: the thresholds of {code.value} contradict each other"
                )


def _entry(entry: Mapping[str, Any], profile: str, default: dt.date) -> _Dated:
    code, limit = Code(entry["code"]), entry["limit"]
    quantity = QUANTITIES[code]
    if type(limit) not in (int, float) or not math.isfinite(limit):
        raise ValueError(f"the limit of {code.value} is not a number")
    if not quantity.least <= limit <= quantity.most:
        raise ValueError(
            f"the limit of {code.value} is {limit}, not between {quantity.least:g} and "
            f"{quantity.most:g} {quantity.unit}"
        )
    source = entry["source"]
    if source not in ("law", "ours"):
        raise ValueError(f"the source of {code.value} is law or ours, not {source!r}")
    threshold = Threshold(
        code, Severity(entry["severity"]), float(limit), source == "law",
        _text(entry["legal_basis"]), profile,
    )  # fmt: skip
    begins = _day(entry.get("valid_from", default))
    ends = None if "valid_to" not in entry else _day(entry["valid_to"])
    if ends is not None and ends < begins:
        raise ValueError(f"{code.value} ends ({ends}) before it begins ({begins})")
    return _Dated(threshold, begins, ends)


def _paper(entry: Mapping[str, Any]) -> Paper:
    width, height = float(entry["width_mm"]), float(entry["height_mm"])
    if not 20 <= width <= height <= 1500:
        raise ValueError(f"the paper {entry['name']!r} is not upright, or of no possible size")
    return Paper(_text(entry["name"]), width, height)


def _day(value: object) -> dt.date:
    if type(value) is not dt.date:
        raise ValueError("valid_from and valid_to are dates, written like 2023-05-25")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} should be a text")
    return value
