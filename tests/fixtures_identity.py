"""An installation's directory: agencies, principals and API keys, on either database.

directory          `Directory`: identity, its audit log, a clock that tests move
directory.house    the house's administrator
directory.client(…)  a client of an agency with an API key
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from dossier.audit.log import AuditLog
from dossier.identity import AgencyPolicy, Identity, Limits, Principal, local_administrator
from dossier.model import Caller
from dossier.storage import tables
from dossier.storage.database import Database

if TYPE_CHECKING:
    from tests.auth_client import AuthClient

AGENCY = "H00.01"
OTHER_AGENCY = "H00.02"


@dataclass
class Directory:
    """A directory under test. `advance` moves the wall clock, and the caches' clock with it."""

    database: Database
    now: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    ticks: float = 1000.0

    def __post_init__(self) -> None:
        self.audit = AuditLog(self.database)
        self.identity = self.new_identity()
        self.house: Caller = local_administrator("tester")
        self._names = itertools.count(1)

    def new_identity(self) -> Identity:
        """The directory as another process sees it: with caches of its own."""
        return Identity(
            self.database, self.audit, clock=lambda: self.now, monotonic=lambda: self.ticks
        )

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.ticks += seconds

    def agency(self, agency_id: str = AGENCY, *keys: str) -> None:
        policy = AgencyPolicy(keys=frozenset(keys or ("leader", "seal")))
        self.identity.agencies.add(self.house, agency_id, "Cơ quan mẫu", policy)

    def principal(self, agency_id: str = AGENCY, **changes) -> Principal:
        entries = {
            "kind": "client",
            "name": f"Hệ thống mẫu {next(self._names)}",
            "roles": ["leader", "clerk"],
            "keys": ["leader", "seal"],
        }
        return self.identity.principals.add(self.house, agency_id, **{**entries, **changes})

    def client(self, agency_id: str = AGENCY, *, limits: Limits | None = None, **changes) -> str:
        """The text of an API key of a new client."""
        made = self.principal(agency_id, limits=limits, **changes)
        return self.identity.api_keys.issue(self.house, made.id).text

    def caller(self, principal: Principal) -> Caller:
        return self.identity.authenticate_key(
            self.identity.api_keys.issue(self.house, principal.id).text
        )[0]

    def told(self) -> list[str]:
        """The canonical JSON of every audit entry, in order."""
        entries = tables.audit_entries.c
        with self.database.read() as connection:
            return list(connection.scalars(sa.select(entries.entry).order_by(entries.seq)))

    def refusals(self) -> list[dict[str, Any]]:
        """The audited refusals, in order."""
        told = [json.loads(text) for text in self.told()]
        return [entry for entry in told if entry["event"] == "request.refused"]


@pytest.fixture
def directory(database: Database) -> Directory:
    """An empty directory; the test runs with each database."""
    return Directory(database)


@pytest.fixture
def lone_directory(sqlite_url: str, open_database: Callable[[str], Database]) -> Directory:
    """A directory on SQLite with one agency, where the database makes no difference."""
    made = Directory(open_database(sqlite_url))
    made.agency()
    return made


@pytest.fixture
def auth_client(lone_directory: Directory) -> Iterator[Callable[..., AuthClient]]:
    """Makes applications over `lone_directory`; they are closed when the test is over."""
    from tests.auth_client import AuthClient  # it needs the web framework; most tests do not

    made: list[AuthClient] = []

    def make(*arguments, **options) -> AuthClient:
        made.append(AuthClient(lone_directory, *arguments, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()
