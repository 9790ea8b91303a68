"""A whole `sohoa serve` with people who may sign in, and papers that machines have read.

What machines do is written into its database by `tests.console_room`; its own readers are off, so
nothing is read twice and nothing has to be waited for.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dossier.audit.log import AuditLog
from dossier.identity import Identity, local_administrator
from dossier.model import Caller, Role
from dossier.queue.jobs import JobQueue
from dossier.stacks.stacks import Stacks
from dossier.storage.blobs import FolderBlobs
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings
from dossier.storage.smallblobs import SmallBlobs
from tests.console_room import StackMaker
from tests.fixtures_installation import run_sohoa
from tests.running_service import RunningService

AGENCY = "H22.12"
SETTINGS = {"SOHOA_WORKER__OCR_PROCESSES": "0", "SOHOA_WORKER__SEAL_PROCESSES": "0"}


@dataclass
class ConsoleService:
    """The service, the way into its database, and its people."""

    running: RunningService
    database: Database
    maker: StackMaker
    identity: Identity

    @property
    def url(self) -> str:
        return self.running.url

    def person(self, name: str, *roles: Role) -> tuple[str, Caller]:
        """A new person's key, and who it is."""
        admin = local_administrator("test")
        principal = self.identity.principals.add(
            admin, AGENCY, kind="user", name=name, roles=roles or (Role.SCANNER,)
        )
        key = self.identity.api_keys.issue(admin, principal.id).text
        return key, self.identity.authenticate_key(key)[0]


@contextmanager
def console_service(data: Path) -> Iterator[ConsoleService]:
    """A new installation in `data`, served."""
    done = run_sohoa("init", "--data", data)
    assert done.code == 0, done.told
    with RunningService(data, SETTINGS) as running:
        database = Database(f"sqlite:///{data / 'house.db'}")
        try:
            audit = AuditLog(database)
            jobs, holdings = JobQueue(database, audit), Holdings(database)
            blobs = SmallBlobs(database, FolderBlobs(data / "blobs"))
            identity = Identity(database, audit)
            identity.agencies.add(local_administrator("test"), AGENCY, "UBND xã Mẫu")
            maker = StackMaker(
                database, blobs, holdings, Stacks(database, holdings, audit, jobs), jobs
            )
            yield ConsoleService(running, database, maker, identity)
        finally:
            database.close()
