"""Keys on a token that sign digests and verify each signature before they return it."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cryptography import x509

from hsm._login import log_in_again
from hsm._objects import StoredKey, mismatch
from hsm._schemes import PublicKey, SigningRecipe, check_key, check_mechanism, default_scheme
from hsm._session import Session
from hsm.errors import SignatureFault
from hsm.keys import KeyRef, SignatureScheme

if TYPE_CHECKING:
    from hsm.token import Token


class PrivateKey:
    """A private key whose public half is known. Safe for any number of threads."""

    def __init__(
        self, token: Token, stored: StoredKey, public_key: PublicKey, scheme: SignatureScheme | None
    ) -> None:
        check_key(public_key)
        scheme = scheme or default_scheme(public_key, token.mechanisms)
        check_mechanism(scheme, token.mechanisms)
        self._token = token
        self._recipe = SigningRecipe(public_key, scheme)
        self.ref = KeyRef(object=stored.label or None, id=stored.id or None)
        self._found: tuple[int, StoredKey] | None = None  # generation and what was read in it
        self.label = stored.label
        self.public_key = public_key

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label!r} {self.scheme.value} on {self._token!r}>"

    @property
    def scheme(self) -> SignatureScheme:
        """The scheme that `sign_digests` uses."""
        return self._recipe.scheme

    @property
    def is_hardware(self) -> bool:
        """False for software tokens."""
        return self._token.is_hardware

    def sign_digests(self, digests: Sequence[bytes]) -> list[bytes]:
        """See `hsm.keys.SigningKey`. The whole batch goes through one session.

        Raises ValueError for a digest of the wrong length, before anything is signed.
        """
        payloads = [self._recipe.payload(digest) for digest in digests]
        if not payloads:
            return []
        raw = self._token.in_session(lambda session: self._sign(session, payloads))
        signatures = [self._recipe.encoded(value) for value in raw]
        for signature, digest in zip(signatures, digests, strict=True):
            self._recipe.verify(signature, digest)
        return signatures

    def _sign(self, session: Session, payloads: Sequence[bytes]) -> list[bytes]:
        key = self._object(session)
        mechanism = self._recipe.mechanism
        signatures = []
        for payload in payloads:
            session.sign_init(mechanism, key.handle)
            if key.always_authenticate:
                log_in_again(session, self._token.identity, self._token.pin)
            signatures.append(session.sign(payload))
        return signatures

    def _object(self, session: Session) -> StoredKey:
        """The key object, looked up once a generation: a look-up is linear in all objects."""
        found = self._found
        if found is None or found[0] != session.generation:
            self._found = found = (session.generation, self._token.find_key(session, self.ref))
        return found[1]


class CertifiedKey(PrivateKey):
    """A `SigningKey`: a private key with the certificate that was proved to match it."""

    def __init__(
        self,
        token: Token,
        stored: StoredKey,
        scheme: SignatureScheme | None,
        certificate: x509.Certificate,
        chain: tuple[x509.Certificate, ...],
    ) -> None:
        public_key = certificate.public_key()
        check_key(public_key)
        super().__init__(token, stored, public_key, scheme)  # type: ignore[arg-type] # checked
        self.certificate = certificate
        self.chain = chain

    def prove(self) -> None:
        """Sign a random digest and verify it by the certificate; raises `KeyMismatch`."""
        try:
            self.sign_digests([secrets.token_bytes(self._recipe.digest_size)])
        except SignatureFault as error:
            raise mismatch(self.label) from error
