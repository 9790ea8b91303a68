"""`sohoa serve`: the whole service on one machine, supervised."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from api import output
from api.errors import SettingsError
from api.settings import Settings, default_data_dir, load_settings
from api.supervisor import Part, Supervisor
from api.web.listening import listen

_LOCK = "serve.lock"


def serve(
    *,
    host: Annotated[
        str | None, typer.Option("--host", help="Thay web.host. / Instead of web.host.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Thay web.port. / Instead of web.port."),
    ] = None,
    web_processes: Annotated[
        int,
        typer.Option("--web", min=1, max=16, help="Số tiến trình HTTP. / Processes that serve."),
    ] = 1,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> int:
    """Chạy cả dịch vụ trên một máy và trông coi nó. / Run and supervise the service.

    Chưa có bản cài đặt thì tạo bản thử; lần đầu in khóa quản trị, chỉ một lần. SIGTERM: làm nốt
    việc đang dở rồi dừng; lần hai: dừng ngay. SIGHUP: nạp lại cổng HTTP (chứng thư TLS). /
    Makes a test installation where there is none; the first start prints the administrator's
    key, once. SIGTERM drains, a second one kills, SIGHUP reloads the HTTP door.

    Ví dụ / Example:  sohoa serve --data var/serve --port 8080
    """
    folder = (data or default_data_dir()).absolute()
    with _alone(folder):
        prepare = Part("prepare", ("prepare", "--data", str(folder)), 0, once=True)
        preparing = Supervisor([prepare], output.bilingual)
        code = preparing.run()
        if code or preparing.was_stopped:
            return code
        settings = load_settings(folder)
        address = host or settings.web.host, port or settings.web.port
        with listen(*address) as door:
            return Supervisor(
                parts_of(settings, address, door.fileno(), web_processes),
                output.bilingual,
                on_ready=lambda: output.bilingual(
                    f"Sẵn sàng tại {_url(settings, address)}", "ready", style="green"
                ),
                on_drain=door.close,
            ).run()


def parts_of(
    settings: Settings, address: tuple[str, int], listening: int, web_processes: int
) -> list[Part]:
    """The processes of one machine, in the stages that they need."""
    data = ("--data", str(settings.data_dir))
    parts = [Part("agent", ("agent", *data), 1, drain_s=4)]
    if settings.embedded is not None:
        parts.append(Part("authority", ("authority", *data), 0, drain_s=2))
    queues = {
        "seal": settings.worker.seal_processes,
        "ocr": settings.worker.ocr_processes,
        "house": 1,
    }
    parts += [
        Part(f"worker {queue} {n}", ("worker", queue, *data), 2, drain_s=13)
        for queue, processes in queues.items()
        for n in range(1, processes + 1)
    ]
    where = ("--host", address[0], "--port", str(address[1]), "--listening", str(listening))
    parts += [
        Part(f"web {n}", ("web", *where, *data), 3, drain_s=10, reloads=True, sockets=(listening,))
        for n in range(1, web_processes + 1)
    ]
    return parts


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Be the only supervisor of this folder; the kernel lets go when we die."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / _LOCK).open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SettingsError(
                f"Dịch vụ của {folder} đang chạy; hãy dừng nó trước. / The service of {folder} is "
                "running already: stop it first."
            ) from error
        yield


def _url(settings: Settings, address: tuple[str, int]) -> str:
    host, port = address
    scheme = "https" if settings.web.tls_certificate else "http"
    return settings.web.public_url or f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
