"""`sohoa worker seal|ocr|house`: one process that works through one queue."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Annotated

import typer

from api import lifeline
from api.settings import load_settings


class Queue(enum.StrEnum):
    """The queues of the service."""

    SEAL = "seal"
    OCR = "ocr"
    HOUSE = "house"


def worker(
    queue: Annotated[Queue, typer.Argument(help="Hàng đợi. / Queue.")],
    *,
    threads: Annotated[
        int | None,
        typer.Option("--threads", min=1, max=64, help="Thay worker.threads. / Threads."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DIR", help="Thư mục dữ liệu. / Data folder.")
    ] = None,
) -> None:
    """Chạy một tiến trình xử lý: ký (seal), số hóa (ocr), việc nhà (house). / Run one worker.

    SIGTERM: làm nốt việc đang dở, trả lại phần còn lại. / finishes what is in hand, gives the
    rest back.

    Ví dụ / Example:  sohoa worker seal --data /srv/sohoa
    """
    from api.work import run_worker

    run_worker(load_settings(data), queue.value, threads, lifeline.stop_on_signals())
