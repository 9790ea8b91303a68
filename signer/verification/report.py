"""What a verification says: closed enums, frozen values, and no truth value.

The verdict is three-way (ETSI EN 319 102-1) and separate from integrity, which says whether
what is shown is what was signed, whoever signed it. Both follow from the list of checks alone.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from signer.errors import SignatureNotValid
from signer.verification.attacks import Attack
from signer.verification.wording import check_text, sentence


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
        self.checks.append(Check(check, Outcome.INDETERMINATE, detail, sub, integrity, attack))

    def failed(
        self, check: str, sub: SubIndication, detail: str = "", integrity: Integrity | None = None,
        *, attack: Attack | None = None,
    ) -> None:  # fmt: skip
        """The check was decided, against the signature."""
        self.checks.append(Check(check, Outcome.FAILED, detail, sub, integrity, attack))

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


@dataclass(frozen=True, slots=True)
class TimestampReport:
    """An RFC 3161 token: in a signature, or over the whole document."""

    indication: Indication
    sub_indication: SubIndication | None
    integrity: Integrity
    time: dt.datetime | None
    authority: str
    trust_domain: str | None
    algorithm: str
    checks: tuple[Check, ...]
    field_name: str | None = None  # None for a timestamp inside a signature
    revision: int | None = None  # 1-based
    revisions: int | None = None
    covers_whole_file: bool = False
    authority_until: dt.datetime | None = None  # the end of its certificate: renew before it

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        out: dict[str, Any] = {
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "integrity": self.integrity.value,
            "time": _time(self.time),
            "authority": self.authority,
            "trust_domain": self.trust_domain,
            "algorithm": self.algorithm,
        }
        if self.field_name is not None:
            out |= {
                "field": self.field_name,
                "revision": self.revision,
                "revisions": self.revisions,
                "covers_whole_file": self.covers_whole_file,
            }
        out["checks"] = [check.to_json() for check in self.checks]
        return out


@dataclass(frozen=True, slots=True)
class Change:
    """Something that a later revision did. `kind` is a stable word, `allowed` the judgement.

    `attack` is the kind of forgery that leaves such a trace; None where nothing fits.
    """

    kind: str
    revision: int  # 1-based
    allowed: bool
    detail: str = ""
    attack: Attack | None = None

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        vi, en = check_text(f"change.{self.kind}", "ALLOWED" if self.allowed else "CHANGED")
        return {
            "kind": self.kind,
            "revision": self.revision,
            "allowed": self.allowed,
            "vi": vi,
            "en": en,
            "detail": self.detail,
            "attack": self.attack,
        }


@dataclass(frozen=True, slots=True)
class CertificateSummary:
    """The minimum fields of TT 15/2025 about a certificate (K4)."""

    subject: str
    organisation: str
    issuer: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        return {
            "subject": self.subject,
            "organisation": self.organisation,
            "issuer": self.issuer,
            "serial": self.serial,
            "not_before": _time(self.not_before),
            "not_after": _time(self.not_after),
            "sha256": self.sha256,
        }


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """One signature: who, when, what of, and every check."""

    field_name: str
    indication: Indication
    sub_indication: SubIndication | None
    integrity: Integrity
    certificate: CertificateSummary | None
    trust_domain: str | None
    claimed_time: dt.datetime | None
    proved_time: dt.datetime | None
    level: str | None
    sub_filter: str
    algorithm: str
    reason: str
    revision: int | None  # 1-based
    revisions: int | None
    covers_whole_file: bool
    certification: int | None  # DocMDP /P, when it certifies
    changes: tuple[Change, ...]
    timestamps: tuple[TimestampReport, ...]
    checks: tuple[Check, ...]

    @property
    def signer(self) -> str:
        """The common name of the signer's certificate; empty when it is missing."""
        return self.certificate.subject if self.certificate else ""

    @property
    def organisation(self) -> str:
        """The organisation that the certificate names."""
        return self.certificate.organisation if self.certificate else ""

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        return {
            "field": self.field_name,
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "integrity": self.integrity.value,
            "signer": self.signer,
            "organisation": self.organisation,
            "certificate": self.certificate.to_json() if self.certificate else None,
            "trust_domain": self.trust_domain,
            "claimed_time": _time(self.claimed_time),
            "proved_time": _time(self.proved_time),
            "level": self.level,
            "sub_filter": self.sub_filter,
            "algorithm": self.algorithm,
            "reason": self.reason,
            "revision": self.revision,
            "revisions": self.revisions,
            "covers_whole_file": self.covers_whole_file,
            "certification": self.certification,
            "changes": [change.to_json() for change in self.changes],
            "timestamps": [token.to_json() for token in self.timestamps],
            "checks": [check.to_json() for check in self.checks],
        }


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """The whole answer. It has no truth value: call `require_passed` where validity matters."""

    indication: Indication
    sub_indication: SubIndication | None
    integrity: Integrity
    signatures: tuple[SignatureReport, ...]
    document_timestamps: tuple[TimestampReport, ...]
    checks: tuple[Check, ...]  # of the document, before and beside its signatures
    verified_at: dt.datetime
    sha256: str
    size: int

    def __bool__(self) -> NoReturn:
        """Refused: a three-way verdict has no truth value."""
        raise TypeError("a VerificationReport is not true or false; call require_passed()")

    @property
    def sentence(self) -> tuple[str, str]:
        """One plain sentence for a citizen, Vietnamese and English."""
        return sentence(
            self.indication.value, self.integrity.value, bool(self.signatures),
            self.sub_indication.value if self.sub_indication else None,
        )  # fmt: skip

    def require_passed(self) -> VerificationReport:
        """Itself, when TOTAL-PASSED. Raises `signer.errors.SignatureNotValid` otherwise."""
        if self.indication is not Indication.TOTAL_PASSED:
            sub = self.sub_indication.value if self.sub_indication else "-"
            worst = next(
                (c.detail for c in self.all_checks() if c.outcome is Outcome.FAILED), ""
            ) or next(
                (c.detail for c in self.all_checks() if c.outcome is Outcome.INDETERMINATE), ""
            )
            raise SignatureNotValid(
                f"{self.sentence[0]} / {self.sentence[1]} "
                f"[{self.indication.value}, {sub}, {self.integrity.value}] {worst}".rstrip(),
                report=self,
            )
        return self

    @property
    def attacks(self) -> frozenset[Attack]:
        """Every kind of attack that a finding or a forbidden change is a trace of."""
        named = {check.attack for check in self.all_checks()}
        named |= {change.attack for s in self.signatures for change in s.changes}
        return frozenset(word for word in named if word is not None)

    def all_checks(self) -> Iterable[Check]:
        """Every check of document, signatures and timestamps."""
        yield from self.checks
        for signature in self.signatures:
            yield from signature.checks
            for token in signature.timestamps:
                yield from token.checks
        for token in self.document_timestamps:
            yield from token.checks

    def to_json(self) -> dict[str, Any]:
        """One JSON object; its top-level keys are stable."""
        vi, en = self.sentence
        return {
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "integrity": self.integrity.value,
            "message": {"vi": vi, "en": en},
            "verified_at": _time(self.verified_at),
            "document": {"sha256": self.sha256, "size": self.size},
            "signatures": [signature.to_json() for signature in self.signatures],
            "document_timestamps": [token.to_json() for token in self.document_timestamps],
            "checks": [check.to_json() for check in self.checks],
        }


def _time(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
