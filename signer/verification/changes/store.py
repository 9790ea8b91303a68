"""What a save did to the validation data: DSS and VRI (EN 319 142-1, 5.4.2)."""

from __future__ import annotations

from collections.abc import Iterator

from signer.verification.changes.ledger import Ledger
from signer.verification.file.pdf_objects import Dictionary, PDFSyntaxError, Ref, Stream, Value
from signer.verification.file.references import Reference
from signer.verification.file.structure import View
from signer.verification.file.xref import decode_stream
from signer.verification.signature.der import DERError, read_exactly

_STORE_KEYS = frozenset({"Type", "VRI", "Certs", "CRLs", "OCSPs"})
_RELATED_KEYS = frozenset({"Type", "Cert", "CRL", "OCSP", "TU", "TS"})


def judge_security_store(ledger: Ledger) -> None:
    """Only validation data, only in known places, and used for nothing else."""
    before, after = ledger.old.root.get("DSS"), ledger.new.root.get("DSS")
    if after is None:
        if before is not None:
            ledger.guilty("catalogue", "the validation data were removed")
        return
    old = list(_parts(ledger.old, before))
    new = list(_parts(ledger.new, after))
    catalogue = ledger.old.trailer.get("Root")
    own = {value.number for value, _ in (*old, *new) if isinstance(value, Ref)}

    def is_of_the_store(reference: Reference) -> bool:
        in_catalogue = isinstance(catalogue, Ref) and reference.source == catalogue.number
        return reference.keys[:1] == ("DSS",) if in_catalogue else reference.source in own

    touched = False
    for value, role in new:
        touched = _take(ledger, value, role) or touched
    for value, role in old:
        if role != "value":
            ledger.judge(value, is_of_the_store)
    if touched or before != after:
        ledger.allowed("dss")


def _parts(view: View, store: Value) -> Iterator[tuple[Value, str]]:
    """(value, role) of every part of a DSS: store, vri, entry, list or value."""
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


def _listed(view: View, value: Value) -> Iterator[tuple[Value, str]]:
    if value is None:
        return
    yield value, "list"
    for item in view.array(value):
        yield item, "value"


def _take(ledger: Ledger, value: Value, role: str) -> bool:
    """Mark one part as explained; True when this save touched it."""
    modified, added = ledger.touched
    target = ledger.new.resolve(value)
    if role == "value" and not _is_der(target):
        ledger.guilty("catalogue", "validation data are not DER values")
    if role in ("store", "entry") and isinstance(target, Dictionary):
        extra = target.keys() - (_STORE_KEYS if role == "store" else _RELATED_KEYS)
        if extra:
            ledger.guilty("catalogue", f"validation data hold unknown keys: {sorted(extra)}")
    if not isinstance(value, Ref):
        return False
    if value.number in added:
        ledger.explained.add(value.number)
        return True
    return value.number in modified


def _is_der(value: Value) -> bool:
    """One DER value and nothing else: no page draws such a stream."""
    try:
        return isinstance(value, Stream) and bool(read_exactly(decode_stream(value)).children())
    except (PDFSyntaxError, DERError):
        return False
