"""Signed requests through the door (RFC 9421), and the structured fields they are made of."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time

import pytest

from api.auth import signed as signed_module
from api.auth.signed import LEEWAY_S
from api.auth.structured import (
    InnerList,
    MalformedField,
    parse_bytes_entry,
    parse_inner_list_entry,
)
from api.errors import RateLimited
from api.web.bounded_protocol import PEER_CERTIFICATE
from dossier.errors import CredentialRefused
from dossier.identity import Limits
from tests.auth_client import bearer, sign
from tests.fixtures_identity import AGENCY

SOME_KEY = f"sohoa_{'0' * 26}_{'1' * 52}"


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
    (told,) = lone_directory.refusals()
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
