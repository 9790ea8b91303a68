"""Receives a document: in memory while it is small, in a file when it grows, hashed on the way.

    async with Intake(folder) as intake:
        async for piece in request.stream():
            await intake.write(piece)
        received = await intake.finish()
        await blocking(keep, received)          # while the context lasts

Hashing 64 KB takes less time than a hop to a thread, so small bodies are hashed where they are;
larger ones go to a thread a megabyte at a time.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from fastapi.concurrency import run_in_threadpool

IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """What came in. `source` is what `BlobStore.put` takes; a file lives as long as its intake."""

    sha256: str
    size_bytes: int
    source: bytes | Path


class Intake:
    """One document on its way in. For one task; nothing of it stays behind when it is left."""

    def __init__(self, folder: Path) -> None:
        """`folder` takes the files of large documents; it is made when one comes."""
        self._folder = folder
        self._hash = hashlib.sha256()
        self._pieces: list[bytes] = []
        self._held = 0
        self._size = 0
        self._file: IO[bytes] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()  # deletes it

    async def write(self, piece: bytes) -> None:
        """Take one piece. Raises `OSError` when the disk is full."""
        if not piece:
            return
        self._pieces.append(piece)
        self._held += len(piece)
        self._size += len(piece)
        if self._held > IN_MEMORY_BYTES:
            pieces, self._pieces, self._held = self._pieces, [], 0
            await run_in_threadpool(self._spill, pieces)

    async def finish(self) -> Received:
        """Everything has come. Raises `OSError` when the disk is full."""
        if self._file is None:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._hash.update(data)
            return Received(self._hash.hexdigest(), self._size, data)
        await run_in_threadpool(self._spill, self._pieces)
        self._file.flush()
        return Received(self._hash.hexdigest(), self._size, Path(self._file.name))

    async def to_file(self) -> Path:
        """Everything has come, and is wanted as a file, however small. Raises `OSError`."""
        await run_in_threadpool(self._spill, self._pieces)
        assert self._file is not None  # noqa: S101 - made by _spill
        self._file.flush()
        return Path(self._file.name)

    def _spill(self, pieces: list[bytes]) -> None:
        if self._file is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = tempfile.NamedTemporaryFile(dir=self._folder, prefix="in-")  # noqa: SIM115 - closed on exit
        for piece in pieces:
            self._hash.update(piece)
            self._file.write(piece)
