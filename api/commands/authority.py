"""`sohoa authority`: the embedded stand-in for a CA and a TSA, alone. TEST ONLY."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import lifeline
from api.settings import load_settings


def authority(
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Chạy CA, OCSP và dấu thời gian thử nghiệm: CHỈ DÙNG THỬ. / Run the test CA, OCSP and TSA.

    Dùng token riêng của nó, trên 127.0.0.1; cấu hình thật bị từ chối. / Uses a token of its own,
    serves on loopback; production settings refuse it. TEST ONLY.

    Ví dụ / Example:  sohoa authority --data var/demo
    """
    from api.authority import run_authority  # late: no other command needs it

    run_authority(load_settings(data), lifeline.stop_on_signals())
