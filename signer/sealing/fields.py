"""Signature fields and their widgets (ISO 32000-1 12.7.4.5; ISO 19005-3 6.3).

The fields are read once from the document as it came and then kept along, so that later
signatures of the same run need no second parse.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import overload

import pikepdf

from signer.errors import PolicyRefused, UnsuitableDocument
from signer.sealing.document import PageTree, SourceDocument
from signer.sealing.incremental import Revisions
from signer.sealing.stamp import PageGeometry, Rect
from signer.sealing.syntax import Ref, Value, entry, items, numbers, pairs, text_of, text_string

_MAX_FIELDS = 20_000
_MAX_FIELD_DEPTH = 32
_WIDGET_FLAGS = b"132"  # Print and Locked; PDF/A wants Print and none of the hiding flags
_SIGNATURES_EXIST_APPEND_ONLY = 3  # /SigFlags, ISO 32000-1 table 219
INVISIBLE: Rect = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class SignatureField:
    """A signature field of the document and its first widget."""

    name: str  # fully qualified
    ref: Ref
    widget: Ref  # the same as `ref` where field and widget are merged
    rect: Rect
    page: int | None  # 0-based; None when no page lists the widget
    signature: Ref | None  # the signature dictionary once signed
    lock: dict[str, object] | None = None  # /Lock, still as pikepdf gave it
    mandatory_seed: bool = False  # /SV demands something (its /Ff is not 0)
    has_appearance: bool = False

    @property
    def visible(self) -> bool:
        """Whether the widget has an area."""
        return self.rect[0] < self.rect[2] and self.rect[1] < self.rect[3]


class _Pages(Sequence[PageGeometry]):
    """Page geometry on demand."""

    def __init__(self, tree: PageTree) -> None:
        self._tree = tree

    def __len__(self) -> int:
        return len(self._tree)

    @overload
    def __getitem__(self, index: int) -> PageGeometry: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PageGeometry]: ...
    def __getitem__(self, index: int | slice) -> PageGeometry | Sequence[PageGeometry]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if index < 0:
            index += len(self._tree)
        if not 0 <= index < len(self._tree):
            raise IndexError(index)
        page, inherited = self._tree.find(index)
        media = rectangle(inherited.get("/MediaBox")) or (0.0, 0.0, 612.0, 792.0)
        crop = rectangle(inherited.get("/CropBox")) or media
        box = (
            max(media[0], crop[0]),
            max(media[1], crop[1]),
            min(media[2], crop[2]),
            min(media[3], crop[3]),
        )
        rotate = inherited.get("/Rotate", 0)
        quarter = int(rotate) % 360 if isinstance(rotate, int) else 0
        unit: object = page.get("/UserUnit", 1)
        scale = float(unit) if isinstance(unit, int | Decimal) and unit > 0 else 1.0
        box = box if box[0] < box[2] and box[1] < box[3] else media
        return PageGeometry(box, quarter, scale)


class SignatureFields:
    """The signature fields of one document while it is being sealed.

    Implements `DocumentGeometry`. Not safe for several threads. Reading raises
    `UnsuitableDocument` for forms that sealing cannot continue (XFA, cyclic fields).
    """

    def __init__(self, source: SourceDocument, revisions: Revisions) -> None:
        self._revisions = revisions
        self._tree = PageTree(source.catalog)
        self.source = source
        self._fields: dict[str, SignatureField] = {}
        self._names: set[str] = set()
        self._placed: set[str] = set()
        self._read(entry(source.catalog, "/AcroForm"))

    @property
    def pages(self) -> Sequence[PageGeometry]:
        """All pages in order."""
        return _Pages(self._tree)

    @property
    def signature_rects(self) -> Mapping[str, tuple[int, Rect]]:
        """Visible signatures, and fields that this run created: name → (page index, rectangle)."""
        found = {}
        for field in self._fields.values():
            if field.visible and (field.signature is not None or field.name in self._placed):
                page = self._page_of(field)
                if page is not None:
                    found[field.name] = (page, field.rect)
        return found

    @property
    def signed(self) -> list[SignatureField]:
        """Fields with a signature or document timestamp, in the order of the form."""
        return [field for field in self._fields.values() if field.signature is not None]

    def find(self, name: str) -> SignatureField | None:
        """The signature field of that fully qualified name.

        Raises `PolicyRefused` when the name belongs to a field of another kind.
        """
        field = self._fields.get(name)
        if field is None and name in self._names:
            raise PolicyRefused(
                f"“{name}” là trường biểu mẫu khác, không phải trường chữ ký; hãy chọn tên khác. / "
                "That name belongs to a form field that is no signature field; choose another."
            )
        return field

    def unused_name(self, stem: str) -> str:
        """`stem` with the first number that no field has yet."""
        number = 1
        while f"{stem}{number}" in self._names:
            number += 1
        return f"{stem}{number}"

    def create(
        self, name: str, page_index: int, rect: Rect, appearance: Ref | None = None
    ) -> SignatureField:
        """Add an empty field, merged with its widget, to the form and to a page.

        Raises `PolicyRefused` for a name that is taken or holds a period (12.7.3.2).
        """
        if not name or "." in name or name in self._names:
            raise PolicyRefused(
                f"Không thể đặt tên trường chữ ký mới là “{name}” (rỗng, có dấu chấm, hoặc đã có); "
                "hãy chọn tên khác. / A new signature field cannot have this name: it is empty, "
                "holds a period, or is taken; choose another."
            )
        ref = self._revisions.allocate()
        page, _ = self._tree.find(page_index)
        page_ref = Ref(*page.objgen)
        widget: dict[str, Value] = {
            "/Type": b"/Annot",
            "/Subtype": b"/Widget",
            "/FT": b"/Sig",
            "/T": text_string(name),
            "/F": _WIDGET_FLAGS,
            "/P": page_ref,
            "/Rect": numbers(rect),
        }
        if appearance is not None:
            widget["/AP"] = {"/N": appearance}
        self._revisions.put(ref, widget)
        self._append_annotation(page_ref, ref)
        self._append_field(ref)
        field = SignatureField(name, ref, ref, rect, page_index, signature=None)
        self._fields[name] = field
        self._names.add(name)
        self._placed.add(name)
        return field

    def mark(self, page_index: int, rect: Rect, appearance: Ref, told: str) -> None:
        """Add a rubber stamp (12.5.6.12) to a page: printed with it, in no form, never signed.

        `told` says in words what it shows (ISO 19005-3 6.3.3).
        """
        page, _ = self._tree.find(page_index)
        page_ref = Ref(*page.objgen)
        ref = self._revisions.allocate()
        self._revisions.put(
            ref,
            {
                "/Type": b"/Annot",
                "/Subtype": b"/Stamp",
                "/F": _WIDGET_FLAGS,
                "/P": page_ref,
                "/Rect": numbers(rect),
                "/Contents": text_string(told),
                "/AP": {"/N": appearance},
            },
        )
        self._append_annotation(page_ref, ref)

    def fill(self, field: SignatureField, signature: Ref, appearance: Ref | None) -> SignatureField:
        """Give the field its signature dictionary and, if any, its appearance."""
        entries = self._revisions.dictionary(field.ref)
        entries["/V"] = signature
        self._revisions.touch(field.ref)
        if appearance is not None:
            widget = self._revisions.dictionary(field.widget)
            widget["/AP"] = {"/N": appearance}
            self._revisions.touch(field.widget)
        self._set_flags()
        signed = replace(field, signature=signature)
        self._fields[field.name] = signed
        return signed

    # reading

    def _read(self, form: object) -> None:
        if entry(form, "/XFA") is not None:
            raise UnsuitableDocument(
                "Tài liệu là biểu mẫu XFA, PDF/A không cho phép; hãy in ra PDF thường trước. / "
                "The document is an XFA form, which PDF/A forbids; print it to a plain PDF first."
            )
        for count, (name, kind, node) in enumerate(_walk(entry(form, "/Fields"))):
            if count >= _MAX_FIELDS:
                raise UnsuitableDocument(
                    f"Biểu mẫu có hơn {_MAX_FIELDS} trường; hãy tạo lại tài liệu. / The form has "
                    f"more than {_MAX_FIELDS} fields; re-create the document."
                )
            self._names.add(name)
            if kind == "/Sig" and node.is_indirect:
                self._fields[name] = _signature_field(name, node)

    def _page_of(self, field: SignatureField) -> int | None:
        if field.page is not None:
            return field.page
        page = entry(self.source.object(field.widget), "/P")
        if isinstance(page, pikepdf.Dictionary) and page.is_indirect:
            return self._tree.index_of(Ref(*page.objgen))
        for index in range(len(self._tree)):
            for annotation in items(entry(self._tree.find(index)[0], "/Annots")):
                if isinstance(annotation, pikepdf.Dictionary) and (
                    Ref(*annotation.objgen) == field.widget
                ):
                    return index
        return None

    # editing

    def _form(self) -> tuple[Ref, dict[str, Value]]:
        """The form dictionary and the object to touch; made when there is none."""
        root = self._revisions.root
        catalog = self._revisions.dictionary(root)
        owner, form = self._revisions.child(root, catalog, "/AcroForm")
        if isinstance(form, dict):
            return owner, form
        ref = self._revisions.allocate()
        fresh: dict[str, Value] = {"/Fields": []}
        self._revisions.put(ref, fresh)
        catalog["/AcroForm"] = ref
        self._revisions.touch(root)
        return ref, fresh

    def _append_field(self, field: Ref) -> None:
        owner, form = self._form()
        self._revisions.append(owner, form, "/Fields", field)
        self._set_flags()

    def _append_annotation(self, page: Ref, widget: Ref) -> None:
        self._revisions.append(page, self._revisions.dictionary(page), "/Annots", widget)

    def _set_flags(self) -> None:
        owner, form = self._form()
        held = form.get("/SigFlags", b"0")
        flags = int(held) if isinstance(held, bytes) and held.isdigit() else 0
        if flags | _SIGNATURES_EXIST_APPEND_ONLY != flags:
            form["/SigFlags"] = b"%d" % (flags | _SIGNATURES_EXIST_APPEND_ONLY)
            self._revisions.touch(owner)


def signature_value(source: SourceDocument, field: SignatureField) -> object:
    """The signature dictionary that the document came with for a signed field."""
    if field.signature is None or field.signature == field.ref:
        return entry(source.object(field.ref), "/V")
    return source.object(field.signature)


def rectangle(value: object) -> Rect | None:
    """A PDF rectangle with its corners in order, or None when it is not one."""
    corners = items(value)
    if len(corners) != 4 or not all(isinstance(c, int | Decimal) for c in corners):
        return None
    x0, y0, x1, y1 = (float(str(corner)) for corner in corners)
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _walk(fields: object) -> Iterator[tuple[str, str, pikepdf.Object]]:
    """Every named field: fully qualified name, inherited type, dictionary."""
    stack = [(node, "", "", 0) for node in reversed(items(fields))]
    while stack:
        node, prefix, kind, depth = stack.pop()
        if not isinstance(node, pikepdf.Dictionary):
            continue
        if depth >= _MAX_FIELD_DEPTH:
            raise UnsuitableDocument(
                "Các trường biểu mẫu lồng quá sâu hoặc thành vòng; hãy tạo lại tài liệu. / The "
                "form's fields are nested too deep, or in a circle; re-create the document."
            )
        kind = text_of(node.get("/FT", kind))
        name = prefix
        if "/T" in node:
            own = text_of(node["/T"])
            name = f"{prefix}.{own}" if prefix else own
            yield name, kind, node
        named = [k for k in items(entry(node, "/Kids")) if entry(k, "/T") is not None]
        stack += [(kid, name, kind, depth + 1) for kid in reversed(named)]


def _signature_field(name: str, node: pikepdf.Object) -> SignatureField:
    widget = node
    if "/Rect" not in node:
        for kid in items(entry(node, "/Kids"))[:1]:
            if isinstance(kid, pikepdf.Dictionary) and kid.is_indirect:
                widget = kid
    signature = entry(node, "/V")
    signed = None
    if isinstance(signature, pikepdf.Dictionary):
        # A direct signature dictionary is legal, if odd; the field itself then stands for it.
        signed = Ref(*signature.objgen) if signature.is_indirect else Ref(*node.objgen)
    lock = entry(node, "/Lock")
    return SignatureField(
        name=name,
        ref=Ref(*node.objgen),
        widget=Ref(*widget.objgen),
        rect=rectangle(entry(widget, "/Rect")) or INVISIBLE,
        page=None,
        signature=signed,
        lock=dict(pairs(lock)) if isinstance(lock, pikepdf.Dictionary) else None,
        mandatory_seed=entry(entry(node, "/SV"), "/Ff") not in {None, 0},
        has_appearance=entry(widget, "/AP") is not None,
    )
