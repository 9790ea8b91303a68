"""Wire models of clerical sequences: what clients send, and what they see."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.web.routes.signatures import moment
from api.web.schemas import BlobReference, ErrorView, Form, LevelName, Line, ResultReference
from dossier.clerical.order import ClericalSequence, Numbering, Place, SequenceOrder
from dossier.model import JSON, SequenceState
from dossier.register.codes import printed
from signer.sealing.levels import Level

PATH = "/v1/sequences"


class PlaceForm(Form):
    """A rectangle on a page, for documents without typed blanks."""

    page: int = Field(ge=1, le=10_000, description="Trang, từ 1. / Page, from 1.")
    rect: tuple[float, float, float, float] = Field(
        description="x0, y0, x1, y1 theo điểm, gốc dưới trái. / in points from the lower left."
    )

    def place(self) -> Place:
        """Raises `InvalidOrder`."""
        return Place(self.page, self.rect)


class SequenceForm(Form):
    """A draft, and who signs it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "document": {"sha256": "0" * 64},
                    "leader_key": "leader",
                    "agency_key": "seal",
                    "symbol": "QĐ-UBND",
                    "type_code": "QĐ",
                    "level": "B-LTA",
                }
            ]
        }
    )

    document: BlobReference
    leader_key: Line = Field(
        min_length=1, max_length=64, description="Khóa của người có thẩm quyền. / Leader's key."
    )
    agency_key: Line = Field(
        min_length=1, max_length=64, description="Khóa của cơ quan. / The agency's key."
    )
    symbol: Line = Field(min_length=1, max_length=64, description="Ký hiệu, như QĐ-UBND.")
    type_code: Line | None = Field(default=None, min_length=1, max_length=8)
    level: LevelName = "B-LTA"
    expected_agency: Line | None = Field(default=None, max_length=500)
    reason: Line | None = Field(default=None, max_length=500)
    location: Line | None = Field(default=None, max_length=200)
    result_reference: ResultReference = None
    number_place: PlaceForm | None = None
    date_place: PlaceForm | None = None

    def order(self) -> SequenceOrder:
        """The order that this describes. Raises `InvalidOrder`."""
        return SequenceOrder(
            leader_key=self.leader_key,
            agency_key=self.agency_key,
            symbol=self.symbol,
            type_code=self.type_code,
            level=Level(self.level),
            expected_agency=self.expected_agency,
            reason=self.reason,
            location=self.location,
            result_reference=self.result_reference,
            number_place=self.number_place.place() if self.number_place else None,
            date_place=self.date_place.place() if self.date_place else None,
        )


class NumberingForm(Form):
    """Number and date of issue. Without a number the book gives its next one."""

    decided_on: date = Field(description="Ngày ban hành. / Date of issue.")
    number: int | None = Field(default=None, ge=1, le=999_999)

    def numbering(self) -> Numbering:
        """Raises `InvalidOrder`."""
        return Numbering(self.decided_on, self.number)


class AnnexForm(Form):
    """An annex in a file of its own."""

    document: BlobReference


class CopyForm(Form):
    """An electronic copy: SY (sao y), TRS (trích sao), SL (sao lục)."""

    document: BlobReference
    form: Literal["SY", "TRS", "SL"]
    key: Line | None = Field(default=None, min_length=1, max_length=64)
    copying_agency: Line | None = Field(default=None, max_length=500)


class StepView(BaseModel):
    """A part that is done."""

    step: Literal["leader", "number", "seal"]
    by: str
    name: str
    key: str
    at: str
    sha256: str


class SequenceView(BaseModel):
    """A sequence."""

    id: str
    code: str
    state: SequenceState
    version: int
    step_running: Literal["leader", "number", "seal", "issue"] | None
    next_steps: list[Literal["leader", "number", "seal", "issue"]]
    order: dict[str, Any]
    steps: list[StepView]
    source_sha256: str
    current_sha256: str
    number: int | None
    symbol: str
    year: int | None
    record_id: str | None
    error: ErrorView | None
    created_at: str
    links: dict[str, str]


def shown(found: ClericalSequence) -> dict[str, JSON]:
    """A sequence as clients see it."""
    base = f"{PATH}/{found.id}"
    links = {
        "self": base,
        "document": f"/v1/blobs/{found.current_sha256}",
        "documents": f"{base}/documents",
    }
    if found.state is SequenceState.ISSUED:
        links["result"] = f"/v1/signatures/{found.record_id}/result"
    return {
        "id": found.id,
        "code": printed(found.code),
        "state": found.state.value,
        "version": found.version,
        "step_running": found.step_running,
        "next_steps": [] if found.step_running else [step.value for step in found.next_steps],
        "order": found.order.to_json(),
        "steps": [
            {
                "step": part.step.value,
                "by": part.by,
                "name": part.name,
                "key": part.key,
                "at": part.at,
                "sha256": part.sha256,
            }
            for part in found.steps
        ],
        "source_sha256": found.source_sha256,
        "current_sha256": found.current_sha256,
        "number": found.number,
        "symbol": found.symbol,
        "year": found.year,
        "record_id": found.record_id,
        "error": found.error,
        "created_at": moment(found.created_at),
        "links": links,
    }
