"""`sohoa init`: make an installation for trying out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.embedded import create_installation
from api.settings import default_data_dir


def init(
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="In JSON. / Print JSON.")] = False,
) -> None:
    """Tạo bản cài đặt CHỈ DÙNG THỬ. / Make an installation, TEST ONLY.

    SoftHSM2 token với khóa cán bộ, lãnh đạo, cơ quan và nhật ký; token riêng cho CA và dấu thời
    gian thử nghiệm; chính sách khóa. Chạy lại không thay đổi gì. / A SoftHSM2 token with keys of
    officer, leader, agency seal and audit log, another one for the test CA and TSA, and a key
    policy. Running it again changes nothing.

    Ví dụ / Example:  sohoa init --data var/demo
    """
    made = create_installation(data or default_data_dir())
    folder = made.settings.data_dir
    if made.created:
        output.bilingual(f"Đã tạo bản cài đặt thử trong {folder}", "test installation made")
        output.bilingual(
            "Khóa mềm và CA thử nghiệm: không dùng cho văn bản thật",
            "software keys and a test CA: never for real documents",
            style="yellow",
        )
    else:
        output.bilingual(f"Bản cài đặt có sẵn trong {folder}", "already there, nothing changed")
    if as_json:
        output.machine(
            {
                "data_dir": str(folder),
                "created": made.created,
                "mode": made.settings.mode,
                "anchors": [str(path) for path in made.settings.trust.anchors],
                "keys": made.settings.keys.model_dump(),
            }
        )
