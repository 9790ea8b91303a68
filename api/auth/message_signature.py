"""HTTP message signatures (RFC 9421) with hmac-sha256: what both sides compute.

`api.auth.signed` verifies with it, the Python client signs with it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

from api.auth.structured import InnerList

LABEL = "sohoa"
MEANT = ("content-digest", "idempotency-key", "if-match", "content-type", "prefer")
"""Headers that change what a request does: covered whenever they are there."""


def signature_base(given: InnerList, value_of: Callable[[str], str]) -> bytes:
    """The signature base (clause 2.5) over the components of `given`."""
    lines = [f'"{name}": {value_of(name)}' for name in given.items]
    lines.append(f'"@signature-params": {given.serialised()}')
    return "\n".join(lines).encode("latin-1")


def sign(
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    key_id: str,
    secret: bytes,
    created: int,
    nonce: str,
) -> dict[str, str]:
    """The headers Signature-Input and Signature of a request.

    `target` is the path with its query, as it is sent; the names of `headers` are lower-case.
    `secret` is `dossier.identity.keytext.secret_digest` of the API key's secret.
    """
    path, _, query = target.partition("?")
    values = {"@method": method, "@path": path, "@query": f"?{query}"}
    values |= {name: headers[name].strip() for name in MEANT if name in headers}
    parameters = (
        ("created", created),
        ("keyid", key_id),
        ("alg", "hmac-sha256"),
        ("nonce", nonce),
    )
    given = InnerList(tuple(values), parameters)
    signature = hmac.digest(secret, signature_base(given, values.__getitem__), hashlib.sha256)
    return {
        "Signature-Input": f"{LABEL}={given.serialised()}",
        "Signature": f"{LABEL}=:{base64.b64encode(signature).decode('ascii')}:",
    }
