"""Errors of the `signer` package.

SignerError
├── UnsuitableDocument     the PDF cannot be signed: broken, encrypted, locked by DocMDP
├── CertificateRefused     a pre-signing check failed (S9); nothing was signed
├── ClockRefused           the wall clock was stepped while running; nothing was signed
├── PolicyRefused          an algorithm, key size or profile that policy does not allow
├── KeyUseRefused          the key agent's policy does not let this caller use the key so
├── ProfileError           an unknown or malformed appearance profile
├── TimestampError         the TSA failed or answered with something unusable
├── RevocationError        no usable OCSP response or CRL where one is required
├── ReservationTooSmall    the CMS outgrew the bytes reserved for it
├── OutputRejected         the cheap check found the produced signature wrong
├── EngineRefused          the second engine cannot open a file or a page of it
├── SignatureNotValid      a verification that had to pass did not (`.report` has it all)
├── StatementInvalid       a signed statement or its timestamp is not genuine
├── MessageInvalid         a signed message of COSE; its reader says what that means
│   ├── MessageMalformed   it is no such message, or not in its only permitted form
│   ├── MessageKeyUnknown  its key is not on the list of pinned keys
│   └── MessageForged      its signature does not hold
├── ProofInvalid           the code on a printout proves nothing
│   ├── ProofMalformed     it is no such code, or not in its only permitted form
│   ├── ProofKeyUnknown    its key is not on the list of trusted keys
│   └── ProofForged        its signature does not hold
├── CoverSheetInvalid      the code on a page is no cover sheet that is believed here
│   ├── CoverSheetMalformed    it is none, or not in its only permitted form
│   ├── CoverSheetKeyUnknown   its key is not on the list of trusted keys
│   └── CoverSheetForged       its signature does not hold
└── TrustError             trust anchors are missing or unreadable
"""

from __future__ import annotations


class SignerError(Exception):
    """Root of all errors that leave `signer`."""


class UnsuitableDocument(SignerError):
    """The PDF cannot be signed as it is; the message says what to do with it."""


class CertificateRefused(SignerError):
    """A pre-signing check failed: expired, revoked, wrong usage, near expiry, wrong key."""


class ClockRefused(SignerError):
    """The wall clock was stepped: nothing is signed until somebody has looked and restarted."""


class PolicyRefused(SignerError):
    """An algorithm, a key size or a level that the policy does not allow."""


class KeyUseRefused(SignerError):
    """The policy of the key agent (or an outside provider) refuses this use of the key."""


class ProfileError(SignerError):
    """The appearance profile is unknown, malformed or not in force."""


class TimestampError(SignerError):
    """The timestamping authority failed, timed out or answered with an unusable token."""


class RevocationError(SignerError):
    """No usable OCSP response or CRL was found for a certificate that needs one."""


class ReservationTooSmall(SignerError):
    """The CMS structure is larger than the bytes reserved for it in /Contents."""


class OutputRejected(SignerError):
    """The finished signature failed the check that runs before release; it was discarded."""


class EngineRefused(SignerError):
    """PDFium cannot open the file, or read or draw a page of it."""


class SignatureNotValid(SignerError):
    """A verification that had to be TOTAL-PASSED was not.

    `report` is the `signer.verification.report.VerificationReport` that says why.
    """

    def __init__(self, message: str, *, report: object) -> None:
        super().__init__(message)
        self.report = report


class StatementInvalid(SignerError):
    """A signed statement, its signature or its timestamp is not genuine or not trusted."""


class MessageInvalid(SignerError):
    """A COSE message is not what it should be; translated by whoever knows what it is for."""


class MessageMalformed(MessageInvalid):
    """It is no such message, or not in its only permitted form; the text says which part."""


class MessageKeyUnknown(MessageInvalid):
    """The key that signed it is not among the pinned ones; the text is its identifier."""


class MessageForged(MessageInvalid):
    """The signature does not hold under the key that the message names."""


class ProofInvalid(SignerError):
    """The code on a printout proves nothing; the subclass says why."""


class ProofMalformed(ProofInvalid):
    """What was read is no proof of an issued result, or not in its only permitted form."""


class ProofKeyUnknown(ProofInvalid):
    """The proof is signed with a key that is not trusted here, or was not when it was made."""


class ProofForged(ProofInvalid):
    """The signature does not hold: content or signature were altered."""


class CoverSheetInvalid(SignerError):
    """The code on a page is no cover sheet that may split a stack; the subclass says why."""


class CoverSheetMalformed(CoverSheetInvalid):
    """What was read is no cover sheet, or not in its only permitted form."""


class CoverSheetKeyUnknown(CoverSheetInvalid):
    """The sheet is signed with a key that is not trusted here, or was not when it was made."""


class CoverSheetForged(CoverSheetInvalid):
    """The signature does not hold: content or signature were altered."""


class TrustError(SignerError):
    """Trust anchors are missing, unreadable or not what their pin says."""
