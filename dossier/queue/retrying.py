"""What becomes of a job whose handler raised: tried again later, or failed for good.

A refusal is final: the same document, key and rules give the same answer. What is unavailable
(token, TSA, OCSP, database, blob store, audit log, a clock to be trusted) is waited for without
end; the record shows its attempts and the last error, and can be cancelled. A job that ran out of
memory is tried once more, alone, for the fault may have been its neighbour's. Anything else is
tried a few times.
"""

from __future__ import annotations

import enum
import random
from dataclasses import dataclass

from dossier.errors import (
    AuditUnavailable,
    BlobDamaged,
    DossierError,
    Overloaded,
    StoreError,
)
from dossier.model import JSON
from dossier.queue.bounds import too_large
from hsm.errors import HSMError, KeyMismatch, KeyNotFound, SchemeNotSupported, TokenUnavailable
from signer.errors import (
    ClockRefused,
    OutputRejected,
    RevocationError,
    SignerError,
    TimestampError,
    TrustError,
)

MAX_ATTEMPTS = 8
"""How often a job may stumble: over a fault of a device, or an error nobody foresaw.

Tries that ended because something was away do not count: a long outage, and then one wrong
signature, must not fail a decision that was accepted.
"""

_FIRST_S, _MOST_S = 0.5, 30.0
_UNAVAILABLE = (
    TokenUnavailable,
    TimestampError,
    RevocationError,
    ClockRefused,
    StoreError,
    AuditUnavailable,
    Overloaded,
)
# faults of devices and settings: tried again, but not for ever
_DOUBTFUL = (HSMError, OutputRejected, TrustError, BlobDamaged)
_FINAL = (KeyNotFound, KeyMismatch, SchemeNotSupported, SignerError, DossierError)


class Outcome(enum.Enum):
    """How a handler's run ended."""

    DONE = "done"
    RETRY = "put back"
    FAIL = "failed"
    LOST = "lost"  # to another worker


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with the job. `error` is the JSON that its subject keeps."""

    outcome: Outcome
    error: JSON
    delay_s: float = 0.0
    unexpected: bool = False  # to be logged with its traceback
    suspect: bool = False  # to be tried alone
    stumbled: bool = False  # counts against MAX_ATTEMPTS
    token_away: bool = False  # no job of the queue can be done before the token is back


def outcome_of(
    error: Exception, attempt: int, stumbles: int = 0, *, alone: bool = False
) -> Verdict:
    """Judge `error`, raised at the `attempt`-th try (from 1), after so many earlier `stumbles`.

    `alone`: nothing ran beside it.
    """
    if isinstance(error, MemoryError):
        told = error_json(too_large())
        if alone:
            return Verdict(Outcome.FAIL, told)
        return Verdict(Outcome.RETRY, told, _FIRST_S, suspect=True)
    told = error_json(error)
    if isinstance(error, _UNAVAILABLE) and not isinstance(error, BlobDamaged):
        is_away = isinstance(error, TokenUnavailable)
        return Verdict(Outcome.RETRY, told, _delay(error, attempt), token_away=is_away)
    is_doubtful = isinstance(error, _DOUBTFUL) and not isinstance(
        error, KeyNotFound | KeyMismatch | SchemeNotSupported
    )
    if not is_doubtful and isinstance(error, _FINAL):
        return Verdict(Outcome.FAIL, told)
    if stumbles + 1 >= MAX_ATTEMPTS:
        return Verdict(Outcome.FAIL, told, unexpected=not is_doubtful)
    delay_s = _delay(error, stumbles + 1)
    return Verdict(Outcome.RETRY, told, delay_s, unexpected=not is_doubtful, stumbled=True)


def error_json(error: Exception) -> dict[str, JSON]:
    """`error` as records and jobs keep it; the text of an unknown one stays in the log."""
    known = isinstance(error, (DossierError, SignerError, HSMError))
    message = (
        str(error)
        if known
        else f"Lỗi của chương trình. / An error of the program itself ({type(error).__name__})."
    )
    return {"kind": type(error).__name__ if known else "Unexpected", "message": message}


def _delay(error: Exception, attempt: int) -> float:
    """Doubling with jitter, so that thousands of jobs do not come back at one moment."""
    longest = min(_MOST_S, _FIRST_S * 2.0 ** min(attempt - 1, 16))
    wanted = float(getattr(error, "retry_after_s", 0) or 0)
    jitter: float = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return max(longest, min(wanted, _MOST_S)) * jitter
