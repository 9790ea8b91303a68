"""A signed document's pages as pictures, with what was changed after signing marked on them.

    picture_pages(data, saves=(4,))     # in a checker: the pages as of now, and before save 4
    PagePictures.read(answer)           # in the process that asked

What a save changed is found by the second engine alone: the file as it stood before the first of
the saves and after the last one, page beside page, pixel by pixel. So the marks show what a reader
sees, whatever the objects of the file say. Pages that were put in or taken out are found by
comparing the sequences of pages first.

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
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Literal

from PIL import Image

from signer.errors import EngineRefused
from signer.pdfium import PDFiumDocument, PDFiumPage, Picture, opened
from signer.verification.file.pdf_objects import PDFSyntaxError
from signer.verification.file.structure import Document
from signer.verification.shown.opinion import WHOLE_PAGE, Region
from signer.verification.shown.pictures import different_regions

MOST_PICTURES = 12
"""Pages that are shown; those that were changed come first."""
_SCALE = 1.68  # pixels a point: A4 is 1000 wide
_PIXELS = 1_700_000
_COARSE_SCALE, _COARSE_PIXELS = 0.84, 420_000  # while looking for changes: a digit is nine high
_COMPARE_S = 5.0  # so long for looking at each state; what was not reached is said
_TEXT = 200  # characters quoted of a mark
_MOST_LETTERS = 20_000  # of a page whose text is quoted
_HEADER = struct.Struct(">I")
_QUALITY = 72

Kind = Literal["changed", "added", "removed", "same"]
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
        with opened(data) as current:
            if states is None:
                return _unmarked(current, most)
            with opened(data, states[0]) as before, opened(data, states[1]) as after:
                return _marked(current, before, after, most)
    except EngineRefused:
        return PagePictures(0, 0)


def _states(data: bytes, saves: Sequence[int]) -> tuple[int, int] | None:
    """Where the file ended before the first of `saves`, and after the last; None: unknown."""
    if not saves:
        return None
    try:
        revisions = Document(data).revisions
    except PDFSyntaxError:
        return None
    first, last = min(saves), max(saves)
    if first < 2 or last > len(revisions):
        return None
    return revisions[first - 2].end, revisions[last - 1].end


def _unmarked(current: PDFiumDocument, most: int) -> PagePictures:
    total = current.page_count
    pages = [_shown(current, "same", n, n) for n in range(min(total, most))]
    return PagePictures(total, 0, tuple(pages))


def _marked(
    current: PDFiumDocument, before: PDFiumDocument, after: PDFiumDocument, most: int
) -> PagePictures:
    old, new = _prints(before), _prints(after)
    if len(old) < before.page_count or len(new) < after.page_count:
        reached = min(len(old), len(new))  # what was not reached proves nothing
        old, new = old[:reached], new[:reached]
    pairs = list(_paired(old, new))
    changed = [pair for pair in pairs if pair[0] != "same"]
    same = [pair for pair in pairs if pair[0] == "same"]
    rest: list[_Pair] = [("same", n, n) for n in range(len(new), current.page_count)]
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
    return PagePictures(current.page_count, min(len(new), current.page_count), tuple(pages))


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


def _prints(document: PDFiumDocument) -> list[bytes]:
    """A digest of how each page looks, from the first on for as long as there is time."""
    until = time.monotonic() + _COMPARE_S
    found = []
    for index in range(document.page_count):
        if time.monotonic() > until:
            break
        try:
            with document.page(index) as page:
                picture = page.picture(page.size_px(_COARSE_SCALE, _COARSE_PIXELS))
        except EngineRefused:
            found.append(b"?")
            continue
        found.append(hashlib.sha256(repr(picture.shape).encode() + picture.tobytes()).digest())
    return found


def _shown(
    document: PDFiumDocument,
    kind: Kind,
    number: int | None,
    was: int | None,
    marks: tuple[Mark, ...] = (),
    before: PDFiumDocument | None = None,
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


def _webp(document: PDFiumDocument, index: int) -> tuple[bytes, int, int]:
    """The page as WebP with its size; nothing when PDFium cannot draw it."""
    try:
        with document.page(index) as page:
            picture = page.picture(page.size_px(_SCALE, _PIXELS))
    except EngineRefused:
        return b"", 0, 0
    height, width = picture.shape[:2]
    image = Image.frombuffer("RGB", (width, height), picture.tobytes(), "raw", "BGRX", 0, 1)
    stream = io.BytesIO()
    image.save(stream, "WEBP", quality=_QUALITY, method=2)
    return stream.getvalue(), width, height


def _marks(before: PDFiumDocument, was: int, after: PDFiumDocument, now: int) -> tuple[Mark, ...]:
    """The areas of a page that look different, each with the lines of text through it."""
    try:
        with _face(before, was) as old, _face(after, now) as new:
            if old.picture.shape != new.picture.shape:
                return (_mark(WHOLE_PAGE),)
            regions = different_regions(old.picture, new.picture, [])
            return tuple(_mark(region, old, new) for region in regions)
    except EngineRefused:
        return (_mark(WHOLE_PAGE),)


def _mark(region: Region, old: _Face | None = None, new: _Face | None = None) -> Mark:
    before = old.words(region) if old else ""
    now = new.words(region) if new else ""
    if before == now:
        before = now = ""
    left, top, right, bottom = (
        n / 1000 for n in (region.left, region.top, region.right, region.bottom)
    )
    return Mark(left, top, round(right - left, 3), round(bottom - top, 3), before, now)


class _Face:
    """A page drawn at the size of the pictures, and its words by height."""

    def __init__(self, page: PDFiumPage) -> None:
        """Raises `EngineRefused`."""
        size = page.size_px(_SCALE, _PIXELS)
        self.picture: Picture = page.picture(size)
        letters = page.letters()
        boxes = page.text_boxes(0, len(letters)) if len(letters) <= _MOST_LETTERS else []
        self._placed = []  # (middle of its height in thousandths of the page, letter)
        for letter, box in zip(letters, boxes, strict=False):
            place = page.to_pixels(box, size)
            self._placed.append((500 * (place.top + place.bottom) / size[1], letter))

    def words(self, region: Region) -> str:
        """What the file says stands on the lines through `region`."""
        found = "".join(
            letter for middle, letter in self._placed if region.top <= middle <= region.bottom
        )
        return " ".join(found.split())[:_TEXT]


@contextmanager
def _face(document: PDFiumDocument, index: int) -> Iterator[_Face]:
    with document.page(index) as page:
        yield _Face(page)
