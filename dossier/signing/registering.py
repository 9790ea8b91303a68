"""Enters published records in the register, in the transaction that publishes them.

The register is of results that an agency issued. A record that seals a digitised paper is none: it
is a copy of what lies in a dossier, mostly of other agencies' papers and of citizens' own. It is
published, renewed and audited like any other, and never entered (docs/filing.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from dossier.register.entry import Event, Registration
from dossier.register.log import AT_ONCE, Register
from dossier.storage.station_tables import papers
from dossier.storage.tables import records

_FACTS = sa.select(
    records.c.id,
    records.c.code,
    records.c.agency_id,
    records.c.order,
    records.c.source_sha256,
    records.c.result_sha256,
    records.c.number,
    records.c.symbol,
    records.c.year,
    records.c.supersedes,
).where(records.c.id.in_(sa.bindparam("ids", expanding=True)))

_SEALS = sa.select(papers.c.record_id).where(
    papers.c.record_id.in_(sa.bindparam("ids", expanding=True))
)


def enter_published(connection: sa.Connection, register: Register, ids: Sequence[str]) -> None:
    """Enter these records, which are published in this transaction, in their order.

    What one of them supersedes is entered as superseded right behind it. After all other rows,
    before the audit log.
    """
    sealed_papers = seals_of_papers(connection, ids)
    results = [one for one in ids if one not in sealed_papers]
    for at in range(0, len(results), AT_ONCE):
        page = results[at : at + AT_ONCE]
        facts = _facts(connection, page)
        old = _facts(connection, [row.supersedes for row in facts.values() if row.supersedes])
        told: list[Registration] = []
        for record_id in page:
            new = facts[record_id]
            told.append(_issued(new))
            if new.supersedes:
                told.append(superseded(old[new.supersedes], by=new.code))
        register.append(connection, told)


def seals_of_papers(connection: sa.Connection, ids: Sequence[str]) -> frozenset[str]:
    """Those of these records that seal digitised papers: the register has nothing of them."""
    found: set[str] = set()
    for at in range(0, len(ids), AT_ONCE):
        page = list(ids[at : at + AT_ONCE])
        found.update(connection.execute(_SEALS, {"ids": page}).scalars())
    return frozenset(found)


def superseded(row: Any, by: str, reason: str | None = None) -> Registration:  # noqa: ANN401 - a row
    """That the record in `row` gave way to the result with the code `by`."""
    return Registration(
        Event.SUPERSEDED, row.code, row.agency_id, row.result_sha256, by=by, reason=reason
    )


def _facts(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Any]:
    if not ids:
        return {}
    return {row.id: row for row in connection.execute(_FACTS, {"ids": list(ids)})}


def _issued(row: Any) -> Registration:  # noqa: ANN401 - a row
    decided_on = row.order.get("decided_on")
    return Registration(
        Event.ISSUED,
        row.code,
        row.agency_id,
        row.result_sha256,
        source_sha256=row.source_sha256,
        number=row.number,
        symbol=row.symbol if row.number is not None else None,
        year=row.year,
        decided_on=None if decided_on is None else date.fromisoformat(decided_on),
        reference=row.order.get("result_reference"),
    )
