"""What a checkpoint is (C2SP tlog-checkpoint): the log's size and root, as a signed note.

    <origin>⏎<size>⏎<base64 of the root>⏎
    ⏎
    — <origin> <signature>⏎

With it travel the certificates of the key and an RFC 3161 timestamp over the SHA-256 of the whole
note, so that years later it is known who signed it, and that it was there by then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509

from dossier.model import JSON
from dossier.register.merkle import HASH_BYTES
from dossier.register.notes import NoteInvalid, NoteKey, require_signed, text_of
from signer.certificate_path import NoPath, find_path
from signer.timestamp_token import UnusableToken, read_token

_MAX_CERTIFICATES = 8
_MAX_PEM = 32 * 1024


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a log: so many leaves, that root."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """The text of the note."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """The checkpoint that a note's text is; extension lines are passed over.

        Raises `NoteInvalid`.
        """
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise NoteInvalid("a checkpoint has an origin, a size and a root, one a line")
        origin, number, encoded = lines[:3]
        if not (number.isascii() and number.isdigit()) or len(number) > 18:
            raise NoteInvalid("the checkpoint's size is no number")
        try:
            root = base64.b64decode(encoded.encode("ascii"), validate=True)
        except (binascii.Error, UnicodeEncodeError) as error:
            raise NoteInvalid("the checkpoint's root is no base64") from error
        if number != str(int(number)) or len(root) != HASH_BYTES:
            raise NoteInvalid("the checkpoint's size or root is not in its only form")
        return cls(origin, int(number), root)


@dataclass(frozen=True, slots=True)
class ProvedCheckpoint:
    """A checkpoint whose signature holds. `at` is the timestamp's time, None without one."""

    checkpoint: Checkpoint
    key: NoteKey
    at: datetime | None


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A signed note with what proves its signer and its time.

    `certificates` are PEM, the signer's first; none for a bare note, which a verifier key proves.
    """

    note: str
    certificates: tuple[str, ...] = ()
    timestamp_token: bytes | None = None

    @property
    def checkpoint(self) -> Checkpoint:
        """What it says; nothing is verified. Raises `NoteInvalid`."""
        return Checkpoint.read(text_of(self.note))

    def to_json(self) -> dict[str, JSON]:
        """As it travels; `read` takes it."""
        token = self.timestamp_token
        return {
            "note": self.note,
            "certificates": list(self.certificates),
            "timestamp_token": None if token is None else base64.b64encode(token).decode(),
        }

    @classmethod
    def read(cls, value: JSON) -> SignedCheckpoint:
        """The checkpoint in `value`, or in the text of a bare note. Raises `NoteInvalid`."""
        if isinstance(value, str):
            return cls(value)
        try:
            note, certificates, token = (
                value["note"],
                tuple(value["certificates"]),
                value["timestamp_token"],
            )
            data = None if token is None else base64.b64decode(token, validate=True)
        except (KeyError, TypeError, ValueError) as error:
            raise NoteInvalid(f"it is no checkpoint: {error!r}") from error
        if not isinstance(note, str) or not all(isinstance(one, str) for one in certificates):
            raise NoteInvalid("it is no checkpoint: a field is of another kind")
        if len(certificates) > _MAX_CERTIFICATES or any(len(c) > _MAX_PEM for c in certificates):
            raise NoteInvalid("it is no checkpoint: too many certificates, or too large ones")
        return cls(note, certificates, data)

    def proved(
        self,
        anchors: Collection[x509.Certificate],
        *,
        candidates: Iterable[x509.Certificate] = (),
        keys: Collection[NoteKey] = (),
    ) -> ProvedCheckpoint:
        """What it proves. Raises `NoteInvalid`; asks no network.

        With `keys` one of them must have signed it. Else its own certificate must, and have a path
        to one of `anchors`, at the time of the timestamp (else now); so must the timestamp.
        """
        pool = [*candidates]
        at = self._timestamped(anchors, pool)
        checkpoint = self.checkpoint
        if keys:
            _, key = require_signed(self.note, keys)
            return ProvedCheckpoint(checkpoint, key, at)
        chain = self._chain()
        _, key = require_signed(self.note, NoteKey.all_of(checkpoint.origin, chain[0]))
        _require_path(chain[0], [*chain[1:], *pool], anchors, at or datetime.now(UTC))
        return ProvedCheckpoint(checkpoint, key, at)

    def _chain(self) -> list[x509.Certificate]:
        if not self.certificates:
            raise NoteInvalid("it carries no certificate: name the key that has to have signed it")
        try:
            return [x509.load_pem_x509_certificate(pem.encode()) for pem in self.certificates]
        except (ValueError, x509.InvalidVersion) as error:
            raise NoteInvalid("a certificate of the checkpoint cannot be read") from error

    def _timestamped(
        self, anchors: Collection[x509.Certificate], pool: list[x509.Certificate]
    ) -> datetime | None:
        if self.timestamp_token is None:
            return None
        imprint = hashlib.sha256(self.note.encode()).digest()
        try:
            token = read_token(self.timestamp_token, imprint, "sha256")
        except UnusableToken as error:
            raise NoteInvalid(f"the timestamp is not genuine: {error}") from error
        _require_path(token.certificate, [*token.certificates, *pool], anchors, token.gen_time)
        return token.gen_time


def _require_path(
    certificate: x509.Certificate,
    pool: list[x509.Certificate],
    anchors: Collection[x509.Certificate],
    at: datetime,
) -> None:
    try:
        find_path(certificate, pool, anchors, at)
    except NoPath as error:
        raise NoteInvalid(f"no path to a trusted root: {error}") from error
