"""From what was found to the values of the report: levels, names, times."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import re
from dataclasses import dataclass, field

from signer.verification.file.pdf_objects import PDFString, Value
from signer.verification.file.structure import Document, text
from signer.verification.report import (
    CertificateSummary,
    Change,
    Part,
    SignatureReport,
    TimestampReport,
    conclude,
    integrity_of,
)
from signer.verification.signature.certificates import Certificate
from signer.verification.signature.cms import (
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SignedData,
    message_digest,
)
from signer.verification.signature.examination import Examined, Token
from signer.verification.validity.judgement import Judged

_DATE = re.compile(
    r"D:(\d{4})(\d\d)?(\d\d)?(\d\d)?(\d\d)?(\d\d)?(?:(Z)|([+-])(\d\d)'?(?:(\d\d)'?)?)?"
)


@dataclass(slots=True)
class Facts:
    """What the later steps learned of one signature or document timestamp."""

    judged: Judged | None = None
    token_judgements: list[Judged] = field(default_factory=list)
    proved_time: dt.datetime | None = None
    claimed_time: dt.datetime | None = None
    certification: int | None = None
    changes: tuple[Change, ...] = ()
    level: str | None = None
    part: Part = Part.OTHER


def pdf_date(value: Value) -> dt.datetime | None:
    """A PDF date (ISO 32000-2, 7.9.4) as an aware time; None when it cannot be read."""
    found = _DATE.match(text(value.value)) if isinstance(value, PDFString) else None
    if found is None:
        return None
    year, *rest = (int(g) if g else None for g in found.groups()[:6])
    month, day, hour, minute, second = (
        n if n is not None else default for n, default in zip(rest, (1, 1, 0, 0, 0), strict=True)
    )
    offset = dt.timedelta(hours=int(found[9] or 0), minutes=int(found[10] or 0))
    try:
        zone = dt.timezone(-offset if found[8] == "-" else offset)
        return dt.datetime(year or 0, month, day, hour, minute, second, tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def level_of(
    item: Examined, facts: Facts, items: list[Examined], document: Document, embedded: set[bytes]
) -> str | None:
    """The level that the evidence shows (`security.md` 8): what is claimed does not count."""
    if item.field.is_timestamp or not item.is_intact or item.data is None or not item.coverage:
        return None
    prefix = "B-"
    named = {SIGNING_CERTIFICATE, SIGNING_CERTIFICATE_V2} & item.data.signed.keys()
    if item.field.sub_filter != "ETSI.CAdES.detached" or not named:
        prefix = "PKCS7-"
    timed = any(
        token.info is not None and one.path is not None
        for token, one in zip(item.tokens, facts.token_judgements, strict=True)
    )
    if facts.proved_time is None:
        return prefix + ("T" if timed else "B")
    judged = [facts.judged, *facts.token_judgements]
    if not _has_long_term_data(judged, document, embedded):
        return prefix + "T"
    archive = any(
        other.document_token is not None
        and other.document_token.is_trusted
        and other.coverage is not None
        and other.coverage.end > item.coverage.end
        and "DSS" in document.view(other.coverage.revision).root
        for other in items
    )
    return prefix + ("LTA" if archive else "LT")


def _has_long_term_data(
    judged: list[Judged | None], document: Document, embedded: set[bytes]
) -> bool:
    if "DSS" not in document.current.root:
        return False
    for one in judged:
        if one is None or one.path is None or not one.evidence_in_file:
            return False
        if any(c.der not in embedded for c in one.path.certificates[:-1]):
            return False
    return True


def signature_report(
    item: Examined, facts: Facts, revisions: int | None, size: int
) -> SignatureReport:
    """The report of one signature."""
    checks = item.checks.frozen()
    indication, sub = conclude(checks)
    reason = item.field.dictionary.get("Reason")
    return SignatureReport(
        field_name=item.field.name,
        indication=indication,
        sub_indication=sub,
        integrity=integrity_of(checks),
        certificate=_summary(item.certificate, facts.judged),
        trust_domain=facts.judged.path.domain.value if facts.judged and facts.judged.path else None,
        claimed_time=facts.claimed_time,
        proved_time=facts.proved_time,
        level=facts.level,
        sub_filter=item.field.sub_filter,
        algorithm=item.data.algorithm.name if item.data else "",
        reason=text(reason.value) if isinstance(reason, PDFString) else "",
        revision=item.coverage.revision + 1 if item.coverage else None,
        revisions=revisions,
        covers_whole_file=item.coverage is not None and item.coverage.end == size,
        certification=facts.certification,
        changes=facts.changes,
        timestamps=tuple(_token_report(token) for token in item.tokens),
        checks=checks,
        part=facts.part,
        attributes_sha256=_attributes_digest(item.data),
        covered_digest=_covered_digest(item),
        rule_set=facts.judged.rules if facts.judged else None,
    )


def _attributes_digest(data: SignedData | None) -> str | None:
    """Of what was signed (EN 319 102-1: data to be signed representation)."""
    return hashlib.sha256(data.signed_octets).hexdigest() if data else None


def _covered_digest(item: Examined) -> tuple[str, str] | None:
    """Of the covered bytes: what an intact signature says is what was computed."""
    if item.data is None or item.data.content is not None or not item.is_intact:
        return None
    return item.data.digest, message_digest(item.data).hex()


def _summary(certificate: Certificate | None, judged: Judged | None) -> CertificateSummary | None:
    if certificate is None:
        return None
    issuer = certificate.issuer_name
    if judged is not None and judged.path is not None and len(judged.path.certificates) > 1:
        above = judged.path.certificates[1]
        issuer = above.organisation or above.common_name or issuer
    return CertificateSummary(
        subject=certificate.common_name,
        organisation=certificate.organisation,
        issuer=certificate.issuer_name,
        serial=f"{certificate.serial:x}",
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        sha256=hashlib.sha256(certificate.der).hexdigest(),
        managed_by=issuer,
    )


def _token_report(token: Token) -> TimestampReport:
    """The report of a timestamp inside a signature."""
    checks = token.checks.frozen()
    indication, sub = conclude(checks)
    return TimestampReport(
        indication=indication,
        sub_indication=sub,
        integrity=integrity_of(checks),
        time=token.info.time if token.info else None,
        authority=token.authority.common_name if token.authority else "",
        trust_domain=token.trust_domain,
        algorithm=token.data.algorithm.name if token.data else "",
        checks=checks,
        authority_until=token.authority.not_after if token.authority else None,
        attributes_sha256=_attributes_digest(token.data),
    )


def timestamp_report(item: Examined, revisions: int | None, size: int) -> TimestampReport:
    """The report of one document timestamp."""
    return dataclasses.replace(
        _token_report(item.document_token or Token(item.checks)),
        field_name=item.field.name,
        revision=item.coverage.revision + 1 if item.coverage else None,
        revisions=revisions,
        covers_whole_file=item.coverage is not None and item.coverage.end == size,
    )
