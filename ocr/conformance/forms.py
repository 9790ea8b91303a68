"""What sealing adds: fields, widgets, signatures, evidence (ISO 19005-3 6.3, 6.4; PAdES).

Nothing here judges a signature; that is `signer.verification`'s part. The question is only
whether the file still is the PDF/A that it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ocr.conformance.content import check_content
from ocr.conformance.images import check_image
from ocr.conformance.rules import (
    Check,
    Examination,
    Kind,
    anyhow,
    array,
    date,
    entry,
    indirect,
    integer,
    integers,
    name,
    named,
    numbers,
    octets,
    rectangle,
    stream_of,
    text,
)
from ocr.conformance.syntax import PDFString, StreamObject, Value
from ocr.record.pdfwriter import Name, Ref

_WIDGET_FLAGS = 132  # Print and Locked; none of the flags that hide (6.3.2)
_SIGNATURES_EXIST_APPEND_ONLY = 3
_VRI_KEY = re.compile(r"[0-9A-F]{40}")
_RESOURCE_NAME = re.compile(r"(Im|F)\d{1,3}")
_DER_SEQUENCE = b"\x30"


def note_font(exam: Examination, value: Value, where: str) -> None:
    """A font resource has to be a reference; what it shows is looked at when all is read."""
    if isinstance(value, Ref):
        exam.codes.setdefault(value.number, set())
    else:
        exam.report("value.reference", "6.1.9", where, "is not an indirect reference")


def _image_stream(exam: Examination, value: Value, where: str) -> None:
    if isinstance(value, StreamObject):
        check_image(exam, value, where)


RESOURCE_KINDS: Mapping[str, Check] = {
    "XObject": named(indirect(stream_of(_image_stream)), _RESOURCE_NAME),
    "Font": named(note_font, _RESOURCE_NAME),
}

_FORM = Kind(
    "form.xobject",
    "6.2.9",
    {
        "Type": name("XObject"),
        "Subtype": name("Form"),
        "BBox": numbers(4),
        "Resources": Kind("form.resources", "6.2.2", {}, RESOURCE_KINDS),
        "Length": integer(0, 1 << 24),
    },
    {"Matrix": numbers(6), "Filter": name("FlateDecode")},
)


def _appearance(exam: Examination, value: Value, where: str) -> None:
    _FORM(exam, value, where)
    if isinstance(value, StreamObject):
        check_content(exam, value, value.entries.get("Resources"), where, "form")


def is_empty_appearance(value: Value | None) -> bool:
    """Whether an object is a form that shows nothing: no content, no resources."""
    return (
        isinstance(value, StreamObject)
        and value.length == 0
        and value.entries.keys() == {"Type", "Subtype", "BBox", "Resources", "Length"}
        and value.entries["Subtype"] == Name("Form")
        and value.entries["Resources"] == {}
    )


def _byte_range(exam: Examination, signature: Value, where: str) -> None:
    """The gap is exactly /Contents and the range ends where a revision ends (6.4.3)."""
    ranges, contents = entry(exam, signature, "ByteRange"), entry(exam, signature, "Contents")
    if not isinstance(ranges, list) or not isinstance(contents, PDFString) or len(ranges) != 4:
        return
    first, before, after, rest = (v if isinstance(v, int) else -1 for v in ranges)
    ends = {revision.end for revision in exam.file.revisions}
    if first != 0 or not 0 < before < after or after + rest not in ends:
        exam.report("signature.range", "6.4.3", where, "/ByteRange does not cover its revision")
        return
    gap = exam.file.read(before, min(after - before, exam.file.size))
    if gap.lower() != b"<" + contents.raw.hex().encode("ascii") + b">":
        exam.report("signature.range", "6.4.3", where, "/ByteRange leaves out more than /Contents")


_PARAMETERS = Kind(
    "signature.reference",
    "6.1.12",
    {"Type": name("TransformParams"), "V": name("1.2")},
    {
        "P": integer(1, 3),
        "Action": name("All", "Include", "Exclude"),
        "Fields": array(text),
    },
)
_REFERENCE = Kind(
    "signature.reference",
    "6.1.12",  # digests of objects are forbidden there
    {
        "Type": name("SigRef"),
        "TransformMethod": name("DocMDP", "FieldMDP"),
        "TransformParams": _PARAMETERS,
    },
    {"Data": lambda exam, value, where: _is_root(exam, value, where)},
)
_SIGNATURE = Kind(
    "signature",
    "6.4.3",
    {
        "Type": name("Sig"),
        "Filter": name("Adobe.PPKLite"),
        "SubFilter": name("ETSI.CAdES.detached"),
        "M": date,
        "ByteRange": integers(4),
        "Contents": octets,
    },
    {
        "Name": text,
        "Reason": text,
        "Location": text,
        "ContactInfo": text,
        "Reference": array(_REFERENCE, 1, 2),
    },
)
_TIMESTAMP = Kind(
    "signature",
    "6.4.3",
    {
        "Type": name("DocTimeStamp"),
        "Filter": name("Adobe.PPKLite"),
        "SubFilter": name("ETSI.RFC3161"),
        "ByteRange": integers(4),
        "Contents": octets,
    },
)


def _is_root(exam: Examination, value: Value, where: str) -> None:
    if value != exam.file.trailer.get("Root"):
        exam.report("signature.reference", "6.1.12", where, "is not the document catalog")


def _signature(exam: Examination, value: Value, where: str) -> None:
    exam.signatures += 1
    stamped = entry(exam, value, "Type") == Name("DocTimeStamp")
    (_TIMESTAMP if stamped else _SIGNATURE)(exam, value, where)
    _byte_range(exam, value, where)


def _note_page(exam: Examination, value: Value, where: str) -> None:
    if value not in exam.pages:
        exam.report("widget", "6.3.2", where, "is not a page of the document")


_WIDGET_FIELD = Kind(
    "widget",
    "6.3.2",
    {
        "Type": name("Annot"),
        "Subtype": name("Widget"),
        "FT": name("Sig"),
        "T": text,
        "F": integer(_WIDGET_FLAGS, _WIDGET_FLAGS),
        "P": _note_page,
        "Rect": numbers(4),
    },
    {
        "AP": Kind("widget.appearance", "6.3.3", {"N": indirect(stream_of(_appearance))}),
        "V": indirect(_signature),
        "Lock": anyhow(
            Kind(
                "widget.lock",
                "6.4.3",
                {"Type": name("SigFieldLock"), "Action": name("All", "Include", "Exclude")},
                {"Fields": array(text), "P": integer(1, 3)},
            )
        ),
    },
)


def _widget(exam: Examination, value: Value, where: str) -> None:
    _WIDGET_FIELD(exam, value, where)
    box = rectangle(entry(exam, value, "Rect"))
    if box is None:
        exam.report("widget.rectangle", "6.3.2", where, "/Rect is not a rectangle")
    elif box[0] < box[2] and box[1] < box[3] and entry(exam, value, "AP") is None:
        exam.report("widget.appearance", "6.3.3", where, "a visible widget has no appearance")


FORM = Kind(
    "acroform",
    "6.4.1",
    {
        "Fields": anyhow(array(indirect(_widget))),
        "SigFlags": integer(_SIGNATURES_EXIST_APPEND_ONLY, _SIGNATURES_EXIST_APPEND_ONLY),
    },
)


def _evidence(exam: Examination, value: Value, where: str) -> None:
    _EVIDENCE_STREAM(exam, value, where)
    if isinstance(value, StreamObject) and exam.file.read(value.start, 1) != _DER_SEQUENCE:
        exam.report("dss", "6.4.3", where, "is not DER")


_EVIDENCE_STREAM = Kind("dss", "6.4.3", {"Length": integer(1, 1 << 26)})
_EVIDENCE = anyhow(array(indirect(stream_of(_evidence))))
SECURITY_STORE = Kind(
    "dss",
    "6.4.3",
    {
        "Type": name("DSS"),
        "VRI": anyhow(
            named(
                anyhow(
                    Kind(
                        "dss", "6.4.3", {}, {"Cert": _EVIDENCE, "OCSP": _EVIDENCE, "CRL": _EVIDENCE}
                    )
                ),
                _VRI_KEY,
            )
        ),
    },
    {"Certs": _EVIDENCE, "OCSPs": _EVIDENCE, "CRLs": _EVIDENCE},
)


def check_permissions(exam: Examination, value: Value, where: str) -> None:
    """/Perms may name a certifying signature, and that has to be the one of a field."""
    _PERMISSIONS(exam, value, where)
    fields = entry(exam, exam.file.trailer.get("Root"), "AcroForm", "Fields")
    signatures = [
        field_entries.get("V")
        for field in (fields if isinstance(fields, list) else ())
        if isinstance(field, Ref) and isinstance(field_entries := exam.file.get(field), Mapping)
    ]
    certified = value.get("DocMDP") if isinstance(value, Mapping) else None
    if certified not in signatures:
        exam.report("permissions", "6.1.12", where, "/DocMDP is not the signature of a field")


def _any_reference(exam: Examination, value: Value, where: str) -> None:
    if not isinstance(value, Ref):
        exam.report("permissions", "6.1.12", where, "is not an indirect reference")


_PERMISSIONS = Kind("permissions", "6.1.12", {"DocMDP": _any_reference})


_PRINTED_CODE = Kind(
    "stamp",
    "6.3.2",
    {
        "Type": name("Annot"),
        "Subtype": name("Stamp"),
        "F": integer(_WIDGET_FLAGS, _WIDGET_FLAGS),
        "P": _note_page,
        "Rect": numbers(4),
        "Contents": text,
        "AP": Kind("widget.appearance", "6.3.3", {"N": indirect(stream_of(_appearance))}),
    },
)
"""The QR code of an issued result: a rubber stamp, printed with its page."""


def check_widgets_on_pages(exam: Examination) -> None:
    """Each field is an annotation of its own page, once; others are printed codes (6.3.1)."""
    fields = entry(exam, exam.file.trailer.get("Root"), "AcroForm", "Fields")
    listed = [f.number for f in fields if isinstance(f, Ref)] if isinstance(fields, list) else []
    shown: list[int] = []
    for page in exam.pages:
        annotations = entry(exam, page, "Annots")
        for widget in annotations if isinstance(annotations, list) else ():
            if not isinstance(widget, Ref):
                continue
            found = exam.file.get(widget)
            if isinstance(found, Mapping) and found.get("Subtype") == Name("Stamp"):
                _PRINTED_CODE(exam, found, f"object {widget.number}")
            else:
                shown.append(widget.number)
            if isinstance(found, Mapping) and found.get("P") != page:
                where = f"object {widget.number}"
                exam.report("widget", "6.3.2", where, "/P is not the page that shows it")
    if sorted(listed) != sorted(shown) or len(set(listed)) != len(listed):
        exam.report("widget", "6.3.1", "pages", "annotations and form fields are not the same")
