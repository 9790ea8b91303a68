"""Logs without secrets, request ids, metrics of several processes on one page."""

from __future__ import annotations

import io
import json
import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families

from api.telemetry import Metrics, MetricsPage, Observed, Telemetry, configure_logging, redact
from api.telemetry.logs import about
from api.telemetry.page import FRESH_S
from api.telemetry.reporter import PREFIX, Reporter
from api.telemetry.trace_ids import SpanIDs, request_ids, root_of
from api.telemetry.tracing import Tracing
from dossier.identity.keytext import key_text, new_key_id, new_secret
from dossier.model import new_id
from dossier.queue.jobs import Job
from dossier.storage import tables
from dossier.storage.database import Database
from tests.auth_client import bearer

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a process with configured logs writes; the test process gets its own back."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    stream = io.StringIO()
    configure_logging("info", "web", stream)
    yield stream
    root.handlers[:] = before
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = True
    root.setLevel(level)
    for name in ("sohoa", "api", "dossier", "signer", "hsm", "ocr"):
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


# --- logs --------------------------------------------------------------------------------------


def test_a_log_line_is_json_with_the_request_it_is_about(log: io.StringIO) -> None:
    with about(request_id="req-1", agency="H00.01"):
        logging.getLogger("sohoa.web").info("đã nhận %s", "một\nhai", extra={"status": 200})
    logging.getLogger("sohoa.web").info("after")
    first, second = lines(log)
    assert first["event"] == "đã nhận một\nhai"
    assert (first["level"], first["process"], first["status"]) == ("info", "web", 200)
    assert (first["request_id"], first["agency"]) == ("req-1", "H00.01")
    assert datetime.fromisoformat(first["time"]).utcoffset() == timedelta(0)
    assert "request_id" not in second
    assert len(log.getvalue().splitlines()) == 2


def test_no_secret_reaches_the_log(log: io.StringIO) -> None:
    key = key_text(new_key_id(), new_secret())
    secret = key.rpartition("_")[2]
    logger = logging.getLogger("sohoa.web")
    logger.info("Authorization: Bearer %s", key)
    logger.info("got %s", {"pin": "87654321", "url": "postgresql://u:hunter22@db/x"})
    logger.info("x", extra={"authorization": f"Bearer {key}", "note": f"key {key}"})
    try:
        int(f"PIN=87654321 {key}")
    except ValueError:
        logger.exception("failed")
    logger.warning("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw and password: hunter22!")
    for hidden in (secret, "87654321", "hunter22", "MfKQ9r8"):
        assert hidden not in log.getvalue()
    assert "ValueError" in lines(log)[3]["trace"]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Bearer abc.def-ghi", "abc.def-ghi"),
        ("authorization=Basic dXNlcjpwYXNz", "dXNlcjpwYXNz"),
        ('{"pin": "123456"}', "123456"),
        ("pin-value=123456;x", "123456"),
        ("pkcs11:token=x?pin-value=1234", "1234"),
        ("PASSWORD=hunter22 and so on", "hunter22"),
        ("s3 secret: AKIA/abc", "AKIA"),
        ("https://user:hunter22@host/path", "hunter22"),
        ("eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln", "eyJzdWIi"),
    ],
)
def test_what_is_hidden(text: str, hidden: str) -> None:
    assert hidden not in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "Không tìm thấy quyết định 123/QĐ-UBND",
        "spinning: 12 pinned keys",
        "token SoHoa is gone",
        "rec_01hxyz published by prn_01habc",
        "GET /v1/signatures/rec_01m83s8jdrn57bmsgngmt40m8z",
    ],
)
def test_what_is_not(text: str) -> None:
    assert redact(text) == text


def test_a_hidden_key_can_still_be_found_and_revoked() -> None:
    key_id = new_key_id()
    assert redact(key_text(key_id, new_secret())) == f"sohoa_{key_id}_[…]"


def test_redaction_is_quick_on_hostile_texts() -> None:
    began = time.process_time()
    for text in ("pin" * 50_000, "a://" * 30_000, "eyJ" + "a" * 100_000, "secret=" * 20_000):
        redact(text)
    assert time.process_time() - began < 3


# --- request ids -----------------------------------------------------------------------------


def test_a_request_id_of_ours_is_its_root_span() -> None:
    ids = request_ids(None, None)
    assert re.fullmatch(r"[0-9a-f]{32}-[0-9a-f]{16}", ids.request_id)
    assert root_of(ids.request_id) == ids.root
    assert ids.parent is None
    assert request_ids(None, None).request_id != ids.request_id


def test_a_traceparent_is_joined_and_a_clients_id_is_kept() -> None:
    ids = request_ids(None, f"00-{TRACE}-{SPAN}-01")
    assert ids.request_id.startswith(TRACE)
    assert ids.parent == SpanIDs(int(TRACE, 16), int(SPAN, 16))
    assert ids.root.span != ids.parent.span
    kept = request_ids("case-0000-17", f"00-{TRACE}-{SPAN}-01")
    assert kept.request_id == "case-0000-17"
    assert root_of("case-0000-17") == kept.root


@pytest.mark.parametrize(
    "traceparent",
    ["", "00", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"ff-{TRACE}-{SPAN}-01",
     f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-x", "x" * 10_000],
)  # fmt: skip
def test_malformed_traceparents_are_passed_over(traceparent: str) -> None:
    assert request_ids(None, traceparent).parent is None


@pytest.mark.parametrize("told", ["", "short", "a b c d e f g", "x" * 65, "ă" * 10, "a\r\nb: c"])
def test_malformed_request_ids_are_replaced(told: str) -> None:
    assert request_ids(told, None).request_id != told


# --- requests --------------------------------------------------------------------------------


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("web", Metrics(), Tracing(), None)


def samples(page: bytes) -> dict[tuple, float]:
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def test_requests_are_logged_counted_and_named(
    log, telemetry, lone_directory, auth_client, database_page
) -> None:
    client = auth_client()
    client.app.add_middleware(Observed, telemetry=telemetry)
    text = lone_directory.client()
    answer = client.ask("GET", "/v1/whoami", headers=bearer(text))
    request_id = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}-[0-9a-f]{16}", request_id)
    assert answer.json()["request_id"] == request_id
    told = [line for line in lines(log) if line["event"] == "request"][-1]
    assert told["request_id"] == request_id
    assert (told["route"], told["status"], told["agency"]) == ("/v1/whoami", 200, "H00.01")
    assert told["principal"] == answer.json()["id"]
    assert told["ms"] >= 0
    joined = client.ask(
        "GET", "/v1/whoami", headers={**bearer(text), "traceparent": f"00-{TRACE}-{SPAN}-01"}
    )
    assert joined.headers["x-request-id"].startswith(TRACE)
    for n in range(50):  # strangers' addresses make no series
        client.ask("GET", f"/v1/made-up-{n}", headers=bearer(text))
    client.ask("BREW", "/v1/whoami", headers=bearer(text))
    client.ask("GET", "/v1/whoami")
    found = samples(database_page(telemetry).render())
    process = ("process", "web")
    assert found[
        "sohoa_http_requests_total", ("method", "GET"), process, ("route", "/v1/whoami"),
        ("status", "200"),
    ] == 2  # fmt: skip
    assert found[
        "sohoa_http_requests_total", ("method", "GET"), process, ("route", "unmatched"),
        ("status", "404"),
    ] == 50  # fmt: skip
    assert not any("made-up" in str(key) for key in found)
    assert not any("BREW" in str(key) for key in found)
    assert found["sohoa_http_requests_inside", process] == 0
    assert text.rpartition("_")[2] not in log.getvalue()


@pytest.fixture
def database_page(lone_directory):
    def make(telemetry: Telemetry, **options) -> MetricsPage:
        return telemetry.page(lone_directory.database, **options)

    return make


# --- metrics -----------------------------------------------------------------------------------


def job(kind: str = "signature", **payload: str) -> Job:
    return Job("job_1", "seal", kind, "rec_1", "H00.01", payload, 0, 1, 0, "worker-1")


def test_jobs_are_timed_and_counted_by_outcome(telemetry: Telemetry, log) -> None:
    def good(job: Job) -> None:
        logging.getLogger("sohoa.work").info("at work")

    def bad(job: Job) -> None:
        raise LookupError("mẫu")

    handlers = telemetry.observed({"signature": good, "webhook": bad})
    handlers["signature"](job(request="req-00000001"))
    with pytest.raises(LookupError):
        handlers["webhook"](job("webhook"))
    telemetry.published(None, SimpleNamespace(level="B-LTA"))
    registry = telemetry.metrics.registry
    count = registry.get_sample_value
    labels = {"queue": "seal", "kind": "signature", "outcome": "done"}
    assert count("sohoa_jobs_total", labels) == 1
    failed = {"queue": "seal", "kind": "webhook", "outcome": "LookupError"}
    assert count("sohoa_jobs_total", failed) == 1
    assert count("sohoa_job_seconds_count", {"kind": "signature"}) == 1
    assert count("sohoa_webhook_deliveries_total", {"outcome": "LookupError"}) == 1
    assert count("sohoa_signatures_total", {"state": "published", "level": "B-LTA"}) == 1
    told = lines(log)[0]
    assert (told["request_id"], told["subject"]) == ("req-00000001", "rec_1")


def enqueue(database: Database, count: int, state: str, run_at: datetime) -> None:
    rows = [
        {
            "id": new_id("job"), "queue": "seal", "kind": "signature", "subject": "rec_x",
            "agency_id": None, "payload": {}, "state": state, "run_at": run_at,
            "created_at": run_at,
        }
        for _ in range(count)
    ]  # fmt: skip
    with database.begin() as connection:
        connection.execute(sa.insert(tables.jobs), rows)


def test_the_page_shows_all_processes_and_the_house(database: Database) -> None:
    now = datetime.now(UTC)
    seal = Metrics()
    with seal.job("seal", "signature"):
        pass
    Reporter(database, seal, "seal-1").report()
    Reporter(database, Metrics(), "web").report()
    long_ago = {"at": (now - timedelta(minutes=10)).isoformat(), "families": seal.snapshot()}
    with database.begin() as connection:
        connection.execute(
            sa.insert(tables.settings).values(name=f"{PREFIX}seal-9", value=long_ago)
        )
    enqueue(database, 3, "ready", now - timedelta(seconds=60))
    enqueue(database, 2, "running", now)
    enqueue(database, 5, "done", now)
    healthy = SimpleNamespace(
        ok=True,
        details={"token": {"state": "ready", "breaker": "closed"}, "counts": {"signed": 7}},
    )
    page = MetricsPage(database, Metrics(), "web", agent_health=lambda: healthy).render()
    found = samples(page)
    done = ("kind", "signature"), ("outcome", "done"), ("process", "seal-1"), ("queue", "seal")
    assert found["sohoa_jobs_total", *done] == 1
    assert not any(("process", "seal-9") in key for key in found)
    assert found["sohoa_queue_jobs", ("queue", "seal"), ("state", "ready")] == 3
    assert found["sohoa_queue_jobs", ("queue", "seal"), ("state", "running")] == 2
    assert 59 < found["sohoa_queue_oldest_seconds", ("queue", "seal")] < 120
    assert found["sohoa_queue_jobs", ("queue", "ocr"), ("state", "ready")] == 0
    assert found["sohoa_agent_up",] == 1
    assert found["sohoa_agent_token", ("breaker", "closed"), ("state", "ready")] == 1
    assert found["sohoa_agent_signatures", ("outcome", "signed")] == 7
    assert found["sohoa_database_up",] == 1
    assert found["sohoa_audit_tip",] == 0
    assert page.count(b"# TYPE sohoa_jobs counter") + page.count(b"# TYPE sohoa_jobs_total") == 1


def test_the_page_shows_the_audit_chain(lone_directory) -> None:
    lone_directory.client()
    with lone_directory.database.begin() as connection:
        connection.execute(
            sa.insert(tables.audit_heads).values(
                chain="service", seq=1, statement="{}", signature=b"x",
                created_at=datetime.now(UTC) - timedelta(seconds=30),
            )
        )  # fmt: skip
    found = samples(MetricsPage(lone_directory.database, Metrics(), "web").render())
    tip = len(lone_directory.told())
    assert found["sohoa_audit_tip",] == tip
    assert found["sohoa_audit_unsealed_entries",] == tip - 1
    assert 30 <= found["sohoa_audit_head_age_seconds",] < 60


def test_what_the_page_costs_does_not_grow_with_what_was_done(database: Database) -> None:
    """The work of the database on the page: index walks over what waits, nothing else."""
    now = datetime.now(UTC)
    enqueue(database, 2000, "done", now)
    enqueue(database, 5, "ready", now)
    asked: list[tuple[str, object]] = []

    def note(connection, cursor, statement, parameters, *rest) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    page = MetricsPage(database, Metrics(), "web", monotonic=lambda: 0.0)
    page.render()
    first = len(asked)
    assert first == 5
    for _ in range(20):
        page.render()
    assert len(asked) == first  # made once in FRESH_S seconds
    if database.is_sqlite:
        with database.read() as connection:
            for statement, parameters in list(asked):
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                steps = " ".join(str(row) for row in plan)
                assert "SCAN" not in steps or "ix_jobs_r" in steps, (statement, steps)


def test_the_page_survives_a_dead_database_and_a_dead_agent(tmp_path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'absent' / 'house.db'}")

    def away() -> SimpleNamespace:
        raise ConnectionRefusedError

    found = samples(MetricsPage(database, Metrics(), "web", agent_health=away).render())
    assert found["sohoa_database_up",] == 0
    assert found["sohoa_agent_up",] == 0
    Reporter(database, Metrics(), "web").report()  # logged, not raised
    database.close()
    assert FRESH_S > 0


def test_a_reporter_writes_only_what_is_new_and_for_the_last_time(database: Database) -> None:
    metrics = Metrics()
    reporter = Reporter(database, metrics, "seal-1", every_s=0.02)

    def stored() -> dict | None:
        with database.read() as connection:
            return connection.scalar(
                sa.select(tables.settings.c.value).where(
                    tables.settings.c.name == f"{PREFIX}seal-1"
                )
            )

    reporter.start()
    until = time.monotonic() + 20
    while stored() is None and time.monotonic() < until:
        time.sleep(0.02)
    first = stored()
    assert first is not None
    time.sleep(0.2)
    assert stored() == first
    metrics.signature("published", "B-B")
    reporter.close()
    assert stored() != first
