"""Values of dated TOML tables, each checked where it is read; ValueError says what is wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any


def require_known(table: Mapping[str, Any], known: frozenset[str]) -> None:
    """No key but the known ones: a misspelt one would silently do nothing."""
    unknown = sorted(set(table) - known)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no key here; there are: {', '.join(sorted(known))}")


def text_of(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} should be a text")
    return value


def flag_of(table: Mapping[str, Any], key: str, default: bool | None = None) -> bool:
    """True or false. Raises KeyError where neither the table nor `default` has it."""
    value = table[key] if default is None else table.get(key, default)
    if type(value) is not bool:
        raise ValueError(f"{key} is {value!r}, neither true nor false")
    return value


def period_of(table: Mapping[str, Any]) -> tuple[dt.date, dt.date | None]:
    """`valid_from` and `valid_to`, both inclusive; no `valid_to`: it still holds."""
    first = _day(table["valid_from"])
    last = _day(table["valid_to"]) if "valid_to" in table else None
    if last is not None and last < first:
        raise ValueError(f"valid_to ({last}) is before valid_from ({first})")
    return first, last


def _day(value: object) -> dt.date:
    if type(value) is not dt.date:
        raise ValueError("valid_from and valid_to are dates, written like 2025-07-01")
    return value
