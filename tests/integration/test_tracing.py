"""Traces over OTLP/HTTP to a small collector on loopback: web request → job → agent, one trace."""

from __future__ import annotations

import gzip
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from api.telemetry import Metrics, Observed, Telemetry
from api.telemetry.trace_ids import root_of
from api.telemetry.tracing import open_tracing
from dossier.queue.jobs import Job
from hsm.keys import SignatureScheme
from tests.auth_client import bearer
from tests.fakes import SoftwareKey

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


class Collector:
    """Takes spans as an OpenTelemetry collector does."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Span]] = []
        self.bodies: list[bytes] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                assert self.path == "/v1/traces"
                outer.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def take(self, body: bytes) -> None:
        self.bodies.append(body)
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            entries = {e.key: e.value.string_value for e in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(entries["service.instance.id"], span) for span in scope.spans]

    def named(self, name: str) -> tuple[str, Span]:
        (found,) = [entry for entry in self.spans if entry[1].name == name]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


def process(collector: Collector, name: str) -> Telemetry:
    return Telemetry(name, Metrics(), open_tracing(collector.url, name), None)


def test_one_trace_through_three_processes(collector, lone_directory, auth_client) -> None:
    web, seal, agent = (process(collector, name) for name in ("web", "seal-1", "agent"))
    key = SoftwareKey(SignatureScheme.ECDSA_SHA256, label="leader")
    client = auth_client()
    client.app.add_middleware(Observed, telemetry=web)
    text = lone_directory.client()
    answer = client.ask(
        "GET", "/v1/whoami", headers={**bearer(text), "traceparent": f"00-{TRACE}-{SPAN}-01"}
    )
    # all that goes from process to process is the request id, which rows carry anyway
    request_id = answer.json()["request_id"]

    def use_token() -> None:
        with agent.tracing.span("token", request_id):
            pass

    def sign(job: Job) -> None:
        assert len(seal.traced(key, request_id).sign_digests([bytes(32)])) == 1
        elsewhere = threading.Thread(target=use_token)  # has no span of its own, as a process
        elsewhere.start()
        elsewhere.join()
        with seal.tracing.span("verify", request_id):
            pass

    handlers = seal.observed({"signature": sign})
    handlers["signature"](
        Job("job_1", "seal", "signature", "rec_1", "H00.01", {"request": request_id}, 0, 1, 0, "w")
    )
    for telemetry in (web, seal, agent):
        telemetry.close()

    where, request = collector.named("GET")
    assert where == "web"
    assert request.trace_id.hex() == TRACE
    assert request.parent_span_id.hex() == SPAN
    attributes = {entry.key: entry.value for entry in request.attributes}
    assert attributes["http.route"].string_value == "/v1/whoami"
    assert attributes["http.response.status_code"].int_value == 200
    assert int(request.span_id.hex(), 16) == root_of(request_id).span
    where, job = collector.named("job signature")
    assert where == "seal-1"
    assert (job.trace_id, job.parent_span_id) == (request.trace_id, request.span_id)
    _, signing = collector.named("agent sign")
    assert (signing.trace_id, signing.parent_span_id) == (request.trace_id, job.span_id)
    assert {entry.key for entry in signing.attributes} == {"key", "digests"}
    where, in_token = collector.named("token")
    assert where == "agent"
    assert (in_token.trace_id, in_token.parent_span_id) == (request.trace_id, request.span_id)
    _, verifying = collector.named("verify")
    assert verifying.parent_span_id == job.span_id
    for body in collector.bodies:
        assert text.rpartition("_")[2].encode() not in body


def test_a_clients_own_request_id_leads_to_the_same_trace(
    collector, lone_directory, auth_client
) -> None:
    web, seal = process(collector, "web"), process(collector, "seal-1")
    client = auth_client()
    client.app.add_middleware(Observed, telemetry=web)
    headers = {**bearer(lone_directory.client()), "X-Request-Id": "case-0000-17"}
    assert client.ask("GET", "/v1/whoami", headers=headers).is_success
    with seal.tracing.span("job signature", "case-0000-17"):
        pass
    web.close()
    seal.close()
    _, request = collector.named("GET")
    _, job = collector.named("job signature")
    assert (job.trace_id, job.parent_span_id) == (request.trace_id, request.span_id)


def test_an_error_is_named_without_its_text(collector) -> None:
    seal = process(collector, "seal-1")
    with pytest.raises(LookupError), seal.tracing.span("job", "req-00000001"):
        raise LookupError("a secret text")
    seal.close()
    _, span = collector.named("job")
    assert span.status.message == "LookupError"
    assert not any(b"a secret text" in body for body in collector.bodies)


@pytest.mark.filterwarnings("ignore")
def test_a_collector_that_is_away_costs_no_request(lone_directory, auth_client) -> None:
    web = Telemetry("web", Metrics(), open_tracing("http://127.0.0.1:9", "web"), None)
    off = Telemetry("web", Metrics(), open_tracing(None, "web"), None)
    key = SoftwareKey(SignatureScheme.ECDSA_SHA256, label="leader")
    assert off.traced(key, "req-00000001") is key
    client = auth_client()
    client.app.add_middleware(Observed, telemetry=web)
    headers = bearer(lone_directory.client())
    assert all(client.ask("GET", "/v1/whoami", headers=headers).is_success for _ in range(20))
    web.close()


def test_tracing_that_is_off_imports_nothing() -> None:
    code = (
        "import sys, api.telemetry\n"
        "from api.telemetry.tracing import open_tracing\n"
        "tracing = open_tracing(None, 'web')\n"
        "with tracing.span('x', 'req-00000001') as span: span.set('a', 1)\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
    )
    assert done.returncode == 0, done.stderr
