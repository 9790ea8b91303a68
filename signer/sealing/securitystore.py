"""The document security store: /DSS and its /VRI (EN 319 142-1 5.4.2, ISO 32000-2 12.8.4.3)."""

from __future__ import annotations

import hashlib

import pikepdf

from signer.sealing.document import SourceDocument
from signer.sealing.incremental import Revisions
from signer.sealing.syntax import Ref, Value, entry, items, pairs
from signer.services import RevocationEvidence

_CERTS, _OCSPS, _CRLS = "/Certs", "/OCSPs", "/CRLs"
# In a VRI entry the same lists are named in the singular.
_IN_VRI = {_CERTS: "/Cert", _OCSPS: "/OCSP", _CRLS: "/CRL"}


def vri_key(contents: bytes) -> str:
    """The name of a signature's VRI entry: SHA-1 of the whole /Contents value, upper case.

    SHA-1 only names the entry here; the standard fixes it and nothing relies on its strength.
    """
    return "/" + hashlib.sha1(contents, usedforsecurity=False).hexdigest().upper()


class SecurityStore:
    """The DSS of a document being sealed; what it holds already is kept and not repeated."""

    def __init__(self, source: SourceDocument, revisions: Revisions) -> None:
        self._revisions = revisions
        self._known: dict[bytes, Ref] = {}
        self._certificates: list[bytes] = []
        stored = entry(source.catalog, "/DSS")
        for key in _IN_VRI:
            self._read_list(key, entry(stored, key))
        self._vri = {key.upper() for key, _ in pairs(entry(stored, "/VRI"))}

    @property
    def certificates(self) -> list[bytes]:
        """The certificates that the store holds, DER."""
        return self._certificates

    def covers(self, contents: bytes) -> bool:
        """Whether the signature with that /Contents value has its VRI entry."""
        return vri_key(contents) in self._vri

    def add(self, contents: bytes, evidence: RevocationEvidence) -> None:
        """Put evidence for one signature into the revision that is due."""
        root = self._revisions.root
        catalog = self._revisions.dictionary(root)
        owner, store = self._revisions.child(root, catalog, "/DSS")
        if not isinstance(store, dict):
            owner, store = self._revisions.allocate(), {"/Type": b"/DSS"}
            self._revisions.put(owner, store)
            catalog["/DSS"] = owner
            self._revisions.touch(root)
        entry: dict[str, Value] = {}
        for key, values in (
            (_CERTS, evidence.certificates),
            (_OCSPS, evidence.ocsps),
            (_CRLS, evidence.crls),
        ):
            refs: list[Value] = [self._store(owner, store, key, der) for der in values]
            if refs:
                entry[_IN_VRI[key]] = refs
        holder, entries = self._revisions.child(owner, store, "/VRI")
        if not isinstance(entries, dict):
            holder, entries = owner, {}
            store["/VRI"] = entries
        entries[vri_key(contents)] = entry
        self._revisions.touch(holder)
        self._vri.add(vri_key(contents))

    def _read_list(self, key: str, listed: object) -> None:
        for item in items(listed):
            if isinstance(item, pikepdf.Stream) and item.is_indirect:
                try:
                    der = item.read_bytes()
                except pikepdf.PdfError:  # unreadable, so of no use: stored again if need be
                    continue
                self._known[der] = Ref(*item.objgen)
                if key == _CERTS:
                    self._certificates.append(der)

    def _store(self, owner: Ref, store: dict[str, Value], key: str, der: bytes) -> Ref:
        if der in self._known:
            return self._known[der]
        ref = self._revisions.add_stream(der)
        self._known[der] = ref
        self._revisions.append(owner, store, key, ref)
        return ref
