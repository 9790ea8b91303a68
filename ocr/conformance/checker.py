"""The whole check, from the file's bytes to its pages."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from ocr.conformance.attachment import check_manifest
from ocr.conformance.document import CATALOG, INFORMATION, check_pages, check_trailers, root_of
from ocr.conformance.findings import ConformanceReport, Finding
from ocr.conformance.fonts import check_fonts
from ocr.conformance.forms import check_widgets_on_pages, is_empty_appearance
from ocr.conformance.layout import LayoutViolation, RecordFile
from ocr.conformance.packet import check_information, read_packet
from ocr.conformance.rules import Examination, entry
from ocr.conformance.syntax import StreamObject, Value
from ocr.errors import ConformanceError
from ocr.record.pdfwriter import Ref

_SHOWN_FINDINGS = 5


def check_conformance(path: Path) -> ConformanceReport:
    """Look for anything in a record, signed or not, that PDF/A-3u as we write it does not have.

    Reads the file in pieces; memory does not grow with the images. Raises `ConformanceError`
    only when the file cannot be read at all; everything else is a finding.
    """
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise ConformanceError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return _check(fd)
    except OSError as error:
        raise ConformanceError(f"{path} cannot be read: {error.strerror}") from error
    finally:
        os.close(fd)


def require_conformant(path: Path) -> ConformanceReport:
    """Return the report of a record without findings. Raises `ConformanceError` otherwise."""
    report = check_conformance(path)
    if report.findings:
        shown = "; ".join(str(f) for f in report.findings[:_SHOWN_FINDINGS])
        more = len(report.findings) - _SHOWN_FINDINGS
        raise ConformanceError(
            f"{path.name} is not the PDF/A-3u that a record has to be; keep it out of the "
            f"archive and write it again: {shown}" + (f"; and {more} more" if more > 0 else "")
        )
    return report


def _check(fd: int) -> ConformanceReport:
    try:
        file = RecordFile(fd)
    except LayoutViolation as error:
        damage = error.damage
        finding = Finding(damage.rule, damage.clause, damage.where, damage.message)
        return ConformanceReport((finding,), revisions=0, pages=0, signatures=0)
    exam = Examination(file)
    check_trailers(exam)
    root = root_of(exam, "Root")
    catalog = exam.resolve(root, "catalog") if root is not None else None
    if catalog is None:
        exam.report("catalog", "6.1.2", "trailer", "there is no document catalog")
    else:
        _check_document(exam, catalog)
    _check_every_object(exam)
    for damage in file.damages:
        exam.report(damage.rule, damage.clause, damage.where, damage.message)
    return ConformanceReport(exam.findings, len(file.revisions), len(exam.pages), exam.signatures)


def _check_document(exam: Examination, catalog: Value) -> None:
    tree = catalog.get("Pages") if isinstance(catalog, Mapping) else None
    check_pages(exam, tree if isinstance(tree, Ref) else None)
    CATALOG(exam, catalog, "catalog")
    check_widgets_on_pages(exam)
    check_fonts(exam)
    packet = read_packet(exam, entry(exam, catalog, "Metadata"), "catalog /Metadata")
    info = root_of(exam, "Info")
    information = exam.resolve(info, "information") if info is not None else None
    if information is not None:
        INFORMATION(exam, information, "information")
        check_information(exam, information, packet, "information")
    check_manifest(exam, catalog, packet)


def _check_every_object(exam: Examination) -> None:
    """Every object of every revision is well-formed, and was part of the document at its time.

    But for empty appearances: where a field is created and signed in one revision, the
    signature's appearance takes the place of the empty one before anything refers to it.
    """
    explained: set[int] = set()
    view: dict[int, int] = {}
    for revision in exam.file.revisions:
        view.update(revision.offsets)
        explained |= _reachable(exam, view, revision.trailer)
    for number, offset in exam.file.every_object():
        value = exam.file.at(offset, number)
        if offset not in explained and not is_empty_appearance(value):
            exam.report(
                "object.unused", "6.1.9", f"object {number}", f"nothing leads to byte {offset}"
            )


def _reachable(
    exam: Examination, view: Mapping[int, int], trailer: Mapping[str, Value]
) -> set[int]:
    """Offsets of the objects that a revision's trailer leads to."""
    found: set[int] = set()
    pending = list(_references(trailer))
    while pending:
        number = pending.pop().number
        offset = view.get(number)
        if offset is None or offset in found:
            continue
        found.add(offset)
        value = exam.file.at(offset, number)
        if value is not None:
            pending.extend(_references(value))
    return found


def _references(value: Value) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, StreamObject):
        yield from _references(value.entries)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
