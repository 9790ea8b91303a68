"""The document security store: certificates, OCSP responses and CRLs (EN 319 142-1, 5.4)."""

from __future__ import annotations

from signer.services import RevocationEvidence
from signer.verification.pdf_objects import PDFSyntaxError, Stream, Value
from signer.verification.structure import Document, View
from signer.verification.xref import decode_stream

MAX_VALUES = 1000


def read_security_store(document: Document) -> tuple[RevocationEvidence, bool]:
    """All values of /DSS and its /VRI, without duplicates; True when some were unreadable."""
    view = document.current
    store = view.dictionary(view.root.get("DSS"))
    if store is None:
        return RevocationEvidence((), (), ()), False
    places = [(store.get("Certs"), store.get("OCSPs"), store.get("CRLs"))]
    related = view.dictionary(store.get("VRI"))
    for entry in (related or {}).values():
        found = view.dictionary(entry)
        if found is not None:
            places.append((found.get("Cert"), found.get("OCSP"), found.get("CRL")))
    has_fault = False
    kinds: list[tuple[bytes, ...]] = []
    for kind in zip(*places, strict=True):
        values: dict[bytes, None] = {}
        for listed in kind:
            octets, fault = _streams(view, listed)
            values.update(dict.fromkeys(octets))
            has_fault = has_fault or fault
        kinds.append(tuple(values))
    certificates, ocsps, crls = kinds
    return RevocationEvidence(certificates, crls, ocsps), has_fault


def _streams(view: View, listed: Value) -> tuple[list[bytes], bool]:
    out: list[bytes] = []
    has_fault = False
    for item in view.array(listed)[:MAX_VALUES]:
        try:
            stream = view.resolve(item)
            if isinstance(stream, Stream):
                out.append(decode_stream(stream))
            else:
                has_fault = True
        except PDFSyntaxError:
            has_fault = True
    return out, has_fault
