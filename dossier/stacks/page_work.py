"""The workers' part of a stack's pages: one job looks at a file, then one job reads each page.

    PageWork(database, blobs, holdings, jobs, workplace).handlers()     # for the queue ``ocr``

    look-at-scan    how many pages has the file > a row and a job for each of them
    read-page       blobs of reading and picture > the row is READ, and splitting is ordered when
                    it was the last one

What is learnt of a page counts as its agency's (`dossier.storage.holdings`). The quota is asked
when paper comes in (`Stacks.add_scan`), not here: what was taken in is read.

Each job ends in one transaction, so a worker may be killed at any moment: then that page is read
once more, and no other. A page that cannot be read stays in the stack as FAULTY, with its picture
where there is one, and holds nobody up.

A page is not read twice by an agency: an earlier reading of the same file and page with the same
settings serves (`dossier.stacks.page_task.reading_key`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa

from dossier.errors import NotFound
from dossier.model import JSON, new_id
from dossier.queue.jobmodel import NewJob, OnFailure
from dossier.queue.jobs import Job, JobQueue
from dossier.stacks.history import QUEUE
from dossier.stacks.page_task import ReadPage, read_page, reading_key
from dossier.stacks.placing import put_in_place
from dossier.stacks.stackrows import counts_of, split_when_complete
from dossier.stacks.stacks import LOOK
from dossier.stacks.values import (
    PageState,
    Scan,
    Stack,
    StackPage,
    StackState,
    page_of,
    scan_of,
    stack_of,
)
from dossier.stacks.workplace import Workplace
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import stack_pages, stack_scans, stacks
from dossier.storage.store import BlobInfo, BlobStore
from ocr.errors import EngineCrashed, EngineTimedOut, IntakeError, RecognitionError
from ocr.intake.survey import Kind, Source, survey
from ocr.page import PageFault
from ocr.settings import DigitiseSettings

READ = "read-page"
Handler = Callable[[Job], None]


class PageWork:
    """Handlers for the pages of stacks. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        holdings: Holdings,
        jobs: JobQueue,
        workplace: Workplace,
    ) -> None:
        """Follows its kinds of jobs, so that what fails for good ends as a faulty page."""
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._jobs = jobs
        self._workplace = workplace
        jobs.follow(LOOK, OnFailure(self._scan_failed))
        jobs.follow(READ, OnFailure(self._page_failed))

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {LOOK: self.look, READ: self.read}

    # --- a file --------------------------------------------------------------------------

    def look(self, job: Job) -> None:
        """Count the pages of a file, and order the reading of each.

        Raises `StoreError`, `LeaseLost`.
        """
        scan, stack = self._scan(job.subject)
        if scan.pages is not None or stack.state is StackState.CANCELLED:
            self._finish(job)
            return
        found: Source | JSON
        with self._blobs.local(scan.sha256) as path:
            try:
                found = self._workplace.run(survey, [path], self._workplace.settings.limits)[0]
            except (IntakeError, EngineCrashed, EngineTimedOut) as error:
                found = _told(error, path, scan)

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            self._looked(connection, scan, found)

        self._database.together(work)

    def _looked(self, connection: sa.Connection, scan: Scan, found: Source | JSON) -> None:
        """Rows and jobs for the pages of a file; for one that cannot be read a faulty page."""
        stack = _locked(connection, scan.stack_id)
        pages = found.pages if isinstance(found, Source) else 1
        fault = None if isinstance(found, Source) else found
        changed = connection.execute(
            sa.update(stack_scans)
            .where(stack_scans.c.id == scan.id, stack_scans.c.pages.is_(None))
            .values(pages=pages, error=fault)
        )
        if not changed.rowcount:
            return
        ids = [new_id("pg") for _ in range(pages)]
        state = PageState.WAITING if isinstance(found, Source) else PageState.FAULTY
        connection.execute(
            sa.insert(stack_pages),
            [
                {
                    "id": page,
                    "stack_id": stack.id,
                    "scan_id": scan.id,
                    "scan_position": scan.position,
                    "index": index,
                    "sha256": scan.sha256,
                    "state": state,
                    "error": fault,
                }
                for index, page in enumerate(ids, 1)
            ],
        )
        if isinstance(found, Source):
            payload: dict[str, JSON] = {"kind": found.kind, "pages": pages}
            self._jobs.enqueue_many(
                connection,
                [
                    NewJob(QUEUE, READ, page, stack.agency_id, payload, stack.priority)
                    for page in ids
                ],
            )
        self._go_on(connection, stack, scan)

    # --- a page --------------------------------------------------------------------------

    def read(self, job: Job) -> None:
        """Read a page, once. Raises `StoreError`, `LeaseLost`."""
        page, stack = self._page(job.subject)
        if page.state is not PageState.WAITING or stack.state is StackState.CANCELLED:
            self._finish(job)
            return
        settings = self._workplace.settings_of(stack)
        values = self._known(stack, page, reading_key(page.sha256, page.index, settings))
        kept: tuple[tuple[BlobInfo, str], ...] = ()
        if values is None:
            values, kept = self._read(job, page, settings)

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            # holdings before the row of the stack, as everybody takes them
            self._holdings.register_all(connection, stack.agency_id, kept)
            self._page_done(connection, page.id, values)

        self._database.together(work)

    def _read(
        self, job: Job, page: StackPage, settings: DigitiseSettings
    ) -> tuple[dict[str, JSON], tuple[tuple[BlobInfo, str], ...]]:
        """Read it, store what was learnt; the row's new values, and the blobs with their types."""
        kind: Kind = job.payload["kind"]
        with self._blobs.local(page.sha256) as path, self._workplace.folder(job) as work:
            source = Source(path, page.sha256, kind, page.sha256, job.payload["pages"])
            try:
                found = self._through(source, page.index, settings, work)
            except (IntakeError, RecognitionError) as error:
                scan, _ = self._scan(page.scan_id)
                return {"state": PageState.FAULTY, "error": _told(error, path, scan)}, ()
        fault = found.fault
        reading, picture = self._blobs.put(found.reading), self._blobs.put(found.picture)
        values = {
            "state": PageState.READ if fault is None else PageState.FAULTY,
            "reading_sha256": reading.sha256,
            "picture_sha256": picture.sha256,
            "summary": found.summary,
            "error": None if fault is None else {"kind": fault.kind, "message": fault.message},
        }
        return values, ((reading, "application/zlib"), (picture, "image/webp"))

    def _through(
        self, source: Source, index: int, settings: DigitiseSettings, work: Path
    ) -> ReadPage:
        """Through a worker process; without text when reading kills the process or has no end."""
        try:
            return self._workplace.run(read_page, source, index, settings, work)
        except (EngineCrashed, EngineTimedOut) as error:
            fault = PageFault(type(error).__name__, str(error))
        return self._workplace.run(read_page, source, index, settings, work, fault)

    def _known(self, stack: Stack, page: StackPage, key: str) -> dict[str, JSON] | None:
        """The values of a page of the agency that was read from the same bytes in the same way."""
        row = stack_pages.c
        with self._database.read() as connection:
            earlier = connection.execute(
                sa.select(row.reading_sha256, row.picture_sha256, row.summary)
                .join(stacks, stacks.c.id == row.stack_id)
                .where(
                    row.sha256 == page.sha256,
                    row.index == page.index,
                    row.state == PageState.READ,
                    stacks.c.agency_id == stack.agency_id,
                )
            )
            for found in earlier:
                if found.summary and found.summary.get("key") == key:
                    return {"state": PageState.READ, "error": None, **found._mapping}
        return None

    def _page_done(
        self, connection: sa.Connection, page_id: str, values: Mapping[str, JSON]
    ) -> None:
        """The page's row after its reading, and what follows when it was the last one."""
        row = connection.execute(sa.select(stack_pages).where(stack_pages.c.id == page_id)).one()
        stack = _locked(connection, row.stack_id)
        changed = connection.execute(
            sa.update(stack_pages)
            .where(stack_pages.c.id == page_id, stack_pages.c.state == PageState.WAITING)
            .values(**values, read_at=self._database.now(connection))
        )
        if changed.rowcount:
            self._go_on(connection, stack, _scan_row(connection, row.scan_id))

    def _go_on(self, connection: sa.Connection, stack: Stack, scan: Scan) -> None:
        """Split a stack of which this was the last page; place what was scanned again."""
        if stack.state is StackState.CANCELLED:
            return
        if scan.purpose is None:
            split_when_complete(connection, self._jobs, stack, counts_of(connection, stack.id))
        else:
            put_in_place(connection, self._jobs, stack, scan, self._database.now(connection))

    # --- what fails for good ---------------------------------------------------------------

    def _scan_failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        self._looked(connection, _scan_row(connection, job.subject), error)

    def _page_failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        self._page_done(connection, job.subject, {"state": PageState.FAULTY, "error": error})

    # --- rows ------------------------------------------------------------------------------

    def _finish(self, job: Job) -> None:
        self._database.together(lambda connection: self._jobs.done(connection, job))

    def _scan(self, scan_id: str) -> tuple[Scan, Stack]:
        with self._database.read() as connection:
            scan = _scan_row(connection, scan_id)
            return scan, _stack_row(connection, scan.stack_id)

    def _page(self, page_id: str) -> tuple[StackPage, Stack]:
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(stack_pages).where(stack_pages.c.id == page_id)
            ).first()
            if row is None:
                raise NotFound("Không có trang này. / There is no such page in any stack.")
            return page_of(row), _stack_row(connection, row.stack_id)


def _scan_row(connection: sa.Connection, scan_id: str) -> Scan:
    row = connection.execute(sa.select(stack_scans).where(stack_scans.c.id == scan_id)).first()
    if row is None:
        raise NotFound("Không có tệp quét này. / There is no such scan in any stack.")
    return scan_of(row)


def _stack_row(connection: sa.Connection, stack_id: str) -> Stack:
    return stack_of(connection.execute(sa.select(stacks).where(stacks.c.id == stack_id)).one())


def _locked(connection: sa.Connection, stack_id: str) -> Stack:
    """The stack, its row locked: the last page and the closing do not miss each other."""
    found = sa.select(stacks).where(stacks.c.id == stack_id).with_for_update()
    return stack_of(connection.execute(found).one())


def _told(error: Exception, path: Path, scan: Scan) -> dict[str, JSON]:
    """An error as the operator reads it: under the file's own name."""
    message = str(error).replace(path.name, scan.name)
    return {
        "kind": type(error).__name__,
        "message": f"Không đọc được tệp quét; hãy quét lại. / {message}",
    }
