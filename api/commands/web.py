"""`sohoa web`: the HTTP door alone. No keys, no PIN, no worker."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Annotated

import typer

from api import lifeline, output
from api.settings import load_settings
from api.web.listening import listen


def web(
    *,
    host: Annotated[
        str | None, typer.Option("--host", help="Thay web.host. / Instead of web.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Thay web.port. / Instead of web.port."),
    ] = None,
    listening: Annotated[
        int | None, typer.Option("--listening", metavar="FD", hidden=True, min=3)
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Chạy riêng cổng HTTP. / Run the HTTP door alone.

    Cần `sohoa agent` và `sohoa worker seal|ocr|house` chạy ở đâu đó với cùng cơ sở dữ liệu. /
    Needs the agent and the workers running somewhere on the same database.

    Ví dụ / Example:  sohoa web --data /srv/sohoa --host 0.0.0.0 --port 8443
    """
    from api.assembly import open_house
    from api.web.app import create_app
    from api.web.server import serve_app

    settings = load_settings(data)
    address = host or settings.web.host, port or settings.web.port
    door_settings = settings.web.model_copy(update={"host": address[0], "port": address[1]})
    settings = settings.model_copy(update={"web": door_settings})
    inherited = None if listening is None else socket.socket(fileno=listening)

    def started() -> None:
        lifeline.ready()
        house.verifier.warm()
        if inherited is None:
            output.bilingual(f"Đang chạy tại {address[0]}:{address[1]}", "serving", style="green")

    with open_house(settings, "web") as house, inherited or listen(*address) as door:
        app = create_app(house)

        def drain() -> None:
            """Whoever waits for a result is told where to ask for it."""
            for name in ("waiting", "sequences_waiting"):
                if hasattr(app.state, name):
                    getattr(app.state, name).release()

        serve_app(app, settings.web, door, on_started=started, on_drain=drain)
