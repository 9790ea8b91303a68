"""What webhooks are made of: events, subscriptions, deliveries and their tries. Plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from dossier.errors import InvalidOrder
from dossier.model import JSON, AuditEvent, JobState

EVENTS: Mapping[str, str] = {
    "signature.published": "a signature record is finished and verified",
    "signature.failed": "a signature record failed for good; its error says why",
    "signature.cancelled": "a signature record was cancelled",
    "signature.superseded": "a published record gave way to another one",
    "signature.annulled": "a published record was withdrawn by its agency",
    "sequence.signed": "the authorised person's signature is on the document",
    "sequence.numbered": "the clerk gave number and date",
    "sequence.issued": "the agency's seal is on it: the document is issued",
    "sequence.cancelled": "a clerical sequence was cancelled",
    "batch.released": "a batch was released",
    "batch.paused": "a batch was paused",
    "batch.done": "each document of a batch is published, failed or skipped",
    "batch.cancelled": "a batch was cancelled",
    "digitization.done": "a paper dossier became a record",
    "digitization.failed": "a paper dossier could not be digitized",
    "webhook.test": "somebody asked for a test message",
}
"""Every event that can be subscribed to; ``*`` stands for all of them."""

AUDITED: Mapping[str, str] = {
    **{event: event for event in EVENTS if event != "webhook.test"},
    "sequence.leader.done": "sequence.signed",
    "sequence.number.done": "sequence.numbered",
    "sequence.seal.done": "sequence.issued",
    "sequence.issue.done": "sequence.issued",
}
"""Which event an entry of the audit log is for subscribers: what is recorded is told."""

_TOLD = ("result_sha256", "sheet_sha256", "published", "failed", "total", "error")


def message_data(event: AuditEvent) -> dict[str, JSON]:
    """What subscribers are told of `event`: its subject, digests and counters.

    No names and no texts of documents: whoever may know more asks the API.
    """
    told = {name: event.details[name] for name in _TOLD if name in event.details}
    return {"id": event.subject, **told}


@dataclass(frozen=True, slots=True)
class Subscription:
    """One endpoint of an agency. Never holds the secret."""

    id: str
    url: str
    events: frozenset[str]
    created_at: datetime
    disabled_at: datetime | None
    disabled_why: str | None  # admin | gone
    old_secret_until: datetime | None
    version: int


@dataclass(frozen=True, slots=True)
class Try:
    """One try to deliver a message. `status` None: no answer came, and `error` says why."""

    at: str
    status: int | None
    error: str | None
    ms: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message to one endpoint. `body` is the very text that is signed and sent."""

    id: str
    webhook_id: str
    event: str
    state: JobState
    body: str
    tries: tuple[Try, ...]
    created_at: datetime


def known_events(events: Iterable[str]) -> frozenset[str]:
    """`events` when each is known and there is one at all. Raises `InvalidOrder`."""
    wanted = frozenset(events)
    unknown = sorted(wanted - EVENTS.keys() - {"*"})
    if not wanted or unknown:
        raise InvalidOrder(
            f"Sự kiện không có: {', '.join(unknown) or '(trống)'}; các sự kiện: "
            f"{', '.join(EVENTS)}, *. / Unknown event: {', '.join(unknown) or '(empty)'}; known "
            "events are listed above.",
            field="events",
        )
    return wanted


def subscription_of(row: sa.Row[Any]) -> Subscription:
    """The subscription in a row of `webhooks`."""
    return Subscription(
        row.id,
        row.url,
        frozenset(row.events),
        row.created_at,
        row.disabled_at,
        row.disabled_why,
        row.old_secret_until,
        row.version,
    )


def delivery_of(row: sa.Row[Any]) -> Delivery:
    """The delivery in a row of `deliveries`."""
    return Delivery(
        row.id,
        row.webhook_id,
        row.event,
        JobState(row.state),
        row.body,
        tuple(Try(**one) for one in row.tries),
        row.created_at,
    )
