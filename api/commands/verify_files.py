"""What `sohoa verify` writes besides words and JSON: a PDF report, a sealed receipt."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from api import output
from api.errors import PublishError
from api.settings import load_settings
from dossier.verifying.report_pdf import ReportFacts, write_report
from signer.clock import VIETNAM

Report = Mapping[str, Any]


def write_pdf(report: Report, source: Path, target: Path) -> None:
    """Write the report on `source` as a PDF. Raises `PublishError`."""
    made = write_report(report, ReportFacts(dt.datetime.now(VIETNAM), subject=source.name))
    _write(made, target)
    output.bilingual(f"Báo cáo: {target}", "report", style="bold")


def write_receipt(report: Report, source: Path, target: Path, data: Path | None) -> None:
    """Write the report sealed with the installation's seal key, verified before it is written.

    The token is opened in this process, as `sohoa sign` does. Raises `PublishError`,
    `SettingsError`, `signer.errors.SignerError`, `hsm.errors.HSMError`.
    """
    from api.wiring import open_desk  # late: only receipts need what seals
    from dossier.signing.sealing import SealOrder, SealStep, require_ours, seal_and_verify
    from signer.sealing.levels import Level

    settings = load_settings(data)
    level = Level.B_LTA if settings.trust.tsa_url else Level.B_B
    at = dt.datetime.now(VIETNAM).replace(microsecond=0)
    maker = settings.record.agency
    facts = ReportFacts(at, maker, source.name, is_receipt=True)
    with open_desk(settings, timestamped=level.timestamped) as desk:
        step = SealStep("receipt", desk.key("seal"), field_name="receipt")
        order = SealOrder((step,), level, at, maker)
        pdf = write_report(report, facts)
        finished = seal_and_verify(pdf, order, desk.services, judge=require_ours)
    assert finished.pdf is not None  # noqa: S101 - it was sealed in memory
    _write(finished.pdf, target)
    output.bilingual(f"Biên nhận đã ký: {target}", "signed receipt", style="bold")


def _write(made: bytes, target: Path) -> None:
    try:
        target.write_bytes(made)
    except OSError as error:
        raise PublishError(
            f"cannot write {target}: {error.strerror}; check the folder and the free space"
        ) from error
