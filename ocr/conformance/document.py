"""The document's skeleton: trailer, catalog, information, output intent, pages."""

from __future__ import annotations

from collections.abc import Mapping

from ocr.conformance.attachment import FILE_SPECIFICATION, check_name_tree
from ocr.conformance.content import check_content
from ocr.conformance.forms import (
    FORM,
    RESOURCE_KINDS,
    SECURITY_STORE,
    check_permissions,
)
from ocr.conformance.rules import (
    Examination,
    Kind,
    anyhow,
    array,
    boolean,
    date,
    entry,
    exactly,
    indirect,
    integer,
    name,
    numbers,
    rectangle,
    stream_of,
    text,
)
from ocr.conformance.syntax import PDFString, StreamObject, Value
from ocr.record.pdfa import srgb_profile
from ocr.record.pdfwriter import Ref

_LEAST_SIDE_PT, _MOST_SIDE_PT = 3.0, 14_400.0  # ISO 19005-3 6.1.13
_LANGUAGE = "vi-VN"
_INTENT = "sRGB IEC61966-2.1"
_ID_BYTES = 16
_MOST_PAGES = 100_000


def _anything_read_later(exam: Examination, value: Value, where: str) -> None:
    """A reference whose object has its own check elsewhere."""
    exam.resolve(value, where)


def _profile(exam: Examination, value: Value, where: str) -> None:
    _PROFILE_STREAM(exam, value, where)
    data = exam.decoded(value, where) if isinstance(value, StreamObject) else None
    if data is not None and data != srgb_profile():
        exam.report("intent.profile", "6.2.3", where, "is not our sRGB profile")


_PROFILE_STREAM = Kind(
    "intent.profile",
    "6.2.3",
    {"N": integer(3, 3), "Length": integer(1, 1 << 20), "Filter": name("FlateDecode")},
)
_OUTPUT_INTENT = Kind(
    "intent",
    "6.2.3",
    {
        "Type": name("OutputIntent"),
        "S": name("GTS_PDFA1"),
        "OutputConditionIdentifier": exactly(_INTENT, "intent", "6.2.3"),
        "Info": exactly(_INTENT, "intent", "6.2.3"),
        "DestOutputProfile": indirect(stream_of(_profile)),
    },
)
_CONTENT_STREAM = Kind(
    "page.contents", "6.2.2", {"Length": integer(1, 1 << 28), "Filter": name("FlateDecode")}
)
_RESOURCES = Kind(
    "page.resources",
    "6.2.2",
    {"XObject": RESOURCE_KINDS["XObject"]},
    {"Font": RESOURCE_KINDS["Font"]},
)


def _media_box(exam: Examination, value: Value, where: str) -> None:
    numbers(4)(exam, value, where)
    box = rectangle(value if isinstance(value, list) else None)
    if box is None or not all(
        _LEAST_SIDE_PT <= side <= _MOST_SIDE_PT for side in (box[2] - box[0], box[3] - box[1])
    ):
        exam.report("page.size", "6.1.13", where, "is not a page of 3 to 14400 points a side")


_PAGE = Kind(
    "page",
    "6.1.13",
    {
        "Type": name("Page"),
        "Parent": _anything_read_later,
        "MediaBox": _media_box,
        "Resources": _RESOURCES,
        "Contents": indirect(stream_of(_CONTENT_STREAM)),
    },
    {"Annots": anyhow(array(_anything_read_later))},
)


def _page(exam: Examination, value: Value, where: str) -> None:
    _PAGE(exam, value, where)
    contents = entry(exam, value, "Contents")
    if isinstance(contents, StreamObject):
        check_content(exam, contents, entry(exam, value, "Resources"), f"{where} /Contents", "page")


def _kids(exam: Examination, value: Value, where: str) -> None:
    array(indirect(_page), 1, _MOST_PAGES)(exam, value, where)
    if isinstance(value, list):
        exam.pages.extend(v for v in value if isinstance(v, Ref))


_PAGE_TREE = Kind(
    "pages",
    "6.1.13",
    {"Type": name("Pages"), "Kids": _kids, "Count": integer(1, _MOST_PAGES)},
)


def check_pages(exam: Examination, tree: Ref | None) -> None:
    """The page tree: one level, the right count, each page once with its parent."""
    where = "page tree"
    value = exam.resolve(tree, where) if tree is not None else None
    if value is None:
        exam.report("pages", "6.1.13", where, "there is no page tree")
        return
    _PAGE_TREE(exam, value, where)
    if entry(exam, value, "Count") != len(exam.pages) or len(set(exam.pages)) != len(exam.pages):
        exam.report("pages", "6.1.13", where, "/Count is not the number of different pages")
    for page in exam.pages:
        found = exam.file.get(page)
        if isinstance(found, Mapping) and found.get("Parent") != tree:
            exam.report("pages", "6.1.13", f"object {page.number}", "/Parent is not its parent")


CATALOG = Kind(
    "catalog",
    "6.1.2",
    {
        "Type": name("Catalog"),
        "Pages": _anything_read_later,
        "Metadata": indirect(_anything_read_later),
        "OutputIntents": array(indirect(_OUTPUT_INTENT), 1, 1),
        "Lang": exactly(_LANGUAGE, "catalog.language", "6.7.4"),
        "ViewerPreferences": Kind("catalog", "6.1.2", {"DisplayDocTitle": boolean(True)}),
        "AF": array(indirect(FILE_SPECIFICATION), 1, 1),
        "Names": Kind("catalog.names", "6.8", {"EmbeddedFiles": check_name_tree}),
    },
    {
        "AcroForm": anyhow(FORM),
        "DSS": anyhow(SECURITY_STORE),
        "Perms": anyhow(check_permissions),
    },
)

INFORMATION = Kind(
    "info",
    "6.1.5",
    {
        "Title": text,
        "Author": text,
        "Creator": text,
        "Producer": text,
        "CreationDate": date,
        "ModDate": date,
    },
)


def check_trailers(exam: Examination) -> None:
    """Every trailer has the known keys; root, information and /ID stay what they were."""
    first = exam.file.revisions[0].trailer
    for index, revision in enumerate(exam.file.revisions):
        where = f"trailer {index + 1}"
        (_TRAILER if index == 0 else _UPDATE_TRAILER)(exam, revision.trailer, where)
        for key in ("Root", "Info", "ID"):
            if revision.trailer.get(key) != first.get(key):
                exam.report("file.trailer", "6.1.3", where, f"/{key} differs from the first one's")
    highest = max(exam.file.current, default=0)
    if exam.file.trailer.get("Size") != highest + 1:
        exam.report("file.trailer", "6.1.3", "last trailer", "/Size is not one more than all")


def _identifier(exam: Examination, value: Value, where: str) -> None:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or not all(isinstance(v, PDFString) and len(v.raw) == _ID_BYTES for v in value)
    ):
        exam.report("file.id", "6.1.3", where, "is not two strings of 16 bytes")


_TRAILER_KEYS = {
    "Size": integer(1, 8_388_608),  # indirect objects, 6.1.13
    "Root": _anything_read_later,
    "Info": _anything_read_later,
    "ID": _identifier,
}
_TRAILER = Kind("file.trailer", "6.1.3", _TRAILER_KEYS)
_UPDATE_TRAILER = Kind("file.trailer", "6.1.3", {**_TRAILER_KEYS, "Prev": integer(1, 2**31 - 1)})


def root_of(exam: Examination, key: str) -> Ref | None:
    """A reference in the last trailer (Root, Info)."""
    value = exam.file.trailer.get(key)
    return value if isinstance(value, Ref) else None
