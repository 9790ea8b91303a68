"""What every part of the directory works with: the database, the audit log, the clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dossier.identity.credentials import Clock
from dossier.identity.values import AuditWriter
from dossier.model import JSON, AuditEvent, Caller
from dossier.storage.database import Database

if TYPE_CHECKING:
    import sqlalchemy as sa


@dataclass(frozen=True, slots=True)
class Office:
    """The collaborators of one directory. `changed` makes look-ups forget what they know."""

    database: Database
    audit: AuditWriter
    clock: Clock
    changed: Callable[[], None]

    def note(
        self,
        connection: sa.Connection,
        caller: Caller,
        event: str,
        agency_id: str,
        subject: str,
        details: Mapping[str, JSON],
    ) -> None:
        """Audit a change in its own transaction; last of all. Raises `AuditUnavailable`."""
        told = AuditEvent(event, caller.principal_id, agency_id, subject, details)
        self.audit.append(connection, [told])
