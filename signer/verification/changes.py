"""What each incremental save changed, object by object (step 8 of `verify`).

A change is guilty until it is on the list: validation data, document timestamps, later
signatures with their fields and appearances, modification dates. All else is named: page
content, annotation, form value, metadata, attachment. Threats: shadow attacks, evil annotation,
sneaky signature, swapped dictionaries, a page replaced by an incremental save.
"""

from __future__ import annotations

from collections.abc import Iterator

from signer.verification.change_ledger import Ledger
from signer.verification.der import DERError, read_exactly
from signer.verification.pdf_objects import (
    Dictionary,
    Name,
    PDFString,
    PDFSyntaxError,
    Ref,
    Stream,
    Value,
)
from signer.verification.report import Change
from signer.verification.structure import View, unexplained_bytes
from signer.verification.xmp import same_but_for_dates
from signer.verification.xref import decode_stream

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


class Step(Ledger):
    """Compares the file before and after one incremental save; made for one use."""

    def changes(self) -> tuple[Change, ...]:
        """Everything that this save did, judged. Raises `PDFSyntaxError`."""
        self._trailer()
        at = unexplained_bytes(self.document, self.number)
        if at is not None:
            self.guilty("hidden-bytes", f"byte {at} belongs to no listed object")
        modified, added = self.touched
        self._catalogue()
        self._security_store()
        self._form()
        self._metadata()
        self._information()
        self._pages(modified)
        for number in sorted(modified - self.judged):
            self.guilty(self.kind_of(number), f"object {number} was replaced")
        containers = self.containers(added)
        for number in sorted(added - self.explained - self.judged - containers):
            self.guilty(self.kind_of(number), f"object {number} was added and belongs nowhere")
        return tuple(dict.fromkeys(self.found))

    def _trailer(self) -> None:
        old, new = self.old.trailer, self.new.trailer
        if old.get("Root") != new.get("Root"):
            self.guilty("catalogue", "the trailer names another catalogue")
        if old.get("Info") is not None and old.get("Info") != new.get("Info"):
            self.guilty("metadata", "the trailer names another information dictionary")
        before, after = self.old.array(old.get("ID")), self.new.array(new.get("ID"))
        if before and before[:1] != after[:1]:
            self.guilty("catalogue", "the file identifier changed")
        for key in new.keys() - old.keys() - _TRAILER_KEYS:
            self.guilty("catalogue", f"the trailer has a new key /{key}")

    def _catalogue(self) -> None:
        old, new = self.old.root, self.new.root
        self.judge(self.old.trailer.get("Root"))
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if before == after or key in ("DSS", "AcroForm"):
                continue
            if key == "Metadata" and isinstance(before, Ref) and isinstance(after, Ref):
                continue
            if key == "Extensions" and isinstance(self.new.resolve(after), Dictionary):
                self.explain(after)
            elif key == "Version" and isinstance(after, Name):
                continue
            else:
                kind = _CATALOGUE_KINDS.get(key, "catalogue")
                self.guilty(kind, f"/{key} of the catalogue changed")

    def _security_store(self) -> None:
        """DSS and VRI (EN 319 142-1, 5.4.2): only validation data, only in known places."""
        before, after = self.old.root.get("DSS"), self.new.root.get("DSS")
        if after is None:
            if before is not None:
                self.guilty("catalogue", "the validation data were removed")
            return
        touched = False
        for value, name in self._store_parts(after):
            touched = self._take_store_part(value, name) or touched
        for value, name in self._store_parts(before, self.old):
            if name != "value" and isinstance(value, Ref):
                self.judge(value)
        if touched or before != after:
            self.allowed("dss")

    def _store_parts(self, store: Value, view: View | None = None) -> Iterator[tuple[Value, str]]:
        """(value, role) of every part of a DSS: store, vri, entry, list or value."""
        view = view or self.new
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
        modified, added = self.touched
        target = self.new.resolve(value)
        if role == "value" and not _is_der(target):
            self.guilty("catalogue", "validation data are not DER values")
        if role in ("store", "entry") and isinstance(target, Dictionary):
            extra = target.keys() - (_DSS_KEYS if role == "store" else _VRI_KEYS)
            if extra:
                self.guilty("catalogue", f"validation data hold unknown keys: {sorted(extra)}")
        if not isinstance(value, Ref):
            return False
        if value.number in added:
            self.explained.add(value.number)
            return True
        return value.number in modified

    def _form(self) -> None:
        old, new = self.old.acro_form, self.new.acro_form
        if old and self.new.root.get("AcroForm") is None:
            self.guilty("form", "the form was removed")
            return
        self.take(self.old.root.get("AcroForm"), self.new.root.get("AcroForm"))
        self.take(old.get("Fields"), new.get("Fields"))
        for key in sorted(old.keys() | new.keys()):
            if key not in ("Fields", "SigFlags") and old.get(key) != new.get(key):
                self._form_key(key, old.get(key), new.get(key))
        before, after = self.old.array(old.get("Fields")), self.new.array(new.get("Fields"))
        if after[: len(before)] != before:
            self.guilty("form", "fields were removed or reordered")
        self._fields()

    def _form_key(self, key: str, before: Value, after: Value) -> None:
        if key == "DR" and before is None:
            self.explain(after)
            return
        is_new_default = key == "DA" and before is None and isinstance(after, PDFString)
        is_harmless = key == "NeedAppearances" and after in (None, False)
        if not is_new_default and not is_harmless:
            self.guilty("form", f"/{key} of the form changed")

    def _fields(self) -> None:
        modified, added = self.touched
        for name, number, field, kind in self.new.fields():
            if number in added:
                if kind == "Sig":
                    self._new_signature(name, number, field)
                else:
                    self.explained.add(number)
                    self.guilty("form", f"the field {name!r} was added")
            elif number in modified:
                self.judged.add(number)
                self._modified_field(name, number, field, kind)
        for signature in self.old.signatures():
            if signature.object_number in modified:
                self.judged.add(signature.object_number)
                self.guilty("signature-altered", f"the signature {signature.name!r} was replaced")

    def _modified_field(self, name: str, number: int, field: Dictionary, kind: str) -> None:
        before = self.old.dictionary(Ref(number, 0)) or Dictionary()
        differing = {
            key for key in before.keys() | field.keys() if before.get(key) != field.get(key)
        }
        if kind == "Sig" and before.get("V") is None and field.get("V") is not None:
            if differing <= _FILLED:
                self._new_signature(name, number, field)
            else:
                self.guilty("annotation", f"/{min(differing - _FILLED)} of {name!r} changed")
        elif kind == "Sig":
            self.guilty("signature-altered", f"the signature field {name!r} changed")
        elif "V" in differing or "AS" in differing:
            self.guilty("form-value", f"the value of {name!r} changed")
        else:
            self.guilty("annotation", f"the appearance of {name!r} changed")

    def _new_signature(self, name: str, number: int, field: Dictionary) -> None:
        """A field signed (or made empty) by this save, with its appearance and nothing else."""
        self.new_widgets.add(number)
        self.explained.add(number)
        for key, value in field.items():
            if key not in ("P", "Parent", "Kids"):
                self.explain(value)
        if field.get("V") is None:
            self.guilty("form", f"an empty signature field {name!r} was added")
            return
        signature = self.new.dictionary(field.get("V")) or Dictionary()
        is_time = "ETSI.RFC3161" in (signature.get("SubFilter"),)
        if self._covers_too_much(field):
            self.guilty("appearance", f"{name!r} covers too much of its page")
        elif is_time and _area(self.new, field) > _ZERO_AREA:
            self.guilty("appearance", f"the document timestamp {name!r} is visible")
        self.allowed("document-timestamp" if is_time else "signature", name)

    def _covers_too_much(self, field: Dictionary) -> bool:
        area = _area(self.new, field)
        if area <= _ZERO_AREA:
            return False
        page = self.new.dictionary(field.get("P"))
        limit = MAX_WIDGET_SHARE * _page_area(self.new, page)
        return area > limit

    def _metadata(self) -> None:
        before, after = self.old.root.get("Metadata"), self.new.root.get("Metadata")
        modified, _ = self.touched
        if not isinstance(before, Ref) or not isinstance(after, Ref):
            return
        if before == after and after.number not in modified:
            return
        self.judged.add(after.number)
        self.explained.add(after.number)
        old, new = self.old.resolve(before), self.new.resolve(after)
        if isinstance(old, Stream) and isinstance(new, Stream) and same_but_for_dates(old, new):
            self.allowed("metadata-dates")
        else:
            self.guilty("metadata", "the XMP packet changed")

    def _information(self) -> None:
        reference = self.new.trailer.get("Info")
        if not isinstance(reference, Ref):
            return
        modified, added = self.touched
        if reference.number not in modified | added:
            return
        self.judged.add(reference.number)
        self.explained.add(reference.number)
        old = self.old.dictionary(reference) or Dictionary()
        new = self.new.dictionary(reference) or Dictionary()
        differing = {
            k for k in old.keys() | new.keys()
            if self.old.resolve(old.get(k)) != self.new.resolve(new.get(k))
        }  # fmt: skip
        for value in new.values():
            self.explain(value)
        if differing <= _INFO_DATES:
            self.allowed("metadata-dates")
        else:
            self.guilty("metadata", f"/{min(differing - _INFO_DATES)} of the information changed")

    def _pages(self, modified: set[int]) -> None:
        """Pages may gain the widgets of new signatures at the end of /Annots; nothing else."""
        arrays: set[int] = set()
        for number in sorted(modified - self.judged):
            old, new = self.old.get(number), self.new.get(number)
            if isinstance(old, Dictionary) and old.get("Type") == "Page":
                self.judged.add(number)
                self._page(number, old, new)
            elif isinstance(old, list):
                arrays.add(number)
        if arrays:
            self._annotation_arrays(arrays)

    def _page(self, number: int, old: Dictionary, new: Value) -> None:
        if not isinstance(new, Dictionary):
            self.guilty("page", f"the page in object {number} was replaced")
            return
        for key in sorted(old.keys() | new.keys()):
            before, after = old.get(key), new.get(key)
            if key == "Annots":
                if before != after:
                    self.take(before, after)
                    self._annotations(number, before, after)
            elif before != after:
                self.guilty("page", f"/{key} of the page in object {number} changed")

    def _annotations(self, number: int, before: Value, after: Value) -> None:
        old, new = self.old.array(before), self.new.array(after)
        if new[: len(old)] != old:
            self.guilty("annotation", f"annotations of page object {number} were changed")
            return
        for item in new[len(old) :]:
            if not isinstance(item, Ref) or item.number not in self.new_widgets:
                self.guilty("annotation", f"an annotation was added to page object {number}")

    def _annotation_arrays(self, arrays: set[int]) -> None:
        for number, page in self._page_tree():
            annotations = page.get("Annots")
            if isinstance(annotations, Ref) and annotations.number in arrays:
                self.judged.add(annotations.number)
                self._annotations(number, annotations, annotations)

    def _page_tree(self) -> Iterator[tuple[int, Dictionary]]:
        """The pages as they were before this save; bounded."""
        stack: list[Value] = [self.old.root.get("Pages")]
        seen: set[int] = set()
        while stack and len(seen) < MAX_PAGES:
            item = stack.pop()
            node = self.old.dictionary(item)
            if not isinstance(item, Ref) or item.number in seen or node is None:
                continue
            seen.add(item.number)
            if node.get("Type") == "Page":
                yield item.number, node
            stack += self.old.array(node.get("Kids"))


def _is_der(value: Value) -> bool:
    """One DER value and nothing else: no page draws such a stream."""
    try:
        return isinstance(value, Stream) and bool(read_exactly(decode_stream(value)).children())
    except (PDFSyntaxError, DERError):
        return False


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
