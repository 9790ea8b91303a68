"""Clerical sequences over HTTP: steps, waiting, refusals, annexes and copies."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import pytest

from dossier.identity import AgencyPolicy
from dossier.queue.worker import Worker
from dossier.signing.sealing import common_name
from tests.clerical import decision
from tests.fixtures_clerical import Working, handlers_of
from tests.fixtures_signing import AGENCY, KEYS
from tests.fixtures_web import Web

PATH = "/v1/sequences"


def post(web: Web, path: str, who: str, body: Any = None, **headers: str) -> httpx.Response:
    told = {"idempotency-key": uuid.uuid4().hex, **headers}
    answer: httpx.Response = web.ask("POST", PATH + path, as_=who, json=body, headers=told)
    return answer


def draft(web: Web) -> str:
    return web.room.put(decision(signer=common_name(web.room.keys["leader"]).partition(" – ")[0]))


def begin(web: Web, **entries: Any) -> dict[str, Any]:
    body = {
        "document": {"sha256": draft(web)}, "leader_key": "leader", "agency_key": "seal",
        "symbol": "QĐ-UBND", "type_code": "QĐ", "level": "B-T", **entries,
    }  # fmt: skip
    answer = post(web, "", "officer", body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["location"] == f"{PATH}/{made['id']}"
    assert answer.headers["etag"] == '"1"'
    return made


def working(web: Web) -> Working:
    return Working(Worker(web.room.jobs, "seal", handlers_of(web.room, web.house.batches)))


def one_person_may_do_more(web: Web) -> None:
    version = web.identity.agencies.get(web.house_admin, AGENCY).version
    web.identity.agencies.change(
        web.house_admin, AGENCY, version=version,
        policy=AgencyPolicy(keys=KEYS, separation_of_duties=False),
    )  # fmt: skip


WAIT = {"prefer": "wait=30"}


def test_a_decision_is_issued_while_its_clients_wait(web: Web) -> None:
    one_person_may_do_more(web)
    made = begin(web)
    assert made["next_steps"] == ["leader"]
    base = f"/{made['id']}"
    with working(web):
        signed = post(web, f"{base}/leader-signature", "leader", **WAIT)
        assert signed.status_code == 200, signed.text
        assert signed.headers["preference-applied"] == "wait=30"
        assert signed.json()["next_steps"] == ["number", "issue"]
        body = {"decided_on": "2026-02-05", "number": 7}
        numbered = post(web, f"{base}/number", "clerk", body, **WAIT, **match(signed))
        assert numbered.json()["state"] == "numbered"
        assert numbered.json()["number"] == 7
        issued = post(web, f"{base}/seal", "clerk", **WAIT).json()
        assert issued["state"] == "issued"
        assert [s["step"] for s in issued["steps"]] == ["leader", "number", "seal"]
        assert {"facts", "chain"}.isdisjoint(issued["steps"][0])
        result = web.ask("GET", issued["links"]["result"], as_="clerk")
        assert result.content.startswith(b"%PDF-")
        assert web.ask("GET", issued["links"]["document"], as_="clerk").content == result.content
        copy = {"document": {"sha256": web.room.source}, "form": "SY"}
        annex = {"document": {"sha256": web.room.source}}
        for path, body_ in (("copies", copy), ("annexes", annex)):
            accepted = post(web, f"{base}/{path}", "clerk", body_)
            assert accepted.status_code == 202, accepted.text
            assert accepted.headers["location"] == accepted.json()["links"]["self"]
    found = web.ask("GET", f"{PATH}{base}/documents", as_="auditor").json()["items"]
    assert [r["order"].get("profiles") for r in found] == [["SO", "NGAY", "P2"], ["P5"], ["P4"]]


def match(answer: httpx.Response) -> dict[str, str]:
    return {"if-match": answer.headers["etag"]}


def test_who_does_not_wait_is_told_where_to_ask(web: Web) -> None:
    made = begin(web)
    taken = post(web, f"/{made['id']}/leader-signature", "leader")
    assert taken.status_code == 202
    assert taken.headers["retry-after"] == "1"
    assert taken.json()["step_running"] == "leader"
    assert taken.json()["next_steps"] == []
    with working(web):
        answer = web.ask("GET", f"{PATH}/{made['id']}", as_="leader")
        while answer.json()["step_running"]:
            answer = web.ask("GET", f"{PATH}/{made['id']}", as_="leader")
    assert answer.json()["state"] == "signed"
    assert answer.headers["etag"] == f'"{answer.json()["version"]}"'


def test_a_step_out_of_order_is_a_conflict_that_names_the_next(web: Web) -> None:
    made = begin(web)
    answer = post(web, f"/{made['id']}/seal", "clerk")
    assert answer.status_code == 409
    assert "the next step is leader-signature" in answer.json()["detail"]


def test_the_same_person_is_refused_where_duties_are_separated(web: Web) -> None:
    made = begin(web)
    with working(web):
        post(web, f"/{made['id']}/leader-signature", "leader", **WAIT)
    answer = post(web, f"/{made['id']}/issue", "clerk", {"decided_on": "2026-02-05"})
    assert answer.status_code == 403
    assert "number and seal apart" in answer.json()["detail"]


@pytest.mark.parametrize("who", ["officer", "auditor", "scanner", "admin"])
def test_only_a_leader_signs_first(web: Web, who: str) -> None:
    made = begin(web)
    assert post(web, f"/{made['id']}/leader-signature", who).status_code == 403


def test_what_fails_while_a_client_waits_is_a_problem(web: Web) -> None:
    made = begin(web, symbol="QĐ-SNV")
    with working(web):
        answer = post(web, f"/{made['id']}/leader-signature", "leader", **WAIT)
    assert answer.status_code == 409
    assert "another symbol" in answer.json()["detail"]
    found = web.ask("GET", f"{PATH}/{made['id']}", as_="leader").json()
    assert found["error"]["kind"] == "InvalidOrder"
    assert found["state"] == "draft"


def test_the_same_key_gives_the_same_sequence_and_step(web: Web) -> None:
    body = {
        "document": {"sha256": draft(web)}, "leader_key": "leader", "agency_key": "seal",
        "symbol": "QĐ-UBND",
    }  # fmt: skip
    key = {"idempotency-key": "k-1"}
    first, again = (post(web, "", "officer", body, **key) for _ in range(2))
    assert first.json() == again.json()
    other = post(web, "", "officer", {**body, "symbol": "NQ-HĐND"}, **key)
    assert other.status_code == 409
    step = f"/{first.json()['id']}/leader-signature"
    answers = [post(web, step, "leader", **key) for _ in range(2)]
    assert [a.status_code for a in answers] == [202, 202]
    assert web.room.jobs.waiting("seal") == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"symbol": None}, "body.symbol"),
        ({"level": "B-X"}, "body.level"),
        ({"type_code": "CT"}, "symbol"),
        ({"agency_key": "leader"}, "agency_key"),
        ({"agency_key": "nobody"}, "agency_key"),
        ({"number_place": {"page": 1, "rect": [1, 2, 3]}}, "body.number_place.rect"),
        ({"colour": "red"}, "body.colour"),
    ],
)
def test_what_is_wrong_with_an_order_is_named(web: Web, body: Any, field: str) -> None:
    order = {
        "document": {"sha256": web.room.source}, "leader_key": "leader", "agency_key": "seal",
        "symbol": "QĐ-UBND", **body,
    }  # fmt: skip
    answer = post(web, "", "officer", order)
    assert answer.status_code == 422
    assert any(e["field"].startswith(field) for e in answer.json()["errors"]), answer.text


def test_cancelling_needs_the_version_that_was_read(web: Web) -> None:
    made = begin(web)
    path = f"{PATH}/{made['id']}"
    assert web.ask("DELETE", path, as_="clerk").status_code == 428
    stale = web.ask("DELETE", path, as_="clerk", headers={"if-match": '"9"'})
    assert stale.status_code == 412
    gone = web.ask("DELETE", path, as_="clerk", headers={"if-match": '"1"'})
    assert gone.json()["state"] == "cancelled"
    assert web.ask("GET", PATH, as_="clerk", params={"state": "cancelled"}).json()["items"]


def test_another_agency_sees_nothing(web: Web) -> None:
    made = begin(web)
    base = f"{PATH}/{made['id']}"
    assert web.ask("GET", base, as_="clerk@B").status_code == 404
    assert web.ask("GET", f"{base}/documents", as_="clerk@B").status_code == 404
    assert web.ask("GET", PATH, as_="clerk@B").json()["items"] == []
    for path, who, body in (
        ("leader-signature", "leader@B", None),
        ("number", "clerk@B", {"decided_on": "2026-02-05"}),
        ("seal", "clerk@B", None),
        ("issue", "clerk@B", {"decided_on": "2026-02-05"}),
        ("annexes", "clerk@B", {"document": {"sha256": "0" * 64}}),
        ("copies", "clerk@B", {"document": {"sha256": "0" * 64}, "form": "SY"}),
    ):
        assert post(web, f"/{made['id']}/{path}", who, body).status_code == 404, path


def test_without_the_token_no_step_is_taken(web: Web) -> None:
    made = begin(web)
    web.agent.gone = True
    answer = post(web, f"/{made['id']}/leader-signature", "leader")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert web.room.jobs.waiting("seal") == 0
