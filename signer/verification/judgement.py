"""Whom and when: path, validity, revocation and best signature time (steps 5-7 of `verify`).

Time comes from trusted timestamps, the newest first: each proves that everything it covers
existed, and so the next older one is judged at that moment (EN 319 102-1, 5.6, the past
signature validation). A claimed time never makes anything valid; it only convicts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from signer.verification.algorithms import SignatureAlgorithm, weakness
from signer.verification.certificates import Certificate, CertificatePool
from signer.verification.evidence import Answer, Evidence, Standing
from signer.verification.examination import Examined, Token
from signer.verification.paths import Anchors, Path, find_path
from signer.verification.report import Checklist, SubIndication
from signer.verification.timestamps import authority_refusal

_TOLERANCE = dt.timedelta(minutes=5)
_SIGNING_USAGES = frozenset({"digital_signature", "content_commitment"})
# any purpose, e-mail, client authentication, document signing (RFC 9336, Microsoft, Adobe)
_SIGNING_PURPOSES = frozenset(
    {
        "2.5.29.37.0",
        "1.3.6.1.5.5.7.3.4",
        "1.3.6.1.5.5.7.3.2",
        "1.3.6.1.5.5.7.3.36",
        "1.3.6.1.4.1.311.10.3.12",
        "1.2.840.113583.1.1.5",
    }
)


@dataclass(frozen=True, slots=True)
class Judged:
    """The trust side of one certificate: its path and whether all evidence was in the file."""

    path: Path | None
    is_trusted: bool
    evidence_in_file: bool


class Judge:
    """Pool, anchors and evidence of one verification, asked for one certificate after another."""

    def __init__(
        self, anchors: Anchors, pool: CertificatePool, evidence: Evidence, at: dt.datetime
    ) -> None:
        self._anchors = anchors
        self._pool = pool
        self._evidence = evidence
        self._at = at

    def judge_token(self, token: Token, control_time: dt.datetime) -> Judged:
        """Whether a sound token comes from an authority that was trustworthy.

        `control_time` is when the token is known to have existed.
        """
        checks = token.checks
        if token.info is None or token.authority is None or token.data is None:
            return Judged(None, False, False)
        time = token.info.time
        refusal = authority_refusal(token.authority)
        if refusal:
            checks.unknown("timestamp.authority", SubIndication.SIG_CONSTRAINTS_FAILURE, refusal)
        else:
            checks.passed("timestamp.authority", token.authority.common_name)
        if time > control_time + _TOLERANCE:
            checks.unknown(
                "timestamp.order", SubIndication.TIMESTAMP_ORDER_FAILURE,
                f"{time.isoformat()} is later than what proves or checks it",
            )  # fmt: skip
        self._strength(token.authority, token.data.algorithm, checks, is_proved=False)
        path = self._path(token.authority, time, checks)
        in_file = False
        if path is not None:
            token.trust_domain = path.domain.value
            outside = path.invalid_at(control_time) or path.invalid_at(time)
            if outside:
                checks.unknown(
                    "path.validity", SubIndication.OUT_OF_BOUNDS_NO_POE,
                    f"{outside.common_name}: {_period(outside)}",
                )  # fmt: skip
            else:
                checks.passed("path.validity")
            in_file = self._revocation(path, time, None, True, checks)
        token.is_trusted = path is not None and not _has_doubt(checks)
        return Judged(path, token.is_trusted, in_file)

    def judge_signer(
        self, item: Examined, moment: dt.datetime, is_proved: bool, claimed: dt.datetime | None
    ) -> Judged:
        """The signer's certificate at `moment`, which is proved or merely when we look."""
        certificate, data, checks = item.certificate, item.data, item.checks
        if certificate is None or data is None or not item.is_intact:
            return Judged(None, False, False)
        self._usage(certificate, checks)
        self._strength(certificate, data.algorithm, checks, is_proved)
        path = self._path(certificate, moment, checks)
        in_file = False
        if path is not None:
            self._validity(path, moment, is_proved, claimed, checks)
            in_file = self._revocation(path, moment, claimed, is_proved, checks)
        return Judged(path, path is not None and not _has_doubt(checks), in_file)

    def _path(
        self, certificate: Certificate, moment: dt.datetime, checks: Checklist
    ) -> Path | None:
        path, refusal = find_path(certificate, self._pool, self._anchors, moment)
        if path is None:
            sub = (
                SubIndication.CHAIN_CONSTRAINTS_FAILURE
                if refusal
                else SubIndication.NO_CERTIFICATE_CHAIN_FOUND
            )
            checks.unknown(
                "path.found", sub, refusal or f"{certificate.issuer_name} is not trusted here"
            )
            return None
        checks.passed(
            "path.found",
            f"{path.domain.value}: " + " < ".join(c.common_name for c in path.certificates),
        )
        if path.weak:
            checks.unknown(
                "path.strength", SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "; ".join(path.weak)
            )
        return path

    def _usage(self, certificate: Certificate, checks: Checklist) -> None:
        usages, extended = certificate.usages, certificate.extended_usages
        if usages is not None and not usages & _SIGNING_USAGES:
            detail = "the key may not sign documents"
        elif extended is not None and not extended & _SIGNING_PURPOSES:
            detail = "the certificate is for another purpose: " + ", ".join(sorted(extended))
        elif certificate.unknown_critical:
            detail = f"critical extension {certificate.unknown_critical[0]} is not understood"
        else:
            checks.passed("signature.key-usage")
            return
        checks.unknown("signature.key-usage", SubIndication.CHAIN_CONSTRAINTS_FAILURE, detail)

    def _strength(
        self, certificate: Certificate, algorithm: SignatureAlgorithm, checks: Checklist,
        is_proved: bool,
    ) -> None:  # fmt: skip
        reason = weakness(certificate.key, algorithm)
        if reason is None:
            checks.passed("signature.strength", algorithm.name)
            return
        checks.unknown(
            "signature.strength",
            SubIndication.CRYPTO_CONSTRAINTS_FAILURE
            if is_proved
            else SubIndication.CRYPTO_CONSTRAINTS_FAILURE_NO_POE,
            f"{reason} is weak" + ("; a timestamp proves its time" if is_proved else ""),
        )

    def _validity(
        self, path: Path, moment: dt.datetime, is_proved: bool, claimed: dt.datetime | None,
        checks: Checklist,
    ) -> None:  # fmt: skip
        outside = path.invalid_at(moment)
        if outside is None:
            checks.passed("path.validity", f"at {moment.isoformat()}")
            return
        detail = f"{outside.common_name}: {_period(outside)}, judged at {moment.isoformat()}"
        is_signer = outside is path.certificates[0]
        if is_signer and moment < outside.not_before and is_proved:
            checks.failed("path.validity", SubIndication.NOT_YET_VALID, detail)
        elif is_signer and claimed is not None and claimed > outside.not_after:
            checks.failed("path.validity", SubIndication.EXPIRED, detail)
        else:
            checks.unknown("path.validity", SubIndication.OUT_OF_BOUNDS_NO_POE, detail)

    def _revocation(
        self, path: Path, moment: dt.datetime, claimed: dt.datetime | None, is_proved: bool,
        checks: Checklist,
    ) -> bool:  # fmt: skip
        """True when every link's standing was decided by evidence from the file itself."""
        in_file = True
        for position, (certificate, issuer) in enumerate(path.links()):
            answer = self._evidence.standing(certificate, issuer, moment, self._at)
            in_file = in_file and answer.standing is Standing.GOOD and answer.in_file
            name = certificate.common_name
            if answer.standing is Standing.GOOD:
                checks.passed("revocation", f"{name}: {answer.source} {answer.detail}")
            elif answer.standing is Standing.REVOKED:
                self._revoked(answer, name, position == 0, moment, claimed, is_proved, checks)
            else:
                word = "is too old or too early" if answer.standing is Standing.STALE else ""
                checks.unknown(
                    "revocation", SubIndication.TRY_LATER,
                    f"{name}: {answer.source} {answer.detail} {word}".strip(),
                )  # fmt: skip
        return in_file

    def _revoked(
        self, answer: Answer, name: str, is_signer: bool, moment: dt.datetime,
        claimed: dt.datetime | None, is_proved: bool, checks: Checklist,
    ) -> None:  # fmt: skip
        revoked_at = answer.revoked_at or moment
        detail = f"{name}: revoked at {revoked_at.isoformat()} ({answer.source})"
        if revoked_at > moment:
            after = "the proved time" if is_proved else "the moment asked about"
            checks.passed("revocation", f"{detail}, after {after}")
        elif is_signer and claimed is not None and claimed >= revoked_at:
            checks.failed("revocation", SubIndication.REVOKED, detail)
        elif is_signer:
            checks.unknown("revocation", SubIndication.REVOKED_NO_POE, detail)
        else:
            checks.unknown("revocation", SubIndication.REVOKED_CA_NO_POE, detail)


def check_claimed_time(item: Examined, proved: dt.datetime | None) -> None:
    """Compare the claimed with the proved time; deviations are notes (K8)."""
    if item.claimed_time is None or proved is None:
        return
    ahead = item.claimed_time - proved
    if abs(ahead - dt.timedelta(hours=7)) < dt.timedelta(minutes=30):
        item.checks.warn("cms.signing-time", "local time (+7 h) was written as UTC")
    elif ahead > _TOLERANCE:
        item.checks.warn("cms.signing-time", "the claimed time is later than the proved one")


def trusted_times(tokens: Iterator[Token]) -> list[dt.datetime]:
    """When the trusted ones among `tokens` were issued."""
    return [t.info.time for t in tokens if t.is_trusted and t.info is not None]


def _has_doubt(checks: Checklist) -> bool:
    return any(c.outcome.value in ("INDETERMINATE", "FAILED") for c in checks.checks)


def _period(certificate: Certificate) -> str:
    return f"valid {certificate.not_before.isoformat()} to {certificate.not_after.isoformat()}"
