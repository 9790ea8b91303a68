"""One report in the form that its reader wants: JSON, ETSI XML, PDF, or a signed receipt.

`Accept` decides (RFC 9110 clause 12.5.1); what names none of the three gets JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import Depends, Query, Request, Response

from api.auth import authenticate
from api.web.doorway import JSONAnswer, blocking, house_of, request_id
from api.web.downloads import disposition
from api.web.schemas import Line
from dossier.verifying.receipts import ReceiptRequest
from dossier.verifying.report_pdf import ReportFacts, write_report
from signer.clock import VIETNAM
from signer.verification.etsi_report import etsi_report

if TYPE_CHECKING:
    from dossier.model import Caller

Format = Literal["json", "xml", "pdf"]
Report = Mapping[str, Any]
_FORMATS: Mapping[str, Format] = {
    "application/json": "json",
    "application/xml": "xml",
    "text/xml": "xml",
    "application/pdf": "pdf",
}
_OTHERS = ("*/*", "application/*")
_PDF = "application/pdf"

DESCRIBED: dict[str, Any] = {
    "description": "Báo cáo (docs/verification.md). / The report.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["indication", "integrity", "signatures", "document_timestamps"],
                "properties": {
                    "indication": {"enum": ["TOTAL-PASSED", "INDETERMINATE", "TOTAL-FAILED"]},
                    "integrity": {"type": "string"},
                    "signatures": {"type": "array", "items": {"type": "object"}},
                    "document_timestamps": {"type": "array", "items": {"type": "object"}},
                },
            }
        },
        "application/xml": {"schema": {"type": "string"}},
        _PDF: {"schema": {"type": "string", "format": "binary"}},
    },
}
"""How OpenAPI describes an answer of `answer`."""


@dataclass(frozen=True, slots=True)
class ReceiptWish:
    """Whether a signed receipt is wanted, whose key seals it, and what the document is called."""

    is_wanted: bool
    key: str | None
    reference: str

    async def require_allowed(self, request: Request) -> Caller | None:
        """The caller, where a receipt is wanted: before anything is verified.

        Raises what `api.auth.authenticate` and `Receipts.require_allowed` raise.
        """
        if not self.is_wanted:
            return None
        caller = await authenticate(request)
        house_of(request).receipts.require_allowed(self._asked(request, caller))
        return caller

    async def answer(self, request: Request, report: Report, caller: Caller | None) -> Response:
        """The report as it is wanted; the receipt for `caller` when one is."""
        if self.is_wanted:
            asked = self._asked(request, caller)
            made = await blocking(house_of(request).receipts.seal, report, asked)
            headers = {**_named(report, "receipt.pdf"), "etag": f'"{made.sha256}"'}
            return Response(made.pdf, 200, headers, _PDF)
        match format_of(request.headers.get("accept")):
            case "xml":
                xml = await blocking(etsi_report, report)
                return Response(xml, 200, _named(report, "report.xml"), "application/xml")
            case "pdf":
                facts = ReportFacts(datetime.now(VIETNAM), subject=self.reference)
                pdf = await blocking(write_report, report, facts)
                return Response(pdf, 200, _named(report, "report.pdf"), _PDF)
        return JSONAnswer(dict(report), headers={"vary": "accept"})

    def _asked(self, request: Request, caller: Caller | None) -> ReceiptRequest:
        return ReceiptRequest(caller, self.key, self.reference, request_id(request))


async def _wish(
    receipt: Annotated[
        bool, Query(description="PDF có chữ ký số. / A PDF that is sealed; needs credentials.")
    ] = False,
    receipt_key: Annotated[
        Line | None,
        Query(max_length=64, description="Khóa ký biên nhận. / The key that seals it."),
    ] = None,
    reference: Annotated[
        Line | None,
        Query(max_length=500, description="Tên văn bản trong báo cáo. / The document's name."),
    ] = None,
) -> Any:  # noqa: ANN401 - FastAPI resolves the annotation at run time
    return ReceiptWish(receipt, receipt_key, reference or "")


Wish = Annotated[Any, Depends(_wish)]
"""A `ReceiptWish`."""


def format_of(accept: str | None) -> Format:
    """The one of ours that Accept likes best; JSON among equals, and where it names none."""
    best: tuple[float, Format] = (0.0, "json")
    for entry in (accept or "").split(",")[:20]:
        name, _, parameters = entry.partition(";")
        media_type = name.strip().lower()
        found = _FORMATS.get(media_type, "json" if media_type in _OTHERS else None)
        weight = _weight(parameters)
        if found is not None and (weight > best[0] or (weight == best[0] > 0 and found == "json")):
            best = (weight, found)
    return best[1]


def _weight(parameters: str) -> float:
    _, is_there, text = parameters.partition("q=")
    if not is_there:
        return 1.0
    try:
        return float(text.partition(";")[0].strip())
    except ValueError:
        return 0.0


def _named(report: Report, ending: str) -> dict[str, str]:
    name = f"{report['document']['sha256'][:16]}-{ending}"
    return {"content-disposition": disposition(name), "vary": "accept"}
