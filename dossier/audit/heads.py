"""Seals the head of a chain: a signed, timestamped statement of its last number and link.

Whoever rewrites an entry before a sealed head needs the audit key and the authority's. One
process at a time seals: it takes a lease that names the statement, signs, then stores the head
if it still owns the lease. A sealer that dies leaves a statement that may have been signed; the
next one says so in the chain (`audit.head-retaken`), so that no use of the key is unexplained.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.audit.chain import moment_text
from dossier.audit.head import (
    SUBJECT,
    Head,
    digest_text,
    head_of,
    newest,
    statement_text,
)
from dossier.audit.log import AuditLog
from dossier.errors import DossierError
from dossier.model import JSON, AuditEvent
from dossier.storage.facts import fact, put_fact
from dossier.storage.tables import audit_entries, audit_heads
from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer.errors import SignerError
from signer.services import Timestamper
from signer.statement import sign_statement

_log = logging.getLogger(__name__)
Bind = Callable[[SigningKey, str], SigningKey]
"""Ties a key to what it is about to sign: the key and the statement's SHA-256 in hex."""

_ACTOR = "audit"


class HeadSealer:
    """Seals the heads of one chain. Safe for threads and for several processes."""

    def __init__(
        self,
        log: AuditLog,
        key: SigningKey,
        timestamper: Timestamper | None,
        *,
        bind: Bind | None = None,
        every_entries: int = 500,
        every_s: float = 60.0,
        lease_s: float = 15.0,
        witnesses: Sequence[AuditLog] = (),
        worker: str = "sealer",
    ) -> None:
        """`key` signs nothing else. `bind` tells the key agent what is signed, for its intent.
        `witnesses` are the other chains that this process can write: each is told of every head.
        `worker` names this process in the chain. `lease_s`: so long the next head waits for a
        sealer that died; one that is at work renews its lease.
        """
        self._log = log
        self._key = key
        self._timestamper = timestamper
        self._bind = bind
        self._every_entries = every_entries
        self._every = timedelta(seconds=every_s)
        self._lease_s = lease_s
        self._lease_time = timedelta(seconds=lease_s)
        self._witnesses = tuple(witnesses)
        self._worker = worker
        self._lease = f"audit-head-lease {log.chain}"

    def due(self) -> bool:
        """Whether enough entries or enough time passed since the last head. Raises `StoreError`."""
        log = self._log
        seq, _ = log.tip()
        with log.database.read() as connection:
            now = log.database.now(connection)
            head = connection.execute(newest(log.chain)).first()
            sealed = 0 if head is None else head.seq
            lease = fact(connection, self._lease)
            if seq <= sealed or (lease is not None and lease["until"] > moment_text(now)):
                return False
            if seq - sealed >= self._every_entries:
                return True
            if head is not None and now - head.created_at < self._every:
                return False
            entries = audit_entries.c
            wanted = sa.select(entries.seq).where(
                entries.chain == log.chain, entries.seq > sealed, entries.subject != SUBJECT
            )
            return connection.execute(wanted.limit(1)).first() is not None

    def seal(self) -> Head | None:
        """Seal the present head; None when it is sealed already or another one is at it.

        Raises `SignerError`, `HSMError`, `AuditUnavailable`, `StoreError`; then nothing was
        stored, the failure stands in the chain, and `due` waits before it asks again.
        """
        owner = secrets.token_hex(8)
        with self._log.database.begin() as connection:
            taken = self._take(connection, owner)
        if taken is None:
            return None
        seq, statement = taken
        digest = digest_text(statement)
        try:
            key = self._key if self._bind is None else self._bind(self._key, digest)
            with self._renewing(owner):
                signed = sign_statement(statement, key, self._timestamper)
        except (SignerError, HSMError, DossierError) as error:
            with self._log.database.begin() as connection:
                self._give_up(connection, owner, seq, digest, type(error).__name__)
            raise
        head = Head(self._log.chain, seq, statement.decode(), signed)
        with self._log.database.begin() as connection:
            stored = self._store(connection, owner, head)
        if not stored:
            return None
        for witness in self._witnesses:
            note_head(witness, head)
        return head

    def run(self, stop: threading.Event, *, poll_s: float = 1.0) -> None:
        """Seal whenever it is due until `stop` is set; failures are logged and tried again."""
        while not stop.wait(poll_s):
            try:
                if self.due():
                    self.seal()
            except (SignerError, HSMError, DossierError) as error:
                _log.warning("the head of chain %s was not sealed: %s", self._log.chain, error)

    # --- the lease: a row of house_settings, changed under the chain's lock --------------------

    def _take(self, connection: sa.Connection, owner: str) -> tuple[int, bytes] | None:
        """Own the sealing of the present head: its number and statement, or None."""
        log = self._log
        seq, link = log.lock(connection)
        now = log.database.now(connection)
        lease = fact(connection, self._lease)
        newest_row = connection.execute(newest(log.chain)).first()
        if seq <= (0 if newest_row is None else newest_row.seq):
            return None
        if lease is not None and lease["until"] > moment_text(now):
            return None
        events = []
        if lease is not None and lease["statement_sha256"]:
            events.append(_event("audit.head-retaken", lease))
        certificate = hashlib.sha256(self._key.certificate.public_bytes(Encoding.DER)).hexdigest()
        name = f"audit-key {log.chain}"
        if fact(connection, name) != certificate:
            # pinned before its first head, so that a verifier knows whose heads to expect
            put_fact(connection, name, certificate)
            details = {"certificate_sha256": certificate, "label": self._key.label}
            events.append(AuditEvent("audit.key", _ACTOR, None, SUBJECT, details))
        if events:
            log.append(connection, events)
            seq, link = log.lock(connection)
        statement = statement_text(
            chain=log.chain,
            installation=log.installation(connection),
            seq=seq,
            link=link,
            at=now,
            previous=None if newest_row is None else head_of(newest_row),
            timestamped=self._timestamper is not None,
        )
        row = {
            "owner": owner,
            "worker": self._worker,
            "until": moment_text(now + self._lease_time),
            "seq": seq,
            "statement_sha256": digest_text(statement),
        }
        put_fact(connection, self._lease, row)
        return seq, statement

    @contextmanager
    def _renewing(self, owner: str) -> Iterator[None]:
        """Renew the lease for as long as the work takes: token and authority may be slow."""
        done = threading.Event()

        def renew() -> None:
            while not done.wait(self._lease_s / 3):
                try:
                    with self._log.database.begin() as connection:
                        self._renew(connection, owner)
                except DossierError as error:  # the lease may run out; `_store` will tell
                    _log.warning("the lease of chain %s is not renewed: %s", self._log.chain, error)

        thread = threading.Thread(target=renew, name="audit-head-lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def _renew(self, connection: sa.Connection, owner: str) -> None:
        self._log.lock(connection)
        lease = fact(connection, self._lease)
        if lease is not None and lease["owner"] == owner:
            until = moment_text(self._log.database.now(connection) + self._lease_time)
            put_fact(connection, self._lease, {**lease, "until": until})

    def _store(self, connection: sa.Connection, owner: str, head: Head) -> bool:
        """Keep `head` unless the lease ran out and another one took it meanwhile."""
        self._log.lock(connection)
        lease = fact(connection, self._lease)
        if lease is None or lease["owner"] != owner:
            return False
        now = self._log.database.now(connection)
        connection.execute(
            sa.insert(audit_heads),
            {
                "chain": head.chain,
                "seq": head.seq,
                "statement": head.statement,
                "signature": head.signed.signature,
                "timestamp_token": head.signed.timestamp_token,
                "created_at": now,
            },
        )
        put_fact(connection, self._lease, _free(until=moment_text(now)))
        return True

    def _give_up(
        self, connection: sa.Connection, owner: str, seq: int, digest: str, error: str
    ) -> None:
        """Say that the key may have been used in vain; wait a while before the next try."""
        self._log.lock(connection)
        lease = fact(connection, self._lease)
        if lease is None or lease["owner"] != owner:
            return  # whoever took it has said so
        self._log.append(
            connection,
            [_event("audit.head-failed", {**lease, "seq": seq, "statement_sha256": digest}, error)],
        )
        later = self._log.database.now(connection) + self._every
        put_fact(connection, self._lease, _free(until=moment_text(later)))


def note_head(witness: AuditLog, head: Head) -> bool:
    """Tell the other chain of `head`, once, so that a truncation of its own is found there.

    A witness that cannot be reached is logged, and False: the head itself is stored and good.
    Raises `ValueError` when `head` is none.
    """
    name = f"audit-noted {head.chain}"
    details = {
        "chain": head.chain,
        "seq": head.seq,
        "link": head.parsed()["link"],
        "statement_sha256": head.statement_sha256,
    }

    def note(connection: sa.Connection) -> None:
        witness.lock(connection)
        known = fact(connection, name)
        if known is None or known < head.seq:
            put_fact(connection, name, head.seq)
            event = AuditEvent("audit.head", _ACTOR, None, SUBJECT, details)
            witness.append(connection, [event])

    try:
        witness.database.together(note)
    except DossierError as error:
        _log.warning("chain %s was not told of head %d: %s", witness.chain, head.seq, error)
        return False
    return True


def _event(name: str, lease: JSON, error: str | None = None) -> AuditEvent:
    details = {field: lease[field] for field in ("seq", "statement_sha256", "worker")}
    if error is not None:
        details["error"] = error
    return AuditEvent(name, _ACTOR, None, SUBJECT, details)


def _free(until: str) -> dict[str, JSON]:
    return {"owner": "", "worker": "", "until": until, "seq": 0, "statement_sha256": ""}
