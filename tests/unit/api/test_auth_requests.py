"""Authentication through the door: API keys, client certificates, rates, refusals."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import tracemalloc

import pytest

from api.auth.authenticator import FAILURE_BURST
from api.auth.rates import TokenBuckets, source_of
from api.auth.refusals import Refusals
from api.web.bounded_protocol import PEER_CERTIFICATE
from dossier.errors import AuditUnavailable
from dossier.identity import Limits
from dossier.model import AuditEvent
from tests.auth_client import bearer, sign
from tests.fixtures_identity import AGENCY, OTHER_AGENCY

SOME_KEY = f"sohoa_{'0' * 26}_{'1' * 52}"


# --- API keys --------------------------------------------------------------------------------


def test_an_api_key_lets_its_principal_in(lone_directory, auth_client) -> None:
    client = auth_client()
    text = lone_directory.client()
    answer = client.ask("GET", "/v1/whoami", headers={**bearer(text), "X-Request-Id": "req-0001"})
    assert answer.status_code == 200
    assert answer.json() == {
        "id": answer.json()["id"],
        "agency": AGENCY,
        "method": "api-key",
        "roles": ["clerk", "leader"],
        "request_id": "req-0001",
    }
    assert answer.headers["ratelimit-policy"] == '"principal";q=2000;w=4'
    assert answer.headers["ratelimit"] == '"principal";r=1999;t=4'


def test_every_bad_credential_gets_the_same_answer(lone_directory, auth_client) -> None:
    client = auth_client()
    good = lone_directory.client()
    revoked = lone_directory.client()
    lone_directory.identity.api_keys.revoke(lone_directory.house, revoked.split("_")[1])
    principal = lone_directory.principal()
    lone_directory.identity.principals.disable(lone_directory.house, principal.id, version=1)
    key = lone_directory.identity.api_keys.issue(lone_directory.house, principal.id)
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    answers = [
        client.ask("GET", "/v1/whoami", headers={**headers, "X-Request-Id": "req-0001"})
        for headers in (
            {},
            bearer(SOME_KEY),
            bearer(wrong),
            bearer(revoked),
            bearer(key.text),
            bearer("sohoa_short"),
            bearer("not.a.token"),
            {"Authorization": "Basic dXNlcjpwYXNz"},
            {"Authorization": "Bearer"},
            {"Authorization": ""},
        )
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert all(answer.headers["www-authenticate"].startswith("Bearer") for answer in answers)
    client.authenticator.refusals.flush()
    reasons = {entry["details"]["reason"] for entry in lone_directory.refusals()}
    assert reasons == {"none", "unknown", "wrong", "revoked", "disabled", "malformed", "scheme"}


def test_two_authorizations_are_refused(lone_directory, auth_client) -> None:
    text = lone_directory.client()
    answer = auth_client().ask(
        "GET",
        "/v1/whoami",
        headers=[("Authorization", f"Bearer {text}"), ("Authorization", f"Bearer {text}")],
    )
    assert answer.status_code == 401


def test_public_paths_need_nobody_and_strangers_learn_no_addresses(auth_client) -> None:
    client = auth_client()
    assert client.ask("GET", "/healthz").status_code == 200
    assert client.ask("GET", "/v1/nothing-here").status_code == 401


def test_no_body_is_read_for_a_stranger(auth_client) -> None:
    client = auth_client()
    taken = 0

    async def endless():
        nonlocal taken
        for _ in range(1000):
            taken += 65536
            yield b"{" * 65536

    for path in ("/v1/stream", "/v1/order"):
        for headers in ({}, bearer(SOME_KEY)):
            answer = client.ask("POST", path, content=endless(), headers=headers)
            assert answer.status_code == 401
    # what httpx hands over is not what the application read
    assert client.read_bytes == 0
    assert client.effects == []


def test_the_body_limit_of_a_principal(lone_directory, auth_client) -> None:
    client = auth_client()
    text = lone_directory.client(limits=Limits(body_bytes=1000))

    async def unannounced():
        for _ in range(11):
            yield b"x" * 100

    for path in ("/v1/stream", "/v1/order"):
        assert (
            client.ask("POST", path, headers=bearer(text), content=b"x" * 1001).status_code == 413
        )
        answer = client.ask("POST", path, headers=bearer(text), content=unannounced())
        # while a declared body is read, the framework makes 400 of everything
        assert answer.status_code == (413 if path == "/v1/stream" else 400)
    assert client.effects == []
    assert client.ask("POST", "/v1/stream", headers=bearer(text), content=b"x" * 1000).is_success


def test_content_digest_is_checked_without_a_signature(lone_directory, auth_client) -> None:
    client = auth_client()
    text = lone_directory.client()
    body = json.dumps({"text": "mẫu"}).encode()
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    headers = {
        **bearer(text),
        "Content-Digest": f"sha-256=:{digest}:",
        "Content-Type": "application/json",
    }
    for path in ("/v1/stream", "/v1/order"):
        assert client.ask("POST", path, headers=headers, content=body).is_success
        altered = client.ask("POST", path, headers=headers, content=body.replace(b"m", b"n"))
        assert altered.status_code == 400
    assert len(client.effects) == 2


def test_a_stranger_of_another_agency_is_who_he_is(lone_directory, auth_client) -> None:
    lone_directory.agency(OTHER_AGENCY)
    client = auth_client()
    ours, theirs = lone_directory.client(), lone_directory.client(OTHER_AGENCY)
    agencies = [
        client.ask("GET", "/v1/whoami", headers=bearer(text)).json()["agency"]
        for text in (ours, theirs)
    ]
    assert agencies == [AGENCY, OTHER_AGENCY]


# --- client certificates, as the protocol hands them on ------------------------------------------


def test_a_certificate_lets_its_principal_in(lone_directory, auth_client) -> None:
    client = auth_client()
    principal = lone_directory.principal(certificate_sha256="ab" * 32)
    known = {PEER_CERTIFICATE: "ab" * 32}
    answer = client.ask("GET", "/v1/whoami", extra_scope=known)
    assert (answer.json()["id"], answer.json()["method"]) == (principal.id, "mtls")
    assert (
        client.ask("GET", "/v1/whoami", extra_scope={PEER_CERTIFICATE: "cd" * 32}).status_code
        == 401
    )
    # a bad API key is not made good by a good certificate
    answer = client.ask("GET", "/v1/whoami", headers=bearer(SOME_KEY), extra_scope=known)
    assert answer.status_code == 401


# --- rates -----------------------------------------------------------------------------------


def test_a_principal_that_asks_too_often_is_told_when_to_come_back(
    lone_directory, auth_client
) -> None:
    client = auth_client()
    text = lone_directory.client(limits=Limits(requests_per_s=0.5, burst=3))
    other = lone_directory.client()
    answers = [client.ask("GET", "/v1/whoami", headers=bearer(text)) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].headers["retry-after"] in ("1", "2")
    assert answers[2].headers["ratelimit"].startswith('"principal";r=0')
    assert client.ask("GET", "/v1/whoami", headers=bearer(other)).is_success


def test_a_source_that_fails_too_often_is_shut_out_but_not_its_neighbours(
    lone_directory, auth_client
) -> None:
    client = auth_client()
    text, unseen = lone_directory.client(), lone_directory.client()
    assert client.ask("GET", "/v1/whoami", headers=bearer(text)).is_success
    codes = [
        client.ask("GET", "/v1/whoami", headers=bearer(SOME_KEY)).status_code
        for _ in range(FAILURE_BURST + 5)
    ]
    assert codes[:FAILURE_BURST] == [401] * FAILURE_BURST
    assert set(codes[-4:]) == {429}
    # the same key that came in before still does; nothing new is looked up for this source
    assert client.ask("GET", "/v1/whoami", headers=bearer(text)).is_success
    assert client.ask("GET", "/v1/whoami", headers=bearer(unseen)).status_code == 429
    elsewhere = client.ask("GET", "/v1/whoami", headers=bearer(unseen), source="198.51.100.9")
    assert elsewhere.is_success


def test_buckets_fill_again_and_are_bounded() -> None:
    now = [0.0]
    buckets = TokenBuckets(most=100, monotonic=lambda: now[0])
    assert buckets.take("a", rate=2, burst=1) == 0
    assert buckets.take("a", rate=2, burst=1) == pytest.approx(-0.5)
    assert buckets.wait_s("a", rate=2, burst=1) == pytest.approx(0.5)
    now[0] = 0.5
    assert buckets.take("a", rate=2, burst=1) == pytest.approx(0)
    for n in range(1000):
        buckets.take(f"name-{n}", rate=1, burst=1)
    assert len(buckets) == 100


def test_a_source_is_an_address_or_an_ipv6_customer() -> None:
    assert source_of("203.0.113.5") == "203.0.113.5"
    assert source_of("::ffff:203.0.113.5") == "203.0.113.5"
    assert source_of("2001:db8:1:2:3::4") == source_of("2001:db8:1:2::1") == "2001:db8:1:2::/64"
    assert source_of(None) == source_of("/run/socket") == "local"


# --- refusals --------------------------------------------------------------------------------


def test_ten_thousand_bad_logins_leave_few_entries_and_little_memory(
    lone_directory, auth_client
) -> None:
    client = auth_client()
    before = len(lone_directory.told())

    async def flood(first: int, count: int) -> None:
        for n in range(first, first + count):
            headers = bearer(f"sohoa_{n:026d}_{'1' * 52}")
            status = await client.asked_raw("GET", "/v1/whoami", headers, f"198.51.100.{n % 40}")
            assert status in (401, 429)

    client.loop.run_until_complete(flood(0, 9000))
    tracemalloc.start()  # what the last tenth leaves behind: nothing, if all tables are bounded
    client.loop.run_until_complete(flood(9000, 1000))
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    client.close_auth()
    told = lone_directory.refusals()
    assert len(lone_directory.told()) - before < 300
    assert grown < 300_000
    counted = sum(entry["details"].get("count", 1) for entry in told)
    assert counted == client.authenticator.refusals.refused_total == 10_000


def test_refusals_wait_while_the_log_cannot_be_written() -> None:
    class Log:
        broken = True
        told: list[AuditEvent] = []  # noqa: RUF012 - one log a test

        def write(self, *events: AuditEvent) -> int:
            if self.broken:
                raise AuditUnavailable("nhật ký / log")
            self.told.extend(events)
            return len(self.told)

    log = Log()
    refusals = Refusals(log)
    event = AuditEvent("request.refused", "prn_1", AGENCY, "prn_1", {"code": "x", "path": "/a"})
    for _ in range(5):
        refusals.note(event)
    assert refusals.flush() == 0
    for _ in range(5):
        refusals.note(event)
    log.broken = False
    refusals.close()
    assert [told.details["count"] for told in log.told] == [10]


def test_refusals_of_many_kinds_are_counted_together() -> None:
    class Log:
        def __init__(self) -> None:
            self.told: list[AuditEvent] = []

        def write(self, *events: AuditEvent) -> int:
            self.told.extend(events)
            return len(self.told)

    log = Log()
    now = [0.0]
    refusals = Refusals(log, monotonic=lambda: now[0])
    for n in range(5000):
        refusals.note(AuditEvent("request.refused", f"prn_{n}", None, "x", {"source": str(n)}))
    refusals.close()
    now[0] = 1000.0
    refusals.flush()
    assert len(log.told) <= 200
    assert sum(told.details.get("count", 1) for told in log.told) == 5000
    assert any(told.subject == "many" for told in log.told)


def test_no_secret_in_logs_audit_or_answers(lone_directory, auth_client, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    client = auth_client()
    good = lone_directory.client()
    wrong = good[:-1] + ("0" if good[-1] != "0" else "1")
    answers = [
        client.ask("GET", "/v1/whoami", headers=bearer(wrong)),
        client.ask("GET", f"/v1/whoami/{wrong}", headers=bearer(wrong)),
        client.ask("GET", "/v1/whoami", headers=sign(wrong, "GET", "/v1/whoami")),
    ]
    client.authenticator.refusals.flush()
    logged = [record.getMessage() for record in caplog.records if record.name != "httpx"]
    everything = "\n".join([*logged, *lone_directory.told()])
    everything += "".join(answer.text for answer in answers)
    for text in (good, wrong):
        assert text.rpartition("_")[2] not in everything
    assert len(lone_directory.refusals()) >= 1
