"""A proof as the text of a QR code, and how names are masked in it.

    https://sohoa.example/verify?code=7K2M-9QXT-4#AB12…

A telephone's camera opens the address, where the result code looks the result up; the part
behind ``#`` never leaves the telephone and holds the signed proof for whoever reads it offline.

The proof is written in base 41: two octets are three characters (one octet two), least
significant first, as in RFC 9285. Its 41 characters stand in the QR code's alphanumeric set (5.5
bits each, so 16.5 bits for 16) as well as in the fragment of a URI (RFC 3986 3.5), which base 45
does not: it has the space and the percent sign. A text never ends with ``.`` or ``:``, which
programs leave out of addresses.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

from signer.errors import PolicyRefused, ProofMalformed

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-/*.:"
MAX_TEXT = 2048
"""Characters of a QR code's text that are looked at; the largest code holds 4,296."""
_BASE = len(ALPHABET)
_DIGITS = {character: digit for digit, character in enumerate(ALPHABET)}


@dataclass(frozen=True, slots=True)
class ProofText:
    """The text of a code in its two parts: `address` up to and with ``#``, and `proof`."""

    address: str
    proof: str

    def __str__(self) -> str:
        return self.address + self.proof


@dataclass(frozen=True, slots=True)
class ReadText:
    """What a code's text holds, none of it verified: the host, the result code, the proof."""

    unverified_host: str
    unverified_code: str | None
    proof: bytes


def proof_text(lookup_url: str, code: str, proof: bytes) -> ProofText:
    """The text for a QR code. `lookup_url` is the page, as ``https://sohoa.example/verify``.

    Raises `PolicyRefused` for an address that is no http(s) page or has a query already.
    """
    parts = urlsplit(lookup_url)
    if parts.scheme not in ("https", "http") or not parts.netloc or parts.query or parts.fragment:
        raise PolicyRefused(
            f"Địa chỉ tra cứu “{lookup_url}” không dùng được; hãy đặt như "
            "https://ten-mien/verify. / The lookup address is no page; set it like "
            "https://host/verify, without a query."
        )
    return ProofText(f"{lookup_url}?code={quote(code, safe='-')}#", encoded(proof))


def read_text(text: str) -> ReadText:
    """Take the text of a QR code apart. Raises `ProofMalformed` when it is none of ours."""
    if len(text) > MAX_TEXT:
        raise _no_proof("it is too long")
    try:
        parts = urlsplit(text)
        codes = parse_qs(parts.query, max_num_fields=8).get("code", [])
    except ValueError as error:
        raise _no_proof("it is no address") from error
    if parts.scheme.lower() not in ("https", "http") or not parts.fragment:
        raise _no_proof("it is no address with a proof")
    return ReadText(parts.netloc, codes[0] if len(codes) == 1 else None, decoded(parts.fragment))


def encoded(data: bytes) -> str:
    """`data` in base 41."""
    out = []
    for at in range(0, len(data), 2):
        group = data[at : at + 2]
        value = int.from_bytes(group, "big")
        for _ in range(len(group) + 1):
            value, digit = divmod(value, _BASE)
            out.append(ALPHABET[digit])
    return "".join(out)


def decoded(text: str) -> bytes:
    """What `encoded` wrote; every other text raises `ProofMalformed`."""
    if len(text) % 3 == 1:
        raise _no_proof("its length is wrong")
    out = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        value = 0
        for character in reversed(group):
            digit = _DIGITS.get(character)
            if digit is None:
                raise _no_proof("it has a character that does not belong there")
            value = value * _BASE + digit
        octets = len(group) - 1
        if value >> 8 * octets:
            raise _no_proof("a group of its characters stands for nothing")
        out += value.to_bytes(octets, "big")
    return bytes(out)


class Masking(enum.StrEnum):
    """How much of the holder's name a code tells whoever finds the paper."""

    HIDDEN = "hidden"  # nothing
    INITIALS = "initials"  # N. V. A.
    GIVEN_NAME = "given-name"  # N. V. An
    FULL = "full"


def masked(name: str | None, masking: Masking) -> str | None:
    """The name as the code may say it; None for none."""
    words = (name or "").split()
    if not words or masking is Masking.HIDDEN:
        return None
    if masking is Masking.FULL:
        return " ".join(words)
    short = [f"{word[0].upper()}." for word in words]
    if masking is Masking.GIVEN_NAME:
        short[-1] = words[-1]  # Vietnamese names end with the given name
    return " ".join(short)


def _no_proof(why: str) -> ProofMalformed:
    return ProofMalformed(
        f"Mã QR này không phải mã xác thực kết quả ({why}). / This QR code holds no proof of an "
        f"issued result: {why}."
    )
