"""Checks and the verdict that follows from them: closed enums, frozen values.

The verdict is three-way (ETSI EN 319 102-1) and separate from integrity, which says whether
what is shown is what was signed, whoever signed it. Both follow from the list of checks alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from signer.verification.attacks import OF_CHECK, Attack
from signer.verification.words.wording import check_text


class Indication(enum.Enum):
    """EN 319 102-1, 5.1.3; ordered from best to worst."""

    TOTAL_PASSED = "TOTAL-PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL-FAILED"


class SubIndication(enum.Enum):
    """EN 319 102-1, table 5; the ones that this verifier gives."""

    FORMAT_FAILURE = "FORMAT_FAILURE"
    HASH_FAILURE = "HASH_FAILURE"
    SIG_CRYPTO_FAILURE = "SIG_CRYPTO_FAILURE"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    NOT_YET_VALID = "NOT_YET_VALID"
    SIG_CONSTRAINTS_FAILURE = "SIG_CONSTRAINTS_FAILURE"
    CHAIN_CONSTRAINTS_FAILURE = "CHAIN_CONSTRAINTS_FAILURE"
    CERTIFICATE_CHAIN_GENERAL_FAILURE = "CERTIFICATE_CHAIN_GENERAL_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE = "CRYPTO_CONSTRAINTS_FAILURE"
    CRYPTO_CONSTRAINTS_FAILURE_NO_POE = "CRYPTO_CONSTRAINTS_FAILURE_NO_POE"
    TIMESTAMP_ORDER_FAILURE = "TIMESTAMP_ORDER_FAILURE"
    NO_SIGNING_CERTIFICATE_FOUND = "NO_SIGNING_CERTIFICATE_FOUND"
    NO_CERTIFICATE_CHAIN_FOUND = "NO_CERTIFICATE_CHAIN_FOUND"
    REVOKED_NO_POE = "REVOKED_NO_POE"
    REVOKED_CA_NO_POE = "REVOKED_CA_NO_POE"
    OUT_OF_BOUNDS_NO_POE = "OUT_OF_BOUNDS_NO_POE"
    TRY_LATER = "TRY_LATER"
    SIGNED_DATA_NOT_FOUND = "SIGNED_DATA_NOT_FOUND"


class Integrity(enum.Enum):
    """Whether what is shown is what was signed; independent of trust."""

    INTACT = "INTACT"
    CHANGED = "CHANGED"  # altered after signing
    BROKEN = "BROKEN"  # a signature or timestamp does not verify
    MALFORMED = "MALFORMED"  # not a structure that can be judged
    UNKNOWN = "UNKNOWN"  # signed in a way that this verifier cannot compute
    NONE = "NONE"  # not signed


class Part(enum.StrEnum):
    """The part that a signature plays in a clerical sequence; a description, no judgement."""

    LEADER = "leader"  # the authorised person
    NUMBER = "number"  # given by the clerk, with the agency's key
    DATE = "date"
    SEAL = "seal"  # the agency
    PUBLISHER = "publisher"  # the gazette office
    ANNEX = "annex"  # the agency, on an annex in a file of its own
    COPY = "copy"  # the agency, on an electronic copy or digitised paper
    OFFICER = "officer"  # the person who digitised
    OTHER = "other"


class Outcome(enum.Enum):
    """Of one check."""

    PASSED = "PASSED"
    WARNING = "WARNING"  # worth knowing; takes nothing from the verdict
    INDETERMINATE = "INDETERMINATE"
    FAILED = "FAILED"


_WORST_INTEGRITY = (
    Integrity.MALFORMED,
    Integrity.BROKEN,
    Integrity.CHANGED,
    Integrity.UNKNOWN,
    Integrity.NONE,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One check with its result. `check` is a stable id; `detail` is technical English.

    `attack` is the kind of forgery that leaves such a trace; None where nothing fits.
    """

    check: str
    outcome: Outcome
    detail: str = ""
    sub_indication: SubIndication | None = None
    integrity: Integrity | None = None
    attack: Attack | None = None

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        vi, en = check_text(self.check, self.outcome.value)
        return {
            "check": self.check,
            "outcome": self.outcome.value,
            "vi": vi,
            "en": en,
            "detail": self.detail,
            "attack": self.attack,
        }


@dataclass(slots=True)
class Checklist:
    """Collects checks while a signature is examined."""

    checks: list[Check] = field(default_factory=list)

    def passed(self, check: str, detail: str = "") -> None:
        """The check was made and nothing is wrong."""
        self.checks.append(Check(check, Outcome.PASSED, detail))

    def warn(self, check: str, detail: str = "", *, attack: Attack | None = None) -> None:
        """Something that the reader should know."""
        self.checks.append(Check(check, Outcome.WARNING, detail, attack=attack))

    def unknown(
        self, check: str, sub: SubIndication, detail: str = "", integrity: Integrity | None = None,
        *, attack: Attack | None = None,
    ) -> None:  # fmt: skip
        """The check could not be decided."""
        word = attack or OF_CHECK.get(check)
        self.checks.append(Check(check, Outcome.INDETERMINATE, detail, sub, integrity, word))

    def failed(
        self, check: str, sub: SubIndication, detail: str = "", integrity: Integrity | None = None,
        *, attack: Attack | None = None,
    ) -> None:  # fmt: skip
        """The check was decided, against the signature."""
        word = attack or OF_CHECK.get(check)
        self.checks.append(Check(check, Outcome.FAILED, detail, sub, integrity, word))

    def frozen(self) -> tuple[Check, ...]:
        """The checks so far."""
        return tuple(self.checks)


def conclude(checks: Iterable[Check]) -> tuple[Indication, SubIndication | None]:
    """The verdict of a list of checks; an empty list is INDETERMINATE (nothing was proved)."""
    listed = list(checks)
    for outcome, indication in (
        (Outcome.FAILED, Indication.TOTAL_FAILED),
        (Outcome.INDETERMINATE, Indication.INDETERMINATE),
    ):
        for check in listed:
            if check.outcome is outcome:
                return indication, check.sub_indication
    if not any(check.outcome is Outcome.PASSED for check in listed):
        return Indication.INDETERMINATE, None
    return Indication.TOTAL_PASSED, None


def integrity_of(checks: Iterable[Check]) -> Integrity:
    """The worst effect on integrity among `checks`."""
    found = {check.integrity for check in checks if check.integrity}
    return next((worst for worst in _WORST_INTEGRITY if worst in found), Integrity.INTACT)
