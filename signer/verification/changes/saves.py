"""What each incremental save changed, object by object (step 8 of `verify`).

A change is guilty until it is on the list: validation data, document timestamps, later
signatures with their fields and appearances, modification dates. All else is named: page
content, annotation, form value, metadata, attachment. Threats: shadow attacks, evil annotation,
sneaky signature, swapped dictionaries, a page replaced by an incremental save.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from signer.verification.attacks import Attack
from signer.verification.changes.form import judge_form
from signer.verification.changes.ledger import Ledger
from signer.verification.changes.store import judge_security_store
from signer.verification.changes.widgets import Placement, judge_new_widgets, rectangle
from signer.verification.changes.xmp import same_but_for_dates
from signer.verification.file.pdf_objects import (
    Dictionary,
    Name,
    PDFString,
    Ref,
    Stream,
    Value,
    same,
)
from signer.verification.file.references import Reference, References
from signer.verification.file.structure import Document, View, text
from signer.verification.file.unexplained import unexplained_bytes
from signer.verification.report import Change

_TRAILER_KEYS = frozenset(
    {"Size", "Prev", "Root", "Info", "ID", "Type", "W", "Index", "Filter", "DecodeParms", "Length"}
)
_INFO_DATES = frozenset({"ModDate", "Producer"})
_EXTENSION_KEYS = frozenset(
    {"Type", "BaseVersion", "ExtensionLevel", "URL", "ExtensionRevision"}
)  # ISO 32000-2, 7.12.3
_BOXES = frozenset({"MediaBox", "CropBox", "BleedBox", "TrimBox", "ArtBox"})
_ROUNDED = 1e-9  # of a box: nobody sees that
_VERSION = re.compile(r"[12]\.\d")
_CATALOGUE_KINDS = {
    "Pages": "page", "OCProperties": "page", "Names": "attachment", "AF": "attachment",
    "Metadata": "metadata", "Perms": "form",
}  # fmt: skip
_CATALOGUE_ATTACKS = {
    "OCProperties": Attack.SHADOW_HIDE, "Names": Attack.INCREMENTAL_SAVING,
    "AF": Attack.INCREMENTAL_SAVING, "OpenAction": Attack.INCREMENTAL_SAVING,
    "AA": Attack.INCREMENTAL_SAVING,
}  # fmt: skip


class Step:
    """Compares the file before and after one incremental save; made for one use."""

    def __init__(
        self,
        document: Document,
        revision: int,
        references: References,
        placed: Mapping[int, Placement],
    ) -> None:
        self._ledger = Ledger(document, revision, references)
        self._placed = placed

    def changes(self) -> tuple[Change, ...]:
        """Everything that this save did, judged. Raises `PDFSyntaxError`."""
        ledger = self._ledger
        self._trailer()
        at = unexplained_bytes(ledger.document, ledger.number)
        if at is not None:
            ledger.guilty("hidden-bytes", f"byte {at} belongs to no listed object")
        modified, added = ledger.touched
        self._catalogue()
        judge_security_store(ledger)
        judge_form(ledger)
        self._metadata()
        self._information()
        self._pages(modified)
        judge_new_widgets(ledger, self._placed)
        ledger.close()
        for number in sorted(modified - ledger.judged):
            ledger.blame(number, "replaced")
        carriers = ledger.containers(added)
        for number in sorted(added - ledger.explained - ledger.judged - carriers):
            if not ledger.is_left_over(number):
                ledger.guilty(
                    ledger.kind_of(number), f"object {number} was added and belongs nowhere"
                )
        return tuple(dict.fromkeys(ledger.found))

    def _trailer(self) -> None:
        ledger = self._ledger
        old, new = ledger.old.trailer, ledger.new.trailer
        if old.get("Root") != new.get("Root"):
            ledger.guilty("catalogue", "the trailer names another catalogue")
        if old.get("Info") is not None and old.get("Info") != new.get("Info"):
            ledger.guilty("metadata", "the trailer names another information dictionary")
        before, after = ledger.old.array(old.get("ID")), ledger.new.array(new.get("ID"))
        if before and before[:1] != after[:1]:
            ledger.guilty("catalogue", "the file identifier changed")
        if "XRefStm" in new:
            ledger.guilty(
                "object", "the save has two cross-reference sections, one of them for old readers",
                Attack.PARSER_DIFFERENTIAL,
            )  # fmt: skip
        earlier = [r.trailer for r in ledger.document.revisions[: ledger.number]]
        for key in new.keys() - old.keys() - _TRAILER_KEYS - {"XRefStm"}:
            # pyHanko repeats what the first trailer said, though others have dropped it
            if not _is_compound(new[key]) and any(same(new[key], t.get(key)) for t in earlier):
                continue
            ledger.guilty("catalogue", f"the trailer has a new key /{key}")

    def _catalogue(self) -> None:
        ledger = self._ledger
        old, new = ledger.old.root, ledger.new.root
        ledger.judge(ledger.old.trailer.get("Root"), _is_mentioned)
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if same(before, after) or key in ("DSS", "AcroForm"):
                continue
            if key == "Metadata" and isinstance(before, Ref) and isinstance(after, Ref):
                continue
            if key == "Extensions" and _are_extensions(ledger.new, after):
                ledger.explain(after)
                continue
            if key == "Version" and isinstance(after, Name) and _is_newer(before, after):
                continue
            ledger.guilty(
                _CATALOGUE_KINDS.get(key, "catalogue"), f"/{key} of the catalogue changed",
                _CATALOGUE_ATTACKS.get(key, Attack.SHADOW_HIDE_AND_REPLACE),
            )  # fmt: skip

    def _metadata(self) -> None:
        ledger = self._ledger
        before, after = ledger.old.root.get("Metadata"), ledger.new.root.get("Metadata")
        modified, _ = ledger.touched
        if not isinstance(before, Ref) or not isinstance(after, Ref):
            return
        if before == after and after.number not in modified:
            return
        ledger.judge(after, _is_catalogue_metadata)
        ledger.explained.add(after.number)
        old, new = ledger.old.resolve(before), ledger.new.resolve(after)
        if isinstance(old, Stream) and isinstance(new, Stream) and same_but_for_dates(old, new):
            ledger.allowed("metadata-dates")
        else:
            ledger.guilty("metadata", "the XMP packet changed")

    def _information(self) -> None:
        ledger = self._ledger
        reference = ledger.new.trailer.get("Info")
        if not isinstance(reference, Ref):
            return
        modified, added = ledger.touched
        if reference.number not in modified | added:
            return
        ledger.judge(reference)
        ledger.explained.add(reference.number)
        old = ledger.old.resolve(reference)
        new = ledger.new.resolve(reference)
        if not isinstance(new, Dictionary) or not isinstance(old, Dictionary | None):
            ledger.guilty("metadata", "the information is no dictionary")
            return
        old = old or Dictionary()
        differing = {
            k
            for k in old.keys() | new.keys()
            if not _say_the_same(ledger.old.resolve(old.get(k)), ledger.new.resolve(new.get(k)))
        }
        values = {k: ledger.new.resolve(new.get(k)) for k in new}
        for key, value in new.items():
            if isinstance(values[key], PDFString):
                ledger.explain(value)
        odd = differing - _INFO_DATES | {
            k for k in differing if k in values and not isinstance(values[k], PDFString)
        }
        if odd:
            ledger.guilty("metadata", f"/{min(odd)} of the information changed")
        else:
            ledger.allowed("metadata-dates")

    def _pages(self, modified: set[int]) -> None:
        """Pages may gain the widgets of new signatures at the end of /Annots; nothing else."""
        ledger = self._ledger
        arrays: set[int] = set()
        for number in sorted(modified - ledger.judged):
            old, new = ledger.old.get(number), ledger.new.get(number)
            if isinstance(old, Dictionary) and old.get("Type") == "Page":
                ledger.judge(Ref(number, 0), _is_mentioned)
                self._page(number, old, new)
            elif isinstance(old, list):
                arrays.add(number)
        if arrays:
            self._annotation_arrays(arrays)

    def _page(self, number: int, old: Dictionary, new: Value) -> None:
        ledger = self._ledger
        if not isinstance(new, Dictionary):
            ledger.guilty("page", f"the page in object {number} was replaced")
            return
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if key == "Annots":
                if not same(before, after):
                    ledger.take(before, after, _is_annotation_list)
                    self._annotations(number, before, after)
            elif not same(before, after, loosely=True) and not (
                key in _BOXES and _same_box(ledger, before, after)
            ):
                ledger.guilty(
                    "page",
                    f"/{key} of the page in object {number} changed",
                    self._page_trace(after),
                )

    def _page_trace(self, after: Value) -> Attack:
        """A page that turns to what the signed file had prepared, or to what is new."""
        items = [after, *(after if isinstance(after, list) else [])]
        items += list(after.values()) if isinstance(after, Dictionary) else []
        _, added = self._ledger.touched
        numbers = {item.number for item in items if isinstance(item, Ref)}
        if not numbers:
            return Attack.SHADOW_HIDE
        return Attack.INCREMENTAL_SAVING if numbers & added else Attack.SHADOW_HIDE_AND_REPLACE

    def _annotations(self, number: int, before: Value, after: Value) -> None:
        ledger = self._ledger
        old, new = ledger.old.array(before), ledger.new.array(after)
        if not same(new[: len(old)], old):
            removed = len(new) < len(old)
            ledger.guilty(
                "annotation", f"annotations of page object {number} were changed",
                Attack.SHADOW_HIDE if removed else Attack.EVIL_ANNOTATION,
            )  # fmt: skip
            return
        for item in new[len(old) :]:
            if not isinstance(item, Ref) or item.number not in ledger.new_widgets:
                ledger.guilty("annotation", f"an annotation was added to page object {number}")

    def _annotation_arrays(self, arrays: set[int]) -> None:
        ledger = self._ledger
        for number, page in ledger.old.pages():
            annotations = page.get("Annots")
            if isinstance(annotations, Ref) and annotations.number in arrays:
                ledger.judge(annotations, _is_annotation_list)
                self._annotations(number, annotations, annotations)


def _say_the_same(before: Value, after: Value) -> bool:
    """Text may be written in another encoding (ISO 32000-2, 7.9.2.2)."""
    if isinstance(before, PDFString) and isinstance(after, PDFString):
        one, other = text(before.value), text(after.value)
        return before == after or (one == other and all(map(_is_plain, one)))
    return same(before, after)


def _is_plain(character: str) -> bool:
    """The same in PDFDocEncoding as in Unicode (ISO 32000-2, table D.2)."""
    return " " <= character <= "~" or "\xa1" <= character <= "\xac" or character >= "\xae"


def _same_box(ledger: Ledger, before: Value, after: Value) -> bool:
    """poppler writes ten decimals, where an office program had written twelve."""
    old, new = rectangle(ledger.old, before), rectangle(ledger.new, after)
    if old is None or new is None:
        return False
    size = min(old[2] - old[0], old[3] - old[1])
    return all(abs(a - b) <= _ROUNDED * size for a, b in zip(old, new, strict=True))


def _is_mentioned(_: Reference) -> bool:
    """Pages and the catalogue may be referred to from everywhere: all of them is compared."""
    return True


def _is_catalogue_metadata(reference: Reference) -> bool:
    return reference.keys == ("Metadata",)


def _is_annotation_list(reference: Reference) -> bool:
    return reference.keys == ("Annots",)


def _are_extensions(view: View, value: Value) -> bool:
    """Developer extensions of scalars (ISO 32000-2, 7.12): nothing that a page could show."""
    found = view.dictionary(value)
    if found is None:
        return False
    levels: list[Value] = []
    for item in found.values():
        levels += view.array(item) or [item]
    return all(
        level.keys() <= _EXTENSION_KEYS and not any(map(_is_compound, level.values()))
        if isinstance(level, Dictionary)
        else not _is_compound(level)
        for level in map(view.resolve, levels)
    )


def _is_compound(value: Value) -> bool:
    return isinstance(value, Ref | Dictionary | Stream | list)


def _is_newer(before: Value, after: Name) -> bool:
    if not _VERSION.fullmatch(after):
        return False
    return before is None or (isinstance(before, Name) and before <= after)
