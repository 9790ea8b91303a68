"""Uploads and downloads of the Python client: both go on after a break, both check digests."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from api.client_errors import Conflict, DamagedDownload, NoAnswer
from api.client_values import Blob

if TYPE_CHECKING:
    from api.client_transport import Transport

Progress = Callable[[int, int], None]
"""Told of bytes that are safe at the service, and of all bytes."""

_PART_BYTES = 4 << 20
_TRIES = 8  # to go on with an upload or download that broke off


class Files:
    """Moves files over one transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        source: str | os.PathLike[str] | bytes,
        media_type: str,
        progress: Progress | None,
    ) -> Blob:
        """Store `source` at the service; what is there already is not sent."""
        if isinstance(source, bytes):
            return self._send(_Bytes(source), media_type, progress)
        with Path(source).open("rb") as stream:
            return self._send(_File(stream), media_type, progress)

    def _send(self, source: _Bytes | _File, media_type: str, progress: Progress | None) -> Blob:
        path, total = f"/v1/blobs/{source.sha256}", source.size
        tries = 0
        while True:
            status = self._transport.ask("HEAD", path, expected=(404,))
            offset = int(status.headers.get("upload-offset", "0"))
            offset = total if status.status_code == 200 else offset
            if progress is not None:
                progress(offset, total)
            if status.status_code == 200:
                return Blob(source.sha256, total)
            try:
                while True:
                    part = source.part(offset, _PART_BYTES)
                    headers = {"Content-Type": media_type}
                    if len(part) < total:
                        last = offset + len(part) - 1
                        headers["Content-Range"] = f"bytes {offset}-{last}/{total}"
                    answer = self._transport.ask("PUT", path, content=part, headers=headers).json()
                    offset = int(answer["offset"])
                    if progress is not None:
                        progress(offset, total)
                    if answer["complete"]:
                        return Blob(source.sha256, total)
            except Conflict:  # somebody else uploads it too: see how far it is
                tries += 1
                if tries > _TRIES:
                    raise

    def download(self, path: str, sha256: str | None, target: Path) -> Path:
        """Store what `path` gives as `target`, whole or not at all, checked against `sha256`."""
        with tempfile.NamedTemporaryFile(
            dir=target.absolute().parent, prefix=f".{target.name}-", delete=False
        ) as stream:
            try:
                digest = self._receive(path, stream)
                require_digest(digest, sha256)
                stream.flush()
                os.fsync(stream.fileno())
                Path(stream.name).replace(target)
            except BaseException:
                Path(stream.name).unlink(missing_ok=True)
                raise
        return target

    def _receive(self, path: str, stream: Any) -> str:  # noqa: ANN401 - a binary file
        digest = hashlib.sha256()
        for n in range(_TRIES):
            headers = {"Range": f"bytes={stream.tell()}-"} if stream.tell() else {}
            with self._transport.stream(path, headers=headers) as response:
                if headers and response.status_code != 206:  # from the beginning after all
                    stream.seek(0)
                    stream.truncate()
                    digest = hashlib.sha256()
                try:
                    for chunk in response.iter_raw():
                        stream.write(chunk)
                        digest.update(chunk)
                except httpx.TransportError as error:
                    if n == _TRIES - 1:
                        raise NoAnswer(
                            "Tải về bị ngắt nhiều lần; hãy thử lại. / The download broke off again "
                            "and again; try again.",
                            error,
                        ) from error
                    continue
            break
        return digest.hexdigest()


class _Bytes:
    """What is to be uploaded, in memory."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)
        self.sha256 = hashlib.sha256(content).hexdigest()

    def part(self, offset: int, most: int) -> bytes:
        return self._content[offset : offset + most]


class _File:
    """What is to be uploaded, from an open file."""

    def __init__(self, stream: BufferedReader) -> None:
        self._stream = stream
        self.sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        self.size = stream.tell()

    def part(self, offset: int, most: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(most)


def require_digest(found: str, expected: str | None) -> None:
    """Raise `DamagedDownload` unless the digest is the expected one, where one is known."""
    if expected is not None and found != expected:
        raise DamagedDownload(
            f"Tệp tải về có SHA-256 {found}, không phải {expected}; hãy tải lại. / The file that "
            "came has another digest than the service names; download it again."
        )
