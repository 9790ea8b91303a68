"""Signed notes (C2SP signed-note): a text, a blank line, and lines that sign it.

    text of one or more lines⏎
    ⏎
    — <key name> <base64 of key ID ‖ signature>⏎

Our keys sign digests in a token, so the types of signature are those that sign one:

    0x02   ECDSA on P-256 with SHA-256, DER; key ID = SHA-256(SubjectPublicKeyInfo)[:4]
    0xff   another scheme; the byte is followed by ``sohoa/<scheme>`` and a newline; key ID =
           SHA-256(key name ‖ 0x0A ‖ 0xff ‖ "sohoa/<scheme>" ‖ 0x0A ‖ SubjectPublicKeyInfo)[:4]

A key is handed over as a verifier key, one line: ``<name>+<key ID, hex>+<base64 of type ‖ key>``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from hsm.keys import SignatureScheme, SigningKey
from signer.algorithms import WrongSignature, verify_digest

MAX_BYTES = 64 * 1024
"""A note of ours has a few hundred bytes; with sixteen cosignatures it stays far below this."""

_ECDSA = b"\x02"
_OTHER = b"\xff"
_DASH = "— "
_ID_BYTES = 4


class NoteInvalid(ValueError):
    """The text is no signed note, or not signed by the key asked for."""


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key that signs notes under a name. `public_key` is `cryptography`'s."""

    name: str
    scheme: SignatureScheme
    public_key: Any

    @property
    def encoded(self) -> bytes:
        """The type of its signatures and the key, as the key ID is made of and a line carries."""
        spki = self._spki()
        if self._is_common():
            return _ECDSA + spki
        return _OTHER + f"sohoa/{self.scheme.value}\n".encode() + spki

    @property
    def key_id(self) -> bytes:
        """Four bytes; with the name they say which key it is."""
        if self._is_common():
            return hashlib.sha256(self._spki()).digest()[:_ID_BYTES]
        return hashlib.sha256(self.name.encode() + b"\n" + self.encoded).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        """The verifier key, one line."""
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(self.encoded).decode()}"

    @classmethod
    def parse(cls, line: str) -> NoteKey:
        """Read a verifier key. Raises `NoteInvalid`."""
        name, _, rest = line.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        data = _decoded(encoded, "the verifier key")
        try:
            if data[:1] == _ECDSA:
                scheme, spki = SignatureScheme.ECDSA_SHA256, data[1:]
            elif data[:1] == _OTHER and b"\n" in data:
                title, _, spki = data[1:].partition(b"\n")
                scheme = SignatureScheme(title.decode().removeprefix("sohoa/"))
            else:
                raise NoteInvalid("the verifier key is of a type that is not used here")
            key = cls(_checked_name(name), scheme, load_der_public_key(spki))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise NoteInvalid(f"the verifier key cannot be read: {error}") from error
        if key.key_id.hex() != key_id.lower() or key.encoded != data:
            raise NoteInvalid("the verifier key's ID is not that of its key")
        return key

    @classmethod
    def of(cls, name: str, key: SigningKey) -> NoteKey:
        """The public half of a signing key, under `name`."""
        return cls(_checked_name(name), key.scheme, key.certificate.public_key())

    @classmethod
    def all_of(cls, name: str, certificate: x509.Certificate) -> list[NoteKey]:
        """The keys that a certificate may stand for: its scheme is told by the key ID alone."""
        public_key = certificate.public_key()
        family = "ecdsa" if isinstance(public_key, ec.EllipticCurvePublicKey) else "rsa"
        return [
            cls(_checked_name(name), scheme, public_key)
            for scheme in SignatureScheme
            if scheme.family.startswith(family)
        ]

    def _is_common(self) -> bool:
        return (
            self.scheme is SignatureScheme.ECDSA_SHA256
            and isinstance(self.public_key, ec.EllipticCurvePublicKey)
            and self.public_key.curve.name == "secp256r1"
        )

    def _spki(self) -> bytes:
        found: bytes = self.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return found


def digest_of(text: str, scheme: SignatureScheme) -> bytes:
    """What the key signs for a note with this text."""
    return hashlib.new(scheme.digest_name, text.encode()).digest()


def sign(text: str, name: str, key: SigningKey) -> str:
    """The signed note, one use of the key. Blocking. Raises `hsm.errors.HSMError`."""
    [signature] = key.sign_digests([digest_of(text, key.scheme)])
    value = base64.b64encode(NoteKey.of(name, key).key_id + signature).decode()
    return f"{text}\n{_DASH}{name} {value}\n"


def text_of(note: str) -> str:
    """The text of a note, its last newline included; nothing is verified. Raises `NoteInvalid`."""
    return _split(note)[0]


def require_signed(note: str, keys: Iterable[NoteKey]) -> tuple[str, NoteKey]:
    """The text and the first of `keys` that signed it.

    Signatures of other keys do not matter; one of a known key that does not verify spoils the
    note. Raises `NoteInvalid`.
    """
    text, lines = _split(note)
    known = {(key.name, key.key_id): key for key in keys}
    found: NoteKey | None = None
    for line in lines:
        name, _, value = line.removeprefix(_DASH).partition(" ")
        data = _decoded(value, "a signature")
        if not line.startswith(_DASH) or len(data) <= _ID_BYTES:
            raise NoteInvalid("a line behind the text is no signature")
        key = known.get((name, data[:_ID_BYTES]))
        if key is None:
            continue
        try:
            verify_digest(key.public_key, key.scheme, data[_ID_BYTES:], digest_of(text, key.scheme))
        except WrongSignature as error:
            raise NoteInvalid(f"the signature of {name} does not hold") from error
        found = found or key
    if found is None:
        raise NoteInvalid("it is not signed by the key asked for")
    return text, found


def _split(note: str) -> tuple[str, list[str]]:
    if len(note) > MAX_BYTES:
        raise NoteInvalid("it is too long for a note")
    text, blank, signatures = note.rpartition("\n\n")
    if not blank or not text or not signatures.endswith("\n"):
        raise NoteInvalid("it is no signed note: text, a blank line, signatures")
    if any(character < " " and character != "\n" for character in note):
        raise NoteInvalid("it has control characters")
    return text + "\n", signatures.removesuffix("\n").split("\n")


def _checked_name(name: str) -> str:
    if not name or "+" in name or any(character.isspace() for character in name):
        raise NoteInvalid("a key name is not empty and has neither spaces nor “+”")
    return name


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise NoteInvalid(f"{what} is no base64") from error
