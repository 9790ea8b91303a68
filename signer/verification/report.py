"""What a verification says of a document: frozen values, their JSON, and no truth value.

The words of the verdict and the checks that it follows from stand in `checks`; they are exported
here too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from signer.errors import SignatureNotValid
from signer.trust.rules import Rules
from signer.verification.attacks import Attack
from signer.verification.checks import (
    Check,
    Checklist,
    Indication,
    Integrity,
    Outcome,
    Part,
    SubIndication,
    conclude,
    integrity_of,
)
from signer.verification.shown.opinion import NOT_COMPARED, Engines, Shown
from signer.verification.validity.at_signing import ValidityAtSigning, validity_at_signing
from signer.verification.words.sentences import sentence
from signer.verification.words.wording import check_text, part_text

__all__ = [
    "CertificateSummary",
    "Change",
    "Check",
    "Checklist",
    "Indication",
    "Integrity",
    "Outcome",
    "Part",
    "SignatureReport",
    "SubIndication",
    "TimestampReport",
    "VerificationReport",
    "conclude",
    "integrity_of",
]


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
    attributes_sha256: str | None = None  # of the signed attributes: names this very timestamp

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
            "attributes_sha256": self.attributes_sha256,
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
    managed_by: str = ""  # the organisation that issued and manages it

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        return {
            "subject": self.subject,
            "organisation": self.organisation,
            "issuer": self.issuer,
            "managed_by": self.managed_by,
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
    part: Part = Part.OTHER
    attributes_sha256: str | None = None  # of the signed attributes: names this very signature
    covered_digest: tuple[str, str] | None = None  # algorithm, hex; of the covered bytes if intact
    rule_set: Rules | None = None  # that its path, key, format and evidence were judged by

    @property
    def signer(self) -> str:
        """The common name of the signer's certificate; empty when it is missing."""
        return self.certificate.subject if self.certificate else ""

    @property
    def organisation(self) -> str:
        """The organisation that the certificate names."""
        return self.certificate.organisation if self.certificate else ""

    @property
    def validity_at_signing(self) -> ValidityAtSigning:
        """The certificate at the proved, else the claimed time of signing (K5)."""
        one = self.certificate
        period = (one.not_before, one.not_after) if one else None
        return validity_at_signing(period, self.proved_time, self.claimed_time, self.checks)

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        vi, en = part_text(self.part)
        return {
            "field": self.field_name,
            "part": self.part.value,
            "part_name": {"vi": vi, "en": en},
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "integrity": self.integrity.value,
            "signer": self.signer,
            "organisation": self.organisation,
            "certificate": self.certificate.to_json() if self.certificate else None,
            "trust_domain": self.trust_domain,
            "rule_set": self.rule_set.to_json() if self.rule_set else None,
            "claimed_time": _time(self.claimed_time),
            "proved_time": _time(self.proved_time),
            "validity_at_signing": self.validity_at_signing.to_json(),
            "level": self.level,
            "sub_filter": self.sub_filter,
            "attributes_sha256": self.attributes_sha256,
            "covered_digest": _digest(self.covered_digest),
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
class TrustApplied:
    """Which trust store judged: whoever has the same one gets the same answer (K13)."""

    sha256: str  # `signer.trust.TrustStore.fingerprint`
    lists: tuple[str, ...]  # imported versions that it is made of, as government/7

    def to_json(self) -> dict[str, Any]:
        """Stable keys."""
        return {"sha256": self.sha256, "lists": list(self.lists)}


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
    trust: TrustApplied | None = None
    shown: Shown = NOT_COMPARED

    @property
    def engines(self) -> Engines:
        """Whether a second engine sees the same file and the same pages."""
        return self.shown.engines

    def __bool__(self) -> NoReturn:
        """Refused: a three-way verdict has no truth value."""
        raise TypeError("a VerificationReport is not true or false; call require_passed()")

    @property
    def sentence(self) -> tuple[str, str]:
        """One plain sentence for a citizen, Vietnamese and English."""
        return sentence(
            self.indication.value, self.integrity.value, bool(self.signatures),
            self.sub_indication.value if self.sub_indication else None,
            {c.check for c in self.all_checks() if c.outcome not in _HARMLESS},
            {s.trust_domain for s in self.signatures if s.trust_domain},
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
        """One JSON object; its top-level keys are stable.

        Every text is valid Unicode of at most 4,000 characters, whatever the file says.
        """
        vi, en = self.sentence
        told: dict[str, Any] = {
            "indication": self.indication.value,
            "sub_indication": self.sub_indication.value if self.sub_indication else None,
            "integrity": self.integrity.value,
            "engines": self.engines.value,
            "message": {"vi": vi, "en": en},
            "verified_at": _time(self.verified_at),
            "document": {"sha256": self.sha256, "size": self.size},
            "trust": self.trust.to_json() if self.trust else None,
            "expected_agency": None,
            "signatures": [signature.to_json() for signature in self.signatures],
            "document_timestamps": [token.to_json() for token in self.document_timestamps],
            "shown": self.shown.to_json(),
            "checks": [check.to_json() for check in self.checks],
        }
        bounded: dict[str, Any] = _bounded(told)
        return bounded


_HARMLESS = (Outcome.PASSED, Outcome.WARNING)
_LONGEST = 4000  # characters of one text of the report


def _bounded(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """`value` with what strangers wrote cut to `_LONGEST`, lone surrogates replaced."""
    if isinstance(value, str):
        text = value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
        return text if text.isascii() else text.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {key: _bounded(inner) for key, inner in value.items()}
    return [_bounded(inner) for inner in value] if isinstance(value, list) else value


def _digest(digest: tuple[str, str] | None) -> dict[str, str] | None:
    return {"algorithm": digest[0], "value": digest[1]} if digest else None


def _time(moment: dt.datetime | None) -> str | None:
    return moment.isoformat() if moment else None
