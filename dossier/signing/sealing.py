"""Seal a document as ordered and verify the very bytes: shared by commands and the service.

    finished = seal_and_verify(pdf, order, services, judge=require_ours)

Nothing is published here: whoever gets a `Finished` holds bytes that passed the whole check.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509.oid import NameOID

from dossier.printout.issuing import PrintedCode
from hsm.keys import SigningKey
from signer.errors import SignatureNotValid
from signer.sealing.appearance.anchor import lines_of
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.plan import CopyForm, StampFacts, plan_stamp
from signer.sealing.appearance.profiles import ProfileSet
from signer.sealing.augment import Augmenter
from signer.sealing.levels import Level
from signer.sealing.seal import Sealer, SealRequest, SealResult
from signer.verification.report import (
    Indication,
    Integrity,
    SignatureReport,
    SubIndication,
    VerificationReport,
)
from signer.verification.verify import Verifier


@dataclass(frozen=True, slots=True)
class Services:
    """The collaborators of the workflow; safe for several threads when they are."""

    sealer: Sealer
    augmenter: Augmenter
    verifier: Verifier
    profiles: ProfileSet


@dataclass(frozen=True, slots=True)
class SealStep:
    """One signature of a record: who signs and how it looks.

    `role` names the field ("officer", "leader", "seal") unless `field_name` does; `profile` None
    makes it invisible. `shown_at` is the time that the stamp shows, None: that of signing; on an
    officer's mark it is the time of scanning (TT 01/2023/TT-VPCP, Điều 8).
    """

    role: str
    key: SigningKey
    profile: str | None = None
    images: StampImages | None = None
    reason: str | None = None
    certify: bool = False
    field_name: str | None = None
    shown_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SealOrder:
    """The signatures to make, in their order, and what their stamps may say.

    `level` is that of the finished document: earlier signatures are timestamped, and the last
    one brings evidence for all of them (EN 319 142-1 5.4). `code` is printed before the first.
    """

    steps: tuple[SealStep, ...]
    level: Level
    at: datetime
    agency: str
    number_symbol: str | None = None
    copy_form: CopyForm | None = None
    location: str | None = None
    code: PrintedCode | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A sealed document that passed its check. `pdf` is None when it went to a file."""

    seals: tuple[SealResult, ...]
    report: VerificationReport
    pdf: bytes | None


Judge = Callable[[VerificationReport, Sequence[SealResult], Level], None]
"""Raises `SignatureNotValid` for a report that must not be released."""


def seal_and_verify(
    source: bytes | Path,
    order: SealOrder,
    services: Services,
    *,
    target: Path | None = None,
    judge: Judge,
    check: Callable[[Path], object] | None = None,
) -> Finished:
    """Seal `source`, verify the result with the whole verifier, and let `judge` decide.

    In memory when `source` is bytes; from file to `target` (with flat memory while sealing) when
    it is a path. `check` sees the sealed file before it is verified. Raises
    `signer.errors.SignerError` and `hsm.errors.HSMError`; then nothing was released.
    """
    requests = requests_of(order, source, services.profiles)
    mark = None
    if order.code is not None:
        mark = order.code.mark(source, services.profiles, order.at)
    pdf: bytes | None = None
    if isinstance(source, bytes):
        pdf, seals = services.sealer.seal_many_bytes(source, requests, mark)
        report = services.verifier.verify(pdf)
    else:
        if target is None:
            raise ValueError("a file is sealed into a file: give target")
        seals = services.sealer.seal_many(source, target, requests, mark)
        if check is not None:
            check(target)
        report = services.verifier.verify(target)
    judge(report, seals, order.level)
    return Finished(tuple(seals), report, pdf)


def require_all(report: VerificationReport, seals: Sequence[SealResult], level: Level) -> None:
    """The whole document passes: for documents in which every signature is ours."""
    del seals
    if not level.long_term and _is_short_lived(report):
        return
    report.require_passed()


def require_ours(report: VerificationReport, seals: Sequence[SealResult], level: Level) -> None:
    """Our signatures pass and no other one fails: what the service publishes.

    A foreign signature may stay undecided (its authority may be unknown here); a broken one
    stops the release, for nobody should find it under the agency's seal.
    """
    ours = {seal.field_name for seal in seals}
    found = [signature for signature in report.signatures if signature.field_name in ours]
    sound = [
        signature
        for signature in found
        if signature.indication is Indication.TOTAL_PASSED
        or (not level.long_term and _is_short_lived(signature))
    ]
    if (
        len(sound) < len(ours)
        or report.integrity is not Integrity.INTACT
        or report.indication is Indication.TOTAL_FAILED
    ):
        raise _not_valid(report)


def require_ours_unbroken(
    report: VerificationReport, seals: Sequence[SealResult], level: Level
) -> None:
    """Our signatures do not fail: what a command asks that may sign anybody's document.

    Earlier ones that fail are not its to judge; the report names them.
    """
    del level
    ours = {seal.field_name for seal in seals}
    for signature in report.signatures:
        if signature.field_name in ours and signature.indication is Indication.TOTAL_FAILED:
            report.require_passed()


def _is_short_lived(found: VerificationReport | SignatureReport) -> bool:
    """Whether only revocation evidence is missing.

    Below B-LT a file holds none, so an intact one is INDETERMINATE with TRY_LATER for whoever
    has nothing but the file (EN 319 102-1 5.2.5).
    """
    return (
        found.integrity is Integrity.INTACT
        and found.indication is Indication.INDETERMINATE
        and found.sub_indication is SubIndication.TRY_LATER
    )


def _not_valid(report: VerificationReport) -> SignatureNotValid:
    try:
        report.require_passed()
    except SignatureNotValid as error:
        return error
    return SignatureNotValid(
        "Tệp đã ký không chứa đủ chữ ký của dịch vụ. / The sealed file lacks a signature that was "
        "made.",
        report=report,
    )


def requests_of(
    order: SealOrder, document: bytes | Path, profiles: ProfileSet
) -> list[SealRequest]:
    """One request a step. The stamp of a step is laid out now, its place is found later.

    Raises `ProfileError`: everything that does not depend on the document is refused here.
    """
    requests = []
    early = Level.B_T if order.level.timestamped else Level.B_B
    for count, step in enumerate(order.steps, 1):
        stamp = None
        if step.profile is not None:
            facts = StampFacts(
                agency=order.agency,
                signer=common_name(step.key),
                copy_form=order.copy_form,
                number_symbol=order.number_symbol,
            )
            stamp = plan_stamp(
                step.profile,
                facts,
                step.shown_at or order.at,
                step.images,
                profiles,
                lines=lambda: lines_of(document),
            )
        field_name = f"{step.role}-{step.profile}" if step.profile else None
        requests.append(
            SealRequest(
                key=step.key,
                level=order.level if count == len(order.steps) else early,
                field_name=step.field_name or field_name,
                stamp=stamp,
                reason=step.reason,
                location=order.location,
                claimed_at=order.at,
                certify=step.certify,
            )
        )
    return requests


def common_name(key: SigningKey) -> str:
    """Who signs: the certificate's common name, else the key's label."""
    names = key.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else key.label
