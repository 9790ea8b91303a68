"""The telemetry of one process, put together: what `api.wiring` opens and closes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.telemetry.logs import about, configure_logging
from api.telemetry.metrics import Metrics
from api.telemetry.page import MetricsPage
from api.telemetry.reporter import Reporter
from api.telemetry.traced_key import TracedKey
from api.telemetry.tracing import Tracing, open_tracing

if TYPE_CHECKING:
    import sqlalchemy as sa

    from api.settings import Settings
    from dossier.queue.jobs import Job
    from dossier.signing.records import Record
    from dossier.storage.database import Database
    from hsm.keys import SigningKey

Handler = Callable[["Job"], None]


@dataclass(frozen=True, slots=True)
class Telemetry:
    """Metrics, traces and reports of one process. Safe for threads."""

    process: str
    metrics: Metrics
    tracing: Tracing
    reporter: Reporter | None

    def observed(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        """The handlers of a worker, each timed, counted, traced, with its request in the log."""
        return {kind: self._observed(kind, handler) for kind, handler in handlers.items()}

    def page(
        self, database: Database, *, agent_health: Callable[[], Any] | None = None
    ) -> MetricsPage:
        """The page of `/metrics`, made by this process."""
        return MetricsPage(database, self.metrics, self.process, agent_health=agent_health)

    def traced(self, key: SigningKey, request_id: str) -> SigningKey:
        """`key` with a span for each use, when there are traces; else `key` itself."""
        return TracedKey(key, self.tracing, request_id) if self.tracing.is_on else key

    def published(self, connection: sa.Connection, record: Record) -> None:
        """Count a published signature; one of the `on_published` hooks of `SigningWork`."""
        del connection
        self.metrics.signature("published", record.level)

    def close(self) -> None:
        """Report and send what is left; at most a few seconds."""
        if self.reporter is not None:
            self.reporter.close()
        self.tracing.close()

    def _observed(self, kind: str, handler: Handler) -> Handler:
        def run(job: Job) -> None:
            request_id = request_of(job.payload)
            attributes: dict[str, str | int] = {
                "job.id": job.id,
                "job.attempt": job.attempt,
                "job.subject": job.subject,
            }
            with (
                about(request_id=request_id, agency=job.agency_id, subject=job.subject),
                self.tracing.span(f"job {kind}", request_id or job.id, attributes),
                self.metrics.job(job.queue, kind),
            ):
                handler(job)

        return run


def request_of(payload: Mapping[str, Any]) -> str:
    """The id of the request that a job came from; empty when it came from none."""
    found = payload.get("request") or payload.get("request_id") or ""
    return str(found)


def open_telemetry(
    settings: Settings, process: str, database: Database | None = None, *, logs: bool = True
) -> Telemetry:
    """Configure logs, open traces, and report figures to `database` when it is given.

    `process` names this process among all that share the database, as ``seal-1@host``.
    """
    if logs:
        configure_logging(settings.telemetry.log_level, process)
    metrics = Metrics()
    reporter = None
    if database is not None:
        reporter = Reporter(database, metrics, process)
        reporter.start()
    return Telemetry(
        process, metrics, open_tracing(settings.telemetry.otlp_endpoint, process), reporter
    )
