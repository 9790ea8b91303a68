"""Small facts of this installation, by name: what is pinned once, leases that name their owner.

Rows of `house_settings`; whoever reads, then writes one holds a lock of their own meanwhile.
"""

from __future__ import annotations

import sqlalchemy as sa

from dossier.model import JSON
from dossier.storage.tables import settings


def fact(connection: sa.Connection, name: str) -> JSON:
    """The value of `name`; None when there is none."""
    wanted = sa.select(settings.c.value).where(settings.c.name == name)
    return connection.execute(wanted).scalar()


def put_fact(connection: sa.Connection, name: str, value: JSON) -> None:
    """Let `name` have this value from now on."""
    known = settings.c.name == name
    changed = connection.execute(sa.update(settings).where(known).values(value=value))
    if changed.rowcount == 0:
        connection.execute(sa.insert(settings), {"name": name, "value": value})
