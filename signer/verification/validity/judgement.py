"""Whom and when: path, validity, revocation and best signature time (steps 5-7 of `verify`).

Time comes from trusted timestamps, the newest first: each proves that everything it covers
existed, and so the next older one is judged at that moment (EN 319 102-1, 5.6, the past
signature validation). A claimed time never makes anything valid; it only convicts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from signer.trust import Service
from signer.trust.rule_book import RuleBook
from signer.trust.rules import RevocationPolicy, Rules, TimestampDemand
from signer.verification.report import Checklist, SubIndication
from signer.verification.signature import cms
from signer.verification.signature.algorithms import SignatureAlgorithm
from signer.verification.signature.certificates import Certificate, CertificatePool
from signer.verification.signature.examination import Examined, Token
from signer.verification.signature.timestamps import authority_refusal
from signer.verification.validity.evidence import Answer, Evidence, Standing
from signer.verification.validity.paths import Anchors, Path, find_path

_TOLERANCE = dt.timedelta(minutes=5)
_ATTRIBUTES = {
    "signing-certificate": {cms.SIGNING_CERTIFICATE, cms.SIGNING_CERTIFICATE_V2},
    "signing-time": {cms.SIGNING_TIME},
}


@dataclass(frozen=True, slots=True)
class Judged:
    """The trust side of one certificate: its path and whether all evidence was in the file.

    `rules` are those that were applied, of the path's domain and of the time judged at.
    """

    path: Path | None
    is_trusted: bool
    evidence_in_file: bool
    rules: Rules | None = None


class Judge:
    """Pool, anchors and evidence of one verification, asked for one certificate after another."""

    def __init__(
        self,
        anchors: Anchors,
        pool: CertificatePool,
        evidence: Evidence,
        at: dt.datetime,
        *,
        rules: RuleBook | None = None,
        revocation: RevocationPolicy | None = None,
    ) -> None:
        """`revocation` stands above what `rules` (default: the program's) say of freshness."""
        self._rules = rules or RuleBook.default()
        self._revocation_policy = revocation
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
        path, rules, refusal = self._find(token.authority, time, Service.TIMESTAMPING)
        _strength(rules, token.authority, token.data.algorithm, checks, is_proved=False)
        in_file = False
        if self._note_path(path, refusal, token.authority, checks) and path is not None:
            self._anchor(path, Service.TIMESTAMPING, time, checks)
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
        return Judged(path, token.is_trusted, in_file, rules)

    def judge_signer(
        self, item: Examined, moment: dt.datetime, is_proved: bool, claimed: dt.datetime | None
    ) -> Judged:
        """The signer's certificate at `moment`, which is proved or merely when we look."""
        certificate, data, checks = item.certificate, item.data, item.checks
        if certificate is None or data is None or not item.is_intact:
            return Judged(None, False, False)
        path, rules, refusal = self._find(certificate, moment, Service.SIGNING)
        _usage(rules, certificate, checks)
        _strength(rules, certificate, data.algorithm, checks, is_proved)
        _profile(rules, item, is_proved, checks)
        in_file = False
        if self._note_path(path, refusal, certificate, checks) and path is not None:
            self._anchor(path, Service.SIGNING, moment, checks)
            self._validity(path, moment, is_proved, claimed, checks)
            in_file = self._revocation(path, moment, claimed, is_proved, checks)
        return Judged(path, path is not None and not _has_doubt(checks), in_file, rules)

    def _find(
        self, certificate: Certificate, moment: dt.datetime, service: Service
    ) -> tuple[Path | None, Rules, str]:
        """The path, the rules of its domain (none: the general ones), why there is no path."""
        path, refusal = find_path(
            certificate, self._pool, self._anchors, moment, service=service, rules=self._rules
        )
        return path, path.rules if path else self._rules.at(None, moment), refusal

    def _note_path(
        self, path: Path | None, refusal: str, certificate: Certificate, checks: Checklist
    ) -> bool:
        if path is None:
            sub = (
                SubIndication.CHAIN_CONSTRAINTS_FAILURE
                if refusal
                else SubIndication.NO_CERTIFICATE_CHAIN_FOUND
            )
            checks.unknown(
                "path.found", sub, refusal or f"{certificate.issuer_name} is not trusted here"
            )
            return False
        checks.passed(
            "path.found",
            f"{path.domain.value}: " + " < ".join(c.common_name for c in path.certificates),
        )
        if path.weak:
            checks.unknown(
                "path.strength", SubIndication.CRYPTO_CONSTRAINTS_FAILURE, "; ".join(path.weak)
            )
        return True

    def _anchor(self, path: Path, service: Service, moment: dt.datetime, checks: Checklist) -> None:
        """What the list that the anchor stands in says of it; a pin says nothing more."""
        anchor, name = path.anchor, path.certificates[-1].common_name
        if not anchor.is_granted(service, moment):
            checks.unknown(
                "path.anchor", SubIndication.CHAIN_CONSTRAINTS_FAILURE,
                f"{name} was not granted for {service.value} at {moment.isoformat()} "
                f"({anchor.source or 'pinned'})",
            )  # fmt: skip
            return
        if anchor.source:
            checks.passed("path.anchor", f"{name}: granted by {anchor.source}")
        if anchor.next_update is None or self._at <= anchor.next_update:
            return
        detail = f"{anchor.source} should have been replaced by {anchor.next_update.isoformat()}"
        if self._at <= anchor.next_update + path.rules.list_overdue:
            checks.warn("path.anchor", detail)
        else:
            checks.unknown("path.anchor", SubIndication.TRY_LATER, detail)

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
            policy = self._revocation_policy or path.rules.revocation
            answer = self._evidence.standing(certificate, issuer, moment, self._at, policy)
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


def _usage(rules: Rules, certificate: Certificate, checks: Checklist) -> None:
    usages, extended = certificate.usages, certificate.extended_usages
    if usages is not None and not usages & rules.key_usages:
        detail = "the key may not sign documents"
    elif extended is not None and not extended & rules.purposes:
        detail = "the certificate is for another purpose: " + ", ".join(sorted(extended))
    elif certificate.unknown_critical:
        detail = f"critical extension {certificate.unknown_critical[0]} is not understood"
    else:
        checks.passed("signature.key-usage")
        return
    checks.unknown("signature.key-usage", SubIndication.CHAIN_CONSTRAINTS_FAILURE, detail)


def _strength(
    rules: Rules, certificate: Certificate, algorithm: SignatureAlgorithm, checks: Checklist,
    is_proved: bool,
) -> None:  # fmt: skip
    reason = rules.weakness(algorithm.family, algorithm.digest, certificate.key)
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


def _profile(rules: Rules, item: Examined, is_proved: bool, checks: Checklist) -> None:
    """The format, signed attributes and timestamp that the rules ask for."""
    signed = item.data.signed if item.data else {}
    if item.field.sub_filter not in rules.formats:
        checks.unknown(
            "signature.profile", SubIndication.SIG_CONSTRAINTS_FAILURE,
            f"{rules.id} does not accept {item.field.sub_filter}",
        )  # fmt: skip
    for name in rules.required_attributes:
        if not _ATTRIBUTES[name] & signed.keys():
            checks.unknown(
                "signature.profile", SubIndication.SIG_CONSTRAINTS_FAILURE,
                f"{rules.id} demands the signed attribute {name}",
            )  # fmt: skip
    if is_proved or rules.timestamp is TimestampDemand.OPTIONAL:
        return
    if rules.timestamp is TimestampDemand.REQUIRED:
        checks.unknown(
            "signature.timestamp", SubIndication.SIG_CONSTRAINTS_FAILURE,
            f"{rules.id} demands a timestamp that proves the time",
        )  # fmt: skip
    else:
        checks.warn("signature.timestamp", "no timestamp proves the time of signing")


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
