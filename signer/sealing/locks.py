"""What earlier signatures allow: DocMDP, FieldMDP and signature field locks.

ISO 32000-1 12.8.2.2 and 12.8.2.4, ISO 32000-2 table 236. A change that a signature forbids
would make that signature invalid, so it is refused before any key is used.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from signer.errors import PolicyRefused
from signer.sealing.document import SourceDocument
from signer.sealing.fields import SignatureField, signature_value
from signer.sealing.syntax import Ref, Value, entry, items, load, text_of, text_string

_NO_CHANGES = 1
_FORM_FILLING = 2
_ALL_PERMITTED = 3


@dataclass(frozen=True, slots=True)
class FieldLock:
    """A FieldMDP transform: which fields may no longer change."""

    action: str  # /All, /Include or /Exclude
    names: frozenset[str]

    def covers(self, name: str) -> bool:
        """Whether the field of that name, or one above it, is locked."""
        if self.action == "/All":
            return True
        parts = name.split(".")
        listed = any(".".join(parts[: i + 1]) in self.names for i in range(len(parts)))
        return listed if self.action == "/Include" else not listed


@dataclass(slots=True)
class Restrictions:
    """The sum of what the signatures of a document forbid; grows as signatures are added."""

    permission: int | None = None  # the strictest DocMDP level; None without any
    locks: tuple[FieldLock, ...] = ()
    signatures: int = 0

    @classmethod
    def read(cls, source: SourceDocument, signed: Iterable[SignatureField]) -> Restrictions:
        """Collect the restrictions of the signatures that the document came with."""
        found = cls()
        for field in signed:
            found.signatures += 1
            found._read_references(signature_value(source, field))
            found._read_lock(field.lock)
        return found

    def check_signing(self, name: str, field: SignatureField | None) -> None:
        """Raise `PolicyRefused` unless a signature may go into `field` (None: a new one)."""
        if self.permission == _NO_CHANGES:
            raise PolicyRefused(
                "Tài liệu đã được chứng nhận là bản cuối (DocMDP không cho thay đổi); hãy ký bản "
                "chưa chứng nhận. / The document is certified as final (DocMDP: no changes), so "
                "another signature would break it; sign a copy made before it was certified."
            )
        if field is None and self.permission is not None:
            raise PolicyRefused(
                f"Tài liệu đã được chứng nhận nên không thêm được trường “{name}”; hãy tạo đủ các "
                "trường trước chữ ký chứng nhận, hoặc dùng trường còn trống. / The document is "
                "certified, so no signature field may be added: create all fields before the "
                "certifying signature, or use an empty one."
            )
        if any(lock.covers(name) for lock in self.locks):
            raise PolicyRefused(
                f"Một chữ ký trước đã khóa trường “{name}” (FieldMDP); hãy dùng trường khác. / An "
                "earlier signature locks this field (FieldMDP); use another one."
            )
        if field is not None and field.mandatory_seed:
            raise PolicyRefused(
                f"Trường “{name}” có ràng buộc bắt buộc (SV) mà hệ thống không đáp ứng; hãy dùng "
                "trường khác. / This field carries mandatory seed values, which sealing cannot "
                "honour; use another one."
            )

    def check_certifying(self, earlier: int = 0) -> None:
        """Raise `PolicyRefused` unless the signature is the first; `earlier` ones are planned."""
        if self.signatures or earlier:
            raise PolicyRefused(
                "Chỉ chữ ký đầu tiên mới chứng nhận được tài liệu; hãy ký không chứng nhận. / Only "
                "the first signature can certify a document; seal without certification."
            )

    def certified(self) -> None:
        """Note that this run certified the document (form filling)."""
        self._restrict(_FORM_FILLING)

    def signed(self, field: SignatureField) -> None:
        """Note that this run signed `field`, whose lock takes effect."""
        self.signatures += 1
        self._read_lock(field.lock)

    def _restrict(self, permission: int) -> None:
        current = _ALL_PERMITTED if self.permission is None else self.permission
        self.permission = min(permission, current)

    def _read_references(self, signature: object) -> None:
        for reference in items(entry(signature, "/Reference")):
            params = entry(reference, "/TransformParams")
            method = entry(reference, "/TransformMethod")
            if method == "/DocMDP":
                self._restrict(_permission(entry(params, "/P"), _FORM_FILLING))
            elif method == "/FieldMDP":
                self._add_lock(entry(params, "/Action"), entry(params, "/Fields"))

    def _read_lock(self, lock: dict[str, object] | None) -> None:
        if lock is None:
            return
        self._add_lock(lock.get("/Action"), lock.get("/Fields"))
        if "/P" in lock:
            self._restrict(_permission(lock["/P"], _NO_CHANGES))

    def _add_lock(self, action: object, names: object) -> None:
        kind = text_of(action)
        # An action that nobody knows locks all: the strict reading cannot break a signature.
        known = kind if kind in {"/Include", "/Exclude"} else "/All"
        self.locks = (*self.locks, FieldLock(known, frozenset(map(text_of, items(names)))))


def _permission(value: object, default: int) -> int:
    """A DocMDP level; what is not one counts as the strictest."""
    if value is None:
        return default
    return value if isinstance(value, int) and 1 <= value <= _ALL_PERMITTED else _NO_CHANGES


def certification() -> Value:
    """The /Reference entry of a certifying signature: form filling and signing stay allowed."""
    params: dict[str, Value] = {
        "/Type": b"/TransformParams",
        "/P": b"%d" % _FORM_FILLING,
        "/V": b"/1.2",
    }
    return _reference(b"/DocMDP", params)


def field_lock(field: SignatureField, root: Ref) -> Value | None:
    """The /Reference entry that a field's own /Lock asks of its signature (12.7.4.5)."""
    if field.lock is None:
        return None
    params: dict[str, Value] = {"/Type": b"/TransformParams", "/V": b"/1.2"}
    params["/Action"] = load(field.lock.get("/Action"))
    if "/Fields" in field.lock:
        params["/Fields"] = [text_string(text_of(name)) for name in items(field.lock["/Fields"])]
    if "/P" in field.lock:
        params["/P"] = load(field.lock["/P"])
    return _reference(b"/FieldMDP", params, root)


def _reference(method: bytes, params: dict[str, Value], data: Ref | None = None) -> Value:
    entry: dict[str, Value] = {
        "/Type": b"/SigRef",
        "/TransformMethod": method,
        "/TransformParams": params,
    }
    if data is not None:
        entry["/Data"] = data
    return entry
