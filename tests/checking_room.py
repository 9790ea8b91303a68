"""An office whose papers wait to be checked: real stacks, readings and proposals, no recogniser.

room = CheckingRoom(database, tmp_path)
paper_id = room.paper(words=("Số:", "12/QD-UBND"), doubtful=(2,))
paper = room.desk.take(MAU, paper_id)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa

from dossier.audit.log import AuditEntry, AuditLog
from dossier.checking.desk import CheckingDesk
from dossier.checking.values import Target
from dossier.intake.review_depth import ReviewDepth
from dossier.model import Caller, Role, new_id
from dossier.queue.jobs import JobQueue
from dossier.stacks.arrangement import ArrangedPaper, Arrangement, PlacedPage
from dossier.stacks.arranging import Arranging
from dossier.stacks.history import Doing, put_in_force
from dossier.stacks.order import StackOrder
from dossier.stacks.proposals import PageFinding, PaperCard, PaperProposals, ProposedPage
from dossier.stacks.reading import NOWHERE, PageReading
from dossier.stacks.stackrows import one_stack
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import PageState, PaperState, StackState, Way
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import papers, stack_pages, stack_scans, stacks
from dossier.storage.store import BlobStore
from dossier.storage.tables import agencies, jobs
from ocr.fields.card_reading import CardField, CardReading
from ocr.fields.extract import DocumentFields, Field
from ocr.fields.proposals import UnreadField
from ocr.page import Box, ImageStream, Line, PageImage, RecognisedPage, Word
from ocr.quality.findings import Code, Finding, Place, Severity, Threshold

AGENCY, NEIGHBOUR = "X01.01", "X01.02"
_SCANNER, _OFFICER = frozenset({Role.SCANNER}), frozenset({Role.OFFICER})
MAU = Caller("prn_mau", "Nguyễn Thị Mẫu", AGENCY, _SCANNER)
VI = Caller("prn_vi", "Trần Văn Ví", AGENCY, _SCANNER)
DU = Caller("prn_du", "Lê Thị Dụ", AGENCY, _OFFICER)
STRANGER = Caller("prn_xa", "Người Lạ", NEIGHBOUR, _OFFICER)
BLOCKED = Finding(
    Code.BLURRED,
    3.0,
    Threshold(Code.BLURRED, Severity.BLOCK, 2.0, False, "mẫu", "one-stop"),
    (Place(0.0, 0.0, 210.0, 297.0),),
    "Ảnh mờ",
    "the image is blurred",
)


OWNER_ID = "001190000001"


def card_of(number: str = OWNER_ID, source: Literal["code", "print"] = "code") -> PaperCard:
    """A card with its number on a paper's first page."""
    place = Box(0, 0, 1, 1)
    values = {"number": number, "name": "Nguyễn Thị Mẫu", "born": "1990-01-02"}
    fields = tuple(CardField(name, text, 99.0, place, source) for name, text in values.items())
    return PaperCard(1, CardReading(None, fields, (), place))


CARD = card_of()  # whose papers they are is known, unless a test says otherwise


def word_box(place: int) -> Box:
    """Where the word of that place (from 0) stands on a page of the room."""
    return Box(100 + 200 * place, 100, 250 + 200 * place, 140)


def reading_of(
    words: Sequence[str], doubtful: Sequence[int] = (), gaps: int = 0, number: int = 1
) -> PageReading:
    """A page with one line of words; `doubtful` counts them from 1."""
    read = tuple(
        Word(text, word_box(n), 50.0 if n + 1 in doubtful else 95.0, None, n + 1 in doubtful)
        for n, text in enumerate(words)
    )
    line = Line(read, Box(100, 100, 2000, 140), 135.0, 0.0, 40.0, 0, 0)
    kept = ImageStream(NOWHERE, "DCTDecode", 2480, 3508, 3, 8)
    digest = f"{number:064x}"
    image = PageImage(number, digest, 1, digest, digest, kept, True, (300.0, 300.0), False, 0)
    unread = tuple(Box(100, 300 + 100 * n, 180, 340 + 100 * n) for n in range(gaps))
    page = RecognisedPage(
        image, 0, 2480, 3508, (300.0, 300.0), 0.0, False, (line,) if read else (), unread=unread
    )
    return PageReading(page=page)


def field_of(name: str, value: str, *, doubtful: bool = False, page: int = 1) -> Field:
    """A proposed field."""
    return Field(name, value, 90.0, word_box(0), page, 60.0 if doubtful else 99.0, doubtful)


def propose(
    database: Database,
    blobs: BlobStore,
    paper_id: str,
    pages: Sequence[tuple[str, PageReading]],
    fields: Sequence[Field] = (),
    unread: Sequence[UnreadField] = (),
    *,
    people: int = 1,
    findings: Sequence[PageFinding] = (),
    card: PaperCard | None = CARD,
) -> None:
    """What the worker does with a paper's pages: its proposals, and it waits to be checked."""
    proposals = PaperProposals(
        paper=paper_id,
        arrangement_seq=1,
        pages=tuple(
            ProposedPage(page, blobs.put(reading.to_bytes()).sha256) for page, reading in pages
        ),
        fields=DocumentFields(tuple(fields), tuple(unread), "mẫu"),
        depth=ReviewDepth(2 if people == 2 else 1, ()),
        page_findings=tuple(findings),
        card=card,
        words=sum(reading.word_count for _, reading in pages),
        doubtful_words=sum(reading.doubtful_count for _, reading in pages),
    )
    info = blobs.put(proposals.to_bytes())
    with database.begin() as connection:
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == paper_id, papers.c.state == PaperState.PROPOSING)
            .values(
                state=PaperState.TO_CHECK,
                proposals_sha256=info.sha256,
                summary=proposals.summary(),
                checks_required=people,
            )
        )


def paper_to_check(web: Any, stack_id: str, pages: Sequence[str]) -> str:
    """The one paper of a stack of the web's room, as if a worker had proposed its fields."""
    room = web.room
    with room.database.read() as connection:
        paper_id: str = connection.execute(
            sa.select(papers.c.id).where(papers.c.stack_id == stack_id)
        ).scalar_one()
    read = [(page, reading_of(("Số:", "l2/QĐ"), (2,), 1, n)) for n, page in enumerate(pages)]
    fields = [field_of("doc_number", "l2", doubtful=True)]
    propose(room.database, room.blobs, paper_id, read, fields)
    return paper_id


class CheckingRoom:
    """One agency with papers to check, and its neighbour."""

    def __init__(self, database: Database, folder: Path, *, lease_s: float = 120.0) -> None:
        self.database = database
        self.blobs = FolderBlobs(folder / "blobs")
        self.audit = AuditLog(database)
        self.jobs = JobQueue(database, self.audit)
        self.stacks = Stacks(database, Holdings(database), self.audit, self.jobs)
        self.arranging = Arranging(database, self.audit, self.jobs)
        self.desk = CheckingDesk(database, self.audit, self.jobs, self.blobs, lease_s=lease_s)
        self.number = 0

    def found(self) -> CheckingRoom:
        """Make the agencies; once a database."""
        with self.database.begin() as connection:
            now = self.database.now(connection)
            for agency in (AGENCY, NEIGHBOUR):
                connection.execute(
                    sa.insert(agencies).values(id=agency, name=agency, policy={}, created_at=now)
                )
        return self

    def stack(
        self,
        pages: Sequence[PageReading],
        order: StackOrder | None = None,
        *,
        caller: Caller = MAU,
        one_paper: bool = True,
        codes: tuple[str, str] = ("H22.12-260301-0001", "TP1"),
        serial: str | None = None,
        priority: int = 0,
        paper_ids: Sequence[str] = (),
    ) -> tuple[str, list[str], list[str]]:
        """An arranged stack of read pages: its id, its papers, its pages."""
        order = order or StackOrder("quầy 1", "Nguyễn Thị Mẫu", scanner="máy A")
        stack, _ = self.stacks.open(caller, Way.HTTP, order, urgent=priority < 0)
        page_ids = [new_id("pg") for _ in pages]
        kept = {page: self.blobs.put(page.to_bytes()).sha256 for page in pages}
        with self.database.begin() as connection:
            now = self.database.now(connection)
            for number, page in enumerate(pages):
                self.number += 1
                scan = new_id("scn")
                digest = page.page.image.source_sha256
                connection.execute(
                    sa.insert(stack_scans).values(
                        id=scan,
                        stack_id=stack.id,
                        position=number,
                        sha256=digest,
                        name=f"{number}.jpg",
                        side="single",
                        purpose=None,
                        pages=1,
                        created_at=now,
                    )
                )
                connection.execute(
                    sa.insert(stack_pages).values(
                        id=page_ids[number],
                        stack_id=stack.id,
                        scan_id=scan,
                        scan_position=number,
                        index=1,
                        sha256=digest,
                        state=PageState.READ,
                        reading_sha256=kept[page],
                        summary=page.summary(),
                        read_at=now,
                    )
                )
            groups = [page_ids] if one_paper else [[page] for page in page_ids]
            names = paper_ids or [new_id("ppr") for _ in groups]
            arranged = tuple(
                ArrangedPaper(name, *codes, serial, tuple(map(PlacedPage, group)))
                for name, group in zip(names, groups, strict=True)
            )
            first = Arrangement(arranged, (), (), (), (), tuple(page_ids))
            found = one_stack(connection, caller.agency_id, stack.id, lock=True)
            put_in_force(connection, self.jobs, found, first, {"kind": "split"}, Doing("máy", now))
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == stack.id)
                .values(state=StackState.ARRANGED, arranged_at=now, closed_at=now)
            )
            connection.execute(
                sa.update(papers).where(papers.c.stack_id == stack.id).values(priority=priority)
            )
        return stack.id, [paper.id for paper in arranged], page_ids

    def propose(
        self, paper_id: str, pages: Sequence[tuple[str, PageReading]], *rest: Any, **more: Any
    ) -> None:
        """See `propose`."""
        propose(self.database, self.blobs, paper_id, pages, *rest, **more)

    def alike(self, count: int) -> list[str]:
        """So many papers of one page each, all of the same bytes: they cost one file."""
        reading = reading_of(("một", "hai"))
        _, paper_ids, pages = self.stack([reading] * count, one_paper=False)
        self.propose(paper_ids[0], [(pages[0], reading)])
        with self.database.begin() as connection:
            first = connection.execute(sa.select(papers).where(papers.c.id == paper_ids[0])).one()
            connection.execute(
                sa.update(papers)
                .where(papers.c.id.in_(paper_ids))
                .values(
                    state=first.state,
                    proposals_sha256=first.proposals_sha256,
                    summary=first.summary,
                )
            )
        return paper_ids

    def paper(
        self,
        words: Sequence[str] = ("Số:", "12/QĐ-UBND"),
        doubtful: Sequence[int] = (),
        fields: Sequence[Field] = (),
        unread: Sequence[UnreadField] = (),
        *,
        gaps: int = 0,
        people: int = 1,
        findings: Sequence[PageFinding] = (),
        card: PaperCard | None = CARD,
        **of_stack: Any,
    ) -> str:
        """One paper of one page that waits to be checked, in a stack of its own."""
        reading = replace(reading_of(words, doubtful, gaps, self.number + 1))
        _, [paper_id], [page] = self.stack([reading], **of_stack)
        self.propose(
            paper_id, [(page, reading)], fields, unread, people=people, findings=findings, card=card
        )
        return paper_id

    def page(self, paper_id: str) -> str:
        """The first page of a paper."""
        with self.database.read() as connection:
            stack_id = connection.execute(
                sa.select(papers.c.stack_id).where(papers.c.id == paper_id)
            ).scalar_one()
        found = self.arranging.arrangement(MAU, stack_id)
        assert found is not None
        return found.arrangement.paper(paper_id).page_ids[0]

    def word(self, paper_id: str, number: int, *, gap: bool = False) -> Target:
        """The target of a word of a paper's first page."""
        return Target.parse(f"word:{self.page(paper_id)}:{'g' if gap else ''}{number}")

    def set(self, paper_id: str, **values: Any) -> None:
        """Change a paper as some other part of the service does."""
        with self.database.begin() as connection:
            connection.execute(sa.update(papers).where(papers.c.id == paper_id).values(**values))

    def waiting(self, kind: str) -> list[str]:
        """Subjects of the ready jobs of a kind."""
        with self.database.read() as connection:
            return list(
                connection.execute(
                    sa.select(jobs.c.subject)
                    .where(jobs.c.kind == kind, jobs.c.state == "ready")
                    .order_by(jobs.c.id)
                ).scalars()
            )

    def audit_events(self, name: str) -> list[AuditEntry]:
        """The entries of the audit log with this name, oldest first."""
        return [entry for entry in self.audit.entries(None, 0, 100_000) if entry.event == name]
