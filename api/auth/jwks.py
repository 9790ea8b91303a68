"""The public keys of one identity provider (JWKS, RFC 7517): fetched, kept, renewed in time.

Fetching follows the rule for outbound requests (security.md 20): http(s) only, no redirects, a
public address that is pinned for the connection unless `private_network` allows others, at most
1 MB in 3 s. A provider that fails is asked again after a pause; keys that were fetched once
stay good for a day of its absence.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jwt import PyJWK
from jwt.exceptions import PyJWTError
from starlette.concurrency import run_in_threadpool

from api.errors import ProviderUnavailable, SettingsError
from api.settings import OIDCIssuer
from signer.fetch import Fetcher, FetchError

FRESH_S = 600.0
STALE_S = 86_400.0
PAUSE_S = 10.0
"""Between two fetches, whatever unknown key ids or failures ask for."""
_MAX_BYTES = 1_000_000
_TIMEOUT_S = 3.0
_MOST_KEYS = 64
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
ALGORITHMS = frozenset({*_RSA, *_CURVES.values(), "EdDSA"})
"""Signatures by a private key that only the provider has: no `none`, no HMAC."""
_SMALLEST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key of a JWKS: which algorithms it may be used with."""

    jwk: Mapping[str, Any]
    algorithms: frozenset[str]

    def for_algorithm(self, algorithm: str) -> PyJWK | None:
        """The key, ready to verify with `algorithm`; None when it is not for that."""
        if algorithm not in self.algorithms:
            return None
        try:
            return PyJWK(dict(self.jwk), algorithm)
        except PyJWTError:
            return None


class KeySet:
    """The keys of one issuer. For one event loop; fetches run in a thread, one at a time."""

    def __init__(
        self, issuer: OIDCIssuer, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises `SettingsError` when the CA file cannot be used."""
        self._url = issuer.jwks_url
        self._fetcher = Fetcher(public_only=not issuer.private_network, tls=_trusting(issuer))
        self._monotonic = monotonic
        self._keys: dict[str, PublicKey] = {}
        self.fetched = 0
        """How often keys came; whoever relies on older ones looks again."""
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None) -> PublicKey | None:
        """The key with this id; without an id, the only key. None: there is no such key.

        Raises `ProviderUnavailable` when there are no keys at hand and none can be fetched.
        """
        if not self._is_fresh() or (key_id is not None and key_id not in self._keys):
            await self._renew(key_id)
        if self._fetched_at is None or self._monotonic() - self._fetched_at > STALE_S:
            raise ProviderUnavailable(retry_after_s=int(PAUSE_S))
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    def close(self) -> None:
        """Close idle connections."""
        self._fetcher.close()

    def _is_fresh(self) -> bool:
        return self._fetched_at is not None and self._monotonic() - self._fetched_at < FRESH_S

    async def _renew(self, key_id: str | None) -> None:
        """Fetch, unless somebody just did: unknown ids cost the provider one fetch a pause."""
        async with self._fetching:
            if self._is_fresh() and (key_id is None or key_id in self._keys):
                return
            now = self._monotonic()
            if self._tried_at is not None and now - self._tried_at < PAUSE_S:
                return
            self._tried_at = now
            try:
                content = await run_in_threadpool(
                    self._fetcher.get, self._url, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES
                )
                keys = parse_keys(content)
            except (FetchError, ValueError):
                return  # what is at hand stays good for its time
            self._keys, self._fetched_at = keys, self._monotonic()
            self.fetched += 1


def parse_keys(content: bytes) -> dict[str, PublicKey]:
    """The usable signature keys of a JWKS by id. Raises `ValueError` for what is none."""
    try:
        entries = list(json.loads(content)["keys"])
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError("this is no JWK set") from error
    found: dict[str, PublicKey] = {}
    for entry in entries[:_MOST_KEYS]:
        if isinstance(entry, dict) and entry.get("use", "sig") == "sig":
            algorithms = _algorithms_of(entry)
            if algorithms:
                found.setdefault(str(entry.get("kid", "")), PublicKey(entry, algorithms))
    if not found:
        raise ValueError("there is no usable key in this JWK set")
    return found


def _algorithms_of(entry: Mapping[str, Any]) -> frozenset[str]:
    """What a key may be used with; nothing for private, symmetric, short and odd ones."""
    if "d" in entry or "k" in entry:
        return frozenset()
    kind, curve = entry.get("kty"), entry.get("crv")
    if kind == "RSA":
        modulus = entry.get("n")
        long_enough = isinstance(modulus, str) and len(modulus) * 6 >= _SMALLEST_RSA_BITS
        possible = _RSA if long_enough else frozenset()
    elif kind == "EC" and curve in _CURVES:
        possible = frozenset({_CURVES[curve]})
    elif kind == "OKP" and curve == "Ed25519":
        possible = frozenset({"EdDSA"})
    else:
        possible = frozenset()
    return possible & {entry["alg"]} if isinstance(entry.get("alg"), str) else possible


def _trusting(issuer: OIDCIssuer) -> ssl.SSLContext | None:
    if issuer.ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(issuer.ca))
    except OSError as error:  # ssl.SSLError is one
        raise SettingsError(f"identity.oidc: ca {issuer.ca} cannot be used: {error}") from error
