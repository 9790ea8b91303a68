"""Was the certificate valid when it was signed with? (TT 15/2025, annex II; K4, K5)

Judged at the proved time, else at the claimed one, and marked as such: a claim proves nothing.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from signer.verification.checks import Check, Outcome, SubIndication

_WORDS = {
    "VALID": ("có hiệu lực", "valid"),
    "NOT_VALID": ("không có hiệu lực", "not valid"),
    "UNKNOWN": ("chưa xác định", "undetermined"),
}
_REVOKED = (
    SubIndication.REVOKED,
    SubIndication.REVOKED_NO_POE,
    SubIndication.REVOKED_CA_NO_POE,
)


class Basis(enum.StrEnum):
    """Where the time comes from at which validity is judged."""

    PROVED = "proved"  # by a timestamp
    CLAIMED = "claimed"  # by the signer
    NONE = "none"  # no time of signing is known


class Period(enum.StrEnum):
    """The time of signing against the certificate's period."""

    WITHIN = "WITHIN"
    BEFORE = "BEFORE"
    AFTER = "AFTER"
    UNKNOWN = "UNKNOWN"


class Revocation(enum.StrEnum):
    """What the evidence says of revocation, along the whole path."""

    GOOD = "GOOD"
    REVOKED = "REVOKED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class ValidityAtSigning:
    """The certificate at the time of signing. `status`: VALID, NOT_VALID or UNKNOWN."""

    time: dt.datetime | None
    basis: Basis
    period: Period
    revocation: Revocation

    @property
    def status(self) -> str:
        """NOT_VALID as soon as one half is; VALID only when both are known."""
        if self.period in (Period.BEFORE, Period.AFTER) or self.revocation is Revocation.REVOKED:
            return "NOT_VALID"
        if self.period is Period.WITHIN and self.revocation is Revocation.GOOD:
            return "VALID"
        return "UNKNOWN"

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        vi, en = _WORDS[self.status]
        return {
            "status": self.status,
            "vi": vi,
            "en": en,
            "time": self.time.isoformat() if self.time else None,
            "time_is": self.basis.value,
            "period": self.period.value,
            "revocation": self.revocation.value,
        }


def validity_at_signing(
    period: tuple[dt.datetime, dt.datetime] | None,
    proved: dt.datetime | None,
    claimed: dt.datetime | None,
    checks: Iterable[Check],
) -> ValidityAtSigning:
    """`period` is the certificate's, both ends included; None: there is no certificate."""
    time = proved or claimed
    basis = Basis.PROVED if proved else Basis.CLAIMED if claimed else Basis.NONE
    within = Period.UNKNOWN
    if period is not None and time is not None:
        within = Period.WITHIN
        if time < period[0]:
            within = Period.BEFORE
        elif time > period[1]:
            within = Period.AFTER
    return ValidityAtSigning(time, basis, within, _revocation(checks))


def _revocation(checks: Iterable[Check]) -> Revocation:
    made = [check for check in checks if check.check == "revocation"]
    if any(check.sub_indication in _REVOKED for check in made):
        return Revocation.REVOKED
    if made and all(check.outcome is Outcome.PASSED for check in made):
        return Revocation.GOOD
    return Revocation.UNKNOWN
