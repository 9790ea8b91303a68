"""Resumable uploads: what arrived is on the disk before the answer says so.

    FOLDER/<agency's digest>/<sha256>.part      the bytes; locked while somebody appends
    FOLDER/<agency's digest>/<sha256>.json      how many of them are durable, and of how many

The journal is written after the bytes were forced to the disk, and an upload goes on from the
journal's offset: whatever lies behind it in the file is cut off first. So a crash of the
process or of the machine at any moment costs at most the bytes since the last checkpoint, and
never leaves a wrong one. An agency's uploads are its own: it has to bring every byte, also of
a blob that another agency holds.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dossier.blobs import sync_folder, translated
from dossier.database import Database
from dossier.errors import BlobDamaged, InvalidOrder, QuotaExceeded, StateConflict
from dossier.holdings import Holdings, require_media_type
from dossier.model import Caller, Role
from dossier.store import BlobStore, require_digest

_CHECKPOINT_BYTES = 8 << 20
_ABANDONED_S = 24 * 3600.0
_SWEEP_S = 3600.0
_MAX_OPEN = 100  # unfinished uploads of one agency
_UPLOADERS = (Role.SCANNER, Role.OFFICER, Role.LEADER, Role.CLERK)


@dataclass(frozen=True, slots=True)
class UploadStatus:
    """How far an upload is: `offset` bytes of `total` are durable.

    `total` is None when nothing arrived yet. `complete`: the agency holds the blob.
    """

    offset: int
    total: int | None
    complete: bool


class Uploads:
    """Uploads in `folder`, which several web processes may share. Safe for threads.

    Machines that do not share the folder do not see each other's unfinished uploads; then a
    client that meets another machine begins again, and loses nothing but time.
    """

    def __init__(
        self,
        folder: Path,
        blobs: BlobStore,
        database: Database,
        holdings: Holdings,
        *,
        max_bytes: int = 200 << 20,
    ) -> None:
        """Make `folder` if it is new, and remove uploads that rested for a day."""
        self._folder = folder
        self._blobs = blobs
        self._database = database
        self._holdings = holdings
        self._max_bytes = max_bytes
        with translated(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep()

    def status(self, caller: Caller, sha256: str) -> UploadStatus:
        """Where the caller's agency may go on. Raises `InvalidOrder` for what is no digest."""
        require_digest(sha256)
        with self._database.read() as connection:
            held = self._holdings.find(connection, caller.agency_id, sha256)
        if held is not None:
            return UploadStatus(held.size_bytes, held.size_bytes, complete=True)
        with translated(self._folder):
            journal = _Journal.read(self._place(caller.agency_id, sha256))
        return UploadStatus(journal.offset, journal.total, complete=False)

    def append(
        self,
        caller: Caller,
        sha256: str,
        *,
        offset: int,
        total: int,
        chunks: Iterable[bytes],
        media_type: str,
    ) -> UploadStatus:
        """Store `chunks` from `offset` on, of a blob of `total` bytes.

        With its last byte the blob is checked, stored, and the agency's. `offset` 0 begins
        anew. When `chunks` raises (the client is gone), what arrived is kept and the error
        goes on. A blob that the agency holds already is complete at once, and `chunks` is not
        read.

        Raises `StateConflict` when `offset` is not that of `status`, or another request is
        appending; `BlobDamaged` when the bytes are not those of `sha256`, and forgets them;
        `InvalidOrder` for more bytes than `total`, for a malformed digest or media type;
        `QuotaExceeded`; `AccessRefused`; `StoreError`.
        """
        caller.require(*_UPLOADERS)
        require_digest(sha256)
        media_type = require_media_type(media_type)
        self._require_sizes(offset, total)
        done = self.status(caller, sha256)
        if done.complete:
            if done.total != total:
                raise InvalidOrder(
                    f"Tệp {sha256} có {done.total} byte, không phải {total}; hãy xem lại. / That "
                    f"blob has {done.total} bytes, not {total}; compute its digest again.",
                    field="total",
                )
            return done
        self.sweep()
        with translated(self._folder), self._locked(caller.agency_id, sha256, offset) as place:
            self._require_room(caller.agency_id, place, total)
            journal = _resumed(place, offset, total)
            try:
                journal = _receive(place, journal, chunks)
            except InvalidOrder:
                place.forget()
                raise
            if journal.offset < total:
                return UploadStatus(journal.offset, total, complete=False)
            self._finish(caller, sha256, media_type, place)
            place.forget()
        return UploadStatus(total, total, complete=True)

    def sweep(self) -> int:
        """Remove uploads that rested for a day; at most once an hour. Returns how many went."""
        stamp = self._folder / "swept"
        with translated(self._folder):
            if stamp.exists() and time.time() - stamp.stat().st_mtime < _SWEEP_S:
                return 0
            stamp.touch()
            return sum(_remove_abandoned(part) for part in self._folder.glob("*/*.part"))

    def _require_sizes(self, offset: int, total: int) -> None:
        if not 0 <= offset <= total:
            raise InvalidOrder(
                "Vị trí bắt đầu nằm ngoài tệp. / The offset lies outside the blob; ask for the "
                "status and go on from there.",
                field="offset",
            )
        if total > self._max_bytes:
            raise InvalidOrder(
                f"Tệp lớn hơn {self._max_bytes} byte; hãy chia nhỏ hồ sơ. / The blob is larger "
                f"than {self._max_bytes} bytes; divide the dossier.",
                field="total",
            )

    def _require_room(self, agency_id: str, place: _Place, total: int) -> None:
        """Raise `QuotaExceeded` unless this upload and the unfinished ones have room."""
        others = [part for part in place.part.parent.glob("*.part") if part != place.part]
        if len(others) >= _MAX_OPEN:
            raise QuotaExceeded(
                f"Cơ quan đang có {len(others)} tệp tải lên dở; hãy tải xong rồi gửi tiếp. / "
                f"{len(others)} uploads of this agency are unfinished; finish them first."
            )
        waiting = 0
        for part in others:
            with suppress(FileNotFoundError):  # finished meanwhile
                waiting += part.stat().st_size
        self._holdings.require_room(agency_id, waiting + total)

    def _finish(self, caller: Caller, sha256: str, media_type: str, place: _Place) -> None:
        try:
            info = self._blobs.put(place.part, sha256=sha256)
        except BlobDamaged:
            place.forget()
            raise
        self._database.together(
            lambda connection: self._holdings.register(
                connection, caller.agency_id, info, media_type
            )
        )

    def _place(self, agency_id: str, sha256: str) -> _Place:
        return _Place(self._folder / hashlib.sha256(agency_id.encode()).hexdigest()[:32], sha256)

    @contextmanager
    def _locked(self, agency_id: str, sha256: str, offset: int) -> Iterator[_Place]:
        """The place of this upload, held by this request alone.

        Who begins while another request is at it gets a place of its own, which does not
        outlive the request: a client that is cut off need not wait until its old connection is
        given up, and of several that bring the same blob all succeed.
        """
        place = self._place(agency_id, sha256)
        if not place.part.parent.is_dir():
            place.part.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)
        handle = place.lock()
        private = handle is None and offset == 0
        if private:
            place = _Place(place.part.parent, f"{sha256}.{secrets.token_hex(8)}")
            handle = place.lock()
        if handle is None:
            raise StateConflict(
                "Tệp này đang được tải lên từ một kết nối khác; hãy đợi rồi hỏi lại vị trí. / "
                "Another request is uploading this blob; wait, ask for the status, and go on "
                "from there."
            )
        try:
            yield place
        finally:
            if private:
                place.forget()
            os.close(handle)


class _Place:
    """The two files of one unfinished upload."""

    def __init__(self, folder: Path, name: str) -> None:
        self.part = folder / f"{name}.part"
        self.journal = folder / f"{name}.json"

    def lock(self) -> int | None:
        """A handle that holds the lock until it is closed; None when somebody else does."""
        while True:
            handle = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _same_file(handle, self.part):
                    return handle
            except BlockingIOError:
                os.close(handle)
                return None
            except BaseException:
                os.close(handle)
                raise
            os.close(handle)  # its last owner removed the file between the two lines; again

    def forget(self) -> None:
        """Remove both files. The lock is held; the bytes go last, since they carry the lock."""
        self.journal.unlink(missing_ok=True)
        self.journal.with_suffix(".new").unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class _Journal:
    """What is durable: `offset` bytes of `total`. Nothing yet: 0 of None."""

    offset: int
    total: int | None

    @classmethod
    def read(cls, place: _Place) -> _Journal:
        try:
            entry = json.loads(place.journal.read_bytes())
        except FileNotFoundError:
            return cls(0, None)
        return cls(entry["offset"], entry["total"])

    def write(self, place: _Place) -> None:
        """Put this on the disk in place of the last one. The bytes must be there already."""
        new = place.journal.with_suffix(".new")
        with new.open("wb") as stream:
            stream.write(json.dumps({"offset": self.offset, "total": self.total}).encode())
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(place.journal)
        sync_folder(place.journal.parent)


def _resumed(place: _Place, offset: int, total: int) -> _Journal:
    """The journal to go on from; an upload that begins has a new one."""
    journal = _Journal.read(place)
    if offset == 0:
        if journal.offset:  # said before the bytes that it vouches for are cut off
            _Journal(0, total).write(place)
        return _Journal(0, total)
    if (offset, total) != (journal.offset, journal.total):
        raise StateConflict(
            f"Đã nhận {journal.offset} byte; hãy gửi tiếp từ đó, hoặc gửi lại từ đầu. / "
            f"{journal.offset} bytes of {journal.total} are here; go on from there, or begin "
            "again at 0."
        )
    return journal


def _receive(place: _Place, journal: _Journal, chunks: Iterable[bytes]) -> _Journal:
    """Append `chunks` behind the journal's offset; returns the journal afterwards."""
    total = journal.total or 0
    offset = journal.offset
    handle = os.open(place.part, os.O_RDWR | os.O_CLOEXEC)
    try:
        os.ftruncate(handle, offset)
        try:
            for chunk in chunks:
                if offset + len(chunk) > total:
                    raise InvalidOrder(
                        f"Nhiều dữ liệu hơn {total} byte đã báo; hãy tải lại từ đầu. / More bytes "
                        f"came than the announced {total}; begin again.",
                        field="total",
                    )
                _write_all(handle, offset, chunk, keep=journal.offset)
                offset += len(chunk)
                if offset - journal.offset >= _CHECKPOINT_BYTES:
                    journal = _checkpoint(handle, place, offset, total)
        finally:  # also for a client that is gone
            journal = _checkpoint(handle, place, offset, total)
    finally:
        os.close(handle)
    return journal


def _write_all(handle: int, offset: int, chunk: bytes, *, keep: int) -> None:
    """Write `chunk` at `offset`; a full disk gets back what came after the byte `keep`."""
    view = memoryview(chunk)
    try:
        while view:
            written = os.pwrite(handle, view, offset)
            view, offset = view[written:], offset + written
    except OSError:
        os.ftruncate(handle, keep)
        raise


def _checkpoint(handle: int, place: _Place, offset: int, total: int) -> _Journal:
    os.fsync(handle)
    journal = _Journal(offset, total)
    journal.write(place)
    return journal


def _same_file(handle: int, path: Path) -> bool:
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(handle)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)


def _remove_abandoned(part: Path) -> int:
    """Remove an upload that rested for a day and that nobody holds; whether it went."""
    with suppress(FileNotFoundError):
        if time.time() - part.stat().st_mtime > _ABANDONED_S:
            place = _Place(part.parent, part.name.removesuffix(".part"))
            handle = place.lock()
            if handle is not None:
                place.forget()
                os.close(handle)
                return 1
    return 0
