"""The authenticator: one credential in, one caller out, or one refusal that tells nothing.

The order of credentials: a signed request; else Authorization (API key or OIDC token); else the
certificate of the connection. A request with two of a kind is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NoReturn

from starlette.concurrency import run_in_threadpool

from api.auth.mutual_tls import peer_fingerprint
from api.auth.oidc import TokenVerifier
from api.auth.rates import TokenBuckets, source_of, whole_seconds
from api.auth.refusals import AuditWriter, Refusals
from api.auth.signed import SignedRequests
from api.errors import RateLimited, Unauthenticated
from api.web.body import too_large
from dossier.errors import AccessRefused, CredentialRefused
from dossier.identity import Identity, Limits
from dossier.identity.keytext import split_key_text
from dossier.model import Caller

if TYPE_CHECKING:
    from starlette.types import Scope

    from api.settings import Settings

FAILURES_PER_S = 0.5
FAILURE_BURST = 30
"""Failed attempts of one source address: so many at once, then one in two seconds."""

_Found = tuple[Caller, Limits]


@dataclass(frozen=True, slots=True)
class Admitted:
    """Somebody who may ask, and how much of his rate is left."""

    caller: Caller
    limits: Limits
    left: int
    wait_s: float = 0.0
    """Above 0: the rate is used up, and for how long."""

    def rate_headers(self) -> list[tuple[bytes, bytes]]:
        """RateLimit and RateLimit-Policy (draft-ietf-httpapi-ratelimit-headers)."""
        window_s = max(1, round(self.limits.burst / self.limits.requests_per_s))
        policy = f'"principal";q={self.limits.burst};w={window_s}'
        state = f'"principal";r={self.left};t={window_s}'
        return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", state.encode())]


class Authenticator:
    """One a web process, used by its event loop. Look-ups that need the database go to threads."""

    def __init__(
        self,
        settings: Settings,
        identity: Identity,
        audit: AuditWriter,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._rates = TokenBuckets(monotonic=monotonic)
        self._failures = TokenBuckets(monotonic=monotonic)
        self._tokens = TokenVerifier(settings.identity.oidc, monotonic=monotonic)
        self._signed = SignedRequests(
            window_s=settings.identity.signed_request_window_s,
            public_url=settings.web.public_url,
            clock=clock,
            monotonic=monotonic,
        )
        self.refusals = Refusals(audit, monotonic=monotonic)

    async def admit(self, scope: Scope) -> Admitted:
        """Who asks. The same for the whole request. Errors: `api.auth.authenticate`."""
        state = scope.setdefault("state", {})
        admitted: Admitted | None = state.get("admitted")
        if admitted is None:
            caller, limits = await self._counted(scope)
            caller = replace(caller, request_id=state.get("request_id", ""))
            left = self._rates.take(
                caller.principal_id, rate=limits.requests_per_s, burst=limits.burst
            )
            admitted = Admitted(caller, limits, max(0, int(left)), max(0.0, -left))
            state["admitted"] = admitted
            _narrow_body(scope, limits)
        if admitted.wait_s:
            raise RateLimited(retry_after_s=whole_seconds(admitted.wait_s))
        return admitted

    async def close(self) -> None:
        """Write the refusals that wait, and close the connections to identity providers."""
        await run_in_threadpool(self.refusals.close)
        self._tokens.close()

    async def _counted(self, scope: Scope) -> _Found:
        """Authenticate; failures count against their source address.

        A source that failed too often gets nothing looked up that is not known already: who came
        in from there before still does, and the rest costs us next to nothing.
        """
        client = scope.get("client")
        source = source_of(client[0] if client else None)
        wait_s = self._failures.wait_s(source, rate=FAILURES_PER_S, burst=FAILURE_BURST)
        try:
            return await self._found(scope, exhausted_s=wait_s)
        except (CredentialRefused, Unauthenticated, AccessRefused) as error:
            self._failures.take(source, rate=FAILURES_PER_S, burst=FAILURE_BURST)
            if isinstance(error, CredentialRefused):
                raise Unauthenticated from error
            raise

    async def _found(self, scope: Scope, *, exhausted_s: float) -> _Found:
        headers = _credentials(scope)
        if "signature" in headers or "signature-input" in headers:
            request = self._signed.read(scope)
            self._require_known("key", request.key_id, exhausted_s)
            found = await self._look_up(
                "key",
                request.key_id,
                lambda: self._identity.credentials.verify_signature(
                    request.key_id, request.base, request.signature
                ),
            )
            try:
                self._signed.spend(request)
            except CredentialRefused as error:  # now we know whose request was replayed
                raise _refused(error.reason, found[0]) from error
            return replace(found[0], method="signed"), found[1]
        found = await self._unsigned(scope, headers, exhausted_s)
        if found[1].require_signed_requests:
            _refuse_unsigned(found[0])
        return found

    async def _unsigned(self, scope: Scope, headers: dict[str, str], exhausted_s: float) -> _Found:
        authorization = headers.get("authorization")
        if authorization is not None:
            scheme, _, token = authorization.partition(" ")
            token = token.strip()
            if scheme.lower() != "bearer" or not token:
                raise CredentialRefused("scheme")
            if token.startswith("sohoa_"):
                return await self._by_key(token, exhausted_s)
            return await self._by_token(token, exhausted_s)
        fingerprint = peer_fingerprint(scope)
        if fingerprint is not None:
            self._require_known("certificate", fingerprint, exhausted_s)
            return await self._look_up(
                "certificate", fingerprint, lambda: self._identity.by_certificate(fingerprint)
            )
        raise CredentialRefused("none")

    async def _by_key(self, text: str, exhausted_s: float) -> _Found:
        parts = split_key_text(text)
        if parts is None:
            raise CredentialRefused("malformed")
        self._require_known("key", parts[0], exhausted_s)
        return await self._look_up("key", parts[0], lambda: self._identity.authenticate_key(text))

    async def _by_token(self, token: str, exhausted_s: float) -> _Found:
        if exhausted_s > 0 and not self._tokens.is_known(token):
            # a signature would have to be checked: that is what a flood wants
            raise RateLimited(retry_after_s=whole_seconds(exhausted_s))
        issuer, subject = await self._tokens.verify(token)
        try:
            return await self._look_up(
                "oidc", f"{issuer} {subject}", lambda: self._identity.by_oidc(issuer, subject)
            )
        except CredentialRefused as error:
            if error.reason != "unknown":
                raise
            raise AccessRefused(
                f"Tài khoản này của {issuer} chưa được cấp quyền ở đây; hãy nhờ quản trị gắn chủ "
                f"thể “{subject}” bằng lệnh sohoa users add --oidc. / This account of {issuer} has "
                f"no rights here; ask an administrator to enter its subject {subject!r} with: "
                "sohoa users add --oidc."
            ) from error

    def _require_known(self, kind: str, value: str, exhausted_s: float) -> None:
        if exhausted_s > 0 and not self._identity.credentials.is_known(kind, value):
            raise RateLimited(retry_after_s=whole_seconds(exhausted_s))

    async def _look_up(self, kind: str, value: str, look_up: Callable[[], _Found]) -> _Found:
        if self._identity.credentials.is_fresh(kind, value):
            return look_up()
        return await run_in_threadpool(look_up)


def _refuse_unsigned(caller: Caller) -> NoReturn:
    raise AccessRefused(
        "Tài khoản này chỉ nhận yêu cầu có chữ ký (RFC 9421); hãy ký yêu cầu bằng khóa API. / This "
        "principal accepts signed requests alone (RFC 9421): sign the request with the API key."
    ) from _refused("unsigned", caller)


def _refused(reason: str, caller: Caller) -> CredentialRefused:
    return CredentialRefused(reason, principal_id=caller.principal_id, agency_id=caller.agency_id)


def _credentials(scope: Scope) -> dict[str, str]:
    """The headers that carry credentials. Raises `CredentialRefused` when one comes twice."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        if raw in (b"authorization", b"signature", b"signature-input"):
            name = raw.decode()
            if name in found:
                raise CredentialRefused("ambiguous")
            found[name] = value.decode("latin-1")
    return found


def _narrow_body(scope: Scope, limits: Limits) -> None:
    """Hold the body to what this caller may send, before any of it is read."""
    body = scope["state"].get("body")
    if body is not None:
        body.limit = min(body.limit, limits.body_bytes)
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limits.body_bytes:
            raise too_large(limits.body_bytes)
