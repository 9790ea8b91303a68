"""The HTTP door: request ids, admission, languages, errors that tell nothing they should not."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest

from api.web.admission import SHUT_S, Admission, Shutter
from api.web.app import create_app
from api.web.routes import verifications
from dossier.errors import Overloaded, StoreError
from dossier.signing.records import Records
from tests.fixtures_web import document


class Broken:
    """A verifier that fails in a way nobody foresaw."""

    def verify(self, path: Path, at: object) -> None:
        raise ZeroDivisionError("secret detail")


def test_health(web) -> None:
    assert web.ask("GET", "/healthz").json() == {"status": "ok"}


def test_an_unsigned_upload_is_indeterminate(web) -> None:
    answer = web.ask("POST", "/v1/verifications", content=b"%PDF-1.7 and no more")
    assert answer.status_code == 200
    assert answer.json()["indication"] != "TOTAL-PASSED"


def test_uploads_are_bounded(web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifications, "MAX_BYTES", 10)
    answer = web.ask("POST", "/v1/verifications", content=b"x" * 11)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "body-too-large"
    assert answer.json()["type"] == "/problems/body-too-large"
    assert not list((web.folder / "incoming").glob("*"))


def test_unknown_errors_stay_opaque(web, caplog: pytest.LogCaptureFixture) -> None:
    web.app.state.house = dataclasses.replace(web.house, verifier=Broken())
    answer = web.ask("POST", "/v1/verifications", content=b"x")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    problem = answer.json()
    assert problem["code"] == "unexpected"
    logged = next(record for record in caplog.records if record.name == "sohoa.web")
    assert logged.error_id in problem["detail"]
    assert logged.request_id == problem["instance"]
    assert "secret detail" in caplog.text


@pytest.mark.parametrize(
    ("accept", "language", "title"),
    [
        ("", "vi", "Không có địa chỉ này"),
        ("en", "en", "No such address"),
        ("en;q=0.3, vi;q=0.9", "vi", "Không có địa chỉ này"),
        ("fr, en-GB;q=0.5", "en", "No such address"),
        ("de;q=nonsense", "vi", "Không có địa chỉ này"),
        ("*;q=0.1, en;q=0.2", "en", "No such address"),
        ("en;q=0", "vi", "Không có địa chỉ này"),
    ],
)
def test_the_reader_chooses_the_language(web, accept, language, title) -> None:
    answer = web.ask("GET", "/nowhere", as_="clerk", headers={"accept-language": accept})
    assert answer.status_code == 404
    assert answer.headers["content-language"] == language
    assert answer.headers["vary"] == "accept-language"
    assert answer.json()["title"] == title
    assert " / " not in answer.json()["detail"]


def test_a_wrong_method_names_the_right_ones(web) -> None:
    answer = web.ask("PUT", "/v1/verifications")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST"


def test_every_answer_has_a_request_id_and_security_headers(web) -> None:
    answer = web.ask("GET", "/nowhere", headers={"x-request-id": "case-0001"})
    assert answer.headers["x-request-id"] == answer.json()["instance"] == "case-0001"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in answer.headers
    forged = web.ask("GET", "/nowhere", headers={"x-request-id": "a b\tc{}<script>"})
    assert forged.headers["x-request-id"].startswith("req_")


def test_who_finds_no_place_is_told_to_come_back(web) -> None:
    full = web.settings.model_copy(
        update={"web": web.settings.web.model_copy(update={"max_waiting": 0})}
    )
    web.transport.app = create_app(dataclasses.replace(web.house, settings=full))
    answer = web.ask("POST", "/v1/verifications", content=b"x")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.json()["code"] == "overloaded"
    assert web.ask("GET", "/healthz").status_code == 200


def test_places_are_given_back_and_streams_have_their_own() -> None:
    admission = Admission(1, streams=1)
    ordinary = {"path": "/v1/signatures", "method": "POST"}
    events = {"path": "/v1/signature-batches/b/events", "method": "GET"}
    with admission.entered(ordinary), admission.entered(events):
        for taken in (ordinary, events):
            with pytest.raises(Overloaded), admission.entered(taken):
                pytest.fail("there was no place")
        with admission.entered({"path": "/readyz", "method": "GET"}):
            pass
    with pytest.raises(KeyError), admission.entered(ordinary):
        raise KeyError
    assert (admission.inside, admission.streaming, admission.shed) == (0, 0, 2)


def test_nobody_gets_past_the_gate_unknown(web) -> None:
    answer = web.ask("GET", "/v1/signatures")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["code"] == "unauthenticated"


def test_the_description_is_served_and_says_what_is_open(web) -> None:
    described = web.ask("GET", "/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert described["paths"]["/healthz"]["get"]["security"] == []
    assert described["paths"]["/v1/signatures"]["post"]["security"]
    assert "HTTPValidationError" not in described["components"]["schemas"]


def test_a_full_backlog_is_found_once_and_then_told_at_the_door(web) -> None:
    room = web.room
    full = Records(room.database, room.blobs, room.holdings, room.audit, room.jobs, max_backlog=1)
    web.transport.app = create_app(dataclasses.replace(web.house, records=full))
    web.app = web.transport.app
    assert web.sign(document(1)).status_code == 202
    found = web.sign(document(2))
    assert (found.status_code, found.json()["code"]) == (503, "overloaded")
    read = []

    async def body():
        read.append(True)
        yield document(3)

    told = web.sign(body())
    assert told.status_code == 503
    assert told.headers["retry-after"] == found.headers["retry-after"]
    assert not read


def test_a_shutter_opens_again() -> None:
    now = [100.0]
    shutter = Shutter(monotonic=lambda: now[0])
    shutter.require_open()
    with pytest.raises(Overloaded), shutter.watching():
        raise Overloaded("full", retry_after_s=9)
    with pytest.raises(Overloaded) as told:
        shutter.require_open()
    assert told.value.retry_after_s == 9
    now[0] += SHUT_S
    shutter.require_open()


def test_a_body_that_the_framework_reads_is_held_to_its_digest_and_size(web) -> None:
    agency = b'{"id": "H98", "name": "a"}'

    def send(content: object, **headers: str):
        return web.ask(
            "POST",
            "/v1/agencies",
            as_="admin@*",
            content=content,
            headers={"content-type": "application/json", **headers},
        )

    wrong = {"content-digest": "sha-256=:AAAA:"}
    answer = send(agency, **wrong)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-request")
    assert web.ask("GET", "/v1/agencies/H98", as_="admin@*").status_code == 404

    async def endless():
        for _ in range(17):
            yield b" " * (1 << 20)

    assert send(endless()).json()["code"] == "body-too-large"
    assert send(b"{not json").status_code == 422
    assert send(agency).status_code == 201


def test_an_answer_that_breaks_off_is_cut_instead_of_ended_well(web) -> None:
    record = web.published()

    def broken(*arguments: object):
        yield b"%PDF"
        raise StoreError("away")

    web.room.blobs.read = broken
    big = dataclasses.replace(web.room.blobs.stat(record["result_sha256"]), size_bytes=9 << 20)
    web.room.blobs.stat = lambda sha256: big
    web.transport.raise_app_exceptions = True
    with pytest.raises(StoreError):
        web.ask("GET", record["links"]["report"], as_="clerk")


def test_the_end_of_the_application_writes_the_last_refusals(web) -> None:
    async def whole_life() -> None:
        async with (
            web.app.router.lifespan_context(web.app),
            web.client(as_="auditor") as http,
        ):
            answer = await http.get("/v1/jobs/job_" + "0" * 26)
            assert answer.status_code == 404
            answer = await http.put("/v1/blobs/" + "0" * 64, content=b"x")
            assert answer.status_code == 403

    asyncio.run(whole_life())
    assert "request.refused" in [entry.event for entry in web.room.events()]
