"""An office whose papers were checked and wait for their records: real scans, real keys' software.

room = FilingRoom(database, tmp_path, pki)
paper_id = room.checked([scan_of(PageSpec(dpi=100))], {"word:1:3": "0124/QĐ-UBND"})
room.work_off()                                   # draft, mark, seal, index
room.paper(paper_id).state                        # FILED
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from dossier.checking.rows import one_paper
from dossier.checking.values import DRAFT_PAPER, Check, Paper, Target
from dossier.filing.drafting import DraftWork
from dossier.filing.drafts import Drafts
from dossier.filing.filing import Filing
from dossier.filing.indexing import IndexWork
from dossier.filing.marking import MarkWork
from dossier.filing.stages import INDEX_PAPER, MARK_PAPER
from dossier.intake.review_depth import ReviewDepth
from dossier.model import Role, new_id
from dossier.queue.worker import Worker
from dossier.search.index import SearchIndex
from dossier.stacks.arrangement import ArrangedPaper, Arrangement, AsidePage, PlacedPage, Why
from dossier.stacks.history import Doing, put_in_force
from dossier.stacks.order import StackOrder
from dossier.stacks.proposals import PaperProposals, ProposedPage
from dossier.stacks.reading import PageReading
from dossier.stacks.stackrows import one_stack
from dossier.stacks.values import PageState, PaperState, StackState, Way
from dossier.stacks.workplace import Workplace
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import (
    paper_corrections,
    paper_entries,
    papers,
    stack_pages,
    stack_scans,
    stacks,
)
from dossier.storage.store import BlobStore
from dossier.storage.tables import jobs
from ocr.fields.extract import DocumentFields, Field
from ocr.intake.survey import ScanPage, look, take
from ocr.page import RecognisedPage
from ocr.reading.recognise import EngineInfo
from ocr.settings import DigitiseSettings
from signer.sealing.levels import Level
from tests.fixtures_pki import RunningPKI
from tests.fixtures_signing import AGENCY, SigningRoom, caller_of
from tests.record_pages import PageSpec, draw_page, make_page

SCANNED_AT = dt.datetime(2026, 3, 2, 1, 15, 30, tzinfo=dt.UTC)
CHECKED_AT = dt.datetime(2026, 3, 2, 2, 0, tzinfo=dt.UTC)
DOSSIER, COMPONENT = "H22.12-260301-0001", "KQ.01"
OFFICER = replace(caller_of(AGENCY, Role.OFFICER), principal_id="prn_mau", name="Nguyễn Thị Mẫu")
ENGINE = EngineInfo("tesseract", "5.3.0", (("vie", "ab" * 32),))
OWNER = {"field:owner_id": "001190000001"}


@dataclass(frozen=True)
class Scan:
    """A file as it was scanned, and what was read on its page."""

    name: str
    data: bytes
    page: RecognisedPage | None


def scan_of(folder: Path, spec: PageSpec, name: str = "trang.jpg") -> Scan:
    """A JPEG with the words of `spec` and the page that a recogniser would make of it."""
    page = make_page(folder, spec)
    upright, _ = draw_page(spec)
    path = folder / name
    turned = upright.rotate(90 * spec.turns, expand=True)
    turned.save(path, "JPEG", quality=85, dpi=(spec.dpi, spec.dpi))
    return Scan(name, path.read_bytes(), page)


class Station:
    """Stacks with checked papers, written straight into a database and its blob store."""

    def __init__(self, database: Database, blobs: BlobStore, holdings: Holdings, queue: Any,
                 folder: Path, agency: str = AGENCY) -> None:  # fmt: skip
        self.database, self.blobs, self.holdings, self.queue = database, blobs, holdings, queue
        self.folder, self.agency = folder, agency

    def checked(
        self,
        scans: Sequence[Scan],
        typed: Mapping[str, str] = OWNER,
        *,
        aside: Sequence[Scan] = (),
        fields: Sequence[Field] = (),
        mode: str = "faithful",
        dossier: str = DOSSIER,
    ) -> str:
        """A paper of these files that the officer finished; `typed` by target, pages by number."""
        stack_id, paper_id = new_id("stk"), new_id("ppr")
        order = StackOrder("quầy 1", "Nguyễn Thị Mẫu", mode=mode)  # type: ignore[arg-type]
        infos = [self.blobs.put(scan.data) for scan in (*scans, *aside)]
        readings = [self._reading(scan, n) for n, scan in enumerate((*scans, *aside), 1)]
        page_ids = [new_id("pg") for _ in infos]
        with self.database.begin() as connection:
            self.holdings.register_all(
                connection, self.agency, [(info, "application/octet-stream") for info in infos]
            )
            connection.execute(
                sa.insert(stacks).values(
                    id=stack_id, agency_id=self.agency, principal_id="prn_mau", way=Way.HTTP,
                    order=order.to_json(), state=StackState.ARRANGED, alarms=[],
                    created_at=SCANNED_AT,
                )
            )  # fmt: skip
            for n, (scan, info) in enumerate(zip((*scans, *aside), infos, strict=True)):
                scan_id = new_id("scn")
                connection.execute(
                    sa.insert(stack_scans).values(
                        id=scan_id, stack_id=stack_id, position=n, sha256=info.sha256,
                        name=scan.name, side="single", purpose=None, pages=1,
                        created_at=SCANNED_AT,
                    )
                )  # fmt: skip
                connection.execute(
                    sa.insert(stack_pages).values(
                        id=page_ids[n], stack_id=stack_id, scan_id=scan_id, scan_position=n,
                        index=1, sha256=info.sha256, state=PageState.READ,
                        reading_sha256=readings[n],
                    )
                )  # fmt: skip
            mine = page_ids[: len(scans)]
            arrangement = Arrangement(
                (ArrangedPaper(paper_id, dossier, COMPONENT, None, tuple(map(PlacedPage, mine))),),
                tuple(
                    AsidePage(PlacedPage(page), paper_id, Why.BLANK)
                    for page in page_ids[len(scans) :]
                ),
                (), (), (), tuple(page_ids),
            )  # fmt: skip
            stack = one_stack(connection, self.agency, stack_id)
            put_in_force(connection, self.queue, stack, arrangement, None, Doing("Mẫu", SCANNED_AT))
            connection.execute(sa.delete(jobs).where(jobs.c.subject == paper_id))
            self._confirm(connection, paper_id, mine, typed)
        proposals = PaperProposals(
            paper=paper_id,
            arrangement_seq=1,
            pages=tuple(
                ProposedPage(page, reading) for page, reading in zip(mine, readings, strict=False)
            ),
            fields=DocumentFields(tuple(fields), (), "mẫu"),
            depth=ReviewDepth(1, ()),
        )
        info = self.blobs.put(proposals.to_bytes())
        with self.database.begin() as connection:
            connection.execute(
                sa.update(papers).where(papers.c.id == paper_id)
                .values(proposals_sha256=info.sha256)
            )  # fmt: skip
            self.finish(connection, paper_id)
        return paper_id

    def finish(self, connection: sa.Connection, paper_id: str) -> None:
        """The officer's check ends; the record is ordered."""
        check = Check("prn_mau", "Nguyễn Thị Mẫu", CHECKED_AT, 1, {}).to_json()
        connection.execute(
            sa.update(papers).where(papers.c.id == paper_id)
            .values(state=PaperState.CHECKED, checks=[check])
        )  # fmt: skip
        self.queue.enqueue(
            connection, queue="ocr", kind=DRAFT_PAPER, subject=paper_id, agency_id=self.agency
        )

    def _reading(self, scan: Scan, number: int) -> str | None:
        if scan.page is None:
            return None
        place = self.folder / f"intake-{new_id('x')}"
        place.mkdir()
        (place / scan.name).write_bytes(scan.data)
        taken = take(ScanPage(look(place / scan.name, DigitiseSettings().limits), 1, 1), place)
        page = replace(scan.page, image=taken.image)
        return self.blobs.put(PageReading(page=page, engine=ENGINE).to_bytes()).sha256

    def _confirm(
        self,
        connection: sa.Connection,
        paper_id: str,
        pages: Sequence[str],
        typed: Mapping[str, str],
    ) -> None:
        for text, value in typed.items():
            about, name, *rest = text.split(":")
            page = pages[int(name) - 1] if about == "word" else name
            target = str(Target.parse(":".join((about, page, *rest))))
            said = {"value": value, "machine": None, "by": "prn_mau", "at": CHECKED_AT}
            connection.execute(
                sa.insert(paper_entries).values(
                    paper_id=paper_id, target=target, state="confirmed", reason="rõ trên giấy",
                    **said,
                )
            )  # fmt: skip
            connection.execute(
                sa.insert(paper_corrections).values(
                    id=new_id("cor"), paper_id=paper_id, agency_id=self.agency, target=target,
                    machine=None, before=None, after=value, reason="rõ trên giấy",
                    station="quầy 1", by="prn_mau", name="Nguyễn Thị Mẫu", at=CHECKED_AT,
                )
            )  # fmt: skip

    def paper(self, paper_id: str) -> Paper:
        """As it is now."""
        with self.database.read() as connection:
            return one_paper(connection, self.agency, paper_id)


class FilingRoom(SigningRoom):
    """The signing room with a station beside it."""

    def __init__(self, database: Database, folder: Path, pki: RunningPKI, **options: Any) -> None:
        super().__init__(database, folder, pki)
        self.station = Station(database, self.blobs, self.holdings, self.jobs, folder)
        self.search = SearchIndex(database)
        self.search.prepare()
        self.workplace = Workplace(folder / "work", DigitiseSettings(workers=1))
        self.drafts = Drafts(database, self.holdings, self.audit, self.jobs)
        self.filing = Filing(
            database, self.audit, self.jobs, self.records, seal_key="seal", level=Level.B_LTA,
            **options,
        )  # fmt: skip
        self.checked = self.station.checked
        self.paper = self.station.paper

    def drafting(self) -> DraftWork:
        return DraftWork(self.database, self.blobs, self.drafts, self.workplace)

    def marking(self, **options: Any) -> MarkWork:
        desk = replace(self.desk(), timestamper=self.pki.timestamper)
        return MarkWork(
            self.database, self.blobs, self.holdings, self.audit, self.jobs, self.filing, desk,
            officer_key="officer", **options,
        )  # fmt: skip

    def indexing(self) -> IndexWork:
        return IndexWork(self.database, self.blobs, self.audit, self.jobs, self.search)

    def ocr(self, *, within_s: float = 180.0) -> None:
        """Work through the queue of what needs no key."""
        self._off("ocr", {DRAFT_PAPER: self.drafting(), INDEX_PAPER: self.indexing()}, within_s)

    def seal(self, *, within_s: float = 180.0) -> None:
        """Work through the queue of what needs keys."""
        handlers = {"signature": self.work(), MARK_PAPER: self.marking()}
        self._off("seal", handlers, within_s)

    def file(self) -> None:
        """From the check to the index."""
        self.ocr()
        self.seal()
        self.ocr()

    def _off(self, queue: str, handlers: Mapping[str, Any], within_s: float) -> None:
        worker = Worker(self.jobs, queue, handlers, threads=1)
        stop = threading.Event()
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        until = time.monotonic() + within_s
        try:
            while self.jobs.waiting(queue):
                assert time.monotonic() < until, worker.health()
                time.sleep(0.02)
        finally:
            stop.set()
            thread.join(20)

    def close(self) -> None:
        self.workplace.__exit__(None, None, None)
