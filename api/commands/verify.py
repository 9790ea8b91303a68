"""`sohoa verify`: what signed files are worth, as words, JSON, XML, PDF and an exit code."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from api import output
from api.commands.verdict import SIGNS, print_report
from api.errors import InputUnusable, NotInitialised
from api.settings import load_settings
from api.trusting import snapshot_of
from dossier.errors import VerificationStopped
from dossier.trust.snapshot import Snapshot
from dossier.verifying.checkers import Bounds, Checkers
from dossier.verifying.stopped import stopped_report
from signer.clock import VIETNAM
from signer.trust import TrustStore
from signer.verification.words.expectation import expect_agency

EXIT_CODES = {"TOTAL-PASSED": 0, "TOTAL-FAILED": 1, "INDETERMINATE": 2}
_UNREADABLE = 4
_GENEROUS = Bounds(wall_s=600.0, cpu_s=300, memory_bytes=8 << 30)
_AT_ONCE = 4

Report = dict[str, Any]


def verify(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE.pdf...", help="Tệp đã ký, hoặc thư mục. / Signed PDFs, or folders."
        ),
    ],
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
    trust_version: Annotated[
        list[str] | None,
        typer.Option(
            "--trust-version",
            metavar="LIST/N",
            help="Danh sách tin cậy theo phiên bản này; lặp lại được. / By these versions. (+)",
        ),
    ] = None,
    agency: Annotated[
        str | None,
        typer.Option(
            "--agency",
            metavar="NAME",
            help="Cơ quan phải có chữ ký. / The agency that should have signed.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
    as_xml: Annotated[
        bool, typer.Option("--xml", help="In XML theo ETSI TS 119 102-2. / Print ETSI XML.")
    ] = False,
    pdf: Annotated[
        Path | None,
        typer.Option("--pdf", metavar="OUT.pdf", help="Ghi báo cáo PDF/A. / Write a PDF/A report."),
    ] = None,
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt",
            metavar="OUT.pdf",
            help="Ghi biên nhận có chữ ký, bằng khóa đóng dấu. / Write a receipt that is sealed.",
        ),
    ] = None,
    generous: Annotated[
        bool,
        typer.Option(
            "--generous",
            help="Cho tệp rất lớn: nhiều thời gian và bộ nhớ hơn. / For very large files.",
        ),
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Kiểm tra chữ ký số của tệp PDF. / Verify the signatures of PDFs.

    Mã thoát: 0 hợp lệ, 1 không hợp lệ, 2 chưa xác định, từ 3 trở lên là lỗi khác; nhiều tệp: mã của
    tệp xấu nhất. / Exit codes: 0 TOTAL-PASSED, 1 TOTAL-FAILED, 2 INDETERMINATE, 3 and above other
    errors; of several files the worst one's.

    Ví dụ / Examples:

      sohoa verify record.pdf

      sohoa verify record.pdf --trust root.pem --at 2026-03-02T12:00:00+07:00 --json

      sohoa verify record.pdf --pdf report.pdf --agency "UBND xã Thử Nghiệm"

      sohoa verify folder/ more.pdf --json
    """
    moment = read_time(at) if at is not None else None
    is_single = len(sources) == 1 and not sources[0].is_dir()
    if (as_xml or pdf or receipt) and not is_single:
        raise typer.BadParameter("--xml, --pdf and --receipt take one file")
    if as_xml and as_json:
        raise typer.BadParameter("give --json or --xml, not both")
    files = [sources[0]] if is_single else list(_files(sources))
    snapshot = choose_trust(trust, data, moment, trust_version)
    if is_single:
        require_readable(files[0])
    bounds = _GENEROUS if generous else Bounds()
    processes = min(len(files), os.cpu_count() or 1, _AT_ONCE)
    with Checkers(snapshot, processes=processes, bounds=bounds) as checkers:
        judge = _Judge(checkers, moment, agency)
        if is_single:
            report = judge(files[0])
            _show_one(report, as_json=as_json, as_xml=as_xml)
            if pdf is not None or receipt is not None:
                from api.commands import verify_files  # late: few want papers

                if pdf is not None:
                    verify_files.write_pdf(report, files[0], pdf)
                if receipt is not None:
                    verify_files.write_receipt(report, files[0], receipt, data)
            raise typer.Exit(EXIT_CODES[report["indication"]])
        raise typer.Exit(_show_many(judge, files, processes, as_json=as_json))


class _Judge:
    """Verifies a file in a process of its own, as the command was asked. Safe for threads."""

    def __init__(self, checkers: Checkers, at: dt.datetime | None, agency: str | None) -> None:
        self._checkers = checkers
        self._at = at
        self._agency = agency

    def __call__(self, path: Path) -> Report:
        """The report. Raises `InputUnusable`."""
        try:
            report: Report = json.loads(self._checkers.verify(path, self._at))
        except VerificationStopped as error:
            report = stopped_report(path, error, self._at)
        return report if self._agency is None else expect_agency(report, self._agency)


def _show_one(report: Report, *, as_json: bool, as_xml: bool) -> None:
    print_report(report, whole=True)
    if as_json:
        output.machine(report)
    if as_xml:
        from signer.verification.etsi_report import etsi_report

        sys.stdout.write(etsi_report(report).decode() + "\n")
        sys.stdout.flush()


def _show_many(judge: _Judge, files: Sequence[Path], processes: int, *, as_json: bool) -> int:
    """A line a file, then how many of each; the exit code."""
    counts = {"TOTAL-PASSED": 0, "INDETERMINATE": 0, "TOTAL-FAILED": 0, "unreadable": 0}
    listed: list[dict[str, Any]] = []

    def tried(path: Path) -> Report | InputUnusable:
        try:
            require_readable(path)
            return judge(path)
        except InputUnusable as error:
            return error

    with ThreadPoolExecutor(processes) as pool:
        for path, found in zip(files, pool.map(tried, files), strict=True):
            if isinstance(found, InputUnusable):
                counts["unreadable"] += 1
                listed.append({"file": str(path), "error": str(found)})
                output.human.print(f"[red]✗[/] {escape(str(found))}", soft_wrap=True)
                continue
            counts[found["indication"]] += 1
            listed.append({"file": str(path), "report": found})
            vi = found["message"]["vi"]
            sign = SIGNS[found["indication"]]
            output.human.print(f"{sign} {escape(str(path))}", soft_wrap=True)
            output.human.print(f"    {escape(vi)}", style="dim", soft_wrap=True)
    output.bilingual(
        f"{len(files)} tệp: {counts['TOTAL-PASSED']} hợp lệ, {counts['INDETERMINATE']} chưa xác "
        f"định, {counts['TOTAL-FAILED']} không hợp lệ, {counts['unreadable']} không đọc được",
        "valid, undetermined, not valid, not readable",
        style="bold",
    )
    if as_json:
        summary: dict[str, int] = {"files": len(files), **counts}
        output.machine({"summary": summary, "files": listed})
    if counts["TOTAL-FAILED"]:
        return EXIT_CODES["TOTAL-FAILED"]
    if counts["unreadable"]:
        return _UNREADABLE
    return EXIT_CODES["INDETERMINATE"] if counts["INDETERMINATE"] else 0


def _files(sources: Sequence[Path]) -> Iterator[Path]:
    """The files named, and every PDF in the folders named, in order of their names.

    Raises `InputUnusable` for a folder without any.
    """
    for source in sources:
        if not source.is_dir():
            yield source
            continue
        found = sorted(p for p in source.rglob("*") if p.suffix.lower() == ".pdf" and p.is_file())
        if not found:
            raise InputUnusable(f"{source}: a directory without PDF files; name another one")
        yield from found


def read_time(said: str) -> dt.datetime:
    """An aware time from ISO 8601. Raises `InputUnusable`."""
    try:
        moment = dt.datetime.fromisoformat(said)
    except ValueError as error:
        raise InputUnusable(
            f"--at {said!r} is not a time; write it like 2026-03-02T12:00:00+07:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=VIETNAM)


def require_readable(source: Path) -> None:
    """Raise `InputUnusable` unless `source` is a file that can be read."""
    try:
        with source.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        raise _unusable(source, error) from error


def read_file(source: Path) -> bytes:
    """The bytes of `source`. Raises `InputUnusable`."""
    try:
        return source.read_bytes()
    except OSError as error:
        raise _unusable(source, error) from error


def _unusable(source: Path, error: OSError) -> InputUnusable:
    return InputUnusable(f"{source}: {error.strerror or error}; check the path and its permissions")


def choose_trust(
    named: list[Path] | None,
    data: Path | None,
    at: dt.datetime | None = None,
    versions: list[str] | None = None,
) -> Snapshot:
    """The anchors named on the command line, else what the installation believed at `at`.

    `versions` name lists as ``government/7`` instead of those in force. A machine without an
    installation trusts nobody, which is said and leaves every signature INDETERMINATE; a data
    folder that was named must hold one. Raises `TrustError`, `NotInitialised`, `SettingsError`,
    `ProductionRefused`, `NotFound`, `StoreError`.
    """
    if named:
        return Snapshot(TrustStore.from_files(named))
    try:
        return snapshot_of(load_settings(data), at, versions)
    except NotInitialised:
        if data is not None:
            raise
        output.bilingual(
            "Máy này chưa có gốc tin cậy nào; hãy chỉ ra bằng --trust",
            "no trusted roots on this machine; name them with --trust",
            style="yellow",
        )
        return Snapshot()
