"""Authentication through the door: API keys, limits, refusals; signed requests by RFC 9421."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import logging
import time
import tracemalloc

import pytest

from api.auth import signed as signed_module
from api.auth.authenticator import FAILURE_BURST
from api.auth.rates import TokenBuckets, source_of
from api.auth.refusals import Refusals
from api.auth.signed import LEEWAY_S
from api.auth.structured import (
    InnerList,
    MalformedField,
    parse_bytes_entry,
    parse_inner_list_entry,
)
from api.errors import RateLimited
from api.web.bounded_protocol import PEER_CERTIFICATE
from dossier.errors import AuditUnavailable, CredentialRefused
from dossier.identity import Limits
from dossier.model import AuditEvent
from tests.auth_client import bearer, sign
from tests.fixtures_identity import AGENCY, OTHER_AGENCY, Directory

SOME_KEY = f"sohoa_{'0' * 26}_{'1' * 52}"


def refusals_told(directory: Directory) -> list[dict]:
    entries = [json.loads(text) for text in directory.told()]
    return [entry for entry in entries if entry["event"] == "request.refused"]


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
    reasons = {entry["details"]["reason"] for entry in refusals_told(lone_directory)}
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
    told = refusals_told(lone_directory)
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
    assert len(refusals_told(lone_directory)) >= 1


# --- signed requests -----------------------------------------------------------------------------


@pytest.fixture
def signed(lone_directory, auth_client):
    """A client, and the key of a principal that has to sign its requests."""
    return auth_client(), lone_directory.client(limits=Limits(require_signed_requests=True))


def test_a_signed_request_lets_in(signed) -> None:
    client, text = signed
    path = "/v1/whoami?after=x&limit=2"
    answer = client.ask("GET", path, headers=sign(text, "GET", path))
    assert answer.status_code == 200, answer.text
    assert answer.json()["method"] == "signed"
    body = b"%PDF-mau"
    posted = client.ask(
        "POST", "/v1/stream", headers=sign(text, "POST", "/v1/stream", body=body), content=body
    )
    assert posted.status_code == 200, posted.text
    assert client.effects == [body]


def test_path_and_query_may_stand_for_the_target(signed) -> None:
    client, text = signed
    components = ("@method", "@path", "@query", "@authority")
    for path in ("/v1/whoami", "/v1/whoami?a=%C4%91"):
        headers = sign(text, "GET", path, components=components, alg=None)
        assert client.ask("GET", path, headers=headers).status_code == 200


def test_behind_a_proxy_the_public_address_counts(lone_directory, auth_client) -> None:
    client = auth_client(public_url="https://ky.example/")
    text = lone_directory.client()
    right = sign(text, "GET", "/v1/whoami", address="https://ky.example")
    assert client.ask("GET", "/v1/whoami", headers=right).status_code == 200
    wrong = sign(text, "GET", "/v1/whoami")
    assert client.ask("GET", "/v1/whoami", headers=wrong).status_code == 401


def test_who_has_to_sign_comes_in_no_other_way(signed, lone_directory) -> None:
    client, text = signed
    answer = client.ask("GET", "/v1/whoami", headers=bearer(text))
    assert answer.status_code == 403
    assert "9421" in answer.json()["detail"]
    lone_directory.principal(
        certificate_sha256="ab" * 32, limits=Limits(require_signed_requests=True)
    )
    answer = client.ask("GET", "/v1/whoami", extra_scope={PEER_CERTIFICATE: "ab" * 32})
    assert answer.status_code == 403


def test_a_replay_is_refused(signed, lone_directory) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami")
    assert client.ask("GET", "/v1/whoami", headers=headers).status_code == 200
    assert client.ask("GET", "/v1/whoami", headers=headers).status_code == 401
    client.authenticator.refusals.flush()
    (told,) = refusals_told(lone_directory)
    assert told["details"]["reason"] == "replayed"
    assert (told["actor"][:4], told["agency"]) == ("prn_", AGENCY)


def test_a_nonce_of_a_bad_signature_is_not_used_up(signed) -> None:
    client, text = signed
    nonce = "0123456789abcdef"
    forged = sign(text, "GET", "/v1/whoami", nonce=nonce)
    forged["Signature"] = f"sig1=:{base64.b64encode(bytes(32)).decode()}:"
    assert client.ask("GET", "/v1/whoami", headers=forged).status_code == 401
    honest = sign(text, "GET", "/v1/whoami", nonce=nonce)
    assert client.ask("GET", "/v1/whoami", headers=honest).status_code == 200


def test_a_replay_at_another_process_carries_the_same_idempotency_key(
    signed, lone_directory, auth_client
) -> None:
    """Nonces are remembered by one process; the covered Idempotency-Key holds for all of them."""
    client, text = signed
    other = auth_client()
    body = b"%PDF"
    headers = sign(text, "POST", "/v1/stream", body=body)
    assert client.ask("POST", "/v1/stream", headers=headers, content=body).is_success
    changed = {**headers, "Idempotency-Key": "another-key"}
    assert other.ask("POST", "/v1/stream", headers=changed, content=body).status_code == 401
    uncovered = sign(
        text,
        "POST",
        "/v1/stream",
        body=body,
        components=("@method", "@target-uri", "content-digest"),
    )
    answer = other.ask("POST", "/v1/stream", headers=uncovered, content=body)
    assert answer.status_code == 401
    assert "idempotency-key" in answer.json()["detail"]
    without = sign(text, "POST", "/v1/stream", body=body)
    del without["Idempotency-Key"]
    assert other.ask("POST", "/v1/stream", headers=without, content=body).status_code == 401


@pytest.mark.parametrize("path", ["/v1/stream", "/v1/order"])
def test_an_altered_body_takes_no_effect(signed, path: str) -> None:
    client, text = signed
    body = json.dumps({"text": "một"}).encode()
    headers = {"Content-Type": "application/json"}
    signature = sign(text, "POST", path, body=body, headers=headers)
    altered = body.replace(b"text", b"texT")
    assert client.ask("POST", path, headers=signature, content=altered).status_code == 400
    # with its digest altered to fit, the signature is wrong
    signature = sign(text, "POST", path, body=body, headers=headers)
    fitting = base64.b64encode(hashlib.sha256(altered).digest()).decode()
    signature["Content-Digest"] = f"sha-256=:{fitting}:"
    assert client.ask("POST", path, headers=signature, content=altered).status_code == 401
    assert client.effects == []
    good = sign(text, "POST", path, body=body, headers=headers)
    assert client.ask("POST", path, headers=good, content=body).is_success


def test_a_streamed_body_needs_its_digest_under_the_signature(signed) -> None:
    client, text = signed

    async def pieces():
        yield b"one"
        yield b"two"

    bare = sign(text, "POST", "/v1/stream")
    assert client.ask("POST", "/v1/stream", headers=bare, content=pieces()).status_code == 401
    unknown = sign(text, "POST", "/v1/stream", headers={"Content-Digest": "md5=:AAAA:"})
    assert client.ask("POST", "/v1/stream", headers=unknown, content=pieces()).status_code == 401
    right = sign(text, "POST", "/v1/stream", digest_of=b"onetwo")
    assert client.ask("POST", "/v1/stream", headers=right, content=pieces()).is_success
    assert client.effects == [b"onetwo"]


@pytest.mark.parametrize(
    ("age_s", "status"),
    [(0, 200), (290, 200), (310, 401), (-LEEWAY_S + 5, 200), (-LEEWAY_S - 10, 401), (10**9, 401)],
)
def test_clocks_may_differ_a_little(signed, age_s: float, status: int) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami", created=time.time() - age_s)
    assert client.ask("GET", "/v1/whoami", headers=headers).status_code == status


_INPUT, _BYTES = "Signature-Input", "Signature"


@pytest.mark.parametrize(
    ("header", "spoil"),
    [
        pytest.param(_BYTES, lambda text: None, id="no-signature"),
        pytest.param(_INPUT, lambda text: None, id="no-input"),
        pytest.param(_BYTES, lambda text: text.replace("sig1", "sig2"), id="labels-differ"),
        pytest.param(_INPUT, lambda text: text + ', sig2=("@method")', id="two-signatures"),
        pytest.param(_INPUT, lambda text: text.replace(";nonce", ";once"), id="no-nonce"),
        pytest.param(_INPUT, lambda text: text.replace("created=", "made="), id="no-time"),
        pytest.param(_INPUT, lambda text: 'sig1=("@method" "@target-uri")', id="no-parameters"),
        pytest.param(_INPUT, lambda text: "sig1=" + "(" * 5000, id="huge"),
        pytest.param(_INPUT, lambda text: text.replace('hod"', 'hod";req'), id="parameter"),
        pytest.param(_INPUT, lambda text: text.replace("sha256", "sha512"), id="algorithm"),
        pytest.param(_INPUT, lambda text: text.replace("@method", "@status"), id="component"),
        pytest.param(_BYTES, lambda text: "sig1=:not base 64:", id="no-base-64"),
        pytest.param(_BYTES, lambda text: "sig1=::", id="empty"),
    ],
)
def test_malformed_signatures_are_refused(signed, header: str, spoil) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami")
    spoilt = spoil(headers.pop(header))
    if spoilt is not None:
        headers[header] = spoilt
    assert client.ask("GET", "/v1/whoami", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "components", [("@target-uri",), ("@method",), ("@method", "@path"), ("@method", "@authority")]
)
def test_what_a_signature_has_to_cover(signed, components) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami", components=components)
    assert client.ask("GET", "/v1/whoami", headers=headers).status_code == 401


def test_headers_that_mean_something_cannot_be_slipped_in(signed) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami")
    slipped = {**headers, "If-Match": '"3"'}
    assert client.ask("GET", "/v1/whoami", headers=slipped).status_code == 401


def test_another_method_or_address_needs_another_signature(signed) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami?limit=1")
    assert client.ask("GET", "/v1/whoami?limit=2", headers=headers).status_code == 401
    assert client.ask("POST", "/v1/whoami?limit=1", headers=headers).status_code == 401


def test_signatures_of_unknown_and_revoked_keys(signed, lone_directory) -> None:
    client, text = signed
    unknown = sign(SOME_KEY, "GET", "/v1/whoami")
    assert client.ask("GET", "/v1/whoami", headers=unknown).status_code == 401
    lone_directory.identity.api_keys.revoke(lone_directory.house, text.split("_")[1])
    late = sign(text, "GET", "/v1/whoami")
    assert client.ask("GET", "/v1/whoami", headers=late).status_code == 401


def test_concurrent_replays_come_in_once(signed) -> None:
    client, text = signed
    headers = sign(text, "GET", "/v1/whoami")

    async def storm() -> list[int]:
        answers = await asyncio.gather(
            *(client.asked("GET", "/v1/whoami", headers=headers) for _ in range(20))
        )
        return [answer.status_code for answer in answers]

    codes = client.loop.run_until_complete(storm())
    assert sorted(codes) == [200] + [401] * 19


def test_nonces_are_forgotten_in_time_and_never_before(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(signed_module, "_NONCES_OF_ONE_KEY", 3)
    requests = signed_module.SignedRequests(window_s=10, monotonic=lambda: now[0])

    def spend(nonce: str, key_id: str = "a") -> None:
        requests.spend(signed_module.SignedRequest(key_id, b"", b"", 0, nonce))

    for nonce in ("1", "2", "3"):
        spend(nonce)
    with pytest.raises(RateLimited) as caught:
        spend("4")
    assert caught.value.retry_after_s == 10 + LEEWAY_S
    spend("1", "another key")
    now[0] = 10.0 + LEEWAY_S - 0.5
    with pytest.raises(CredentialRefused):
        spend("1")
    now[0] += 1
    spend("4")
    spend("1")


# --- structured fields -----------------------------------------------------------------------


def test_structured_fields_are_read_and_written_canonically() -> None:
    text = 'sig-b25=("date" "@authority" "x\\"y");created=1618884473;keyid="test-shared-secret"'
    label, found = parse_inner_list_entry(f"  {text}  ")
    assert label == "sig-b25"
    assert found == InnerList(
        ("date", "@authority", 'x"y'), (("created", 1618884473), ("keyid", "test-shared-secret"))
    )
    assert f"{label}={found.serialised()}" == text
    spaced = 'a=(  "b"   "c" ); d=1'
    assert parse_inner_list_entry(spaced)[1].serialised() == '("b" "c");d=1'
    assert parse_bytes_entry("sig=:AQI=:") == ("sig", b"\1\2")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sig",
        "sig=",
        "sig=(",
        'sig=("a',
        'sig=("a")x',
        'sig=("a""b")',
        'sig=("a");x',
        'sig=("a");x=1.5',
        'sig=("a");x=?1',
        'sig=("a");x=1;x=2',
        'sig=("a"), t=("b")',
        'sig=("ă")',
        'SIG=("a")',
        'sig=("a"' + ' "a"' * 2000 + ")",
    ],
)
def test_what_is_no_signature_input(text: str) -> None:
    with pytest.raises(MalformedField):
        parse_inner_list_entry(text)


def test_the_hmac_example_of_rfc_9421() -> None:
    """Appendix B.2.5: the base and the signature come out as the RFC prints them."""
    import hmac

    key = base64.b64decode(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
    )
    parameters = (
        'sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"'
    )
    _, given = parse_inner_list_entry(parameters)
    base = (
        '"date": Tue, 20 Apr 2021 02:07:55 GMT\n"@authority": example.com\n'
        f'"content-type": application/json\n"@signature-params": {given.serialised()}'
    )
    expected = parse_bytes_entry("sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:")[1]
    assert hmac.digest(key, base.encode(), "sha256") == expected
