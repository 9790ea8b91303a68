"""Papers over HTTP: a whole check by two people, and what is answered when it does not fit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from dossier.checking.values import Check
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import papers
from tests.arranged_stacks import arranged_stack
from tests.checking_room import paper_to_check
from tests.fixtures_signing import AGENCY
from tests.fixtures_web import Web, document


class Counter:
    """One paper that waits, and people who ask."""

    def __init__(self, web: Web) -> None:
        self.web = web
        sha256 = web.room.put(document(3))
        stack, self.pages = arranged_stack(web, AGENCY, [sha256])
        self.id = paper_to_check(web, stack["id"], self.pages)
        self.base = f"/v1/papers/{self.id}"

    def ask(self, method: str, part: str = "", body: Any = None, as_: str = "scanner", **more: Any):
        return self.web.ask(method, self.base + part, json=body, as_=as_, **more)

    def tag(self) -> dict[str, str]:
        return {"if-match": self.ask("GET").headers["etag"]}


@pytest.fixture
def counter(web: Web) -> Counter:
    return Counter(web)


def test_a_paper_is_taken_typed_confirmed_and_checked(web: Web, counter: Counter):
    assert web.ask("GET", "/v1/checking/health", as_="scanner").json()["waiting"] == 1
    [listed] = web.ask("GET", "/v1/papers", as_="auditor").json()["items"]
    assert listed["id"] == counter.id
    taken = web.ask("POST", "/v1/checking/next", json={}, as_="scanner").json()["paper"]
    assert taken["id"] == counter.id
    number = "/entries/field:doc_number"
    for version, value in ((2, "12"), (1, "1")):
        kept = counter.ask("PUT", number, {"value": value, "version": version})
        assert kept.json()["value"] == "12", "the late one changes nothing"
    missing = counter.ask("GET", "/missing").json()["items"]
    assert [one["kind"] for one in missing][:3] == ["dossier", "component", "field"]
    refused = counter.ask("POST", "/finish")
    assert (refused.status_code, refused.json()["code"]) == (409, "state-conflict")
    confirmed = counter.ask("PUT", number + "/confirmation", {"value": "12", "reason": "mờ"})
    assert (confirmed.json()["state"], confirmed.json()["machine"]) == ("confirmed", "l2")
    [correction] = counter.ask("GET", "/corrections").json()["items"]
    assert (correction["machine"], correction["after"], correction["reason"]) == ("l2", "12", "mờ")
    back = counter.ask("DELETE", number + "/confirmation")
    assert back.json()["state"] == "draft"
    word = f"/entries/word:{counter.pages[0]}:2"
    assert counter.ask("PUT", word + "/confirmation", {"value": "12/QĐ"}).status_code == 200
    [kept, _] = counter.ask("GET", "/entries").json()["items"]
    assert kept["target"] == "field:doc_number"


def test_who_lost_the_lease_is_told_who_has_it(counter: Counter):
    assert counter.ask("PUT", "/lease").status_code == 200
    lost = counter.ask("PUT", "/entries/field:abstract", {"value": "x"}, as_="officer")
    assert (lost.status_code, lost.json()["code"]) == (409, "lease-lost")
    assert "scanner" in lost.text
    assert counter.ask("POST", "/lease/renewals", as_="officer").status_code == 409
    assert counter.ask("POST", "/lease/renewals").json()["lease_until"]
    assert counter.ask("DELETE", "/lease").json()["lease_by"] is None
    assert counter.ask("PUT", "/lease", as_="officer").status_code == 200


def test_decisions_need_the_version_that_was_read_and_a_reason(web: Web, counter: Counter):
    counter.ask("PUT", "/lease")
    why = {"reason": "chờ bổ sung"}
    assert counter.ask("POST", "/hold", why).status_code == 428
    assert counter.ask("POST", "/hold", why, headers={"if-match": '"99"'}).status_code == 412
    assert counter.ask("POST", "/hold", {"reason": ""}, headers=counter.tag()).status_code == 422
    held = counter.ask("POST", "/hold", why, headers=counter.tag())
    assert (held.status_code, held.json()["hold"]["why"]) == (200, "chờ bổ sung")
    assert counter.ask("POST", "/resume", headers=counter.tag()).json()["state"] == "to-check"
    counter.ask("PUT", "/lease")
    form = {"ground": "photocopy", "reason": "bản chụp"}
    refused = counter.ask("POST", "/refusal", form, headers=counter.tag())
    assert (refused.json()["state"], refused.json()["hold"]["ground"]) == ("refused", "photocopy")
    again = counter.ask("POST", "/reopen", {"reason": "nhầm"}, headers=counter.tag())
    assert again.json()["state"] == "to-check"
    counter.ask("PUT", "/lease")
    own = counter.ask("POST", "/reuse", {"earlier": counter.id}, headers=counter.tag())
    assert own.status_code == 409
    assert counter.ask("GET", "/reuse-candidates").json() == {"items": [], "next": None}


def test_what_failed_is_tried_again(web: Web, counter: Counter):
    nothing = counter.ask("POST", "/retry")
    assert (nothing.status_code, nothing.json()["code"]) == (409, "state-conflict")
    assert counter.ask("POST", "/retry", as_="clerk").status_code == 403
    check = Check(
        "prn_mau", "Nguyễn Thị Mẫu", datetime(2026, 3, 2, tzinfo=UTC), 0, {"field:a": "b"}
    )
    held = {
        "why": "x",
        "by": "worker:1",
        "name": "",
        "from": "checked",
        "checks": [check.to_json()],
    }
    with web.house.database.begin() as connection:
        connection.execute(
            sa.update(papers)
            .where(papers.c.id == counter.id)
            .values(state=PaperState.HELD, hold=held, error={"kind": "X", "message": "x"})
        )
    shown = counter.ask("GET").json()
    assert (shown["hold"]["why"], shown["error"]["message"]) == ("x", "x")
    assert "checks" not in shown["hold"], "what people confirmed is not shown to who only looks"
    again = counter.ask("POST", "/retry")
    assert again.headers["etag"] != f'"{shown["version"]}"'
    paper = again.json()
    assert (paper["state"], paper["hold"], paper["error"]) == ("checked", None, None)
    assert paper["checks"][0]["by"] == "prn_mau"


def test_what_is_wrong_is_named(web: Web, counter: Counter):
    counter.ask("PUT", "/lease")
    for part, body, status in (
        ("/entries/field:abstract", {"value": "a\u202eb"}, 422),
        ("/entries/field:abstract", {"value": "x" * 2001}, 422),
        ("/entries/field:abstract", {"value": "x", "version": 0}, 422),
        ("/entries/nothing", {"value": "x"}, 422),
        (f"/entries/word:{counter.pages[0]}:99", {"value": "x"}, 422),
        ("/findings/gap-0a", {"reason": "x"}, 404),
    ):
        assert counter.ask("PUT", part, body).status_code == status, part
    assert counter.ask("DELETE", "/entries/field:abstract/confirmation").status_code == 404
    assert counter.ask("PUT", "/lease", as_="clerk").status_code == 403
    nobody = web.ask("GET", "/v1/dossiers/H22-khong-co/checklist", as_="scanner")
    assert nobody.status_code == 404
    assert web.ask("GET", "/v1/papers?after=x", as_="scanner").status_code == 422


def test_a_dossiers_checklist(web: Web):
    sheet = {
        "dossier_code": "H22-9",
        "procedure_code": "MAU.DD.01",
        "station": "quay-1",
        "components": [{"code": "DD01-DON", "name": "Đơn", "pages": 2}],
    }
    made = web.ask(
        "POST", "/v1/cover-sheets", json=sheet, as_="officer", headers={"idempotency-key": "c"}
    )
    assert made.status_code == 201
    found = web.ask("GET", "/v1/dossiers/H22-9/checklist", as_="officer").json()
    assert found["procedure"]["code"] == "MAU.DD.01"
    [form] = [item for item in found["items"] if item["code"] == "DD01-DON"]
    assert (form["state"], form["pages"], form["papers"]) == ("missing", 2, [])
    assert "DD01-DON" in found["missing"]
