"""What holds of a result now: in force, superseded or annulled (K10), and whose file it is (K11).

    found = look_up(register, code)          # from the entries of the register alone
    found.compare(sha256)                    # same, source, differs

A `StatusSigner` says it in a small signed note that may be kept and shown until it runs out:

    <origin>/status⏎
    {"code": …, "status": …, "since": …, "as_of": …, "valid_until": …, "index": …}⏎
    ⏎
    — <origin> <signature>⏎
"""

from __future__ import annotations

import enum
import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dossier.audit.chain import canonical, moment_of, moment_text
from dossier.audit.log import AuditLog
from dossier.model import JSON, AuditEvent
from dossier.register import notes
from dossier.register.checkpoints import SUBJECT, Bind
from dossier.register.codes import printed
from dossier.register.entry import Entry, Event, Status, status_of
from dossier.register.log import Register, not_issued
from dossier.register.notes import NoteInvalid, NoteKey
from hsm.keys import SigningKey

PURPOSE = "register-status"
"""The purpose that the key agent is told."""

_TYPE = "sohoa register status 1"
_MOST_KEPT = 10_000


class Comparison(enum.StrEnum):
    """What a file is to a result, by its digest (K11)."""

    SAME = "same"  # the published document, or a renewal of it
    SOURCE = "source"  # what was handed in, before it was signed
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class ResultStatus:
    """All that the register says of one result, oldest entry first."""

    code: str
    entries: tuple[Entry, ...]

    @property
    def issued(self) -> Entry:
        """How it was issued."""
        return self.entries[0]

    @property
    def status(self) -> Status:
        """What it is worth."""
        return status_of(self.entries)

    @property
    def deciding(self) -> Entry:
        """The entry that the status follows from; it says since when."""
        by_status = {Status.SUPERSEDED: Event.SUPERSEDED, Status.ANNULLED: Event.ANNULLED}
        event = by_status.get(self.status, Event.ISSUED)
        return next(entry for entry in self.entries if entry.told.event is event)

    @property
    def document_sha256(self) -> str:
        """The document as it is now."""
        return self._documents[-1]

    def compare(self, sha256: str) -> Comparison:
        """What a file with this digest is to the result."""
        if sha256 in self._documents:
            return Comparison.SAME
        if sha256 == self.issued.told.source_sha256:
            return Comparison.SOURCE
        return Comparison.DIFFERS

    @property
    def _documents(self) -> list[str]:
        return [
            entry.told.document_sha256
            for entry in self.entries
            if entry.told.event in (Event.ISSUED, Event.RENEWED)
        ]


def look_up(register: Register, code: str) -> ResultStatus:
    """What the register says of `code`, as it is kept. Raises `NotFound`, `StoreError`."""
    entries = register.of_code(code)
    if not entries:
        raise not_issued()
    return ResultStatus(code, tuple(entries))


@dataclass(frozen=True, slots=True)
class Statement:
    """A signed note about one result. `valid_until` is what the note says."""

    note: str
    valid_until: datetime


class StatusSigner:
    """Signs statements of status and keeps them for as long as they are fresh. Thread-safe.

    One use of the key for a result and half a validity, whoever asks how often; what has changed
    meanwhile is signed anew at once.
    """

    def __init__(
        self,
        audit: AuditLog,
        key: Callable[[], SigningKey],
        *,
        origin: Callable[[], str],
        validity_s: float,
        bind: Bind | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`key` and `origin` are asked for when something is signed."""
        self._audit = audit
        self._key = key
        self._origin = origin
        self._validity = timedelta(seconds=validity_s)
        self._bind = bind
        self._clock = clock
        self._lock = threading.Lock()  # guards _kept
        self._kept: OrderedDict[tuple[str, int], Statement] = OrderedDict()

    def statement(self, found: ResultStatus) -> Statement:
        """What holds of `found` now, signed. Raises `HSMError`, `AuditUnavailable`, `StoreError`.

        What is about to be signed is in the audit log before the key is used.
        """
        name = found.code, found.entries[-1].index
        now = self._clock().replace(microsecond=0)
        with self._lock:
            kept = self._kept.get(name)
        if kept is not None and kept.valid_until - now > self._validity / 2:
            return kept
        made = self._sign(found, now)
        with self._lock:
            self._kept[name] = made
            self._kept.move_to_end(name)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return made

    def _sign(self, found: ResultStatus, now: datetime) -> Statement:
        origin, key = self._origin(), self._key()
        until = now + self._validity
        text = statement_text(origin, found, now, until)
        details = {
            "digests": [notes.digest_of(text, key.scheme).hex()],
            "status": found.status.value,
            "index": found.entries[-1].index,
            "valid_until": moment_text(until),
        }
        agency = found.issued.told.agency
        self._audit.write(AuditEvent("register.status", SUBJECT, agency, SUBJECT, details))
        if self._bind is not None:
            key = self._bind(key, hashlib.sha256(text.encode()).hexdigest())
        return Statement(notes.sign(text, origin, key), until)


def statement_text(origin: str, found: ResultStatus, as_of: datetime, until: datetime) -> str:
    """The text of the note."""
    said: dict[str, JSON] = {
        "type": _TYPE,
        "code": found.code,
        "status": found.status.value,
        "since": moment_text(found.deciding.at),
        "as_of": moment_text(as_of),
        "valid_until": moment_text(until),
        "index": found.entries[-1].index,
    }
    if found.deciding.told.by is not None:
        said["by"] = found.deciding.told.by
    return f"{origin}/status\n{canonical(said).decode()}\n"


def read_statement(note: str, keys: Collection[NoteKey], at: datetime) -> dict[str, JSON]:
    """What a statement says, signed by one of `keys` and fresh at `at`. Raises `NoteInvalid`."""
    text, key = notes.require_signed(note, keys)
    title, _, body = text.partition("\n")
    try:
        said = json.loads(body)
        if title != f"{key.name}/status" or said["type"] != _TYPE:
            raise NoteInvalid("it is no statement of a result's status")
        Status(said["status"])
        begins, ends = moment_of(said["as_of"]), moment_of(said["valid_until"])
    except (ValueError, KeyError, TypeError) as error:
        raise NoteInvalid(f"it is no statement of a result's status: {error}") from error
    if not begins <= at <= ends:
        raise NoteInvalid("the statement has run out, or is not valid yet; ask for a new one")
    return dict(said)


PUBLIC_FIELDS = ("agency", "number", "decided_on", "digests", "reason", "reference")
"""What configuration may show to the public, beside code, status and times."""


def shown(found: ResultStatus, fields: Collection[str]) -> dict[str, JSON]:
    """The result as the public sees it: `fields` of `PUBLIC_FIELDS`, the others masked (null)."""
    by = found.deciding.told.by
    told: dict[str, JSON] = {
        "code": printed(found.code),
        "status": found.status.value,
        "issued_at": moment_text(found.issued.at),
        "since": moment_text(found.deciding.at),
        "superseded_by": None if by is None else printed(by),
    }
    for name, entries in _maskable(found).items():
        told |= {entry: value if name in fields else None for entry, value in entries.items()}
    return told


def masked_by(found: ResultStatus, fields: Collection[str]) -> list[str]:
    """Which of `PUBLIC_FIELDS` are not among `fields` though the result has something there."""
    return [
        name
        for name, entries in _maskable(found).items()
        if name not in fields and any(value is not None for value in entries.values())
    ]


def _maskable(found: ResultStatus) -> dict[str, dict[str, JSON]]:
    issued = found.issued.told
    return {
        "agency": {"agency": issued.agency},
        "number": {"number": issued.number, "symbol": issued.symbol, "year": issued.year},
        "decided_on": {"decided_on": issued.decided_on and issued.decided_on.isoformat()},
        "digests": {
            "document_sha256": found.document_sha256,
            "source_sha256": issued.source_sha256,
        },
        "reason": {"reason": found.deciding.told.reason},
        "reference": {"reference": issued.reference},
    }
