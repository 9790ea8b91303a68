"""The report on a file whose verification was stopped: MALFORMED, with an id (security.md 2)."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import secrets
from pathlib import Path
from typing import Any

from dossier.errors import VerificationStopped
from signer.verification.report import (
    Checklist,
    Integrity,
    SubIndication,
    VerificationReport,
    conclude,
)

_LOG = logging.getLogger(__name__)


def stopped_report(
    path: Path, error: VerificationStopped, at: dt.datetime | None = None
) -> dict[str, Any]:
    """What is said of `path` when `error` ended its verification; the log has the same id.

    Such a file is not judged further: nothing about it can be relied on. Raises `OSError`.
    """
    identity = secrets.token_hex(6)
    _LOG.warning("verification %s was stopped: %s", identity, error)
    checks = Checklist()
    checks.failed(
        "file.bounds", SubIndication.FORMAT_FAILURE, f"id {identity}: {error}", Integrity.MALFORMED
    )
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    indication, sub = conclude(checks.frozen())
    return VerificationReport(
        indication=indication,
        sub_indication=sub,
        integrity=Integrity.MALFORMED,
        signatures=(),
        document_timestamps=(),
        checks=checks.frozen(),
        verified_at=at or dt.datetime.now(dt.UTC),
        sha256=digest,
        size=path.stat().st_size,
    ).to_json()
