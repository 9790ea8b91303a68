"""What each incremental save changed, object by object (step 8 of `verify`).

A change is guilty until it is on the list: validation data, document timestamps, later
signatures with their fields and appearances, modification dates. All else is named: page
content, annotation, form value, metadata, attachment. Threats: shadow attacks, evil annotation,
sneaky signature, swapped dictionaries, a page replaced by an incremental save.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from signer.verification.pdf_objects import Dictionary, Name, PDFString, Ref, Stream, Value
from signer.verification.report import Change
from signer.verification.structure import Document, View, unexplained_bytes
from signer.verification.xmp import same_but_for_dates

MAX_PAGES = 20_000
MAX_WIDGET_SHARE = 0.25  # of the page: a seal is 2 %, a margin stamp 10 %
_TRAILER_KEYS = frozenset(
    {"Size", "Prev", "Root", "Info", "ID", "Type", "W", "Index", "Filter", "DecodeParms",
     "Length", "XRefStm"}
)  # fmt: skip
_FILLED = frozenset({"V", "AP", "F", "M"})  # keys that signing an empty field may set
_INFO_DATES = frozenset({"ModDate", "Producer"})
_DSS_KEYS = frozenset({"Type", "VRI", "Certs", "CRLs", "OCSPs"})
_VRI_KEYS = frozenset({"Type", "Cert", "CRL", "OCSP", "TU", "TS"})
_CATALOGUE_KINDS = {
    "Pages": "page", "OCProperties": "page", "Names": "attachment", "AF": "attachment",
    "Metadata": "metadata", "Perms": "form",
}  # fmt: skip
_ZERO_AREA = 1.0  # square points: an invisible widget


class Step:
    """Compares the file before and after one incremental save; made for one use."""

    def __init__(self, document: Document, revision: int) -> None:
        self._document = document
        self._number = revision
        self._old = document.view(revision - 1)
        self._new = document.view(revision)
        self._explained: set[int] = set()
        self._judged: set[int] = set()
        self._found: list[Change] = []
        self._new_widgets: set[int] = set()

    def changes(self) -> tuple[Change, ...]:
        """Everything that this save did, judged. Raises `PDFSyntaxError`."""
        self._trailer()
        at = unexplained_bytes(self._document, self._number)
        if at is not None:
            self._guilty("hidden-bytes", f"byte {at} belongs to no listed object")
        modified, added = self._touched
        self._catalogue()
        self._security_store()
        self._form()
        self._metadata()
        self._information()
        self._pages(modified)
        for number in sorted(modified - self._judged):
            self._guilty(self._kind_of(number), f"object {number} was replaced")
        containers = self._containers(added)
        for number in sorted(added - self._explained - self._judged - containers):
            self._guilty(self._kind_of(number), f"object {number} was added and belongs nowhere")
        return tuple(dict.fromkeys(self._found))

    def _guilty(self, kind: str, detail: str) -> None:
        self._found.append(Change(kind, self._number + 1, False, detail))

    def _allowed(self, kind: str, detail: str = "") -> None:
        self._found.append(Change(kind, self._number + 1, True, detail))

    @cached_property
    def _touched(self) -> tuple[set[int], set[int]]:
        """Numbers whose value differs from before, and numbers that are new."""
        revision = self._document.revisions[self._number]
        modified: set[int] = set()
        added: set[int] = set()
        for number, entry in revision.entries.items():
            before = self._old.entry(number)
            if entry == before or (entry.is_free and before.is_free):
                continue
            if entry.is_free:
                self._guilty("object", f"object {number} was removed")
                continue
            holder = revision.entries.get(entry.container) if entry.container else entry
            if holder is None or not revision.start <= holder.offset < revision.end:
                self._guilty("object", f"object {number} points outside its own revision")
            elif before.is_free:
                added.add(number)
            elif self._old.get(number) != self._new.get(number):
                modified.add(number)
        return modified, added

    def _containers(self, added: set[int]) -> set[int]:
        """New cross-reference and object streams: they carry, they do not say."""
        own = self._document.revisions[self._number].stream_numbers
        found = set(own)
        for number in added:
            value = self._new.get(number)
            if isinstance(value, Stream) and value.dictionary.get("Type") == "ObjStm":
                found.add(number)
        return found

    def _trailer(self) -> None:
        old, new = self._old.trailer, self._new.trailer
        if old.get("Root") != new.get("Root"):
            self._guilty("catalogue", "the trailer names another catalogue")
        if old.get("Info") is not None and old.get("Info") != new.get("Info"):
            self._guilty("metadata", "the trailer names another information dictionary")
        before, after = self._old.array(old.get("ID")), self._new.array(new.get("ID"))
        if before and before[:1] != after[:1]:
            self._guilty("catalogue", "the file identifier changed")
        for key in new.keys() - old.keys() - _TRAILER_KEYS:
            self._guilty("catalogue", f"the trailer has a new key /{key}")

    def _catalogue(self) -> None:
        old, new = self._old.root, self._new.root
        self._judge(self._old.trailer.get("Root"))
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if before == after or key in ("DSS", "AcroForm"):
                continue
            if key == "Metadata" and isinstance(before, Ref) and isinstance(after, Ref):
                continue
            if key == "Extensions" and isinstance(self._new.resolve(after), Dictionary):
                self._explain(after)
            elif key == "Version" and isinstance(after, Name):
                continue
            else:
                kind = _CATALOGUE_KINDS.get(key, "catalogue")
                self._guilty(kind, f"/{key} of the catalogue changed")

    def _security_store(self) -> None:
        """DSS and VRI (EN 319 142-1, 5.4.2): only validation data, only in known places."""
        before, after = self._old.root.get("DSS"), self._new.root.get("DSS")
        if after is None:
            if before is not None:
                self._guilty("catalogue", "the validation data were removed")
            return
        touched = False
        for value, name in self._store_parts(after):
            touched = self._take_store_part(value, name) or touched
        for value, name in self._store_parts(before, self._old):
            if name != "value" and isinstance(value, Ref):
                self._judge(value)
        if touched or before != after:
            self._allowed("dss")

    def _store_parts(self, store: Value, view: View | None = None) -> Iterator[tuple[Value, str]]:
        """(value, role) of every part of a DSS: store, vri, entry, list or value."""
        view = view or self._new
        found = view.dictionary(store)
        if found is None:
            return
        yield store, "store"
        for key in ("Certs", "CRLs", "OCSPs"):
            yield from _listed(view, found.get(key))
        related = view.dictionary(found.get("VRI"))
        if related is None:
            return
        yield found.get("VRI"), "vri"
        for entry in related.values():
            inner = view.dictionary(entry)
            if inner is None:
                continue
            yield entry, "entry"
            for key in ("Cert", "CRL", "OCSP"):
                yield from _listed(view, inner.get(key))
            if "TS" in inner:
                yield inner["TS"], "value"

    def _take_store_part(self, value: Value, role: str) -> bool:
        """Mark one part as explained; True when this save touched it."""
        modified, added = self._touched
        target = self._new.resolve(value)
        if role == "value" and not isinstance(target, Stream):
            self._guilty("catalogue", "validation data are not streams")
        if role in ("store", "entry") and isinstance(target, Dictionary):
            extra = target.keys() - (_DSS_KEYS if role == "store" else _VRI_KEYS)
            if extra:
                self._guilty("catalogue", f"validation data hold unknown keys: {sorted(extra)}")
        if not isinstance(value, Ref):
            return False
        if value.number in added:
            self._explained.add(value.number)
            return True
        return value.number in modified

    def _form(self) -> None:
        old, new = self._old.acro_form, self._new.acro_form
        if old and self._new.root.get("AcroForm") is None:
            self._guilty("form", "the form was removed")
            return
        self._take(self._old.root.get("AcroForm"), self._new.root.get("AcroForm"))
        self._take(old.get("Fields"), new.get("Fields"))
        for key in sorted(old.keys() | new.keys()):
            if key not in ("Fields", "SigFlags") and old.get(key) != new.get(key):
                self._form_key(key, old.get(key), new.get(key))
        before, after = self._old.array(old.get("Fields")), self._new.array(new.get("Fields"))
        if after[: len(before)] != before:
            self._guilty("form", "fields were removed or reordered")
        self._fields()

    def _form_key(self, key: str, before: Value, after: Value) -> None:
        if key == "DR" and before is None:
            self._explain(after)
            return
        is_new_default = key == "DA" and before is None and isinstance(after, PDFString)
        is_harmless = key == "NeedAppearances" and after in (None, False)
        if not is_new_default and not is_harmless:
            self._guilty("form", f"/{key} of the form changed")

    def _fields(self) -> None:
        modified, added = self._touched
        for name, number, field, kind in self._new.fields():
            if number in added:
                if kind == "Sig":
                    self._new_signature(name, number, field)
                else:
                    self._explained.add(number)
                    self._guilty("form", f"the field {name!r} was added")
            elif number in modified:
                self._judged.add(number)
                self._modified_field(name, number, field, kind)
        for signature in self._old.signatures():
            if signature.object_number in modified:
                self._judged.add(signature.object_number)
                self._guilty("signature-altered", f"the signature {signature.name!r} was replaced")

    def _modified_field(self, name: str, number: int, field: Dictionary, kind: str) -> None:
        before = self._old.dictionary(Ref(number, 0)) or Dictionary()
        differing = {
            key for key in before.keys() | field.keys() if before.get(key) != field.get(key)
        }
        if kind == "Sig" and before.get("V") is None and field.get("V") is not None:
            if differing <= _FILLED:
                self._new_signature(name, number, field)
            else:
                self._guilty("annotation", f"/{min(differing - _FILLED)} of {name!r} changed")
        elif kind == "Sig":
            self._guilty("signature-altered", f"the signature field {name!r} changed")
        elif "V" in differing or "AS" in differing:
            self._guilty("form-value", f"the value of {name!r} changed")
        else:
            self._guilty("annotation", f"the appearance of {name!r} changed")

    def _new_signature(self, name: str, number: int, field: Dictionary) -> None:
        """A field signed (or made empty) by this save, with its appearance and nothing else."""
        self._new_widgets.add(number)
        self._explained.add(number)
        for key, value in field.items():
            if key not in ("P", "Parent", "Kids"):
                self._explain(value)
        if field.get("V") is None:
            self._guilty("form", f"an empty signature field {name!r} was added")
            return
        signature = self._new.dictionary(field.get("V")) or Dictionary()
        is_time = "ETSI.RFC3161" in (signature.get("SubFilter"),)
        if self._covers_too_much(field):
            self._guilty("appearance", f"{name!r} covers too much of its page")
        elif is_time and _area(self._new, field) > _ZERO_AREA:
            self._guilty("appearance", f"the document timestamp {name!r} is visible")
        self._allowed("document-timestamp" if is_time else "signature", name)

    def _covers_too_much(self, field: Dictionary) -> bool:
        area = _area(self._new, field)
        if area <= _ZERO_AREA:
            return False
        page = self._new.dictionary(field.get("P"))
        limit = MAX_WIDGET_SHARE * _page_area(self._new, page)
        return area > limit

    def _metadata(self) -> None:
        before, after = self._old.root.get("Metadata"), self._new.root.get("Metadata")
        modified, _ = self._touched
        if not isinstance(before, Ref) or not isinstance(after, Ref):
            return
        if before == after and after.number not in modified:
            return
        self._judged.add(after.number)
        self._explained.add(after.number)
        old, new = self._old.resolve(before), self._new.resolve(after)
        if isinstance(old, Stream) and isinstance(new, Stream) and same_but_for_dates(old, new):
            self._allowed("metadata-dates")
        else:
            self._guilty("metadata", "the XMP packet changed")

    def _information(self) -> None:
        reference = self._new.trailer.get("Info")
        if not isinstance(reference, Ref):
            return
        modified, added = self._touched
        if reference.number not in modified | added:
            return
        self._judged.add(reference.number)
        self._explained.add(reference.number)
        old = self._old.dictionary(reference) or Dictionary()
        new = self._new.dictionary(reference) or Dictionary()
        differing = {
            k for k in old.keys() | new.keys()
            if self._old.resolve(old.get(k)) != self._new.resolve(new.get(k))
        }  # fmt: skip
        for value in new.values():
            self._explain(value)
        if differing <= _INFO_DATES:
            self._allowed("metadata-dates")
        else:
            self._guilty("metadata", f"/{min(differing - _INFO_DATES)} of the information changed")

    def _pages(self, modified: set[int]) -> None:
        """Pages may gain the widgets of new signatures at the end of /Annots; nothing else."""
        arrays: set[int] = set()
        for number in sorted(modified - self._judged):
            old, new = self._old.get(number), self._new.get(number)
            if isinstance(old, Dictionary) and old.get("Type") == "Page":
                self._judged.add(number)
                self._page(number, old, new)
            elif isinstance(old, list):
                arrays.add(number)
        if arrays:
            self._annotation_arrays(arrays)

    def _page(self, number: int, old: Dictionary, new: Value) -> None:
        if not isinstance(new, Dictionary):
            self._guilty("page", f"the page in object {number} was replaced")
            return
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if key == "Annots":
                if before != after:
                    self._take(before, after)
                    self._annotations(number, before, after)
            elif before != after:
                self._guilty("page", f"/{key} of the page in object {number} changed")

    def _annotations(self, number: int, before: Value, after: Value) -> None:
        old, new = self._old.array(before), self._new.array(after)
        if new[: len(old)] != old:
            self._guilty("annotation", f"annotations of page object {number} were changed")
            return
        for item in new[len(old) :]:
            if not isinstance(item, Ref) or item.number not in self._new_widgets:
                self._guilty("annotation", f"an annotation was added to page object {number}")

    def _annotation_arrays(self, arrays: set[int]) -> None:
        for number, page in self._page_tree():
            annotations = page.get("Annots")
            if isinstance(annotations, Ref) and annotations.number in arrays:
                self._judged.add(annotations.number)
                self._annotations(number, annotations, annotations)

    def _page_tree(self) -> Iterator[tuple[int, Dictionary]]:
        """The pages as they were before this save; bounded."""
        stack: list[Value] = [self._old.root.get("Pages")]
        seen: set[int] = set()
        while stack and len(seen) < MAX_PAGES:
            item = stack.pop()
            node = self._old.dictionary(item)
            if not isinstance(item, Ref) or item.number in seen or node is None:
                continue
            seen.add(item.number)
            if node.get("Type") == "Page":
                yield item.number, node
            stack += self._old.array(node.get("Kids"))

    def _judge(self, value: Value) -> None:
        if isinstance(value, Ref):
            self._judged.add(value.number)

    def _take(self, before: Value, after: Value) -> None:
        """An indirect container whose content is compared elsewhere."""
        for value in (before, after):
            if isinstance(value, Ref):
                self._judged.add(value.number)
                self._explained.add(value.number)

    def _explain(self, value: Value) -> None:
        """New objects reachable from something allowed are allowed too."""
        _, added = self._touched
        stack = [value]
        while stack:
            item = stack.pop()
            if isinstance(item, Ref):
                if item.number in added and item.number not in self._explained:
                    self._explained.add(item.number)
                    stack.append(self._new.get(item.number))
            elif isinstance(item, Stream):
                stack += item.dictionary.values()
            elif isinstance(item, Dictionary):
                stack += item.values()
            elif isinstance(item, list):
                stack += item

    def _kind_of(self, number: int) -> str:
        """The best name for a change that no rule foresees."""
        value = self._old.get(number)
        if value is None:
            value = self._new.get(number)
        found = value.dictionary if isinstance(value, Stream) else value
        if not isinstance(found, Dictionary):
            return "object"
        kind, subtype = found.get("Type"), found.get("Subtype")
        if kind in ("EmbeddedFile", "Filespec"):
            return "attachment"
        if kind == "Annot" or subtype == "Widget":
            return "annotation"
        if kind == "Metadata":
            return "metadata"
        if kind in ("Page", "Pages", "Font", "FontDescriptor", "XObject") or "Font" in found:
            return "page"
        return "page" if isinstance(value, Stream) else "object"


def _listed(view: View, value: Value) -> Iterator[tuple[Value, str]]:
    if value is None:
        return
    yield value, "list"
    for item in view.array(value):
        yield item, "value"


def _numbers(view: View, value: Value) -> list[float]:
    return [float(n) for n in map(view.resolve, view.array(value)) if isinstance(n, int | float)]


def _area(view: View, found: Dictionary | None, key: str = "Rect") -> float:
    box = _numbers(view, found.get(key)) if found else []
    if len(box) != 4:
        return 0.0
    return abs(box[2] - box[0]) * abs(box[3] - box[1])


def _page_area(view: View, page: Dictionary | None) -> float:
    """The /MediaBox, inherited where it must be; an A4 page when it is missing."""
    for _ in range(64):
        if page is None:
            break
        area = _area(view, page, "MediaBox")
        if area:
            return area
        page = view.dictionary(page.get("Parent"))
    return 595.0 * 842.0
