"""The folder that scans are dropped into: what is settled, what is claimed, where it goes.

    ROOT/Hồ sơ 12/…           a drop: one subfolder, or one file; one stack
    ROOT/.taking/NAME~ID/…    claimed by a rename, which one of several watchers wins
    ROOT/done/NAME~ID/…       taken, with MANIFEST.csv; nothing of ours is deleted
    ROOT/refused/NAME~ID/…    what cannot be taken, each with a text that says why

Nothing is followed: links and devices are refused by a rename of the name itself. A drop is
settled when names, sizes and times of its files have not changed for `settle_s` of this machine's
own clock (a file server's may differ), or between two looks once it holds a file XONG or DONE.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dossier.errors import StoreError
from dossier.inboxes.wholeness import Kind, is_whole, kind_of
from dossier.model import new_id
from dossier.storage.blobs import sync_folder
from ocr.intake.limits import ORDINARY
from ocr.wholefile import whole_file

TAKING, DONE, REFUSED = ".taking", "done", "refused"
_OURS = frozenset({TAKING, DONE, REFUSED})
_MARKERS = frozenset({"xong", "done", "xong.txt", "done.txt"})
_UNFINISHED = (".part", ".partial", ".filepart", ".crdownload", ".tmp")
_REASON = ".ly-do.txt"
_NAME_BYTES = 180  # of a drop's own name within the one that it gets; 255 is what disks take
_TOKEN = re.compile(r"drp_[0-9a-z]{26}")
_NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})

Mark = tuple[str, int, int, int]
"""Name, size, time of the last change, number: what a file is known by without reading it."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A file of a drop. `why` is empty for a scan that can be taken; else Vietnamese, English."""

    name: str
    mark: Mark
    kind: Kind | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """A claimed drop. `token` names it for ever, `name` is what people called it."""

    token: str
    name: str
    folder: Path


class DropFolder:
    """One watched folder. Not for several threads; several processes may watch it."""

    def __init__(
        self,
        root: Path,
        *,
        settle_s: float,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`patience_s`: how long what looks like the beginning of a file may stay so."""
        self._root = root
        self._settle_s = settle_s
        self._patience_s = patience_s
        self._clock = clock
        self._seen: dict[str, tuple[tuple[Mark, ...], float]] = {}

    @contextmanager
    def watched(self) -> Iterator[bool]:
        """Hold the folder for one look; False while another watcher does.

        Where a file server has no locks everybody goes on: claims are renames all the same.
        Raises `StoreError` when the folder, or one of ours in it, cannot be used.
        """
        with _translated(self._root):
            handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
                except OSError as error:
                    if error.errno not in _NO_LOCKS:
                        raise
                for name in (TAKING, DONE, REFUSED):
                    self._own(name)
                yield True
            finally:
                os.close(handle)

    # --- what is there --------------------------------------------------------------------

    def settled(self) -> list[str]:
        """The names of drops that can be claimed now, in natural order."""
        now = self._clock()
        present: dict[str, tuple[tuple[Mark, ...], float]] = {}
        ready = []
        with _translated(self._root):
            for path in self._root.iterdir():
                name = path.name
                if name in _OURS or name.startswith("."):
                    continue
                marks = _marks(path)
                if marks is None:
                    continue  # it went away meanwhile
                before, since = self._seen.get(name, ((), now))
                if before != marks:
                    present[name] = marks, now
                    continue
                present[name] = marks, since
                if marks and self._is_ready(name, marks, now - since):
                    ready.append(name)
        self._seen = present
        return sorted(ready, key=natural)

    def _is_ready(self, name: str, marks: Sequence[Mark], calm_s: float) -> bool:
        path = self._root / name
        is_folder = path.is_dir() and not path.is_symlink()
        if is_folder and any(is_marker(mark[0]) for mark in marks):
            return len(marks) > 1
        if calm_s < self._settle_s:
            return False
        if calm_s >= self._patience_s:
            return True
        folder = path if is_folder else self._root
        return all(_is_finished(folder, mark[0]) for mark in marks)

    def claim(self, name: str) -> Drop | None:
        """Take a settled drop out of everybody's way. None: another watcher was first."""
        token = new_id("drp")
        target = self._root / TAKING / f"{_cut(name)}~{token}"
        source = self._root / name
        with _translated(self._root):
            try:
                if stat.S_ISDIR(source.lstat().st_mode):
                    source.rename(target)
                else:
                    target.mkdir()
                    source.rename(target / name)
            except FileNotFoundError:
                if target.is_dir():
                    target.rmdir()
                return None
            sync_folder(self._root / TAKING)
            sync_folder(self._root)
        self._seen.pop(name, None)
        return Drop(token, name, target)

    def claimed(self) -> list[Drop]:
        """What lies claimed: a watcher that was killed leaves it to the next one."""
        found = []
        with _translated(self._root):
            for path in (self._root / TAKING).iterdir():
                own, _, token = path.name.rpartition("~")
                if _TOKEN.fullmatch(token) and path.is_dir() and not path.is_symlink():
                    found.append(Drop(token, own, path))
        return sorted(found, key=lambda drop: drop.token)

    # --- where it goes --------------------------------------------------------------------

    def finish(self, drop: Drop) -> Path:
        """Move a drop to done/; where it is then. Nothing happens when that was done before."""
        return self._move(drop, DONE)

    def refuse_all(self, drop: Drop, reasons: Mapping[str, str]) -> Path:
        """Move a whole drop to refused/, with the reason beside each file."""
        with _translated(self._root):
            if drop.folder.is_dir():
                for name, why in reasons.items():
                    _write_reason(drop.folder / f"{_cut(name)}{_REASON}", why)
        return self._move(drop, REFUSED)

    def refuse(self, drop: Drop, name: str, why: str) -> None:
        """Move one file of a drop to refused/, and say why beside it."""
        with _translated(self._root):
            folder = self._root / REFUSED / drop.folder.name
            folder.mkdir(exist_ok=True)
            try:
                (drop.folder / name).rename(folder / name)
            except FileNotFoundError:
                if not os.path.lexists(folder / name):
                    return
            _write_reason(folder / f"{_cut(name)}{_REASON}", why)
            sync_folder(folder)

    def _move(self, drop: Drop, where: str) -> Path:
        target = self._root / where / drop.folder.name
        with _translated(self._root):
            try:
                drop.folder.rename(target)
            except FileNotFoundError:
                if not target.is_dir():
                    raise
            sync_folder(self._root / where)
            sync_folder(self._root / TAKING)
        return target

    def _own(self, name: str) -> None:
        path = self._root / name
        path.mkdir(exist_ok=True)
        if not stat.S_ISDIR(path.lstat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(path))


def offered(folder: Path) -> list[Offered]:
    """The files of a claimed drop in natural order; markers and hidden files are none of them."""

    def is_one(name: str) -> bool:
        return not (name.startswith(".") or is_marker(name) or name.endswith(_REASON))

    with _translated(folder):
        names = sorted((path.name for path in folder.iterdir()), key=natural)
        return [_offered(folder, name) for name in names if is_one(name)]


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key for sorting: page2 before page10, whatever the case."""
    parts = re.split(r"(\d+)", unicodedata.normalize("NFC", name).casefold())
    return [(int(p), "") if p.isdecimal() else (0, p) for p in parts], name


def is_marker(name: str) -> bool:
    """Whether a file says that its drop is complete."""
    return name.casefold() in _MARKERS


@contextmanager
def opened(folder: Path, name: str) -> Iterator[int]:
    """A regular file of a folder, open for reading; nothing is followed, nothing waited for.

    Raises `OSError`.
    """
    place = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        handle = os.open(name, flags, dir_fd=place)
    finally:
        os.close(place)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        yield handle
    finally:
        os.close(handle)


def mark_of(name: str, found: os.stat_result) -> Mark:
    """What the file is known by."""
    return name, found.st_size, found.st_mtime_ns, found.st_ino


def readable(name: str) -> str:
    """A file's name as text that a database takes, whatever bytes it is of."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _marks(path: Path) -> tuple[Mark, ...] | None:
    """The files of a drop without reading any; None when it is not there any more."""
    try:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            return (mark_of(path.name, found),)
        with os.scandir(path) as entries:
            marks = [mark_of(entry.name, entry.stat(follow_symlinks=False)) for entry in entries]
    except FileNotFoundError:
        return None
    except PermissionError:
        return ()
    return tuple(sorted(marks))


def _is_finished(folder: Path, name: str) -> bool:
    """Whether a file looks whole; what is no scan at all need not."""
    if name.casefold().endswith(_UNFINISHED):
        return False
    try:
        with opened(folder, name) as handle:
            kind = kind_of(handle)
            return os.fstat(handle).st_size > 0 and (kind is None or is_whole(handle, kind))
    except OSError:
        return True  # it is going to be refused


def _offered(folder: Path, name: str) -> Offered:
    found = (folder / name).lstat()
    mark = mark_of(name, found)
    if stat.S_ISLNK(found.st_mode) or not (
        stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    ):
        return Offered(name, mark, None, _NO_FILE)
    if stat.S_ISDIR(found.st_mode):
        return Offered(name, mark, None, _NESTED)
    if not found.st_size:
        return Offered(name, mark, None, _EMPTY)
    if found.st_size > ORDINARY.file_bytes:
        return Offered(name, mark, None, _TOO_LARGE)
    try:
        with opened(folder, name) as handle:
            kind = kind_of(handle)
            if kind is None:
                return Offered(name, mark, None, _FOREIGN)
            whole = is_whole(handle, kind)
    except OSError as error:
        reason = error.strerror or str(error)
        return Offered(name, mark, None, f"{_UNREADABLE} ({reason})")
    if not whole or name.casefold().endswith(_UNFINISHED):
        return Offered(name, mark, kind, _TORN)
    return Offered(name, mark, kind)


_NO_FILE = (
    "Đây là liên kết hoặc thiết bị, không phải tệp; hãy chép chính tệp quét vào. / This is a link "
    "or a device, not a file; copy the scan itself."
)
_NESTED = (
    "Thư mục con trong một lần thả; mỗi lần thả là một thư mục, hãy thả riêng. / A folder inside a "
    "drop; one drop is one folder, drop it by itself."
)
_EMPTY = "Tệp rỗng; hãy quét hoặc chép lại. / The file is empty; scan or copy it again."
_TOO_LARGE = (
    "Tệp quá lớn; hãy quét ở độ phân giải thấp hơn hoặc chia tệp. / The file is too large; scan at "
    "a lower resolution, or split it."
)
_FOREIGN = (
    "Không phải JPEG, PNG, TIFF hay PDF, dù tên là gì; hãy lưu bản quét ở một trong các dạng đó. / "
    "Not a JPEG, PNG, TIFF or PDF, whatever its name says; save the scan as one of these."
)
_UNREADABLE = (
    "Không đọc được tệp; hãy kiểm tra quyền rồi thả lại. / The file cannot be read; check its "
    "permissions and drop it again"
)
_TORN = (
    "Tệp chép dở, thiếu phần cuối; hãy chép lại cả tệp. / The copy was cut off: the end of the "
    "file is missing; copy the whole file again."
)


def _write_reason(path: Path, why: str) -> None:
    vietnamese, _, english = why.partition(" / ")
    with whole_file(path) as stream:
        stream.write(f"{vietnamese}\n{english}\n".encode("utf-8", "replace"))


def _cut(name: str) -> str:
    """The name, short enough that ours fits behind it."""
    return os.fsdecode(os.fsencode(name)[:_NAME_BYTES])


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Không dùng được thư mục nhận bản quét {folder} ({error.strerror}); kiểm tra quyền, "
            "kết nối và dung lượng, không mất gì. / The watched folder cannot be used; check "
            "permissions, connection and free space: nothing is lost."
        ) from error
