"""`sohoa agent`: the only process with the PKCS#11 module and the PIN."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import lifeline
from api.settings import load_settings


def agent(
    *,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Chạy dịch vụ khóa (CSC API v2) trên socket Unix hoặc TLS. / Run the key agent.

    Chỉ tiến trình này nạp PKCS#11 và đọc PIN; key-policy.toml cho biết ai được ký gì. Chưa có
    thiết bị, hoặc PIN sai: vẫn chạy và trả 503 kèm việc cần làm. SIGTERM: ký xong việc đang dở
    rồi dừng. / Only this process loads PKCS#11 and reads the PIN; key-policy.toml says who may
    sign what. Without a token, or with a wrong PIN, it stays up and answers 503 with what to do.

    Ví dụ / Example:  sohoa agent --data /srv/sohoa
    """
    from api.agent.entry import run_agent  # late: no other command needs it

    run_agent(load_settings(data), lifeline.stop_on_signals())
