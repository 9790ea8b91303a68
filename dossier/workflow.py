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
from pathlib import Path

from dossier.reading import PageLog
from dossier.signing.sealing import (
    SealOrder,
    SealStep,
    Services,
    requests_of,
    require_all,
    require_ours_unbroken,
    seal_and_verify,
)
from ocr.conformance import require_conformant
from ocr.fields.extract import DocumentFields
from ocr.page import RecognisedPage
from ocr.pipeline import DigitisedRecord, Station, digitise
from ocr.record.manifest import RecordMetadata
from ocr.settings import DigitiseSettings
from ocr.wholefile import output_error, whole_file
from signer.sealing.augment import AugmentResult
from signer.sealing.seal import SealResult
from signer.verification.report import VerificationReport

__all__ = [
    "Outcome",
    "Outputs",
    "SealOrder",
    "SealStep",
    "Services",
    "digitise_dossier",
    "renew_record",
    "seal_document",
]

Progress = Callable[[RecognisedPage, int], None]
"""Called for each page in order with the number of pages of the record."""


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
        if order is not None and services is not None:
            requests_of(order, unsigned, services.profiles)
        # 2 pages, text, PDF/A
        with PageLog(work / "text.txt") as log:
            digitised = digitise(
                sources, unsigned, meta, station, settings, on_page=_both(log.page, progress)
            )
        require_conformant(unsigned)
        # 3 fields: proposals until a person confirms them (D10)
        fields = log.fields()
        finished, done = unsigned, None
        if services is not None and order is not None and order.steps:
            # 4 signatures, each checked before it is released
            # 5 the whole check of the very bytes that will be published
            done = seal_and_verify(
                unsigned,
                order,
                services,
                target=sealed,
                judge=require_all,
                check=require_conformant,
            )
            finished = sealed
        # 6 publish: the record last, so that whoever sees it sees the rest too
        digest, size = _digest(finished)
        if outputs.sidecar is not None:
            with whole_file(outputs.sidecar) as stream, (work / "text.txt").open("rb") as text:
                shutil.copyfileobj(text, stream)
        if outputs.fields is not None:
            with whole_file(outputs.fields) as stream:
                stream.write(fields.to_json().encode())
        _publish(finished, outputs.record)
    seals, report = (done.seals, done.report) if done else ((), None)
    return Outcome(outputs, digest, size, digitised, fields, seals, report)


def seal_document(
    source: Path, target: Path, order: SealOrder, services: Services
) -> tuple[list[SealResult], VerificationReport]:
    """Seal an existing PDF as ordered and verify the result before it is published.

    The new signatures must not fail. Earlier ones that do are not this command's to judge: they
    do not stop a new one, and the report names them.
    Raises `signer.errors.SignerError` and `hsm.errors.HSMError`; then `target` is as it was.
    """
    with _work_folder(target) as work:
        sealed = work / "sealed.pdf"
        done = seal_and_verify(source, order, services, target=sealed, judge=require_ours_unbroken)
        _publish(sealed, target)
    return list(done.seals), done.report


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
