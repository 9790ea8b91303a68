"""`sohoa verify`: what a signed file is worth, as a sentence, a table, JSON and an exit code."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.commands.verdict import print_verdict
from api.errors import InputUnusable, NotInitialised
from api.wiring import load_settings, trust_store
from signer.clock import VIETNAM
from signer.trust import TrustStore
from signer.verification.report import Indication
from signer.verification.verify import Verifier

EXIT_CODES = {
    Indication.TOTAL_PASSED: 0,
    Indication.TOTAL_FAILED: 1,
    Indication.INDETERMINATE: 2,
}


def verify(
    source: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Tệp đã ký. / Signed PDF.")],
    *,
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust",
            metavar="PEM",
            help="Chỉ tin các gốc này; lặp lại được. / Trust these roots only; repeatable.",
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help=(
                "Xét tại thời điểm này, ISO 8601; thiếu múi giờ là giờ Việt Nam. / "
                "Judge as of this time; without a zone it is Vietnam time."
            ),
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Kiểm tra chữ ký số của một tệp PDF. / Verify the signatures of a PDF.

    Mã thoát: 0 hợp lệ, 1 không hợp lệ, 2 chưa xác định, từ 3 trở lên là lỗi khác. / Exit codes:
    0 TOTAL-PASSED, 1 TOTAL-FAILED, 2 INDETERMINATE, 3 and above other errors.

    Ví dụ / Examples:

      sohoa verify record.pdf

      sohoa verify record.pdf --trust root.pem --at 2026-03-02T12:00:00+07:00 --json
    """
    moment = read_time(at) if at is not None else None
    content = read_file(source)
    report = Verifier(choose_trust(trust, data)).verify(content, moment)
    print_verdict(report)
    if as_json:
        output.machine(report.to_json())
    raise typer.Exit(EXIT_CODES[report.indication])


def read_time(said: str) -> dt.datetime:
    """An aware time from ISO 8601. Raises `InputUnusable`."""
    try:
        moment = dt.datetime.fromisoformat(said)
    except ValueError as error:
        raise InputUnusable(
            f"--at {said!r} is not a time; write it like 2026-03-02T12:00:00+07:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=VIETNAM)


def read_file(source: Path) -> bytes:
    """The bytes of `source`. Raises `InputUnusable`."""
    try:
        return source.read_bytes()
    except OSError as error:
        raise InputUnusable(
            f"{source}: {error.strerror or error}; check the path and its permissions"
        ) from error


def choose_trust(named: list[Path] | None, data: Path | None) -> TrustStore:
    """The anchors named on the command line, else those of the installation.

    A machine without an installation trusts nobody, which is said and leaves every signature
    INDETERMINATE; a data folder that was named must hold one. Raises `TrustError`,
    `NotInitialised`, `SettingsError`, `ProductionRefused`.
    """
    if named:
        return TrustStore.from_files(named)
    try:
        return trust_store(load_settings(data))
    except NotInitialised:
        if data is not None:
            raise
        output.bilingual(
            "Máy này chưa có gốc tin cậy nào; hãy chỉ ra bằng --trust",
            "no trusted roots on this machine; name them with --trust",
            style="yellow",
        )
        return TrustStore()
