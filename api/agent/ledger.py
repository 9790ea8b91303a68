"""The agent's own audit chain: the intent is committed before C_Sign, the outcome after.

    key.intent            {credential, purpose, attempt, digest, document_sha256, …}   per C_Sign
                          with {again} when the agent asks a token that came back once more
    key.outcome           {intent, ok, called, released, error}                        per intent
    key.outcome_unknown   {intent}          the agent died between the two; said at the next start
    key.refused           {credential, hashes, reason}                                 per call

Intents of one call are one transaction, together with the count of the day and with a row in
`key_intents`, which goes when the outcome is in the chain. So the number of C_Sign calls is the
number of intents less the outcomes with ``called: false`` and, after a crash, at most those
whose outcome is unknown.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa

from api.agent.policy import SELF_TEST
from api.errors import SettingsError
from dossier.audit.log import AuditLog
from dossier.errors import AuditUnavailable, StoreError
from dossier.model import AuditEvent
from dossier.storage.database import Database
from dossier.storage.migrations import upgrade
from dossier.storage.tables import key_intents, key_uses
from signer.clock import VIETNAM
from signer.csc.wire import Context
from signer.errors import KeyUseRefused

T = TypeVar("T")
CHAIN: Final = "keys"
ACTOR: Final = "agent"

_OPEN: Final = sa.insert(key_intents)
_CLOSE: Final = sa.delete(key_intents).where(
    key_intents.c.seq.in_(sa.bindparam("seqs", expanding=True))
)
_OF_TODAY: Final = sa.and_(
    key_uses.c.credential == sa.bindparam("of"), key_uses.c.day == sa.bindparam("on")
)
_USED: Final = sa.select(key_uses.c.uses).where(_OF_TODAY)
_COUNT: Final = (
    sa.update(key_uses).where(_OF_TODAY).values(uses=key_uses.c.uses + sa.bindparam("more"))
)


@dataclass(frozen=True, slots=True)
class Use:
    """One C_Sign that is about to be made."""

    credential: str
    context: Context
    caller: str
    scheme: str
    digest: bytes
    again: int = 0  # repetitions for a token that came back, within one attempt of the context

    def event(self) -> AuditEvent:
        """The intent as it stands in the chain."""
        context = self.context
        details: dict[str, object] = {
            "attempt": context.attempt,
            "caller": self.caller,
            "credential": self.credential,
            "digest": self.digest.hex(),
            "document_sha256": context.document_sha256,
            "principal": context.principal,
            "purpose": context.purpose,
            "request_id": context.request_id,
            "scheme": self.scheme,
        }
        if self.again:
            details["again"] = self.again
        actor = context.principal or self.caller
        return AuditEvent(
            "key.intent", actor, context.agency, context.subject or self.credential, details
        )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an intent. `called`: C_Sign was made; `released`: the signature left."""

    intent: int
    use: Use
    ok: bool
    called: bool
    released: bool
    error: str | None = None

    def event(self) -> AuditEvent:
        """The outcome as it stands in the chain."""
        details: dict[str, object] = {"intent": self.intent, "ok": self.ok, "called": self.called}
        details["released"] = self.released
        if self.error is not None:
            details["error"] = self.error
        subject = self.use.context.subject or self.use.credential
        return AuditEvent("key.outcome", ACTOR, self.use.context.agency, subject, details)


class Ledger:
    """The chain ``keys`` in the agent's own database. Safe for threads; one agent a database."""

    def __init__(self, path: Path) -> None:
        """Open or make the database at `path`.

        Raises `SettingsError` when another agent has it, `StoreError` when it cannot be opened.
        """
        self._lock_file = _lock(path)
        self.database = Database(f"sqlite:///{path}")
        self.log = AuditLog(self.database, CHAIN)
        self._lock = threading.Lock()
        self._unwritten: list[Outcome] = []
        self._is_well = True

    @property
    def is_well(self) -> bool:
        """Whether the last write succeeded."""
        return self._is_well

    def open(self) -> int:
        """Bring the schema up to date and close what a crash left; returns how many intents.

        Raises `AuditUnavailable`.
        """
        try:
            upgrade(self.database)
            return self.database.together(self._close_unknown)
        except (StoreError, sa.exc.SQLAlchemyError) as error:
            raise _unavailable() from error

    def intend(self, uses: Sequence[Use], max_per_day: int | None) -> list[int]:
        """Commit the intents of `uses`, all of one credential; returns their numbers.

        Durable when it returns. Raises `KeyUseRefused` when the day's number would be exceeded,
        `AuditUnavailable`; then nothing is written.
        """

        def work(connection: sa.Connection) -> int:
            _count(connection, uses, max_per_day)
            last = self.log.append(connection, [use.event() for use in uses])
            first = last - len(uses) + 1
            connection.execute(
                _OPEN,
                [
                    {
                        "seq": seq,
                        "credential": use.credential,
                        "subject": use.context.subject or use.credential,
                        "agency_id": use.context.agency,
                    }
                    for seq, use in enumerate(uses, first)
                ],
            )
            return last

        if self._unwritten:
            self.settle([])
        last = self._written(work)
        return list(range(last - len(uses) + 1, last + 1))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Commit the outcomes, and those that could not be written before.

        Raises `AuditUnavailable`; they are kept then, marked as not released.
        """
        with self._lock:
            due, self._unwritten = [*self._unwritten, *outcomes], []
        if not due:
            return
        seqs = [outcome.intent for outcome in due]

        def work(connection: sa.Connection) -> None:
            self.log.append(connection, [outcome.event() for outcome in due])
            connection.execute(_CLOSE, {"seqs": seqs})

        try:
            self._written(work)
        except AuditUnavailable:
            kept = [replace(outcome, released=False) for outcome in due]
            with self._lock:
                self._unwritten = kept + self._unwritten
            raise

    def note(self, event: AuditEvent) -> None:
        """Commit another event: a refusal. Raises `AuditUnavailable`."""
        self._written(lambda connection: self.log.append(connection, [event]))

    def used_today(self, credential: str) -> int:
        """Intents of today that count against `max_per_day`. Raises `StoreError`."""
        with self.database.read() as connection:
            return _used(connection, credential)

    def check(self) -> None:
        """Prove that the chain can be written. Raises `AuditUnavailable`."""
        self._written(lambda connection: self.log.append(connection, []))

    def close(self) -> None:
        """Close the database and let another agent have it."""
        self.database.close()
        os.close(self._lock_file)

    def _written(self, work: Callable[[sa.Connection], T]) -> T:
        """Run `work` in a commit that it shares with other threads' writes."""
        try:
            result = self.database.together(work)
        except (StoreError, sa.exc.SQLAlchemyError, AuditUnavailable) as error:
            self._is_well = False
            raise _unavailable() from error
        self._is_well = True
        return result

    def _close_unknown(self, connection: sa.Connection) -> int:
        rows = connection.execute(sa.select(key_intents).order_by(key_intents.c.seq)).all()
        if rows:
            events = [
                AuditEvent(
                    "key.outcome_unknown",
                    ACTOR,
                    row.agency_id,
                    row.subject,
                    {"intent": row.seq, "credential": row.credential},
                )
                for row in rows
            ]
            self.log.append(connection, events)
            connection.execute(sa.delete(key_intents))
        return len(rows)


def _count(connection: sa.Connection, uses: Sequence[Use], most: int | None) -> None:
    """Count `uses` against the day's number. The agent's own self-tests do not count."""
    if uses[0].context.purpose == SELF_TEST:
        return
    credential, day = uses[0].credential, _today()
    used = 0 if most is None else _used(connection, credential)
    if most is not None and used + len(uses) > most:
        raise KeyUseRefused(
            f"Khóa “{credential}” đã dùng {used}/{most} lần trong ngày; hãy chờ sang ngày hoặc sửa "
            "max_per_day. / The key's number of signatures a day is used up; wait for the next "
            "day, or raise max_per_day in the key policy."
        )
    more = {"of": credential, "on": day, "more": len(uses)}
    if connection.execute(_COUNT, more).rowcount == 0:
        row = {"credential": credential, "day": day, "uses": len(uses)}
        connection.execute(sa.insert(key_uses), row)


def _used(connection: sa.Connection, credential: str) -> int:
    return connection.execute(_USED, {"of": credential, "on": _today()}).scalar() or 0


def _today() -> str:
    return dt.datetime.now(VIETNAM).date().isoformat()


def _lock(path: Path) -> int:
    """Own the database at `path`; the kernel lets go when this process ends."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise SettingsError(
            f"Không mở được sổ khóa {path}: {error.strerror}. / The agent's database cannot be "
            "opened; check agent.database and its folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise SettingsError(
            f"Một `sohoa agent` khác đang dùng {path}; hãy dừng nó trước. / Another agent uses "
            "this database; stop it first."
        ) from error
    return lock


def _unavailable() -> AuditUnavailable:
    return AuditUnavailable(
        "Không ghi được nhật ký khóa nên không ký; hãy kiểm tra đĩa và agent.database. / The audit "
        "chain of the key agent cannot be written, so nothing is signed; check the disk and "
        "agent.database."
    )
