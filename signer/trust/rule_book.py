"""The rule sets that are known, and how they are read from TOML.

    book = RuleBook.default()
    rules = book.at(TrustDomain.OFFICIAL_DUTY, moment)     # what was in force then
    rules.weakness("rsa-pkcs1", "sha1", key)               # "SHA1"

``rules.toml`` beside this file comes with the program; the settings may name another one of the
same shape. A change of the law is a new entry with dates, never a change of code. What is
missing, misspelt or leaves a gap in time is found when the file is read.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

from signer.clock import VIETNAM
from signer.errors import TrustError
from signer.trust.rules import (
    AcceptedAlgorithm,
    Answer,
    Dates,
    Item,
    Rules,
    RuleSet,
    TimestampDemand,
)
from signer.trust.store import TrustDomain

_DEFAULT = Path(__file__).with_name("rules.toml")
_DAY = dt.timedelta(days=1)
_Rule = TypeVar("_Rule", Item, AcceptedAlgorithm, Answer)
_FAMILIES = frozenset({"rsa-pkcs1", "rsa-pss", "ecdsa", "ed25519", "ed448"})
_DIGESTS = frozenset(
    {"sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "sha3_384", "sha3_512", ""}
)
_KEY_USAGES = frozenset({"digital_signature", "content_commitment"})
_FORMATS = frozenset({"ETSI.CAdES.detached", "adbe.pkcs7.detached"})
ATTRIBUTES = frozenset({"signing-certificate", "signing-time"})
"""Signed attributes that a rule set may ask for beside those that CMS itself asks for."""


class RuleBook:
    """All rule sets that are known. Immutable."""

    def __init__(self, rule_sets: Iterable[RuleSet], text: str = "") -> None:
        """`text` is what they were read from. Raises `ValueError` when a domain has none."""
        self.rule_sets = tuple(rule_sets)
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        for domain in TrustDomain:
            if not any(domain in one.domains for one in self.rule_sets):
                raise ValueError(f"no rule set for the domain {domain.value}")

    @classmethod
    @cache
    def default(cls) -> Self:
        """The rule sets that come with the program."""
        return cls.load(_DEFAULT)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file like ``signer/trust/rules.toml``. Raises `TrustError`."""
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise _unusable(str(path), str(error)) from error
        return cls.read(text, str(path))

    @classmethod
    def read(cls, text: str, name: str = "rules") -> Self:
        """The rule sets of a TOML text; `name` is for messages. Raises `TrustError`."""
        try:
            return cls(_rule_sets(tomllib.loads(text)["rule_set"]), text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            said = f"no entry {error}" if isinstance(error, KeyError) else str(error)
            raise _unusable(name, said) from error

    def at(self, domain: TrustDomain | None, moment: dt.datetime) -> Rules:
        """The rules of `domain` at `moment` (aware); of no domain, those of PINNED.

        Of several in force the one that began last; before the first of all, the first.
        """
        wanted = domain or TrustDomain.PINNED
        day = moment.astimezone(VIETNAM).date()
        mine = sorted(
            (one for one in self.rule_sets if wanted in one.domains),
            key=lambda one: one.dates.valid_from,
        )
        found = [one for one in mine if one.dates.include(day)]
        if found:
            return found[-1].on(day)
        begun = [one for one in mine if one.dates.valid_from <= day]
        if begun:
            # all have ended and nobody wrote down what follows: the last that there was
            last = begun[-1]
            return last.on(last.dates.valid_to or day)
        return mine[0].on(mine[0].dates.valid_from)


def _is_days(value: object) -> bool:
    return type(value) is int and 0 <= value <= 36_500


def _is_some_of(known: frozenset[str] | None, *, may_be_empty: bool = False) -> Callable[..., bool]:
    def check(value: object) -> bool:
        return (
            isinstance(value, list)
            and (bool(value) or may_be_empty)
            and all(isinstance(one, str) and (known is None or one in known) for one in value)
        )

    return check


_ITEMS: dict[str, Callable[[object], bool]] = {
    "signature.key-usages": _is_some_of(_KEY_USAGES),
    "signature.purposes": _is_some_of(None),
    "signature.formats": _is_some_of(_FORMATS),
    "signature.required-attributes": _is_some_of(ATTRIBUTES, may_be_empty=True),
    "timestamp.demand": lambda value: value in [one.value for one in TimestampDemand],
    "revocation.max-age-days": _is_days,
    "revocation.max-age-authority-days": _is_days,
    "revocation.tolerance-minutes": lambda value: type(value) is int and 0 <= value <= 1440,
    "revocation.evidence": lambda value: value in ("CURRENT", "AFTER"),
    "list.overdue-days": _is_days,
}
"""Every value of a rule set, with what it may be."""


def _unusable(name: str, why: str) -> TrustError:
    return TrustError(
        f"Bộ quy tắc {name} không dùng được: {why}. Hãy so với signer/trust/rules.toml. / "
        f"The rule sets in {name} cannot be used: {why}. Compare the file with "
        "signer/trust/rules.toml."
    )


def _rule_sets(tables: Iterable[Mapping[str, Any]]) -> list[RuleSet]:
    known: dict[str, RuleSet] = {}
    for table in tables:
        one = _rule_set(table, known)
        if known.setdefault(f"{one.id} {one.version}", one) is not one:
            raise ValueError(f"the rule set {one.id} {one.version} comes twice")
    return list(known.values())


def _rule_set(table: Mapping[str, Any], known: Mapping[str, RuleSet]) -> RuleSet:
    """`extends` names, as ``id version``, an earlier rule set whose values hold unless replaced."""
    dates = _dates(table, None)
    base = known[table["extends"]] if "extends" in table else None
    items = tuple(_item(entry, dates) for entry in table.get("item", ()))
    algorithms = tuple(_algorithm(entry, dates) for entry in table.get("algorithm", ()))
    answers = tuple(_answer(entry, dates) for entry in table.get("answer", ()))
    if base is not None:
        items += _inherited(base.items, base, dates, {item.name for item in items})
        answers += _inherited(base.answers, base, dates, {answer.check for answer in answers})
        algorithms = algorithms or _inherited(base.algorithms, base, dates, set())
    one = RuleSet(
        id=_text(table["id"]),
        version=_text(table["version"]),
        domains=frozenset(TrustDomain(name) for name in table["domains"]),
        title=(_text(table["vi"]), _text(table["en"])),
        legal_basis=_text(table["legal_basis"]),
        dates=dates,
        items=items,
        algorithms=algorithms,
        answers=answers,
    )
    _require_whole(one)
    return one


def _inherited(
    rules: Iterable[_Rule], base: RuleSet, dates: Dates, replaced: set[str]
) -> tuple[_Rule, ...]:
    """What `base` says and its heir does not say again.

    What was in force as long as `base` itself is so as long as the heir; other dates stay.
    """
    return tuple(
        replace(rule, dates=dates) if rule.dates == base.dates else rule
        for rule in rules
        if _subject(rule) not in replaced
    )


def _subject(rule: Item | AcceptedAlgorithm | Answer) -> str:
    if isinstance(rule, Item):
        return rule.name
    return rule.check if isinstance(rule, Answer) else rule.family


def _require_whole(one: RuleSet) -> None:
    """Raise `ValueError` unless every value has an answer on every day of the rule set."""
    rules: tuple[Item | AcceptedAlgorithm, ...] = (*one.items, *one.algorithms)
    edges = {one.dates.valid_from, *(r.dates.valid_from for r in rules)}
    edges |= {r.dates.valid_to + _DAY for r in rules if r.dates.valid_to}
    for day in sorted(edge for edge in edges if one.dates.include(edge)):
        there = one.on(day)
        missing = _ITEMS.keys() - there.items.keys()
        if missing or not there.algorithms:
            what = ", ".join(sorted(missing)) or "algorithm"
            raise ValueError(f"{one.id} {one.version} says nothing on {day} about {what}")


def _item(entry: Mapping[str, Any], default: Dates) -> Item:
    name, value = _text(entry["name"]), entry["value"]
    if not _ITEMS[name](value):
        raise ValueError(f"{name} cannot be {value!r}")
    return Item(name, value, _text(entry["legal_basis"]), _dates(entry, default))


def _algorithm(entry: Mapping[str, Any], default: Dates) -> AcceptedAlgorithm:
    family, digests = entry["family"], frozenset(entry["digests"])
    bits, exponent = entry["minimum_bits"], entry.get("minimum_exponent", 0)
    if family not in _FAMILIES or not digests or not digests <= _DIGESTS:
        raise ValueError(f"not a known algorithm: {family} with {', '.join(sorted(digests))}")
    if type(bits) is not int or type(exponent) is not int:
        raise ValueError(f"the smallest key of {family} is not a whole number")
    return AcceptedAlgorithm(
        family, digests, bits, exponent, _text(entry["legal_basis"]), _dates(entry, default)
    )


def _answer(entry: Mapping[str, Any], default: Dates) -> Answer:
    is_mandatory = entry.get("mandatory", True)
    if type(is_mandatory) is not bool:
        raise ValueError("mandatory is true or false")
    return Answer(
        _text(entry["check"]), _text(entry["clause"]), is_mandatory, _dates(entry, default)
    )


def _dates(entry: Mapping[str, Any], default: Dates | None) -> Dates:
    begins = entry["valid_from"] if default is None else entry.get("valid_from", default.valid_from)
    ends = entry.get("valid_to", default.valid_to if default else None)
    if type(begins) is not dt.date or type(ends) not in (dt.date, type(None)):
        raise ValueError("valid_from and valid_to are dates, written like 2025-08-15")
    if ends is not None and ends < begins:
        raise ValueError(f"it ends ({ends}) before it begins ({begins})")
    return Dates(begins, ends)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{value!r} should be a text")
    return value
