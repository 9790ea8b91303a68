"""The workers' part of a paper: what its pages say, as proposals for people.

    ProposeWork(database, blobs, holdings, jobs, workplace, catalogues).handlers()  # queue ``ocr``

Readings of its pages > fields, checks, component, duplicates > one blob > the paper is TO_CHECK, or
HELD when somebody holds it. What people typed stays. When the paper's images or codes were changed
meanwhile nothing is written: the change ordered its own proposals. What is stored counts as the
agency's; its quota is asked when paper comes in, as for readings (`dossier.stacks.page_work`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import sqlalchemy as sa

from dossier.intake.catalogues import Catalogues
from dossier.intake.review_depth import ReviewRules
from dossier.model import JSON
from dossier.queue.jobmodel import OnFailure
from dossier.queue.jobs import Job, JobQueue
from dossier.stacks.arrangement import ArrangedPaper
from dossier.stacks.history import PROPOSE, basis_of, in_force
from dossier.stacks.known_papers import KnownPapers
from dossier.stacks.page_task import read_turned
from dossier.stacks.proposing import Asked, PaperPage, fields_of, propose
from dossier.stacks.reading import PageReading
from dossier.stacks.values import (
    PaperState,
    Stack,
    StackPage,
    StackState,
    page_of,
    stack_of,
)
from dossier.stacks.workplace import Workplace
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import (
    cover_sheets,
    paper_entries,
    papers,
    stack_pages,
    stacks,
)
from dossier.storage.store import BlobInfo, BlobStore
from ocr.errors import IntakeError, RecognitionError
from ocr.page import QuarterTurns
from ocr.quality.profiles import QualityBook
from signer.clock import VIETNAM

_NAME = ("doc_number", "doc_symbol", "agency")
Handler = Callable[[Job], None]


class _Changed(Exception):
    """The paper does not lie any more as it was read; what was written is undone."""


class ProposeWork:
    """Handler for jobs of the kind ``propose``. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        holdings: Holdings,
        jobs: JobQueue,
        workplace: Workplace,
        book: Catalogues,
    ) -> None:
        """Follows its kind of jobs, so that a paper that cannot be read is checked all the same."""
        self._database = database
        self._blobs = blobs
        self._holdings = holdings
        self._jobs = jobs
        self._workplace = workplace
        self._book = book
        self._known = KnownPapers(database, blobs)
        jobs.follow(PROPOSE, OnFailure(self._failed))

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {PROPOSE: self.propose}

    def propose(self, job: Job) -> None:
        """Make the proposals of a paper, until they fit it as it lies. Raises `StoreError`."""
        while (found := self._read(job.subject)) is not None:
            stack, paper, seq = found
            pages = self._pages(job, stack, paper)
            stored, values = self._made(stack, paper, seq, pages)
            publish = partial(
                self._publish, job=job, paper=paper, pages=pages, stored=stored, values=values
            )
            try:
                self._database.together(publish)
            except _Changed:
                continue
            return
        self._database.together(lambda connection: self._jobs.done(connection, job))

    def _read(self, paper_id: str) -> tuple[Stack, ArrangedPaper, int] | None:
        """The paper as it lies now; None when nothing is to be proposed for it."""
        with self._database.read() as connection:
            return _asked(connection, paper_id, lock=False)

    def _publish(
        self,
        connection: sa.Connection,
        job: Job,
        paper: ArrangedPaper,
        pages: Mapping[str, PaperPage],
        stored: BlobInfo,
        values: Mapping[str, JSON],
    ) -> None:
        """Put the proposals in their place. Raises `_Changed` when they do not fit any more."""
        self._jobs.done(connection, job)
        kept = [stored, *(page.stored for page in pages.values() if page.stored is not None)]
        # holdings before the row of the stack, as everybody takes them
        self._holdings.register_all(
            connection, job.agency_id or "", [(info, "application/zlib") for info in kept]
        )
        present = _asked(connection, paper.id, lock=True)
        if present is None:
            return
        if basis_of(present[1]) != basis_of(paper):
            raise _Changed
        for name, page in pages.items():  # read again, the way up that a person said
            row = stack_pages.c
            connection.execute(
                sa.update(stack_pages)
                .where(row.id == name, row.reading_sha256 != page.sha256)
                .values(reading_sha256=page.sha256)
            )
        held = sa.select(papers.c.hold).where(papers.c.id == paper.id)
        is_held = connection.execute(held).scalar_one() is not None
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == paper.id)
            .values(
                **{**values, **_typed(connection, paper.id)},
                state=PaperState.HELD if is_held else PaperState.TO_CHECK,
                error=None,
                version=papers.c.version + 1,
            )
        )

    def _made(
        self, stack: Stack, paper: ArrangedPaper, seq: int, pages: Mapping[str, PaperPage]
    ) -> tuple[BlobInfo, dict[str, JSON]]:
        """The proposals, stored, and what the paper's row says of them."""
        fields = fields_of(tuple(pages.values()))
        with self._database.read() as connection:
            typed = _typed(connection, paper.id)
            procedure = _procedure(connection, stack, paper)
        read = {"doc_" + name.removeprefix("doc_"): fields.get(name) for name in _NAME}
        name = {key: value.value if value is not None else None for key, value in read.items()}
        wanted = {**name, **typed}
        duplicates = self._known.duplicates(
            stack,
            paper.id,
            paper.dossier_code,
            pages,
            (wanted["doc_number"] or "", wanted["doc_symbol"] or "", wanted["doc_agency"] or ""),
        )
        day = (stack.closed_at or stack.created_at).astimezone(VIETNAM).date()
        profile = stack.order.profile
        asked = Asked(
            paper,
            seq,
            day,
            procedure,
            QualityBook.default().at(profile, day),
            ReviewRules.default().at(profile, day),
        )
        proposals = propose(asked, tuple(pages.values()), self._book, duplicates)
        stored = self._blobs.put(proposals.to_bytes())
        return stored, {
            "proposals_sha256": stored.sha256,
            "summary": proposals.summary(),
            "checks_required": proposals.depth.people,
            **name,
        }

    def _pages(self, job: Job, stack: Stack, paper: ArrangedPaper) -> dict[str, PaperPage]:
        """The readings of the paper's images, each the way up that it lies."""
        wanted = sa.select(stack_pages).where(stack_pages.c.id.in_(paper.page_ids))
        with self._database.read() as connection:
            found = {row.id: page_of(row) for row in connection.execute(wanted)}
        made = {}
        for placed in paper.pages:
            page, is_note = found[placed.page], placed.note_of is not None
            if page.reading_sha256 is None:
                made[page.id] = PaperPage(None, None, is_note)
                continue
            reading = PageReading.from_bytes(self._blobs.get(page.reading_sha256))
            turns = _quarter(reading.machine_turns + placed.turns)
            if turns == reading.page.turns:
                made[page.id] = PaperPage(reading, page.reading_sha256, is_note)
            else:
                made[page.id] = self._turned(job, stack, page, reading, turns, is_note=is_note)
        return made

    def _turned(
        self,
        job: Job,
        stack: Stack,
        page: StackPage,
        reading: PageReading,
        turns: QuarterTurns,
        *,
        is_note: bool,
    ) -> PaperPage:
        """A page read again, the way up that a person said; a page that fails stays as it was."""
        settings = self._workplace.settings_of(stack)
        with self._blobs.local(page.sha256) as path, self._workplace.folder(job) as work:
            try:
                found = self._workplace.run(read_turned, path, page.index, settings, work, turns)
            except (IntakeError, RecognitionError):
                return PaperPage(reading, page.reading_sha256, is_note)
        again = PageReading.from_bytes(found.reading)
        again = replace(again, machine_turns=reading.machine_turns, key=reading.key)
        stored = self._blobs.put(again.to_bytes())
        return PaperPage(again, stored.sha256, is_note, stored)

    def _failed(self, connection: sa.Connection, job: Job, error: JSON) -> None:
        """People work without proposals where the machine has none: nothing waits for ever."""
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == job.subject, papers.c.state == PaperState.PROPOSING)
            .values(
                state=PaperState.TO_CHECK,
                error=error,
                checks_required=2,
                proposals_sha256=None,  # those of an earlier arrangement are not of this paper
                version=papers.c.version + 1,
            )
        )


def _asked(
    connection: sa.Connection, paper_id: str, *, lock: bool
) -> tuple[Stack, ArrangedPaper, int] | None:
    """A paper that waits for proposals, as it lies in the arrangement in force.

    Locks the stack's row before the paper's, as edits do.
    """
    mine = sa.select(papers.c.stack_id).where(papers.c.id == paper_id)
    query = sa.select(stacks).where(stacks.c.id == mine.scalar_subquery())
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        return None
    stack = stack_of(row)
    state = sa.select(papers.c.state).where(papers.c.id == paper_id)
    if lock:
        state = state.with_for_update()
    if connection.execute(state).scalar_one() != PaperState.PROPOSING:
        return None
    present = in_force(connection, stack.id, stack.seq)
    if present is None or stack.state is StackState.CANCELLED:
        return None
    for paper in present.arrangement.papers:
        if paper.id == paper_id:
            return stack, paper, present.seq
    return None


def _quarter(turns: int) -> QuarterTurns:
    return (0, 1, 2, 3)[turns % 4]


def _typed(connection: sa.Connection, paper_id: str) -> dict[str, str]:
    """Number, symbol and agency where people entered them."""
    names = {f"field:{name}": "doc_" + name.removeprefix("doc_") for name in _NAME}
    row = paper_entries.c
    entries = connection.execute(
        sa.select(row.target, row.value).where(row.paper_id == paper_id, row.target.in_(names))
    )
    return {names[found.target]: found.value for found in entries}


def _procedure(connection: sa.Connection, stack: Stack, paper: ArrangedPaper) -> str:
    """The procedure that a cover sheet of the dossier was printed for; empty: nobody said."""
    row = cover_sheets.c
    of_dossier = sa.and_(
        row.agency_id == stack.agency_id,
        row.dossier_code == paper.dossier_code,
        row.dossier_code != "",
    )
    found = connection.execute(
        sa.select(row.procedure_code)
        .where(
            row.procedure_code.is_not(None),
            sa.or_(row.serial == (paper.sheet_serial or ""), of_dossier),
        )
        .order_by((row.serial == (paper.sheet_serial or "")).desc(), row.issued_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found or ""
