"""How a verification is shown to people: one sentence, then a table, then what is not in order."""

from __future__ import annotations

import datetime as dt

from rich.markup import escape
from rich.table import Table

from api import output
from signer.clock import VIETNAM
from signer.verification.report import (
    Check,
    Indication,
    Outcome,
    SignatureReport,
    TimestampReport,
    VerificationReport,
)
from signer.verification.wording import part_text

_STYLE = {
    Indication.TOTAL_PASSED: "green",
    Indication.INDETERMINATE: "yellow",
    Indication.TOTAL_FAILED: "red",
}
_MARK = {Outcome.WARNING: "[yellow]![/]", Outcome.INDETERMINATE: "[yellow]?[/]"}


def print_verdict(report: VerificationReport) -> None:
    """Print the report on standard error, Vietnamese first."""
    vi, en = report.sentence
    output.bilingual(vi, en, style=f"bold {_STYLE[report.indication]}")
    sub = f" ({report.sub_indication.value})" if report.sub_indication else ""
    output.human.print(
        f"  {report.indication.value}{sub}, {report.integrity.value}", style="dim", markup=False
    )
    if report.signatures or report.document_timestamps:
        table = Table("Chữ ký / field", "Người ký / signer", "Thời gian / time", "Mức", "Kết quả")
        for signature in report.signatures:
            table.add_row(*_signature_row(signature))
        for token in report.document_timestamps:
            table.add_row(*_timestamp_row(token))
        output.human.print(table)
    for check in report.all_checks():
        if check.outcome is not Outcome.PASSED:
            _print_check(check)


def _signature_row(signature: SignatureReport) -> tuple[str, ...]:
    proved = signature.proved_time
    shown = _moment(proved or signature.claimed_time)
    if not proved:
        shown += "\n[dim]tự khai / claimed[/dim]"
    who = escape(signature.signer or "–")
    if signature.organisation:
        who += f"\n[dim]{escape(signature.organisation)}[/dim]"
    vi, en = part_text(signature.part)
    return (
        f"{escape(signature.field_name)}\n[dim]{vi} / {en}[/dim]",
        who,
        shown,
        signature.level or "–",
        _verdict(signature.indication, signature.trust_domain),
    )


def _timestamp_row(token: TimestampReport) -> tuple[str, ...]:
    return (
        escape(token.field_name or ""),
        f"{escape(token.authority)}\n[dim]dấu thời gian / timestamp[/dim]",
        _moment(token.time),
        "–",
        _verdict(token.indication, token.trust_domain),
    )


def _moment(time: dt.datetime | None) -> str:
    """Local to Vietnam, as its offices write it."""
    return f"{time.astimezone(VIETNAM):%d/%m/%Y %H:%M:%S}" if time else "–"


def _verdict(indication: Indication, domain: str | None) -> str:
    text = f"[{_STYLE[indication]}]{indication.value}[/]"
    return f"{text} [dim]{escape(domain)}[/dim]" if domain else text


def _print_check(check: Check) -> None:
    said = check.to_json()
    mark = _MARK.get(check.outcome, "[red]✗[/]")
    output.human.print(f"  {mark} {escape(said['vi'])} [dim]/ {escape(said['en'])}[/dim]")
    if check.detail:
        output.human.print(f"      {escape(check.detail)}", style="dim", soft_wrap=True)
