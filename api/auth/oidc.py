"""OIDC bearer tokens: signed JWTs of the identity providers that the settings name.

Checked in this order: size and form; issuer is ours; the algorithm is allowed and the key is for
it (no `none`, no HMAC, so a public key is never a secret); signature; audience, exp, nbf, iat
with a little leeway; subject. Roles come from our own principals, never from the token.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jwt
from jwt.exceptions import PyJWTError

from api.auth.jwks import ALGORITHMS, KeySet
from api.settings import OIDCIssuer
from dossier.errors import CredentialRefused

LEEWAY_S = 30
_MOST_CHARACTERS = 16_384
_NEEDED = ["exp", "iat", "iss", "aud", "sub"]
_TYPES = ("JWT", "AT+JWT", "APPLICATION/AT+JWT")


class TokenVerifier:
    """Verifies tokens of the configured issuers. For one event loop."""

    def __init__(
        self, issuers: Sequence[OIDCIssuer], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Raises `SettingsError` when an issuer's CA cannot be used."""
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {issuer.issuer: KeySet(issuer, monotonic=monotonic) for issuer in issuers}

    async def verify(self, token: str) -> tuple[str, str]:
        """(issuer, subject) of a good token.

        Raises `CredentialRefused`, and `ProviderUnavailable` when the keys cannot be fetched.
        """
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
        return issuer.issuer, subject

    def close(self) -> None:
        """Close connections to the providers."""
        for keys in self._keys.values():
            keys.close()


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token that nobody has checked yet."""
    if len(token) > _MOST_CHARACTERS:
        raise CredentialRefused("too long")
    try:
        whole = jwt.decode_complete(token, options={"verify_signature": False})
    except (PyJWTError, ValueError, RecursionError) as error:
        raise CredentialRefused("malformed") from error
    return whole["header"], whole["payload"]
