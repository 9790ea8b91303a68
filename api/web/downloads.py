"""Sends stored files: whole or one range of them, with entity tag and digests.

RFC 9110 clauses 13.1 and 14 (conditions, ranges), RFC 9530 (digests), RFC 6266 (file names).
The bytes of a digest never change, so the digest is the entity tag.
"""

from __future__ import annotations

import base64
import itertools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api.errors import RangeNotSatisfiable
from api.web.doorway import blocking

if TYPE_CHECKING:
    from dossier.storage.store import BlobInfo, BlobStore

_RANGE = re.compile(r"bytes=\s*(\d{0,18})-(\d{0,18})\s*")
_PART_BYTES = 256 * 1024  # of what comes in lines
_AT_ONCE = 2 << 20  # up to here a file goes out in one piece: one hop to a thread


async def download(
    request: Request, blobs: BlobStore, info: BlobInfo, *, media_type: str, filename: str
) -> Response:
    """Answer with the bytes of `info`, or with the range that the request asks for.

    Raises `RangeNotSatisfiable`, and what `BlobStore.read` raises.
    """
    tag = f'"{info.sha256}"'
    digest = f"sha-256=:{base64.b64encode(bytes.fromhex(info.sha256)).decode()}:"
    headers = {
        "etag": tag,
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "repr-digest": digest,
        "content-disposition": disposition(filename),
    }
    if _names(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    span = _span(request, tag, info.size_bytes)
    if span is None:
        start, end, status = 0, info.size_bytes, 200
        headers["content-digest"] = digest
    else:
        start, end, status = *span, 206
        headers["content-range"] = f"bytes {start}-{end - 1}/{info.size_bytes}"
    if request.method == "HEAD":
        headers["content-length"] = str(end - start)
        return Response(None, status, headers, media_type)
    until = None if end == info.size_bytes else end
    if end - start <= _AT_ONCE:
        data = await blocking(lambda: b"".join(blobs.read(info.sha256, start, until)))
        return Response(data, status, headers, media_type)
    headers["content-length"] = str(end - start)
    pieces = await blocking(_begun, blobs, info.sha256, start, until)
    return StreamingResponse(pieces, status, headers, media_type)


def _begun(blobs: BlobStore, sha256: str, start: int, end: int | None) -> Iterator[bytes]:
    """The pieces with the first one read already: a missing blob is found before the answer."""
    pieces = iter(blobs.read(sha256, start, end))
    first = next(pieces, b"")
    return itertools.chain((first,), pieces)


def range_responses(media_type: str, schema: dict[str, Any] | None = None) -> dict[Any, Any]:
    """How OpenAPI describes what `download` answers."""
    content = {media_type: {"schema": schema or {"type": "string", "format": "binary"}}}
    headers = {
        name: {"schema": {"type": "string"}, "description": text}
        for name, text in (
            ("ETag", "SHA-256"),
            ("Content-Digest", "RFC 9530"),
            ("Repr-Digest", "RFC 9530"),
            ("Content-Disposition", "RFC 6266"),
        )
    }
    return {
        200: {"description": "Cả tệp. / The whole file.", "content": content, "headers": headers},
        206: {"description": "Một khoảng. / A range.", "content": content},
        304: {"description": "Không đổi. / Not modified."},
    }


def disposition(filename: str) -> str:
    """A Content-Disposition that names the file to a browser (RFC 6266 clause 4.3)."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    if plain == filename:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _names(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    tags = {entry.strip().removeprefix("W/") for entry in if_none_match.split(",")}
    return tag in tags or "*" in tags


def _span(request: Request, tag: str, size: int) -> tuple[int, int] | None:
    """The range that is asked for, or None for the whole file.

    What is no single range of bytes is passed over, as RFC 9110 clause 14.2 wants it.
    """
    asked = request.headers.get("range")
    if asked is None or request.headers.get("if-range", tag) != tag:
        return None
    match = _RANGE.fullmatch(asked)
    if match is None or match[1] == match[2] == "":
        return None
    if match[1] == "":  # the last so many bytes
        start, end = max(0, size - int(match[2])), size
        unsatisfiable = int(match[2]) == 0
    else:
        start = int(match[1])
        end = min(size, int(match[2]) + 1) if match[2] else size
        if match[2] and int(match[2]) < start:
            return None
        unsatisfiable = start >= size
    if unsatisfiable or size == 0:
        raise RangeNotSatisfiable(
            f"Tệp chỉ có {size} byte. / The file has {size} bytes.", size_bytes=size
        )
    return start, end


def gathered(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Lines in larger pieces: each piece costs a hop to a thread."""
    held: list[bytes] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size >= _PART_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
