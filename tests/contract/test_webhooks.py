"""Webhooks on SQLite and PostgreSQL, with real endpoints, jobs and audit log."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from standardwebhooks import Webhook as SecondOpinion

from dossier.audit.log import AuditLog
from dossier.errors import (
    AccessRefused,
    InvalidOrder,
    NotFound,
    QuotaExceeded,
    StateConflict,
    VersionConflict,
)
from dossier.model import AuditEvent, Caller, JobState, Role
from dossier.queue.jobs import Job, JobQueue
from dossier.queue.worker import Worker
from dossier.storage.database import Database
from dossier.storage.tables import agencies, deliveries, jobs
from dossier.storage.tables import webhooks as table
from dossier.webhooks.delivery import DELAYS_S, WebhookSender
from dossier.webhooks.webhooks import MAX_SUBSCRIPTIONS, Webhooks
from tests.receiver import Receiver

ADMIN = Caller("usr_admin", "Quản trị", "MAU.01", frozenset({Role.ADMIN}))
OTHER = Caller("usr_other", "Quản trị khác", "MAU.02", frozenset({Role.ADMIN}))
OFFICER = Caller("usr_officer", "Chuyên viên", "MAU.01", frozenset({Role.OFFICER}))
AUDITOR = Caller("usr_auditor", "Kiểm toán", "MAU.01", frozenset({Role.AUDITOR}))


@dataclasses.dataclass
class Desk:
    """The parts under test over one database."""

    database: Database
    jobs: JobQueue
    audit: AuditLog
    webhooks: Webhooks
    sender: WebhookSender

    def emit(self, event: str = "signature.published", agency: str = "MAU.01") -> int:
        with self.database.begin() as connection:
            return self.webhooks.emit(connection, agency, event, {"id": "sig_1"})

    def claim(self) -> list[Job]:
        return self.jobs.claim("house", "w1", 50, 30)

    def work(self) -> int:
        """Run what is due now, one after another; how many jobs."""
        taken = self.claim()
        for job in taken:
            self.sender(job)
        return len(taken)

    def make_due(self) -> None:
        """Let the time pass until the next try."""
        with self.database.begin() as connection:
            past = datetime.now(UTC) - timedelta(seconds=1)
            connection.execute(sa.update(jobs).where(jobs.c.state == "ready").values(run_at=past))

    def delay_s(self) -> float:
        with self.database.read() as connection:
            run_at = connection.scalar(sa.select(jobs.c.run_at).where(jobs.c.state == "ready"))
        assert run_at is not None
        return (run_at - datetime.now(UTC)).total_seconds()

    def told(self) -> list[str]:
        return [entry.event for entry in self.audit.entries("MAU.01", 0, 100)]


@pytest.fixture
def desk(database: Database) -> Desk:
    with database.begin() as connection:
        connection.execute(
            sa.insert(agencies),
            [
                {
                    "id": agency,
                    "name": agency,
                    "policy": {},
                    "created_at": datetime.now(UTC),
                    "version": 1,
                }
                for agency in ("MAU.01", "MAU.02")
            ],
        )
    audit = AuditLog(database)
    queue = JobQueue(database, audit)
    hooks = Webhooks(database, queue, audit, private_networks=True)
    sender = WebhookSender(database, queue, audit, private_networks=True, deadline_s=2)
    return Desk(database, queue, audit, hooks, sender)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


# --- subscriptions -------------------------------------------------------------------------


def test_subscription_is_kept_listed_changed_and_deleted(desk: Desk) -> None:
    made, secret = desk.webhooks.create(ADMIN, "http://127.0.0.1:9/a", ["batch.done"])
    assert secret.startswith("whsec_")
    assert desk.webhooks.get(AUDITOR, made.id) == made
    assert desk.webhooks.list(ADMIN) == [made]
    changed = desk.webhooks.update(ADMIN, made.id, 1, events=["*"], enabled=False)
    assert (changed.version, changed.events, changed.disabled_why) == (2, {"*"}, "admin")
    with pytest.raises(VersionConflict):
        desk.webhooks.update(ADMIN, made.id, 1, enabled=True)
    assert desk.webhooks.update(ADMIN, made.id, 2, enabled=True).disabled_at is None
    with pytest.raises(VersionConflict):
        desk.webhooks.delete(ADMIN, made.id, 2)
    desk.emit()
    desk.webhooks.delete(ADMIN, made.id, 3)
    assert desk.webhooks.list(ADMIN) == []
    assert desk.work() == 1  # the job finds its delivery gone
    assert desk.told() == [
        "webhook.created",
        "webhook.changed",
        "webhook.changed",
        "webhook.deleted",
    ]


def test_secret_is_shown_once_and_audited_nowhere(desk: Desk) -> None:
    made, secret = desk.webhooks.create(ADMIN, "http://127.0.0.1:9/a", ["*"])
    _, newer = desk.webhooks.rotate(ADMIN, made.id, 1, timedelta(hours=1))
    shown = repr((desk.webhooks.get(ADMIN, made.id), desk.audit.entries("MAU.01", 0, 10)))
    assert secret not in shown
    assert newer not in shown


def test_another_agencys_webhook_does_not_exist(desk: Desk) -> None:
    made, _ = desk.webhooks.create(ADMIN, "http://127.0.0.1:9/a", ["*"])
    desk.emit()
    assert desk.webhooks.list(OTHER) == []
    for ask in (
        lambda: desk.webhooks.get(OTHER, made.id),
        lambda: desk.webhooks.update(OTHER, made.id, 1, enabled=False),
        lambda: desk.webhooks.delete(OTHER, made.id, 1),
        lambda: desk.webhooks.rotate(OTHER, made.id, 1, timedelta(0)),
        lambda: desk.webhooks.deliveries(OTHER, made.id),
        lambda: desk.webhooks.test(OTHER, made.id),
    ):
        with pytest.raises(NotFound):
            ask()


def test_only_administrators_change_webhooks(desk: Desk) -> None:
    made, _ = desk.webhooks.create(ADMIN, "http://127.0.0.1:9/a", ["*"])
    with pytest.raises(AccessRefused):
        desk.webhooks.create(AUDITOR, "http://127.0.0.1:9/b", ["*"])
    with pytest.raises(AccessRefused):
        desk.webhooks.get(OFFICER, made.id)


@pytest.mark.parametrize("events", [[], ["no.such"], ["batch.done", "signature"]])
def test_unknown_events_are_refused(desk: Desk, events: list[str]) -> None:
    with pytest.raises(InvalidOrder) as refusal:
        desk.webhooks.create(ADMIN, "http://127.0.0.1:9/a", events)
    assert refusal.value.field == "events"


def test_subscriptions_are_bounded(desk: Desk) -> None:
    for n in range(MAX_SUBSCRIPTIONS):
        desk.webhooks.create(ADMIN, f"http://127.0.0.1:9/{n}", ["*"])
    with pytest.raises(QuotaExceeded):
        desk.webhooks.create(ADMIN, "http://127.0.0.1:9/more", ["*"])
    desk.webhooks.create(OTHER, "http://127.0.0.1:9/own", ["*"])


# --- deliveries ----------------------------------------------------------------------------


def test_message_is_delivered_and_anybodys_library_verifies_it(
    desk: Desk, receiver: Receiver
) -> None:
    made, secret = desk.webhooks.create(ADMIN, receiver.url, ["signature.published"])
    assert desk.emit() == 1
    assert desk.work() == 1
    (request,) = receiver.received
    verified = SecondOpinion(secret).verify(request.body, request.headers)
    assert verified["type"] == "signature.published"
    assert verified["data"] == {"id": "sig_1"}
    (logged,) = desk.webhooks.deliveries(ADMIN, made.id)
    assert logged.state is JobState.DONE
    assert logged.id == request.headers["webhook-id"]
    assert logged.body.encode() == request.body
    assert [(one.status, one.error) for one in logged.tries] == [(204, None)]
    assert desk.work() == 0


def test_event_reaches_its_agency_and_subscribers_alone(desk: Desk, receiver: Receiver) -> None:
    desk.webhooks.create(ADMIN, receiver.url + "/batches", ["batch.done"])
    desk.webhooks.create(ADMIN, receiver.url + "/all", ["*"])
    desk.webhooks.create(OTHER, receiver.url + "/other", ["*"])
    off, _ = desk.webhooks.create(ADMIN, receiver.url + "/off", ["*"])
    desk.webhooks.update(ADMIN, off.id, 1, enabled=False)
    assert desk.emit("signature.failed") == 1
    assert desk.emit("batch.done") == 2
    desk.work()
    assert sorted(request.path for request in receiver.received) == [
        "/hook/all",
        "/hook/all",
        "/hook/batches",
    ]


def test_event_of_an_undone_transaction_is_not_told(desk: Desk, receiver: Receiver) -> None:
    desk.webhooks.create(ADMIN, receiver.url, ["*"])

    def undone() -> None:
        with desk.database.begin() as connection:
            desk.webhooks.emit(connection, "MAU.01", "batch.done", {})
            raise KeyError("undone")

    with pytest.raises(KeyError):
        undone()
    assert desk.work() == 0


def test_what_the_audit_log_records_is_told(desk: Desk, receiver: Receiver) -> None:
    desk.webhooks.create(ADMIN, receiver.url, ["signature.published", "sequence.issued"])
    desk.audit.write(
        AuditEvent("signature.accepted", "prn_1", "MAU.01", "sig_1"),
        AuditEvent(
            "signature.published", "w", "MAU.01", "sig_1", {"result_sha256": "aa", "key": "leader"}
        ),
        AuditEvent("signature.published", "w", "MAU.02", "sig_2"),
        AuditEvent("sequence.seal.done", "w", "MAU.01", "seq_1"),
        AuditEvent("signature.published", "w", None, "sig_3"),
    )
    assert desk.work() == 2
    told = [json.loads(request.body) for request in receiver.received]
    assert [(one["type"], one["data"]) for one in told] == [
        ("signature.published", {"id": "sig_1", "result_sha256": "aa"}),
        ("sequence.issued", {"id": "seq_1"}),
    ]


def test_during_a_rotation_both_secrets_sign(desk: Desk, receiver: Receiver) -> None:
    made, old = desk.webhooks.create(ADMIN, receiver.url, ["*"])
    _, new = desk.webhooks.rotate(ADMIN, made.id, 1, timedelta(hours=1))
    desk.emit()
    desk.work()
    for secret in (old, new):
        SecondOpinion(secret).verify(receiver.received[0].body, receiver.received[0].headers)
    with desk.database.begin() as connection:  # an hour later
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(sa.update(table).values(old_secret_until=past))
    desk.emit()
    desk.work()
    request = receiver.received[1]
    SecondOpinion(new).verify(request.body, request.headers)
    assert len(request.headers["webhook-signature"].split()) == 1
    with pytest.raises(InvalidOrder):
        desk.webhooks.rotate(ADMIN, made.id, 2, timedelta(days=30))


def test_failures_are_tried_again_for_three_days_and_then_given_up(
    desk: Desk, receiver: Receiver
) -> None:
    made, _ = desk.webhooks.create(ADMIN, receiver.url, ["*"])
    desk.emit()
    receiver.answers = [500] * (len(DELAYS_S) + 1)
    for expected in DELAYS_S:
        assert desk.work() == 1
        assert 0.79 * expected - 2 < desk.delay_s() < 1.21 * expected
        assert desk.work() == 0  # not before it is due
        desk.make_due()
    assert desk.work() == 1
    (logged,) = desk.webhooks.deliveries(ADMIN, made.id, state=JobState.FAILED)
    assert [one.status for one in logged.tries] == [500] * 10
    assert 2.9 < sum(DELAYS_S) / 86400 < 3.2
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert desk.work() == 0


def test_failed_message_is_sent_again_on_request(desk: Desk, receiver: Receiver) -> None:
    made, secret = desk.webhooks.create(ADMIN, receiver.url, ["*"])
    desk.emit()
    (waiting,) = desk.webhooks.deliveries(ADMIN, made.id)
    with pytest.raises(StateConflict):
        desk.webhooks.redeliver(ADMIN, made.id, waiting.id)
    desk.work()
    again = desk.webhooks.redeliver(ADMIN, made.id, waiting.id)
    assert (again.id, again.state) == (waiting.id, JobState.READY)
    receiver.answers = [503]
    desk.work()
    assert desk.delay_s() < 7  # its schedule begins anew
    desk.make_due()
    desk.work()
    (logged,) = desk.webhooks.deliveries(ADMIN, made.id)
    assert [one.status for one in logged.tries] == [204, 503, 204]
    assert logged.state is JobState.DONE
    for request in receiver.received:
        SecondOpinion(secret).verify(request.body, request.headers)
    assert "webhook.redelivered" in desk.told()


def test_endpoint_that_is_gone_is_disabled(desk: Desk, receiver: Receiver) -> None:
    made, _ = desk.webhooks.create(ADMIN, receiver.url, ["*"])
    desk.emit()
    desk.emit()
    receiver.answers = [410, 410]
    desk.work()
    assert desk.webhooks.get(ADMIN, made.id).disabled_why == "gone"
    assert desk.told().count("webhook.gone") == 1
    assert len(receiver.received) == 1  # the second message found it disabled
    states = {one.state for one in desk.webhooks.deliveries(ADMIN, made.id)}
    assert states == {JobState.FAILED, JobState.CANCELLED}
    assert desk.emit() == 0
    with pytest.raises(StateConflict):
        desk.webhooks.test(ADMIN, made.id)
    with pytest.raises(StateConflict):
        desk.webhooks.redeliver(ADMIN, made.id, desk.webhooks.deliveries(ADMIN, made.id)[0].id)


def test_test_message_goes_out_whatever_is_listened_to(desk: Desk, receiver: Receiver) -> None:
    made, _ = desk.webhooks.create(ADMIN, receiver.url, ["batch.done"])
    sent = desk.webhooks.test(ADMIN, made.id)
    desk.work()
    assert json.loads(receiver.received[0].body)["type"] == "webhook.test"
    assert receiver.received[0].headers["webhook-id"] == sent.id


def test_nobody_there_is_a_failure_with_a_reason(desk: Desk) -> None:
    made, _ = desk.webhooks.create(ADMIN, "http://127.0.0.1:9/nobody", ["*"])
    desk.emit()
    desk.work()
    (logged,) = desk.webhooks.deliveries(ADMIN, made.id)
    assert logged.tries[0].status is None
    assert "ConnectionRefusedError" in (logged.tries[0].error or "")


def test_slow_endpoint_does_not_hold_the_others(desk: Desk, receiver: Receiver) -> None:
    """Forty messages for an endpoint that hangs, and four threads: the other one is served."""
    ended = threading.Event()
    with Receiver(hold=lambda: ended.wait(20)) as slow:
        desk.webhooks.create(ADMIN, slow.url, ["batch.done"])
        desk.webhooks.create(ADMIN, receiver.url, ["signature.published"])
        for _ in range(40):
            desk.emit("batch.done")
        for _ in range(10):
            desk.emit("signature.published")
        stop = threading.Event()
        worker = Worker(desk.jobs, "house", {"webhook": desk.sender}, threads=4, lease_s=5)
        thread = threading.Thread(target=worker.run, args=(stop,))
        began = time.monotonic()
        thread.start()
        while len(receiver.received) < 10 and time.monotonic() - began < 15:
            time.sleep(0.01)
        taken = time.monotonic() - began
        ended.set()
        stop.set()
        thread.join()
    assert len(receiver.received) == 10
    assert taken < 10, "40 tries of 2 s each went first"


def test_old_deliveries_are_forgotten_and_open_ones_kept(desk: Desk, receiver: Receiver) -> None:
    made, _ = desk.webhooks.create(ADMIN, receiver.url, ["*"])
    desk.emit()
    desk.work()
    desk.emit()
    assert desk.webhooks.sweep() == 0
    time.sleep(0.01)
    assert desk.webhooks.sweep(timedelta(0)) == 1
    (left,) = desk.webhooks.deliveries(ADMIN, made.id)
    assert left.state is JobState.READY


def test_message_whose_workers_die_fails_at_last(desk: Desk, receiver: Receiver) -> None:
    made, _ = desk.webhooks.create(ADMIN, receiver.url, ["*"])
    desk.emit()
    for _ in range(7):
        desk.claim()
        with desk.database.begin() as connection:  # the worker was killed, its lease ran out
            past = datetime.now(UTC) - timedelta(seconds=1)
            connection.execute(
                sa.update(jobs).where(jobs.c.state == "running").values(lease_until=past)
            )
    with desk.database.read() as connection:
        states = connection.execute(sa.select(deliveries.c.state)).scalars().all()
    assert states == ["failed"]
    assert desk.webhooks.deliveries(ADMIN, made.id)[0].tries == ()
