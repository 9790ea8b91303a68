"""`sohoa station`: what a scanning station did in a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from api import output
from api.commands.people import Data, Json, local_caller, open_database
from api.errors import InputUnusable

if TYPE_CHECKING:
    from dossier.station.figures import Rate, StationDay

app = typer.Typer(
    no_args_is_help=True, help="Trạm quét. / Scanning stations.", rich_markup_mode=None
)


@app.callback()
def station() -> None:
    """Trạm quét. / Scanning stations."""


@app.command()
def day(
    when: Annotated[
        str | None,
        typer.Option("--date", metavar="YYYY-MM-DD", help="Ngày; mặc định hôm nay. / The day."),
    ] = None,
    *,
    name: Annotated[
        str | None,
        typer.Option("--station", metavar="NAME", help="Một trạm quét. / One station alone."),
    ] = None,
    agency: Annotated[
        str | None,
        typer.Option("--agency", metavar="ID", help="Mã cơ quan, khi có nhiều. / Agency code."),
    ] = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Số liệu một ngày: trang, giấy tờ, lỗi, tỷ lệ sửa. / A day's pages, papers, failures, rates.

    Ví dụ / Examples:

      sohoa station day

      sohoa station day --date 2026-03-02 --station "quầy 1" --json
    """
    from dossier.model import Role
    from dossier.station.figures import StationFigures
    from signer.clock import VIETNAM

    wanted = datetime.now(VIETNAM).date() if when is None else _date(when)
    with open_database(data) as database:
        caller = local_caller(database, agency, Role.AUDITOR)
        found = StationFigures(database).day(caller, wanted, name)
    if as_json:
        output.machine(found.to_json())
    _tell(found)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputUnusable(
            f"--date {text!r}: hãy viết NĂM-THÁNG-NGÀY, như 2026-03-02. / write YYYY-MM-DD."
        ) from error


def _tell(found: StationDay) -> None:
    rate = found.throughput.pages_per_hour
    queue, filing, changed = found.queue, found.filing, found.corrections
    for vietnamese, english, value in (
        ("Ngày", "day", found.day.strftime("%d/%m/%Y")),
        ("Tập giấy", "stacks", _counts(found.stacks)),
        ("Trang", "pages", f"{found.throughput.pages} ({_known(rate, 'trang/giờ')})"),
        ("Giấy tờ", "papers", _counts(found.papers)),
        (
            "Chờ kiểm tra, đang kiểm tra, tạm dừng, lỗi",
            "waiting, in hand, held, failed",
            f"{queue.waiting}, {queue.being_checked}, {queue.held}, {queue.failed}",
        ),
        (
            "Từ lúc mở đến lúc lưu",
            "from opening to filing",
            f"{_known(filing.median_s, 's')}, p95 {_known(filing.p95_s, 's')}",
        ),
        ("Trường đã sửa", "fields corrected", _rate(changed.fields)),
        ("Từ đã sửa", "words corrected", _rate(changed.words)),
        *((f"  {name}", "field", _rate(one)) for name, one in found.by_field.items()),
        *((f"  {name}", "scanner", _rate(one.words)) for name, one in found.by_scanner.items()),
        *((f"  {name}", "station", _rate(one.words)) for name, one in found.by_station.items()),
    ):
        output.bilingual(f"{vietnamese}: {value}", english)
    for failure in found.failures:
        told = f"Lỗi {failure.what} {failure.reason}: {failure.count}"
        output.bilingual(told, "failures", style="yellow")


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "0"


def _known(value: float | None, unit: str) -> str:
    return "N/A" if value is None else f"{value:.1f} {unit}"


def _rate(rate: Rate) -> str:
    percent = "N/A" if rate.percent is None else f"{rate.percent:.2f} %"
    return f"{percent} ({rate.count}/{rate.of})"
