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
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dossier.errors import BlobDamaged, InvalidOrder, QuotaExceeded, StateConflict, StoreError
from dossier.model import Caller, Role
from dossier.storage.blobs import sync_folder, translated
from dossier.storage.database import Database
from dossier.storage.holdings import Holdings, require_media_type
from dossier.storage.store import BlobStore, require_digest

_CHECKPOINT_BYTES = 8 << 20
_ABANDONED_S = 24 * 3600.0
_SWEEP_S = 3600.0
_MAX_OPEN = 100  # unfinished uploads of one agency
_TURN_S = 10.0  # how long a request waits for another one's part to be written
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

        With its last byte the blob is checked, stored, and the agency's. Bytes that are here
        already may come again: the same ones are skipped, others take their place. When
        `chunks` raises (the client is gone), what arrived is kept and the error goes on. A blob
        that the agency holds already is complete at once, and `chunks` is not read.

        Returns the end of these `chunks`; another request may have brought more. Raises
        `StateConflict` when `offset` lies behind what is here (see `status`), or another request
        keeps the upload to itself; `BlobDamaged` when the bytes are not those of `sha256`, and
        forgets them; `InvalidOrder` for more bytes than `total`, for a malformed digest or media
        type; `QuotaExceeded`; `AccessRefused`; `StoreError`.
        """
        caller.require(*_UPLOADERS)
        require_digest(sha256)
        media_type = require_media_type(media_type)
        self._require_sizes(offset, total)
        self.sweep()
        done = self._held(caller, sha256, total)
        if done is not None:
            return done
        with translated(self._folder), self._locked(caller.agency_id, sha256) as place:
            done = self._held(caller, sha256, total)  # the one before us may have finished it
            if done is not None:
                place.forget()
                return done
            try:
                self._require_room(caller.agency_id, place, total)
                with _Partial.resumed(place, offset, total) as partial:
                    end = partial.receive(offset, chunks)
                    if partial.known < total:
                        return UploadStatus(end, total, complete=False)
                    self._finish(caller, sha256, media_type, partial)
            except BaseException:
                if not place.journal.exists():  # nothing to go on from: it was refused
                    place.forget()
                raise
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

    def _held(self, caller: Caller, sha256: str, total: int) -> UploadStatus | None:
        """The finished upload, if the agency holds the blob."""
        done = self.status(caller, sha256)
        if done.complete and done.total != total:
            raise InvalidOrder(
                f"Tệp {sha256} có {done.total} byte, không phải {total}; hãy xem lại. / That blob "
                f"has {done.total} bytes, not {total}; compute its digest again.",
                field="total",
            )
        return done if done.complete else None

    def _finish(self, caller: Caller, sha256: str, media_type: str, partial: _Partial) -> None:
        try:
            info = self._blobs.put(partial.place.part, sha256=sha256)
            self._database.together(
                lambda connection: self._holdings.register(
                    connection, caller.agency_id, info, media_type
                )
            )
        except BlobDamaged:
            partial.place.forget()
            raise
        except StoreError:
            partial.checkpoint()  # nothing has to be sent again
            raise

    def _place(self, agency_id: str, sha256: str) -> _Place:
        return _Place(self._folder / hashlib.sha256(agency_id.encode()).hexdigest()[:32], sha256)

    @contextmanager
    def _locked(self, agency_id: str, sha256: str) -> Iterator[_Place]:
        """The place of this upload, held by this request alone."""
        place = self._place(agency_id, sha256)
        if not place.part.parent.is_dir():
            place.part.parent.mkdir(mode=0o700, exist_ok=True)
            sync_folder(self._folder)
        until = time.monotonic() + _TURN_S
        while (handle := place.lock()) is None:
            if time.monotonic() > until:
                raise StateConflict(
                    "Tệp này đang được tải lên từ một kết nối khác; hãy đợi rồi hỏi lại vị trí. / "
                    "Another request is uploading this blob; wait, ask for the status, and go on "
                    "from there."
                )
            time.sleep(0.02)
        try:
            yield place
        finally:
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


class _Partial:
    """An unfinished blob, open and locked. `known`: how many of its bytes are in the file."""

    def __init__(self, place: _Place, journal: _Journal, total: int) -> None:
        self.place = place
        self.known = journal.offset
        self._journal = journal
        self._total = total
        self._handle = os.open(place.part, os.O_RDWR | os.O_CLOEXEC)

    @classmethod
    @contextmanager
    def resumed(cls, place: _Place, offset: int, total: int) -> Iterator[_Partial]:
        """Go on where the journal stands, or begin. Raises `StateConflict` for a gap."""
        journal = _Journal.read(place)
        if offset == 0 and journal.total not in (None, total):
            journal = _Journal(0, total)
            journal.write(place)
        if offset > journal.offset or journal.total not in (None, total):
            raise StateConflict(
                f"Đã nhận {journal.offset} byte; hãy gửi tiếp từ đó, hoặc gửi lại từ đầu. / "
                f"{journal.offset} bytes of {journal.total} are here; go on from there, or begin "
                "again at 0."
            )
        partial = cls(place, journal, total)
        try:
            os.ftruncate(partial._handle, journal.offset)
            yield partial
        finally:
            os.close(partial._handle)

    def receive(self, offset: int, chunks: Iterable[bytes]) -> int:
        """Take `chunks` at `offset`; where they end. Durable then, unless the blob is whole."""
        try:
            for chunk in chunks:
                self._take(offset, chunk)
                offset += len(chunk)
                if self.known - self._journal.offset >= _CHECKPOINT_BYTES:
                    self.checkpoint()
        except BaseException:  # the client is gone: what it sent is worth keeping
            self.checkpoint()
            raise
        if self.known < self._total:
            self.checkpoint()
        return offset

    def checkpoint(self) -> None:
        """Force what is known to the disk, then say so in the journal."""
        if self.known != self._journal.offset:
            os.fsync(self._handle)
            self._journal = _Journal(self.known, self._total)
            self._journal.write(self.place)

    def _take(self, offset: int, chunk: bytes) -> None:
        if offset + len(chunk) > self._total:
            raise InvalidOrder(
                f"Nhiều dữ liệu hơn {self._total} byte đã báo; hãy xem lại. / More bytes came than "
                f"the announced {self._total}; check the length.",
                field="total",
            )
        again = min(self.known - offset, len(chunk))
        if os.pread(self._handle, again, offset) == chunk[:again]:
            offset, chunk = offset + again, chunk[again:]
        else:  # one of the two was wrong; the newer one stands, and the digest will tell
            self._journal = _Journal(offset, self._total)
            self._journal.write(self.place)  # before the bytes that it vouched for go
            os.ftruncate(self._handle, offset)
            self.known = offset
        view = memoryview(chunk)
        try:
            while view:
                written = os.pwrite(self._handle, view, offset)
                view, offset = view[written:], offset + written
        except OSError:  # a full disk gets back what no answer has vouched for
            self.known = self._journal.offset
            os.ftruncate(self._handle, self.known)
            raise
        self.known = max(self.known, offset)


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
