"""Recomputes a chain from the rows of a database, in the caller's transaction.

For restore, which must prove what it wrote before it is committed; auditors use an export and
`dossier.audit.verify`, which trusts nothing in the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from dossier.audit.chain import FIRST, digest_of, genesis, next_link
from dossier.audit.head import head_of
from dossier.audit.log import INSTALLATION
from dossier.errors import ChainBroken
from dossier.storage.tables import audit_entries, audit_heads, settings
from signer.errors import StatementInvalid
from signer.statement import verify_statement

_BATCH = 1000


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where a chain stands: its last entry and link (hex), and how many heads are sealed."""

    seq: int
    link: str
    heads: int


def recompute(connection: sa.Connection, chain: str) -> ChainState:
    """Walk the whole chain and its heads. Raises `ChainBroken`, which names the place.

    Signatures and timestamps of heads must be genuine; whose they are is for `verify` to judge.
    """
    installation: str | None = connection.execute(
        sa.select(settings.c.value).where(settings.c.name == INSTALLATION)
    ).scalar()
    link = genesis(chain, installation or "")
    columns = audit_entries.c
    heads = {
        row.seq: head_of(row)
        for row in connection.execute(sa.select(audit_heads).where(audit_heads.c.chain == chain))
    }
    expected = FIRST
    wanted = sa.select(columns.seq, columns.entry, columns.entry_sha256, columns.link_sha256)
    wanted = wanted.where(columns.chain == chain).order_by(columns.seq)
    rows: sa.Result[Any] = connection.execution_options(yield_per=_BATCH).execute(wanted)
    for row in rows:
        digest = digest_of(row.entry.encode())
        link = next_link(link, digest)
        told = (row.seq, row.entry_sha256, row.link_sha256)
        if told != (expected, digest.hex(), link.hex()):
            raise _broken(chain, row.seq, "link")
        head = heads.get(row.seq)
        if head is not None:
            try:
                if head.parsed()["link"] != link.hex():
                    raise _broken(chain, row.seq, "head")
                verify_statement(head.statement.encode(), head.signed, None)
            except (StatementInvalid, ValueError) as error:
                raise _broken(chain, row.seq, str(error)) from error
        expected += 1
    if heads and max(heads) >= expected:
        raise _broken(chain, expected, "a head stands behind the last entry")
    return ChainState(expected - FIRST, link.hex(), len(heads))


def _broken(chain: str, seq: int, why: str) -> ChainBroken:
    return ChainBroken(
        f"Chuỗi “{chain}” không khớp ở mục {seq}; hãy chạy “sohoa audit verify”. / The chain does "
        f"not hang together at entry {seq} ({why}); run sohoa audit verify.",
        findings=(f"{chain} {seq}: {why}",),
    )
