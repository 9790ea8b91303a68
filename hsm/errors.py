"""Errors of the `hsm` package.

    HSMError
    ├── ModuleError            the PKCS#11 module cannot be loaded or initialised
    ├── TokenUnavailable       no such token, removed, or offline      (retry later)
    │   └── AnswerLost         it was asked, and what came of it is not known
    ├── PinError               the PIN was refused; latched, never tried again
    ├── KeyNotFound            no such key or certificate on the token
    ├── KeyMismatch            certificate and key do not belong together
    ├── SchemeNotSupported     the token's mechanism list, or policy, rules the scheme out
    ├── SignatureFault         the token answered with a signature that does not verify
    ├── KeyRefInvalid          a malformed pkcs11: URI, or one with a PIN in it
    ├── CeremonyRefused        a step of the key ceremony was refused; nothing was changed
    └── DeviceError            any other return code (`.code` names it)

Messages never contain a PIN. Each message tells the operator what to do next.
"""

from __future__ import annotations


class HSMError(Exception):
    """Root of all errors that leave `hsm`."""


class ModuleError(HSMError):
    """The PKCS#11 module cannot be loaded or initialised."""


class TokenUnavailable(HSMError):
    """The token is absent, was removed, or does not answer; the caller may try again later.

    `retry_after_s` says when a next try is worth its while (HTTP: Retry-After).
    """

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AnswerLost(TokenUnavailable):
    """The call went out and no whole answer came back: it may have been carried out."""


class PinError(HSMError):
    """The token refused the PIN. Latched for the process: real HSMs lock after a few tries."""


class KeyNotFound(HSMError):
    """The token holds no object that the reference names."""


class KeyMismatch(HSMError):
    """The certificate's public key is not the public half of the private key."""


class SchemeNotSupported(HSMError):
    """The token offers no mechanism for the scheme, or policy forbids it."""


class SignatureFault(HSMError):
    """The token returned a signature that its own certificate does not verify."""


class KeyRefInvalid(HSMError, ValueError):
    """The text is not a ``pkcs11:`` URI (RFC 7512) that this package accepts."""


class CeremonyRefused(HSMError):
    """A step of the key ceremony was refused before it changed anything on the token."""


class DeviceError(HSMError):
    """A PKCS#11 return code without a class of its own.

    `code` is the standard's name of the return value, for example ``CKR_DEVICE_ERROR``.
    """

    def __init__(self, message: str, *, code: str) -> None:
        super().__init__(message)
        self.code = code
