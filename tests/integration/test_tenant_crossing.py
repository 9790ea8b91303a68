"""Agency B walks every route with the ids of agency A: nothing seen, nothing changed.

A route without an entry in `_attacks` fails the test: whoever adds a route says here how a
neighbour would try it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa

from api.auth import authenticator_of
from api.auth import refusals as refusals_module
from dossier.identity import AgencyPolicy
from dossier.register.checkpoints import Checkpointer
from dossier.search.values import SearchDocument
from dossier.storage import tables
from tests.arranged_stacks import ORDER, arranged_stack
from tests.checking_room import paper_to_check
from tests.fixtures_signing import AGENCY, OTHER_AGENCY
from tests.fixtures_web import Web, document
from tests.search_pages import page_of

ROLES = ("scanner", "officer", "leader", "clerk", "auditor", "admin")
A_KEY = "leader"  # a key that only agency A may use
# paths that show everybody the same, or nothing of any agency
OPEN = {
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "POST /csc/v2/info",
    "POST /v1/proofs",  # reads a photograph that is handed in, and nothing of ours but keys
    "GET /v1/records",
    "GET /v1/records/{code}",
    "GET /v1/records/{code}/proof",
    "GET /v1/register/checkpoint",
    "GET /v1/register/entries",
    "GET /v1/register/proof/inclusion",
    "GET /v1/register/proof/consistency",
    "GET /v1/profiles",
    "GET /v1/profiles/{profile_id}",
}
# may be changed by what agency B does in its own name, or by being refused
MOVING = {"audit_entries", "audit_heads", "idempotency", "house_settings"}


@dataclass
class Neighbour:
    """Agency A: one of everything. `ids` by the name of the path parameter."""

    ids: dict[str, str]
    sha256: str
    secrets: set[str] = field(default_factory=set)  # texts that no answer to B may hold


@dataclass(frozen=True)
class Attack:
    """One way to try a route as agency B.

    `role` is the one that could do it at home: it must meet exactly `status`. The other roles
    must be refused, too, in one way or another (`REFUSED`), unless the answer is B's own list.
    """

    role: str
    status: int
    body: Any = None
    params: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None
    own: bool = False  # the answer is of B's own things, and 2xx


_WORDS = (
    "label", "seq", "file", "part", "profile_id", "position", "evidence", "target", "key",
    "dossier_code",
)  # fmt: skip
REFUSED = {403, 404, 409, 412, 422}


@pytest.fixture
def neighbour(web: Web) -> Neighbour:
    """Agency A with one of everything, and B without the right to A's key."""
    house = web.house_admin
    version = web.identity.agencies.get(house, OTHER_AGENCY).version
    web.identity.agencies.change(
        house,
        OTHER_AGENCY,
        version=version,
        policy=AgencyPolicy(keys=frozenset({"seal", "officer"})),
    )
    published = web.published(number=17, symbol="QĐ-UBND")
    blob = document(99)
    sha256 = web.room.put(blob)
    checkpoint(web)
    pending = web.sign(document(2)).json()

    def made(path: str, body: Any, as_: str) -> dict[str, Any]:
        answer = web.ask(
            "POST", path, json=body, as_=as_, headers={"idempotency-key": uuid.uuid4().hex}
        )
        assert answer.status_code in (201, 202), answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    order = {"key": "seal"}
    sequence = made(
        "/v1/sequences",
        {
            "document": {"sha256": sha256},
            "leader_key": "leader",
            "agency_key": "seal",
            "symbol": "QĐ-UBND",
        },
        "clerk",
    )
    batch = made(
        "/v1/signature-batches", {"order": order, "items": [{"source_sha256": sha256}]}, "clerk"
    )
    digitization = made("/v1/digitizations", _digitization(sha256), "officer")
    stack, pages = arranged_stack(web, AGENCY, [sha256, sha256])
    paper_id = paper_to_check(web, stack["id"], pages)
    sheet = made("/v1/cover-sheets", _SHEET, "officer")
    indexed = SearchDocument(digitization["id"], AGENCY, "Tên chỉ A biết", "H22.12-1", "TP1")
    with web.room.database.begin() as connection:
        web.house.search.put(connection, indexed, [page_of("phiếu mật của đơn vị A")])
    found = web.ask("GET", "/v1/search", params={"q": "phieu mat"}, as_="officer").json()["items"]
    assert [hit["document"]["title"] for hit in found] == [indexed.title]
    webhook = made("/v1/webhooks", {"url": "http://127.0.0.1:9/a", "events": ["*"]}, "admin")
    delivery = made(f"/v1/webhooks/{webhook['id']}/test", None, "admin")
    client = made(
        "/v1/clients", {"agency_id": AGENCY, "name": "Máy A", "roles": ["clerk"]}, "admin"
    )
    key = made(f"/v1/clients/{client['id']}/keys", {}, "admin")
    bulk = made("/v1/verification-batches", {"items": [{"sha256": sha256}]}, "clerk")
    kept = web.ask("POST", "/v1/verifications", content=blob, as_="clerk", params={"keep": "true"})
    job = web.ask("GET", "/v1/jobs", as_="clerk").json()["items"][0]
    entry = next(e for e in web.room.events() if e.agency_id == AGENCY)
    ids = {
        "record_id": published["id"],
        "code": published["code"],
        "sha256": sha256,
        "job_id": job["id"],
        "label": A_KEY,
        "seq": str(entry.seq),
        "digitization_id": digitization["id"],
        "serial": sheet["serial"],
        "stack_id": stack["id"],
        "paper_id": paper_id,
        "target": "field:doc_number",
        "key": "gap-0a",
        "dossier_code": _SHEET["dossier_code"],
        "page_id": pages[0],
        "sequence_id": sequence["id"],
        "batch_id": batch["id"],
        "webhook_id": webhook["id"],
        "delivery_id": delivery["id"],
        "agency_id": AGENCY,
        "client_id": client["id"],
        "key_id": key["id"],
        "file": "result",
        "part": "record",
        "bulk_id": bulk["id"],
        "position": "1",
        "verification_id": kept.headers["location"].rpartition("/")[2],
        "evidence": "report",
        "profile_id": "P1",
    }
    secrets = {
        *(v for k, v in ids.items() if k not in _WORDS),
        pending["id"],
        published["result_sha256"],
        published["source_sha256"],
        webhook["secret"],
        key["text"],
        client["name"],
        indexed.title,
        sheet["printed_serial"],
        sheet["station"],
    }
    return Neighbour(ids, sha256, secrets)


def checkpoint(web: Web) -> None:
    """What the house worker's chore does: the export needs one."""
    key = web.agent.keys["register"]
    log = web.house.register.log
    Checkpointer(log, web.room.audit, key, None, origin="so.example.vn/ket-qua").make()


def _digitization(sha256: str) -> dict[str, Any]:
    return {
        "scans": [sha256],
        "title": "Đơn mẫu",
        "dossier_code": "H22.12-260105-0001",
        "component_code": "TP1",
        "station": "tram-01",
        "officer": "Nguyễn Mẫu",
    }


_SHEET = {
    "dossier_code": "H22.12-260105-0001",
    "station": "quay-bí-mật-A",
    "components": [{"code": "TP1", "name": "Đơn mẫu", "pages": 2}],
}


def _another(identifier: str) -> str:
    """An id of the same form that nothing has."""
    return identifier[:-1] + ("1" if identifier.endswith("0") else "0")


def _attacks(a: Neighbour) -> dict[str, list[Attack]]:
    key = {"idempotency-key": "crossing"}
    tag = {"if-match": '"1"'}
    both = key | tag
    document_of_a = {"document": {"sha256": a.sha256}}
    numbering = {"decided_on": "2026-01-05"}
    sign = {"document": {"sha256": a.sha256}, "order": {"key": "seal"}}
    pdf = {**key, "content-type": "application/pdf"}
    own = [Attack("clerk", 200, own=True)]
    return {
        "POST /v1/signatures": [
            Attack("clerk", 404, sign, headers=key),
            Attack("clerk", 403, params={"key": A_KEY}, content=document(5), headers=pdf),
            Attack(
                "clerk",
                409,
                params={
                    "key": "seal",
                    "number": "17",
                    "symbol": "QĐ-UBND",
                    "supersedes": a.ids["record_id"],
                },
                content=document(6),
                headers=pdf,
            ),
        ],
        "GET /v1/signatures": own,
        "GET /v1/signatures/{record_id}": [Attack("clerk", 404)],
        "DELETE /v1/signatures/{record_id}": [Attack("clerk", 404, headers=tag)],
        "GET /v1/signatures/{record_id}/{file}": [Attack("clerk", 404)],
        "POST /v1/signatures/{record_id}/ending/annulment": [
            Attack("leader", 404, {"reason": "của tôi"}),
            Attack("clerk", 404, {"reason": "của tôi"}, headers=tag),
        ],
        "POST /v1/signatures/{record_id}/ending/supersession": [
            Attack("leader", 404, {"by": _another(a.ids["record_id"])}),
        ],
        "GET /v1/register/export": [Attack("auditor", 200, own=True)],
        "HEAD /v1/blobs/{sha256}": [Attack("clerk", 404)],
        "GET /v1/blobs/{sha256}": [Attack("clerk", 404)],
        "PUT /v1/blobs/{sha256}": [
            Attack("clerk", 409, content=b"x", headers={"content-range": "bytes 8-8/9"}),
            Attack("clerk", 422, content=b"not those bytes"),
        ],
        "GET /v1/jobs": [
            Attack("clerk", 200, own=True),
            Attack("clerk", 200, params={"subject": a.ids["record_id"]}, own=True),
        ],
        "GET /v1/jobs/{job_id}": [Attack("clerk", 404)],
        "DELETE /v1/jobs/{job_id}": [Attack("clerk", 404)],
        "GET /v1/keys": own,
        "GET /v1/keys/{label}": [Attack("clerk", 404)],
        "GET /v1/audit": [Attack("auditor", 200, own=True)],
        "GET /v1/audit/head": [Attack("auditor", 200, own=True)],
        "GET /v1/audit/export": [Attack("auditor", 200, own=True)],
        "GET /v1/audit/{seq}/proof": [Attack("auditor", 404)],
        "POST /v1/digitizations": [Attack("officer", 404, _digitization(a.sha256), headers=key)],
        "GET /v1/digitizations": [Attack("officer", 200, own=True)],
        "GET /v1/digitizations/{digitization_id}": [Attack("officer", 404)],
        "DELETE /v1/digitizations/{digitization_id}": [Attack("officer", 404, headers=tag)],
        "GET /v1/digitizations/{digitization_id}/{part}": [Attack("officer", 404)],
        "POST /v1/cover-sheets": [
            Attack("officer", 422, {**_SHEET, "agency_id": AGENCY}, headers=key)
        ],
        "GET /v1/cover-sheets": [
            Attack("officer", 200, own=True),
            Attack("officer", 200, params={"dossier": "H22.12-260105-0001"}, own=True),
        ],
        "GET /v1/cover-sheets/{serial}": [Attack("officer", 404)],
        "GET /v1/cover-sheets/{serial}/sheet": [Attack("officer", 404)],
        "POST /v1/stacks": [Attack("officer", 422, {**ORDER, "agency_id": AGENCY}, headers=key)],
        "GET /v1/stacks": [Attack("officer", 200, own=True)],
        "GET /v1/stacks/{stack_id}": [Attack("officer", 404)],
        "DELETE /v1/stacks/{stack_id}": [Attack("officer", 404)],
        "POST /v1/stacks/{stack_id}/scans": [
            Attack("officer", 404, {"sha256": a.sha256, "name": "a.jpg"})
        ],
        "GET /v1/stacks/{stack_id}/scans": [Attack("officer", 404)],
        "POST /v1/stacks/{stack_id}/close": [Attack("officer", 404)],
        "POST /v1/stacks/{stack_id}/priority": [Attack("officer", 404, {"urgent": True})],
        "GET /v1/stacks/{stack_id}/pages": [Attack("officer", 404)],
        "GET /v1/stacks/{stack_id}/pages/{page_id}/picture": [Attack("officer", 404)],
        "GET /v1/stacks/{stack_id}/arrangement": [Attack("officer", 404)],
        "POST /v1/stacks/{stack_id}/edits": [
            Attack(
                "officer",
                404,
                {"kind": "rotate", "page": a.ids["page_id"], "turns": 1},
                headers=tag,
            )
        ],
        "POST /v1/stacks/{stack_id}/undo": [Attack("officer", 404, headers=tag)],
        "POST /v1/stacks/{stack_id}/redo": [Attack("officer", 404, headers=tag)],
        **_attacks_on_papers(a, tag),
        "GET /v1/search": [
            Attack("officer", 200, params={"q": "phieu mat"}, own=True),
            Attack("officer", 200, params={"q": "phieu", "after": "3.9"}, own=True),
        ],
        "POST /v1/sequences": [
            Attack(
                "clerk",
                404,
                {
                    **document_of_a,
                    "leader_key": "officer",
                    "agency_key": "seal",
                    "symbol": "QĐ",
                },
                headers=key,
            ),
        ],
        "GET /v1/sequences": own,
        "GET /v1/sequences/{sequence_id}": [Attack("clerk", 404)],
        "DELETE /v1/sequences/{sequence_id}": [Attack("clerk", 404, headers=tag)],
        "POST /v1/sequences/{sequence_id}/leader-signature": [Attack("leader", 404, headers=both)],
        "POST /v1/sequences/{sequence_id}/number": [Attack("clerk", 404, numbering, headers=both)],
        "POST /v1/sequences/{sequence_id}/seal": [Attack("clerk", 404, headers=both)],
        "POST /v1/sequences/{sequence_id}/issue": [Attack("clerk", 404, numbering, headers=both)],
        "POST /v1/sequences/{sequence_id}/annexes": [
            Attack("clerk", 404, document_of_a, headers=key)
        ],
        "POST /v1/sequences/{sequence_id}/copies": [
            Attack("clerk", 404, {**document_of_a, "form": "SY"}, headers=key)
        ],
        "GET /v1/sequences/{sequence_id}/documents": [Attack("clerk", 404)],
        "POST /v1/signature-batches": [
            Attack(
                "clerk",
                422,  # the list is refused as a whole, naming what is not there
                {"order": {"key": "seal"}, "items": [{"source_sha256": a.sha256}]},
                headers=key,
            )
        ],
        "GET /v1/signature-batches": own,
        "GET /v1/signature-batches/{batch_id}": [Attack("clerk", 404)],
        "GET /v1/signature-batches/{batch_id}/items": [Attack("clerk", 404)],
        "GET /v1/signature-batches/{batch_id}/sheet": [Attack("clerk", 404)],
        "GET /v1/signature-batches/{batch_id}/events": [Attack("clerk", 404)],
        **{
            f"POST /v1/signature-batches/{{batch_id}}/{move}": [Attack("leader", 404, headers=tag)]
            for move in ("approve", "release", "pause", "resume")
        },
        "DELETE /v1/signature-batches/{batch_id}": [Attack("leader", 404, headers=tag)],
        "POST /v1/verifications": [
            Attack("clerk", 404, {"sha256": a.sha256}),
            Attack("clerk", 404, {"record_id": a.ids["record_id"]}),
        ],
        "GET /v1/kept-verifications": [
            Attack("clerk", 200, own=True),
            Attack("clerk", 200, params={"sha256": a.sha256}, own=True),
        ],
        "GET /v1/verifications/{verification_id}": [Attack("clerk", 404)],
        "GET /v1/verifications/{verification_id}/{evidence}": [Attack("clerk", 404)],
        "DELETE /v1/verifications/{verification_id}": [Attack("clerk", 404, headers=tag)],
        "POST /v1/verification-batches": [
            Attack("clerk", 422, {"items": [{"sha256": a.sha256}]}, headers=key)
        ],
        "GET /v1/verification-batches": own,
        "GET /v1/verification-batches/{bulk_id}": [Attack("clerk", 404)],
        "GET /v1/verification-batches/{bulk_id}/items": [Attack("clerk", 404)],
        "GET /v1/verification-batches/{bulk_id}/items/{position}/report": [Attack("clerk", 404)],
        "GET /v1/verification-batches/{bulk_id}/events": [Attack("clerk", 404)],
        "DELETE /v1/verification-batches/{bulk_id}": [Attack("clerk", 404, headers=tag)],
        "POST /v1/webhooks": [
            Attack("admin", 422, {"url": "http://127.0.0.1:9/b", "events": [AGENCY]})
        ],
        "GET /v1/records/{code}/bundle": [Attack("clerk", 404)],
        "GET /v1/webhooks": [Attack("admin", 200, own=True)],
        "GET /v1/webhooks/{webhook_id}": [Attack("admin", 404)],
        "PATCH /v1/webhooks/{webhook_id}": [Attack("admin", 404, {"enabled": False}, headers=tag)],
        "DELETE /v1/webhooks/{webhook_id}": [Attack("admin", 404, headers=tag)],
        "POST /v1/webhooks/{webhook_id}/secret": [Attack("admin", 404, {}, headers=tag)],
        "POST /v1/webhooks/{webhook_id}/test": [Attack("admin", 404)],
        "GET /v1/webhooks/{webhook_id}/deliveries": [Attack("admin", 404)],
        "POST /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver": [Attack("admin", 404)],
        "POST /csc/v2/credentials/list": [Attack("clerk", 200, {}, own=True)],
        "POST /csc/v2/credentials/info": [Attack("clerk", 403, {"credentialID": A_KEY})],
        "POST /csc/v2/signatures/signHash": [
            Attack(
                "clerk",
                403,
                {
                    "credentialID": A_KEY,
                    "hashes": ["A" * 43 + "="],
                    "signAlgo": "1.2.840.10045.4.3.2",
                },
            )
        ],
        "POST /csc/v2/signatures/timestamp": [
            Attack("clerk", 422, {"hash": "A" * 43 + "=", "hashAlgo": "1.2.3"})
        ],
        "GET /v1/agencies": [Attack("admin", 200, own=True)],
        "POST /v1/agencies": [Attack("admin", 403, {"id": AGENCY, "name": "của tôi"})],
        "GET /v1/agencies/{agency_id}": [Attack("admin", 404)],
        "PATCH /v1/agencies/{agency_id}": [Attack("admin", 403, {"closed": True}, headers=tag)],
        "GET /v1/clients": [
            Attack("admin", 200, own=True),
            Attack("admin", 404, params={"agency_id": AGENCY}),
        ],
        "POST /v1/clients": [
            Attack("admin", 404, {"agency_id": AGENCY, "name": "gián điệp", "roles": ["clerk"]}),
            Attack(
                "admin",
                422,
                {
                    "agency_id": OTHER_AGENCY,
                    "name": "khóa của người khác",
                    "roles": ["clerk"],
                    "keys": [A_KEY],
                },
            ),
        ],
        "GET /v1/clients/{client_id}": [Attack("admin", 404)],
        "PATCH /v1/clients/{client_id}": [
            Attack("admin", 404, {"name": "đổi tên"}, headers=tag),
            Attack("admin", 404, {"disabled": True}, headers=tag),
        ],
        "GET /v1/clients/{client_id}/keys": [Attack("admin", 404)],
        "POST /v1/clients/{client_id}/keys": [Attack("admin", 404, {})],
        "DELETE /v1/api-keys/{key_id}": [Attack("admin", 404)],
        "POST /v1/api-keys/{key_id}/rotations": [Attack("admin", 404, {"overlap_s": 60})],
    }


def _attacks_on_papers(a: Neighbour, tag: dict[str, str]) -> dict[str, list[Attack]]:
    one, value, why = "/v1/papers/{paper_id}", {"value": "12"}, {"reason": "của tôi"}
    mine = Attack("officer", 200, own=True)
    return {
        "GET /v1/papers": [mine, Attack("officer", 200, params={"state": "to-check"}, own=True)],
        "GET /v1/checking/health": [mine],
        "GET /v1/station/day": [
            mine,
            Attack("officer", 200, params={"station": "quay-1"}, own=True),
            Attack("officer", 422, params={"day": "0001-01-01"}),
            Attack("officer", 422, params={"day": "9999-12-31"}),
        ],
        "POST /v1/checking/next": [
            Attack("officer", 200, {"stack_id": a.ids["stack_id"]}, own=True)
        ],
        "GET /v1/dossiers/{dossier_code}/checklist": [Attack("officer", 404)],
        f"GET {one}": [Attack("officer", 404)],
        **{
            f"GET {one}/{part}": [Attack("officer", 404)]
            for part in ("missing", "entries", "corrections", "reuse-candidates", "suggestions")
        },
        f"PUT {one}/lease": [Attack("officer", 404)],
        f"DELETE {one}/lease": [Attack("officer", 404)],
        f"POST {one}/lease/renewals": [Attack("officer", 404)],
        f"PUT {one}/entries/{{target}}": [Attack("officer", 404, value)],
        f"PUT {one}/entries/{{target}}/confirmation": [Attack("officer", 404, value)],
        f"DELETE {one}/entries/{{target}}/confirmation": [Attack("officer", 404)],
        f"PUT {one}/findings/{{key}}": [Attack("officer", 404, why)],
        f"POST {one}/finish": [Attack("officer", 404)],
        f"POST {one}/hold": [Attack("officer", 404, why, headers=tag)],
        f"POST {one}/resume": [Attack("officer", 404, headers=tag)],
        f"POST {one}/retry": [Attack("officer", 404)],
        f"POST {one}/reopen": [Attack("officer", 404, why, headers=tag)],
        f"POST {one}/refusal": [
            Attack("officer", 404, {**why, "ground": "photocopy"}, headers=tag)
        ],
        f"POST {one}/reuse": [Attack("officer", 404, {"earlier": a.ids["paper_id"]}, headers=tag)],
    }


def _rows(web: Web) -> dict[str, list[Any]]:
    """Every row of every table."""
    with web.room.database.read() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in tables.metadata.sorted_tables
        }


def _operations(web: Web) -> Iterator[str]:
    described = web.ask("GET", "/openapi.json").json()
    for path, item in described["paths"].items():
        for method in item:
            yield f"{method.upper()} {path}"


def _url(path: str, ids: dict[str, str]) -> str:
    return path.format_map(ids)


def _send(web: Web, operation: str, attack: Attack, a: Neighbour, as_: str) -> Any:
    method, _, path = operation.partition(" ")
    options: dict[str, Any] = {"headers": attack.headers, "params": attack.params}
    if attack.content is not None:
        options["content"] = attack.content
    elif attack.body is not None:
        options["json"] = attack.body
    return web.ask(method, _url(path, a.ids), as_=as_, **options)


def _try_all_roles(
    web: Web, operation: str, attack: Attack, a: Neighbour
) -> set[tuple[str, str, str]]:
    """Send it as each role of B; the refusals that have to be in the audit log."""
    refusals = set()
    before = _rows(web)
    for role in ROLES:
        answer = _send(web, operation, attack, a, f"{role}@B")
        told = (operation, role, answer.status_code, answer.text[:300])
        if role == attack.role:
            assert answer.status_code == attack.status, told
        elif not attack.own:
            assert answer.status_code in REFUSED, told
        else:
            assert answer.status_code in (200, 403), told
        shown = answer.text + json.dumps(dict(answer.headers))
        asked = json.dumps([_url(operation, a.ids), attack.body, attack.params])
        leaked = {secret for secret in a.secrets if secret in shown and secret not in asked}
        assert not leaked, (told, leaked)
        # HEAD asks whether an upload is needed; it answers what nobody has in the same way
        if answer.status_code in (403, 404, 409) and answer.request.method != "HEAD":
            refusals.add((role, operation.partition(" ")[0], answer.json()["code"]))
    after = _rows(web)
    for name, rows in before.items():
        if name not in MOVING:
            assert after[name] == rows, (operation, name)
    return refusals


def test_nothing_is_seen_nothing_is_changed_every_refusal_is_audited(
    web: Web, neighbour: Neighbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the slower this runs, the more entries there are for one kind: let none be only counted
    monkeypatch.setattr(refusals_module, "_PER_S", 1e6)
    attacks = _attacks(neighbour)
    operations = set(_operations(web))
    assert operations - OPEN == set(attacks), "a route is new, or gone: say how it is tried"
    refusals: set[tuple[str, str, str]] = set()
    # the audit log first: later on it shows B what B itself asked for in vain
    for operation, ways in sorted(attacks.items(), key=lambda entry: "/v1/audit" not in entry[0]):
        for attack in ways:
            refusals |= _try_all_roles(web, operation, attack, neighbour)
    assert len({refusal for refusal in refusals if refusal[2] == "not-found"}) > 10
    _flush(web)
    names = {p.id: p.name for p in web.identity.principals.list(web.house_admin, limit=200)}
    audited = {
        (names[e.actor].removesuffix("@B"), e.details["method"], e.details["code"])
        for e in web.room.events()
        if e.event == "request.refused" and e.agency_id == OTHER_AGENCY
    }
    assert refusals <= audited


def _flush(web: Web) -> None:
    """Write what waits: a burst of 100 entries at a time."""
    refusals = authenticator_of(web.app).refusals
    while refusals.flush():
        pass


def test_routes_that_are_not_described_are_known(web: Web) -> None:
    described = {operation.partition(" ")[2] for operation in _operations(web)}
    undescribed = {
        path
        for route in web.app.routes
        if (path := getattr(route, "path", "")) and path not in described
    }
    assert undescribed <= {"/openapi.json"}


def test_the_attacks_are_real(web: Web, neighbour: Neighbour) -> None:
    """The same ids work for agency A itself, so that a wrong id proves nothing by its 404."""
    for operation, ways in _attacks(neighbour).items():
        method, _, path = operation.partition(" ")
        if method == "GET" and ways[0].status == 404 and not path.endswith(("sheet", "events")):
            role = "auditor" if "audit" in path else ways[0].role
            answer = _send(web, operation, ways[0], neighbour, role)
            assert answer.status_code in (200, 409), (operation, answer.text)
