"""Appends to an audit chain in the database, and reads it.

    log = AuditLog(database)
    with database.begin() as connection:
        ...
        log.append(connection, [AuditEvent("signature.accepted", …)])   # last of all
    log.write(AuditEvent("access.refused", …))                          # a commit of its own

An append belongs to its caller's transaction: what it reports and the report are durable
together or not at all. It costs two look-ups along the primary key and one insert, whatever the
length of the chain.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from dossier.audit.chain import (
    AuditEntry,
    MalformedEntry,
    digest_of,
    entry_text,
    genesis,
    moment_text,
    next_link,
)
from dossier.audit.head import Head, from_seq, head_of, newest
from dossier.audit.proof import proof_of
from dossier.errors import AuditUnavailable, ChainBroken, NotFound, StateConflict, StoreError
from dossier.model import JSON, AuditEvent
from dossier.storage.database import Database
from dossier.storage.tables import audit_entries, settings

INSTALLATION = "installation"
"""The row of `house_settings` with this installation's random id."""

_TIP = (
    sa.select(audit_entries.c.seq, audit_entries.c.link_sha256)
    .where(audit_entries.c.chain == sa.bindparam("chain"))
    .order_by(audit_entries.c.seq.desc())
    .limit(1)
)
# PostgreSQL's clock in the same round trip; each one costs as much as the rest of an append
_TIP_AND_TIME = _TIP.add_columns(sa.func.clock_timestamp().label("now"))
_ENTRY = sa.select(audit_entries.c.entry, audit_entries.c.entry_sha256, audit_entries.c.link_sha256)
_INSTALLATION = sa.select(settings.c.value).where(settings.c.name == INSTALLATION)
_INSERT = sa.insert(audit_entries)
_LOCK = sa.text("SELECT pg_advisory_xact_lock(:key)")

Listener = Callable[[sa.Connection, Sequence[AuditEvent]], None]


class AuditLog:
    """One chain of one database. Safe for threads and for several processes.

    Appends are one after another: SQLite's BEGIN IMMEDIATE sees to it, and on PostgreSQL an
    advisory lock that is held until the caller's transaction ends; so append last.
    """

    def __init__(self, database: Database, chain: str = "service") -> None:
        """`chain` is ``service``, or ``keys`` for the key agent's own."""
        self.chain = chain
        self.database = database
        digest = hashlib.sha256(f"sohoa audit {chain}".encode()).digest()
        self._lock = {"key": int.from_bytes(digest[:8], "big", signed=True)}
        self._listeners: tuple[Listener, ...] = ()

    def follow(self, listener: Listener) -> None:
        """Let `listener` act on what happens, in the transaction that records it. At the start."""
        self._listeners = (*self._listeners, listener)

    def append(self, connection: sa.Connection, events: Sequence[AuditEvent]) -> int:
        """Add `events` in their order; returns the number of the last entry of the chain.

        Raises `AuditUnavailable`; then the caller's transaction cannot be committed.
        """
        for listener in self._listeners:
            listener(connection, events)
        try:
            return self._append(connection, events)
        except (sa.exc.SQLAlchemyError, StoreError, ValueError, TypeError) as error:
            raise _unavailable(error) from error

    def write(self, *events: AuditEvent) -> int:
        """Add `events` in a commit that they share with other threads' small writes.

        Durable when it returns. Returns the number of the last entry. Raises `AuditUnavailable`.
        """
        try:
            return self.database.together(lambda connection: self.append(connection, events))
        except (sa.exc.SQLAlchemyError, StoreError) as error:
            raise _unavailable(error) from error

    def tip(self) -> tuple[int, str]:
        """Number and link (hex) of the last entry; 0 and the genesis link of an empty chain.

        Raises `StoreError`.
        """
        with self.database.read() as connection:
            found = connection.execute(_TIP, {"chain": self.chain}).first()
        if found is not None:
            return found.seq, found.link_sha256
        return 0, genesis(self.chain, self.installation()).hex()

    def entries(self, agency_id: str | None, after: int, limit: int) -> list[AuditEntry]:
        """At most `limit` entries with numbers above `after`, of one agency or (None) of all.

        Raises `StoreError`; `ChainBroken` for an entry that cannot be read.
        """
        wanted = _ENTRY.where(audit_entries.c.chain == self.chain, audit_entries.c.seq > after)
        if agency_id is not None:
            wanted = wanted.where(audit_entries.c.agency_id == agency_id)
        with self.database.read() as connection:
            rows = connection.execute(wanted.order_by(audit_entries.c.seq).limit(limit)).all()
        try:
            return [AuditEntry.read(*row) for row in rows]
        except MalformedEntry as error:
            raise ChainBroken(
                f"Nhật ký “{self.chain}” bị hỏng sau mục {after}; hãy chạy “sohoa audit verify”. / "
                f"The audit log is damaged after entry {after}; run sohoa audit verify on an "
                "export.",
                findings=(str(error),),
            ) from error

    def head(self) -> Head | None:
        """The last sealed head. Raises `StoreError`."""
        with self.database.read() as connection:
            row = connection.execute(newest(self.chain)).first()
        return None if row is None else head_of(row)

    def prove(self, seq: int, agency_id: str | None = None) -> dict[str, JSON]:
        """Proof that entry `seq` is under a sealed head; `dossier.audit.proof` checks it.

        With `agency_id` it must be an entry of that agency. Raises `NotFound`, `StateConflict`
        while no head is sealed over it, `StoreError`.
        """
        with self.database.read() as connection:
            row = connection.execute(from_seq(self.chain, seq).limit(1)).first()
            upto = seq if row is None else row.seq
            between = audit_entries.c.seq.between(max(seq - 1, 0), upto)
            wanted = sa.select(audit_entries).where(audit_entries.c.chain == self.chain, between)
            found = connection.execute(wanted.order_by(audit_entries.c.seq)).all()
        own = next((entry for entry in found if entry.seq == seq), None)
        if own is None or (agency_id is not None and own.agency_id != agency_id):
            raise NotFound(
                f"Không có mục nhật ký {seq}. / There is no such entry in the audit log."
            )
        if row is None:
            raise StateConflict(
                f"Mục {seq} chưa được niêm phong; hãy thử lại sau ít phút. / No head is sealed "
                "over this entry yet; try again in a few minutes."
            )
        installation = self.installation()
        return proof_of(
            head_of(row),
            installation,
            own.entry,
            found[0].link_sha256 if found[0].seq < seq else genesis(self.chain, installation).hex(),
            [entry.entry_sha256 for entry in found if entry.seq > seq],
        )

    def installation(self, connection: sa.Connection | None = None) -> str:
        """The random id of this installation, made on first use. Raises `StoreError`.

        Give a writing `connection` to stay in its transaction.
        """
        if connection is not None:
            return self._installation(connection)
        with self.database.read() as reading:
            found: str | None = reading.execute(_INSTALLATION).scalar()
        if found is not None:
            return found
        with self.database.begin() as writing:
            return self._installation(writing)

    def lock(self, connection: sa.Connection) -> tuple[int, bytes]:
        """Keep others from appending until the transaction ends; number and link of the tip."""
        return self._locked(connection)[:2]

    def _append(self, connection: sa.Connection, events: Sequence[AuditEvent]) -> int:
        last, link, now = self._locked(connection)
        if not events:
            return last
        at = moment_text(now)
        rows = []
        for seq, event in enumerate(events, last + 1):
            text = entry_text(self.chain, seq, at, event)
            digest = digest_of(text)
            link = next_link(link, digest)
            rows.append(
                {
                    "chain": self.chain,
                    "seq": seq,
                    "entry": text.decode(),
                    "entry_sha256": digest.hex(),
                    "link_sha256": link.hex(),
                    "agency_id": event.agency_id,
                    "subject": event.subject,
                }
            )
        connection.execute(_INSERT, rows)
        return last + len(rows)

    def _locked(self, connection: sa.Connection) -> tuple[int, bytes, datetime]:
        """The tip, which nobody else moves until the transaction ends, and the present."""
        if self.database.is_sqlite:
            found = connection.execute(_TIP, {"chain": self.chain}).first()
        else:
            connection.execute(_LOCK, self._lock)
            found = connection.execute(_TIP_AND_TIME, {"chain": self.chain}).first()
        if found is None:
            start = genesis(self.chain, self._installation(connection))
            return 0, start, self.database.now(connection)
        now = self.database.now(connection) if self.database.is_sqlite else found.now
        return found.seq, bytes.fromhex(found.link_sha256), now

    def _installation(self, connection: sa.Connection) -> str:
        found: str | None = connection.execute(_INSTALLATION).scalar()
        if found is None:
            if not self.database.is_sqlite:  # two processes that start together agree on one
                connection.execute(_LOCK, {"key": 0x736F686F61})
                found = connection.execute(_INSTALLATION).scalar()
            if found is None:
                found = secrets.token_hex(16)
                connection.execute(sa.insert(settings), {"name": INSTALLATION, "value": found})
        return found


def _unavailable(error: Exception) -> AuditUnavailable:
    return AuditUnavailable(
        "Không ghi được nhật ký kiểm toán nên không ký; hãy kiểm tra cơ sở dữ liệu và đĩa rồi thử "
        "lại. / The audit log cannot be written, so nothing is signed; check the database and the "
        f"disk, then try again ({type(error).__name__})."
    )
