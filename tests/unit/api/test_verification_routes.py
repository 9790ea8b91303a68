"""Verification over HTTP: what comes in, what goes out, who may ask for more than an answer."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import uuid

import pikepdf
import pytest
from lxml import etree

from api.web.verification_answers import format_of
from dossier.errors import Overloaded
from dossier.trust.snapshot import Snapshot
from dossier.verifying.receipts import Receipts
from signer.sealing.levels import Level
from tests.fixtures_web import Web

PATH = "/v1/verifications"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, "json"), ("*/*", "json"), ("text/html", "json"), ("application/xml", "xml"),
        ("text/xml;q=0.9, application/json;q=0.5", "xml"), ("application/pdf", "pdf"),
        ("application/pdf;q=0.4, */*;q=0.4", "json"), ("application/pdf, */*", "json"),
        ("application/pdf;q=nonsense", "json"), ("application/pdf;q=0", "json"),
        ("APPLICATION/PDF ; q=0.8, text/html", "pdf"),
    ],
)  # fmt: skip
def test_accept_decides(accept, wanted):
    assert format_of(accept) == wanted


def test_a_file_may_come_raw_or_in_a_form_and_the_answer_is_the_same(web: Web, signed) -> None:
    data = signed["B-LTA"]
    at = {"at": "2027-01-01T00:00:00+07:00"}
    raw = web.ask("POST", PATH, content=data, params=at)
    form = web.ask("POST", PATH, files={"document": ("../x.pdf", data)}, params=at)
    assert raw.status_code == form.status_code == 200
    assert raw.json() == form.json()
    assert raw.json()["indication"] == "TOTAL-PASSED"
    assert raw.json()["verified_at"] == "2027-01-01T00:00:00+07:00"
    xml = web.ask("POST", PATH, content=data, headers={"accept": "application/xml"})
    assert etree.fromstring(xml.content).tag.endswith("}ValidationReport")
    pdf = web.ask("POST", PATH, content=data, headers={"accept": "application/pdf"})
    assert pdf.headers["content-type"] == "application/pdf"
    assert pdf.content.startswith(b"%PDF-1.7")


def test_anonymous_verification_stores_nothing(web: Web, signed) -> None:
    before = len(list(web.room.blobs.all())), len(web.room.events())
    assert web.ask("POST", PATH, content=signed["B-B"]).status_code == 200
    assert (len(list(web.room.blobs.all())), len(web.room.events())) == before
    assert not list((web.folder / "incoming").glob("*"))


def test_the_expected_agency_is_compared(web: Web, signed) -> None:
    right = web.ask("POST", PATH, content=signed["B-LTA"]).json()["signatures"][0]["organisation"]
    for name, wanted in ((right, "TOTAL-PASSED"), ("Sở Khác", "INDETERMINATE")):
        said = web.ask(
            "POST", PATH, content=signed["B-LTA"], params={"expected_agency": name}
        ).json()
        assert (said["indication"], said["expected_agency"]["name"]) == (wanted, name)


@pytest.mark.parametrize(
    ("params", "status", "code"),
    [
        ({"at": "soon"}, 400, "malformed-request"),
        ({"receipt": "true"}, 401, "unauthenticated"),
        ({"keep": "true"}, 401, "unauthenticated"),
        ({"receipt": "perhaps"}, 422, "invalid-content"),
    ],
)
def test_what_is_refused_to_strangers(web: Web, signed, params, status, code) -> None:
    answer = web.ask("POST", PATH, content=signed["B-B"], params=params)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_document_that_is_here_already_is_named(web: Web, signed) -> None:
    sha256 = web.room.put(signed["B-T"])
    said = web.ask("POST", PATH, json={"sha256": sha256}, as_="clerk").json()
    assert said["document"]["sha256"] == sha256
    record = web.published(level="B-T")
    said = web.ask("POST", PATH, json={"record_id": record["id"]}, as_="clerk").json()
    assert said["document"]["sha256"] == record["result_sha256"]
    assert said["integrity"] == "INTACT"
    for body, as_, status in (
        ({"sha256": sha256}, None, 401),
        ({"sha256": sha256}, "clerk@B", 404),
        ({"record_id": record["id"]}, "clerk@B", 404),
        ({"sha256": "0" * 64}, "clerk", 404),
        ({}, "clerk", 422),
        ({"sha256": sha256, "record_id": record["id"]}, "clerk", 422),
        ({"sha256": "x"}, "clerk", 422),
        ({"record_id": web.sign().json()["id"]}, "clerk", 409),
    ):
        assert web.ask("POST", PATH, json=body, as_=as_).status_code == status, (body, as_)


# --- receipts ----------------------------------------------------------------------------------


def test_a_receipt_is_sealed_with_a_key_of_the_caller_and_audited(web: Web, signed) -> None:
    answer = web.ask(
        "POST", PATH, content=signed["B-LTA"], as_="clerk",
        params={"receipt": "true", "receipt_key": "seal", "reference": "qd-12.pdf"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/pdf"
    said = web.ask("POST", PATH, content=answer.content).json()
    assert (said["indication"], said["integrity"]) == ("TOTAL-PASSED", "INTACT")
    (signature,) = said["signatures"]
    assert (signature["field"], signature["level"]) == ("receipt", "B-LTA")
    (event,) = [e for e in web.room.events() if e.event == "verification.receipt"]
    assert event.details["receipt_sha256"] == hashlib.sha256(answer.content).hexdigest()
    assert event.details["document_sha256"] == hashlib.sha256(signed["B-LTA"]).hexdigest()
    context = web.room.contexts[-1]
    assert (context["purpose"], context["subject"]) == ("receipt", event.subject)
    assert len(event.details["digests"]) == 1
    with pikepdf.open(io.BytesIO(answer.content)) as opened, opened.open_metadata() as meta:
        assert (meta["pdfaid:part"], meta["pdfaid:conformance"]) == ("2", "U")


def test_who_may_not_have_a_receipt(web: Web, signed) -> None:
    calls = web.room.signatures
    for as_, params, status in (
        ("clerk", {"receipt_key": "unknown"}, 403),
        ("scanner", {"receipt_key": "seal"}, 403),
        ("auditor", {"receipt_key": "seal"}, 403),
        ("clerk", {}, 422),  # the service has no key of its own here
    ):
        answer = web.ask(
            "POST", PATH, content=signed["B-B"], as_=as_, params={"receipt": "true", **params}
        )
        assert answer.status_code == status, (as_, params, answer.text)
    assert web.room.signatures == calls


def test_the_services_own_key_serves_everybody_who_may_ask(web: Web, signed) -> None:
    made = Receipts(
        web.room.audit, web.room.desk, own_key="officer", maker="Sohoa", level=Level.B_B
    )
    object.__setattr__(web.house, "receipts", made)
    answer = web.ask("POST", PATH, content=signed["B-B"], as_="auditor", params={"receipt": "true"})
    assert answer.status_code == 200, answer.text
    assert web.room.contexts[-1]["purpose"] == "receipt"


# --- what is kept ------------------------------------------------------------------------------


def test_what_was_kept_gives_the_same_answer_again(web: Web, signed) -> None:
    data = signed["B-LTA"]
    first = web.ask(
        "POST", PATH, content=data, as_="clerk", params={"keep": "true", "reference": "qd-12"}
    )
    assert first.status_code == 201, first.text
    place = first.headers["location"]
    shown = web.ask("GET", place, as_="auditor").json()
    assert shown["sha256"] == hashlib.sha256(data).hexdigest()
    assert (shown["reference"], shown["indication"]) == ("qd-12", "TOTAL-PASSED")
    assert web.ask("GET", f"{place}/report", as_="clerk").json() == first.json()
    pdf = web.ask("GET", f"{place}/report", as_="clerk", headers={"accept": "application/pdf"})
    assert pdf.content.startswith(b"%PDF-")
    # years later, the document and the kept trust store alone give the very same answer
    trust = web.ask("GET", f"{place}/trust", as_="clerk").content
    at = dt.datetime.fromisoformat(first.json()["verified_at"])
    assert Snapshot.unpack(trust).verifier().verify(data, at).to_json() == first.json()
    listed = web.ask(
        "GET", "/v1/kept-verifications", as_="clerk", params={"sha256": shown["sha256"]}
    ).json()
    assert [entry["id"] for entry in listed["items"]] == [shown["id"]]


def test_what_another_trust_store_judged_is_not_kept(web: Web, signed) -> None:
    report = web.ask("POST", PATH, content=signed["B-B"]).json()
    report["trust"]["sha256"] = "0" * 64
    caller, _ = web.identity.authenticate_key(web.keys["clerk"])
    with pytest.raises(Overloaded, match="send it again"):
        web.house.kept.keep(caller, report)


def test_deleting_is_an_audited_act(web: Web, signed) -> None:
    place = web.ask(
        "POST", PATH, content=signed["B-B"], as_="clerk", params={"keep": "true"}
    ).headers["location"]
    assert web.ask("DELETE", place, as_="officer", headers={"if-match": '"1"'}).status_code == 403
    assert web.ask("DELETE", place, as_="clerk", headers={"if-match": '"7"'}).status_code == 412
    report = web.ask("GET", place, as_="clerk").json()["report_sha256"]
    gone = web.ask("DELETE", place, as_="clerk", headers={"if-match": '"1"'}).json()
    assert gone["report_sha256"] is None
    assert gone["deleted_at"]
    again = web.ask("DELETE", place, as_="clerk", headers={"if-match": '"2"'})
    assert again.json()["deleted_at"] == gone["deleted_at"]
    for part in ("report", "trust"):
        assert web.ask("GET", f"{place}/{part}", as_="clerk").status_code == 409
    assert web.ask("GET", f"/v1/blobs/{report}", as_="clerk").status_code == 404
    names = web.room.event_names(gone["id"])
    assert names == ["verification.kept", "verification.deleted"]


# --- many --------------------------------------------------------------------------------------


def bulk(web: Web, items, as_: str = "clerk", **body) -> dict:
    answer = web.ask(
        "POST", "/v1/verification-batches", json={"items": items, **body}, as_=as_,
        headers={"idempotency-key": uuid.uuid4().hex},
    )  # fmt: skip
    assert answer.status_code == 202, answer.text
    shown: dict = answer.json()
    return shown


def test_a_list_is_verified_item_by_item(web: Web, signed) -> None:
    broken = bytearray(signed["B-LTA"])
    broken[300] ^= 1
    files = [signed["B-LTA"], signed["B-B"], bytes(broken), b"no pdf"] * 3
    items = [{"sha256": web.room.put(data), "reference": f"hs-{n}"} for n, data in enumerate(files)]
    made = bulk(web, items, title="Đợt mẫu")
    place = made["links"]["self"]
    assert (made["state"], made["done"]) == ("ready", 0)
    web.verify_all(chunk=5)
    now = web.ask("GET", place, as_="auditor").json()
    counted = [now[name] for name in ("passed", "undetermined", "failed", "stopped")]
    assert (now["state"], now["done"], counted) == ("done", 12, [3, 3, 6, 0])
    page = web.ask("GET", f"{place}/items", as_="clerk", params={"limit": 4}).json()
    assert [entry["reference"] for entry in page["items"]] == ["hs-0", "hs-1", "hs-2", "hs-3"]
    assert [entry["integrity"] for entry in page["items"]] == [
        "INTACT", "INTACT", "BROKEN", "MALFORMED",
    ]  # fmt: skip
    failed = web.ask(
        "GET", f"{place}/items", as_="clerk", params={"indication": "TOTAL-FAILED"}
    ).json()["items"]
    assert len(failed) == 6
    report = web.ask("GET", page["items"][0]["links"]["report"], as_="clerk")
    assert report.json()["document"]["sha256"] == items[0]["sha256"]
    pdf = web.ask(
        "GET", page["items"][0]["links"]["report"], as_="clerk",
        headers={"accept": "application/pdf"},
    )  # fmt: skip
    assert pdf.content.startswith(b"%PDF-")
    assert web.room.event_names(made["id"]) == [
        "verification-batch.accepted", "verification-batch.done",
    ]  # fmt: skip


def test_progress_is_streamed_to_the_end(web: Web, signed) -> None:
    made = bulk(web, [{"sha256": web.room.put(signed["B-B"])}])
    web.verify_all()
    events = web.ask("GET", made["links"]["events"], as_="clerk")
    assert events.headers["content-type"].startswith("text/event-stream")
    lines = dict(line.split(": ", 1) for line in events.text.splitlines() if ": " in line)
    assert lines["event"] == "done"
    assert json.loads(lines["data"])["undetermined"] == 1
    again = web.ask(
        "GET", made["links"]["events"], as_="clerk", headers={"last-event-id": lines["id"]}
    )
    assert again.status_code == 204


def test_what_is_cancelled_is_skipped_and_what_is_done_stays(web: Web, signed) -> None:
    sha256 = web.room.put(signed["B-B"])
    made = bulk(web, [{"sha256": sha256}] * 3)
    place = made["links"]["self"]
    work = web.room.jobs.claim("ocr", "checker", 1, 60)  # one was begun
    assert work
    gone = web.ask("DELETE", place, as_="clerk", headers={"if-match": '"1"'})
    assert gone.json()["state"] == "cancelled"
    assert web.ask("DELETE", place, as_="clerk", headers={"if-match": '"2"'}).status_code == 409
    items = web.ask("GET", f"{place}/items", as_="clerk").json()["items"]
    assert {entry["state"] for entry in items} == {"skipped"}
    assert web.ask("GET", f"{place}/items/1/report", as_="clerk").status_code == 409
    assert web.ask("GET", f"{place}/items/4/report", as_="clerk").status_code == 404


def test_an_order_is_taken_once_and_held_to_its_key(web: Web, signed) -> None:
    sha256 = web.room.put(signed["B-B"])
    headers = {"idempotency-key": "dot-1"}
    body = {"items": [{"sha256": sha256}]}
    answers = [
        web.ask("POST", "/v1/verification-batches", json=body, as_="clerk", headers=headers)
        for _ in range(2)
    ]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    other = web.ask(
        "POST", "/v1/verification-batches", json={**body, "title": "khác"}, as_="clerk",
        headers=headers,
    )  # fmt: skip
    assert other.status_code == 409
    missing = web.ask(
        "POST", "/v1/verification-batches", json={"items": [{"sha256": "0" * 64}]}, as_="clerk",
        headers={"idempotency-key": "dot-2"},
    )  # fmt: skip
    assert missing.status_code == 422
    assert missing.json()["errors"][0]["field"] == "items.0.sha256"


def test_what_is_asked_of_all_is_asked_of_each(web: Web, signed) -> None:
    made = bulk(
        web, [{"sha256": web.room.put(signed["B-LTA"])}],
        at="2027-01-01T00:00:00Z", expected_agency="Sở Khác",
    )  # fmt: skip
    web.verify_all()
    (item,) = web.ask("GET", made["links"]["items"], as_="clerk").json()["items"]
    assert item["sub_indication"] == "SIG_CONSTRAINTS_FAILURE"
    report = web.ask("GET", item["links"]["report"], as_="clerk").json()
    assert report["verified_at"].startswith("2027-01-01T00:00:00")
    assert report["expected_agency"]["found"] is False
