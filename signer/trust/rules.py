"""Rule sets of the trust domains: what is asked of a signature, as dated data (K1, K7).

Agency signatures follow NĐ 68/2024, public ones NĐ 23/2025 with TT 15/2025; what was signed
under the decrees before them is judged by theirs. Several versions live together: which one
applies follows from the domain that the path ends in and from the time that the signature is
judged at. The data, each value with legal basis and dates, are read by `signer.trust.rule_book`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from signer.trust.store import TrustDomain


class TimestampDemand(enum.Enum):
    """Whether the time of signing has to be proved by a timestamp (NĐ 68/2024, 29.4)."""

    OPTIONAL = "OPTIONAL"
    EXPECTED = "EXPECTED"  # its absence is a note
    REQUIRED = "REQUIRED"  # its absence leaves the signature INDETERMINATE


@dataclass(frozen=True, slots=True)
class RevocationPolicy:
    """Windows of freshness (`security.md` 9).

    Evidence produced after the moment that is judged always speaks of it. `allow_current` also
    takes what was valid at it (thisUpdate to nextUpdate) and not older than the maximum age:
    the newest list at signing time of TT 15/2025, Phụ lục II.
    """

    max_age: dt.timedelta = dt.timedelta(days=35)
    max_age_authority: dt.timedelta = dt.timedelta(days=400)
    tolerance: dt.timedelta = dt.timedelta(minutes=5)
    allow_current: bool = True


@dataclass(frozen=True, slots=True)
class Dates:
    """Of a rule, both inclusive, as days in Vietnam; an open end is None."""

    valid_from: dt.date
    valid_to: dt.date | None = None

    def include(self, day: dt.date) -> bool:
        """Whether the rule is in force on `day`."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True, slots=True)
class AcceptedAlgorithm:
    """One family of signature algorithms with its digests and smallest key."""

    family: str  # rsa-pkcs1, rsa-pss, ecdsa, ed25519, ed448
    digests: frozenset[str]
    minimum_bits: int
    minimum_exponent: int
    legal_basis: str
    dates: Dates


@dataclass(frozen=True, slots=True)
class Answer:
    """Which legal demand a check of the report answers."""

    check: str
    clause: str
    is_mandatory: bool
    dates: Dates


@dataclass(frozen=True, slots=True)
class Item:
    """One value of a rule set with its legal basis and dates."""

    name: str
    value: Any  # checked when the file is read
    legal_basis: str
    dates: Dates


@dataclass(frozen=True, slots=True)
class RuleSet:
    """One version of a domain's rules, with everything that ever was in it."""

    id: str
    version: str
    domains: frozenset[TrustDomain]
    title: tuple[str, str]  # Vietnamese, English
    legal_basis: str
    dates: Dates
    items: tuple[Item, ...] = field(repr=False)
    algorithms: tuple[AcceptedAlgorithm, ...] = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)

    def on(self, day: dt.date) -> Rules:
        """What it says on `day`."""
        items = {i.name: i for i in self.items if i.dates.include(day)}
        return Rules(
            rule_set=self,
            day=day,
            items=items,
            algorithms=tuple(a for a in self.algorithms if a.dates.include(day)),
            answers=tuple(a for a in self.answers if a.dates.include(day)),
        )


@dataclass(frozen=True, slots=True)
class Rules:
    """A rule set as it stood on one day: what the judge applies."""

    rule_set: RuleSet
    day: dt.date
    items: Mapping[str, Item] = field(repr=False)
    algorithms: tuple[AcceptedAlgorithm, ...] = field(repr=False)
    answers: tuple[Answer, ...] = field(repr=False)

    @property
    def id(self) -> str:
        """For example ``ND68-2024``."""
        return self.rule_set.id

    @property
    def key_usages(self) -> frozenset[str]:
        """KeyUsage bits of which a signer's certificate needs one."""
        return frozenset(self.items["signature.key-usages"].value)

    @property
    def purposes(self) -> frozenset[str]:
        """Extended key usages (OIDs) of which one is needed where the extension is there."""
        return frozenset(self.items["signature.purposes"].value)

    @property
    def formats(self) -> frozenset[str]:
        """Accepted SubFilters."""
        return frozenset(self.items["signature.formats"].value)

    @property
    def required_attributes(self) -> tuple[str, ...]:
        """Signed attributes, by name, that every signature must have."""
        return tuple(self.items["signature.required-attributes"].value)

    @property
    def timestamp(self) -> TimestampDemand:
        """Whether a timestamp must prove the time."""
        return TimestampDemand(self.items["timestamp.demand"].value)

    @property
    def revocation(self) -> RevocationPolicy:
        """How fresh evidence must be."""
        return RevocationPolicy(
            max_age=dt.timedelta(days=self.items["revocation.max-age-days"].value),
            max_age_authority=dt.timedelta(
                days=self.items["revocation.max-age-authority-days"].value
            ),
            tolerance=dt.timedelta(minutes=self.items["revocation.tolerance-minutes"].value),
            allow_current=self.items["revocation.evidence"].value == "CURRENT",
        )

    @property
    def list_overdue(self) -> dt.timedelta:
        """How long a list of trust may be used after its own next update."""
        return dt.timedelta(days=self.items["list.overdue-days"].value)

    def weakness(self, family: str, digest: str, key: object) -> str | None:
        """What of a signature's algorithm or key is not accepted, or None."""
        of_family = [a for a in self.algorithms if a.family == family]
        if not of_family:
            return family
        accepted = [a for a in of_family if digest in a.digests]
        if not accepted:
            return digest.upper() or "?"
        kind, bits, exponent = _size(key)
        if all(bits < a.minimum_bits for a in accepted):
            return f"{kind}-{bits}"
        if all(exponent < a.minimum_exponent for a in accepted if bits >= a.minimum_bits):
            return f"RSA, e={exponent}"
        return None

    def to_json(self) -> dict[str, Any]:
        """What a report says of it: stable keys."""
        vi, en = self.rule_set.title
        dates = self.rule_set.dates
        return {
            "id": self.rule_set.id,
            "version": self.rule_set.version,
            "vi": vi,
            "en": en,
            "legal_basis": self.rule_set.legal_basis,
            "valid_from": dates.valid_from.isoformat(),
            "valid_to": dates.valid_to.isoformat() if dates.valid_to else None,
            "applied_on": self.day.isoformat(),
            "answers": [
                {"check": a.check, "clause": a.clause, "mandatory": a.is_mandatory}
                for a in self.answers
            ],
        }


def _size(key: object) -> tuple[str, int, int]:
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size, key.public_numbers().e
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size, 1 << 64
    return "key", 1 << 16, 1 << 64  # EdDSA: its family says its size
