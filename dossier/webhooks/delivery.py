"""Delivers webhooks: one job a message, tried over three days, no endpoint holding the others.

A try has one deadline. At most `PER_ENDPOINT` tries of one endpoint run at once in a process;
what else waits for it is put back, spaced by the time that its tries take, so that ten thousand
messages for a dead endpoint neither occupy the threads nor spin through the queue.
"""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dossier.errors import DossierError
from dossier.model import JSON, AuditEvent, JobState
from dossier.storage.tables import deliveries, webhooks
from dossier.webhooks.outbound import endpoint_of, post
from dossier.webhooks.signature import signed_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dossier.audit.log import AuditLog
    from dossier.queue.jobs import Job, JobQueue
    from dossier.storage.database import Database

DELAYS_S = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 18 * 3600, 24 * 3600)
"""After the 1st, 2nd, … failed try; with the last one it has been three days."""
JITTER = 0.2
DEADLINE_S = 15.0
PER_ENDPOINT = 2

_GONE = 410
_MOST_SPACED_S = 600.0
_USER_AGENT = "sohoa-webhooks/1"


@dataclass(slots=True)
class _Lane:
    """What this process knows of one endpoint. Guarded by the sender's lock."""

    running: int = 0
    seconds: float = 1.0  # that a try takes, smoothed
    booked_until: float = 0.0  # monotonic: until then its put-back messages are spaced out


@dataclass(frozen=True, slots=True)
class _Message:
    id: str
    body: bytes
    tries: list[dict[str, JSON]]
    webhook_id: str
    url: str
    keys: tuple[str, ...]
    is_listening: bool


class WebhookSender:
    """The handler of jobs of the kind "webhook". Safe for threads."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        audit: AuditLog,
        *,
        private_networks: bool = False,
        deadline_s: float = DEADLINE_S,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`tls` defaults to the system's trust store, hostnames checked."""
        self._database = database
        self._jobs = jobs
        self._audit = audit
        self._private_networks = private_networks
        self._deadline_s = deadline_s
        self._tls = tls or ssl.create_default_context()
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}

    def __call__(self, job: Job) -> None:
        """Try to deliver once, and record what came of it together with the job's next state.

        Raises `LeaseLost` when another worker has the job by now, `StoreError`.
        """
        message = self._message(job.subject)
        if message is None:  # its webhook was deleted
            self._finish(job, lambda _: None)
            return
        if not message.is_listening:
            self._finish(job, lambda c: _set(c, message.id, state=JobState.CANCELLED))
            return
        with self._lane(message.webhook_id) as lane:
            if lane is None:
                self._put_back(job, message.webhook_id)
                return
            tried = self._try(message)
        self._record(job, message, tried)

    # --- one try -------------------------------------------------------------------------

    def _try(self, message: _Message) -> dict[str, JSON]:
        began = time.monotonic()
        at = time.time()
        status: int | None = None
        error: str | None = None
        headers = {
            "Content-Type": "application/json",
            "User-Agent": _USER_AGENT,
            **signed_headers(message.id, int(at), message.body, message.keys),
        }
        try:
            endpoint = endpoint_of(message.url, private_networks=self._private_networks)
            status = post(
                endpoint,
                message.body,
                headers,
                deadline_s=self._deadline_s,
                private_networks=self._private_networks,
                tls=self._tls,
            )
        except DossierError as failure:
            error = str(failure)
        seconds = time.monotonic() - began
        return {
            "at": datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds"),
            "status": status,
            "error": error,
            "ms": round(seconds * 1000),
        }

    def _record(self, job: Job, message: _Message, tried: dict[str, JSON]) -> None:
        tries = [*message.tries, tried]
        status = tried["status"]
        number = len(tries) - int(job.payload.get("earlier_tries", 0))
        told = {
            "kind": "DeliveryFailed",
            "message": tried["error"] or f"the endpoint answered {status}",
        }
        # the subscription before its messages, as who deletes it; the audit log last
        with self._database.begin() as connection:
            if isinstance(status, int) and 200 <= status < 300:
                self._jobs.done(connection, job)
                _set(connection, message.id, state=JobState.DONE, tries=tries)
            elif status == _GONE or number > len(DELAYS_S):
                is_news = status == _GONE and self._disable(connection, message)
                self._jobs.fail(connection, job, told)
                _set(connection, message.id, state=JobState.FAILED, tries=tries)
                if is_news:
                    gone = AuditEvent(
                        "webhook.gone",
                        "webhooks",
                        job.agency_id,
                        message.webhook_id,
                        {"url": message.url},
                    )
                    self._audit.append(connection, [gone])
            else:
                spread = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - spreads load
                self._jobs.retry(connection, job, told, DELAYS_S[number - 1] * spread)
                _set(connection, message.id, tries=tries)

    def _disable(self, connection: sa.Connection, message: _Message) -> bool:
        """410: the receiver wants no more (Standard Webhooks, "Delivery failures").

        True unless it was disabled already.
        """
        changed = connection.execute(
            sa.update(webhooks)
            .where(webhooks.c.id == message.webhook_id, webhooks.c.disabled_at.is_(None))
            .values(
                disabled_at=self._database.now(connection),
                disabled_why="gone",
                version=webhooks.c.version + 1,
            )
        )
        return changed.rowcount == 1

    def _finish(self, job: Job, change: Callable[[sa.Connection], Any]) -> None:
        with self._database.begin() as connection:
            self._jobs.done(connection, job)
            change(connection)

    def _message(self, delivery_id: str) -> _Message | None:
        wanted = (
            sa.select(
                deliveries.c.id,
                deliveries.c.body,
                deliveries.c.tries,
                webhooks.c.id.label("webhook_id"),
                webhooks.c.url,
                webhooks.c.secret,
                webhooks.c.old_secret,
                webhooks.c.old_secret_until,
                webhooks.c.disabled_at,
            )
            .join_from(deliveries, webhooks)
            .where(deliveries.c.id == delivery_id)
        )
        with self._database.read() as connection:
            row = connection.execute(wanted).first()
            now = self._database.now(connection)
        if row is None:
            return None
        keys = [row.secret]
        if row.old_secret is not None and row.old_secret_until > now:
            keys.append(row.old_secret)
        return _Message(
            row.id,
            row.body.encode(),
            row.tries,
            row.webhook_id,
            row.url,
            tuple(keys),
            row.disabled_at is None,
        )

    # --- lanes ---------------------------------------------------------------------------

    @contextmanager
    def _lane(self, webhook_id: str) -> Iterator[_Lane | None]:
        """A place among the tries of this endpoint; None when all are taken."""
        with self._lock:
            lane = self._lanes.setdefault(webhook_id, _Lane())
            is_free = lane.running < PER_ENDPOINT
            if is_free:
                lane.running += 1
        if not is_free:
            yield None
            return
        began = time.monotonic()
        try:
            yield lane
        finally:
            with self._lock:
                lane.running -= 1
                lane.seconds += (time.monotonic() - began - lane.seconds) / 4

    def _put_back(self, job: Job, webhook_id: str) -> None:
        now = time.monotonic()
        with self._lock:
            lane = self._lanes[webhook_id]
            spaced = max(lane.seconds / PER_ENDPOINT, 0.01)
            lane.booked_until = min(max(lane.booked_until, now) + spaced, now + _MOST_SPACED_S)
            delay_s = lane.booked_until - now
        with self._database.begin() as connection:
            self._jobs.retry(connection, job, {"kind": "EndpointBusy", "message": "waits"}, delay_s)


def _set(connection: sa.Connection, delivery_id: str, **values: Any) -> None:  # noqa: ANN401 - columns
    connection.execute(sa.update(deliveries).where(deliveries.c.id == delivery_id).values(**values))
