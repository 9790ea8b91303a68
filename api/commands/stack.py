"""`sohoa stack`: paper into stacks at a service, from a network scanner or from the disk."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from api import output
from api.client import Client, Resource
from api.commands.people import Data, Json
from api.commands.scan import (
    Colour,
    Device,
    Dpi,
    Duplex,
    Folder,
    Form,
    Format,
    From,
    Paper,
    Source,
    as_told,
    ready,
    tell,
)
from api.errors import InputUnusable, NotInitialised
from api.settings import load_settings
from api.stacking import FolderStack, fills_stack, put_files
from ocr.intake.survey import files_of

app = typer.Typer(no_args_is_help=True, help="Tập giấy. / Stacks of paper.", rich_markup_mode=None)
Url = Annotated[
    str | None,
    typer.Option("--url", help="Địa chỉ dịch vụ; bỏ trống: theo cấu hình. / The service."),
]
KeyFile = Annotated[
    Path,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="Tệp chứa khóa API, chỉ chủ đọc được. / A file with the API key.",
    ),
]
Station = Annotated[
    str | None, typer.Option("--station", help="Trạm quét; bỏ trống: [record]. / The station.")
]
Officer = Annotated[
    str | None, typer.Option("--officer", help="Cán bộ số hóa; bỏ trống: [record]. / The officer.")
]
Reference = Annotated[str, typer.Option("--reference", help="Tên gọi. / Your name for it.")]
Profile = Annotated[
    str,
    typer.Option("--profile", help="one-stop, electronic-copy, archive, working."),
]
Urgent = Annotated[
    bool, typer.Option("--urgent", help="Người dân đang chờ. / A citizen waits for it.")
]
More = Annotated[
    bool, typer.Option("--more", help="Còn giấy: chưa đóng tập. / More paper comes: leave it open.")
]


@app.callback()
def stack() -> None:
    """Tập giấy. / Stacks of paper."""


@app.command()
def put(
    sources: Annotated[
        list[Path],
        typer.Argument(metavar="FILES", help="Tệp hoặc thư mục. / Files or folders, in order."),
    ],
    *,
    key_file: KeyFile,
    url: Url = None,
    station: Station = None,
    officer: Officer = None,
    reference: Reference = "",
    profile: Profile = "one-stop",
    urgent: Urgent = False,
    duplex: Annotated[
        bool, typer.Option("--duplex", help="Mặt trước, mặt sau xen kẽ. / Fronts, backs in turn.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Tập mới từ cùng tệp. / Another stack of these files.")
    ] = False,
    more: More = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Đưa tệp quét trên đĩa vào một tập giấy. / Put scans from the disk into a stack.

    Bị ngắt thì chạy lại cùng lệnh để đi tiếp: cùng tệp là cùng tập giấy. Thư mục của một lần
    `sohoa stack scan` dở dang cũng vậy. / After a break the same command goes on: the same files
    are the same stack. So is the folder of a `sohoa stack scan` that was broken off.

    Ví dụ / Examples:

      sohoa stack put ho-so-12/ --key-file khoa-api.txt --station quay-3 --officer "Nguyễn Thị Mẫu"
    """
    order = _order(station, officer, reference, profile, urgent=urgent, data=data)
    with _client(url, key_file, data) as client:
        if len(sources) == 1 and not again and fills_stack(sources[0]):
            with FolderStack(client, sources[0], order, tell=_sent) as filling:
                pass
            made = filling.complete(close=not more)
        else:
            made = put_files(
                client,
                list(files_of(sources)),
                order,
                duplex=duplex,
                again=again,
                close=not more,
                tell=_sent,
            )
    _told(made, as_json=as_json)


@app.command()
def scan(
    *,
    folder: Folder,
    key_file: KeyFile,
    url: Url = None,
    device: Device = None,
    source: From = Source.auto,
    duplex: Duplex = False,
    dpi: Dpi = 300,
    colour: Colour = True,
    paper: Paper = "A4",
    form: Form = Format.jpeg,
    station: Station = None,
    officer: Officer = None,
    reference: Reference = "",
    profile: Profile = "one-stop",
    urgent: Urgent = False,
    more: More = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Quét từ máy quét mạng vào tập giấy. / Scan from a network scanner into a stack.

    Mỗi trang nằm trên đĩa rồi mới gửi đi, trong khi máy quét tiếp; kẹt giấy, mất mạng hay bị ngắt
    thì chạy lại cùng lệnh. / Each page is on the disk before it is sent, while the scanner goes
    on; after a jam, a lost network or a crash the same command goes on.

    Ví dụ / Examples:

      sohoa stack scan --to scans/ho-so-12 --duplex --key-file khoa-api.txt
    """
    order = _order(station, officer, reference, profile, urgent=urgent, data=data)
    with _client(url, key_file, data) as client:
        device_ready = ready(
            load_settings(data),
            device,
            source,
            duplex=duplex,
            dpi=dpi,
            colour=colour,
            paper=paper,
            form=form,
        )
        order["scanner"] = device_ready.scanner.address.name
        order["way"] = "escl"
        with FolderStack(client, folder, order, tell=_sent) as filling:

            def seen(page: Any) -> None:  # noqa: ANN401 - a ScannedPage
                tell(page)
                filling.page(page)

            done = device_ready.into(folder, seen)
        made = filling.complete(close=not more)
    _told(made, as_json=as_json, scanned=as_told(done, device_ready.scanner))


@app.command()
def show(
    stack_id: Annotated[str, typer.Argument(metavar="STACK", help="Mã tập giấy. / Its id.")],
    *,
    key_file: KeyFile,
    url: Url = None,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Chờ đến khi tách xong, giây. / Seconds.")
    ] = 0,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Tập giấy đến đâu rồi. / How far a stack is."""
    with _client(url, key_file, data) as client:
        found = client.stacks.get(stack_id)
        if wait:
            found = client.stacks.wait(found, timeout_s=wait)
    _told(found, as_json=as_json)


def _order(
    station: str | None,
    officer: str | None,
    reference: str,
    profile: str,
    *,
    urgent: bool,
    data: Path | None,
) -> dict[str, Any]:
    """What the stack is opened with; who and where may stand in the settings."""
    if station is None or officer is None:
        try:
            record = load_settings(data).record
        except NotInitialised as error:
            raise InputUnusable(
                "Hãy nêu --station và --officer (TT 01/2023/TT-VPCP, Điều 7). / Name --station and "
                "--officer; the circular demands them."
            ) from error
        station, officer = station or record.station, officer or record.operator
    return {
        "station": station,
        "officer": officer,
        "reference": reference,
        "profile": profile,
        "urgent": urgent,
    }


@contextmanager
def _client(url: str | None, key_file: Path, data: Path | None) -> Iterator[Client]:
    if url is None:
        web = load_settings(data).web
        url = web.public_url or f"http://{web.host}:{web.port}"
    with Client(url, _key_in(key_file)) as client:
        yield client


def _key_in(path: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputUnusable(f"--key-file {path}: {error}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise InputUnusable(
            f"--key-file {path}: người khác đọc được; hãy chmod 600. / It is open to others: "
            "chmod 600 it."
        )
    if not text or not text.isascii() or not text.isprintable():
        raise InputUnusable(f"--key-file {path}: không phải khóa API. / It holds no API key.")
    return text


def _sent(name: str, done: int, of: int) -> None:
    output.bilingual(f"  {name}: đã vào tập giấy ({done}/{max(done, of)})", "in the stack")


def _told(made: Resource, *, as_json: bool, scanned: dict[str, Any] | None = None) -> None:
    counts = made.raw.get("counts")
    read = f", {counts['pages_read']}/{counts['pages']} trang" if counts else ""
    output.bilingual(
        f"Tập giấy {made.id}: {made.state}{read}",
        f"the stack; {len(made['alarms'])} alarms",
        style="bold",
    )
    if as_json:
        told = {"stack": dict(made.raw)}
        output.machine(told if scanned is None else told | {"scanned": scanned})
