"""What stands before an operator: people with sessions, stacks whose pages were read and split.

Machines' work is written straight into the database, so that a screen is tested without waiting
for a reading; what is written is what the workers write (`dossier.stacks`).
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from PIL import Image, ImageDraw

from dossier.intake.observations import PageObservation
from dossier.intake.splitting import SplitRules, split_stack
from dossier.model import Caller, new_id
from dossier.queue.jobs import JobQueue
from dossier.stacks.arrangement import Arrangement
from dossier.stacks.history import Doing, put_in_force
from dossier.stacks.order import StackOrder
from dossier.stacks.stackrows import one_stack
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import StackState, Way
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import stack_pages, stack_scans, stacks
from dossier.storage.store import BlobStore

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
