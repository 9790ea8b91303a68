"""Scans of this machine into a stack at the service; whatever breaks, the same command goes on.

    put_files(client, files, order, tell=…)           # files from the disk
    with FolderStack(client, folder, order) as stack: # a scanner's folder, page by page
        stack.page(scanned)                           # uploaded beside the scanning
    stack.complete(close=True)

What is put from the disk is known again by its names and digests: the same files under the same
order are the same stack. A scanner's folder keeps in `.sohoa-stack.json` which stack it fills.
"""

from __future__ import annotations

import hashlib
import json
import queue
import secrets
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from api.client_stacks import Side, content_key
from api.errors import APIError, InputUnusable
from dossier.errors import StateConflict
from dossier.inboxes.wholeness import MEDIA_TYPES, kind_of
from dossier.scanners.folder import FolderLog, ScannedPage, only_writer
from ocr.wholefile import whole_file

if TYPE_CHECKING:
    from api.client import Client
    from api.client_values import Resource

STATE_FILE = ".sohoa-stack.json"
_FORM = 1
Order = Mapping[str, Any]
Told = Callable[[str, int, int], None]
"""Told of a file that is in the stack: its name, how many are, and of how many."""


def _nothing(name: str, done: int, of: int) -> None:
    del name, done, of


def put_files(
    client: Client,
    files: Sequence[Path],
    order: Order,
    *,
    duplex: bool = False,
    again: bool = False,
    close: bool = True,
    tell: Told = _nothing,
) -> Resource:
    """Put files into a stack of their own, in their order; the stack.

    Nothing is sent before every file was looked at. Run again after a break it goes on; `again`
    makes another stack of the same files. Raises `InputUnusable`, `ClientError`.
    """
    if not files:
        raise InputUnusable("Không có tệp nào để đưa vào. / There is no file to put; name some.")
    known = [(path, *_looked_at(path)) for path in files]
    key = content_key(order, [(path.name, sha256) for path, _, sha256 in known])
    stack = client.stacks.open(**order, idempotency_key=secrets.token_hex(16) if again else key)
    for n, (path, media_type, _) in enumerate(known):
        blob = client.upload(path, media_type=media_type)
        client.stacks.add(stack, blob, path.name, n, side=_side(media_type, n, duplex=duplex))
        tell(path.name, n + 1, len(known))
    return client.stacks.close(stack) if close else client.stacks.get(stack.id)


def _looked_at(path: Path) -> tuple[str, str]:
    """Media type and SHA-256 of a file. Raises `InputUnusable`."""
    try:
        with path.open("rb") as stream:
            kind = kind_of(stream.fileno())
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputUnusable(f"{path}: {error.strerror or error}") from error
    if kind is None:
        raise InputUnusable(
            f"{path}: không phải JPEG, PNG, TIFF hay PDF; hãy bỏ ra hoặc lưu lại. / It is no JPEG, "
            "PNG, TIFF or PDF; leave it out, or save it as one."
        )
    return MEDIA_TYPES[kind], sha256


def _side(media_type: str, position: int, *, duplex: bool) -> Side:
    if not duplex:
        return "single"
    is_page = media_type in (MEDIA_TYPES["jpeg"], MEDIA_TYPES["png"])
    return "back" if is_page and position % 2 else "front"


class FolderStack:
    """The stack that a scanner's folder fills. Pages are uploaded by a thread of its own.

    A service that does not answer is in nobody's way: the pages are on the disk, `complete` or
    the same command later brings them.
    """

    def __init__(
        self, client: Client, folder: Path, order: Order, *, tell: Told = _nothing
    ) -> None:
        """`order` counts the first time; then the folder knows. Raises `InputUnusable`,
        `ClientError`."""
        self._client = client
        self._folder = folder
        self._tell = tell
        self._state = _state_of(folder) or _begun(folder, order)
        if self._state["closed"]:
            raise StateConflict(
                f"Các trang trong {folder} đã thành tập giấy {self._state['stack']}; hãy quét vào "
                "thư mục khác. / The pages of this folder are a stack already; scan into another "
                "folder."
            )
        self.stack = client.stacks.open(**self._state["order"], idempotency_key=self._state["key"])
        self._note(stack=self.stack.id)
        self._done: set[int] = set()
        self._pages: queue.Queue[ScannedPage | None] = queue.Queue()
        self._thread = threading.Thread(target=self._work, name="stack")
        self._failure: APIError | None = None

    def page(self, page: ScannedPage) -> None:
        """Let a page that is on the disk be uploaded; returns at once."""
        self._pages.put(page)

    def complete(self, *, close: bool) -> Resource:
        """Bring what is missing, and close the stack where no more paper comes; the stack.

        Raises `ClientError`; the same command goes on.
        """
        with only_writer(self._folder):
            pages = [ScannedPage(**entry) for entry in FolderLog(self._folder).pages]
        for page in sorted(pages, key=lambda page: page.number):
            if page.number not in self._done:
                self._add(page)
        if not close:
            return self._client.stacks.get(self.stack.id)
        self.stack = self._client.stacks.close(self.stack)
        self._note(closed=True)
        return self.stack

    def _add(self, page: ScannedPage) -> None:
        path = self._folder / page.file
        media_type, _ = _looked_at(path)
        blob = self._client.upload(path, media_type=media_type)
        side: Side = (
            "front" if page.side == "front" else "back" if page.side == "back" else "single"
        )
        self._client.stacks.add(self.stack, blob, page.file, page.number - 1, side=side)
        self._done.add(page.number)
        self._tell(page.file, len(self._done), page.number)

    def _work(self) -> None:
        while (page := self._pages.get()) is not None:
            if self._failure is None:
                try:
                    self._add(page)
                except APIError as error:
                    self._failure = error  # `complete` tries once more, and tells

    def _note(self, **entries: object) -> None:
        self._state.update(entries)
        with whole_file(self._folder / STATE_FILE) as stream:
            stream.write(json.dumps(self._state, ensure_ascii=False, indent=1).encode())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pages.put(None)
        self._thread.join()


def fills_stack(folder: Path) -> bool:
    """Whether a folder is one that `FolderStack` fills, or filled, a stack from."""
    return folder.is_dir() and _state_of(folder) is not None


def _begun(folder: Path, order: Order) -> dict[str, Any]:
    """A new state, on the disk before the stack is opened."""
    state = {
        "form": _FORM,
        "order": dict(order),
        "key": secrets.token_hex(16),
        "stack": None,
        "closed": False,
    }
    with only_writer(folder), whole_file(folder / STATE_FILE) as stream:
        stream.write(json.dumps(state, ensure_ascii=False, indent=1).encode())
    return state


def _state_of(folder: Path) -> dict[str, Any] | None:
    path = folder / STATE_FILE
    try:
        state: dict[str, Any] = json.loads(path.read_bytes())
        if state["form"] != _FORM or not isinstance(state["key"], str):
            raise ValueError(path)  # noqa: TRY301 - the same advice
        dict(state["order"])
        bool(state["closed"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputUnusable(
            f"{path} hỏng; các trang vẫn còn: hãy dùng `sohoa stack put` với các tệp ảnh. / It is "
            "damaged; the pages are still there: put the image files with `sohoa stack put`."
        ) from error
    return state
