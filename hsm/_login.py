"""One login a process and token, and a wrong PIN that is tried once (signing.md, traps 2 and 3)."""

from __future__ import annotations

import ctypes
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from hsm import _cryptoki as ck
from hsm._pkcs11 import error_for
from hsm._session import Session
from hsm.errors import DeviceError, PinError

_KEY: Final = secrets.token_bytes(32)  # fingerprints are worthless outside this process


class PinSource:
    """Where a PIN comes from. Neither its repr nor its pickle shows the PIN.

    The PIN stands in local variables of this class's own methods alone, none of which raises
    after it was read, so that no traceback can show it.
    """

    __slots__ = ("_held", "_read")

    def __init__(self, pin: str | Callable[[], str]) -> None:
        self._read: Callable[[], str] = (lambda: pin) if isinstance(pin, str) else pin
        self._held: str | None = None

    def __repr__(self) -> str:
        return "PinSource(…)"

    def __reduce__(self) -> str:
        raise TypeError("a PIN is not handed to other processes; open the token in each process")

    @contextmanager
    def held(self) -> Iterator[None]:
        """Ask for the PIN now and use that answer while the block runs.

        So that nobody waits for a person at a prompt while holding a lock.
        """
        self._held = self._read()
        try:
            yield
        finally:
            self._held = None

    def fingerprint(self) -> bytes:
        """A keyed hash to compare PINs with, without asking the token."""
        return _fingerprint(self._pin())

    def present(self, session: Session, user: int) -> tuple[int, bytes]:
        """C_Login as `user`; returns the CK_RV and the fingerprint of the PIN it was given."""
        pin = self._pin()
        code = _lend(pin, lambda *room: session.module.call("C_Login", session.handle, user, *room))
        return code, _fingerprint(pin)

    def lend(self, use: Callable[..., int]) -> int:
        """Call ``use(buffer, length)`` with the PIN and wipe the buffer; returns the CK_RV."""
        return _lend(self._pin(), use)

    def _pin(self) -> str:
        return self._read() if self._held is None else self._held


def _lend(pin: str, use: Callable[..., int]) -> int:
    room = ctypes.create_string_buffer(pin.encode())
    try:
        return use(room, len(room) - 1)
    finally:
        ctypes.memset(room, 0, len(room))


def _fingerprint(pin: str) -> bytes:
    return hashlib.blake2b(pin.encode(), key=_KEY).digest()


def log_in(session: Session, who: str, pin: PinSource) -> None:
    """Log this process in to the token `who` (unique in the module), if it is not yet.

    Raises `PinError` without asking the token when its PIN was refused before, or when the
    process is logged in with another PIN (C_Login would not notice: it answers
    CKR_USER_ALREADY_LOGGED_IN whatever the PIN is).
    """
    logins = session.module.logins
    with logins.guard:
        if message := logins.refused.get(who):
            raise PinError(message)
        generation, accepted = logins.accepted.get(who, (0, b""))
        if generation == session.generation:
            if not hmac.compare_digest(pin.fingerprint(), accepted):
                raise PinError(
                    "this process is logged in to the token with another PIN; "
                    "correct the PIN, the token was not asked"
                )
            return
        code, offered = pin.present(session, ck.CKU_USER)
        if code == ck.CKR_USER_ALREADY_LOGGED_IN:
            if generation and hmac.compare_digest(offered, accepted):
                # our own login of an earlier generation, after `Module.renew`
                logins.accepted[who] = (session.generation, offered)
                return
            raise DeviceError(
                "other code in this process has logged in to the token, so that the PIN cannot "
                "be checked; open the token in a process of its own",
                code=ck.name_of(code),
            )
        _check(code, who, session)
        logins.accepted[who] = (session.generation, offered)


def log_in_again(session: Session, who: str, pin: PinSource) -> None:
    """The extra login that a key with CKA_ALWAYS_AUTHENTICATE wants after each C_SignInit."""
    logins = session.module.logins
    with logins.guard:
        if message := logins.refused.get(who):
            raise PinError(message)
        code, _ = pin.present(session, ck.CKU_CONTEXT_SPECIFIC)
        _check(code, who, session)


def _check(code: int, who: str, session: Session) -> None:
    if code == ck.CKR_OK:
        return
    error = error_for(code, "C_Login")
    if isinstance(error, PinError):
        session.module.logins.refused[who] = str(error)
    raise error
