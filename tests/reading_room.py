"""What an `ocr` worker holds to read stacks, and small printed pages to feed it.

room = ReadingRoom(url, folder)
stack = room.stack([page("one"), page("two")])
room.work()                       # every job of the queue, in this thread; pages in processes
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from PIL import Image, ImageDraw, ImageFont

from dossier.audit.log import AuditLog
from dossier.intake.catalogue_files import load_catalogues
from dossier.intake.sheets import CoverSheets
from dossier.model import Caller, Role
from dossier.queue.jobs import Job, JobQueue
from dossier.queue.retrying import error_json
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.arranging import Arranging
from dossier.stacks.edits import Insert, Replace
from dossier.stacks.order import StackOrder
from dossier.stacks.page_task import ReadPage, read_page, reading_key
from dossier.stacks.page_work import PageWork
from dossier.stacks.propose_work import ProposeWork
from dossier.stacks.reading import PageReading
from dossier.stacks.split_work import SplitWork
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import Stack, StackPage, Way
from dossier.stacks.workplace import Workplace
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import papers
from dossier.storage.tables import agencies
from ocr.intake.survey import Source
from ocr.page import PageFault
from ocr.settings import DigitiseSettings
from signer.coversheet import CoverSheetKeys
from tests.fakes import SoftwareKey
from tests.scans import FONT, printed

AGENCY = "H22.12"
STATION = "quay-3"
ORDER = StackOrder(STATION, "Nguyễn Thị Mẫu")
CALLER = Caller(
    "prn_scanner", "Trạm quét mẫu", AGENCY, frozenset({Role.SCANNER, Role.OFFICER, Role.CLERK})
)


def page(*lines: str, dpi: int = 200, turns: int = 0) -> bytes:
    """A small printed page as a JPEG."""
    return jpeg(printed(lines, size_inches=(8.27, 3.0)).rotate(-90 * turns, expand=True), dpi)


def decision_page(number: str = "127", *, year: int = 2026, quality: int = 85) -> bytes:
    """The head of a decision, as NĐ 30/2020 lays it out."""
    page = Image.new("L", (1654, 1170), 250)
    draw = ImageDraw.Draw(page)
    for text, x, y, points in (
        ("ỦY BAN NHÂN DÂN", 180, 120, 12),
        ("XÃ MẪU SƠN THỬ", 190, 165, 12),
        (f"Số: {number}/QĐ-UBND", 200, 250, 13),
        ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 690, 120, 12),
        ("Độc lập - Tự do - Hạnh phúc", 840, 165, 13),
        (f"Mẫu Sơn Thử, ngày 03 tháng 02 năm {year}", 760, 250, 13),
        ("QUYẾT ĐỊNH", 690, 380, 14),
        ("Về việc công nhận quyền sử dụng đất", 500, 435, 14),
        ("Căn cứ Luật Đất đai ngày 18 tháng 01 năm 2024;", 220, 560, 13),
        ("Xét đề nghị của Trưởng phòng Kinh tế tại Tờ trình số 45;", 220, 620, 13),
        ("Điều 1. Công nhận quyền sử dụng đất cho ông Nguyễn Văn Mẫu.", 220, 700, 13),
    ):
        draw.text((x, y), text, fill=20, font=ImageFont.truetype(FONT, round(points / 72 * 200)))
    return jpeg(page, quality=quality)


def jpeg(image: Image.Image, dpi: int = 200, quality: int = 85) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, dpi=(dpi, dpi))
    return out.getvalue()


def read_or_die(
    source: Source,
    index: int,
    settings: DigitiseSettings,
    work: Path,
    fault: PageFault | None = None,
) -> ReadPage:
    """Reading that kills its process; what remains is done."""
    if fault is None:
        os.kill(os.getpid(), signal.SIGKILL)
    return read_page(source, index, settings, work, fault)


class RememberingWorkplace(Workplace):
    """Reads a page once, however many tests and databases ask for it."""

    def __init__(self, folder: Path, workers: int = 1) -> None:
        super().__init__(folder, DigitiseSettings(workers=workers))
        self._read: dict[tuple[str, str], Any] = {}

    def run(self, task: Any, *args: Any, **kwargs: Any) -> Any:
        if task is not read_page:
            return super().run(task, *args, **kwargs)
        source, index, settings = args[:3]
        asked = (reading_key(source.sha256, index, settings), repr(args[4:]))
        if asked not in self._read:
            self._read[asked] = super().run(task, *args, **kwargs)
        return self._read[asked]


class ReadingRoom:
    """One database, one blob store, one agency, and the handlers of the queue `ocr`."""

    def __init__(
        self,
        url: str,
        folder: Path,
        workplace: Workplace,
        keys: Callable[[], CoverSheetKeys] | None = None,
    ) -> None:
        """`keys` are those that cover sheets are believed by; None: the room's own."""
        self.folder = folder
        self.database = Database(url)
        self.blobs = FolderBlobs(folder / "blobs")
        self.holdings = Holdings(self.database)
        self.audit = AuditLog(self.database)
        self.jobs = JobQueue(self.database, self.audit)
        self.stacks = Stacks(self.database, self.holdings, self.audit, self.jobs)
        self.arranging = Arranging(self.database, self.audit, self.jobs)
        self.key = SoftwareKey(label="sheets")
        self.sheets = CoverSheets(self.database, self.audit, lambda _context: self.key)
        self.workplace = workplace
        pages = PageWork(self.database, self.blobs, self.holdings, self.jobs, self.workplace)
        own = CoverSheetKeys([self.key.certificate])
        splitting = SplitWork(
            self.database, self.blobs, self.jobs, keys or (lambda: own), self.sheets.mark_used
        )
        proposing = ProposeWork(
            self.database, self.blobs, self.holdings, self.jobs, workplace, load_catalogues()
        )
        self.handlers = {
            **pages.handlers(),
            **splitting.handlers(),
            **proposing.handlers(),
        }
        with self.database.begin() as connection:
            known = sa.select(agencies.c.id).where(agencies.c.id == AGENCY)
            if connection.execute(known).first() is None:
                connection.execute(
                    sa.insert(agencies).values(
                        id=AGENCY,
                        name="UBND xã Mẫu Sơn Thử",
                        policy={},
                        created_at=datetime.now(UTC),
                    )
                )

    def bring(self, data: bytes) -> str:
        """Store a file for the agency; its digest."""
        info = self.blobs.put(data)
        with self.database.begin() as connection:
            self.holdings.register(connection, AGENCY, info, "image/jpeg")
        return info.sha256

    def stack(self, files: Sequence[bytes], order: StackOrder = ORDER) -> str:
        """A closed stack of single-sided files; its id."""
        stack, _ = self.stacks.open(CALLER, Way.HTTP, order)
        for number, data in enumerate(files):
            self.stacks.add_scan(CALLER, stack.id, self.bring(data), f"quét-{number + 1}.jpg")
        self.stacks.close(CALLER, stack.id)
        return stack.id

    def again(self, stack: str, data: bytes, purpose: Insert | Replace) -> None:
        """Scan a file for a place in a stack that is arranged."""
        self.stacks.add_scan(CALLER, stack, self.bring(data), "lại.jpg", purpose=purpose)

    def claim(self) -> Job | None:
        taken = self.jobs.claim("ocr", "here", 1, 60.0)
        return taken[0] if taken else None

    def work(self, *, but: Sequence[str] = ("propose",)) -> list[str]:
        """Do what is in the queue, in its order; the kinds that were done. `but` are left."""
        done = []
        waiting: list[Job] = []
        while (job := self.claim()) is not None:
            if job.kind in but:
                waiting.append(job)
                continue
            self.handlers[job.kind](job)
            done.append(job.kind)
        self.jobs.give_back(waiting)
        return done

    def fail(self, job: Job, error: Exception) -> None:
        """Let a job fail for good, as a worker does."""
        with self.database.begin() as connection:
            self.jobs.fail(connection, job, error_json(error))

    def get(self, stack: str) -> Stack:
        return self.stacks.get(CALLER, stack)[0]

    def pages(self, stack: str) -> tuple[StackPage, ...]:
        return self.stacks.pages(CALLER, stack)

    def reading(self, page: StackPage) -> PageReading:
        assert page.reading_sha256 is not None
        return PageReading.from_bytes(self.blobs.get(page.reading_sha256))

    def arrangement(self, stack: str) -> Arrangement:
        found = self.arranging.arrangement(CALLER, stack)
        assert found is not None
        return found.arrangement

    def paper_states(self, stack: str) -> set[str]:
        with self.database.read() as connection:
            wanted = sa.select(papers.c.state).where(papers.c.stack_id == stack)
            return set(connection.execute(wanted).scalars())
