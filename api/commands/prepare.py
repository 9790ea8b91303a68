"""`sohoa prepare`: what has to be there before the service starts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.embedded import create_installation
from api.settings import default_data_dir


def prepare(
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Tạo bản cài đặt, nâng cấp cơ sở dữ liệu, cấp khóa quản trị đầu tiên. / Prepare the service.

    `sohoa serve` tự chạy bước này; trên nhiều máy thì chạy một lần sau mỗi lần nâng cấp. /
    `sohoa serve` does this by itself; on many machines run it once after each upgrade.

    Ví dụ / Example:  sohoa prepare --data var/serve
    """
    from dossier.audit.log import AuditLog
    from dossier.identity import Identity
    from dossier.search.index import SearchIndex
    from dossier.storage.database import Database
    from dossier.storage.migrations import upgrade

    made = create_installation(data or default_data_dir())
    if made.created:
        output.bilingual(
            f"Đã tạo bản cài đặt thử tại {made.settings.data_dir}", "test installation made"
        )
    database = Database(made.settings.database_url)
    try:
        upgrade(database)
        SearchIndex(database).prepare()
        secret = Identity(database, AuditLog(database)).bootstrap()
    finally:
        database.close()
    if secret is not None:
        output.bilingual(
            "Khóa API quản trị đầu tiên, chỉ hiện một lần này; hãy cất giữ rồi thay bằng khóa "
            "riêng của từng người (xem docs/api.md)",
            "the first administrator's API key, shown only this once",
            style="bold yellow",
        )
        sys.stdout.write(secret + "\n")
        sys.stdout.flush()
