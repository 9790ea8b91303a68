"""A signed document's pages as pictures, with what was changed after signing marked on them.

    picture_pages(data, saves=(4,))     # in a checker: the pages as of now, and before save 4
    PagePictures.read(answer)           # in the process that asked

What a save changed is found by PDFium alone: the file as it stood before the first forbidden save
and after the last one, page beside page, pixel by pixel. So the marks show what a reader sees,
whatever the objects of the file say. Pages that were put in or taken out are found by comparing
the sequences of pages first.

It runs where documents are verified (`dossier.verifying.checkers`): a process without keys, under
bounds. What is asked of it is bounded besides: pixels a page, pictures, marks, and time.
"""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from typing import Literal

import numpy as np
import pypdfium2
from numpy.typing import NDArray

from signer.verification.pdf_objects import PDFSyntaxError
from signer.verification.structure import Document

MOST_PICTURES = 12
"""Pages that are shown; those that were changed come first."""
MOST_MARKS = 40  # on one page; more become one mark around all of them
_WIDTH_PX, _HEIGHT_PX = 1000, 1600  # of a picture
_COARSE_PX = 700  # the longer side while looking for changes: a digit is nine pixels high
_COMPARE_S = 5.0  # so long for looking; what was not reached is said
_TILE_PX = 8
_SEEN = 24  # of 255: what the eye tells apart; anti-aliasing differs by less
_TEXT = 200  # characters quoted of a mark
_HEADER = struct.Struct(">I")
_QUALITY = 72

Kind = Literal["changed", "added", "removed", "same"]
Picture = NDArray[np.uint8]
_Pair = tuple[Kind, int | None, int | None]  # and 0-based: the page as signed, as it is now


@dataclass(frozen=True, slots=True)
class Mark:
    """A changed area: fractions of the page's width and height from the top left corner.

    `before` and `now` are the lines of text through it, so far as the file says them; both are
    empty when they are the same.
    """

    x: float
    y: float
    width: float
    height: float
    before: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True)
class ShownPage:
    """One page. `number` is 1-based in the file as it is now, `was` in the signed state.

    `now` and `before` are WebP pictures; `before` is there for pages that were changed.
    """

    kind: Kind
    number: int | None
    was: int | None
    width_px: int
    height_px: int
    marks: tuple[Mark, ...] = ()
    now: bytes = b""
    before: bytes = b""


@dataclass(frozen=True, slots=True)
class PagePictures:
    """`total` pages of the file as it is now; `compared` of them were looked at for changes."""

    total: int
    compared: int
    pages: tuple[ShownPage, ...] = field(default=())

    def pack(self) -> bytes:
        """As one message: the length of a JSON header, the header, the pictures."""
        rows, blobs = [], []
        for page in self.pages:
            row = asdict(page)
            row["now"], row["before"] = len(page.now), len(page.before)
            rows.append(row)
            blobs += [page.now, page.before]
        header = {"total": self.total, "compared": self.compared, "pages": rows}
        text = json.dumps(header, ensure_ascii=False).encode()
        return b"".join([_HEADER.pack(len(text)), text, *blobs])

    @classmethod
    def read(cls, message: bytes) -> PagePictures:
        """What `pack` wrote. Raises `ValueError` for anything else."""
        try:
            (length,) = _HEADER.unpack_from(message)
            at = _HEADER.size + length
            header = json.loads(message[_HEADER.size : at])
            pages = []
            for row in header["pages"]:
                now, before = int(row.pop("now")), int(row.pop("before"))
                marks = tuple(Mark(**mark) for mark in row.pop("marks"))
                pictures = message[at : at + now], message[at + now : at + now + before]
                at += now + before
                pages.append(ShownPage(**row, marks=marks, now=pictures[0], before=pictures[1]))
            return cls(header["total"], header["compared"], tuple(pages))
        except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError("these are no page pictures") from error


def picture_pages(
    data: bytes, saves: Sequence[int] = (), *, most: int = MOST_PICTURES
) -> PagePictures:
    """Draw at most `most` pages of `data`; `saves` are the 1-based revisions to be marked.

    A file that PDFium cannot open has no pages. Raises `MemoryError`.
    """
    states = _states(data, saves)
    try:
        with closing(_opened(data)) as current:
            if states is None:
                return _unmarked(current, most)
            with closing(_opened(states[0])) as before, closing(_opened(states[1])) as after:
                return _marked(current, before, after, most)
    except pypdfium2.PdfiumError:
        return PagePictures(0, 0)


def _states(data: bytes, saves: Sequence[int]) -> tuple[bytes, bytes] | None:
    """The file before the first of `saves` and after the last; None when nobody can say."""
    if not saves:
        return None
    try:
        revisions = Document(data).revisions
    except PDFSyntaxError:
        return None
    first, last = min(saves), max(saves)
    if first < 2 or last > len(revisions):
        return None
    return data[: revisions[first - 2].end], data[: revisions[last - 1].end]


def _opened(data: bytes) -> pypdfium2.PdfDocument:
    document = pypdfium2.PdfDocument(data)
    document.init_forms()  # without it widgets are not drawn, and seals are widgets
    return document


def _unmarked(current: pypdfium2.PdfDocument, most: int) -> PagePictures:
    total = len(current)
    pages = [_shown(current, "same", n, n) for n in range(min(total, most))]
    return PagePictures(total, 0, tuple(pages))


def _marked(
    current: pypdfium2.PdfDocument,
    before: pypdfium2.PdfDocument,
    after: pypdfium2.PdfDocument,
    most: int,
) -> PagePictures:
    old = _prints(before, time.monotonic() + _COMPARE_S)
    new = _prints(after, time.monotonic() + _COMPARE_S)
    if len(old) < len(before) or len(new) < len(after):  # what was not reached proves nothing
        reached = min(len(old), len(new))
        old, new = old[:reached], new[:reached]
    pairs = list(_paired(old, new))
    changed = [pair for pair in pairs if pair[0] != "same"]
    same = [pair for pair in pairs if pair[0] == "same"]
    rest: list[_Pair] = [("same", n, n) for n in range(len(new), len(current))]
    chosen = [*changed, *same, *rest][:most]
    chosen.sort(key=lambda pair: pair[2] if pair[2] is not None else pair[1] or 0)
    pages = []
    for kind, was, now in chosen:
        if kind == "changed" and was is not None and now is not None:
            marks = _marks(before, was, after, now)
            pages.append(_shown(current, kind, now, was, marks, before))
        elif kind == "removed":
            pages.append(_shown(before, kind, None, was))
        else:
            pages.append(_shown(current, kind, now, was))
    return PagePictures(len(current), min(len(new), len(current)), tuple(pages))


def _paired(old: Sequence[bytes], new: Sequence[bytes]) -> Iterator[_Pair]:
    """(kind, page then, page now): which page became which, by how they look."""
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, a, a_end, b, b_end in matcher.get_opcodes():
        kind: Kind = "same" if tag == "equal" else "changed"
        for was, now in zip(range(a, a_end), range(b, b_end), strict=False):
            yield kind, was, now
        paired = min(a_end - a, b_end - b)
        for was in range(a + paired, a_end):
            yield "removed", was, None
        for now in range(b + paired, b_end):
            yield "added", None, now


def _prints(document: pypdfium2.PdfDocument, until: float) -> list[bytes]:
    """A digest of how each page looks, from the first on for as long as there is time."""
    found = []
    for index in range(len(document)):
        if time.monotonic() > until:
            break
        try:
            picture = _drawn(document, index, _COARSE_PX, _COARSE_PX)
        except pypdfium2.PdfiumError:
            found.append(b"?")
            continue
        found.append(hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest())
    return found


def _drawn(document: pypdfium2.PdfDocument, index: int, width_px: int, height_px: int) -> Picture:
    """The page in grey, as large as fits. Raises `pypdfium2.PdfiumError`."""
    with closing(document[index]) as page:
        return _grey(page.render(scale=_scale(page, width_px, height_px), grayscale=True))


def _grey(bitmap: pypdfium2.PdfBitmap) -> Picture:
    array: Picture = bitmap.to_numpy()
    return array[:, :, 0].copy() if array.ndim == 3 else array.copy()


def _scale(page: pypdfium2.PdfPage, width_px: int, height_px: int) -> float:
    width, height = page.get_size()
    return float(min(width_px / max(width, 1.0), height_px / max(height, 1.0), 4.0))


def _shown(
    document: pypdfium2.PdfDocument,
    kind: Kind,
    number: int | None,
    was: int | None,
    marks: tuple[Mark, ...] = (),
    before: pypdfium2.PdfDocument | None = None,
) -> ShownPage:
    """Draw the page `number` (0-based; else `was`) and, if told, what it was."""
    index = number if number is not None else was
    assert index is not None  # noqa: S101 - every pair has one
    now, width, height = _webp(document, index)
    earlier = _webp(before, was)[0] if before is not None and was is not None else b""
    return ShownPage(
        kind,
        None if number is None else number + 1,
        None if was is None else was + 1,
        width,
        height,
        marks,
        now if number is not None else b"",
        earlier if number is not None else now,
    )


def _webp(document: pypdfium2.PdfDocument, index: int) -> tuple[bytes, int, int]:
    """The page in colour as WebP with its size; nothing when PDFium cannot draw it."""
    try:
        with closing(document[index]) as page:
            image = page.render(scale=_scale(page, _WIDTH_PX, _HEIGHT_PX)).to_pil()
    except pypdfium2.PdfiumError:
        return b"", 0, 0
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "WEBP", quality=_QUALITY, method=2)
    return stream.getvalue(), image.width, image.height


def _marks(
    before: pypdfium2.PdfDocument, was: int, after: pypdfium2.PdfDocument, now: int
) -> tuple[Mark, ...]:
    """The areas of a page that look different, each with the words in it."""
    try:
        with closing(before[was]) as old_page, closing(after[now]) as new_page:
            old, new = _Face(old_page), _Face(new_page)
            if old.picture.shape != new.picture.shape:
                return (Mark(0, 0, 1, 1),)
            return tuple(_mark(old, new, box) for box in _areas(old.picture, new.picture))
    except pypdfium2.PdfiumError:
        return (Mark(0, 0, 1, 1),)


def _mark(old: _Face, new: _Face, box: tuple[int, int, int, int]) -> Mark:
    height, width = old.picture.shape
    left, top, right, bottom = box[0], box[1], min(box[2], width), min(box[3], height)
    before, now = old.words(top, bottom), new.words(top, bottom)
    if before == now:
        before = now = ""
    return Mark(
        round(left / width, 5),
        round(top / height, 5),
        round((right - left) / width, 5),
        round((bottom - top) / height, 5),
        before,
        now,
    )


class _Face:
    """A page drawn in grey at the size of the pictures, and its words by place."""

    def __init__(self, page: pypdfium2.PdfPage) -> None:
        """Raises `pypdfium2.PdfiumError`."""
        bitmap = page.render(scale=_scale(page, _WIDTH_PX, _HEIGHT_PX), grayscale=True)
        self.picture: Picture = _grey(bitmap)
        self._place = bitmap.get_posconv(page)
        self._text = page.get_textpage()

    def words(self, top: int, bottom: int) -> str:
        """What the file says stands between two heights (pixels), in one line."""
        width = self.picture.shape[1]
        (x, y), (x_end, y_end) = self._place.to_page(0, top), self._place.to_page(width, bottom)
        found: str = self._text.get_text_bounded(
            min(x, x_end), min(y, y_end), max(x, x_end), max(y, y_end)
        )
        return " ".join(found.split())[:_TEXT]


def _areas(old: Picture, new: Picture) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, right, bottom in pixels) around what differs, in reading order."""
    differs = np.abs(old.astype(np.int16) - new.astype(np.int16)) > _SEEN
    rows, columns = (-(-size // _TILE_PX) for size in differs.shape)
    padded = np.zeros((rows * _TILE_PX, columns * _TILE_PX), bool)
    padded[: differs.shape[0], : differs.shape[1]] = differs
    tiles: NDArray[np.bool_] = padded.reshape(rows, _TILE_PX, columns, _TILE_PX).max(axis=(1, 3))
    boxes = sorted(_joined(tiles), key=lambda box: (box[1], box[0]))
    if len(boxes) > MOST_MARKS:
        edges = np.array(boxes)
        low, high = edges[:, :2].min(axis=0), edges[:, 2:].max(axis=0)
        boxes = [(int(low[0]), int(low[1]), int(high[0]), int(high[1]))]
    return [
        (left * _TILE_PX, top * _TILE_PX, right * _TILE_PX, bottom * _TILE_PX)
        for left, top, right, bottom in boxes
    ]


def _joined(tiles: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """Boxes around tiles that touch, or have no more than two others between them."""
    left = {(int(row), int(column)) for row, column in np.argwhere(tiles)}
    while left:
        reached = [left.pop()]
        group = []
        while reached:
            row, column = reached.pop()
            group.append((row, column))
            for y in range(row - 1, row + 2):  # lines of text stay apart, words come together
                for x in range(column - 3, column + 4):
                    if (y, x) in left:
                        left.remove((y, x))
                        reached.append((y, x))
        ys, xs = [y for y, _ in group], [x for _, x in group]
        yield min(xs), min(ys), max(xs) + 1, max(ys) + 1
