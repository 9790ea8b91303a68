"""Reads from the file what tells the parts of its signatures apart (`roles`)."""

from __future__ import annotations

from collections.abc import Sequence

from signer.verification.file.pdf_objects import PDFString, PDFSyntaxError
from signer.verification.file.structure import Document, View, text
from signer.verification.parts.places import place_of
from signer.verification.parts.roles import Mark, parts_of
from signer.verification.parts.subjects import Subject, subject_of, unaccented
from signer.verification.signature.examination import Examined
from signer.verification.summary import Facts


def assign_parts(document: Document, items: Sequence[Examined], facts: dict[int, Facts]) -> None:
    """Put its part into each signature's facts; document timestamps have none."""
    signed = [item for item in items if not item.field.is_timestamp]
    marks = [_mark(document.current, item, facts[id(item)]) for item in signed]
    for item, part in zip(signed, parts_of(marks), strict=True):
        facts[id(item)].part = part


def _mark(view: View, item: Examined, facts: Facts) -> Mark:
    certificate = item.certificate
    try:
        place = place_of(view, item.field.field_number)
    except PDFSyntaxError:
        place = None  # the structure is judged elsewhere; here it only leaves the place unknown
    said = [item.field.dictionary.get(key) for key in ("Reason", "Location")]
    names = certificate.names if certificate else ()
    return Mark(
        name=item.field.name,
        subject=subject_of(certificate) if certificate else Subject.UNKNOWN,
        key=certificate.key_octets if certificate else b"",
        organisation=" ".join(value for _, value in names),
        words=unaccented(" ".join(text(v.value) for v in said if isinstance(v, PDFString))),
        time=facts.proved_time or facts.claimed_time,
        place=place,
    )
