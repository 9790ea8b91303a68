"""`sohoa agencies`: the tenants of this installation and their policies."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from api import output
from api.commands.people import Data, Json, entries, open_desk

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="Quản lý cơ quan và quy tắc của cơ quan. / Administer agencies and their policies.",
)

AgencyID = Annotated[
    str, typer.Argument(metavar="ID", help="Mã cơ quan, như H00.01. / Agency code, as H00.01.")
]
_ENTRIES = (
    "keys=a,b; separation_of_duties, two_person_batches = true|false; blob_quota_bytes, "
    "batch_documents, open_batches = N"
)
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help=f"{_ENTRIES}. (+)")
]


@app.command()
def add(
    agency_id: AgencyID,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Tên cơ quan. / Its name.")],
    *,
    policy: Set = None,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Thêm cơ quan. / Add an agency.

    Ví dụ / Example:  sohoa agencies add H00.01 "UBND xã Mẫu" --set keys=leader,seal
    """
    from dossier.identity import AgencyPolicy

    with open_desk(data) as desk:
        made = desk.identity.agencies.add(
            desk.caller, agency_id, name, AgencyPolicy.from_json(entries(policy))
        )
    if as_json:
        output.machine(made.to_json())
    output.bilingual(f"Đã thêm cơ quan {made.id}", "agency added", style="green")
    output.bilingual(
        "Bước tiếp theo", f"next: sohoa clients add NAME --agency {made.id} --role … --issue"
    )


@app.command("list")
def list_all(*, data: Data = None, as_json: Json = False) -> None:
    """Liệt kê cơ quan. / List the agencies."""
    with open_desk(data) as desk:
        found = desk.identity.agencies.list(desk.caller, limit=10_000)
    if as_json:
        output.machine([agency.to_json() for agency in found])
    table = Table("Mã / Id", "Tên / Name", "Khóa ký / Keys", "Tình trạng / State")
    for one in found:
        state = "[green]hoạt động / open[/green]"
        if one.closed_at is not None:
            state = f"[red]đóng / closed {one.closed_at:%d/%m/%Y}[/red]"
        keys = escape(", ".join(sorted(one.policy.keys))) or "–"
        table.add_row(one.id, escape(one.name), keys, state)
    output.human.print(table)


@app.command()
def policy(
    agency_id: AgencyID, *, changes: Set = None, data: Data = None, as_json: Json = False
) -> None:
    """Xem hoặc sửa quy tắc của một cơ quan. / Show or change an agency's policy.

    Ví dụ / Example:  sohoa agencies policy H00.01 --set two_person_batches=true
    """
    from dossier.identity import AgencyPolicy

    with open_desk(data) as desk:
        one = desk.identity.agencies.get(desk.caller, agency_id)
        if changes:
            wanted = AgencyPolicy.from_json({**one.policy.to_json(), **entries(changes)})
            one = desk.identity.agencies.change(
                desk.caller, agency_id, version=one.version, policy=wanted
            )
            output.bilingual(f"Đã sửa quy tắc của {one.id}", "policy changed", style="green")
    if as_json:
        output.machine(one.to_json())
    for entry, value in one.policy.to_json().items():
        output.human.print(f"  {entry} = {escape(str(value))}")


@app.command()
def close(agency_id: AgencyID, *, data: Data = None, as_json: Json = False) -> None:
    """Đóng cơ quan: không ai của cơ quan vào được, hồ sơ còn. / Close it; its records stay."""
    with open_desk(data) as desk:
        one = desk.identity.agencies.get(desk.caller, agency_id)
        done = desk.identity.agencies.close(desk.caller, agency_id, version=one.version)
    if as_json:
        output.machine(done.to_json())
    output.bilingual(f"Đã đóng {done.id}", "closed", style="yellow")


@app.command()
def reopen(agency_id: AgencyID, *, data: Data = None, as_json: Json = False) -> None:
    """Mở lại cơ quan đã đóng. / Open a closed agency again."""
    with open_desk(data) as desk:
        one = desk.identity.agencies.get(desk.caller, agency_id)
        done = desk.identity.agencies.reopen(desk.caller, agency_id, version=one.version)
    if as_json:
        output.machine(done.to_json())
    output.bilingual(f"Đã mở lại {done.id}", "open again", style="green")
