"""Entries of the register made up for tests: plainly fictitious results of no real agency."""

from __future__ import annotations

import datetime as dt
import hashlib

from dossier.register.codes import new_code
from dossier.register.entry import Event, Registration

AGENCY = "H22.12"
DAY = dt.date(2026, 11, 23)


def digest(text: str) -> str:
    """The SHA-256 of a document that never was."""
    return hashlib.sha256(text.encode()).hexdigest()


def issued(number: int, code: str | None = None, agency: str = AGENCY) -> Registration:
    """A decision with this number."""
    return Registration(
        Event.ISSUED,
        code or new_code(),
        agency,
        digest(f"published {number}"),
        source_sha256=digest(f"handed in {number}"),
        number=number,
        symbol="QĐ-UBND",
        year=2026,
        decided_on=DAY,
    )


def annulled(result: Registration, reason: str = "Ban hành nhầm (mẫu)") -> Registration:
    """That `result` was annulled."""
    return Registration(
        Event.ANNULLED, result.code, result.agency, result.document_sha256, reason=reason
    )


def superseded(result: Registration, by: Registration) -> Registration:
    """That `result` gave way to `by`."""
    return Registration(
        Event.SUPERSEDED, result.code, result.agency, result.document_sha256, by=by.code
    )


def renewed(result: Registration) -> Registration:
    """That `result` got a further archive timestamp."""
    return Registration(
        Event.RENEWED,
        result.code,
        result.agency,
        digest(f"renewed {result.document_sha256}"),
        before_sha256=result.document_sha256,
    )
