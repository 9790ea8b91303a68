"""Where the widgets of later signatures stand, and how much of a page they may take.

A later signature may draw its seal, and nothing that poses as the document: within its own
rectangle, on one page, over a small part of what the reader sees. Threat: sneaky signatures
(S&P 2021), which need no rule to be broken but that one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from signer.verification.changes.ledger import Ledger
from signer.verification.file.pdf_objects import Dictionary, Ref, Stream, Value, same
from signer.verification.file.structure import Document, View

MAX_SHARE = 0.25  # of the visible page: a seal is 2 %, a margin stamp 10 %
_ZERO_AREA = 1.0  # square points: an invisible widget
_MAX_PARENTS = 64
_NO_VIEW = 32 | 256  # NoView, ToggleNoView (ISO 32000-2, table 167): printed, but not shown
_LETTER = (0.0, 0.0, 612.0, 792.0)  # what readers assume without a /MediaBox

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Placement:
    """The pages that list a widget, as object numbers; a page twice where it lists it twice."""

    pages: tuple[int, ...]


def placements(document: Document) -> Mapping[int, Placement]:
    """Every annotation of the current revision by its object number."""
    found: dict[int, tuple[int, ...]] = {}
    view = document.current
    for number, page in view.pages():
        for item in view.array(page.get("Annots")):
            if isinstance(item, Ref):
                found[item.number] = (*found.get(item.number, ()), number)
    return {number: Placement(pages) for number, pages in found.items()}


def judge_new_widgets(ledger: Ledger, placed: Mapping[int, Placement]) -> None:
    """The widgets that `ledger.new_widgets` names, each on its page."""
    _, added = ledger.touched
    for number in sorted(ledger.new_widgets):
        field = ledger.new.dictionary(Ref(number, 0)) or Dictionary()
        pages = placed[number].pages if number in placed else ()
        box = rectangle(ledger.new, field.get("Rect"))
        if box is None:
            if field.get("Subtype") == "Widget" or "Rect" in field:
                ledger.guilty("appearance", f"the widget {number} has no usable /Rect")
            continue
        if number in added and len(pages) > 1:
            ledger.guilty("appearance", f"the widget {number} stands in {len(pages)} places")
        is_time = _is_timestamp(ledger.new, field)
        if _area(box) <= _ZERO_AREA:
            _judge_appearance(ledger, number, field, is_visible=False)
            continue
        if is_time:
            ledger.guilty("appearance", f"the document timestamp {number} is visible")
        _judge_appearance(ledger, number, field, is_visible=True)
        _judge_size(ledger, number, box, pages or _named_page(field))


def _named_page(field: Dictionary) -> tuple[int, ...]:
    page = field.get("P")
    return (page.number,) if isinstance(page, Ref) else ()


def _judge_size(ledger: Ledger, number: int, box: Box, pages: tuple[int, ...]) -> None:
    for page in pages:
        seen = visible_box(ledger.new, page)
        if _area(_common(box, seen)) > MAX_SHARE * _area(seen):
            ledger.guilty("appearance", f"the widget {number} covers too much of page {page}")


def _judge_appearance(ledger: Ledger, number: int, field: Dictionary, *, is_visible: bool) -> None:
    """One form XObject for the normal appearance, with a usable box."""
    view = ledger.new
    flags = view.resolve(field.get("F", 0))
    if not isinstance(flags, int) or (is_visible and flags & _NO_VIEW):
        ledger.guilty("appearance", f"the widget {number} is shown on paper only")
    if "AP" not in field:
        return
    found = view.dictionary(field.get("AP"))
    if found is None or "N" not in found:
        ledger.guilty("appearance", f"the widget {number} has an unusable /AP")
        return
    if any(key != "N" and not same(value, found["N"]) for key, value in found.items()):
        ledger.guilty("appearance", f"the widget {number} has more than one appearance")
    normal = view.resolve(found["N"])
    form = normal.dictionary if isinstance(normal, Stream) else None
    box = rectangle(view, form.get("BBox")) if form is not None else None
    if form is None or form.get("Subtype") != "Form" or box is None:
        ledger.guilty("appearance", f"the appearance of widget {number} is no form with a box")
    elif is_visible and not _area(box):
        ledger.guilty("appearance", f"the appearance of widget {number} has an empty box")


def visible_box(view: View, page: int) -> Box:
    """What a reader shows of a page: the crop box inside the media box (ISO 32000-2, 14.11.2)."""
    media = rectangle(view, inherited(view, page, "MediaBox")) or _LETTER
    crop = rectangle(view, inherited(view, page, "CropBox"))
    if crop is None or not _area(_common(crop, media)):
        return media
    return _common(crop, media)


def rectangle(view: View, value: Value) -> Box | None:
    """Four finite numbers, the lower left corner first; None for anything else."""
    listed = [view.resolve(item) for item in view.array(value)]
    numbers = [float(n) for n in listed if type(n) in (int, float) and isinstance(n, int | float)]
    if len(listed) != 4 or len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        return None
    a, b, c, d = numbers
    return min(a, c), min(b, d), max(a, c), max(b, d)


def _common(one: Box, other: Box) -> Box:
    x0, y0 = max(one[0], other[0]), max(one[1], other[1])
    return x0, y0, max(x0, min(one[2], other[2])), max(y0, min(one[3], other[3]))


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def inherited(view: View, page: int, key: str) -> Value:
    """An entry of the page or of the nearest node above it that has one."""
    node = view.dictionary(Ref(page, view.entry(page).generation))
    for _ in range(_MAX_PARENTS):
        if node is None:
            return None
        if key in node:
            return node[key]
        node = view.dictionary(node.get("Parent"))
    return None


def _is_timestamp(view: View, field: Dictionary) -> bool:
    signature = view.dictionary(field.get("V"))
    return signature is not None and signature.get("SubFilter") == "ETSI.RFC3161"
