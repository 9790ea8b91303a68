"""Validation data as other producers store them: iText, the EU's DSS, Adobe Acrobat.

pdf = add_store(pdf, evidence, Shape.ADOBE, stamp=…)     # one more save with /DSS
pdf = add_document_timestamp(pdf, stamp, kind="Sig")
"""

from __future__ import annotations

import enum
import hashlib
import io
import re
from collections.abc import Callable, Sequence

import pikepdf

from signer.services import RevocationEvidence
from tests.increments import Increment
from tests.office_signing import Stroke, pdf_time, sign_visibly
from tests.sealed import der_value

Stamp = Callable[[bytes], bytes]  # a token over these bytes
_CONTENTS = re.compile(rb"/ByteRange \[[^\]]*\] /Contents <([0-9a-fA-F]+)>")
_KINDS = {"Certs": "Cert", "OCSPs": "OCSP", "CRLs": "CRL"}


class Shape(enum.Enum):
    """Whose habits."""

    ITEXT = "itext"  # packed streams, everything by reference, VRI named by the padded /Contents
    DSS = "dss"  # plain streams, /VRI with /TU and direct arrays, named by the value alone
    ADOBE = "adobe"  # in object streams, /VRI with /TU and /TS, one extension of its own


_EXTENSIONS = {
    Shape.ITEXT: b"<< /ESIC << /BaseVersion /1.7 /ExtensionLevel 5 >> >>",
    Shape.DSS: b"<< /ESIC << /Type /DeveloperExtensions /BaseVersion /1.7 /ExtensionLevel 2 >> >>",
    Shape.ADOBE: b"<< /ADBE << /BaseVersion /1.7 /ExtensionLevel 8 >> >>",
}


def add_store(
    pdf: bytes, evidence: RevocationEvidence, shape: Shape, *, stamp: Stamp | None = None,
    related: bool = True,
) -> bytes:  # fmt: skip
    """`pdf` with the evidence in a save of its own; an earlier store is taken over and grows.

    `stamp` makes the /TS of Adobe's VRI entries; without `related` there is no /VRI.
    """
    save = Increment(pdf, packed=shape is Shape.ADOBE)
    kept = _listed(pdf)
    lists: dict[str, list[int]] = {}
    values = {"Certs": evidence.certificates, "OCSPs": evidence.ocsps, "CRLs": evidence.crls}
    for kind, octets in values.items():
        known = kept.get(kind, {})
        new = [_value(save, shape, value) for value in octets if value not in known]
        lists[kind] = [*known.values(), *new]
    store = b"/Type /DSS" if shape is Shape.DSS else b""
    for kind, numbers in lists.items():
        if numbers:
            store += b" /%s %s" % (kind.encode(), _array(save, shape, numbers))
    if related:
        store += b" /VRI %s" % _related(save, shape, pdf, lists, stamp)
    number = save.indirect(save.root, "/DSS")
    if number is not None:
        save.put(number, b"<< %s >>" % store)
    else:
        number = save.add(b"<< %s >>" % store)
        entry = b" /DSS %d 0 R /Extensions %s >>" % (number, _EXTENSIONS[shape])
        save.edit(save.root, lambda body: body.rstrip()[:-2] + entry)
    return save.close()


def _listed(pdf: bytes) -> dict[str, dict[bytes, int]]:
    """The values of the store that is there, with their object numbers."""
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        store = opened.Root.get("/DSS", {})
        return {
            kind: {item.read_bytes(): item.objgen[0] for item in store.get(f"/{kind}", [])}
            for kind in _KINDS
        }


def _value(save: Increment, shape: Shape, octets: bytes) -> int:
    if shape is Shape.DSS:
        return save.add(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(octets), octets))
    return save.add_stream(b"", octets)


def _array(save: Increment, shape: Shape, numbers: Sequence[int]) -> bytes:
    body = b"[%s]" % b" ".join(b"%d 0 R" % number for number in numbers)
    return body if shape is Shape.DSS else b"%d 0 R" % save.add(body)


def _related(
    save: Increment, shape: Shape, pdf: bytes, lists: dict[str, list[int]], stamp: Stamp | None
) -> bytes:
    entries = b""
    for found in _CONTENTS.findall(pdf):
        padded = bytes.fromhex(found.decode())
        named = der_value(padded) if shape is Shape.DSS else padded
        key = hashlib.sha1(named, usedforsecurity=False).hexdigest().upper().encode()
        body = b" ".join(
            b"/%s %s" % (_KINDS[kind].encode(), _array(save, shape, numbers))
            for kind, numbers in lists.items()
            if numbers
        )
        if shape is not Shape.ITEXT:
            body += b" /TU %s" % pdf_time(_NOW)
        if shape is Shape.ADOBE and stamp is not None:
            body += b" /TS %d 0 R" % save.add_stream(b"", stamp(padded))
        entries += b"/%s %d 0 R " % (key, save.add(b"<< /Type /VRI %s >>" % body))
    return (
        b"<< %s>>" % entries if shape is Shape.DSS else b"%d 0 R" % save.add(b"<< %s>>" % entries)
    )


_NOW = Stroke("", lambda covered: covered, None).at


def add_document_timestamp(
    pdf: bytes, stamp: Stamp, *, name: str = "Timestamp1", kind: str = "DocTimeStamp",
    packed: bool = False,
) -> bytes:  # fmt: skip
    """`pdf` with a document timestamp; `kind` is what its dictionary calls itself."""
    stroke = Stroke(name, stamp, None, sub_filter="ETSI.RFC3161", kind=kind)
    return sign_visibly(pdf, stroke, packed=packed)
