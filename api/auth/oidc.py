"""OIDC bearer tokens: signed JWTs of the identity providers that the settings name.

Checked in this order: size and form; issuer is ours; the algorithm is allowed and the key is for
it (no `none`, no HMAC, so a public key is never a secret); signature; audience, exp, nbf, iat
with a little leeway; subject. Roles come from our own principals, never from the token.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from api.auth.jwks import ALGORITHMS, KeySet
from api.settings import OIDCIssuer
from dossier.errors import CredentialRefused

LEEWAY_S = 30
KEPT_S = 60.0
"""So long a token that was found good is not verified again; a signature costs 50 µs and more."""
_MOST_KEPT = 4096
_MOST_CHARACTERS = 16_384
_NEEDED = ["exp", "iat", "iss", "aud", "sub"]
_TYPES = ("JWT", "AT+JWT", "APPLICATION/AT+JWT")


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    issuer: str
    subject: str
    fetched: int


class TokenVerifier:
    """Verifies tokens of the configured issuers. For one event loop."""

    def __init__(
        self, issuers: Sequence[OIDCIssuer], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises `SettingsError` when an issuer's CA cannot be used."""
        self._monotonic = monotonic
        self._good: OrderedDict[bytes, _Kept] = OrderedDict()
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: KeySet(issuer, monotonic=monotonic) for issuer in issuers}

    def is_known(self, token: str) -> bool:
        """Whether this very token was found good within `KEPT_S`, and has not ended."""
        return self._kept(token) is not None

    async def verify(self, token: str) -> tuple[str, str]:
        """(issuer, subject) of a good token.

        Raises `CredentialRefused`, and `ProviderUnavailable` when the keys cannot be fetched.
        """
        kept = self._kept(token)
        if kept is not None:
            return kept
        unverified_header, unverified_claims = _unverified(token)
        issuer = self._issuers.get(str(unverified_claims.get("iss")))
        if issuer is None:
            raise CredentialRefused("issuer")
        algorithm = unverified_header.get("alg")
        if algorithm not in ALGORITHMS or "crit" in unverified_header:
            raise CredentialRefused("algorithm")
        if str(unverified_header.get("typ", "JWT")).upper() not in _TYPES:
            raise CredentialRefused("type")
        key_id = unverified_header.get("kid")
        found = await self._keys[issuer.issuer].find(None if key_id is None else str(key_id))
        key = None if found is None else found.for_algorithm(algorithm)
        if key is None:
            raise CredentialRefused("key")
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=LEEWAY_S,
                options={"require": _NEEDED},
            )
        except PyJWTError as error:
            raise CredentialRefused(type(error).__name__) from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise CredentialRefused("subject")
        self._keep(token, issuer.issuer, subject, claims["exp"])
        return issuer.issuer, subject

    def _kept(self, token: str) -> tuple[str, str] | None:
        kept = self._good.get(_mark(token))
        if kept is None or self._monotonic() >= kept.until:
            return None
        same_keys = self._keys[kept.issuer].fetched == kept.fetched  # else one may be withdrawn
        return (kept.issuer, kept.subject) if same_keys else None

    def _keep(self, token: str, issuer: str, subject: str, ends: float) -> None:
        until = self._monotonic() + min(KEPT_S, ends - time.time())
        self._good[_mark(token)] = _Kept(until, issuer, subject, self._keys[issuer].fetched)
        if len(self._good) > _MOST_KEPT:
            self._good.popitem(last=False)

    def close(self) -> None:
        """Close connections to the providers."""
        for keys in self._keys.values():
            keys.close()


def _mark(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that nobody has checked yet."""
    if len(token) > _MOST_CHARACTERS:
        raise CredentialRefused("too long")
    try:
        whole = jwt.decode_complete(token, options={"verify_signature": False})
    except (PyJWTError, ValueError, RecursionError) as error:
        raise CredentialRefused("malformed") from error
    return whole["header"], whole["payload"]
