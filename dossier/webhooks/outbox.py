"""Puts messages for webhooks on their way, in the transaction that makes them true."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from dossier.model import JSON, AuditEvent, JobState, new_id
from dossier.queue.jobs import JobQueue, NewJob
from dossier.storage.tables import deliveries, webhooks
from dossier.webhooks.values import AUDITED, message_data

QUEUE = "house"
KIND = "webhook"
Message = tuple[str, Mapping[str, JSON]]
"""An event and its data."""

_LISTENING = (
    sa.select(webhooks.c.id, webhooks.c.events)
    .where(webhooks.c.agency_id == sa.bindparam("agency"), webhooks.c.disabled_at.is_(None))
    .order_by(webhooks.c.id)
    # nobody deletes one until what it is told of is recorded; one that is being deleted is not
    # waited for: who deletes waits for the audit log, which the teller may hold already
    .with_for_update(read=True, key_share=True, skip_locked=True)
)


class WebhookOutbox:
    """Finds who listens and enqueues what they are sent. Safe for threads."""

    def __init__(self, jobs: JobQueue) -> None:
        self._jobs = jobs

    def heard(self, connection: sa.Connection, events: Sequence[AuditEvent]) -> None:
        """Tell subscribers of what is being recorded; follows the audit log."""
        told: dict[str, list[Message]] = {}
        for event in events:
            name = AUDITED.get(event.event)
            if name is not None and event.agency_id is not None:
                told.setdefault(event.agency_id, []).append((name, message_data(event)))
        for agency_id, messages in told.items():
            self.emit(connection, agency_id, messages)

    def emit(self, connection: sa.Connection, agency_id: str, messages: Sequence[Message]) -> int:
        """Enqueue `messages` for whoever of the agency listens; how many deliveries."""
        listening = connection.execute(_LISTENING, {"agency": agency_id}).all()
        wanted = [
            (row.id, message)
            for message in messages
            for row in listening
            if message[0] in row.events or "*" in row.events
        ]
        return len(self.put(connection, agency_id, wanted))

    def put(
        self,
        connection: sa.Connection,
        agency_id: str,
        wanted: Sequence[tuple[str, Message]],
    ) -> list[str]:
        """Put messages into the log and on the queue; their ids."""
        if not wanted:
            return []
        now = datetime.now(UTC)
        rows = [
            {
                "id": new_id("msg"),
                "webhook_id": webhook_id,
                "event": event,
                "body": json.dumps(
                    {"type": event, "timestamp": now.isoformat(), "data": data},
                    ensure_ascii=False,
                    separators=(",", ":"),
                ),
                "state": JobState.READY,
                "tries": [],
                "created_at": now,
            }
            for webhook_id, (event, data) in wanted
        ]
        connection.execute(sa.insert(deliveries), rows)
        ids = [str(row["id"]) for row in rows]
        self._jobs.enqueue_many(connection, [NewJob(QUEUE, KIND, one, agency_id) for one in ids])
        return ids
