"""Signatures over HTTP: three forms of an order, one record; waiting, files, cancelling."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import threading
import time

import pytest

from api.web.orders import MAX_WAIT_S, preference
from dossier.errors import QuotaExceeded
from dossier.model import RecordState
from tests.fixtures_web import Web, document


def _records(web: Web) -> int:
    return len(web.room.records.list(web.room.caller, limit=1000))


def test_a_raw_pdf_with_its_order_in_the_query(web: Web) -> None:
    pdf = document(1)
    answer = web.sign(
        pdf,
        key="leader",
        level="B-T",
        profiles=["P1", "P5"],
        number=7,
        symbol="QĐ-UBND",
        decided_on="2026-01-05",
        reason="Ban hành",
    )
    assert answer.status_code == 202
    record = answer.json()
    assert answer.headers["location"] == record["links"]["self"]
    assert answer.headers["retry-after"] == "1"
    assert record["state"] == "accepted"
    assert record["source_sha256"] == hashlib.sha256(pdf).hexdigest()
    assert (record["number"], record["symbol"], record["year"]) == (7, "QĐ-UBND", 2026)
    assert record["order"]["profiles"] == ["P1", "P5"]
    assert record["order"]["reason"] == "Ban hành"
    assert web.room.blobs.get(record["source_sha256"]) == pdf


def test_a_form_and_a_reference_give_the_same_record(web: Web) -> None:
    pdf = document(1)
    key = {"idempotency-key": "case-1"}
    order = {"key": "seal", "reason": "Ban hành"}
    raw = web.sign(pdf, idempotency_key="case-1", **order)
    form = web.ask(
        "POST",
        "/v1/signatures",
        as_="clerk",
        headers=key,
        files={
            "order": (None, json.dumps(order), "application/json"),
            "document": ("../../etc/passwd", pdf, "application/pdf"),
        },
    )
    reference = web.ask(
        "POST",
        "/v1/signatures",
        as_="clerk",
        headers=key,
        json={"document": {"sha256": hashlib.sha256(pdf).hexdigest()}, "order": order},
    )
    assert [raw.status_code, form.status_code, reference.status_code] == [202] * 3
    assert raw.content == form.content == reference.content
    assert _records(web) == 1
    assert not list(web.folder.rglob("passwd"))


def test_the_same_key_for_something_else_is_a_conflict(web: Web) -> None:
    assert web.sign(document(1), idempotency_key="k").status_code == 202
    other = web.sign(document(2), idempotency_key="k")
    assert other.status_code == 409
    assert other.json()["code"] == "idempotency-conflict"
    # another client's key is another key
    assert web.sign(document(2), idempotency_key="k", as_="officer").status_code == 202


def test_an_idempotent_repeat_gives_the_same_bytes_when_published(web: Web) -> None:
    accepted = web.sign(document(1), idempotency_key="k").json()
    web.room.work_off()
    first = web.sign(document(1), idempotency_key="k")
    again = web.sign(document(1), idempotency_key="k", prefer="wait=5")
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.json()["id"] == accepted["id"]
    assert web.room.signatures == 1


def test_who_waits_gets_the_published_record(web: Web) -> None:
    def work_once_there_is_work() -> None:
        until = time.monotonic() + 15
        while not web.room.jobs.waiting("seal") and time.monotonic() < until:
            time.sleep(0.02)
        web.room.work_off()

    worker = threading.Thread(target=work_once_there_is_work)
    worker.start()
    answer = web.sign(document(1), prefer="respond-async, wait=20")
    worker.join()
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=20"
    assert answer.json()["state"] == "published"
    assert web.app.state.waiting.count == 0


def test_nobody_waits_for_ever(web: Web) -> None:
    answer = web.sign(document(1), prefer="wait=1")
    assert answer.status_code == 202
    assert preference("wait=999999").wait_s == MAX_WAIT_S
    assert preference("wait = 3 ; foo").wait_s == 3
    assert preference("handling=lenient, wait=x").wait_s == 0


def test_a_client_that_goes_away_leaves_no_task_behind(web: Web) -> None:
    async def go_away() -> tuple[int, int]:
        deadline = asyncio.get_running_loop().time() + 20
        client = web.client(as_="clerk")
        asked = asyncio.create_task(
            client.post(
                "/v1/signatures",
                params={"key": "seal"},
                content=document(1),
                headers={
                    "content-type": "application/pdf",
                    "idempotency-key": "k",
                    "prefer": "wait=30",
                },
            )
        )
        while not web.app.state.waiting.count:
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        await asyncio.sleep(0.1)
        await client.aclose()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        return web.app.state.waiting.count, len(tasks)

    assert asyncio.run(go_away()) == (0, 0)
    assert _records(web) == 1  # what was accepted stays accepted


def test_what_failed_is_a_problem_and_no_record_that_looks_signed(web: Web) -> None:
    web.sign(b"%PDF-1.7 this is no document", idempotency_key="k")
    web.room.work_off()
    answer = web.sign(b"%PDF-1.7 this is no document", idempotency_key="k", prefer="wait=1")
    assert answer.status_code == 409
    assert answer.json()["code"] == "signing-failed"
    assert answer.headers["link"].endswith('; rel="related"')
    record = web.ask("GET", "/v1/signatures", as_="clerk").json()["items"][0]
    assert record["state"] == "failed"
    assert record["error"]["kind"] == "UnsuitableDocument"
    refused = web.ask("GET", f"{record['links']['self']}/result", as_="clerk")
    assert refused.status_code == 409


@pytest.mark.parametrize(
    ("order", "status", "field"),
    [
        ({"key": "seal", "unknown": "1"}, 422, "query.unknown"),
        ({"key": "seal", "number": "0"}, 422, "query.number"),
        ({"key": "seal", "number": "3"}, 422, "symbol"),
        ({"key": "seal", "level": "B-X"}, 422, "query.level"),
        ({"key": "seal", "decided_on": "5/1/2026"}, 422, "query.decided_on"),
        ({"key": "seal", "profiles": "P99"}, 422, "profiles"),
        ({"key": "seal", "reason": "a\x00b"}, 422, "query.reason"),
        ({"key": ["seal", "leader"]}, 400, "query.key"),
        ({"key": ""}, 422, "query.key"),
    ],
)
def test_a_wrong_order_is_named(web: Web, order, status, field) -> None:
    answer = web.sign(document(1), **order)
    assert answer.status_code == status, answer.text
    assert answer.json()["errors"][0]["field"] == field
    assert _records(web) == 0
    assert web.room.blobs.stat(hashlib.sha256(document(1)).hexdigest()) is None


@pytest.mark.parametrize(
    ("caller", "order", "status"),
    [
        ("auditor", {}, 403),
        ("admin", {}, 403),
        ("scanner", {}, 403),
        ("clerk", {"key": "somebody-elses"}, 403),
    ],
)
def test_rights_are_asked_before_the_body_is_read(web: Web, caller, order, status) -> None:
    read = []

    async def body():
        read.append(True)
        yield document(1)

    answer = web.sign(body(), as_=caller, **order)  # type: ignore[arg-type]
    assert answer.status_code == status
    assert not read


def test_with_the_token_gone_nothing_is_accepted_or_read(web: Web) -> None:
    web.agent.gone = True
    read = []

    async def body():
        read.append(True)
        yield document(1)

    answer = web.sign(body())  # type: ignore[arg-type]
    assert answer.status_code == 503
    assert answer.json()["code"] == "token-unavailable"
    assert answer.headers["retry-after"] == "3"
    assert not read
    assert _records(web) == 0


def test_an_empty_document_another_type_and_no_key(web: Web) -> None:
    assert web.sign(b"").json()["code"] == "invalid-order"
    headers = {"content-type": "text/plain", "idempotency-key": "k"}
    other = web.ask("POST", "/v1/signatures", as_="clerk", content=b"x", headers=headers)
    assert other.status_code == 415
    no_key = web.ask(
        "POST",
        "/v1/signatures",
        as_="clerk",
        params={"key": "seal"},
        content=b"x",
        headers={"content-type": "application/pdf"},
    )
    assert no_key.status_code == 422
    assert no_key.json()["errors"][0]["field"] == "header.Idempotency-Key"


def test_the_digest_of_the_body_is_held_to(web: Web) -> None:
    pdf = document(1)
    right = base64.b64encode(hashlib.sha256(pdf).digest()).decode()
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    for digest, status in ((wrong, 400), ("not base64", 400), (right, 202)):
        answer = web.ask(
            "POST",
            "/v1/signatures",
            as_="clerk",
            params={"key": "seal"},
            content=pdf,
            headers={
                "content-type": "application/pdf",
                "idempotency-key": "k",
                "content-digest": f"sha-256=:{digest}:",
            },
        )
        assert answer.status_code == status
    assert _records(web) == 1


def test_the_quota_is_asked_before_anything_is_stored(web: Web, monkeypatch) -> None:
    def full(agency_id: str, size_bytes: int) -> None:
        raise QuotaExceeded("hết / used up")

    monkeypatch.setattr(web.room.holdings, "require_room", full)
    answer = web.sign(document(1))
    assert answer.status_code == 403
    assert answer.json()["code"] == "quota-exceeded"
    assert web.room.blobs.stat(hashlib.sha256(document(1)).hexdigest()) is None


def test_asking_again_is_cheap(web: Web) -> None:
    record = web.sign().json()
    path = record["links"]["self"]
    first = web.ask("GET", path, as_="clerk")
    assert first.headers["etag"] == f'"{record["version"]}"'
    same = web.ask(
        "GET", path, as_="clerk", headers={"if-none-match": f'"0", W/{first.headers["etag"]}'}
    )
    assert (same.status_code, same.content) == (304, b"")
    web.room.work_off()
    moved = web.ask("GET", path, as_="clerk", headers={"if-none-match": first.headers["etag"]})
    assert moved.status_code == 200
    assert moved.json()["state"] == "published"


def test_cancelling_needs_the_version_that_was_read(web: Web) -> None:
    path = web.sign(number=3, symbol="QĐ").json()["links"]["self"]
    for tag, status in ((None, 428), ("nonsense", 400), ('"99"', 412), ('"1"', 200)):
        headers = {} if tag is None else {"if-match": tag}
        answer = web.ask("DELETE", path, as_="clerk", headers=headers)
        assert answer.status_code == status, answer.text
    assert answer.json()["state"] == "cancelled"
    assert web.sign(number=3, symbol="QĐ").status_code == 202  # the number is free again


def test_a_list_goes_on_where_its_page_ended(web: Web) -> None:
    made = [web.sign(document(n)).json()["id"] for n in range(5)]
    seen: list[str] = []
    path = "/v1/signatures?limit=2"
    while path:
        answer = web.ask("GET", path, as_="clerk")
        seen += [record["id"] for record in answer.json()["items"]]
        link = answer.headers.get("link", "")
        assert bool(link) == (answer.json()["next"] is not None)
        path = link.partition(">")[0].removeprefix("<")
    assert seen == made[::-1]
    failed = web.ask("GET", "/v1/signatures", as_="clerk", params={"state": "failed"})
    assert failed.json() == {"items": [], "next": None}
    assert web.ask("GET", "/v1/signatures?limit=0", as_="clerk").status_code == 422


def test_files_are_sent_whole_in_part_or_not_at_all(web: Web) -> None:
    record = web.published()
    path = record["links"]["result"]
    whole = web.ask("GET", path, as_="clerk")
    assert hashlib.sha256(whole.content).hexdigest() == record["result_sha256"]
    assert len(whole.content) == record["result_bytes"]
    digest = base64.b64encode(hashlib.sha256(whole.content).digest()).decode()
    assert whole.headers["content-digest"] == f"sha-256=:{digest}:"
    assert whole.headers["content-disposition"] == f'attachment; filename="{record["id"]}.pdf"'
    assert whole.headers["content-type"] == "application/pdf"
    assert whole.headers["cache-control"] == "private, no-cache"

    def part(**headers: str):
        return web.ask(
            "GET", path, as_="clerk", headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    size = len(whole.content)
    for asked, start, end in (
        ("bytes=0-9", 0, 10),
        ("bytes=100-", 100, size),
        ("bytes=-5", size - 5, size),
        (f"bytes=10-{size * 9}", 10, size),
    ):
        some = part(range=asked)
        assert some.status_code == 206
        assert some.content == whole.content[start:end]
        assert some.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        assert "content-digest" not in some.headers
        assert some.headers["repr-digest"] == whole.headers["content-digest"]
    for passed_over in ("bytes=5-1", "bytes=-", "lines=1-2", "bytes=0-1,4-5", "nonsense"):
        assert part(range=passed_over).status_code == 200
    beyond = part(range=f"bytes={size}-")
    assert beyond.status_code == 416
    assert beyond.headers["content-range"] == f"bytes */{size}"
    assert part(range="bytes=0-9", if_range='"another"').status_code == 200
    assert part(range="bytes=0-9", if_range=whole.headers["etag"]).status_code == 206
    assert part(if_none_match=whole.headers["etag"]).status_code == 304


def test_report_and_evidence_tell_of_the_result(web: Web) -> None:
    record = web.published(level="B-LTA")
    report = web.ask("GET", record["links"]["report"], as_="clerk").json()
    assert report["indication"] == "TOTAL-PASSED"
    evidence = web.ask("GET", record["links"]["evidence"], as_="clerk").json()
    assert record["result_sha256"] in json.dumps(evidence)
    assert web.room.record(record["id"]).state is RecordState.PUBLISHED
