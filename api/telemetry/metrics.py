"""What one process counts: requests, refusals, jobs, signatures, deliveries (Prometheus).

Label values come from our own code (route templates, kinds, levels), never from a request, so the
number of series is bounded.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_REQUEST_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_JOB_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The counters of one process. Safe for threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.inside = Gauge(
            "sohoa_http_requests_inside", "Requests being served.", registry=self.registry
        )
        self._requests = Counter(
            "sohoa_http_requests",
            "Requests by method, route template and status.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._request_s = Histogram(
            "sohoa_http_request_seconds",
            "Time to the end of the answer.",
            ("route",),
            buckets=_REQUEST_S,
            registry=self.registry,
        )
        self._refused = Counter(
            "sohoa_http_refused",
            "Requests refused because too many came (429) or too much was waiting (503).",
            ("status",),
            registry=self.registry,
        )
        self._signatures = Counter(
            "sohoa_signatures",
            "Signature records by state that they reached and level.",
            ("state", "level"),
            registry=self.registry,
        )
        self._jobs = Counter(
            "sohoa_jobs",
            "Jobs worked on, by queue, kind and outcome (done, or the class of the error).",
            ("queue", "kind", "outcome"),
            registry=self.registry,
        )
        self._job_s = Histogram(
            "sohoa_job_seconds",
            "Time that one job was worked on.",
            ("kind",),
            buckets=_JOB_S,
            registry=self.registry,
        )
        self._deliveries = Counter(
            "sohoa_webhook_deliveries",
            "Attempts to deliver a webhook, by outcome.",
            ("outcome",),
            registry=self.registry,
        )
        self._known: dict[tuple[str, ...], Any] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request was answered. `route` is a template, as ``/v1/signatures/{id}``."""
        known = self._known.get((method, route, str(status)))
        if known is None:
            shown = method if method in _METHODS else "other"
            known = (
                self._requests.labels(shown, route, str(status)),
                self._request_s.labels(route),
                self._refused.labels(str(status)) if status in (429, 503) else None,
            )
            if shown == method:
                self._known[method, route, str(status)] = known
        count, duration, refused = known
        count.inc()
        duration.observe(seconds)
        if refused is not None:
            refused.inc()

    def signature(self, state: str, level: str) -> None:
        """A signature record reached `state`."""
        self._signatures.labels(state, level).inc()

    def delivery(self, outcome: str) -> None:
        """A webhook was tried: ``delivered``, ``refused``, ``unreachable``."""
        self._deliveries.labels(outcome).inc()

    @contextmanager
    def job(self, queue: str, kind: str) -> Iterator[None]:
        """A job is worked on inside."""
        began = time.perf_counter()
        outcome = "done"
        try:
            yield
        except BaseException as error:
            outcome = type(error).__name__
            raise
        finally:
            self._job_s.labels(kind).observe(time.perf_counter() - began)
            self._jobs.labels(queue, kind, outcome).inc()
            if kind == "webhook":
                self.delivery("delivered" if outcome == "done" else outcome)

    def snapshot(self) -> list[dict[str, Any]]:
        """All samples as JSON: what another process's page shows for this one."""
        return [
            {
                "name": family.name,
                "type": family.type,
                "help": family.documentation,
                "samples": [
                    [sample.name, dict(sample.labels), sample.value]
                    for sample in family.samples
                    if not sample.name.endswith("_created")
                ],
            }
            for family in self.registry.collect()
        ]
