"""What stands before an operator: people with sessions, stacks whose pages were read and split.

Machines' work is written straight into the database, so that a screen is tested without waiting
for a reading; what is written is what the workers write (`dossier.stacks`).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from PIL import Image, ImageDraw

from dossier.intake.observations import PageObservation
from dossier.intake.review_depth import ReviewDepth
from dossier.intake.splitting import SplitRules, split_stack
from dossier.model import Caller, new_id
from dossier.queue.jobs import JobQueue
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.history import Doing, in_force, put_in_force
from dossier.stacks.order import StackOrder
from dossier.stacks.proposals import PageFinding, PaperCard, PaperProposals, ProposedPage
from dossier.stacks.stackrows import one_stack
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import PaperState, StackState, Way
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import (
    papers,
    stack_history,
    stack_pages,
    stack_scans,
    stacks,
)
from dossier.storage.store import BlobStore
from ocr.fields.extract import DocumentFields, Field
from tests.checking_room import CARD, reading_of

ORIGIN = "http://127.0.0.1"
_TOKEN = re.compile(r'name="form-token" value="([0-9a-f]{64})"')


@dataclass(frozen=True)
class PageLook:
    """How one page of a made stack is."""

    blank: bool = False
    badges: tuple[str, ...] = ()
    findings: tuple[dict[str, str], ...] = ()
    picture: bytes | None = None


def picture(text: str, width: int = 420, height: int = 594) -> bytes:
    """A page at screen size: WebP."""
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((8, 8, width - 8, height - 8), outline="black")
    draw.text((40, 40), text.encode("ascii", "replace").decode(), fill="black")
    out = io.BytesIO()
    image.save(out, "WEBP", quality=60)
    return out.getvalue()


def scan_file(number: int) -> bytes:
    """A small JPEG that differs from every other one."""
    image = Image.new("L", (60, 80), 200)
    ImageDraw.Draw(image).text((5, 5), str(number), fill=0)
    out = io.BytesIO()
    image.save(out, "JPEG")
    return out.getvalue()


@dataclass
class StackMaker:
    """Writes what machines write."""

    database: Database
    blobs: BlobStore
    holdings: Holdings
    stacks: Stacks
    jobs: JobQueue

    @classmethod
    def of(cls, house: Any) -> StackMaker:
        return cls(house.database, house.blobs, house.holdings, house.stacks, house.jobs)

    def opened(self, caller: Caller, files: int = 0, reference: str = "Tập thử") -> str:
        order = StackOrder("quầy 1", caller.name, reference=reference)
        stack, _ = self.stacks.open(caller, Way.CONSOLE, order)
        for number in range(files):
            content = scan_file(number)
            info = self.blobs.put(content)
            self.database.together(
                lambda connection, info=info: self.holdings.register(
                    connection, caller.agency_id, info, "image/jpeg"
                )
            )
            self.stacks.add_scan(caller, stack.id, info.sha256, f"{number}.jpg")
        return stack.id

    def arranged(
        self,
        caller: Caller,
        looks: Sequence[PageLook] = (PageLook(),) * 4,
        reference: str = "Tập thử",
        alarms: Sequence[dict[str, Any]] = (),
    ) -> tuple[str, list[str]]:
        """A stack whose pages were read and split into one paper: its id and its pages'."""
        stack_id = self.opened(caller, len(looks), reference)
        self.stacks.close(caller, stack_id)
        return stack_id, self.split(caller, stack_id, looks, alarms)

    def split(
        self,
        caller: Caller,
        stack_id: str,
        looks: Sequence[PageLook] | None = None,
        alarms: Sequence[dict[str, Any]] = (),
        told: Callable[[int, str], dict[str, Any]] = lambda number, page: {},
    ) -> list[str]:
        """What the workers do with a closed stack; `told` gives more columns of a page."""
        ids: list[str] = []
        scans = self.stacks.scans(caller, stack_id)
        looks = looks or [PageLook()] * len(scans)
        for number, (scan, look) in enumerate(zip(scans, looks, strict=True), 1):
            page_id = new_id("pg")
            ids.append(page_id)
            shown = self.blobs.put(look.picture or picture(f"Page {number}"))
            columns = {
                "id": page_id,
                "stack_id": stack_id,
                "scan_id": scan.id,
                "scan_position": scan.position,
                "index": 1,
                "sha256": scan.sha256,
                "state": "read",
                "picture_sha256": shown.sha256,
                "summary": {
                    "width_px": 1654,
                    "height_px": 2339,
                    "badges": list(look.badges),
                    "findings": list(look.findings),
                    "fault": None,
                },
            }
            columns |= told(number, page_id)
            with self.database.begin() as connection:
                connection.execute(sa.insert(stack_pages).values(**columns))
                connection.execute(
                    sa.update(stack_scans).where(stack_scans.c.id == scan.id).values(pages=1)
                )
        with self.database.begin() as connection:
            now = self.database.now(connection)
            rules = SplitRules(caller.agency_id, "quầy 1", now)
            split = split_stack([PageObservation(blank=look.blank) for look in looks], rules)
            first = Arrangement.of_split(split, ids, lambda: new_id("ppr"))
            stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
            put_in_force(connection, self.jobs, stack, first, {"kind": "split"}, Doing("máy", now))
            connection.execute(
                sa.update(stacks)
                .where(stacks.c.id == stack_id)
                .values(state=StackState.ARRANGED, arranged_at=now, alarms=list(alarms))
            )
        return ids


def form_token(page: str) -> str:
    found = _TOKEN.search(page)
    assert found, page[:2000]
    return found[1]


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def read_paper(
    maker: StackMaker,
    caller: Caller,
    *,
    words: Sequence[str] = ("Số:", "12/QĐ-UBND", "ngày"),
    doubtful: Sequence[int] = (2,),
    fields: Sequence[Field] = (),
    findings: Sequence[PageFinding] = (),
    pages: int = 2,
    people: int = 1,
    card: PaperCard | None = CARD,
    looks: Sequence[PageLook] | None = None,
    codes: tuple[str, str] = ("H22.12-260301-0001", "TP1"),
    reference: str = "Tập thử",
) -> tuple[str, str, list[str]]:
    """A stack of one paper that waits to be checked: ids of stack, paper and pages.

    Its first page has one line of `words`, of which `doubtful` (from 1) have to be looked at.
    """
    stack_id = maker.opened(caller, pages, reference)
    maker.stacks.close(caller, stack_id)
    readings = {}

    def told(number: int, page: str) -> dict[str, Any]:
        lines = (words, doubtful) if number == 1 else (("Trang", str(number)), ())
        readings[page] = reading = reading_of(*lines, number=number)
        summary = reading.summary() | {"badges": ["?"] if lines[1] else []}
        blob = maker.blobs.put(reading.to_bytes()).sha256
        return {"reading_sha256": blob, "summary": summary}

    ids = maker.split(caller, stack_id, looks, told=told)
    proposals = PaperProposals(
        paper="",
        arrangement_seq=1,
        pages=tuple(
            ProposedPage(page, maker.blobs.put(readings[page].to_bytes()).sha256) for page in ids
        ),
        fields=DocumentFields(tuple(fields), (), "mẫu"),
        depth=ReviewDepth(2 if people == 2 else 1, ()),
        page_findings=tuple(findings),
        words=len(words),
        doubtful_words=len(doubtful),
        card=card,
    )
    with maker.database.begin() as connection:
        paper_id: str = connection.execute(
            sa.select(papers.c.id).where(papers.c.stack_id == stack_id)
        ).scalar_one()
        whole = replace(proposals, paper=paper_id)
        stack = one_stack(connection, caller.agency_id, stack_id, lock=True)
        present = in_force(connection, stack_id, stack.seq)
        assert present is not None
        named = present.arrangement.with_paper(
            replace(
                present.arrangement.paper(paper_id), dossier_code=codes[0], component_code=codes[1]
            )
        )
        connection.execute(
            sa.update(stack_history)
            .where(stack_history.c.stack_id == stack_id)
            .values(arrangement=named.to_json())
        )
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == paper_id)
            .values(
                state=PaperState.TO_CHECK,
                proposals_sha256=maker.blobs.put(whole.to_bytes()).sha256,
                summary=whole.summary(),
                checks_required=people,
                dossier_code=codes[0],
                component_code=codes[1],
            )
        )
    return stack_id, paper_id, ids
