"""The page of `/metrics`: this process's figures, the other processes', and the house's.

One page is made at most every `FRESH_S` seconds, from a handful of indexed look-ups: what it
costs depends on how much is waiting (bounded by `web.max_backlog`) and how many processes there
are, never on how much was ever signed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

import sqlalchemy as sa
from prometheus_client import Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

from api.telemetry.metrics import Metrics
from api.telemetry.reporter import ALIVE, PREFIX, rows
from dossier.errors import DossierError
from dossier.storage import tables
from dossier.storage.database import Database

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
FRESH_S = 2.0
_QUEUES = ("house", "ocr", "seal")  # shown even when they are empty
_JOBS = tables.jobs.c
# literal, not a bound parameter: SQLite uses a partial index for the very condition alone
_READY = sa.text("state = 'ready'")
_RUNNING = sa.text("state = 'running'")


class _Health(Protocol):
    @property
    def ok(self) -> bool: ...

    @property
    def details(self) -> Mapping[str, Any]: ...


class MetricsPage:
    """Makes the page. Safe for threads; blocking."""

    def __init__(
        self,
        database: Database,
        metrics: Metrics,
        process: str,
        *,
        agent_health: Callable[[], _Health] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`agent_health` is `CSCClient.health`; its time limit is its own."""
        self._database = database
        self._metrics = metrics
        self._process = process
        self._agent_health = agent_health
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._made_at: float | None = None
        self._page = b""

    def render(self) -> bytes:
        """The page in the text format of Prometheus (`CONTENT_TYPE`)."""
        with self._lock:
            now = self._monotonic()
            if self._made_at is None or now - self._made_at >= FRESH_S:
                self._page, self._made_at = self._made(), now
            return self._page

    def _made(self) -> bytes:
        page = _Page()
        page.take(self._metrics.snapshot(), self._process)
        try:
            with self._database.read() as connection:
                self._others(connection, page)
                _queues(connection, page)
                _audit(connection, page)
            page.gauge("sohoa_database_up", "Whether the database answers.", 1)
        except DossierError:
            page.gauge("sohoa_database_up", "Whether the database answers.", 0)
        if self._agent_health is not None:
            _agent(self._agent_health, page)
        return page.text()

    def _others(self, connection: sa.Connection, page: _Page) -> None:
        now = datetime.now(UTC)
        for name, value in rows(connection):
            process = name.removeprefix(PREFIX)
            age = now - datetime.fromisoformat(value["at"])
            if process != self._process and age <= ALIVE:
                page.take(value["families"], process)
                page.gauge(
                    "sohoa_process_reported_seconds",
                    "Seconds since a process reported its figures.",
                    max(0.0, age.total_seconds()),
                    process=process,
                )


def _queues(connection: sa.Connection, page: _Page) -> None:
    now = datetime.now(UTC)
    for state, condition in (("ready", _READY), ("running", _RUNNING)):
        query = (
            sa.select(_JOBS.queue, sa.func.count(), sa.func.min(_JOBS.run_at))
            .where(condition)
            .group_by(_JOBS.queue)
        )
        found = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
        for queue in sorted({*_QUEUES, *found}):
            count, oldest = found.get(queue, (0, now))
            page.gauge(
                "sohoa_queue_jobs", "Jobs that wait or run.", count, queue=queue, state=state
            )
            if state == "ready":
                page.gauge(
                    "sohoa_queue_oldest_seconds",
                    "How long the oldest job of a queue has been due.",
                    max(0.0, (now - oldest).total_seconds()),
                    queue=queue,
                )


def _agent(ask: Callable[[], _Health], page: _Page) -> None:
    try:
        health = ask()
    except Exception:  # noqa: BLE001 - whatever asking raises means: not up
        page.gauge("sohoa_agent_up", "Whether the key agent can sign.", 0)
        return
    page.gauge("sohoa_agent_up", "Whether the key agent can sign.", int(health.ok))
    token, counts = health.details.get("token"), health.details.get("counts")
    if isinstance(token, dict):
        states = {name: str(token.get(name))[:32] for name in ("state", "breaker")}
        page.gauge("sohoa_agent_token", "State of token and breaker, in the labels.", 1, **states)
    if isinstance(counts, dict):
        for outcome, count in counts.items():
            if isinstance(count, int):
                page.gauge(
                    "sohoa_agent_signatures",
                    "What came of signatures since the agent began.",
                    count,
                    outcome=str(outcome)[:32],
                )


def _audit(connection: sa.Connection, page: _Page) -> None:
    entries, heads = tables.audit_entries.c, tables.audit_heads.c
    tip = connection.scalar(
        sa.select(entries.seq)
        .where(entries.chain == "service")
        .order_by(entries.seq.desc())
        .limit(1)
    )
    page.gauge("sohoa_audit_tip", "Number of the last audit entry.", tip or 0)
    head = connection.execute(
        sa.select(heads.seq, heads.created_at)
        .where(heads.chain == "service")
        .order_by(heads.seq.desc())
        .limit(1)
    ).first()
    page.gauge(
        "sohoa_audit_unsealed_entries",
        "Audit entries behind the last sealed head.",
        (tip or 0) - (head.seq if head else 0),
    )
    if head is not None:
        page.gauge(
            "sohoa_audit_head_age_seconds",
            "Age of the last sealed head of the audit chain.",
            max(0.0, (datetime.now(UTC) - head.created_at).total_seconds()),
        )


class _Page:
    """Families of several processes, each family once, as the format demands."""

    def __init__(self) -> None:
        self._families: dict[str, Metric] = {}

    def take(self, families: Iterable[Mapping[str, Any]], process: str) -> None:
        """Add what one process counted."""
        for family in families:
            into = self._family(family["name"], family["help"], family["type"])
            for name, labels, value in family["samples"]:
                into.add_sample(name, {**labels, "process": process}, value)

    def gauge(self, name: str, help_text: str, value: float, **labels: str) -> None:
        """Add one figure of the house."""
        self._family(name, help_text, "gauge").add_sample(name, labels, value)

    def text(self) -> bytes:
        """The page."""
        return generate_latest(self)

    def collect(self) -> Iterable[Metric]:
        """As a registry of Prometheus does."""
        return self._families.values()

    def _family(self, name: str, help_text: str, kind: str) -> Metric:
        found = self._families.get(name)
        if found is None:
            found = self._families[name] = Metric(name, help_text, kind)
        return found
