"""Makes the register's checkpoints on schedule, and keeps them.

    size and root, an audit event that names what is about to be signed     one commit
    the key signs the note, an authority timestamps it
    the checkpoint is kept

One process at a time is at it: it takes a lease that runs out by itself. A process that dies
leaves an event behind that explains the use of the key, and the next one signs the same or a
later state of the same log; two checkpoints of one log never contradict each other.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.audit.chain import moment_of, moment_text
from dossier.audit.log import AuditLog
from dossier.errors import DossierError
from dossier.model import AuditEvent
from dossier.register import nodes, notes
from dossier.register.checkpoint import Checkpoint, SignedCheckpoint
from dossier.register.log import Register
from dossier.storage.database import Database, insert_if_new
from dossier.storage.facts import fact, put_fact
from dossier.storage.tables import register_checkpoints as rows
from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer.errors import SignerError
from signer.services import Timestamper

_log = logging.getLogger(__name__)

SUBJECT = "register"
"""The subject of what is signed for the register, in both audit chains."""

PURPOSE = "register-checkpoint"
"""The purpose that the key agent is told."""

DELAY_S = 60.0
"""A timestamp that came later than this after the state was read says too little; it is dropped."""

_ORIGIN = "register-origin"
_LEASE = "register-checkpoint-until"
_BUILD_AT_ONCE = 4096  # leaves whose nodes are built in one commit: nobody waits long for it
_NEWEST = sa.select(rows).order_by(rows.c.size.desc()).limit(1)
_INSERT = insert_if_new(rows)

Bind = Callable[[SigningKey, str], SigningKey]
"""Ties a key to what it is about to sign: the key and the SHA-256 of the note's text in hex."""


class Checkpoints:
    """The checkpoints of one database. Safe for threads."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def newest(self, connection: sa.Connection | None = None) -> SignedCheckpoint | None:
        """The last one. Raises `StoreError`."""
        return self._one(_NEWEST, connection)

    def of_size(self, size: int) -> SignedCheckpoint | None:
        """The one over exactly `size` entries."""
        return self._one(sa.select(rows).where(rows.c.size == size))

    def origin(self, wanted: str) -> str:
        """The log's name: the one that was pinned, else `wanted`."""
        with self.database.read() as connection:
            return str(fact(connection, _ORIGIN) or wanted)

    def _one(
        self, wanted: sa.Select[tuple[object, ...]], connection: sa.Connection | None = None
    ) -> SignedCheckpoint | None:
        if connection is None:
            with self.database.read() as reading:
                return self._one(wanted, reading)
        row = connection.execute(wanted).first()
        return None if row is None else _checkpoint_of(row)


class Checkpointer:
    """Signs checkpoints of one register. Safe for threads and for several processes."""

    def __init__(
        self,
        register: Register,
        audit: AuditLog,
        key: SigningKey,
        timestamper: Timestamper | None,
        *,
        origin: str,
        bind: Bind | None = None,
        every_entries: int = 500,
        every_s: float = 60.0,
        lease_s: float = 30.0,
    ) -> None:
        """`origin` names the log; the first checkpoint pins it for ever. `key` signs for the
        register alone; `bind` tells the key agent what is signed.
        """
        self._register = register
        self._database = register.database
        self._audit = audit
        self._key = key
        self._timestamper = timestamper
        self._origin = origin
        self._bind = bind
        self._every_entries = every_entries
        self._every = timedelta(seconds=every_s)
        self._lease = timedelta(seconds=lease_s)

    def due(self) -> bool:
        """Whether enough entries, or enough time and one entry, came. Raises `StoreError`."""
        with self._database.read() as connection:
            size = self._register.size(connection)
            last = connection.execute(_NEWEST).first()
            if size <= (0 if last is None else last.size):
                return False
            if last is None or size - last.size >= self._every_entries:
                return True
            created: bool = self._database.now(connection) - last.created_at >= self._every
            return created

    def make(self) -> SignedCheckpoint | None:
        """Sign the present state; None when it is signed already or another one is at it.

        A timestamp that cannot be had is left out, and logged. Raises `HSMError`, `SignerError`,
        `AuditUnavailable`, `StoreError`; then nothing was kept, and the next try waits for the
        lease to run out.
        """
        self._build()
        with self._database.begin() as connection:
            checkpoint = self._intend(connection)
        if checkpoint is None:
            return None
        began = time.monotonic()
        text = checkpoint.text()
        digest = hashlib.sha256(text.encode()).hexdigest()
        key = self._key if self._bind is None else self._bind(self._key, digest)
        note = notes.sign(text, checkpoint.origin, key)
        chain = (self._key.certificate, *self._key.chain)
        made = SignedCheckpoint(
            note,
            tuple(one.public_bytes(Encoding.PEM).decode() for one in chain),
            self._timestamped(note, began),
        )
        with self._database.begin() as connection:
            values = {
                "size": checkpoint.size,
                "note": made.note,
                "certificates": list(made.certificates),
                "timestamp_token": made.timestamp_token,
                "created_at": self._database.now(connection),
            }
            connection.execute(_INSERT[connection.dialect.name], values)
            put_fact(connection, _LEASE, moment_text(self._database.now(connection)))
        return made

    def run(self, stop: threading.Event, *, poll_s: float = 1.0) -> None:
        """Make one whenever it is due until `stop` is set; failures are logged, tried again."""
        while not stop.wait(poll_s):
            try:
                if self.due():
                    self.make()
            except (SignerError, HSMError, DossierError) as error:
                _log.warning("the register's checkpoint was not made: %s", error)

    def _build(self) -> None:
        """Keep the inner nodes of all entries, some thousand in each commit."""
        size = self._register.size()
        with self._database.read() as connection:
            built = nodes.built(connection)
        for upto in range(built + _BUILD_AT_ONCE, size, _BUILD_AT_ONCE):
            with self._database.begin() as connection:
                nodes.build(connection, upto)

    def _intend(self, connection: sa.Connection) -> Checkpoint | None:
        """What is to be signed now, told to the audit log; None when there is nothing to do."""
        size = self._register.lock(connection)
        now = self._database.now(connection)
        last = connection.execute(_NEWEST).first()
        until = fact(connection, _LEASE)
        if size <= (0 if last is None else last.size):
            return None
        if until is not None and now < moment_of(until):
            return None
        put_fact(connection, _LEASE, moment_text(now + self._lease))
        nodes.build(connection, size)
        checkpoint = Checkpoint(self._pinned(connection), size, nodes.root(connection, size))
        certificate = self._key.certificate.public_bytes(Encoding.DER)
        details = {
            "origin": checkpoint.origin,
            "size": size,
            "root": checkpoint.root.hex(),
            "digests": [notes.digest_of(checkpoint.text(), self._key.scheme).hex()],
            "certificate_sha256": hashlib.sha256(certificate).hexdigest(),
        }
        event = AuditEvent("register.checkpoint", SUBJECT, None, SUBJECT, details)
        self._audit.append(connection, [event])
        return checkpoint

    def _pinned(self, connection: sa.Connection) -> str:
        pinned = fact(connection, _ORIGIN)
        if pinned is None:
            put_fact(connection, _ORIGIN, self._origin)
            return self._origin
        if pinned != self._origin:
            _log.warning("the register keeps its origin %s, not that of the settings", pinned)
        return str(pinned)

    def _timestamped(self, note: str, began: float) -> bytes | None:
        if self._timestamper is None:
            return None
        try:
            token = self._timestamper.timestamp(hashlib.sha256(note.encode()).digest(), "sha256")
        except (SignerError, HSMError) as error:
            _log.warning("the register's checkpoint has no timestamp: %s", error)
            return None
        return token if time.monotonic() - began < DELAY_S else None


def _checkpoint_of(row: sa.Row[tuple[object, ...]]) -> SignedCheckpoint:
    return SignedCheckpoint(row.note, tuple(row.certificates), row.timestamp_token)
