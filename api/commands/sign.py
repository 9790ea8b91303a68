"""`sohoa sign`: sign an existing PDF."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.commands import orders
from api.commands.verdict import print_verdict
from api.errors import InputUnusable
from api.wiring import load_settings, open_desk
from dossier.register.codes import new_code, printed
from dossier.workflow import SealOrder, SealStep, seal_document
from signer.sealing.levels import Level


def sign(
    source: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Tệp PDF. / The PDF.")],
    *,
    target: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.pdf", help="Tệp kết quả. / The result.")
    ],
    seals: orders.Seals = None,
    invisible: Annotated[
        str | None,
        typer.Option(
            "--invisible",
            metavar="ROLE",
            help="Chữ ký không hiển thị của vai này. / An invisible signature of this role.",
        ),
    ] = None,
    level: orders.LevelOption = Level.B_LTA,
    reason: orders.Reason = None,
    location: orders.Place = None,
    number: orders.NumberSymbol = None,
    copy_form: orders.Copy = None,
    certify: Annotated[
        bool,
        typer.Option(
            "--certify",
            help="Chữ ký đầu chứng nhận văn bản, chỉ cho ký và điền tiếp. / Certify first.",
        ),
    ] = False,
    qr: Annotated[
        bool,
        typer.Option(
            "--qr", help="In mã QR xác thực lên trang đầu. / Print a code that proves the result."
        ),
    ] = False,
    holder: Annotated[
        str | None,
        typer.Option(
            "--holder",
            metavar="NAME",
            help="Người được cấp; mã chỉ ghi tên đã che. / The holder; the code masks the name.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
) -> None:
    """Ký số một tệp PDF có sẵn. / Sign an existing PDF.

    Chữ ký đã có vẫn giữ nguyên giá trị. / Signatures that are there stay valid.

    Ví dụ / Examples:

      sohoa sign decision.pdf -o signed.pdf --seal P1 --seal P2

      sohoa sign annex.pdf -o annex-signed.pdf --seal P4 --number 12/QĐ-UBND

      sohoa sign letter.pdf -o signed.pdf --invisible leader --level B-T

      sohoa sign decision.pdf -o signed.pdf --seal P1 --seal P2 --qr --number 12/QĐ-UBND
    """
    if bool(seals) == bool(invisible):
        raise typer.BadParameter("give --seal PROFILE (once or more), or --invisible ROLE")
    if not source.is_file():
        raise InputUnusable(f"{source}: no such file")
    at = orders.now()
    with open_desk(load_settings(data), timestamped=level.timestamped) as desk:
        order = orders.seal_order(
            desk,
            seals or (),
            level,
            at,
            reason=reason,
            location=location,
            number_symbol=number,
            copy_form=copy_form,
            certify=certify,
        )
        if invisible:
            role = orders.role(invisible)
            step = SealStep(role, desk.key(role), reason=reason, certify=certify)
            order = SealOrder((step,), level, at, order.agency, location=location)
        code = new_code()
        if qr:
            printed_code = orders.printed_code(desk, source, code, at, number, holder)
            order = dataclasses.replace(order, code=printed_code)
        made, report = seal_document(source, target, order, desk.services)
    for seal in made:
        where = "" if seal.page_index is None else f", trang {seal.page_index + 1}"
        output.bilingual(f"Đã ký {seal.field_name}{where}", f"signed, {seal.level.value}")
    if qr:
        output.bilingual(f"Mã kết quả: {printed(code)}", "result code")
    output.bilingual(f"Tệp kết quả: {target}", "result", style="bold")
    print_verdict(report)
    if as_json:
        output.machine(
            {
                "output": str(target),
                "code": code if qr else None,
                "seals": [{"field": seal.field_name, "level": seal.level.value} for seal in made],
                "verification": report.to_json(),
            }
        )
