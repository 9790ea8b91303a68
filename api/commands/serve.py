"""`sohoa serve`: the service on one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.embedded import create_installation
from api.settings import default_data_dir
from api.wiring import open_desk


def serve(
    *,
    host: Annotated[str, typer.Option("--host", help="Địa chỉ. / Address.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Cổng. / Port.")] = 8080,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Chạy dịch vụ: kiểm tra chữ ký, CA và TSA thử nghiệm. / Run the service.

    Chưa có bản cài đặt thì tạo bản thử. / Makes a test installation where there is none.

    Ví dụ / Example:  sohoa serve --data var/serve
    """
    import uvicorn  # late: no other command needs the web

    from api.app import AppServices, Probe, create_app

    made = create_installation(data or default_data_dir())
    with open_desk(made.settings) as desk:
        leader = desk.key("leader")
        probes: dict[str, Probe] = {"token": lambda: desk.token.check_health(leader)}
        timestamper = desk.timestamper
        if timestamper is not None:
            probes["tsa"] = lambda: _discard(timestamper.timestamp(bytes(32)))
        output.bilingual(f"Đang chạy tại http://{host}:{port}", "serving", style="green")
        app = create_app(AppServices(desk.services.verifier, probes))
        uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)


def _discard(token: bytes) -> None:
    """A probe wants to know that the authority answers, not what."""
    del token
