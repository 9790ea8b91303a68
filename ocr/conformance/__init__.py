"""A closed-world check of records: PDF/A-3u as this project writes and signs it, nothing else.

A validator asks whether a file breaks a rule; this asks whether a file has anything that is not
on our lists: a key, an operator, a filter, a namespace, an annotation, a byte between objects.
So it is short, it needs no model of all of PDF, and what nobody thought of fails. It says
nothing about files of other makers. Together with PDFBox preflight on a PDF/A-1b twin it stands
for the claim "checked by PDFBox preflight and a closed-world checker".

    layout (every byte) > trailers > pages and content > catalog, forms, evidence > fonts
    > packet and information > manifest against pages > objects that nothing leads to
"""

from ocr.conformance.checker import check_conformance, require_conformant
from ocr.conformance.findings import ConformanceReport, Finding

__all__ = ["ConformanceReport", "Finding", "check_conformance", "require_conformant"]
