"""Keys, CSC, profiles, jobs and the audit log over HTTP: who sees what."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest
from cryptography import x509

from dossier.audit.export import MEDIA_TYPE
from dossier.audit.heads import HeadSealer
from signer.algorithms import verify_digest
from tests.fixtures_web import Web, document

# --- keys ------------------------------------------------------------------------------------


def test_a_caller_sees_its_own_keys_with_their_certificates(web: Web) -> None:
    found = web.ask("GET", "/v1/keys", as_="leader").json()["items"]
    assert {key["label"] for key in found} == {"officer", "leader", "seal"}
    for key in found:
        certificate = x509.load_pem_x509_certificate(key["certificate"].encode())
        assert certificate == web.room.keys[key["label"]].certificate
        assert key["state"] == "enabled"
        assert key["hardware"] is False
    assert web.ask("GET", "/v1/keys", as_="auditor").json()["items"] == []
    one = web.ask("GET", "/v1/keys/seal", as_="leader")
    assert one.json()["label"] == "seal"
    assert web.ask("GET", "/v1/keys/seal", as_="auditor").status_code == 404


def test_no_agent_no_keys(web: Web) -> None:
    web.agent.gone = True
    answer = web.ask("GET", "/v1/keys", as_="leader")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "3"


# --- CSC -------------------------------------------------------------------------------------


def test_csc_info_needs_nobody(web: Web) -> None:
    told = web.ask("POST", "/csc/v2/info", json={}).json()
    assert told["specs"] == "2.0.0.2"
    assert "signatures/signHash" in told["methods"]


def test_csc_signs_hashes_in_the_callers_name(web: Web) -> None:
    asked = {"credentialID": "seal", "certificates": "chain", "certInfo": True, "authInfo": True}
    info = web.ask("POST", "/csc/v2/credentials/info", as_="clerk", json=asked).json()
    assert info["key"]["status"] == "enabled"
    assert info["auth"] == {"mode": "implicit"}
    certificate = x509.load_der_x509_certificate(base64.b64decode(info["cert"]["certificates"][0]))
    digests = [hashlib.sha256(bytes([n])).digest() for n in range(3)]
    answer = web.ask(
        "POST",
        "/csc/v2/signatures/signHash",
        as_="clerk",
        json={
            "credentialID": "seal",
            "hashes": [base64.b64encode(digest).decode() for digest in digests],
            "signAlgo": info["key"]["algo"][0],
            "hashAlgorithmOID": "2.16.840.1.101.3.4.2.1",
        },
    )
    assert answer.status_code == 200, answer.text
    for digest, signature in zip(digests, answer.json()["signatures"], strict=True):
        scheme = web.room.keys["seal"].scheme
        verify_digest(certificate.public_key(), scheme, base64.b64decode(signature), digest)
    context = web.agent.contexts[-1]
    clerk, _ = web.identity.authenticate_key(web.keys["clerk"])
    assert context["principal"] == clerk.principal_id
    assert (context["agency"], context["purpose"]) == (clerk.agency_id, "remote")


@pytest.mark.parametrize(
    ("caller", "change", "status", "error"),
    [
        (None, {}, 401, "invalid_token"),
        ("auditor", {}, 403, "access_denied"),
        ("clerk", {"credentialID": "somebody-elses"}, 403, "access_denied"),
        ("clerk", {"hashes": ["AAAA"]}, 422, "invalid_request"),
        ("clerk", {"hashes": ["=!="]}, 422, "invalid_request"),
        ("clerk", {"hashes": []}, 422, "invalid_request"),
        ("clerk", {"signAlgo": "1.2.3"}, 422, "invalid_request"),
    ],
)
def test_csc_refusals_speak_csc_too(web: Web, caller, change, status, error) -> None:
    body = {
        "credentialID": "seal",
        "hashes": ["A" * 43 + "="],
        "signAlgo": "1.2.840.10045.4.3.2",
        **change,
    }
    answer = web.ask("POST", "/csc/v2/signatures/signHash", as_=caller, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]
    assert not web.agent.contexts


def test_csc_lists_and_timestamps(web: Web) -> None:
    listed = web.ask("POST", "/csc/v2/credentials/list", as_="clerk", json={"maxResults": 2})
    assert len(listed.json()["credentialIDs"]) == 2
    asked = {"hash": "A" * 43 + "=", "hashAlgo": "2.16.840.1.101.3.4.2.1"}
    stamped = web.ask("POST", "/csc/v2/signatures/timestamp", as_="clerk", json=asked)
    assert base64.b64decode(stamped.json()["timestamp"])
    web.agent.gone = True
    gone = web.ask("POST", "/csc/v2/signatures/timestamp", as_="clerk", json=asked)
    assert (gone.status_code, gone.json()["error"]) == (503, "temporarily_unavailable")


# --- profiles and jobs -----------------------------------------------------------------------


def test_profiles_name_their_legal_basis(web: Web) -> None:
    found = web.ask("GET", "/v1/profiles", as_="auditor").json()["items"]
    assert {"P1", "P5"} <= {profile["id"] for profile in found}
    assert all(profile["legal_basis"] for profile in found)
    one = web.ask("GET", "/v1/profiles/P1", as_="auditor", headers={"accept-language": "vi"})
    assert one.json()["in_force"] is True
    english = web.ask("GET", "/v1/profiles/P1", as_="auditor").json()
    assert english["title"] != one.json()["title"]
    assert web.ask("GET", "/v1/profiles/P99", as_="auditor").status_code == 404


def test_jobs_are_seen_and_cancelled_through_what_they_work_for(web: Web) -> None:
    record = web.sign().json()
    params = {"subject": record["id"]}
    (job,) = web.ask("GET", "/v1/jobs", as_="clerk", params=params).json()["items"]
    assert (job["kind"], job["state"]) == ("signature", "ready")
    path = f"/v1/jobs/{job['id']}"
    assert web.ask("GET", path, as_="clerk").json() == job
    assert web.ask("DELETE", path, as_="auditor").status_code == 403
    cancelled = web.ask("DELETE", path, as_="clerk")
    assert cancelled.json()["state"] == "cancelled"
    assert web.ask("DELETE", path, as_="clerk").status_code == 409
    shown = web.ask("GET", record["links"]["self"], as_="clerk").json()
    assert shown["state"] == "cancelled"
    assert web.ask("GET", "/v1/jobs", as_="scanner").status_code == 403


# --- the audit log ---------------------------------------------------------------------------


def test_the_log_is_read_page_by_page_by_those_who_may(web: Web) -> None:
    web.sign()
    for nobody in ("clerk", "leader", "scanner"):
        assert web.ask("GET", "/v1/audit", as_=nobody).status_code == 403
    seen, path = [], "/v1/audit?limit=3"
    while path:
        answer = web.ask("GET", path, as_="auditor")
        seen += answer.json()["items"]
        path = answer.headers.get("link", "").partition(">")[0].removeprefix("<")
    clerk, _ = web.identity.authenticate_key(web.keys["clerk"])
    assert {entry["agency"] for entry in seen} == {clerk.agency_id}
    assert "signature.accepted" in {entry["event"] for entry in seen}
    whole = web.ask("GET", "/v1/audit?limit=200", as_="auditor@*").json()["items"]
    assert len(whole) > len(seen)
    assert [entry["seq"] for entry in whole] == list(range(1, len(whole) + 1))


def test_an_export_is_an_entry_and_shows_others_as_digests(web: Web) -> None:
    answer = web.ask("GET", "/v1/audit/export", as_="auditor")
    assert answer.headers["content-type"].startswith(MEDIA_TYPE)
    lines = [json.loads(line) for line in answer.content.splitlines()]
    assert lines[-1]["type"] == "end"
    kinds = {line["type"] for line in lines}
    assert {"entry", "digest"} <= kinds
    assert "audit.exported" in {
        entry.event for entry in web.room.events() if entry.agency_id is not None
    }


def test_an_entry_is_proved_under_a_sealed_head(web: Web) -> None:
    web.sign()
    seq = next(e.seq for e in web.room.events() if e.event == "signature.accepted")
    path = f"/v1/audit/{seq}/proof"
    early = web.ask("GET", path, as_="auditor")
    assert early.status_code == 409
    assert web.ask("GET", "/v1/audit/head", as_="auditor").json()["sealed"] is None
    HeadSealer(web.room.audit, web.room.pki.leader, web.room.pki.timestamper).seal()
    proof = web.ask("GET", path, as_="auditor")
    assert proof.status_code == 200, proof.text
    assert json.loads(proof.json()["entry"])["seq"] == seq
    assert web.ask("GET", path, as_="auditor@B").status_code == 404
    assert web.ask("GET", "/v1/audit/head", as_="auditor").json()["sealed"]["seq"] >= seq
    assert web.ask("GET", "/v1/audit/0/proof", as_="auditor").status_code == 422


def test_digitizations_are_ordered_followed_and_cancelled(web: Web) -> None:
    sha256 = web.room.put(document(3))
    order = {
        "scans": [sha256],
        "title": "Đơn mẫu",
        "dossier_code": "H22.12-260105-0001",
        "component_code": "TP1",
        "station": "tram-01",
        "officer": "Nguyễn Mẫu",
    }
    key = {"idempotency-key": "dig-1"}
    made = web.ask("POST", "/v1/digitizations", as_="scanner", json=order, headers=key)
    again = web.ask("POST", "/v1/digitizations", as_="scanner", json=order, headers=key)
    assert made.status_code == again.status_code == 202
    assert made.content == again.content
    path = made.headers["location"]
    assert web.ask("GET", f"{path}/record", as_="scanner").status_code == 409
    listed = web.ask("GET", "/v1/digitizations", as_="clerk").json()["items"]
    assert [entry["id"] for entry in listed] == [made.json()["id"]]
    tag = {"if-match": made.headers["etag"]}
    assert web.ask("DELETE", path, as_="clerk", headers=tag).status_code == 403
    cancelled = web.ask("DELETE", path, as_="scanner", headers=tag)
    assert cancelled.json()["state"] == "cancelled"
    same = {"if-none-match": cancelled.headers["etag"]}
    assert web.ask("GET", path, as_="scanner", headers=same).status_code == 304
    lacking = {name: value for name, value in order.items() if name != "dossier_code"}
    refused = web.ask("POST", "/v1/digitizations", as_="scanner", json=lacking, headers=key)
    assert refused.json()["errors"][0]["field"] == "body.dossier_code"
