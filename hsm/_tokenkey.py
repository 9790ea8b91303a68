"""Keys on a token that sign digests and verify each signature before they return it."""

from __future__ import annotations

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from cryptography import x509

from hsm._login import log_in_again
from hsm._objects import StoredKey, mismatch
from hsm._schemes import PublicKey, SigningRecipe, check_key, check_mechanism, default_scheme
from hsm._session import Session
from hsm.errors import HSMError, PinError, SignatureFault, TokenUnavailable
from hsm.keys import KeyRef, SignatureScheme, Witness

if TYPE_CHECKING:
    from hsm.token import Token

MAX_FAULTS: Final = 3  # digests in a row that a token may refuse before a batch is given up


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
        run = _Run([self._recipe.payload(digest) for digest in digests], None)
        if run.pending:
            self._token.in_session(lambda session: self._sign(session, run))
        signatures = [self._recipe.encoded(raw) for raw in run.raw.values()]
        for signature, digest in zip(signatures, digests, strict=True):
            self._recipe.verify(signature, digest)
        return signatures

    def sign_each(self, digests: Sequence[bytes], witness: Witness) -> list[bytes | HSMError]:
        """See `hsm.keys.WitnessedKey`."""
        run = _Run([self._recipe.payload(digest) for digest in digests], witness)
        faults = 0
        while run.pending:
            before = len(run.pending)
            try:
                self._token.in_session(lambda session: self._sign(session, run))
            except HSMError as error:
                run.errors[run.pending[0]] = error
                faults = faults + 1 if len(run.pending) == before else 1
                # the token itself is ill: no use in asking it for the others
                if isinstance(error, TokenUnavailable | PinError) or faults >= MAX_FAULTS:
                    run.errors.update(dict.fromkeys(run.pending, error))
                    break
                run.pending.popleft()
        return [
            run.errors.get(n) or self._verified(run.raw[n], digest)
            for n, digest in enumerate(digests)
        ]

    def _verified(self, raw: bytes, digest: bytes) -> bytes | HSMError:
        signature = self._recipe.encoded(raw)
        try:
            self._recipe.verify(signature, digest)
        except SignatureFault as fault:
            return fault
        return signature

    def _sign(self, session: Session, run: _Run) -> None:
        """Sign what is pending. Called again, for the rest, when the token was lost meanwhile."""
        key = self._object(session)
        mechanism = self._recipe.mechanism
        while run.pending:
            position = run.pending[0]
            run.announce()
            session.sign_init(mechanism, key.handle)
            if key.always_authenticate:
                log_in_again(session, self._token.identity, self._token.pin)
            run.calling(position)
            try:
                run.raw[position] = session.sign(run.payloads[position])
            except HSMError as error:
                run.failed(position, error)
                raise
            run.pending.popleft()

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

    def prove(self, witness: Callable[[SignatureScheme, bytes], Witness] | None = None) -> None:
        """Sign a random digest and verify it by the certificate; raises `KeyMismatch`."""
        digest = secrets.token_bytes(self._recipe.digest_size)
        try:
            if witness is None:
                self.sign_digests([digest])
                return
            (result,) = self.sign_each([digest], witness(self.scheme, digest))
            if isinstance(result, HSMError):
                raise result
        except SignatureFault as error:
            raise mismatch(self.label) from error


class _Run:
    """One batch on its way: what is to be signed still, what came of the rest."""

    __slots__ = ("announced", "errors", "payloads", "pending", "raw", "witness")

    def __init__(self, payloads: Sequence[bytes], witness: Witness | None) -> None:
        self.payloads = payloads
        self.witness = witness
        self.pending = deque(range(len(payloads)))
        self.announced: set[int] = set()  # may have its C_Sign: the witness knows
        self.raw: dict[int, bytes] = {}  # in the order of the positions
        self.errors: dict[int, HSMError] = {}

    def announce(self) -> None:
        """Make sure that the witness knows of the next C_Sign; the rest goes in one word."""
        if self.witness is None:
            return
        if not self.witness.may_go_on():
            raise TokenUnavailable(
                "the token took too long; the rest of the batch was not signed: try again",
                retry_after_s=1,
            )
        if self.pending[0] not in self.announced:
            fresh = [n for n in self.pending if n not in self.announced]
            self.witness.intend(fresh)
            self.announced.update(fresh)

    def calling(self, position: int) -> None:
        """C_Sign is made for `position` now."""
        self.announced.discard(position)
        if self.witness is not None:
            self.witness.calling(position)

    def failed(self, position: int, error: HSMError) -> None:
        """The C_Sign of `position` failed."""
        if self.witness is not None:
            self.witness.failed(position, error)
