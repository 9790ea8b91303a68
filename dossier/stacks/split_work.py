"""The workers' part of a stack as a whole: split it by what its pages say.

    SplitWork(database, blobs, jobs, keys, sheets.mark_used).handlers()     # for the queue ``ocr``

Readings of all pages > observations > rules (`dossier.intake.splitting`) > the first arrangement,
its papers, alarms, and a job for each paper's proposals: in one transaction. The same readings give
the same papers with the same ids, whenever and however often it is done: the time of the rules is
that of the stack's closing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from dossier.errors import InvalidOrder
from dossier.intake.duplicates import alike_pairs
from dossier.intake.observations import AlikePair, Likeness, PageObservation, Side
from dossier.intake.sheet_codes import SheetReading, Signature, judge_codes
from dossier.intake.splitting import SplitRules, SplitStack, split_stack
from dossier.model import JSON, first_id
from dossier.queue.jobmodel import OnFailure
from dossier.queue.jobs import Job, JobQueue
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.edits import TieNote
from dossier.stacks.history import Doing, put_in_force
from dossier.stacks.reading import PageReading
from dossier.stacks.reports import StackAlarm, StationAlarm
from dossier.stacks.stackrows import SPLIT, pages_of
from dossier.stacks.values import (
    PageState,
    Scan,
    Stack,
    StackPage,
    StackState,
    scan_of,
    stack_of,
)
from dossier.storage.database import Database
from dossier.storage.station_tables import cover_sheets, stack_scans, stacks
from dossier.storage.store import BlobStore
from ocr.quality.findings import Severity
from ocr.separators.patch_codes import PatchCode
from signer.coversheet import CoverSheetClaims, CoverSheetKeys

MACHINE = "máy / machine"
"""Who stands in the history for what no person did."""

Handler = Callable[[Job], None]
MarkUsed = Callable[[sa.Connection, CoverSheetClaims, str], str | None]
"""`CoverSheets.mark_used`."""

_RANDOM_CHARACTERS = 16  # of an id, behind those of its time
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class _Split:
    """What becomes of a stack. `alarms` are in JSON."""

    arrangement: Arrangement
    alarms: tuple[JSON, ...]
    sheets: tuple[CoverSheetClaims, ...]


class SplitWork:
    """Handler for jobs of the kind ``split-stack``. Safe for threads."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        jobs: JobQueue,
        keys: Callable[[], CoverSheetKeys],
        mark_used: MarkUsed,
    ) -> None:
        """`keys` are those that cover sheets are believed by, asked for at each splitting.

        Follows its kind of jobs, so that the stack shows why it is not split.
        """
        self._database = database
        self._blobs = blobs
        self._jobs = jobs
        self._keys = keys
        self._mark_used = mark_used
        jobs.follow(SPLIT, OnFailure(_failed))

    def handlers(self) -> dict[str, Handler]:
        """By kind of job."""
        return {SPLIT: self.split}

    def split(self, job: Job) -> None:
        """Split a stack that is read; one that is split already stays as it is.

        Raises `StoreError`, `LeaseLost`.
        """
        with self._database.read() as connection:
            row = connection.execute(sa.select(stacks).where(stacks.c.id == job.subject)).one()
            stack = stack_of(row)
            pages = pages_of(connection, stack.id)
            scans = _scans(connection, stack.id)
        made: _Split | None = None
        if stack.state is StackState.READING:
            readings = [self._reading(page) for page in pages]
            made = self._made(stack, pages, readings, scans)

        def work(connection: sa.Connection) -> None:
            self._jobs.done(connection, job)
            query = sa.select(stacks).where(stacks.c.id == stack.id).with_for_update()
            present = stack_of(connection.execute(query).one())
            if made is None or present.state is not StackState.READING:
                return
            now = self._database.now(connection)
            put_in_force(
                connection,
                self._jobs,
                present,
                made.arrangement,
                {"kind": SPLIT},
                Doing(MACHINE, now),
            )
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == stack.id)
                .values(state=StackState.ARRANGED, arranged_at=now, alarms=list(made.alarms))
            )
            for claims in made.sheets:
                self._mark_used(connection, claims, stack.id)

        self._database.together(work)

    def _reading(self, page: StackPage) -> PageReading | None:
        if page.reading_sha256 is None:
            return None
        return PageReading.from_bytes(self._blobs.get(page.reading_sha256))

    def _made(
        self,
        stack: Stack,
        pages: Sequence[StackPage],
        readings: Sequence[PageReading | None],
        scans: Mapping[str, Scan],
    ) -> _Split:
        ids = [page.id for page in pages]
        keys = self._keys()
        sheets = [judge_codes(r.codes, keys) if r is not None else () for r in readings]
        seen = list(_observations(pages, readings, sheets, scans))
        pairs = _pairs(seen, readings)
        split = split_stack(seen, self._rules(stack, sheets), pairs)
        papers = _paper_names(stack)
        default = (stack.order.dossier_code, stack.order.component_code)
        first = Arrangement.of_split(split, ids, papers.__next__, default)
        arrangement = _with_notes(first, ids, pairs)
        alarms = [
            *_alarms_of(split, ids, arrangement),
            *_alarms_of_pages(stack, pages, readings, arrangement),
        ]
        used = {sheet.claims.serial: sheet.claims for sheet in split.sheets}
        return _Split(
            arrangement,
            tuple(alarm.to_json() for alarm in alarms),
            tuple(used[serial] for serial in sorted(used)),
        )

    def _rules(self, stack: Stack, sheets: Sequence[Sequence[SheetReading]]) -> SplitRules:
        """The rules of a stack, as they stood when it was closed."""
        serials = {
            reading.claims.serial.hex()
            for on_page in sheets
            for reading in on_page
            if reading.signature is Signature.GENUINE
        }
        row = cover_sheets.c
        with self._database.read() as connection:
            used = connection.execute(
                sa.select(row.serial).where(
                    row.serial.in_(serials),
                    row.stack_id.is_not(None),
                    row.stack_id != stack.id,
                )
            ).scalars()
            others = frozenset(bytes.fromhex(serial) for serial in used)
        order = stack.order
        return SplitRules(
            stack.agency_id,
            order.station,
            stack.closed_at or stack.created_at,
            frozenset(PatchCode(code) for code in order.patch_separators),
            order.blank_sheets_separate,
            others,
        )


def _failed(connection: sa.Connection, job: Job, error: JSON) -> None:
    connection.execute(
        sa.update(stacks)
        .where(stacks.c.id == job.subject)
        .values(error=error, version=stacks.c.version + 1)
    )


def _scans(connection: sa.Connection, stack_id: str) -> dict[str, Scan]:
    rows = connection.execute(sa.select(stack_scans).where(stack_scans.c.stack_id == stack_id))
    return {scan.id: scan for scan in map(scan_of, rows)}


def _observations(
    pages: Sequence[StackPage],
    readings: Sequence[PageReading | None],
    sheets: Sequence[tuple[SheetReading, ...]],
    scans: Mapping[str, Scan],
) -> Iterator[PageObservation]:
    for page, reading, on_page in zip(pages, readings, sheets, strict=True):
        scan = scans[page.scan_id]
        side = _side(scan, page.index)
        if reading is None:
            yield PageObservation(side, sha256=page.sha256 if scan.pages == 1 else "")
            continue
        yield PageObservation(
            side,
            reading.is_blank,
            on_page,
            reading.patches,
            reading.page.image.original_sha256,
            reading.printed_number,
        )


def _side(scan: Scan, index: int) -> Side:
    """In a file of several pages that was scanned on both sides, fronts and backs alternate."""
    if scan.side is Side.SINGLE or scan.pages == 1:
        return scan.side
    return Side.FRONT if index % 2 else Side.BACK


def _pairs(
    seen: Sequence[PageObservation], readings: Sequence[PageReading | None]
) -> tuple[AlikePair, ...]:
    """Pages that look alike; sheets, separators and blank sides all do, and are not asked."""
    return alike_pairs(
        [
            None if reading is None or page.blank or page.sheets or page.patches else reading.trace
            for page, reading in zip(seen, readings, strict=True)
        ]
    )


def _paper_names(stack: Stack) -> Iterator[str]:
    """Ids for the papers of a stack in their order: always the same ones."""
    stem = first_id("ppr", stack.closed_at or stack.created_at)[:-_RANDOM_CHARACTERS]
    for ordinal in range(len(_ALPHABET) ** 3):
        digest = hashlib.sha256(f"{stack.id} {ordinal}".encode()).digest()
        count = "".join(_ALPHABET[ordinal // 32**place % 32] for place in (2, 1, 0))
        rest = "".join(_ALPHABET[byte % 32] for byte in digest[: _RANDOM_CHARACTERS - 3])
        yield stem + count + rest


def _with_notes(
    arrangement: Arrangement, ids: Sequence[str], pairs: Sequence[AlikePair]
) -> Arrangement:
    """Second images of a page, with a note over it, tied to the page within their paper."""
    for pair in pairs:
        if pair.likeness is Likeness.NOTE:
            try:
                arrangement = TieNote(ids[pair.other], ids[pair.one]).apply(arrangement)
            except InvalidOrder:
                continue  # they lie in two papers, or one is tied already
    return arrangement


def _alarms_of(
    split: SplitStack, ids: Sequence[str], arrangement: Arrangement
) -> Iterator[StackAlarm]:
    papers = [paper.id for paper in arrangement.papers]
    for alarm in split.alarms:
        yield StackAlarm.of(alarm, ids, papers)


def _alarms_of_pages(
    stack: Stack,
    pages: Sequence[StackPage],
    readings: Sequence[PageReading | None],
    arrangement: Arrangement,
) -> Iterator[StackAlarm]:
    """What the station announced, what cannot be read, what has to be scanned again."""
    announced = stack.order.pages
    if announced is not None and announced != len(pages):
        yield StackAlarm.at_station(
            StationAlarm.ANNOUNCED_COUNT, expected=str(announced), found=str(len(pages))
        )
    home = {page: paper.id for paper in arrangement.papers for page in paper.page_ids}
    faulty: dict[str | None, list[str]] = {}
    poor: dict[str, dict[str, list[str]]] = {}
    for page, reading in zip(pages, readings, strict=True):
        paper = home.get(page.id)
        if page.state is PageState.FAULTY:
            faulty.setdefault(paper, []).append(page.id)
        elif paper is not None and reading is not None and reading.quality is not None:
            for finding in reading.quality.findings:
                if finding.severity is Severity.BLOCK:
                    poor.setdefault(paper, {}).setdefault(finding.code.value, []).append(page.id)
    for where, about in faulty.items():
        yield StackAlarm.at_station(StationAlarm.FAULTY_PAGE, about, where)
    for paper, found in poor.items():
        for code, about in found.items():
            yield StackAlarm.at_station(StationAlarm.POOR_IMAGE, about, paper, found=code)
