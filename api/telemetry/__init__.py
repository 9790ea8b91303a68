"""Logs, metrics and traces of one process, over one request id.

    telemetry = open_telemetry(settings, "web", database)
    app.add_middleware(Observed, telemetry=telemetry)       # outermost, around the door
    handlers = telemetry.observed(handlers)                 # in a worker: job → log, metric, span
    with telemetry.tracing.span("agent.sign", request_id):  # in the agent
    telemetry.close()

A request id that comes from here is ``<trace id>-<span id>`` of the request's own span. It is in
records, jobs and audit entries already, so every process can hang its spans under the request
without anything else being passed on; ids that clients choose are hashed to the same effect.
"""

from api.telemetry.logs import configure_logging
from api.telemetry.metrics import Metrics
from api.telemetry.page import MetricsPage
from api.telemetry.process import Telemetry, open_telemetry
from api.telemetry.redaction import redact
from api.telemetry.requests import Observed

__all__ = [
    "Metrics",
    "MetricsPage",
    "Observed",
    "Telemetry",
    "configure_logging",
    "open_telemetry",
    "redact",
]
