"""The register in the database: an append-only Merkle log of what was issued.

    register = Register(database)
    with database.begin() as connection:
        ...
        register.append(connection, [Registration(Event.ISSUED, …)])   # before the audit log
        audit.append(connection, …)

An append belongs to the transaction that publishes: document and entry are there together or not
at all, whatever is killed. It costs one look-up and one insert under a lock that is held until
the commit; inner nodes of the tree are computed later, where nobody waits (`Nodes.build`). Times
never run backwards along the log, so an entry with an earlier time than one before it was not
made when it says.
"""

from __future__ import annotations

import builtins
import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime

import sqlalchemy as sa

from dossier.errors import NotFound, RegisterBroken
from dossier.register.entry import Entry, Event, MalformedEntry, Registration
from dossier.storage.database import Database
from dossier.storage.tables import register_entries as rows

AT_ONCE = 500
"""Entries in memory at once, at most."""

_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")
_LOCK_KEY = int.from_bytes(hashlib.sha256(b"sohoa register").digest()[:8], "big", signed=True)
_TIP = sa.select(rows.c.seq, rows.c.at).order_by(rows.c.seq.desc()).limit(1)
# PostgreSQL's clock in the same round trip
_TIP_AND_TIME = _TIP.add_columns(sa.func.clock_timestamp().label("now"))
_INSERT = sa.insert(rows)
_RANGE = (
    sa.select(rows.c.seq, rows.c.at, rows.c.entry)
    .where(rows.c.seq >= sa.bindparam("start"), rows.c.seq < sa.bindparam("end"))
    .order_by(rows.c.seq)
)
_OF_CODE = (
    sa.select(rows.c.seq, rows.c.at, rows.c.entry)
    .where(rows.c.code == sa.bindparam("code_"))
    .order_by(rows.c.seq)
)
_CODE_OF_DIGEST = (
    sa.select(rows.c.code)
    .where(
        rows.c.document_sha256 == sa.bindparam("digest"),
        rows.c.event.in_([Event.ISSUED, Event.RENEWED]),
    )
    .order_by(rows.c.seq)
    .limit(1)
)


class Register:
    """The register of one database. Safe for threads and for several processes."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def append(self, connection: sa.Connection, told: Sequence[Registration]) -> int:
        """Enter `told` in their order; the size of the log with them.

        After all other rows of the transaction, before the audit log (`dossier.storage.database`
        has the order of locks). Raises `sqlalchemy.exc.IntegrityError` when a code is issued
        twice: then the caller's transaction cannot be committed.
        """
        if not told:
            return self.size(connection)
        size, at = self._locked(connection)
        made = []
        for seq, one in enumerate(told, size):
            entry = Entry(seq, at, one, one.text().decode())
            made.append(
                {
                    "seq": seq,
                    "at": at,
                    "entry": entry.text,
                    "leaf_sha256": entry.leaf_hash.hex(),
                    "code": one.code,
                    "event": one.event.value,
                    "agency_id": one.agency,
                    "document_sha256": one.document_sha256,
                }
            )
        connection.execute(_INSERT, made)
        return size + len(made)

    def lock(self, connection: sa.Connection) -> int:
        """Keep others from appending until the transaction ends; the size."""
        return self._locked(connection)[0]

    def size(self, connection: sa.Connection | None = None) -> int:
        """How many entries there are. Raises `StoreError`."""
        if connection is None:
            with self.database.read() as reading:
                return self.size(reading)
        last = connection.execute(_TIP).first()
        return 0 if last is None else last.seq + 1

    def entries(self, start: int, end: int) -> builtins.list[Entry]:
        """The entries from `start` up to, not including, `end`. Raises `StoreError`."""
        with self.database.read() as connection:
            found = connection.execute(_RANGE, {"start": start, "end": end}).all()
        return [_entry(*row) for row in found]

    def walk(self, start: int, end: int) -> Iterator[Entry]:
        """As `entries`, page by page."""
        for first in range(start, end, AT_ONCE):
            yield from self.entries(first, min(first + AT_ONCE, end))

    def of_code(self, code: str, connection: sa.Connection | None = None) -> builtins.list[Entry]:
        """Every entry of one result, oldest first; none for a code that was not issued."""
        if connection is None:
            with self.database.read() as reading:
                return self.of_code(code, reading)
        found = connection.execute(_OF_CODE, {"code_": code}).all()
        return [_entry(*row) for row in found]

    def code_of(self, sha256: str) -> str | None:
        """The code of the result whose published document has, or had, this digest."""
        with self.database.read() as connection:
            found: str | None = connection.execute(_CODE_OF_DIGEST, {"digest": sha256}).scalar()
        return found

    def _locked(self, connection: sa.Connection) -> tuple[int, datetime]:
        """The size, which nobody else changes until the transaction ends, and the present."""
        if self.database.is_sqlite:
            last = connection.execute(_TIP).first()
            now = self.database.now(connection)
        else:
            connection.execute(_LOCK, {"key": _LOCK_KEY})
            last = connection.execute(_TIP_AND_TIME).first()
            now = self.database.now(connection) if last is None else last.now
        if last is None:
            return 0, now
        return last.seq + 1, max(now, last.at)


def not_issued() -> NotFound:
    """What is said of every code that was not issued, mistaken or not yet published."""
    return NotFound(
        "Không có kết quả nào mang mã này; hãy so lại mã với bản in. / No result was issued with "
        "this code; compare it with the printout."
    )


def _entry(seq: int, at: datetime, text: str) -> Entry:
    try:
        return Entry.read(seq, at, text)
    except MalformedEntry as error:
        raise RegisterBroken(
            f"Sổ đăng ký kết quả bị hỏng ở mục {seq}; hãy chạy “sohoa register audit”. / The "
            f"register of results is damaged at entry {seq}; run sohoa register audit.",
            findings=(str(error),),
        ) from error
