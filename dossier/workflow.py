"""What happens to a dossier, step by step. Read it from top to bottom.

    digitise > read fields > seal > verify what was sealed > publish

Each step reads a file of the work folder and writes the next; nothing appears under its final
name before the last step, so a crash anywhere means running again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.x509.oid import NameOID

from dossier.reading import PageLog
from hsm.keys import SigningKey
from ocr.conformance import require_conformant
from ocr.fields.extract import DocumentFields
from ocr.page import RecognisedPage
from ocr.pipeline import DigitisedRecord, Station, digitise
from ocr.record.manifest import RecordMetadata
from ocr.settings import DigitiseSettings
from ocr.wholefile import output_error, whole_file
from signer.sealing.appearance.anchor import lines_of
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.plan import CopyForm, StampFacts, plan_stamp
from signer.sealing.appearance.profiles import ProfileSet
from signer.sealing.augment import Augmenter, AugmentResult
from signer.sealing.levels import Level
from signer.sealing.seal import Sealer, SealRequest, SealResult
from signer.verification.report import (
    Indication,
    Integrity,
    SubIndication,
    VerificationReport,
)
from signer.verification.verify import Verifier

Progress = Callable[[RecognisedPage, int], None]
"""Called for each page in order with the number of pages of the record."""


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

    `role` names the field ("officer", "leader", "seal"); `profile` None makes it invisible.
    """

    role: str
    key: SigningKey
    profile: str | None = None
    images: StampImages | None = None
    reason: str | None = None
    certify: bool = False


@dataclass(frozen=True, slots=True)
class SealOrder:
    """The signatures to make, in their order, and what their stamps may say.

    `level` is that of the finished document: earlier signatures are timestamped, and the last
    one brings evidence for all of them (EN 319 142-1 5.4).
    """

    steps: tuple[SealStep, ...]
    level: Level
    at: datetime
    agency: str
    number_symbol: str | None = None
    copy_form: CopyForm | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where finished files go. `sidecar`: the text; `fields`: the extracted fields as JSON."""

    record: Path
    sidecar: Path | None = None
    fields: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run made. `report` is None for an unsigned record; `sha256` is of the record."""

    outputs: Outputs
    sha256: str
    size_bytes: int
    digitised: DigitisedRecord
    fields: DocumentFields
    seals: tuple[SealResult, ...] = ()
    report: VerificationReport | None = None


def digitise_dossier(
    sources: Sequence[Path],
    outputs: Outputs,
    meta: RecordMetadata,
    station: Station,
    settings: DigitiseSettings,
    *,
    order: SealOrder | None = None,
    services: Services | None = None,
    progress: Progress | None = None,
) -> Outcome:
    """Make a record of `sources`, seal it as ordered, verify it, publish all files.

    Raises `ocr.errors.OCRError`, `signer.errors.SignerError` and `hsm.errors.HSMError`; then
    no file was published.
    """
    with _work_folder(outputs.record) as work:
        unsigned, sealed = work / "record.pdf", work / "sealed.pdf"
        # 1 what can be refused is refused before any page is read
        requests = _requests(order, unsigned, services) if order and services else []
        # 2 pages, text, PDF/A
        with PageLog(work / "text.txt") as log:
            digitised = digitise(
                sources, unsigned, meta, station, settings, on_page=_both(log.page, progress)
            )
        require_conformant(unsigned)
        # 3 fields: proposals until a person confirms them (D10)
        fields = log.fields()
        finished, seals, report = unsigned, [], None
        if services is not None and requests:
            # 4 signatures, each checked before it is released
            seals = services.sealer.seal_many(unsigned, sealed, requests)
            finished = sealed
            # 5 the whole check of the very bytes that will be published
            require_conformant(sealed)
            report = services.verifier.verify(sealed)
            _require_sound(report, order)
        # 6 publish: the record last, so that whoever sees it sees the rest too
        digest, size = _digest(finished)
        if outputs.sidecar is not None:
            with whole_file(outputs.sidecar) as stream, (work / "text.txt").open("rb") as text:
                shutil.copyfileobj(text, stream)
        if outputs.fields is not None:
            with whole_file(outputs.fields) as stream:
                stream.write(fields.to_json().encode())
        _publish(finished, outputs.record)
    return Outcome(outputs, digest, size, digitised, fields, tuple(seals), report)


def seal_document(
    source: Path, target: Path, order: SealOrder, services: Services
) -> tuple[list[SealResult], VerificationReport]:
    """Seal an existing PDF as ordered and verify the result before it is published.

    The new signatures must not fail. Earlier ones that do are not this command's to judge: they
    do not stop a new one, and the report names them.
    Raises `signer.errors.SignerError` and `hsm.errors.HSMError`; then `target` is as it was.
    """
    with _work_folder(target) as work:
        requests = _requests(order, source, services)
        sealed = work / "sealed.pdf"
        seals = services.sealer.seal_many(source, sealed, requests)
        report = services.verifier.verify(sealed)
        ours = {seal.field_name for seal in seals}
        for signature in report.signatures:
            if signature.field_name in ours and signature.indication is Indication.TOTAL_FAILED:
                report.require_passed()
        _publish(sealed, target)
    return seals, report


def renew_record(
    source: Path, target: Path, services: Services
) -> tuple[AugmentResult, VerificationReport]:
    """Add fresh evidence and a new document timestamp (EN 319 142-1, level B-LTA).

    Raises `signer.errors.SignerError`; then `target` is as it was.
    """
    with _work_folder(target) as work:
        renewed = work / "renewed.pdf"
        result = services.augmenter.renew(source, renewed)
        report = services.verifier.verify(renewed)
        _publish(renewed, target)
    return result, report


def _require_sound(report: VerificationReport, order: SealOrder | None) -> None:
    """Raise `SignatureNotValid` unless the verdict is the best that the level allows.

    Below B-LT a file holds no revocation evidence, so an intact one is INDETERMINATE with
    TRY_LATER for whoever has nothing but the file (EN 319 102-1 5.2.5).
    """
    short_lived = order is not None and not order.level.long_term
    if (
        short_lived
        and report.integrity is Integrity.INTACT
        and report.indication is Indication.INDETERMINATE
        and report.sub_indication is SubIndication.TRY_LATER
    ):
        return
    report.require_passed()


def _requests(order: SealOrder, document: Path, services: Services) -> list[SealRequest]:
    """One request a step. The stamp of a step is laid out now, its place is found later."""
    requests = []
    for index, step in enumerate(order.steps):
        last = index == len(order.steps) - 1
        facts = StampFacts(
            agency=order.agency,
            signer=_common_name(step.key),
            copy_form=order.copy_form,
            number_symbol=order.number_symbol,
        )
        stamp = None
        if step.profile is not None:
            stamp = plan_stamp(
                step.profile,
                facts,
                order.at,
                step.images,
                services.profiles,
                lines=lambda: lines_of(document),
            )
        early = Level.B_T if order.level.timestamped else Level.B_B
        requests.append(
            SealRequest(
                key=step.key,
                level=order.level if last else early,
                field_name=f"{step.role}-{step.profile}" if step.profile else None,
                stamp=stamp,
                reason=step.reason,
                location=order.location,
                claimed_at=order.at,
                certify=step.certify,
            )
        )
    return requests


def _common_name(key: SigningKey) -> str:
    names = key.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else key.label


def _both(first: Callable[[RecognisedPage], None], second: Progress | None) -> Progress:
    def seen(page: RecognisedPage, total: int) -> None:
        first(page)
        if second is not None:
            second(page, total)

    return seen


@contextmanager
def _work_folder(target: Path) -> Iterator[Path]:
    """A folder beside `target`, on its file system, so that publishing is one rename."""
    try:
        folder = tempfile.mkdtemp(prefix=".sohoa-", dir=target.absolute().parent)
    except OSError as error:
        raise output_error(target, error) from error
    try:
        yield Path(folder)
    except OSError as error:  # a full disk shows wherever the next byte is written
        raise output_error(target, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(finished: Path, target: Path) -> None:
    """Give the finished record its name: durable first, then visible in one step."""
    try:
        with finished.open("rb") as stream:
            os.fsync(stream.fileno())
        finished.replace(target)
    except OSError as error:
        raise output_error(target, error) from error


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), os.fstat(stream.fileno()).st_size
