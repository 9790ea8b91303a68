"""`sohoa renew`: a fresh document timestamp before the last one weakens."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.commands.verdict import print_verdict
from api.errors import InputUnusable
from api.wiring import load_settings, open_desk
from dossier.workflow import renew_record


def renew(
    source: Annotated[Path, typer.Argument(metavar="FILE.pdf", help="Tệp đã ký. / Signed PDF.")],
    *,
    target: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT.pdf", help="Tệp kết quả. / The result.")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
) -> None:
    """Gia hạn giá trị lưu trữ lâu dài (B-LTA). / Renew the long-term value (B-LTA).

    Ghi chứng cứ thu hồi mới và một dấu thời gian trùm lên tất cả. / Adds fresh revocation
    evidence and a document timestamp over all of it.

    Ví dụ / Example:  sohoa renew record.pdf -o record.pdf
    """
    if not source.is_file():
        raise InputUnusable(f"{source}: no such file")
    with open_desk(load_settings(data)) as desk:
        result, report = renew_record(source, target, desk.services)
    output.bilingual(f"Đã gia hạn: {target}", f"renewed with {result.timestamp_field}")
    print_verdict(report)
    if as_json:
        output.machine(
            {
                "output": str(target),
                "timestamp_field": result.timestamp_field,
                "evidence_for": list(result.evidence_for),
                "verification": report.to_json(),
            }
        )
