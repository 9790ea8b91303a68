"""OIDC bearer tokens, and identity providers that misbehave. Real sockets on loopback."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import socket
import threading
import time
import tracemalloc
import warnings
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from api.auth import jwks
from api.auth.oidc import KEPT_S, LEEWAY_S, TokenVerifier
from api.errors import ProviderUnavailable
from api.settings import OIDCIssuer
from dossier.errors import CredentialRefused
from tests.auth_client import bearer
from tests.fixtures_http import http_ok

ISSUER = "https://id.example"
AUDIENCE = "sohoa-mau"
RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def jwk(key: Any, kid: str, **entries: str) -> dict[str, Any]:
    algorithms = {rsa.RSAPrivateKey: RSAAlgorithm, ec.EllipticCurvePrivateKey: ECAlgorithm}
    kind = next((a for k, a in algorithms.items() if isinstance(key, k)), OKPAlgorithm)
    return {**kind.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig", **entries}


def key_set(*keys: dict[str, Any]) -> bytes:
    return json.dumps({"keys": keys}).encode()


KEYS = key_set(jwk(RSA_KEY, "k1"), jwk(EC_KEY, "k2"), jwk(ED_KEY, "k3"))


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    base = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "user-7",
        "iat": now,
        "nbf": now,
        "exp": now + 300,
    }
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def token(key: Any = RSA_KEY, algorithm: str = "RS256", kid: str | None = "k1", **changes) -> str:
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


class Provider:
    """A verifier whose clock the test moves, and its loop."""

    def __init__(self, url: str, **options: Any) -> None:
        self.ticks = 0.0
        self.loop = asyncio.new_event_loop()
        issuer = OIDCIssuer(
            issuer=ISSUER,
            audience=AUDIENCE,
            jwks_url=url,
            **{"private_network": True, **options},
        )
        self.verifier = TokenVerifier([issuer], monotonic=lambda: self.ticks)

    def verify(self, text: str) -> tuple[str, str]:
        return self.loop.run_until_complete(self.verifier.verify(text))

    def reason(self, text: str) -> str:
        with pytest.raises(CredentialRefused) as caught:
            self.verify(text)
        return caught.value.reason

    def close(self) -> None:
        self.verifier.close()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture
def provider() -> Iterator[Any]:
    made: list[Provider] = []

    def make(url: str, **options: Any) -> Provider:
        made.append(Provider(url, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def honest(provider, scripted_server) -> Provider:
    return provider(scripted_server(http_ok(KEYS)).url)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [
        (RSA_KEY, "RS256", "k1"),
        (RSA_KEY, "PS384", "k1"),
        (EC_KEY, "ES256", "k2"),
        (ED_KEY, "EdDSA", "k3"),
    ],
)
def test_good_tokens(honest: Provider, key, algorithm: str, kid: str) -> None:
    assert honest.verify(token(key, algorithm, kid)) == (ISSUER, "user-7")
    assert honest.verify(token(key, algorithm, kid, aud=["other", AUDIENCE]))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"exp": int(time.time()) - LEEWAY_S - 5}, id="expired"),
        pytest.param({"exp": None}, id="no-end"),
        pytest.param({"iat": int(time.time()) + 86_400}, id="of-tomorrow"),
        pytest.param({"iat": None}, id="no-beginning"),
        pytest.param({"nbf": int(time.time()) + 86_400}, id="not-yet"),
        pytest.param({"aud": "somebody-else"}, id="wrong-audience"),
        pytest.param({"aud": None}, id="no-audience"),
        pytest.param({"aud": AUDIENCE + "-2"}, id="longer-audience"),
        pytest.param({"iss": "https://evil.example"}, id="wrong-issuer"),
        pytest.param({"iss": ISSUER + "/"}, id="nearly-the-issuer"),
        pytest.param({"iss": None}, id="no-issuer"),
        pytest.param({"sub": None}, id="no-subject"),
        pytest.param({"sub": ""}, id="empty-subject"),
        pytest.param({"sub": "a\nb"}, id="odd-subject"),
        pytest.param({"sub": "a" * 300}, id="long-subject"),
    ],
)
def test_claims_that_are_refused(honest: Provider, changes) -> None:
    honest.reason(token(**changes))


def test_a_little_leeway(honest: Provider) -> None:
    now = int(time.time())
    assert honest.verify(token(exp=now - LEEWAY_S // 2))
    assert honest.verify(token(iat=now + LEEWAY_S // 2, nbf=now + LEEWAY_S // 2))


def forged(header: dict[str, Any], secret: bytes | None = None) -> str:
    """A token put together by hand, since no honest library makes it."""
    import hashlib
    import hmac

    def part(value: Any) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signed = f"{part(header)}.{part(claims())}"
    signature = b""
    if secret is not None:
        signature = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_no_algorithm_and_shared_secrets_are_refused(honest: Provider) -> None:
    public = RSA_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    for algorithm in ("none", "None", "nOnE", ""):
        assert honest.reason(forged({"alg": algorithm, "kid": "k1"})) == "algorithm"
    # the classic: the public key as an HMAC secret
    for name in ("HS256", "HS384", "HS512"):
        text = forged({"alg": name, "typ": "JWT", "kid": "k1"}, public)
        assert honest.reason(text) == "algorithm"
    assert honest.reason(forged({"alg": "RS256", "kid": "k1"})) != ""
    assert honest.reason(forged({"alg": "RS256", "kid": "k1", "crit": ["exp"]})) == "malformed"
    assert honest.reason(forged({"alg": "RS256", "kid": "k1", "typ": "dpop+jwt"})) == "type"


def test_a_key_is_used_with_its_own_algorithm_alone(honest: Provider) -> None:
    assert honest.reason(token(RSA_KEY, "RS256", "k2")) == "key"
    assert honest.reason(token(EC_KEY, "ES256", "k1")) == "key"
    assert honest.reason(token(OTHER_KEY, "RS256", "k1")) == "InvalidSignatureError"


def test_keys_that_are_never_used(provider, scripted_server) -> None:
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - that is the point
    secret = base64.urlsafe_b64encode(b"s" * 32).rstrip(b"=").decode()
    hostile = key_set(
        jwk(weak, "weak"),
        {"kty": "oct", "k": secret, "kid": "oct", "alg": "HS256"},
        {**jwk(RSA_KEY, "enc"), "use": "enc"},
        jwk(RSA_KEY, "only-ps", alg="PS256"),
        {"kty": "RSA", "kid": "broken", "n": "AQ" * 300, "e": "!!"},
    )
    one = provider(scripted_server(http_ok(hostile)).url)
    with warnings.catch_warnings(action="ignore"):
        of_weak = jwt.encode(claims(), weak, "RS256", {"kid": "weak"})
    assert one.reason(of_weak) == "key"
    for kid in ("oct", "enc", "only-ps", "broken"):
        assert one.reason(token(kid=kid)) == "key"
    assert one.verify(token(algorithm="PS256", kid="only-ps"))


@pytest.mark.parametrize(
    "text", ["", "a", "a.b", "a.b.c", "eyJ.eyJ.", "." * 100, "e30.e30.", "x" * 20_000]
)
def test_what_is_no_token(honest: Provider, text: str) -> None:
    honest.reason(text)


def test_keys_are_fetched_once_and_again_when_they_rotate(provider, scripted_server) -> None:
    server = scripted_server(
        http_ok(key_set(jwk(RSA_KEY, "old"))), http_ok(key_set(jwk(OTHER_KEY, "new")))
    )
    one = provider(server.url)
    for _ in range(5):
        assert one.verify(token(kid="old"))
    assert len(server.requests) == 1
    # the provider rotates: the unknown id makes us look again, but not before the pause is over
    assert one.reason(token(OTHER_KEY, kid="new")) == "key"
    assert len(server.requests) == 1
    one.ticks += jwks.PAUSE_S
    assert one.verify(token(OTHER_KEY, kid="new"))
    assert len(server.requests) == 2
    assert one.reason(token(kid="old")) == "key"


def test_made_up_key_ids_do_not_hammer_the_provider(provider, scripted_server) -> None:
    server = scripted_server(http_ok(KEYS))
    one = provider(server.url)
    for n in range(200):
        assert one.reason(token(kid=f"made-up-{n}")) == "key"
    assert len(server.requests) == 1
    one.ticks += jwks.PAUSE_S
    one.reason(token(kid="made-up"))
    assert len(server.requests) == 2


def test_a_lone_key_needs_no_id(provider, scripted_server) -> None:
    lone = provider(scripted_server(http_ok(key_set(jwk(RSA_KEY, "k1")))).url)
    assert lone.verify(token(kid=None))
    several = provider(scripted_server(http_ok(KEYS)).url)
    assert several.reason(token(kid=None)) == "key"


def test_known_keys_outlive_an_absent_provider(provider, scripted_server) -> None:
    server = scripted_server(http_ok(KEYS), b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    one = provider(server.url)
    assert one.verify(token())
    one.ticks += jwks.FRESH_S + 1
    assert one.verify(token())
    assert len(server.requests) == 2
    one.ticks += jwks.STALE_S
    with pytest.raises(ProviderUnavailable):
        one.verify(token())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(http_ok(b"not json"), id="no-json"),
        pytest.param(http_ok(b"[]"), id="no-set"),
        pytest.param(http_ok(b'{"keys": 7}'), id="no-list"),
        pytest.param(http_ok(b'{"keys": []}'), id="empty"),
        pytest.param(http_ok(b"[" * 100_000), id="deep"),
        pytest.param(http_ok(b"\xff\xfe"), id="no-text"),
        pytest.param(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", id="not-there"),
        pytest.param(b"", id="silence"),
    ],
)
def test_providers_without_keys(provider, scripted_server, answer: bytes) -> None:
    server = scripted_server(answer)
    one = provider(server.url)
    with pytest.raises(ProviderUnavailable) as caught:
        one.verify(token())
    assert caught.value.retry_after_s >= 1
    for _ in range(20):
        with pytest.raises(ProviderUnavailable):
            one.verify(token())
    assert len(server.requests) <= 1


def test_a_provider_that_hangs_holds_up_nobody_for_long(provider, scripted_server) -> None:
    server = scripted_server(http_ok(KEYS), drip_s=0.5)
    one = provider(server.url)
    began = time.monotonic()

    async def many() -> list[object]:
        calls = (one.verifier.verify(token()) for _ in range(30))
        return await asyncio.gather(*calls, return_exceptions=True)

    found = one.loop.run_until_complete(many())
    assert time.monotonic() - began < 10
    assert all(isinstance(result, ProviderUnavailable) for result in found)
    assert server.connections == 1


def test_a_gigabyte_of_keys_is_not_read(provider) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    sent = 0

    def pour() -> None:
        nonlocal sent
        with contextlib.suppress(OSError), listener.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            piece = b" " * 65536
            while sent < 2**30:
                connection.sendall(piece)
                sent += len(piece)

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    one = provider(f"http://127.0.0.1:{listener.getsockname()[1]}/jwks")
    tracemalloc.start()
    with pytest.raises(ProviderUnavailable):
        one.verify(token())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    thread.join(10)
    listener.close()
    assert sent < 64 * 2**20  # what fits into socket buffers
    assert peak < 8 * 2**20


def test_redirects_are_not_followed(provider, scripted_server) -> None:
    inner = scripted_server(http_ok(KEYS))
    outer = scripted_server(
        b"HTTP/1.1 302 Found\r\nLocation: " + inner.url.encode() + b"\r\nContent-Length: 0\r\n\r\n"
    )
    one = provider(outer.url)
    with pytest.raises(ProviderUnavailable):
        one.verify(token())
    assert len(outer.requests) == 1
    assert inner.requests == []


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "169.254.169.254"]
)
def test_private_addresses_need_a_setting(provider, scripted_server, address: str) -> None:
    server = scripted_server(http_ok(KEYS))
    one = provider(f"http://{address}:{server.port}/jwks", private_network=False)
    with pytest.raises(ProviderUnavailable):
        one.verify(token())
    assert server.connections == 0


# --- through the door --------------------------------------------------------------------------


def test_a_person_comes_in_once_an_administrator_entered_him(
    lone_directory, auth_client, scripted_server
) -> None:
    server = scripted_server(http_ok(KEYS))
    issuer = OIDCIssuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=server.url, private_network=True)
    client = auth_client(issuer)
    answer = client.ask("GET", "/v1/whoami", headers=bearer(token()))
    assert answer.status_code == 403
    assert "user-7" in answer.json()["detail"]
    assert "sohoa users" in answer.json()["detail"]
    person = lone_directory.principal(kind="user", oidc_subject=f"{ISSUER} user-7")
    answer = client.ask("GET", "/v1/whoami", headers=bearer(token()))
    assert (answer.status_code, answer.json()["method"]) == (200, "oidc")
    # roles are ours: what the token claims of them counts for nothing
    claiming = token(roles=["admin"], groups=["admin"], scope="admin")
    answer = client.ask("GET", "/v1/whoami", headers=bearer(claiming))
    assert answer.json()["roles"] == ["clerk", "leader"]
    lone_directory.identity.principals.disable(lone_directory.house, person.id, version=1)
    assert client.ask("GET", "/v1/whoami", headers=bearer(token())).status_code == 401
    assert client.ask("GET", "/v1/whoami", headers=bearer(token(aud="x"))).status_code == 401
    client.authenticator.refusals.flush()
    everything = "\n".join(lone_directory.told())
    assert not re.search(r"eyJ[A-Za-z0-9_-]{10,}", everything)


def test_while_the_provider_is_away_the_door_says_so(
    lone_directory, auth_client, scripted_server
) -> None:
    server = scripted_server(b"")
    issuer = OIDCIssuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=server.url, private_network=True)
    client = auth_client(issuer)
    answer = client.ask("GET", "/v1/whoami", headers=bearer(token()))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    text = lone_directory.client()
    assert client.ask("GET", "/v1/whoami", headers=bearer(text)).is_success


def test_a_flood_of_bad_tokens_shuts_out_new_ones_alone(
    lone_directory, auth_client, scripted_server
) -> None:
    server = scripted_server(http_ok(KEYS))
    issuer = OIDCIssuer(issuer=ISSUER, audience=AUDIENCE, jwks_url=server.url, private_network=True)
    client = auth_client(issuer)
    lone_directory.principal(kind="user", oidc_subject=f"{ISSUER} user-7")
    before = token()
    assert client.ask("GET", "/v1/whoami", headers=bearer(before)).is_success
    bad = token(OTHER_KEY)
    codes = [client.ask("GET", "/v1/whoami", headers=bearer(bad)).status_code for _ in range(40)]
    assert codes[0] == 401
    assert codes[-1] == 429
    assert client.ask("GET", "/v1/whoami", headers=bearer(before)).is_success
    fresh = token(jti="another")
    assert client.ask("GET", "/v1/whoami", headers=bearer(fresh)).status_code == 429
    elsewhere = client.ask("GET", "/v1/whoami", headers=bearer(fresh), source="198.51.100.9")
    assert elsewhere.is_success


def test_a_kept_token_ends_when_it_says_so(provider, scripted_server) -> None:
    one = provider(scripted_server(http_ok(KEYS)).url)
    text = token(exp=int(time.time()) + 3)
    assert one.verify(text)
    assert one.verifier.is_known(text)
    one.ticks += 3.1
    assert not one.verifier.is_known(text)
    lasting = token()
    assert one.verify(lasting)
    one.ticks += KEPT_S
    assert not one.verifier.is_known(lasting)
