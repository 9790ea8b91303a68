"""Signed requests: HTTP message signatures (RFC 9421) with hmac-sha256.

The HMAC key is SHA-256 of the secret part of an API key (`dossier.identity.keytext`), `keyid` is
the key's id. The secret never travels, and what was signed cannot be altered or replayed:

* covered are at least `@method`, `@target-uri` (or `@path` and `@query`), and, where they are
  there, the headers of `MEANT`: Content-Digest (RFC 9530) binds the body, which `api.web.body`
  holds to it before it takes effect;
* `created` lies within the window, `nonce` is used once.

What holds with several web processes, or after a restart: nonces are remembered by one process
alone. So a signed POST has to carry an Idempotency-Key, under the signature: a replay at another
process is answered with what the first request made, by a UNIQUE rule of the database. PUT of a
blob is the same whenever it is repeated; other changes carry If-Match, which a replay fails.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from api.auth.message_signature import MEANT, signature_base
from api.auth.structured import InnerList, MalformedField, parse_bytes_entry, parse_inner_list_entry
from api.errors import MalformedRequest, RateLimited, Unauthenticated
from api.web.body import parse_digest
from dossier.errors import CredentialRefused

if TYPE_CHECKING:
    from starlette.types import Scope

T = TypeVar("T")

LEEWAY_S = 30
"""How far a client's clock may be ahead."""
_NONCES = 300_000
_NONCES_OF_ONE_KEY = 50_000  # nobody uses up what is there for all
_SHORTEST_NONCE, _LONGEST_NONCE = 16, 128


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request that says who signed it; nothing of it is proved yet."""

    key_id: str
    base: bytes
    """The signature base (RFC 9421 clause 2.5)."""
    signature: bytes
    created: int
    nonce: str


class SignedRequests:
    """Reads signatures and remembers nonces. For one event loop."""

    def __init__(
        self,
        *,
        window_s: int,
        public_url: str = "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`public_url` is what `@target-uri` begins with; empty: scheme and Host header."""
        self._window_s = window_s
        self._public_url = public_url.rstrip("/")
        self._clock = clock
        self._monotonic = monotonic
        self._used: set[bytes] = set()
        self._of_key: Counter[str] = Counter()
        self._order: deque[tuple[float, bytes, str]] = deque()

    def read(self, scope: Scope) -> SignedRequest:
        """What the request says of its signature.

        Raises `Unauthenticated` that tells what is missing (nothing of it depends on a secret),
        and `CredentialRefused` for a time outside of the window.
        """
        headers = _joined(scope)
        label, given = _parsed(parse_inner_list_entry, headers.get("signature-input", ""))
        label_of_bytes, signature = _parsed(parse_bytes_entry, headers.get("signature", ""))
        if label != label_of_bytes:
            raise _unusable("Signature and Signature-Input name different labels")
        parameters = dict(given.parameters)
        created, nonce, key_id = (parameters.get(n) for n in ("created", "nonce", "keyid"))
        if (
            not isinstance(created, int)
            or not isinstance(nonce, str)
            or not isinstance(key_id, str)
        ):
            raise _unusable("created, nonce and keyid are needed")
        if parameters.get("alg", "hmac-sha256") != "hmac-sha256":
            raise _unusable("alg has to be hmac-sha256")
        if not _SHORTEST_NONCE <= len(nonce) <= _LONGEST_NONCE:
            raise _unusable(f"nonce has {_SHORTEST_NONCE} to {_LONGEST_NONCE} characters")
        self._require_cover(scope, headers, given)
        now = self._clock()
        expires = parameters.get("expires", created + self._window_s)
        if not isinstance(expires, int):
            raise _unusable("expires has to be an integer")
        if not now - self._window_s <= created <= now + LEEWAY_S or now > expires:
            raise CredentialRefused("outside the window")
        base = self._base(scope, headers, given)
        return SignedRequest(key_id, base, signature, created, nonce)

    def spend(self, request: SignedRequest) -> None:
        """Use the nonce up; call it once the signature was found right.

        Raises `CredentialRefused` for a replay, and `RateLimited` when more signed requests came
        in one window than can be remembered: none is forgotten before its time.
        """
        now = self._monotonic()
        while self._order and self._order[0][0] < now:
            _, old, key_id = self._order.popleft()
            self._used.discard(old)
            self._of_key[key_id] -= 1
            if not self._of_key[key_id]:
                del self._of_key[key_id]
        mark = hashlib.sha256(f"{request.key_id} {request.nonce}".encode()).digest()[:16]
        if mark in self._used:
            raise CredentialRefused("replayed")
        if len(self._used) >= _NONCES or self._of_key[request.key_id] >= _NONCES_OF_ONE_KEY:
            raise RateLimited(retry_after_s=max(1, int(self._order[0][0] - now)))
        self._used.add(mark)
        self._of_key[request.key_id] += 1
        self._order.append((now + self._window_s + LEEWAY_S, mark, request.key_id))

    def _require_cover(self, scope: Scope, headers: dict[str, str], given: InnerList) -> None:
        covered = set(given.items)
        if len(covered) != len(given.items):
            raise _unusable("a component is covered twice")
        needed = {"@method"} | {name for name in MEANT if name in headers}
        if "@target-uri" not in covered:
            needed |= {"@path", "@query"}
        if _has_body(scope, headers):
            needed.add("content-digest")
            if not _known_digest(headers.get("content-digest")):
                raise _unusable("a body needs a Content-Digest with sha-256 or sha-512")
        if scope["method"] == "POST":
            needed.add("idempotency-key")
        if missing := sorted(needed - covered):
            raise _unusable(f"the signature has to cover {', '.join(missing)}")

    def _base(self, scope: Scope, headers: dict[str, str], given: InnerList) -> bytes:
        return signature_base(given, lambda name: self._value(scope, headers, name))

    def _value(self, scope: Scope, headers: dict[str, str], name: str) -> str:
        """The value of a covered component (RFC 9421 clauses 2.1 and 2.2)."""
        if not name.startswith("@"):
            if name not in headers:
                raise _unusable(f"the covered header {name} is not there")
            return headers[name]
        raw = scope.get("raw_path") or scope["path"].encode()
        path = raw.decode("latin-1") or "/"
        query = scope["query_string"].decode("latin-1")
        authority = headers.get("host", "").lower()
        values = {
            "@method": scope["method"],
            "@path": path,
            "@query": f"?{query}",
            "@authority": authority,
            "@target-uri": (self._public_url or f"{scope['scheme']}://{authority}")
            + path
            + (f"?{query}" if query else ""),
        }
        if name not in values:
            raise _unusable(f"the component {name} is not supported")
        value: str = values[name]
        return value


def _joined(scope: Scope) -> dict[str, str]:
    """Header fields as signatures see them: trimmed, several lines joined (clause 2.1)."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, text = raw.decode("latin-1"), value.decode("latin-1").strip()
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def _has_body(scope: Scope, headers: dict[str, str]) -> bool:
    length = headers.get("content-length", "0")
    return scope["method"] not in ("GET", "HEAD") and (
        length != "0" or "transfer-encoding" in headers
    )


def _known_digest(value: str | None) -> bool:
    try:
        return bool(parse_digest(value))
    except MalformedRequest:
        return False


def _parsed(parse: Callable[[str], T], text: str) -> T:
    try:
        return parse(text)
    except MalformedField as error:
        raise _unusable(str(error)) from error


def _unusable(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"Chữ ký của yêu cầu không dùng được: {why} (RFC 9421). / The request's signature cannot "
        f"be used: {why} (RFC 9421)."
    )
