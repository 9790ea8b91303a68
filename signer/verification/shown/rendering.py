"""The bytes that are shown: a second engine draws what was signed and what is there now.

PDFium opens the file as it was at each signature and as it is now, and draws every page that a
save in between may have altered (`dependencies`: the rule that spares the others). Text and
pixels must be equal but inside the widgets of the signatures that those saves added. It also
has to open the file, and to see as many pages, of the same size, and the same signatures.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

from signer.errors import EngineRefused
from signer.pdfium import LOCK, PDFiumDocument, PDFiumPage, Picture, opened
from signer.verification.file.pdf_objects import Dictionary, PDFString, PDFSyntaxError, Ref, Value
from signer.verification.file.structure import Document, View, text
from signer.verification.report import Checklist, Integrity, SubIndication
from signer.verification.shown.dependencies import Dependencies, Leaf, leaves
from signer.verification.shown.obscured import hides_marks
from signer.verification.shown.opinion import WHOLE_PAGE, Difference, Engines, Region, Shown
from signer.verification.shown.pictures import different_regions, region_of
from signer.verification.signature.examination import Examined

SCALE = 96 / 72  # pixels a point
MAX_SECONDS = 9.0  # of processor time
MAX_PAGE_PIXELS = 4_000_000
MAX_PIXELS = 800_000_000  # of all pictures of a file; many pages are drawn smaller
_MIN_PAGE_PIXELS = 60_000
_MAX_DIFFERENCES = 200  # pages told of
_SAME_SIZE = 0.51  # points


def compare_shown(document: Document, items: list[Examined], checks: Checklist) -> Shown:
    """Step 9: put what the second engine finds into the checks of file and signatures."""
    covered = sorted({item.coverage.revision for item in items if item.coverage})
    if not covered:
        return Shown()
    with LOCK:
        comparison = _Comparison(document, items)
        try:
            comparison.look_at_current()
            comparison.go_through(covered)
        except _TooCostly as error:
            comparison.unfinished = str(error)
        except EngineRefused as error:
            comparison.disagreements.append(str(error).rpartition(" / ")[2])
        except PDFSyntaxError as error:
            comparison.disagreements.append(f"it sees pages where there are none: {error}")
        finally:
            comparison.close()
    return _conclude(comparison, items, checks)


def _conclude(found: _Comparison, items: list[Examined], checks: Checklist) -> Shown:
    for said in found.disagreements:
        checks.unknown(
            "shown.engines", SubIndication.FORMAT_FAILURE, said, Integrity.UNKNOWN
        )  # fmt: skip
    is_surprise = False
    for item in items:
        if item.coverage is None:
            continue
        later = [d for d in found.differences if d.shown > item.coverage.revision + 1]
        is_named = any(
            c.check == "changes" and c.integrity is Integrity.CHANGED for c in item.checks.checks
        )
        is_surprise |= bool(later) and not is_named
        if later:
            item.checks.failed(
                "shown.revisions", SubIndication.HASH_FAILURE,
                "; ".join(str(d) for d in later[:8]), Integrity.CHANGED,
            )  # fmt: skip
        elif not found.disagreements and not found.unfinished:
            item.checks.passed("shown.revisions")
        hidden = [page for page, shown in found.obscured if shown > item.coverage.revision + 1]
        if hidden:
            item.checks.failed(
                "shown.obscured", SubIndication.HASH_FAILURE,
                f"a later signature's picture hides what page {hidden[0]} said", Integrity.CHANGED,
            )  # fmt: skip
    if is_surprise:
        checks.failed(
            "shown.engines", SubIndication.HASH_FAILURE,
            "a page looks otherwise although no change was found", Integrity.CHANGED,
        )  # fmt: skip
    engines = Engines.DISAGREE if is_surprise or found.disagreements else Engines.AGREE
    if found.unfinished and engines is Engines.AGREE:
        engines = Engines.NOT_COMPARED
        checks.unknown(
            "shown.engines", SubIndication.SIG_CONSTRAINTS_FAILURE, found.unfinished,
            Integrity.UNKNOWN,
        )  # fmt: skip
    elif engines is Engines.AGREE:
        checks.passed("shown.engines", f"{found.drawn} pages drawn")
    return Shown(
        engines,
        found.drawn,
        tuple(found.differences[:_MAX_DIFFERENCES]),
    )


class _TooCostly(Exception):
    """The bounds do not allow to draw all that would have to be compared."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How a page looked at one revision."""

    picture: Picture
    text: bytes
    extent: tuple[float, float]  # points
    size_px: tuple[int, int]
    contents: Picture | None = None  # what it was drawn over
    mark: bytes = b""  # of those contents


class _Comparison:
    """Goes through the states of one file, oldest first. Closed after use."""

    def __init__(self, document: Document, items: list[Examined]) -> None:
        self.disagreements: list[str] = []
        self.differences: list[Difference] = []
        self.obscured: list[tuple[int, int]] = []  # page and revision (1-based)
        self.drawn = 0
        self.unfinished = ""
        self._until = time.thread_time() + MAX_SECONDS
        self._document = document
        self._items = items
        self._open: dict[int, tuple[PDFiumDocument, ExitStack]] = {}
        self._pixels = MAX_PIXELS
        self._looks: dict[int, _Look] = {}  # by page, as of the revision gone through last

    def close(self) -> None:
        """Close all that PDFium has open."""
        self._keep(())

    def _keep(self, revisions: Collection[int]) -> None:
        """Close the revisions that are not needed any more."""
        for revision in [r for r in self._open if r not in revisions]:
            self._open.pop(revision)[1].close()

    # --- one revision, two readers

    def look_at_current(self) -> None:
        """Pages, their sizes and the signatures, as both engines see them in the whole file."""
        last = len(self._document.revisions) - 1
        view, engine = self._document.current, self._engine(last)
        pages = leaves(view)
        if engine.page_count != len(pages):
            self.disagreements.append(
                f"a second engine counts {engine.page_count} pages, not {len(pages)}"
            )
        else:
            for index, leaf in enumerate(pages):
                seen, said = engine.page_size(index), _size(view, leaf)
                if not all(abs(a - b) <= _SAME_SIZE for a, b in zip(seen, said, strict=True)):
                    self.disagreements.append(
                        f"a second engine shows page {index + 1} with {seen[0]:.1f} × "
                        f"{seen[1]:.1f} points, not {said[0]:.1f} × {said[1]:.1f}"
                    )
                    break
        self._compare_signatures(engine)

    def _compare_signatures(self, engine: PDFiumDocument) -> None:
        """PDFium knows the fields of the form's first level: it may see fewer, never others."""
        mine = {_integers(i.field.dictionary.get("ByteRange")): i.field.name for i in self._items}
        seen = set(engine.byte_ranges())
        if seen - mine.keys():
            self.disagreements.append("a second engine sees a signature that is not there")
        top = _first_level(self._document.current)
        for numbers, name in mine.items():
            if name in top and numbers not in seen:
                self.disagreements.append(f"a second engine does not see the signature {name!r}")

    def _engine(self, revision: int) -> PDFiumDocument:
        if revision not in self._open:
            end, stack = self._document.revisions[revision].end, ExitStack()
            self._open[revision] = stack.enter_context(opened(self._document.data, end)), stack
        return self._open[revision][0]

    # --- two revisions, one reader

    def go_through(self, covered: list[int]) -> None:
        """Compare each signed revision with the next one, and the last with the file now."""
        last = len(self._document.revisions) - 1
        states = [*covered, *([last] if covered[-1] != last else [])]
        pages = Dependencies(self._document, states[0])
        for before, after in pairwise(states):
            altered = pages.advance(after)
            if altered is not None and not self._engine(after).has_valid_xref:
                altered = None
            if altered is None or altered:
                view = self._document.view(after)
                if altered is None:
                    found = dict(enumerate(leaf.dictionary for leaf in _leaves_or_none(view)))
                else:
                    numbers = {index: pages.page_number(index) for index in sorted(altered)}
                    found = {i: _dictionary(view, number) for i, number in numbers.items()}
                annotated = {i for i in altered or () if pages.has_same_contents(i)}
                self._compare(before, after, found, annotated, is_all=altered is None)
            self._keep((after, last))

    def _compare(
        self,
        before: int,
        after: int,
        pages: Mapping[int, Dictionary],
        annotated: set[int],
        *,
        is_all: bool,
    ) -> None:
        old, new = self._engine(before), self._engine(after)
        if old.page_count != new.page_count:
            fewer = min(old.page_count, new.page_count)
            self._differ(fewer, before, after, "picture", (WHOLE_PAGE,))
        count = min(old.page_count, new.page_count)
        indices = range(count) if is_all else [index for index in pages if index < count]
        budget = self._pixels // (2 * len(indices)) if indices else 0
        most = min(MAX_PAGE_PIXELS, max(budget, _MIN_PAGE_PIXELS))
        for index in indices:
            leaf = pages.get(index, Dictionary())
            self._compare_page(index, before, after, most, leaf, index in annotated)

    def _compare_page(
        self, index: int, before: int, after: int, most: int, leaf: Dictionary, keeps_contents: bool
    ) -> None:
        """`keeps_contents`: only annotations differ, so contents are drawn once for both."""
        earlier = self._looks.get(index)
        with self._engine(after).page(index) as page:
            mark = page.contents_print() if keeps_contents else b""
            if earlier is None or earlier.mark != mark:
                with self._engine(before).page(index) as old_page:
                    if mark != (old_page.contents_print() if keeps_contents else b""):
                        mark = b""  # the engines read the contents otherwise: all is drawn
                    size = old_page.size_px(SCALE, most)
                    contents = old_page.contents(size) if mark else None
                    earlier = self._look(old_page, before, index, size, contents, mark)
            size = earlier.size_px
            if (page.width, page.height) != earlier.extent:
                self._differ(index, before, after, "picture", (WHOLE_PAGE,))
                return
            now = self._look(page, after, index, size, earlier.contents, earlier.mark)
            self._looks = {index: now}  # the next signature is mostly on the same page
            if now.text != earlier.text:
                with self._engine(before).page(index) as old_page:
                    regions = _text_regions(page, old_page.letters())
                self._differ(index, before, after, "text", regions)
            boxes = [page.to_pixels(b, size) for b in self._signed_places(before, after, leaf)]
            regions = different_regions(earlier.picture, now.picture, boxes)
            if regions:
                self._differ(index, before, after, "picture", regions)
            if any(hides_marks(page, earlier.picture, now.picture, b, size) for b in boxes):
                self.obscured.append((index + 1, after + 1))

    def _look(
        self,
        page: PDFiumPage,
        revision: int,
        index: int,
        size_px: tuple[int, int],
        contents: Picture | None,
        mark: bytes,
    ) -> _Look:
        """How a page looks: drawn as it is, or its annotations over the `contents` of before."""
        if time.thread_time() > self._until:
            raise _TooCostly(f"drawing the pages takes more than {MAX_SECONDS:g} s")
        self._pixels -= size_px[0] * size_px[1]
        self.drawn += 1
        if contents is None:
            picture = page.picture(size_px)
        else:
            with self._engine(revision).page(index) as bare:
                picture = bare.over(contents)
        extent = page.width, page.height
        return _Look(picture, page.text(), extent, size_px, contents, mark)

    def _differ(
        self, index: int, before: int, after: int, what: str, regions: tuple[Region, ...]
    ) -> None:
        self.differences.append(Difference(index + 1, before + 1, after + 1, what, regions))

    def _signed_places(
        self, before: int, after: int, page: Dictionary
    ) -> Iterator[tuple[float, float, float, float]]:
        """The widgets on the page of signatures made by the saves after `before`."""
        old, new = self._document.view(before), self._document.view(after)
        for item in new.array(page.get("Annots")):
            widget = new.dictionary(item)
            if widget is None or not isinstance(item, Ref):
                continue
            field = widget if "T" in widget or "FT" in widget else new.dictionary(
                widget.get("Parent")
            )  # fmt: skip
            if field is None or field.get("FT") != "Sig" or field.get("V") is None:
                continue
            reference = item if field is widget else widget.get("Parent")
            earlier = old.dictionary(reference) or Dictionary()
            if earlier.get("V") is not None:
                continue  # it was signed before
            box = [n for n in new.array(widget.get("Rect")) if isinstance(n, int | float)]
            if len(box) == 4:
                yield (
                    min(box[0], box[2]), min(box[1], box[3]),
                    max(box[0], box[2]), max(box[1], box[3]),
                )  # fmt: skip


def _text_regions(page: PDFiumPage, old: str) -> tuple[Region, ...]:
    """The place of what is new in the text; the whole page when something is only gone."""
    new = page.letters()
    first = next(
        (i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
        min(len(old), len(new)),
    )
    same_end = 0
    while same_end < min(len(old), len(new)) - first and old[-1 - same_end] == new[-1 - same_end]:
        same_end += 1
    boxes = [b for b in page.text_boxes(first, len(new) - same_end) if b[2] > b[0] and b[3] > b[1]]
    if not boxes:
        return (WHOLE_PAGE,)
    size = page.size_px(SCALE, MAX_PAGE_PIXELS)
    around = (
        min(b[0] for b in boxes), min(b[1] for b in boxes),
        max(b[2] for b in boxes), max(b[3] for b in boxes),
    )  # fmt: skip
    return (region_of(page.to_pixels(around, size), *size),)


def _leaves_or_none(view: View) -> list[Leaf]:
    """The pages of a revision; none where its tree is damaged: then no place is excused."""
    try:
        return leaves(view)
    except PDFSyntaxError:
        return []


def _dictionary(view: View, number: int) -> Dictionary:
    found = view.get(number)
    return found if isinstance(found, Dictionary) else Dictionary()


def _size(view: View, leaf: Leaf) -> tuple[float, float]:
    """Width and height in points as shown (ISO 32000-2, 7.7.3.3): crop box within media box."""
    media = _box(view, leaf.get("MediaBox"))
    crop = _box(view, leaf.get("CropBox"))
    if media is None:
        media = (0.0, 0.0, 612.0, 792.0)  # what readers take where the box is missing
    box = media
    if crop is not None:
        box = (
            max(media[0], crop[0]), max(media[1], crop[1]),
            min(media[2], crop[2]), min(media[3], crop[3]),
        )  # fmt: skip
    width, height = max(0.0, box[2] - box[0]), max(0.0, box[3] - box[1])
    turns = view.resolve(leaf.get("Rotate"))
    is_turned = isinstance(turns, int) and turns // 90 % 2 == 1
    return (height, width) if is_turned else (width, height)


def _box(view: View, value: Value) -> tuple[float, float, float, float] | None:
    numbers = [view.resolve(n) for n in view.array(value)]
    found = [float(n) for n in numbers if isinstance(n, int | float)]
    if len(found) != 4:
        return None
    left, right = sorted((found[0], found[2]))
    bottom, top = sorted((found[1], found[3]))
    return (left, bottom, right, top) if right > left and top > bottom else None


def _first_level(view: View) -> set[str]:
    names = set()
    for item in view.array(view.acro_form.get("Fields")):
        field = view.dictionary(item)
        part = field.get("T") if field else None
        if field and field.get("FT") == "Sig" and isinstance(part, PDFString):
            names.add(text(part.value))
    return names


def _integers(value: Value) -> tuple[int, ...]:
    return tuple(n for n in value if isinstance(n, int)) if isinstance(value, list) else ()
