"""The attached provenance manifest (ISO 19005-3 6.8), and that the record is what it says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

from ocr.conformance.packet import PacketValues
from ocr.conformance.rules import (
    Examination,
    Kind,
    date,
    entry,
    exactly,
    indirect,
    integer,
    name,
    octets,
    stream_of,
    string_text,
    text,
)
from ocr.conformance.syntax import PDFString, StreamObject, Value
from ocr.errors import ManifestError
from ocr.record.manifest import canonical, pages_root
from ocr.record.pdfa import MANIFEST_NAME
from ocr.record.pdfwriter import Ref

_RULE, _CLAUSE = "attachment", "6.8"
_MANIFEST = "manifest"

_EMBEDDED = Kind(
    _RULE,
    _CLAUSE,
    {
        "Type": name("EmbeddedFile"),
        "Subtype": name("application/json"),
        "Params": Kind(
            _RULE,
            _CLAUSE,
            {
                "Size": integer(1, 1 << 28),
                "CreationDate": date,
                "ModDate": date,
                "CheckSum": octets,
            },
        ),
        "Length": integer(1, 1 << 28),
        "Filter": name("FlateDecode"),
    },
)
_FILE_NAME = exactly(MANIFEST_NAME, _RULE, _CLAUSE)
FILE_SPECIFICATION = Kind(
    _RULE,
    _CLAUSE,
    {
        "Type": name("Filespec"),
        "F": _FILE_NAME,
        "UF": _FILE_NAME,
        "Desc": text,
        "AFRelationship": name("Data"),
        "EF": Kind(
            _RULE,
            _CLAUSE,
            {"F": indirect(stream_of(_EMBEDDED)), "UF": indirect(stream_of(_EMBEDDED))},
        ),
    },
)


def check_name_tree(exam: Examination, value: Value, where: str) -> None:
    """/EmbeddedFiles: one name, one file specification."""
    _NAME_TREE(exam, value, where)


def _one_pair(exam: Examination, value: Value, where: str) -> None:
    if (
        not isinstance(value, list)
        or len(value) != 2
        or string_text(value[0]) != MANIFEST_NAME
        or not isinstance(value[1], Ref)
    ):
        exam.report(_RULE, _CLAUSE, where, f"is not the one name ({MANIFEST_NAME}) with its file")
        return
    indirect(FILE_SPECIFICATION)(exam, value[1], where)


_NAME_TREE = Kind(_RULE, _CLAUSE, {"Names": _one_pair})


def check_manifest(exam: Examination, catalog: Value, packet: PacketValues) -> None:
    """The attachment is one file, unharmed, and the record holds what it says.

    Compares the packet's digests, the page count and root, and each page's image streams.
    """
    associated, listed = (
        entry(exam, catalog, "AF"),
        entry(exam, catalog, "Names", "EmbeddedFiles", "Names"),
    )
    if not isinstance(associated, list) or not isinstance(listed, list):
        return  # already reported as missing
    if list(associated) != list(listed[1:]):
        exam.report(_RULE, _CLAUSE, "catalog", "/AF and /EmbeddedFiles name different files")
        return
    embedded = entry(exam, associated[0], "EF", "F")
    if not isinstance(embedded, StreamObject):
        return
    if entry(exam, associated[0], "EF", "UF") != embedded:
        exam.report(_RULE, _CLAUSE, "catalog /AF", "/F and /UF are different files")
    where = "attachment"
    data = exam.decoded(embedded, where)
    if data is None:
        return
    _check_parameters(exam, embedded, data, where)
    if packet.own.get("ManifestSHA256") != hashlib.sha256(data).hexdigest():
        exam.report(_MANIFEST, _CLAUSE, where, "the packet's /ManifestSHA256 is not its digest")
    _check_pages(exam, data, packet, where)


def _check_parameters(exam: Examination, embedded: StreamObject, data: bytes, where: str) -> None:
    stated = entry(exam, embedded, "Params", "CheckSum")
    digest = hashlib.md5(data, usedforsecurity=False).digest()
    if entry(exam, embedded, "Params", "Size") != len(data) or stated != PDFString(digest):
        exam.report(_RULE, _CLAUSE, where, "/Params /Size or /CheckSum is not that of the file")


def _check_pages(exam: Examination, data: bytes, packet: PacketValues, where: str) -> None:
    try:
        document = json.loads(data)
        if canonical(document) != data:
            exam.report(_MANIFEST, _CLAUSE, where, "the manifest is not in canonical form")
        pages, root = document["pages"], document["tree"]["root"]
        found_root = pages_root(pages)
        stored = [[image["sha256"] for image in page["stored"]] for page in pages]
    except (ValueError, KeyError, TypeError, AttributeError, ManifestError) as error:
        exam.report(_MANIFEST, _CLAUSE, where, f"the manifest cannot be read: {error!r}")
        return
    if not found_root == root == packet.own.get("PagesRoot"):
        exam.report(_MANIFEST, _CLAUSE, where, "the root is not that of the manifest's pages")
    if len(pages) != len(exam.pages) or packet.own.get("PageCount") != str(len(pages)):
        exam.report(_MANIFEST, _CLAUSE, where, "the record does not have the manifest's pages")
        return
    _check_images(exam, stored, where)


def _check_images(exam: Examination, stored: Sequence[Sequence[str]], where: str) -> None:
    for number, (page, digests) in enumerate(zip(exam.pages, stored, strict=True), 1):
        images = entry(exam, page, "Resources", "XObject")
        found = [
            exam.file.stream_sha256(image)
            for ref in (images.values() if isinstance(images, Mapping) else ())
            if isinstance(ref, Ref) and isinstance(image := exam.file.get(ref), StreamObject)
        ]
        if found != list(digests):
            exam.report(
                _MANIFEST, _CLAUSE, where, f"page {number} does not hold the images it should"
            )
