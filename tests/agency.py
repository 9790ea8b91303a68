"""An agency with clients and API keys, entered over HTTP as an administrator would.

keys = enter_agency(service)
Client(service.url, keys["officer"])
"""

from __future__ import annotations

from tests.running_service import RunningService

AGENCY = "MAU.01"
SIGNING_KEYS = ["test-officer", "test-leader", "test-seal"]


def enter_agency(service: RunningService, agency: str = AGENCY) -> dict[str, str]:
    """Make `agency` and one client a role in it; the API keys by role."""
    made = service.ask(
        "POST",
        "/v1/agencies",
        {"id": agency, "name": "Xã Mẫu (thử)", "policy": {"keys": SIGNING_KEYS}},
    )
    assert made.status == 201, made.body
    return {
        role: enter_client(service, role, agency=agency)
        for role in ("officer", "leader", "clerk", "scanner", "auditor", "admin")
    }


def enter_client(service: RunningService, role: str, *, agency: str = AGENCY) -> str:
    """One more client with that role; its API key."""
    signs = role in ("officer", "leader", "clerk")
    client = service.ask(
        "POST",
        "/v1/clients",
        {
            "agency_id": agency,
            "name": f"Hệ thống thử ({role})",
            "roles": [role],
            "keys": SIGNING_KEYS if signs else [],
        },
    )
    assert client.status == 201, client.body
    issued = service.ask("POST", f"/v1/clients/{client.json['id']}/keys", {})
    assert issued.status == 201, issued.body
    text: str = issued.json["text"]
    return text
