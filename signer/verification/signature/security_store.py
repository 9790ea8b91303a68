"""The document security store: certificates, OCSP responses and CRLs (EN 319 142-1, 5.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from signer.services import RevocationEvidence
from signer.verification.file.pdf_objects import Dictionary, PDFSyntaxError, Ref, Stream, Value
from signer.verification.file.structure import Document, View
from signer.verification.file.xref import Entry, decode_stream
from signer.verification.signature.certificates import (
    Certificate,
    CertificatePool,
    CertificateUnreadable,
    load,
)
from signer.verification.signature.examination import Examined

MAX_VALUES = 1000
_KINDS = ("Certs", "OCSPs", "CRLs")
_VRI_KINDS = {"Cert": "Certs", "OCSP": "OCSPs", "CRL": "CRLs"}
_STORE_KEYS = frozenset({"Type", "VRI", *_KINDS})
_VRI_KEYS = frozenset({"Type", "TU", "TS", *_VRI_KINDS})


_FREE_HEAD = Entry(offset=-1, generation=65535)


def read_security_store(document: Document) -> tuple[RevocationEvidence, list[str]]:
    """All values of /DSS and its /VRI, without duplicates; and what was unreadable."""
    view = document.current
    store = view.dictionary(view.root.get("DSS"))
    if store is None:
        return RevocationEvidence((), (), ()), []
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
    faults = ["unreadable validation data"] if has_fault else []
    return RevocationEvidence(certificates, crls, ocsps), faults


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


def add_readable(
    values: Iterable[bytes], pool: CertificatePool, faults: list[str]
) -> list[Certificate]:
    """Put stored certificates into `pool`; unreadable ones are noted in `faults`."""
    out: list[Certificate] = []
    for octets in values:
        try:
            out.append(load(octets))
        except CertificateUnreadable as error:
            faults.append(str(error))
            continue
        pool.add(out[-1])
    return out


@dataclass(frozen=True, slots=True)
class StoreState:
    """The store as it was read, for judging it where no signature covers it."""

    certificates: list[Certificate]
    faults: list[str]
    pool: CertificatePool

    def unexplained(self, document: Document, items: list[Examined], named: set[str]) -> list[str]:
        """Certificates that nobody signed, and VRI entries of no signature in the file.

        `named` are hashes that /VRI may use besides those of the signatures' /Contents.
        """
        out = [
            f"nobody vouches for the stored certificate of {c.common_name}"
            for c in self.certificates
            if not self.pool.has_issuer(c)
        ]
        view = document.current
        store = view.dictionary(view.root.get("DSS"))
        if store is None:
            return out
        out += _misshapen(view, store)
        if document.revisions[-1].entries.get(0, _FREE_HEAD) != _FREE_HEAD:
            out.append("the last save rewrites the list of free objects")
        highest = max(max(r.entries, default=0) for r in document.revisions)
        if view.trailer.get("Size") != highest + 1:
            out.append("/Size does not count the objects")
        if len(view.array(view.trailer.get("ID"))) not in (0, 2):
            out.append("/ID is not a pair")
        related = view.dictionary(store.get("VRI"))
        known = set(named)
        for item in items:
            if item.coverage:
                padded = item.coverage.contents
                known |= {_vri_key(padded), _vri_key(padded.rstrip(b"\0"))}
        out += [
            f"/VRI names no signature: {key}"
            for key in related or {}
            if key not in known | {"Type"}
        ]
        return out


def _misshapen(view: View, store: Dictionary) -> list[str]:
    """What a store that was written once and left alone does not have (ISO 32000-2 12.8.4.3).

    Unknown keys, a value listed twice, a VRI entry naming what the store does not list: a
    changed digit of a reference shows as one of these.
    """
    out = [f"/DSS has an entry /{key}" for key in store if key not in _STORE_KEYS]
    if view.resolve(store.get("Type")) not in (None, "DSS"):
        out.append("/DSS has another /Type")
    listed = {kind: _references(view, store.get(kind)) for kind in _KINDS}
    out += [
        f"/DSS /{kind} does not list values by reference, each once"
        for kind, refs in listed.items()
        if refs is None
    ]
    for name, entry in (view.dictionary(store.get("VRI")) or {}).items():
        related = view.dictionary(entry) or Dictionary()
        out += [f"/VRI /{name} has an entry /{key}" for key in related if key not in _VRI_KEYS]
        for key, kind in _VRI_KINDS.items():
            refs = _references(view, related.get(key))
            if refs is None or not refs <= (listed[kind] or set()):
                out.append(f"/VRI /{name} /{key} does not name values of the store, each once")
    return out


def _references(view: View, listed: Value) -> set[Ref] | None:
    """The references in an array (none: an empty set); None for a double or a direct value."""
    values = view.array(listed)
    refs = {value for value in values if isinstance(value, Ref)}
    return refs if len(refs) == len(values) else None


def _vri_key(octets: bytes) -> str:
    return hashlib.sha1(octets, usedforsecurity=False).hexdigest().upper()
