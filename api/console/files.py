"""Forms with files, read as they come; and what becomes of a file in a stack.

    form = await read_upload(request, folder, admit, take)

`admit` sees the entries before the first file is taken, so a form from elsewhere costs nothing.
Files come in memory or in `folder` (`Intake`), one at a time; each is durable in the stack before
the next one is read.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from api.errors import MalformedRequest, UnsupportedMediaType
from api.web.form_parts import FormParts, Part
from api.web.intake import Intake, Received
from dossier.errors import InvalidOrder
from dossier.intake.observations import Side
from dossier.model import Caller
from dossier.stacks.edits import Insert, Replace

if TYPE_CHECKING:
    from fastapi import Request

    from api.house import House

Purpose = Insert | Replace | None
_ENTRY_BYTES = 4096
_PARTS = 5100
_NAME = 120
_HEAD = 1024
_PIECE = 1 << 20
_MEDIA_TYPES = (
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"II[*+]\0|MM\0[*+]"), "image/tiff"),
)


async def read_upload(
    request: Request,
    folder: Path,
    admit: Callable[[Mapping[str, str]], Awaitable[None]],
    take: Callable[[str, Received], Awaitable[None]],
) -> dict[str, str]:
    """Read a form to its end; its entries. Files without a name and a byte are passed over.

    Raises `MalformedRequest`, `UnsupportedMediaType`, and what `admit` and `take` raise.
    """
    content_type = request.headers.get("content-type", "")
    if not content_type.lower().startswith("multipart/form-data"):
        raise UnsupportedMediaType(
            "Hãy gửi tệp bằng biểu mẫu trên trang. / Send the files with the form on the page."
        )
    parts = FormParts(content_type, _PARTS, _malformed)
    entries: dict[str, bytearray] = {}
    part: Part | None = None
    intake: Intake | None = None
    is_admitted = False
    try:
        async for piece in request.stream():
            for event in parts.feed(piece):
                if isinstance(event, Part):
                    part = event
                    if part.file_name is None:
                        entries[part.name] = bytearray()
                        continue
                    if not is_admitted:
                        await admit(_texts(entries))
                        is_admitted = True
                    intake = Intake(folder)
                elif event is not None:
                    if intake is not None:
                        await intake.write(event)
                    elif part is not None:
                        _extend(entries[part.name], event)
                elif intake is not None and part is not None:
                    received = await intake.finish()
                    if received.size_bytes or part.file_name:
                        await take(clean_name(part.file_name or ""), received)
                    await intake.__aexit__(None, None, None)
                    intake = part = None
    finally:
        if intake is not None:
            await intake.__aexit__(None, None, None)
    if not parts.is_whole:
        raise _malformed("thiếu phần cuối / it ends early")
    if not is_admitted:
        await admit(_texts(entries))
    return _texts(entries)


def clean_name(text: str) -> str:
    """A file's own name as it may be kept and shown: no folders, no controls, not endless."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", text))[-1]
    shown = "".join(c for c in last if unicodedata.category(c)[0] != "C").strip()
    return shown if len(shown) <= _NAME else f"…{shown[1 - _NAME :]}"


def add_file(
    house: House,
    caller: Caller,
    stack_id: str,
    name: str,
    received: Received,
    *,
    side: Side = Side.SINGLE,
    purpose: Purpose = None,
) -> bool:
    """Make a file durable and put it behind the others of a stack; whether it is new there.

    A file of the same name and bytes is in the stack once, so whoever repeats an upload that
    broke off gets each file once. Blocks. Raises `InvalidOrder` for what is no scan, and what
    `Uploads.append` and `Stacks.add_scan` raise.
    """
    media_type = _media_type(_head(received), name)
    known = house.stacks.scans(caller, stack_id)
    if any(scan.sha256 == received.sha256 and scan.name == name for scan in known):
        return False
    house.uploads.append(
        caller,
        received.sha256,
        offset=0,
        total=received.size_bytes,
        chunks=_pieces(received),
        media_type=media_type,
    )
    house.stacks.add_scan(caller, stack_id, received.sha256, name, side=side, purpose=purpose)
    return True


def _head(received: Received) -> bytes:
    if isinstance(received.source, bytes):
        return received.source[:_HEAD]
    with received.source.open("rb") as file:
        return file.read(_HEAD)


def _pieces(received: Received) -> Iterator[bytes]:
    if isinstance(received.source, bytes):
        yield received.source
        return
    with received.source.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def _media_type(head: bytes, name: str) -> str:
    for pattern, media_type in _MEDIA_TYPES:
        if pattern.match(head):
            return media_type
    if b"%PDF-" in head:
        return "application/pdf"
    raise InvalidOrder(
        f"Tệp “{name}” không phải ảnh quét; chỉ nhận PDF, TIFF, JPEG, PNG. / The file “{name}” is "
        "no scan; PDF, TIFF, JPEG and PNG are taken.",
        field="files",
    )


def _extend(entry: bytearray, data: bytes) -> None:
    entry += data
    if len(entry) > _ENTRY_BYTES:
        raise _malformed("một mục quá dài / an entry is too long")


def _texts(entries: Mapping[str, bytearray]) -> dict[str, str]:
    return {name: bytes(value).decode("utf-8", "replace") for name, value in entries.items()}


def _malformed(reason: str) -> MalformedRequest:
    vietnamese, _, english = reason.partition(" / ")
    return MalformedRequest(
        f"Biểu mẫu không đọc được ({vietnamese}); hãy tải lại trang rồi gửi lại. / The form cannot "
        f"be read ({english}); load the page again and repeat it.",
        field="body",
    )
