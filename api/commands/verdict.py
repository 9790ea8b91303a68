"""How a verification is shown to people: one sentence, then a table, then what is not in order.

Everything is read from the report as JSON, which a process of its own may have made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from api import output
from signer.clock import VIETNAM
from signer.verification.report import VerificationReport
from signer.verification.words.labels import INTEGRITY, time_basis, trust_words, validity_words

Report = Mapping[str, Any]

STYLES = {"TOTAL-PASSED": "green", "INDETERMINATE": "yellow", "TOTAL-FAILED": "red"}
SIGNS = {
    "TOTAL-PASSED": "[green]✓[/]",
    "INDETERMINATE": "[yellow]?[/]",
    "TOTAL-FAILED": "[red]✗[/]",
}
_MARKS = {"WARNING": "[yellow]![/]", "INDETERMINATE": "[yellow]?[/]"}


def print_verdict(report: VerificationReport) -> None:
    """Print the report on standard error, Vietnamese first."""
    print_report(report.to_json())


def print_report(report: Report, *, whole: bool = False) -> None:
    """Print a report; `whole` adds all that TT 15/2025 wants shown of each signature (K4)."""
    message = report["message"]
    output.bilingual(message["vi"], message["en"], style=f"bold {STYLES[report['indication']]}")
    sub = f" ({report['sub_indication']})" if report["sub_indication"] else ""
    output.human.print(
        f"  {report['indication']}{sub}, {report['integrity']}", style="dim", markup=False
    )
    if report["signatures"] or report["document_timestamps"]:
        table = Table("Chữ ký / field", "Người ký / signer", "Thời gian / time", "Mức", "Kết quả")
        for signature in report["signatures"]:
            table.add_row(*_signature_row(signature))
        for token in report["document_timestamps"]:
            table.add_row(*_timestamp_row(token))
        output.human.print(table)
    if whole:
        for number, signature in enumerate(report["signatures"], 1):
            _print_signature(number, signature)
    for check in _checks(report):
        if check["outcome"] != "PASSED":
            _print_check(check)


def _signature_row(signature: Report) -> tuple[str, ...]:
    shown = _moment(signature["proved_time"] or signature["claimed_time"])
    if not signature["proved_time"]:
        shown += "\n[dim]tự khai / claimed[/dim]"
    who = escape(signature["signer"] or "–")
    if signature["organisation"]:
        who += f"\n[dim]{escape(signature['organisation'])}[/dim]"
    part = signature["part_name"]
    return (
        f"{escape(signature['field'])}\n[dim]{part['vi']} / {part['en']}[/dim]",
        who,
        shown,
        signature["level"] or "–",
        _verdict(signature),
    )


def _timestamp_row(token: Report) -> tuple[str, ...]:
    return (
        escape(token["field"] or ""),
        f"{escape(token['authority'])}\n[dim]dấu thời gian / timestamp[/dim]",
        _moment(token["time"]),
        "–",
        _verdict(token),
    )


def _print_signature(number: int, signature: Report) -> None:
    certificate = signature["certificate"] or {}
    validity = signature["validity_at_signing"]
    vi, en = time_basis(validity)
    period = ""
    if certificate:
        period = f"{_moment(certificate['not_before'])} – {_moment(certificate['not_after'])}"
    rows: Sequence[tuple[str, str, str]] = (
        ("Người ký", "signer", signature["signer"] or "–"),
        ("Tổ chức", "organisation", signature["organisation"]),
        ("Thời gian ký", "time of signing", f"{_moment(validity['time'])} ({vi} / {en})"),
        ("Tính toàn vẹn", "integrity", " / ".join(INTEGRITY[signature["integrity"]])),
        ("Chứng thư khi ký", "validity at signing", " / ".join(validity_words(validity))),
        ("Tổ chức cấp chứng thư", "issuer", certificate.get("issuer", "")),
        ("Đơn vị quản lý chứng thư", "managed by", certificate.get("managed_by", "")),
        ("Thời hạn chứng thư", "certificate period", period),
        ("Miền tin cậy, quy tắc", "trust domain, rules", " / ".join(trust_words(signature))),
    )
    grid = Table.grid(padding=(0, 2))
    for vietnamese, english, value in rows:
        if value:
            grid.add_row(f"     {vietnamese} [dim]/ {english}[/dim]", escape(value))
    sign = SIGNS[signature["indication"]]
    output.human.print(f"  {sign} {number}. {signature['part_name']['vi']}")
    output.human.print(grid)


def _checks(report: Report) -> Iterator[Report]:
    yield from report["checks"]
    for signature in report["signatures"]:
        yield from signature["checks"]
        for token in signature["timestamps"]:
            yield from token["checks"]
    for token in report["document_timestamps"]:
        yield from token["checks"]


def _moment(text: str | None) -> str:
    """Local to Vietnam, as its offices write it."""
    if text is None:
        return "–"
    return f"{dt.datetime.fromisoformat(text).astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}"


def _verdict(one: Report) -> str:
    text = f"[{STYLES[one['indication']]}]{one['indication']}[/]"
    domain = one["trust_domain"]
    return f"{text} [dim]{escape(domain)}[/dim]" if domain else text


def _print_check(check: Report) -> None:
    mark = _MARKS.get(check["outcome"], "[red]✗[/]")
    output.human.print(f"  {mark} {escape(check['vi'])} [dim]/ {escape(check['en'])}[/dim]")
    if check["detail"]:
        output.human.print(f"      {escape(check['detail'])}", style="dim", soft_wrap=True)
