"""What a house worker holds to watch a folder, and files to drop; for tests and long proofs."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from PIL import Image

from dossier.audit.log import AuditLog
from dossier.identity import Identity, local_administrator
from dossier.inboxes.inbox import Inbox, InboxOrder
from dossier.inboxes.rows import InboxRows
from dossier.model import Caller, Role
from dossier.queue.jobs import JobQueue
from dossier.stacks.order import StackOrder
from dossier.stacks.stacks import Stacks
from dossier.stacks.values import Scan, Stack
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.station_tables import inbox_drops
from dossier.storage.store import BlobStore
from dossier.storage.tables import agencies

AGENCIES = ("H22.12", "H22.13")
ORDER = StackOrder("quay-3", "Nguyễn Thị Mẫu")


def jpeg(seed: int, more: int = 0) -> bytes:
    """A small picture, another one for each seed; `more` bytes of comment make it longer."""
    picture = Image.new("L", (16, 16), seed % 251)
    picture.putpixel((0, 0), seed // 251 % 251)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=95, comment=random.Random(seed).randbytes(8) + b"x" * more)
    return out.getvalue()


def tiff(seed: int, pages: int) -> bytes:
    """A TIFF with so many pages."""
    first, *rest = (Image.new("L", (8, 8), (seed + n) % 256) for n in range(pages))
    out = io.BytesIO()
    first.save(out, "TIFF", save_all=True, append_images=rest)
    return out.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class DropRoom:
    """One database, one blob store, and watchers of folders over them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.root = folder / "vao"
        self.root.mkdir(exist_ok=True)
        self.blobs: BlobStore = FolderBlobs(folder / "blobs")
        self.holdings = Holdings(database)
        self.audit = AuditLog(database)
        self.jobs = JobQueue(database, self.audit)
        self.stacks = Stacks(database, self.holdings, self.audit, self.jobs)
        self.identity = Identity(database, self.audit)
        self.rows = InboxRows(database, self.holdings)
        self.now = 1000.0

    def people(self) -> dict[str, str]:
        """A scanner in each agency: its id."""
        made = {}
        with self.database.begin() as connection:
            for agency in AGENCIES:
                connection.execute(
                    sa.insert(agencies).values(
                        id=agency, name="UBND xã Mẫu", policy={}, created_at=datetime.now(UTC)
                    )
                )
        for agency in AGENCIES:
            made[agency] = self.identity.principals.add(
                local_administrator("test"),
                agency,
                kind="client",
                name=f"Thư mục {agency}",
                roles=[Role.SCANNER],
            ).id
        return made

    def order(self, principal: str, **entries: object) -> InboxOrder:
        order = InboxOrder("quay-3", self.root, principal, AGENCIES[0], ORDER, settle_s=10)
        return replace(order, **entries)  # type: ignore[arg-type]

    def inbox(self, order: InboxOrder, clock: Callable[[], float] | None = None) -> Inbox:
        return Inbox(
            order,
            self.rows,
            self.blobs,
            self.holdings,
            self.stacks,
            self.identity,
            clock=clock or (lambda: self.now),
        )

    def drop(self, name: str, files: dict[str, bytes]) -> Path:
        """A folder with files in it, as a person copies it."""
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        for file, data in files.items():
            (folder / file).write_bytes(data)
        return folder

    def scans(self, agency: str = AGENCIES[0]) -> dict[str, list[Scan]]:
        """The scans of every stack, by the stack's reference and id."""
        caller = reader(agency)
        return {
            f"{stack.order.reference}|{stack.id}": list(self.stacks.scans(caller, stack.id))
            for stack in self.made(agency)
        }

    def made(self, agency: str = AGENCIES[0]) -> list[Stack]:
        """Every stack, oldest first."""
        return self.stacks.list(reader(agency), limit=200)[::-1]

    def lying(self, where: str) -> dict[str, bytes]:
        """Files under done/ or refused/ by path, each folder's id left out."""
        place = self.root / where
        return {
            f"{path.parent.relative_to(place).as_posix().rpartition('~')[0]}/{path.name}": (
                path.read_bytes()
            )
            for path in sorted(place.rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


def reader(agency: str) -> Caller:
    return Caller("prn_reader", "Trạm quét mẫu", agency, frozenset({Role.SCANNER}))


class Watched(DropRoom):
    """A room with one watched folder; time goes on by `wait`."""

    def __init__(self, database: Database, folder: Path) -> None:
        super().__init__(database, folder)
        self.principals = self.people()
        self.watcher = self.inbox(self.order(self.principals[AGENCIES[0]]))

    def wait(self, seconds: float) -> list[str]:
        """Looks every two seconds for so long; the stacks that were made."""
        made = []
        for _ in range(round(seconds / 2) + 1):
            made += self.watcher.look()
            self.now += 2
        return made

    def drops(self) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(inbox_drops).order_by(inbox_drops.c.id)))


PAGES = {f"trang{n}.jpg": jpeg(n) for n in (1, 2, 10)}
