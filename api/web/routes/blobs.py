"""Uploads, resumable: `HEAD` says how far one is, `PUT` goes on from there.

    HEAD /v1/blobs/{sha256}      404: nothing here; 204 with Upload-Offset and Upload-Length:
                                 so much is here; 200: all of it is
    PUT  /v1/blobs/{sha256}      the whole blob, or with ``Content-Range: bytes 0-4194303/9000000``
                                 one part of it, in order; the last part completes it

Every byte that an answer vouches for is on the disk by then. A part that broke off counts as far
as it came: ask with HEAD and go on from Upload-Offset.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Request, Response
from starlette.requests import ClientDisconnect

from api.errors import MalformedRequest
from api.web import openapi
from api.web.doorway import CurrentCaller, CurrentHouse, JSONAnswer, blocking
from api.web.downloads import download, range_responses
from api.web.problem_documents import problems
from api.web.schemas import BlobView, DigestPath
from dossier.errors import BlobDamaged, InvalidOrder
from dossier.model import Caller
from dossier.storage.store import BlobInfo, missing

if TYPE_CHECKING:
    from api.house import House
    from dossier.storage.uploads import UploadStatus

router = APIRouter(tags=["Tệp tải lên / Blobs"])
_PART_BYTES = 4 << 20  # what is gathered before it goes to the disk
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_PROGRESS: dict[str, Any] = {
    "Upload-Offset": {
        "description": "Số byte đã lưu bền vững. / Bytes that are durable.",
        "schema": {"type": "integer"},
    },
    "Upload-Length": {
        "description": "Tổng số byte, nếu biết. / Bytes in all, if known.",
        "schema": {"type": "integer"},
    },
}


@router.head(
    "/v1/blobs/{sha256}",
    response_class=Response,
    responses={
        200: {"description": "Đã đủ. / It is all here.", "headers": _PROGRESS},
        204: {"description": "Còn dở. / Begun, not finished.", "headers": _PROGRESS},
        **problems(401, 404, 422, 429),
    },
    summary="Đã tải lên đến đâu. / How far an upload is.",
)
async def upload_status(house: CurrentHouse, caller: CurrentCaller, sha256: DigestPath) -> Response:
    """404 without a byte, 204 while it is unfinished, 200 when the agency holds the blob."""
    status = await blocking(house.uploads.status, caller, sha256)
    if status.complete:
        return Response(None, 200, _headers(status) | {"etag": f'"{sha256}"'})
    if not status.offset:
        raise missing(sha256)
    return Response(None, 204, _headers(status))


@router.get(
    "/v1/blobs/{sha256}",
    response_class=Response,
    responses={**range_responses("application/octet-stream"), **problems(401, 404, 416, 422, 429)},
    summary="Tải tệp về. / Download a blob.",
)
async def get_blob(
    request: Request, house: CurrentHouse, caller: CurrentCaller, sha256: DigestPath
) -> Response:
    """The bytes of a blob that the agency holds; Range and If-None-Match are honoured."""
    info, media_type = await blocking(_held, house, caller, sha256)
    ending = ".pdf" if media_type == "application/pdf" else ".bin"
    # sent as what cannot be run in a browser, whatever the uploader said that it is
    return await download(
        request, house.blobs, info, media_type="application/octet-stream", filename=sha256 + ending
    )


def _held(house: House, caller: Caller, sha256: str) -> tuple[BlobInfo, str]:
    with house.database.read() as connection:
        info = house.holdings.require(connection, caller.agency_id, sha256)
        return info, house.holdings.media_type(connection, caller.agency_id, sha256)


@router.put(
    "/v1/blobs/{sha256}",
    status_code=201,
    response_model=BlobView,
    responses={
        200: {
            "description": "Phần này đã lưu, hoặc tệp đã có. / The part is kept, or all was here.",
            "model": BlobView,
            "headers": _PROGRESS,
        },
        201: {"description": "Tệp đã đủ. / The blob is complete.", "headers": _PROGRESS},
        **problems(400, 401, 403, 408, 409, 413, 422, 429, 507),
    },
    openapi_extra=openapi.body(("application/octet-stream", openapi.BINARY)),
    summary="Tải tệp lên, tiếp tục được. / Upload, resumable.",
)
async def put_blob(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    sha256: DigestPath,
    content_range: Annotated[
        str | None,
        Header(
            alias="Content-Range",
            pattern=r"^bytes \d{1,18}-\d{1,18}/\d{1,18}$",
            description="bytes FIRST-LAST/TOTAL; bỏ trống: cả tệp. / Left out: the whole blob.",
        ),
    ] = None,
) -> Response:
    """Store the body from its place on; checked against its name when the last byte is here."""
    upload = _Upload(house, caller, sha256, request, content_range)
    try:
        async for piece in request.stream():
            await upload.take(piece)
    except ClientDisconnect:
        await upload.flush()  # what came is worth keeping: the client goes on from it
        raise
    status = await upload.finish()
    body = {
        "sha256": sha256,
        "offset": status.offset,
        "total": status.total,
        "complete": status.complete,
    }
    created = status.complete and upload.is_new
    return JSONAnswer(body, 201 if created else 200, _headers(status))


def _headers(status: UploadStatus) -> dict[str, str]:
    headers = {"upload-offset": str(status.offset)}
    if status.total is not None:
        headers["upload-length"] = str(status.total)
    return headers


class _Upload:
    """One PUT: gathers the body and hands it on in parts.

    A thread is used only while it writes. One that waited for a slow client's next byte would be
    missing elsewhere.
    """

    def __init__(
        self,
        house: House,
        caller: Caller,
        sha256: str,
        request: Request,
        content_range: str | None,
    ) -> None:
        self._house, self._caller, self._sha256 = house, caller, sha256
        self._media_type = request.headers.get("content-type") or "application/octet-stream"
        self._offset, self._end, self._total = _place(request, content_range)
        self._pieces: list[bytes] = []
        self._held = 0
        self._status: UploadStatus | None = None
        self.is_new = True

    async def take(self, piece: bytes) -> None:
        if self._status is not None and self._status.complete:
            return  # the agency held it already
        self._pieces.append(piece)
        self._held += len(piece)
        if self._end is not None and self._offset + self._held > self._end:
            raise MalformedRequest(
                "Nội dung dài hơn Content-Range. / The body is longer than its Content-Range.",
                field="header.Content-Range",
            )
        if self._held >= _PART_BYTES and self._total is not None:
            await self.flush()

    async def flush(self) -> None:
        """Write what is gathered, if it is known where to."""
        if self._total is not None and (self._pieces or self._status is None):
            pieces, self._pieces, self._held = self._pieces, [], 0
            self._status = await blocking(self._append, pieces, self._total)
            self._offset = self._status.offset

    async def finish(self) -> UploadStatus:
        """The body has come to its end, and its Content-Digest was right."""
        is_here = self._status is not None and self._status.complete
        if self._end not in (None, self._offset + self._held) and not is_here:
            raise MalformedRequest(
                "Nội dung ngắn hơn Content-Range. / The body is shorter than its Content-Range.",
                field="header.Content-Range",
            )
        if self._total is None:  # the whole blob, of a length that nobody told
            self._total = self._held
        await self.flush()
        assert self._status is not None  # noqa: S101 - set by the first flush
        return self._status

    def _append(self, pieces: list[bytes], total: int) -> UploadStatus:
        if self._status is None:
            self.is_new = not self._house.uploads.status(self._caller, self._sha256).complete
        try:
            return self._house.uploads.append(
                self._caller,
                self._sha256,
                offset=self._offset,
                total=total,
                chunks=pieces,
                media_type=self._media_type,
            )
        except BlobDamaged as error:  # what was received, not what is stored
            raise InvalidOrder(str(error), field="body") from error


def _place(request: Request, content_range: str | None) -> tuple[int, int | None, int | None]:
    """First byte, the byte after the last one, and all bytes; None for what nobody told."""
    if content_range is None:
        length = request.headers.get("content-length", "")
        total = int(length) if length.isdigit() and len(length) < 19 else None
        return 0, total, total
    match = _RANGE.fullmatch(content_range)
    first, last, total = (int(part) for part in match.groups()) if match else (0, -1, 0)
    if not first <= last < total:
        raise MalformedRequest(
            "Content-Range có dạng bytes 0-4194303/9000000. / Content-Range has the form bytes "
            "0-4194303/9000000.",
            field="header.Content-Range",
        )
    return first, last + 1, total
