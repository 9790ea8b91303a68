"""Wire models of papers: what people type and decide, what clients see of a paper."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import BaseModel, Field

from api.web.routes.signatures import moment
from api.web.schemas import ID_PATTERN, ErrorView, Form, Line
from dossier.checking.completeness import Missing
from dossier.checking.looking import Checklist, ChecklistItem, ItemState, ReuseGround
from dossier.checking.taking import Wanted
from dossier.checking.texts import MAX_FIELD, MAX_REASON
from dossier.checking.typing import MAX_VERSION
from dossier.checking.values import Correction, Entry, EntryState, Paper
from dossier.intake.catalogues import Exclusion
from dossier.model import JSON
from dossier.stacks.values import PaperState

PATH = "/v1/papers"
TargetPath = Annotated[
    str,
    Path(
        max_length=128,
        pattern=r"^[a-z]+:[a-zA-Z0-9_:-]+$",
        description="field:TÊN[:n], word:TRANG:n hay word:TRANG:gn. / field:NAME[:n], "
        "word:PAGE:n, or word:PAGE:gn for the n-th place with ink and no word.",
    ),
]
Reason = Annotated[Line, Field(max_length=MAX_REASON, description="Lý do. / Why.")]
PaperId = Annotated[str, Field(pattern=ID_PATTERN)]
Code = Annotated[Line, Field(min_length=1, max_length=64)]


class WantedForm(Form):
    """Which paper is wanted: of one station, dossier or stack; not those of `passing`."""

    station: Annotated[Line, Field(max_length=200)] | None = None
    dossier_code: Code | None = None
    stack_id: PaperId | None = None
    passing: list[PaperId] = Field(default=[], max_length=100)

    def wanted(self) -> Wanted:
        """As the desk takes it."""
        return Wanted(self.station, self.dossier_code, self.stack_id, frozenset(self.passing))


class DraftForm(Form):
    """What is being typed. `version`: the client's running number; left out, the next one."""

    value: str = Field(max_length=4 * MAX_FIELD)
    version: int | None = Field(default=None, ge=1, le=MAX_VERSION)


class ConfirmForm(DraftForm):
    """What a person stands for, and why where it needs saying."""

    reason: Reason | None = None


class ReasonForm(Form):
    """Why."""

    reason: Annotated[Reason, Field(min_length=1)]


class RefusalForm(ReasonForm):
    """Why a paper is not digitized (TT 01/2023/TT-VPCP)."""

    ground: Exclusion


class ReuseForm(Form):
    """The filed paper whose record serves."""

    earlier: PaperId


class CheckView(BaseModel):
    """That a person went through a paper. `disputed`: targets where they said otherwise."""

    by: str
    name: str
    at: dt.datetime
    changed: int
    disputed: list[str]


class PaperView(BaseModel):
    """A paper."""

    id: str
    stack_id: str
    state: PaperState
    version: int
    dossier_code: str
    component_code: str
    sheet_serial: str | None
    priority: int
    pages: int
    summary: dict[str, Any] | None
    checks_required: int
    checks: list[CheckView]
    hold: dict[str, Any] | None
    lease_by: str | None
    lease_until: str | None
    doc_number: str | None
    doc_symbol: str | None
    doc_agency: str | None
    reuses: str | None
    reused: bool = Field(description="DuocTaiSuDung.")
    digitization_code: str | None
    record_id: str | None
    error: ErrorView | None
    created_at: str
    filed_at: str | None
    links: dict[str, str]


class NextView(BaseModel):
    """The paper that is before the caller now; null: none waits."""

    paper: PaperView | None


class LeaseView(BaseModel):
    """Until when the paper stays with the caller who does nothing more."""

    lease_until: str


class EntryView(BaseModel):
    """What was typed for a target. `machine`: what was read, once it is confirmed."""

    target: str
    value: str
    state: EntryState
    version: int
    machine: str | None
    reason: str | None
    by: str
    at: str


class CorrectionView(BaseModel):
    """One confirmation: the machine's reading, before and after, who, when, why."""

    target: str
    machine: str | None
    before: str | None
    after: str
    reason: str | None
    station: str
    by: str
    name: str
    at: str


class MissingView(BaseModel):
    """What has to be done before a check may end. `proposed`: may be confirmed as it is."""

    kind: str
    target: str
    vi: str
    en: str
    proposed: str


class CandidateView(BaseModel):
    """An earlier paper that may serve."""

    ground: ReuseGround
    paper: PaperView


class ItemView(BaseModel):
    """A component of a dossier."""

    code: str
    name: str
    required: bool
    state: ItemState
    pages: int | None
    exclusion: Exclusion | None
    papers: list[PaperView]


class ChecklistView(BaseModel):
    """What a dossier needs and has."""

    dossier_code: str
    procedure: dict[str, str] | None
    items: list[ItemView]
    missing: list[str]
    others: list[PaperView]


class HealthView(BaseModel):
    """The queue of the agency. `oldest_s`: how long the oldest paper has waited."""

    waiting: int
    being_checked: int
    held: int
    failed: int
    oldest_s: float | None


Station = Annotated[Line | None, Query(max_length=200, description="Trạm quét. / Station.")]
Dossier = Annotated[Line | None, Query(max_length=64, description="Mã hồ sơ. / Dossier.")]


def shown(paper: Paper) -> dict[str, JSON]:
    """A paper as clients see it."""
    base = f"{PATH}/{paper.id}"
    return {
        "id": paper.id,
        "stack_id": paper.stack_id,
        "state": paper.state.value,
        "version": paper.version,
        "dossier_code": paper.dossier_code,
        "component_code": paper.component_code,
        "sheet_serial": paper.sheet_serial,
        "priority": paper.priority,
        "pages": paper.pages,
        "summary": paper.summary,
        "checks_required": paper.checks_required,
        "checks": [
            {
                "by": check.by,
                "name": check.name,
                "at": check.at.isoformat(),
                "changed": check.changed,
                "disputed": list(check.disputed),
            }
            for check in paper.checks
        ],
        "hold": {key: paper.hold[key] for key in paper.hold if key != "checks"}
        if paper.hold
        else None,
        "lease_by": paper.lease_by,
        "lease_until": moment(paper.lease_until),
        "doc_number": paper.doc_number,
        "doc_symbol": paper.doc_symbol,
        "doc_agency": paper.doc_agency,
        "reuses": paper.reuses,
        "reused": paper.is_reused,
        "digitization_code": paper.digitization_code,
        "record_id": paper.record_id,
        "error": paper.error,
        "created_at": moment(paper.created_at),
        "filed_at": moment(paper.filed_at),
        "links": {
            "self": base,
            "stack": f"/v1/stacks/{paper.stack_id}",
            "entries": f"{base}/entries",
            "missing": f"{base}/missing",
        },
    }


def entry_shown(entry: Entry) -> dict[str, JSON]:
    """An entry as clients see it."""
    return {
        "target": str(entry.target),
        "value": entry.value,
        "state": entry.state.value,
        "version": entry.version,
        "machine": entry.machine,
        "reason": entry.reason,
        "by": entry.by,
        "at": moment(entry.at),
    }


def correction_shown(correction: Correction) -> dict[str, JSON]:
    """A correction as clients see it."""
    return {
        "target": str(correction.target),
        "machine": correction.machine,
        "before": correction.before,
        "after": correction.after,
        "reason": correction.reason,
        "station": correction.station,
        "by": correction.by,
        "name": correction.name,
        "at": moment(correction.at),
    }


def missing_shown(missing: tuple[Missing, ...]) -> dict[str, JSON]:
    """All that is missing, as clients see it."""
    return {"items": [one.to_json() for one in missing], "next": None}


def checklist_shown(found: Checklist) -> dict[str, JSON]:
    """A checklist as clients see it."""
    procedure = found.procedure
    return {
        "dossier_code": found.dossier_code,
        "procedure": procedure and {"code": procedure.code, "name": procedure.name},
        "items": [_item(item) for item in found.items],
        "missing": list(found.missing),
        "others": [shown(paper) for paper in found.others],
    }


def _item(item: ChecklistItem) -> dict[str, JSON]:
    return {
        "code": item.code,
        "name": item.name,
        "required": item.required,
        "state": item.state.value,
        "pages": item.pages,
        "exclusion": item.exclusion,
        "papers": [shown(paper) for paper in item.papers],
    }
