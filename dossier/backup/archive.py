"""The file of a backup: a tar whose last member lists all others with size and SHA-256.

    backup.json                         what this is: format, time, schema, columns of tables
    house/records.jsonl …               tables of the service
    keys/audit_entries.jsonl …          tables of the key agent
    key-policy.toml
    blobs/3f786850e387550f…
    manifest.json                       name, size and SHA-256 of every member; tips of the chains

Every octet of the file counts: headers have checksums, contents digests, and what fills up the
blocks is zero.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from dossier.errors import BackupError

FORMAT = "sohoa backup 1"
HEADER = "backup.json"
MANIFEST = "manifest.json"
_CHUNK = 1 << 20
_SMALL = 16 << 20  # bytes of a member that is read at once: header, manifest, policy


class Progress(Protocol):
    """Told of each step: its name, how many of them are done, how many there are."""

    def __call__(self, step: str, done: int, total: int) -> None:
        """Called in the thread that works; what it raises ends the work."""
        ...


class Readable(Protocol):
    """What a member is copied from."""

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; none at the end."""
        ...


def silent(step: str, done: int, total: int) -> None:
    """A `Progress` that says nothing."""
    del step, done, total


@dataclass(frozen=True, slots=True)
class Member:
    """One file of the archive."""

    name: str
    size: int
    sha256: str


class ArchiveWriter:
    """Writes a backup beside its final name, which appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        """Raises `BackupError` when there is a file already or none can be made."""
        self._path = path.absolute()
        self._part = self._path.with_name(self._path.name + ".part")
        self.members: list[Member] = []

    def __enter__(self) -> Self:
        if self._path.exists():
            raise BackupError(
                f"{self._path} đã có; hãy chọn tên khác. / The file exists; choose another name."
            )
        with _writing(self._path):
            descriptor = os.open(self._part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            self._stream = os.fdopen(descriptor, "wb")
            self._tar = tarfile.open(fileobj=self._stream, mode="w", format=tarfile.GNU_FORMAT)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._stream.close()
            self._part.unlink(missing_ok=True)
            return
        with _writing(self._path):
            self._tar.close()
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._part.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def add(self, name: str, source: Readable, size: int) -> Member:
        """Copy `size` bytes of `source`. Raises `BackupError`, and what `source` raises."""
        info = tarfile.TarInfo(name)
        info.size = size
        info.mode = 0o600
        reader = _Hashing(source)
        with _writing(self._path):
            self._tar.addfile(info, reader)
        member = Member(name, size, reader.digest())
        self.members.append(member)
        return member

    def add_json(self, name: str, value: dict[str, Any]) -> None:
        """Add a small member."""
        data = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode()
        self.add(name, io.BytesIO(data), len(data))

    def add_manifest(self, more: dict[str, Any]) -> None:
        """Close the list of members."""
        listed = [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in self.members]
        self.add_json(MANIFEST, {"format": FORMAT, "members": listed, **more})


class ArchiveReader:
    """Reads a backup; `check` proves all of it before anything is used."""

    def __init__(self, path: Path) -> None:
        """Raises `BackupError` for what cannot be opened."""
        try:
            self._stream = path.open("rb")
        except OSError as error:
            raise BackupError(
                f"Không mở được {path}: {error.strerror}. / The backup cannot be opened; check the "
                "path and its permissions."
            ) from error
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self.header: dict[str, Any] = {}
        self.manifest: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def check(self, progress: Progress = silent) -> None:
        """Read everything once. Raises `BackupError`, which names what is wrong."""
        found = self._index()
        if not found or MANIFEST not in self._places:
            raise _spoilt("thiếu manifest.json: tệp bị cắt cụt", "manifest.json is missing", "")
        self.manifest = self._json(MANIFEST)
        self.header = self._json(HEADER) if HEADER in self._places else {}
        listed = self.manifest.get("members")
        if self.manifest.get("format") != FORMAT or not isinstance(listed, list):
            raise _spoilt("không phải bản sao lưu đọc được", "not a backup of this format", "")
        names = [str(m.get("name")) if isinstance(m, dict) else "?" for m in listed]
        for name in names:
            if name not in self._places:
                raise _spoilt("thiếu thành phần", "a member is missing", name)
        if strange := set(found) - {*names, MANIFEST}:
            raise _spoilt("có thành phần lạ", "a member is not in the manifest", min(strange))
        for done, member in enumerate(listed):
            progress("check", done, len(listed))
            name = member["name"]
            digest = hashlib.sha256()
            size = 0
            for piece in self.read(name):
                digest.update(piece)
                size += len(piece)
            if digest.hexdigest() != member.get("sha256") or size != member.get("size"):
                raise _spoilt("thành phần bị hỏng", "a member is damaged", name)
        progress("check", len(listed), len(listed))

    def names(self, prefix: str) -> list[str]:
        """The members whose names begin with `prefix`, in their order."""
        return [name for name in self._places if name.startswith(prefix)]

    def read(self, name: str) -> Iterator[bytes]:
        """The bytes of a member in pieces."""
        offset, left = self._places[name]
        while left:
            self._stream.seek(offset)
            piece = self._stream.read(min(left, _CHUNK))
            if not piece:
                raise _spoilt("tệp bị cắt cụt", "the file is cut off", name)
            yield piece
            offset, left = offset + len(piece), left - len(piece)

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a member."""
        rest = b""
        for piece in self.read(name):
            *whole, rest = (rest + piece).split(b"\n")
            yield from whole
        if rest:
            yield rest

    def whole(self, name: str) -> bytes:
        """A small member at once."""
        if self._places[name][1] > _SMALL:
            raise _spoilt("thành phần quá lớn", "a member is too large", name)
        return b"".join(self.read(name))

    def _json(self, name: str) -> dict[str, Any]:
        try:
            value = json.loads(self.whole(name))
        except (ValueError, RecursionError) as error:
            raise _spoilt("thành phần bị hỏng", "a member is damaged", name) from error
        if not isinstance(value, dict):
            raise _spoilt("thành phần bị hỏng", "a member is damaged", name)
        return value

    def _index(self) -> list[str]:
        """Where each member lies; what is between them must be zero."""
        last = HEADER
        end = 0
        try:
            with tarfile.open(fileobj=self._stream, mode="r:", format=tarfile.GNU_FORMAT) as tar:
                for info in tar:
                    if not info.isreg() or info.name in self._places:
                        raise _spoilt(
                            "thành phần lạ hoặc trùng", "a strange or double member", info.name
                        )
                    self._places[info.name] = (info.offset_data, info.size)
                    last = info.name
                    end = info.offset_data + info.size
                    self._require_zeros(end, -end % tarfile.BLOCKSIZE, last)
                    end += -end % tarfile.BLOCKSIZE
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise _spoilt(
                "không phải tar, hoặc bị hỏng sau", "no tar, or damaged behind", last
            ) from error
        size = self._stream.seek(0, os.SEEK_END)
        if size - end < 2 * tarfile.BLOCKSIZE or size % tarfile.RECORDSIZE:
            raise _spoilt("tệp bị cắt cụt sau", "the file is cut off behind", last)
        self._require_zeros(end, size - end, last)
        return list(self._places)

    def _require_zeros(self, offset: int, count: int, behind: str) -> None:
        here = self._stream.tell()
        self._stream.seek(offset)
        if self._stream.read(count).strip(b"\0"):
            raise _spoilt("có byte lạ sau", "strange bytes behind", behind)
        self._stream.seek(here)


class PieceStream(io.RawIOBase):
    """A stream over pieces of bytes, whatever their sizes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes (negative: all that is left)."""
        while size < 0 or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        size = len(self._rest) if size < 0 else size
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


class _Hashing(io.RawIOBase):
    """A stream that hashes what is read from it."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """From the source, hashed."""
        data = self._source.read(size)
        self._digest.update(data)
        return data

    def digest(self) -> str:
        """Of everything that was read."""
        return self._digest.hexdigest()


def _spoilt(vi: str, en: str, name: str) -> BackupError:
    return BackupError(
        f"Bản sao lưu không dùng được: {vi} {name}. Không có gì được khôi phục; hãy dùng bản khác. "
        f"/ The backup cannot be used: {en} {name}. Nothing was restored; use another one."
    )


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackupError(
            f"Không ghi được {path}: {error.strerror}. / The backup cannot be written; check the "
            "disk's space and the permissions."
        ) from error
