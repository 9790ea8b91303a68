"""Batches over HTTP: lists in two forms, moves, items, the sheet, progress as events."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest

from dossier.identity import AgencyPolicy
from dossier.queue.worker import Worker
from tests.fixtures_clerical import Working, handlers_of
from tests.fixtures_signing import AGENCY, KEYS
from tests.fixtures_web import Web

PATH = "/v1/signature-batches"
LINES = "application/x-ndjson"


def working(web: Web) -> Working:
    return Working(Worker(web.room.jobs, "seal", handlers_of(web.room, web.house.batches)))


def head(**entries: Any) -> dict[str, Any]:
    return {"order": {"key": "seal"}, **entries}


def freeze(web: Web, count: int, who: str = "officer", **entries: Any) -> dict[str, Any]:
    lines = [head(**entries)]
    lines += [{"source_sha256": web.room.source, "reference": f"hs-{n}"} for n in range(count)]
    answer = send(web, "\n".join(map(json.dumps, lines)), who=who)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    return made


def send(
    web: Web, body: Any, media_type: str = LINES, *, who: str = "officer", key: str | None = None
) -> httpx.Response:
    content = body if isinstance(body, str | bytes) else json.dumps(body)
    headers = {"content-type": media_type, "idempotency-key": key or uuid.uuid4().hex}
    answer: httpx.Response = web.ask("POST", PATH, as_=who, content=content, headers=headers)
    return answer


def move(web: Web, batch_id: str, step: str, who: str = "officer", **headers: str) -> Any:
    return web.ask("POST", f"{PATH}/{batch_id}/{step}", as_=who, headers=headers)


def test_both_forms_of_a_list_freeze_the_same(web: Web) -> None:
    items = [
        {"source_sha256": web.room.source, "reference": "một"},
        {"source_sha256": web.room.source, "overrides": {"reason": "riêng", "number": None}},
    ]
    lines = send(web, "\n".join(map(json.dumps, [head(), *items])))
    whole = send(web, head(items=items), "application/json")
    assert lines.status_code == whole.status_code == 201, whole.text
    assert lines.json()["list_sha256"] == whole.json()["list_sha256"]
    assert lines.json()["id"] != whole.json()["id"]
    assert lines.json()["total"] == 2
    assert lines.json()["state"] == "listed"


def test_a_long_list_is_read_from_its_file(web: Web) -> None:
    lines = [head()] + [
        {"source_sha256": web.room.source, "reference": f"{n:06d}" + "x" * 200} for n in range(5000)
    ]
    answer = send(web, "\n".join(map(json.dumps, lines)))  # above a megabyte
    assert answer.status_code == 201, answer.text
    assert answer.json()["total"] == 5000
    page = web.ask(
        "GET", f"{PATH}/{answer.json()['id']}/items", as_="officer", params={"after": 4998}
    ).json()
    assert [i["position"] for i in page["items"]] == [4999, 5000]
    assert page["next"] is None


def test_a_batch_from_list_to_sheet(web: Web) -> None:
    made = freeze(web, 12, title="Đợt mẫu", order={"key": "seal", "from_book": True, "symbol": "X"})
    released = move(web, made["id"], "release", **{"if-match": '"1"'})
    assert released.status_code == 200
    assert released.json()["state"] == "released"
    assert web.ask("GET", f"{PATH}/{made['id']}/sheet", as_="officer").status_code == 409
    with working(web):
        events = follow(web, made["id"])
    assert events[-1][1] == "done"
    done = json.loads(events[-1][2])
    assert (done["state"], done["published"], done["failed"], done["skipped"]) == (
        "done", 12, 0, 0,
    )  # fmt: skip
    assert done == web.ask("GET", f"{PATH}/{made['id']}", as_="auditor").json()
    assert json.loads(done["list_signature"]["statement"])["list_sha256"] == made["list_sha256"]
    sheet = web.ask("GET", done["links"]["sheet"], as_="officer")
    assert sheet.headers["content-type"] == "application/pdf"
    assert sheet.content.startswith(b"%PDF-1.7")
    page = web.ask(
        "GET", done["links"]["items"], as_="officer", params={"state": "published", "limit": 5}
    )
    assert [i["number"] for i in page.json()["items"]] == [1, 2, 3, 4, 5]
    assert 'rel="next"' in page.headers["link"]
    second = web.ask(
        "GET", done["links"]["items"], as_="officer", params={"after": page.json()["next"]}
    ).json()["items"]
    assert [i["position"] for i in second] == list(range(6, 13))
    assert web.ask("GET", second[0]["links"]["result"], as_="officer").status_code == 200


def follow(web: Web, batch_id: str, last: str | None = None) -> list[tuple[str, str, str]]:
    """All events of a stream until it ends: id, name, data."""
    headers = {"last-event-id": last} if last else {}
    answer = web.ask("GET", f"{PATH}/{batch_id}/events", as_="officer", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.replace("\r\n", "\n").strip().split("\n\n"):
        entries = dict(
            line.split(": ", 1) for line in block.split("\n") if not line.startswith(":")
        )
        if entries:
            found.append((entries["id"], entries["event"], entries["data"]))
    return found


def test_progress_resumes_behind_the_last_event(web: Web) -> None:
    made = freeze(web, 3)
    move(web, made["id"], "release")
    with working(web):
        events = follow(web, made["id"])
    assert [name for _, name, _ in events[:-1]] == ["progress"] * (len(events) - 1)
    ids = [event_id for event_id, _, _ in events]
    assert len(set(ids)) == len(ids)
    assert follow(web, made["id"], ids[0])[-1] == events[-1]
    over = web.ask(
        "GET", f"{PATH}/{made['id']}/events", as_="officer", headers={"last-event-id": ids[-1]}
    )
    assert over.status_code == 204  # which tells a browser to come back no more
    counts = [json.loads(data)["published"] for _, _, data in events]
    assert counts == sorted(counts)


def test_a_silent_stream_beats_and_ends_with_its_client(web: Web, monkeypatch: Any) -> None:
    from api.web import following

    monkeypatch.setattr(following, "HEARTBEAT_S", 1)
    made = freeze(web, 1)
    path = f"{PATH}/{made['id']}/events"
    sent: list[bytes] = []

    async def listen() -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            if not sent:
                sent.append(b"")
                return {"type": "http.request", "body": b"", "more_body": False}
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))
            if b"ping" in message.get("body", b""):
                gone.set()

        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
            "path": path, "raw_path": path.encode(), "query_string": b"", "scheme": "http",
            "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "root_path": "",
            "headers": [(b"authorization", f"Bearer {web.keys['officer']}".encode()),
                        (b"host", b"127.0.0.1")],
        }  # fmt: skip
        await asyncio.wait_for(web.app(scope, receive, send), 20)

    asyncio.run(listen())
    assert b"event: progress" in b"".join(sent)
    assert b"ping" in b"".join(sent)


def test_two_persons_where_the_agency_asks_for_them(web: Web) -> None:
    version = web.identity.agencies.get(web.house_admin, AGENCY).version
    web.identity.agencies.change(
        web.house_admin, AGENCY, version=version,
        policy=AgencyPolicy(keys=KEYS, two_person_batches=True),
    )  # fmt: skip
    made = freeze(web, 1)
    assert move(web, made["id"], "release", "clerk").status_code == 403
    assert move(web, made["id"], "approve", "leader").json()["approved_by"] is not None
    assert move(web, made["id"], "release", "leader").status_code == 403
    assert move(web, made["id"], "release", "clerk").json()["state"] == "released"


def test_pausing_resuming_cancelling(web: Web) -> None:
    made = freeze(web, 2)
    path = f"{PATH}/{made['id']}"
    assert move(web, made["id"], "pause").status_code == 409
    assert web.ask("DELETE", path, as_="officer").status_code == 428
    stale = web.ask("DELETE", path, as_="officer", headers={"if-match": '"7"'})
    assert stale.status_code == 412
    gone = web.ask("DELETE", path, as_="officer", headers={"if-match": '"1"'})
    assert (gone.json()["state"], gone.json()["skipped"]) == ("cancelled", 2)
    assert move(web, made["id"], "resume").status_code == 409
    assert web.ask("GET", PATH, as_="officer", params={"state": "cancelled"}).json()["items"]


@pytest.mark.parametrize(
    ("body", "media_type", "field"),
    [
        ({"order": {"key": "seal"}}, "application/json", "items"),
        ({"order": {"key": "seal"}, "items": []}, "application/json", "items"),
        ({"order": {}, "items": [1]}, "application/json", "body.order.key"),
        ({"order": {"key": "seal", "number": 4, "symbol": "X"}, "items": [1]}, "application/json",
         "number"),
        ({"order": {"key": "seal"}, "items": [{"source_sha256": 5}]}, "application/json",
         "items.0.source_sha256"),
        ({"order": {"key": "seal"}, "items": [{"source_sha256": "0" * 64, "overrides":
          {"key": "leader"}}]}, "application/json", "items.0.overrides.key"),
        ({"order": {"key": "seal"}, "items": [{"source_sha256": "0" * 64}]}, "application/json",
         "items"),
        ({"order": {"key": "seal", "profiles": ["P99"]}, "items": [{"source_sha256": "0" * 64}]},
         "application/json", "order.profiles"),
        ("[1, 2]", "application/json", "body"),
        ("{", "application/json", None),
        ("[" * 100_000, "application/json", None),
        ("", LINES, "body"),
        ('{"order": {"key": "seal"}}', LINES, "items"),
        ('{"order": {"key": "seal"}}\n{', LINES, None),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_list_is_named(
    web: Web, body: Any, media_type: str, field: str | None
) -> None:
    answer = send(web, body, media_type)
    assert answer.status_code == 422, answer.text
    if field is not None:
        assert any(e["field"].startswith(field) for e in answer.json()["errors"]), answer.text


def test_a_list_in_another_form_is_refused_unread(web: Web) -> None:
    assert send(web, "x", "text/plain").status_code == 415
    assert send(web, "x", who="auditor").status_code == 403
    assert send(web, "x", who="scanner").status_code == 403


def test_the_same_key_gives_the_same_batch(web: Web) -> None:
    body = head(items=[{"source_sha256": web.room.source}])
    first, again = (send(web, body, "application/json", key="k") for _ in range(2))
    assert first.json() == again.json()
    other = send(web, {**body, "title": "khác"}, "application/json", key="k")
    assert other.status_code == 409


def test_another_agency_sees_nothing(web: Web) -> None:
    made = freeze(web, 1)
    base = f"{PATH}/{made['id']}"
    for path in ("", "/items", "/events", "/sheet"):
        assert web.ask("GET", base + path, as_="clerk@B").status_code == 404, path
    for step in ("approve", "release", "pause", "resume"):
        assert move(web, made["id"], step, "clerk@B").status_code == 404, step
    gone = web.ask("DELETE", base, as_="clerk@B", headers={"if-match": '"1"'})
    assert gone.status_code == 404
    assert web.ask("GET", PATH, as_="clerk@B").json()["items"] == []
