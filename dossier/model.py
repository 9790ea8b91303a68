"""What the service keeps, and in which states: plain values, no storage, no HTTP.

    signature record   ACCEPTED ──> SIGNING ──> (HELD) ──> PUBLISHED ──> (SUPERSEDED) ──> (ANNULLED)
                          │  ^         │           │
                          │  └─retry───┤           │
                          └──────> CANCELLED, FAILED

    clerical sequence  DRAFT ──leader──> SIGNED ──clerk──> NUMBERED ──seal──> ISSUED
                         └──────────────── CANCELLED ─────────┘
    batch              LISTED ──> RELEASED ──> RUNNING <──> PAUSED ──> DONE
                         └──────────────── CANCELLED ──────────┘

Arrows are the only legal moves (`require_move`). Each move is a compare-and-swap in the store.
"""

from __future__ import annotations

import enum
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from dossier.errors import AccessRefused, StateConflict

JSON = Any
"""A value that `json.dumps` takes: dict, list, str, int, float, bool, None."""


class Role(enum.StrEnum):
    """What a caller is in its agency (domain.md glossary)."""

    SCANNER = "scanner"  # cán bộ số hóa: uploads scans, asks for digitizing
    OFFICER = "officer"  # chuyên viên: prepares documents, signs with an officer's key
    LEADER = "leader"  # người có thẩm quyền
    CLERK = "clerk"  # văn thư: numbers, dates, seals, copies
    AUDITOR = "auditor"  # reads everything of the agency and its audit log, changes nothing
    ADMIN = "admin"  # agencies, clients, webhooks; signs nothing


class RecordState(enum.StrEnum):
    """States of a signature record."""

    ACCEPTED = "accepted"  # intent committed: digest, number, order
    SIGNING = "signing"  # a worker holds a lease on it
    HELD = "held"  # result stored and verified, withheld until its whole batch is there
    PUBLISHED = "published"  # result stored and verified; never changes again
    FAILED = "failed"  # refused for good; `error` says why
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"  # published, replaced by a later decision; stays retrievable
    ANNULLED = "annulled"  # published, withdrawn by its agency; stays retrievable


class SequenceState(enum.StrEnum):
    """States of the leader, number and date, seal sequence (S5)."""

    DRAFT = "draft"
    SIGNED = "signed"  # the authorised person signed
    NUMBERED = "numbered"  # the clerk gave number and date
    ISSUED = "issued"  # the agency's seal is on it
    CANCELLED = "cancelled"


class BatchState(enum.StrEnum):
    """States of a batch."""

    LISTED = "listed"  # the list is frozen and waits for its release
    RELEASED = "released"  # its hash is being signed
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"


class ItemState(enum.StrEnum):
    """States of one document of a batch."""

    LISTED = "listed"
    RUNNING = "running"
    HELD = "held"  # signed and verified, withheld until the whole batch is
    PUBLISHED = "published"
    FAILED = "failed"
    SKIPPED = "skipped"  # cancelled, or given up because of the all-or-nothing policy


class JobState(enum.StrEnum):
    """States of a durable job."""

    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_MOVES: Mapping[enum.StrEnum, frozenset[enum.StrEnum]] = {
    RecordState.ACCEPTED: frozenset(
        {RecordState.SIGNING, RecordState.CANCELLED, RecordState.FAILED}
    ),
    RecordState.SIGNING: frozenset(
        {RecordState.ACCEPTED, RecordState.HELD, RecordState.PUBLISHED, RecordState.FAILED}
    ),
    RecordState.HELD: frozenset({RecordState.PUBLISHED, RecordState.CANCELLED}),
    RecordState.PUBLISHED: frozenset({RecordState.SUPERSEDED, RecordState.ANNULLED}),
    RecordState.SUPERSEDED: frozenset({RecordState.ANNULLED}),
    SequenceState.DRAFT: frozenset({SequenceState.SIGNED, SequenceState.CANCELLED}),
    SequenceState.SIGNED: frozenset({SequenceState.NUMBERED, SequenceState.CANCELLED}),
    SequenceState.NUMBERED: frozenset({SequenceState.ISSUED, SequenceState.CANCELLED}),
    BatchState.LISTED: frozenset({BatchState.RELEASED, BatchState.CANCELLED}),
    BatchState.RELEASED: frozenset({BatchState.RUNNING, BatchState.CANCELLED}),
    BatchState.RUNNING: frozenset({BatchState.PAUSED, BatchState.DONE, BatchState.CANCELLED}),
    BatchState.PAUSED: frozenset({BatchState.RUNNING, BatchState.CANCELLED}),
}

S = TypeVar("S", bound=enum.StrEnum)


def require_move(
    old: S, new: S, moves: Mapping[enum.StrEnum, frozenset[enum.StrEnum]] = _MOVES
) -> None:
    """Raise `StateConflict` unless `new` may follow `old`."""
    if new not in moves.get(old, frozenset()):
        raise StateConflict(
            f"Đang ở trạng thái “{old}”, không chuyển sang “{new}” được. / "
            f"This is {old}; it cannot become {new}."
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: an authenticated client or user, for one request.

    `keys` are the labels of the signing keys that it may use. `request_id` runs through logs,
    traces and audit.
    """

    principal_id: str
    name: str
    agency_id: str
    roles: frozenset[Role]
    keys: frozenset[str] = frozenset()
    request_id: str = ""
    method: str = "api-key"  # or "oidc", "mtls", "local"
    open_jobs: int | None = None  # signatures under way at once, at most

    def require(self, *roles: Role) -> None:
        """Raise `AccessRefused` unless the caller has one of `roles`."""
        if not self.roles.intersection(roles):
            wanted = ", ".join(roles)
            raise AccessRefused(
                f"Cần vai trò {wanted}; hãy nhờ quản trị cấp. / This needs the role {wanted}; "
                "ask an administrator of your agency."
            )

    def require_key(self, label: str) -> None:
        """Raise `AccessRefused` unless the caller may use the key `label`."""
        if label not in self.keys:
            raise AccessRefused(
                f"Không được dùng khóa “{label}”; hãy nhờ quản trị cấp quyền. / This caller may "
                "not use the key; ask an administrator for the right to it."
            )


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """Something that happened, ready to be appended to an audit chain.

    `event` is dotted and lower case (``signature.accepted``); `subject` is the id of what it is
    about; `details` is JSON without personal data that the record itself does not need.
    """

    event: str
    actor: str
    agency_id: str | None
    subject: str
    details: Mapping[str, JSON] = field(default_factory=dict)


_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


def new_id(prefix: str) -> str:
    """A new identifier: `prefix`, milliseconds since 1970, 80 random bits; sorts by time."""
    return _id(prefix, time.time_ns() // 1_000_000, secrets.randbits(80))


def first_id(prefix: str, moment: datetime) -> str:
    """The smallest identifier that `new_id` can have made at `moment`: bounds a walk by time."""
    return _id(prefix, int(moment.timestamp() * 1000), 0)


def _id(prefix: str, milliseconds: int, random_bits: int) -> str:
    number = milliseconds << 80 | random_bits
    text = ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        text = _ALPHABET[digit] + text
    return f"{prefix}_{text}"
