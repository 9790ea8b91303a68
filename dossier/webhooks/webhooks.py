"""Webhooks: who wants to be told of what, the events as they happen, the log of deliveries.

    what the audit log records (`AUDITED`):   delivery + job on the queue "house", same transaction
    worker (`webhook_delivery`):              signed POST, tried for three days, logged

A subscription belongs to one agency and hears of that agency's events alone. Its secret is shown
once; after a rotation the old one signs too for a while, so that a receiver can change over
without losing a message.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from dossier.errors import InvalidOrder, NotFound, QuotaExceeded, StateConflict, VersionConflict
from dossier.model import JSON, AuditEvent, Caller, JobState, Role, first_id, new_id
from dossier.queue.jobs import Follower, Job, JobQueue
from dossier.storage.tables import deliveries, webhooks
from dossier.webhooks.outbound import endpoint_of
from dossier.webhooks.outbox import KIND, QUEUE, WebhookOutbox
from dossier.webhooks.signature import new_secret
from dossier.webhooks.values import (
    Delivery,
    Subscription,
    delivery_of,
    known_events,
    subscription_of,
)

if TYPE_CHECKING:
    from dossier.audit.log import AuditLog
    from dossier.storage.database import Database

T = TypeVar("T")

MAX_SUBSCRIPTIONS = 20
MAX_OVERLAP = timedelta(days=7)
RETENTION = timedelta(days=30)
"""How long a finished delivery can be looked up."""

_READERS = (Role.ADMIN, Role.AUDITOR)


class Webhooks:
    """The subscriptions and deliveries of one database. Safe for threads."""

    def __init__(
        self,
        database: Database,
        jobs: JobQueue,
        audit: AuditLog,
        *,
        private_networks: bool = False,
    ) -> None:
        """`private_networks` lets endpoints be plain http and private addresses."""
        self._database = database
        self._jobs = jobs
        self._audit = audit
        self._private_networks = private_networks
        jobs.follow(KIND, _Failures())
        self._outbox = WebhookOutbox(jobs)
        audit.follow(self._outbox.heard)

    # --- subscriptions -------------------------------------------------------------------

    def create(self, caller: Caller, url: str, events: Iterable[str]) -> tuple[Subscription, str]:
        """Subscribe `url` to `events`; the subscription, and its secret for the only time.

        Raises `AccessRefused`, `InvalidOrder`, `QuotaExceeded`, `StoreError`,
        `AuditUnavailable`.
        """
        caller.require(Role.ADMIN)
        wanted = known_events(events)
        endpoint_of(url, private_networks=self._private_networks)
        secret = new_secret()

        def work(connection: sa.Connection) -> Subscription:
            mine = webhooks.c.agency_id == caller.agency_id
            count = connection.scalar(sa.select(sa.func.count()).where(mine)) or 0
            if count >= MAX_SUBSCRIPTIONS:
                raise QuotaExceeded(
                    f"Đã có {count} webhook, tối đa {MAX_SUBSCRIPTIONS}; hãy xóa bớt. / There are "
                    f"{count} webhooks, at most {MAX_SUBSCRIPTIONS}: delete one first."
                )
            webhook_id = new_id("wh")
            row = {
                "id": webhook_id,
                "agency_id": caller.agency_id,
                "url": url,
                "secret": secret,
                "events": sorted(wanted),
                "created_at": self._database.now(connection),
                "version": 1,
            }
            connection.execute(sa.insert(webhooks), row)
            self._say(connection, caller, "webhook.created", webhook_id, url=url)
            return self._one(connection, caller, webhook_id)

        return self._write(work), secret

    def get(self, caller: Caller, webhook_id: str) -> Subscription:
        """One subscription. Raises `AccessRefused`, `NotFound`, also for another agency's."""
        caller.require(*_READERS)
        with self._database.read() as connection:
            return self._one(connection, caller, webhook_id)

    def list(self, caller: Caller, after: str | None = None, limit: int = 50) -> list[Subscription]:
        """The agency's subscriptions, oldest first. Raises `AccessRefused`."""
        caller.require(*_READERS)
        wanted = sa.select(webhooks).where(webhooks.c.agency_id == caller.agency_id)
        if after is not None:
            wanted = wanted.where(webhooks.c.id > after)
        with self._database.read() as connection:
            rows = connection.execute(wanted.order_by(webhooks.c.id).limit(limit)).all()
        return [subscription_of(row) for row in rows]

    def update(
        self,
        caller: Caller,
        webhook_id: str,
        version: int,
        *,
        url: str | None = None,
        events: Iterable[str] | None = None,
        enabled: bool | None = None,
    ) -> Subscription:
        """Change what is given. Raises `AccessRefused`, `NotFound`, `VersionConflict`,
        `InvalidOrder`.
        """
        caller.require(Role.ADMIN)
        changed: dict[str, Any] = {}
        if url is not None:
            endpoint_of(url, private_networks=self._private_networks)
            changed["url"] = url
        if events is not None:
            changed["events"] = sorted(known_events(events))

        def work(connection: sa.Connection) -> Subscription:
            if enabled is not None:
                changed["disabled_at"] = None if enabled else self._database.now(connection)
                changed["disabled_why"] = None if enabled else "admin"
            return self._change(connection, caller, webhook_id, version, "webhook.changed", changed)

        return self._write(work)

    def rotate(
        self, caller: Caller, webhook_id: str, version: int, overlap: timedelta
    ) -> tuple[Subscription, str]:
        """Give it a new secret, shown once; the old one signs too for `overlap`.

        Raises `AccessRefused`, `NotFound`, `VersionConflict`, `InvalidOrder`.
        """
        caller.require(Role.ADMIN)
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            raise InvalidOrder(
                f"Thời gian dùng song song từ 0 đến {MAX_OVERLAP.days} ngày. / The overlap is "
                f"between 0 and {MAX_OVERLAP.days} days.",
                field="overlap_s",
            )
        secret = new_secret()

        def work(connection: sa.Connection) -> Subscription:
            until = self._database.now(connection) + overlap
            changed = {
                "secret": secret,
                "old_secret": webhooks.c.secret if overlap else None,
                "old_secret_until": until if overlap else None,
            }
            return self._change(connection, caller, webhook_id, version, "webhook.rotated", changed)

        return self._write(work), secret

    def delete(self, caller: Caller, webhook_id: str, version: int) -> None:
        """Remove a subscription with its log. Raises `AccessRefused`, `NotFound`,
        `VersionConflict`.
        """
        caller.require(Role.ADMIN)

        def work(connection: sa.Connection) -> None:
            going = sa.select(webhooks.c.id).where(
                webhooks.c.id == webhook_id,
                webhooks.c.agency_id == caller.agency_id,
                webhooks.c.version == version,
            )
            # waits for whoever is telling it something just now; whoever finds it locked tells it
            # nothing any more, so that nothing is refused after this and no other change is made
            if connection.execute(going.with_for_update()).first() is None:
                raise _changed(self._one(connection, caller, webhook_id))
            connection.execute(sa.delete(deliveries).where(deliveries.c.webhook_id == webhook_id))
            connection.execute(sa.delete(webhooks).where(webhooks.c.id == webhook_id))
            self._say(connection, caller, "webhook.deleted", webhook_id)

        self._write(work)

    # --- events --------------------------------------------------------------------------

    def emit(
        self,
        connection: sa.Connection,
        agency_id: str,
        event: str,
        data: Mapping[str, JSON],
    ) -> int:
        """Tell the agency's subscribers of `event`, if the caller's transaction commits.

        `data` holds identifiers, states and digests, no personal data: receivers ask the API
        for the rest. Returns how many deliveries were enqueued.
        """
        return self._outbox.emit(connection, agency_id, [(event, data)])

    def test(self, caller: Caller, webhook_id: str) -> Delivery:
        """Send one `webhook.test` message, whatever it listens to. Raises `AccessRefused`,
        `NotFound`, `StateConflict` when it is disabled.
        """
        caller.require(Role.ADMIN)

        def work(connection: sa.Connection) -> Delivery:
            self._require_enabled(self._one(connection, caller, webhook_id, lock=True))
            message = ("webhook.test", {"id": webhook_id})
            ids = self._outbox.put(connection, caller.agency_id, [(webhook_id, message)])
            return self._delivery(connection, webhook_id, ids[0])

        return self._write(work)

    # --- the log -------------------------------------------------------------------------

    def deliveries(
        self,
        caller: Caller,
        webhook_id: str,
        after: str | None = None,
        limit: int = 50,
        *,
        state: JobState | None = None,
    ) -> builtins.list[Delivery]:
        """Deliveries, newest first; `after` is the last page's last id. Raises
        `AccessRefused`, `NotFound`.
        """
        caller.require(*_READERS)
        wanted = sa.select(deliveries).where(deliveries.c.webhook_id == webhook_id)
        if after is not None:
            wanted = wanted.where(deliveries.c.id < after)
        if state is not None:
            wanted = wanted.where(deliveries.c.state == state)
        with self._database.read() as connection:
            self._one(connection, caller, webhook_id)
            rows = connection.execute(wanted.order_by(deliveries.c.id.desc()).limit(limit)).all()
        return [delivery_of(row) for row in rows]

    def redeliver(self, caller: Caller, webhook_id: str, delivery_id: str) -> Delivery:
        """Send a finished delivery once more, under the same id: receivers know what they have.

        Raises `AccessRefused`, `NotFound`, `StateConflict` while it is still being tried, or
        when the webhook is disabled.
        """
        caller.require(Role.ADMIN)

        def work(connection: sa.Connection) -> Delivery:
            self._require_enabled(self._one(connection, caller, webhook_id))
            known = self._delivery(connection, webhook_id, delivery_id)
            again = connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.id == delivery_id, deliveries.c.state != JobState.READY)
                .values(state=JobState.READY)
            )
            if again.rowcount != 1:
                raise StateConflict(
                    "Tin này đang được gửi; hãy chờ. / This message is still being tried; wait."
                )
            self._jobs.enqueue(
                connection,
                queue=QUEUE,
                kind=KIND,
                subject=delivery_id,
                agency_id=caller.agency_id,
                payload={"earlier_tries": len(known.tries)},
            )
            self._say(connection, caller, "webhook.redelivered", delivery_id, webhook=webhook_id)
            return self._delivery(connection, webhook_id, delivery_id)

        return self._write(work)

    def sweep(self, older_than: timedelta = RETENTION, limit: int = 1000) -> int:
        """Forget at most `limit` deliveries that were made so long ago and are finished."""
        bound = first_id("msg", datetime.now(UTC) - older_than)
        old = (
            sa.select(deliveries.c.id)
            .where(deliveries.c.id < bound, deliveries.c.state != JobState.READY)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._database.begin() as connection:
            gone = connection.execute(sa.delete(deliveries).where(deliveries.c.id.in_(old)))
        return gone.rowcount

    # --- rows ----------------------------------------------------------------------------

    def _write(self, work: Callable[[sa.Connection], T]) -> T:
        with self._database.begin() as connection:
            return work(connection)

    def _one(
        self, connection: sa.Connection, caller: Caller, webhook_id: str, *, lock: bool = False
    ) -> Subscription:
        wanted = sa.select(webhooks).where(
            webhooks.c.id == webhook_id, webhooks.c.agency_id == caller.agency_id
        )
        if lock:  # nobody deletes it meanwhile
            wanted = wanted.with_for_update(read=True, key_share=True)
        row = connection.execute(wanted).first()
        if row is None:
            raise NotFound(
                f"Không có webhook “{webhook_id}”; hãy kiểm tra mã. / There is no such webhook; "
                "check its id."
            )
        return subscription_of(row)

    def _change(
        self,
        connection: sa.Connection,
        caller: Caller,
        webhook_id: str,
        version: int,
        event: str,
        values: Mapping[str, Any],
    ) -> Subscription:
        """Compare and swap; the change stands in the audit log, secrets do not."""
        self._swap(connection, caller, webhook_id, version, values)
        told = {name: value for name, value in values.items() if name in ("url", "events")}
        if "disabled_why" in values:
            told["enabled"] = values["disabled_why"] is None
        self._say(connection, caller, event, webhook_id, **told)
        return self._one(connection, caller, webhook_id)

    def _swap(
        self,
        connection: sa.Connection,
        caller: Caller,
        webhook_id: str,
        version: int,
        values: Mapping[str, Any],
    ) -> None:
        """Change the row if it is still at `version`. Raises `NotFound`, `VersionConflict`."""
        known = self._one(connection, caller, webhook_id)
        swapped = connection.execute(
            sa.update(webhooks)
            .where(webhooks.c.id == webhook_id, webhooks.c.version == version)
            .values(version=version + 1, **values)
        )
        if swapped.rowcount != 1:
            raise _changed(known)

    def _delivery(self, connection: sa.Connection, webhook_id: str, delivery_id: str) -> Delivery:
        row = connection.execute(
            sa.select(deliveries).where(
                deliveries.c.id == delivery_id, deliveries.c.webhook_id == webhook_id
            )
        ).first()
        if row is None:
            raise NotFound(
                f"Không có lần gửi “{delivery_id}”. / There is no such delivery; check its id."
            )
        return delivery_of(row)

    @staticmethod
    def _require_enabled(subscription: Subscription) -> None:
        if subscription.disabled_at is not None:
            raise StateConflict(
                "Webhook đang tắt; hãy bật lại trước. / The webhook is disabled: enable it first."
            )

    def _say(
        self, connection: sa.Connection, caller: Caller, event: str, subject: str, **details: JSON
    ) -> None:
        self._audit.append(
            connection,
            [
                AuditEvent(
                    event,
                    caller.principal_id,
                    caller.agency_id,
                    subject,
                    {**details, "request_id": caller.request_id},
                )
            ],
        )


class _Failures(Follower):
    """A job that the queue itself gives up (its workers kept dying) ends its delivery."""

    def failed(self, connection: sa.Connection, job_: Job, error: JSON) -> None:
        del error
        connection.execute(
            sa.update(deliveries)
            .where(deliveries.c.id == job_.subject)
            .values(state=JobState.FAILED)
        )


def _changed(known: Subscription) -> VersionConflict:
    return VersionConflict(
        f"Webhook đã được sửa (nay là bản {known.version}); hãy đọc lại. / The webhook was changed "
        f"(it is version {known.version} now): read it again."
    )
