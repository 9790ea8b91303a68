"""A token: one login a process, a pool of sessions, cached key handles, recovery once.

    Token.open(module, label, pin)
        │  module.use()              re-initialisation is kept away while a call runs
        │  _Epoch                    what is valid for one generation of the module:
        │                            slot, login session (never closed), idle sessions
        └─ signing_key(...)          certificate proved to match, test signature made

A return code that says "gone" (token removed, session or login lost, connection broken) leads
to exactly one re-initialisation, shared by all threads that saw it, and one more try. If that
fails too, calls are refused at once for `RECOVERY_PAUSE_S`, so that a missing token does not
keep the other tokens of the module from working.
"""

from __future__ import annotations

import ctypes
import logging
import math
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn, TypeVar

from cryptography import x509

from hsm import _cryptoki as ck
from hsm._login import PinSource, log_in
from hsm._objects import (
    StoredKey,
    certificate_for,
    chain_of,
    matches,
    mismatch,
    read_certificates,
    read_key,
)
from hsm._pkcs11 import Module, ModuleStalled, TokenLost, load_module
from hsm._session import Session
from hsm._startup import startup_lock
from hsm._tokenkey import CertifiedKey, PrivateKey
from hsm.errors import HSMError, KeyNotFound, ModuleError, PinError, TokenUnavailable
from hsm.keys import KeyRef, SignatureScheme, SigningKey, Witness, WitnessedKey

T = TypeVar("T")
_LOG = logging.getLogger(__name__)

MAX_SESSIONS: Final = 32  # more threads than that wait; tokens rarely do more at a time
WAIT_S: Final = 30.0  # for a free session
RECOVERY_PAUSE_S: Final = 2.0

# What software tokens call themselves, in any of their names. A module's word for being
# hardware (CKF_HW_SLOT) is not enough: opencryptoki's soft token sets the flag too.
_SOFTWARE: Final = (
    "softhsm", "mozilla", "nss ", "software", "soft token", "softtok", "opencryptoki soft",
    "swtpm", "sw   tpm", "simulator", "kryoptic", "mock",
)  # fmt: skip


@dataclass(slots=True)
class _Epoch:
    """What is worth something within one generation of the module only."""

    generation: int
    slot: int
    login: Session  # logged in; closing it would log the process out (trap 2)
    held_keys: bool  # whether there was any private key when it began
    idle: deque[Session] = field(default_factory=deque)


class Token:
    """A token that this process is logged in to. Safe for any number of threads.

    Make it with `open`, in the process that uses it: it survives neither fork nor pickling.
    """

    def __init__(self, module: Module, label: str, pin: PinSource, max_sessions: int) -> None:
        self._module = module
        self._pin = pin
        self._lock = threading.Lock()  # guards the making of _epoch
        self._epoch: _Epoch | None = None
        self._max_sessions = max_sessions
        self._permits: threading.Semaphore | None = None  # made with the first epoch
        self._down_until = 0.0
        self.label = label
        self.manufacturer = ""
        self.model = ""
        self.serial = ""
        self.identity = ""  # unique within the module
        self.is_hardware = False
        self.mechanisms: frozenset[int] = frozenset()

    @classmethod
    def open(
        cls,
        module: Path,
        token_label: str,
        pin: str | Callable[[], str],
        *,
        init_reserved: str | None = None,
        max_sessions: int = MAX_SESSIONS,
        lock_file: Path | None = None,
    ) -> Token:
        """Load `module`, find the token by its label, log in and read its objects once.

        Processes that start together take turns at `lock_file` (by default one a module in
        the temporary folder): modules corrupt their start-up otherwise (trap 6). `pin` is
        called before the lock is taken, and again for each later login; a string is kept for
        the process's life. `init_reserved` is what some modules want in pReserved, see
        `hsm._pkcs11.load_module`.

        Raises `ModuleError`, `TokenUnavailable`, `PinError` (tried once, then latched).
        """
        source = PinSource(pin)
        del pin  # so that no traceback that shows local variables can show it
        with source.held(), startup_lock(module, lock_file):
            token = cls(load_module(module, init_reserved), token_label, source, max_sessions)
            token.check_health()
        return token

    def __repr__(self) -> str:
        return f"<Token {self.label!r} serial {self.serial!r} of {self._module.path.name}>"

    def __reduce__(self) -> NoReturn:
        raise HSMError("a token is not handed to other processes; open it in each process")

    @property
    def pin(self) -> PinSource:
        """Where the PIN comes from; for the package's own use."""
        return self._pin

    def private_key(self, ref: str | KeyRef, scheme: SignatureScheme | None = None) -> PrivateKey:
        """A key that needs no certificate yet: for the key ceremony (CSR) only."""
        ref = self.resolve(ref)
        stored = self.in_session(lambda session: self.find_key(session, ref))
        if stored.public_key is None:
            raise KeyNotFound(
                f"the public half of {stored.label!r} cannot be read from the token; give its "
                "certificate, or make a key of a supported type: sohoa keys create"
            )
        return PrivateKey(self, stored, stored.public_key, scheme)

    def signing_key(
        self,
        ref: str | KeyRef,
        scheme: SignatureScheme | None = None,
        *,
        certificate: x509.Certificate | None = None,
        chain: Sequence[x509.Certificate] | None = None,
        witness: Callable[[SignatureScheme, bytes], Witness] | None = None,
    ) -> WitnessedKey:
        """The key that `ref` (a label, a ``pkcs11:`` URI or a `KeyRef`) names, ready to sign.

        Certificate and chain default to the token's: the newest certificate of the key's
        CKA_ID, its issuers by name and signature. The certificate is proved to match by
        comparing public keys and by a test signature. `witness` makes, from the
        scheme and the digest of that signature, the witness that is told of it.

        Raises `KeyNotFound`, `KeyMismatch`, `SchemeNotSupported`, `TokenUnavailable`.
        """
        ref = self.resolve(ref)
        stored, known = self.in_session(
            lambda session: (self.find_key(session, ref), read_certificates(session))
        )
        if certificate is None:
            certificate = certificate_for(stored, known)
        elif stored.public_key is not None and not matches(certificate, stored.public_key):
            raise mismatch(stored.label)
        if chain is None:
            chain = chain_of(certificate, [entry.certificate for entry in known])
        key = CertifiedKey(self, stored, scheme, certificate, tuple(chain))
        key.prove(witness)
        return key

    def check_health(self, key: SigningKey | None = None) -> None:
        """Prove that the token answers; with `key`, that it signs (one test signature).

        Raises `hsm.errors.HSMError`.
        """
        if key is None:
            self.in_session(lambda session: session.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY}))
        else:
            key.sign_digests([secrets.token_bytes(DIGEST_BYTES[key.scheme.digest_name])])

    def find_key(self, session: Session, ref: KeyRef) -> StoredKey:
        """`hsm._objects.read_key`, which also notices that the whole token is gone.

        SoftHSM and others answer a search on a vanished token with "no objects" (trap 4).
        """
        try:
            return read_key(session, ref)
        except KeyNotFound as error:
            epoch = self._epoch
            held = epoch is not None and epoch.held_keys
            if held and not session.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY}):
                raise TokenLost(
                    f"all keys of the token {self.label!r} have vanished; plug it in and retry"
                ) from error
            raise

    def in_session(self, work: Callable[[Session], T], *, writable: bool = False) -> T:
        """Run `work` in a session of its own; for the package's own use. Not to be nested.

        `work` may run twice: when the token was lost and came back.
        """
        wait = self._down_until - time.monotonic()
        if wait > 0:
            raise TokenUnavailable(
                f"the token {self.label!r} is not available; plug it in or start it, "
                f"the next try is possible in {wait:.0f} s",
                retry_after_s=math.ceil(wait),
            )
        try:
            return self._attempt(work, writable)
        except TokenLost as lost:
            _LOG.warning("token %s lost, re-initialising the module: %s", self.label, lost)
            generation = lost.generation
        try:
            try:
                self._module.reinitialise(generation)
            except ModuleStalled as stalled:
                _LOG.warning("token %s: %s; going on without it", self.label, stalled)
                self._module.renew(generation)
            return self._attempt(work, writable)
        except (TokenUnavailable, ModuleError) as error:
            self._down_until = time.monotonic() + RECOVERY_PAUSE_S
            raise TokenUnavailable(str(error)) from error

    def _attempt(self, work: Callable[[Session], T], writable: bool) -> T:
        with self._module.use() as generation:
            try:
                epoch, permits = self._enter(generation)
                if not permits.acquire(timeout=WAIT_S):
                    raise TokenUnavailable(
                        f"no session of the token {self.label!r} became free within "
                        f"{WAIT_S:.0f} s; it is overloaded or hangs"
                    )
                try:
                    return self._work(work, epoch, writable)
                finally:
                    permits.release()
            except TokenLost as lost:
                lost.generation = generation
                raise

    def _work(self, work: Callable[[Session], T], epoch: _Epoch, writable: bool) -> T:
        session = self._take(epoch, writable)
        try:
            result = work(session)
        except BaseException:
            session.close()  # an operation may be active in it
            raise
        if writable:
            session.close()
        else:
            epoch.idle.append(session)
        return result

    def _take(self, epoch: _Epoch, writable: bool) -> Session:
        if not writable:
            try:
                return epoch.idle.pop()
            except IndexError:
                pass
        return Session(self._module, epoch.slot, epoch.generation, writable=writable)

    def _enter(self, generation: int) -> tuple[_Epoch, threading.Semaphore]:
        """The epoch of `generation`; the first to come finds the token and logs in."""
        epoch, permits = self._epoch, self._permits
        if epoch is not None and permits is not None and epoch.generation == generation:
            return epoch, permits  # the common case needs no lock: both are set once whole
        with self._lock:
            if self._epoch is None or self._permits is None or self._epoch.generation != generation:
                slot = self._find_slot()
                login = Session(self._module, slot, generation, writable=False)
                try:
                    log_in(login, self.identity, self._pin)
                    held = login.find({ck.CKA_CLASS: ck.CKO_PRIVATE_KEY})
                except BaseException:
                    login.close()
                    raise
                self._epoch = _Epoch(generation, slot, login, bool(held))
                self._permits = self._permits or threading.Semaphore(self._max_sessions)
            return self._epoch, self._permits

    def _find_slot(self) -> int:
        found = {
            slot: info for slot, info in slots(self._module) if ck.text(info.label) == self.label
        }
        if len(found) != 1:
            present = ", ".join(repr(ck.text(info.label)) for _, info in slots(self._module))
            raise TokenLost(
                f"{len(found)} tokens labelled {self.label!r} are present in "
                f"{self._module.path.name} (present: {present or 'none'}); plug it in, or correct "
                "the label"
            )
        ((slot, info),) = found.items()
        self._describe(slot, info)
        if info.flags & (ck.CKF_USER_PIN_LOCKED | ck.CKF_USER_PIN_FINAL_TRY):
            raise PinError(
                f"the PIN of {self.label!r} is locked or has one try left; it was not tried: "
                "log in once with the vendor's tool, or have it unlocked by the security officer"
            )
        return slot

    def _describe(self, slot: int, info: ck.TokenInfo) -> None:
        module = self._module
        slot_info, library = ck.SlotInfo(), ck.Info()
        module.do("C_GetSlotInfo", slot, ctypes.byref(slot_info))
        module.do("C_GetInfo", ctypes.byref(library))
        self.manufacturer = ck.text(info.manufacturerID)
        self.model = ck.text(info.model)
        self.serial = ck.text(info.serialNumber)
        self.identity = "|".join((self.manufacturer, self.model, self.serial, self.label))
        self.mechanisms = frozenset(_mechanisms(module, slot))
        # 0 and CK_UNAVAILABLE_INFORMATION say nothing; two more are the login and a writer
        if 0 < info.ulMaxSessionCount < self._max_sessions + 2:
            self._max_sessions = max(1, info.ulMaxSessionCount - 2)
        said = " | ".join(
            (
                self.manufacturer,
                self.model,
                ck.text(slot_info.slotDescription),
                ck.text(slot_info.manufacturerID),
                ck.text(library.manufacturerID),
                ck.text(library.libraryDescription),
            )
        ).casefold()
        self.is_hardware = bool(slot_info.flags & ck.CKF_HW_SLOT) and not any(
            word in said for word in _SOFTWARE
        )

    def resolve(self, ref: str | KeyRef) -> KeyRef:
        """As a `KeyRef` that this token satisfies."""
        if isinstance(ref, str):
            ref = KeyRef.parse(ref) if ref.lower().startswith("pkcs11:") else KeyRef(object=ref)
        for name in ("token", "manufacturer", "model", "serial"):
            wanted = getattr(ref, name)
            mine = self.label if name == "token" else getattr(self, name)
            if wanted is not None and wanted != mine:
                raise KeyNotFound(
                    f"{ref} names another token: {name} is {mine!r} here; open that token"
                )
        if ref.type not in (None, "private"):
            raise KeyNotFound(f"{ref} does not name a private key; use type=private")
        return ref


DIGEST_BYTES: Final = {"sha256": 32, "sha384": 48, "sha512": 64}


def slots(module: Module) -> list[tuple[int, ck.TokenInfo]]:
    """The slots with a token, and its C_GetTokenInfo. A token pulled meanwhile is left out."""
    count = ck.CK_ULONG()
    module.do("C_GetSlotList", 1, None, ctypes.byref(count))
    identities = (ck.CK_ULONG * max(1, count.value))()
    module.do("C_GetSlotList", 1, identities, ctypes.byref(count))
    found = []
    for slot in identities[: count.value]:
        info = ck.TokenInfo()
        if module.call("C_GetTokenInfo", slot, ctypes.byref(info)) == ck.CKR_OK:
            found.append((slot, info))
    return found


def _mechanisms(module: Module, slot: int) -> list[int]:
    count = ck.CK_ULONG()
    module.do("C_GetMechanismList", slot, None, ctypes.byref(count))
    codes = (ck.CK_ULONG * max(1, count.value))()
    module.do("C_GetMechanismList", slot, codes, ctypes.byref(count))
    return codes[: count.value]
