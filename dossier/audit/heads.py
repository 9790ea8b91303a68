"""Seals the head of a chain: a signed, timestamped statement of its last number and link.

    statement = canonical JSON of {at, chain, installation, link, previous, seq, timestamped, type}

Whoever rewrites an entry before a sealed head needs the audit key and the authority's. One
process at a time seals: it takes a lease that names the statement, signs, then stores the head
if it still owns the lease. A sealer that dies leaves a statement that may have been signed; the
next one says so in the chain (`audit.head-retaken`), so that no use of the key is unexplained.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding

from dossier.audit.chain import canonical, moment_text
from dossier.audit.log import AuditLog
from dossier.errors import DossierError
from dossier.model import JSON, AuditEvent
from dossier.tables import audit_entries, audit_heads, settings
from hsm.errors import HSMError
from hsm.keys import SigningKey
from signer.errors import SignerError
from signer.services import Timestamper
from signer.statement import SignedStatement, sign_statement

_log = logging.getLogger(__name__)
Bind = Callable[[SigningKey, str], SigningKey]
"""Ties a key to what it is about to sign: the key and the statement's SHA-256 in hex."""

SUBJECT = "audit-head"
"""The subject of all events about heads; alone they are no reason to seal another one."""
PURPOSE = "audit-head"
"""The purpose that the key agent is told for such a signature."""
STATEMENT_TYPE = "sohoa audit head 1"
_ACTOR = "audit"


@dataclass(frozen=True, slots=True)
class Head:
    """A sealed head. `statement` is the canonical text that was signed."""

    chain: str
    seq: int
    statement: str
    signed: SignedStatement

    @property
    def statement_sha256(self) -> str:
        """What the next head, the other chain and the key agent's intent name it by."""
        return hashlib.sha256(self.statement.encode()).hexdigest()

    def to_json(self) -> dict[str, JSON]:
        """For exports and for keeping elsewhere; `read` takes it."""
        token = self.signed.timestamp_token
        return {
            "type": "head",
            "chain": self.chain,
            "seq": self.seq,
            "statement": self.statement,
            "signature": self.signed.signature.hex(),
            "timestamp_token": None if token is None else token.hex(),
        }

    @classmethod
    def read(cls, value: JSON) -> Head:
        """The head in `value`. Raises `ValueError`; nothing is verified."""
        try:
            chain, seq, statement = value["chain"], value["seq"], value["statement"]
            token = value["timestamp_token"]
            signed = SignedStatement(
                bytes.fromhex(value["signature"]), None if token is None else bytes.fromhex(token)
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a sealed head: {error!r}") from error
        if not isinstance(chain, str) or not isinstance(statement, str) or type(seq) is not int:
            raise ValueError("not a sealed head: a field is of another kind")
        return cls(chain, seq, statement, signed)


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
        lease_s: float = 120.0,
        witnesses: Sequence[AuditLog] = (),
        worker: str = "sealer",
    ) -> None:
        """`key` signs nothing else. `bind` tells the key agent what is signed, for its intent.
        `witnesses` are the other chains that this process can write: each is told of every head.
        `worker` names this process in the chain. `lease_s` is longer than any timestamp takes.
        """
        self._log = log
        self._key = key
        self._timestamper = timestamper
        self._bind = bind
        self._every_entries = every_entries
        self._every = timedelta(seconds=every_s)
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
            head = connection.execute(_newest(log.chain)).first()
            sealed = 0 if head is None else head.seq
            lease = _setting(connection, self._lease)
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
        digest = hashlib.sha256(statement).hexdigest()
        try:
            key = self._key if self._bind is None else self._bind(self._key, digest)
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
        lease = _setting(connection, self._lease)
        newest = connection.execute(_newest(log.chain)).first()
        if seq <= (0 if newest is None else newest.seq):
            return None
        if lease is not None and lease["until"] > moment_text(now):
            return None
        events = []
        if lease is not None and lease["statement_sha256"]:
            events.append(_event("audit.head-retaken", lease))
        certificate = hashlib.sha256(self._key.certificate.public_bytes(Encoding.DER)).hexdigest()
        name = f"audit-key {log.chain}"
        if _setting(connection, name) != certificate:
            # pinned before its first head, so that a verifier knows whose heads to expect
            _put_setting(connection, name, certificate)
            details = {"certificate_sha256": certificate, "label": self._key.label}
            events.append(AuditEvent("audit.key", _ACTOR, None, SUBJECT, details))
        if events:
            log.append(connection, events)
            seq, link = log.lock(connection)
        previous = None
        if newest is not None:
            digest = hashlib.sha256(newest.statement.encode()).hexdigest()
            previous = {"seq": newest.seq, "sha256": digest}
        statement = canonical(
            {
                "at": moment_text(now),
                "chain": log.chain,
                "installation": log.installation(connection),
                "link": link.hex(),
                "previous": previous,
                "seq": seq,
                "timestamped": self._timestamper is not None,
                "type": STATEMENT_TYPE,
            }
        )
        row = {
            "owner": owner,
            "worker": self._worker,
            "until": moment_text(now + self._lease_time),
            "seq": seq,
            "statement_sha256": hashlib.sha256(statement).hexdigest(),
        }
        _put_setting(connection, self._lease, row)
        return seq, statement

    def _store(self, connection: sa.Connection, owner: str, head: Head) -> bool:
        """Keep `head` unless the lease ran out and another one took it meanwhile."""
        self._log.lock(connection)
        lease = _setting(connection, self._lease)
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
        _put_setting(connection, self._lease, _free(until=moment_text(now)))
        return True

    def _give_up(
        self, connection: sa.Connection, owner: str, seq: int, digest: str, error: str
    ) -> None:
        """Say that the key may have been used in vain; wait a while before the next try."""
        self._log.lock(connection)
        lease = _setting(connection, self._lease)
        if lease is None or lease["owner"] != owner:
            return  # whoever took it has said so
        self._log.append(
            connection,
            [_event("audit.head-failed", {**lease, "seq": seq, "statement_sha256": digest}, error)],
        )
        later = self._log.database.now(connection) + self._every
        _put_setting(connection, self._lease, _free(until=moment_text(later)))


def note_head(witness: AuditLog, head: Head) -> None:
    """Tell the other chain of `head`, so that a truncation of its own is found there.

    A witness that cannot be reached is logged: the head itself is stored and good.
    """
    statement = json.loads(head.statement)
    details = {
        "chain": head.chain,
        "seq": head.seq,
        "link": statement["link"],
        "statement_sha256": head.statement_sha256,
    }
    try:
        witness.write(AuditEvent("audit.head", _ACTOR, None, SUBJECT, details))
    except DossierError as error:
        _log.warning("chain %s was not told of head %d: %s", witness.chain, head.seq, error)


def newest_head(log: AuditLog) -> Head | None:
    """The last sealed head of `log`. Raises `StoreError`."""
    with log.database.read() as connection:
        row = connection.execute(_newest(log.chain)).first()
    return None if row is None else head_of(row)


def head_of(row: sa.Row[Any]) -> Head:
    """The head in a row of `audit_heads`."""
    return Head(
        row.chain, row.seq, row.statement, SignedStatement(row.signature, row.timestamp_token)
    )


def _newest(chain: str) -> sa.Select[Any]:
    wanted = sa.select(audit_heads).where(audit_heads.c.chain == chain)
    return wanted.order_by(audit_heads.c.seq.desc()).limit(1)


def _event(name: str, lease: JSON, error: str | None = None) -> AuditEvent:
    details = {field: lease[field] for field in ("seq", "statement_sha256", "worker")}
    if error is not None:
        details["error"] = error
    return AuditEvent(name, _ACTOR, None, SUBJECT, details)


def _free(until: str) -> dict[str, JSON]:
    return {"owner": "", "worker": "", "until": until, "seq": 0, "statement_sha256": ""}


def _setting(connection: sa.Connection, name: str) -> JSON:
    wanted = sa.select(settings.c.value).where(settings.c.name == name)
    return connection.execute(wanted).scalar()


def _put_setting(connection: sa.Connection, name: str, value: JSON) -> None:
    known = settings.c.name == name
    changed = connection.execute(sa.update(settings).where(known).values(value=value))
    if changed.rowcount == 0:
        connection.execute(sa.insert(settings), {"name": name, "value": value})
