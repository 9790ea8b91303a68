"""OpenTelemetry traces over OTLP/HTTP, when the settings name a collector; else nothing at all.

The SDK is imported when tracing is on. Spans leave in batches from a thread; a collector that
does not answer costs spans, never requests.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from api.telemetry.trace_ids import RequestIDs, SpanIDs, root_of

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.trace import Span, SpanKind

Attributes = Mapping[str, str | int | float | bool]
_NO_ATTRIBUTES: Attributes = {}
_forced: ContextVar[SpanIDs | None] = ContextVar("sohoa_span_ids", default=None)


class OpenSpan(Protocol):
    """A span that is under way."""

    def set(self, name: str, value: str | int | float | bool) -> None:
        """Add an attribute."""
        ...


class _NoSpan:
    def set(self, name: str, value: str | int | float | bool) -> None:
        del name, value


_NO_SPAN = _NoSpan()


class Tracing:
    """Tracing that is off: every span is the same object that does nothing."""

    is_on = False

    def request(self, ids: RequestIDs, name: str) -> AbstractContextManager[OpenSpan]:
        """The root span of a request, with the ids that the request id promises."""
        del ids, name
        return nullcontext(_NO_SPAN)

    def span(
        self, name: str, request_id: str, attributes: Attributes = _NO_ATTRIBUTES
    ) -> AbstractContextManager[OpenSpan]:
        """A span of the request `request_id`: under the present span of this thread, if that is
        of the same request, else under the request's root, in whatever process that was."""
        del name, request_id, attributes
        return nullcontext(_NO_SPAN)

    def close(self) -> None:
        """Send what is still to be sent; at most a few seconds."""


def open_tracing(endpoint: str | None, process: str) -> Tracing:
    """Tracing to the collector at `endpoint` (``http://host:4318``), or none without one."""
    return Tracing() if endpoint is None else _OTLPTracing(endpoint, process)


class _OTLPTracing(Tracing):
    """Tracing that is on. Safe for threads and tasks."""

    is_on = True

    def __init__(self, endpoint: str, process: str) -> None:
        # not at the top: 0.2 s and 15 MB that nobody pays who does not trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        address = endpoint.rstrip("/")
        if not address.endswith("/v1/traces"):
            address += "/v1/traces"
        resource = Resource({"service.name": "sohoa", "service.instance.id": process})
        self._provider: TracerProvider = TracerProvider(
            resource=resource, id_generator=_id_generator(), shutdown_on_exit=False
        )
        exporter = OTLPSpanExporter(endpoint=address, timeout=3)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, max_queue_size=4096, schedule_delay_millis=1000)
        )
        self._tracer = self._provider.get_tracer("sohoa")

    @contextmanager
    def request(self, ids: RequestIDs, name: str) -> Iterator[OpenSpan]:
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind

        context = Context() if ids.parent is None else _remote(ids.parent)
        token = _forced.set(ids.root)
        try:
            span = self._tracer.start_span(name, context=context, kind=SpanKind.SERVER)
        finally:
            _forced.reset(token)
        with _ended(span) as opened:
            yield opened

    @contextmanager
    def span(
        self, name: str, request_id: str, attributes: Attributes = _NO_ATTRIBUTES
    ) -> Iterator[OpenSpan]:
        from opentelemetry import trace

        root = root_of(request_id)
        present = trace.get_current_span().get_span_context()
        context = None if present.trace_id == root.trace else _remote(root)
        kind: SpanKind = trace.SpanKind.INTERNAL
        span = self._tracer.start_span(name, context=context, kind=kind, attributes=attributes)
        with _ended(span) as opened:
            yield opened

    def close(self) -> None:
        self._provider.force_flush(3000)
        self._provider.shutdown()


class _OpenSpan:
    def __init__(self, span: Span) -> None:
        self._span = span

    def set(self, name: str, value: str | int | float | bool) -> None:
        self._span.set_attribute(name, value)


@contextmanager
def _ended(span: Span) -> Iterator[OpenSpan]:
    """Make `span` the present one; an exception is named, its text (secrets?) is not kept."""
    from opentelemetry import trace

    try:
        with trace.use_span(span, record_exception=False, set_status_on_exception=False):
            yield _OpenSpan(span)
    except BaseException as error:
        span.set_status(trace.StatusCode.ERROR, type(error).__name__)
        raise
    finally:
        span.end()


def _remote(ids: SpanIDs) -> Context:
    from opentelemetry.context import Context as Empty
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    sampled = TraceFlags(TraceFlags.SAMPLED)
    remote = SpanContext(ids.trace, ids.span, is_remote=True, trace_flags=sampled)
    return set_span_in_context(NonRecordingSpan(remote), Empty())


def _id_generator() -> RandomIdGenerator:
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator as Random

    class Forced(Random):
        """Random ids, but for root spans, whose ids the request id has fixed."""

        def generate_trace_id(self) -> int:
            ids = _forced.get()
            return super().generate_trace_id() if ids is None else ids.trace

        def generate_span_id(self) -> int:
            ids = _forced.get()
            return super().generate_span_id() if ids is None else ids.span

    return Forced()
