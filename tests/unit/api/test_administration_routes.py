"""Agencies, clients and API keys administered over HTTP."""

from __future__ import annotations

from tests.fixtures_signing import AGENCY
from tests.fixtures_web import Web


def test_an_agency_from_its_making_to_its_end(web: Web) -> None:
    made = web.ask(
        "POST", "/v1/agencies", as_="admin@*", json={"id": "H99", "name": "Xã Thử", "policy": {}}
    )
    assert made.status_code == 201
    path = made.headers["location"]
    assert made.json()["policy"]["separation_of_duties"] is True
    twice = web.ask("POST", "/v1/agencies", as_="admin@*", json={"id": "H99", "name": "Xã Thử"})
    assert twice.status_code == 409
    tag = {"if-match": made.headers["etag"]}
    changed = web.ask(
        "PATCH",
        path,
        as_="admin@*",
        headers=tag,
        json={"name": "Xã Mẫu", "policy": {"keys": ["seal"], "two_person_batches": True}},
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["policy"]["keys"] == ["seal"]
    assert web.ask("PATCH", path, as_="admin@*", headers=tag, json={"name": "x"}).status_code == 412
    assert web.ask("PATCH", path, as_="admin@*", json={"name": "x"}).status_code == 428
    tag = {"if-match": changed.headers["etag"]}
    mixed = web.ask("PATCH", path, as_="admin@*", headers=tag, json={"name": "x", "closed": True})
    assert mixed.status_code == 422
    closed = web.ask("PATCH", path, as_="admin@*", headers=tag, json={"closed": True})
    assert closed.json()["closed_at"]
    listed = web.ask("GET", "/v1/agencies", as_="admin@*").json()["items"]
    assert "H99" in {agency["id"] for agency in listed}
    own = web.ask("GET", "/v1/agencies", as_="clerk").json()["items"]
    assert [agency["id"] for agency in own] == [AGENCY]


def test_a_client_gets_a_key_loses_rights_and_is_shut_out(web: Web) -> None:
    made = web.ask(
        "POST",
        "/v1/clients",
        as_="admin",
        json={
            "agency_id": AGENCY,
            "name": "Một cửa",
            "roles": ["clerk"],
            "keys": ["seal"],
            "limits": {"requests_per_s": 5, "burst": 50},
            "expires_at": "2099-01-01T00:00:00+07:00",
        },
    )
    assert made.status_code == 201, made.text
    client = made.json()
    path = f"/v1/clients/{client['id']}"
    issued = web.ask("POST", f"{path}/keys", as_="admin", json={"keys": []})
    assert issued.status_code == 201
    web.keys["new"] = issued.json()["text"]
    assert web.ask("GET", "/v1/signatures", as_="new").status_code == 200
    assert web.sign(as_="new").status_code == 403  # the key was issued without signing keys
    shown = web.ask("GET", f"{path}/keys", as_="auditor").json()["items"]
    assert [key["text"] for key in shown] == [None]
    rotated = web.ask(
        "POST",
        f"/v1/api-keys/{issued.json()['id']}/rotations",
        as_="admin",
        json={"overlap_s": 0},
    )
    assert rotated.status_code == 201
    assert web.ask("GET", "/v1/signatures", as_="new").status_code == 401
    web.keys["rotated"] = rotated.json()["text"]
    assert web.ask("GET", "/v1/signatures", as_="rotated").status_code == 200
    revoked = web.ask("DELETE", f"/v1/api-keys/{rotated.json()['id']}", as_="admin")
    assert revoked.json()["revoked_at"]
    assert web.ask("GET", "/v1/signatures", as_="rotated").status_code == 401

    renamed = web.ask(
        "PATCH",
        path,
        as_="admin",
        headers={"if-match": made.headers["etag"]},
        json={"name": "Một cửa 2", "expires_at": None, "limits": {"burst": 9}},
    )
    assert renamed.status_code == 200, renamed.text
    assert (renamed.json()["name"], renamed.json()["expires_at"]) == ("Một cửa 2", None)
    assert renamed.json()["roles"] == ["clerk"]  # what was left out stays
    assert renamed.json()["limits"]["requests_per_s"] == 5
    assert renamed.json()["limits"]["burst"] == 9
    tag = {"if-match": renamed.headers["etag"]}
    disabled = web.ask("PATCH", path, as_="admin", headers=tag, json={"disabled": True})
    assert disabled.json()["disabled_at"]
    both = {"disabled": False, "name": "x"}
    tag = {"if-match": disabled.headers["etag"]}
    assert web.ask("PATCH", path, as_="admin", headers=tag, json=both).status_code == 422
    found = web.ask("GET", "/v1/clients", as_="admin", params={"kind": "client", "limit": 200})
    assert client["id"] in {entry["id"] for entry in found.json()["items"]}


def test_rights_beyond_ones_own_and_times_without_a_zone_are_refused(web: Web) -> None:
    for body, status in (
        ({"agency_id": AGENCY, "name": "x", "roles": ["admin", "clerk"]}, 422),
        ({"agency_id": AGENCY, "name": "x", "roles": ["king"]}, 422),
        ({"agency_id": AGENCY, "name": "x", "roles": ["clerk"], "keys": ["foreign"]}, 422),
        (
            {
                "agency_id": AGENCY,
                "name": "x",
                "roles": ["clerk"],
                "expires_at": "2099-01-01T00:00:00",
            },
            422,
        ),
        ({"agency_id": AGENCY, "name": "\x00", "roles": ["clerk"]}, 422),
        ({"agency_id": "*", "name": "x", "roles": ["admin"]}, 404),
    ):
        answer = web.ask("POST", "/v1/clients", as_="admin", json=body)
        assert answer.status_code == status, (body, answer.text)
    answer = web.ask("POST", "/v1/clients", as_="clerk", json={"name": "x"})
    assert answer.status_code == 422
