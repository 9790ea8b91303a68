"""The record of a checked paper: made, proved conformant and faithful, and sent to be marked.

    DraftWork(drafts, blobs, workplace)              # jobs of the kind draft-paper, queue ocr

    gather > code > pages taken from their scans again > write > conformant? > faithful? > store

A worker may be killed at any moment: the bytes depend on what people confirmed alone, so the next
try makes the same ones, and nothing is seen before the one transaction that ends the job.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from dossier.checking.owners import OWNER_ID
from dossier.errors import RecordUnfaithful, StateConflict, StoreError
from dossier.filing.codes import CodeTemplates, code_templates
from dossier.filing.drafts import Draft, Drafts
from dossier.filing.faithfulness import (
    ExpectedPage,
    Faithfulness,
    Likeness,
    compare_page,
    require_faithful,
)
from dossier.filing.material import Material, gather
from dossier.filing.taking import signatures_in, take_again
from dossier.queue.jobs import Job
from dossier.stacks.workplace import Workplace
from dossier.storage.database import Database
from dossier.storage.store import BlobStore
from ocr.conformance import require_conformant
from ocr.errors import (
    ConformanceError,
    EngineCrashed,
    EngineTimedOut,
    IntakeError,
    LimitExceeded,
    OutputError,
    RecognitionError,
)
from ocr.intake.placeholder import placeholder
from ocr.intake.survey import IntakeFault, ScanPage, Source
from ocr.page import RecognisedPage
from ocr.reading.page_reader import WORKING_DPI
from ocr.record.checked import CheckedPaper, SignedOriginal
from ocr.record.manifest import ModelFile, Provenance, RecordMetadata
from ocr.record.pdfa import write_record
from ocr.settings import DigitiseSettings
from signer.clock import VIETNAM

_NO_ENGINE = "none"


@dataclass(frozen=True, slots=True)
class _Made:
    """A record on disk that was proved."""

    path: Path
    sha256: str
    proof: Faithfulness


class DraftWork:
    """The handler; safe for the threads of one process."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        drafts: Drafts,
        workplace: Workplace,
        templates: CodeTemplates | None = None,
    ) -> None:
        """`workplace` has the processes in which scans are opened. `templates`: of codes."""
        self._database = database
        self._blobs = blobs
        self._drafts = drafts
        self._workplace = workplace
        self._templates = templates or code_templates()

    def __call__(self, job: Job) -> None:
        """Make the record that `job` is for. Raises `StoreError`, `LeaseLost`.

        What is wrong with the paper itself puts it on hold, with the reason, and ends the job.
        """
        paper = self._drafts.wanted(job)
        if paper is None:
            return
        try:
            material = gather(self._database, self._blobs, job.agency_id, job.subject)
            template = self._templates.on(material.scanned_at.astimezone(VIETNAM).date())
            if template.demands_owner and material.owner.missing:
                raise _ownerless(material.owner.missing)
            code = self._drafts.code_for(job, paper, template, material)
            with self._workplace.folder(job) as folder:
                originals = self._originals(material)
                checked = material.checked(code, template.id, originals)
                made = self._write(material, folder, checked)
                stored = self._blobs.put(made.path, sha256=made.sha256)
        except (RecordUnfaithful, StateConflict, IntakeError, ConformanceError) as error:
            self._drafts.hold(job, paper, error)
            return
        except OutputError as error:
            raise _not_yet(error) from error
        original = originals[0].sha256 if originals else None
        draft = Draft(stored, original, made.proof, material.scanned_at)
        self._drafts.publish(job, paper, draft)

    def _originals(self, material: Material) -> list[SignedOriginal]:
        """The signed PDFs that pages of the paper come from; they are kept as they are."""
        mine = dict.fromkeys(material.pages[page].scan_id for page in material.arranged.page_ids)
        found: list[SignedOriginal] = []
        for scan in (material.scans[name] for name in mine):
            if any(one.sha256 == scan.sha256 for one in found):
                continue
            with self._blobs.local(scan.sha256) as path:
                try:
                    count = self._workplace.run(signatures_in, path)
                except (EngineCrashed, EngineTimedOut) as error:
                    raise LimitExceeded(
                        f"looking for signatures used up time or memory ({error}): ask for the "
                        "document again",
                        source=scan.name,
                    ) from error
            if count:
                found.append(SignedOriginal(scan.name, scan.sha256, count))
        return found

    def _write(self, material: Material, folder: Path, checked: CheckedPaper) -> _Made:
        target = folder / "record.pdf"
        expected: list[ExpectedPage] = []
        pages = self._pages(material, folder, expected)
        info = write_record(
            pages, target, metadata_of(material), provenance_of(material), checked=checked
        )
        require_conformant(target)
        return _Made(target, info.sha256, require_faithful(target, expected, self._compare))

    def _compare(self, record: Path, page: ExpectedPage) -> Likeness:
        return self._workplace.run(compare_page, record, page)

    def _pages(
        self, material: Material, folder: Path, expected: list[ExpectedPage]
    ) -> Iterator[RecognisedPage]:
        """The pages for the writer, each noted in `expected`; their images stay in `folder`."""
        settings = settings_of(material, self._workplace.settings)
        texts = {page.image.number: page for page in material.words()}
        for number, placed in enumerate(material.arranged.pages, 1):
            source = material.pages[placed.page]
            scan = material.scans[source.scan_id]
            with self._blobs.local(scan.sha256) as path:
                try:
                    taken = self._workplace.run(
                        take_again,
                        path,
                        scan.name,
                        source.index,
                        number,
                        texts.get(number),
                        placed.turns,
                        settings,
                        folder,
                    )
                except (EngineCrashed, EngineTimedOut) as error:
                    gone = Source(path, scan.name, "pdf", scan.sha256, source.index)
                    why = LimitExceeded(
                        f"decoding it used up time or memory ({error}): scan the page again",
                        source=scan.name,
                        page=source.index,
                    )
                    taken = IntakeFault(ScanPage(gone, source.index, number), why)
                except RecognitionError as error:
                    raise RecordUnfaithful(
                        f"Trang {number}: ảnh trong tệp quét không phải ảnh đã đọc ({error}); hãy "
                        f"quét lại. / Page {number}: {error}; scan it again."
                    ) from error
            page = placeholder(taken, folder) if isinstance(taken, IntakeFault) else taken
            expected.append(ExpectedPage.of(page))
            yield page


def settings_of(material: Material, settings: DigitiseSettings) -> DigitiseSettings:
    """How images are stored: as the stack's order says."""
    return replace(settings, mode=material.stack.order.mode, quality=None)


def metadata_of(material: Material) -> RecordMetadata:
    """What the record is called. Its time is that of the last check, so that it stays the same."""
    paper = material.paper
    return RecordMetadata(
        title=material.title,
        creator=material.agency,
        record_id=f"{paper.dossier_code}/{paper.component_code}/{paper.id}",
        created=paper.checks[-1].at.astimezone(VIETNAM),
    )


def provenance_of(material: Material) -> Provenance:
    """Who digitised, where, when, with what."""
    engines = [reading.engine for reading in material.readings if reading and reading.engine]
    models = {model: None for engine in engines for model in engine.models}
    order = material.stack.order
    return Provenance(
        engine=engines[0].name if engines else _NO_ENGINE,
        engine_version=engines[0].version if engines else "",
        models=tuple(ModelFile(name, sha256) for name, sha256 in models),
        settings={"mode": order.mode, "profile": order.profile, "recognition_dpi": WORKING_DPI},
        operator=order.officer,
        station=order.station,
        time=material.scanned_at.astimezone(VIETNAM),
    )


def _ownerless(missing: tuple[str, ...]) -> StateConflict:
    told = ", ".join(missing)
    return StateConflict(
        "Chưa có số định danh của chủ giấy tờ nên mã số hóa để trống phần đó và phải có dữ liệu mô "
        f"tả (TT 01/2023/TT-VPCP, Điều 9 và 10): hãy nhập {OWNER_ID}, hoặc {told}. / The owner's "
        "identifier is not known, so its part of the digitization code stays blank and describing "
        f"data are demanded: type {OWNER_ID}, or {told}."
    )


def _not_yet(error: Exception) -> StoreError:
    return StoreError(
        f"Chưa lập được bản ghi: {error}; sẽ thử lại. / The record could not be made yet: {error}; "
        "it will be tried again."
    )
