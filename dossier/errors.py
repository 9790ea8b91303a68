"""Errors of the `dossier` package.

DossierError
├── InvalidOrder           the request contradicts itself or the rules of its form
├── CatalogueUnusable      a catalogue file is malformed; `.file` and `.entry` say where
├── NotFound               no such thing, or it is another agency's (the two look the same)
├── AccessRefused          the caller may not do this; audited
├── CredentialRefused      nobody may come in with this credential; `.reason` is for the log
├── StateConflict          the thing is not in a state that allows this step
│   ├── VersionConflict    somebody changed it since it was read (If-Match)
│   ├── LeaseLost          the job is another worker's, the paper another person's by now
│   └── NumberTaken        the decision number is issued already and not superseded
├── IdempotencyConflict    the key was used for another request
├── QuotaExceeded          the caller's or the agency's allowance is used up
│   └── TooManyOpen        the caller has as many orders under way as it may, retry later
├── RecordUnfaithful       a finished record shows or says something else than it should
├── JobTooDemanding        a document costs more time or memory than any may; not tried again
├── VerificationStopped    a file exceeds what its verification may cost, or kills its process
├── Overloaded             too much is waiting; come back in `retry_after_s`
├── StoreError             the database or the blob store does not answer, retry later
│   └── BlobDamaged        bytes do not have the digest that names them
├── DeliveryFailed         a webhook's receiver did not answer; stays in the delivery log
├── AuditUnavailable       the audit log cannot be written, so nothing may be signed
├── ChainBroken            an audit export or log was altered; `.findings` has each place
├── RegisterBroken         a proof, checkpoint or the register itself does not hold
├── ScannerError           a network scanner did not do what was asked; scanned pages are kept
│   ├── ScannerUnreachable it does not answer, or vanished in the middle
│   ├── ScannerBusy        it works for somebody else, retry later
│   ├── ScannerNeedsHand   paper jam, open cover, empty feeder; `.state` says which
│   ├── ScannerStopped     it ended the job itself, or refused its settings
│   ├── ScannerMisanswered what it answers is not eSCL, or too large
│   └── ScanCancelled      the caller asked to stop
└── BackupError            a backup cannot be made, read or restored

A message tells its reader what to do next, Vietnamese first. `api.problems` alone knows HTTP.
"""

from __future__ import annotations

from typing import Self


class DossierError(Exception):
    """Root of all errors that leave `dossier`."""


class InvalidOrder(DossierError):
    """The request contradicts itself, or lacks what its form needs. `field` names the entry."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class CatalogueUnusable(DossierError):
    """A file of catalogues or rules cannot be used; `entry` is empty when that is all of it.

    `pattern` is the file to compare it with.
    """

    def __init__(
        self, file: str, entry: str, vi: str, en: str,
        pattern: str = "dossier/intake/catalogue_data",
    ) -> None:  # fmt: skip
        where = f"{file}, {entry}" if entry else file
        super().__init__(
            f"Danh mục {where}: {vi}. Hãy sửa theo mẫu {pattern}. / Catalogue {where}: {en}. Mend "
            f"it after the pattern of {pattern}."
        )
        self.file = file
        self.entry = entry


class NotFound(DossierError):
    """There is no such thing for this caller; also what is another agency's."""


class AccessRefused(DossierError):
    """The caller has no right to this; the refusal is audited."""


class CredentialRefused(DossierError):
    """Nobody may come in with this credential.

    `reason` (unknown, wrong, expired, revoked, disabled, closed) is for audit and log: the one
    who asked learns nothing of it. `principal_id` and `agency_id` are known when the
    credential was right once.
    """

    def __init__(
        self, reason: str, *, principal_id: str | None = None, agency_id: str | None = None
    ) -> None:
        super().__init__(
            "Thông tin xác thực không được chấp nhận; hãy kiểm tra hoặc xin cấp lại. / The "
            "credential is not accepted; check it, or ask an administrator for a new one."
        )
        self.reason = reason
        self.principal_id = principal_id
        self.agency_id = agency_id


class StateConflict(DossierError):
    """The step does not fit the present state; the message names the state and the way on."""


class VersionConflict(StateConflict):
    """The thing was changed since the caller read it (HTTP: If-Match)."""


class LeaseLost(StateConflict):
    """Job or paper are in other hands; what was done for the job must not be published."""


class NumberTaken(StateConflict):
    """The number was issued already; a superseding decision has to name what it replaces."""


class IdempotencyConflict(DossierError):
    """The same Idempotency-Key came with another request."""


class QuotaExceeded(DossierError):
    """An allowance is used up: bytes stored, open batches, documents in a list."""


class RecordUnfaithful(DossierError):
    """A finished record does not show its images, or does not say its words; never sealed."""


class JobTooDemanding(DossierError):
    """A document needs more processor time or memory than it may; the same one always will."""


class VerificationStopped(DossierError):
    """A file exceeds what its verification may cost, or makes the process that reads it die."""


class TooManyOpen(QuotaExceeded):
    """The caller's allowance of orders under way is used up; some end in `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: int = 2) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Overloaded(DossierError):
    """More is waiting than will be served soon; nothing was accepted."""

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreError(DossierError):
    """Database or blob store failed; nothing was lost, the step can be repeated."""


class BlobDamaged(StoreError):
    """Stored or received bytes do not have the SHA-256 that names them."""


class DeliveryFailed(DossierError):
    """One try to deliver a webhook failed; the message stands in the delivery log."""


class AuditUnavailable(DossierError):
    """The audit log cannot be written. Signing stops; verification goes on (security.md 16)."""


class ChainBroken(DossierError):
    """An audit log or export does not hang together. `findings` lists every place."""

    def __init__(self, message: str, *, findings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class RegisterBroken(DossierError):
    """The register of results, a checkpoint or a proof of it does not hold.

    `findings` lists every place.
    """

    def __init__(self, message: str, *, findings: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.findings = findings


class ScannerError(DossierError):
    """A network scanner did not do what was asked. What was scanned before is kept."""

    def keeping(self, told: str) -> Self:
        """The same error; its message goes on with `told`: which pages are kept, how to go on."""
        self.args = (f"{self} {told}", *self.args[1:])
        return self


class ScannerUnreachable(ScannerError):
    """The scanner does not answer, or vanished while it answered."""


class ScannerBusy(ScannerError):
    """The scanner works for somebody else, or is not ready; come back in `retry_after_s`."""

    def __init__(self, message: str, *, retry_after_s: int = 10) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ScannerNeedsHand(ScannerError):
    """A person has to do something at the scanner; `state` is its ``scan:AdfState``."""

    def __init__(self, message: str, *, state: str) -> None:
        super().__init__(message)
        self.state = state


class ScannerStopped(ScannerError):
    """The scanner ended the job itself, or refused its settings."""


class ScannerMisanswered(ScannerError):
    """What the scanner answers is not eSCL, or larger than it may be."""


class ScanCancelled(ScannerError):
    """The caller asked to stop; the scanner was told."""


class BackupError(DossierError):
    """A backup could not be made, read, or proved whole."""
