"""Standard Webhooks signatures: who receives a message can tell who sent it, what, and when.

    webhook-id: msg_…                    the same for every try: receivers drop what they know
    webhook-timestamp: 1767225600        seconds since 1970, of this try
    webhook-signature: v1,<base64> …     HMAC-SHA256 over "id.timestamp.body", one a secret

Specification: Standard Webhooks 1.0.0, "Webhook payload" and "Signature scheme".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence

PREFIX = "whsec_"
_SECRET_BYTES = 32  # the specification asks for 24 to 64


def new_secret() -> str:
    """A new secret, as its receiver keeps it."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def signed_headers(
    message_id: str, timestamp: int, body: bytes, keys: Sequence[str]
) -> Mapping[str, str]:
    """The three headers of one try. `keys` are the secrets in force, the newest first."""
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = [
        base64.b64encode(hmac.digest(_raw(key), content, hashlib.sha256)).decode("ascii")
        for key in keys
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _raw(key: str) -> bytes:
    return base64.b64decode(key.removeprefix(PREFIX), validate=True)
