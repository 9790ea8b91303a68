"""The text of an API key: ``sohoa_<id>_<secret>``, 256 random bits in Crockford's base 32.

The secret is random and long, so SHA-256 is enough to store it: there is nothing to guess, and
a slow hash would only serve those who want to exhaust the door.
"""

from __future__ import annotations

import hashlib
import re
import secrets

from dossier.model import new_id

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_SECRET_DIGITS = 52  # 5 bits each: 256 bits and 4 spare
PATTERN = r"sohoa_[0-9a-hjkmnp-tv-z]{26}_[0-9a-hjkmnp-tv-z]{52}"
"""A regular expression for redaction: matches every key text, and next to nothing else."""

_TEXT = re.compile(PATTERN)


def new_key_id() -> str:
    """A new public part; sorts by time."""
    return new_id("key").removeprefix("key_")


def new_secret() -> str:
    """256 bits from the operating system."""
    number = secrets.randbits(256)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(0, 5 * _SECRET_DIGITS, 5))


def key_text(key_id: str, secret: str) -> str:
    """The text that a client sends."""
    return f"sohoa_{key_id}_{secret}"


def split_key_text(text: str) -> tuple[str, str] | None:
    """(id, secret), or None for what cannot be a key text."""
    if _TEXT.fullmatch(text) is None:
        return None
    _, key_id, secret = text.split("_")
    return key_id, secret


def secret_digest(secret: str) -> bytes:
    """SHA-256 of the secret part's ASCII text, 32 bytes: what is stored and compared.

    It is also the key of signed requests (RFC 9421), so that a client derives it from its text.
    """
    return hashlib.sha256(secret.encode("ascii")).digest()
