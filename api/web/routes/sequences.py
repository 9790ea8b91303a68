"""Clerical sequences: leader, number and date, seal; then annexes and copies."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from api.errors import SigningFailed
from api.web.doorway import (
    After,
    CurrentCaller,
    CurrentHouse,
    IdempotencyKey,
    IfMatch,
    JSONAnswer,
    Limit,
    blocking,
    given_version,
    page,
    resource,
)
from api.web.orders import preference
from api.web.problem_documents import problems
from api.web.routes.signatures import Prefer
from api.web.routes.signatures import shown as shown_record
from api.web.schemas import IdPath, Page, RecordView
from api.web.sequence_views import (
    PATH,
    AnnexForm,
    CopyForm,
    NumberingForm,
    SequenceForm,
    SequenceView,
    shown,
)
from api.web.waiting import Waiting
from dossier.clerical.order import Claim, Step
from dossier.model import JSON, Caller, SequenceState

if TYPE_CHECKING:
    from api.house import House
    from dossier.signing.recordtable import Record

router = APIRouter(tags=["Quy trình văn thư / Clerical sequence"])
_STEP_PROBLEMS = (400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 503)
_TAGS: dict[str, Any] = {
    "Location": {"schema": {"type": "string"}},
    "ETag": {"schema": {"type": "string"}},
}
GivenVersion = Annotated[int | None, Depends(given_version)]


def _claim(key: str, *asked: JSON) -> Claim:
    """What the Idempotency-Key stands for: route, sequence and what was sent."""
    text = json.dumps(asked, sort_keys=True, default=str)
    return Claim(key, hashlib.sha256(text.encode()).hexdigest())


@router.post(
    PATH,
    status_code=201,
    response_model=SequenceView,
    responses={
        201: {"headers": _TAGS},
        **problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429),
    },
    summary="Lập quy trình cho một dự thảo. / Begin a sequence for a draft.",
)
async def create(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    key: IdempotencyKey,
    form: SequenceForm,
) -> Response:
    """The draft was uploaded to /v1/blobs; it has blanks for number and date, or names places."""
    claim = _claim(key, PATH, form.model_dump())
    made, _ = await blocking(
        house.sequences.create, caller, form.order(), form.document.sha256, claim
    )
    headers = {"location": f"{PATH}/{made.id}"}
    return resource(request, shown(made), version=made.version, status=201, headers=headers)


@router.get(
    PATH,
    response_model=Page[SequenceView],
    responses=problems(401, 403, 422, 429),
    summary="Các quy trình, mới nhất trước. / Sequences, newest first.",
)
async def list_sequences(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[SequenceState | None, Query(description="Lọc theo trạng thái.")] = None,
) -> Response:
    """Those of the caller's agency."""
    found = await blocking(house.sequences.list, caller, after, limit + 1, state)
    return page(request, [shown(entry) for entry in found], limit)


@router.get(
    PATH + "/{sequence_id}",
    response_model=SequenceView,
    responses={
        304: {"description": "Không đổi. / Not modified."},
        **problems(401, 403, 404, 422, 429),
    },
    summary="Một quy trình. / One sequence.",
)
async def get_sequence(
    request: Request, house: CurrentHouse, caller: CurrentCaller, sequence_id: IdPath
) -> Response:
    """Its state, its next steps, and the document as it stands."""
    found = await blocking(house.sequences.get, caller, sequence_id)
    return resource(request, shown(found), version=found.version)


@router.delete(
    PATH + "/{sequence_id}",
    response_model=SequenceView,
    responses=problems(400, 401, 403, 404, 409, 412, 422, 428, 429),
    summary="Hủy khi chưa phát hành. / Cancel what is not issued.",
)
async def cancel(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    sequence_id: IdPath,
    version: IfMatch,
) -> Response:
    """Its number is given back."""
    found = await blocking(house.sequences.cancel, caller, sequence_id, version)
    return resource(request, shown(found), version=found.version)


@dataclass(frozen=True, slots=True)
class _Ask:
    """What every request for a step brings."""

    request: Request
    house: House
    caller: Caller
    sequence_id: str
    key: str
    version: int | None
    prefer: str | None


async def _ask(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    sequence_id: IdPath,
    key: IdempotencyKey,
    version: GivenVersion,
    prefer: Prefer = None,
) -> Any:  # noqa: ANN401 - FastAPI resolves the annotation at run time
    return _Ask(request, house, caller, sequence_id, key, version, prefer)


Asked = Annotated[Any, Depends(_ask)]
"""An `_Ask`."""

_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "Xong bước. / The step is done.", "headers": _TAGS},
    202: {
        "description": "Đã nhận; hỏi lại ở Location. / Accepted; ask at Location.",
        "model": SequenceView,
        "headers": _TAGS | {"Retry-After": {"schema": {"type": "integer"}}},
    },
    **problems(*_STEP_PROBLEMS),
}


@router.post(
    PATH + "/{sequence_id}/leader-signature",
    response_model=SequenceView,
    responses=_ANSWERS,
    summary="Người có thẩm quyền ký. / The authorised person signs.",
)
async def leader_signature(
    asked: Asked,
) -> Response:
    """The first step: between title and full name."""
    return await _step(asked, Step.LEADER)


@router.post(
    PATH + "/{sequence_id}/number",
    response_model=SequenceView,
    responses=_ANSWERS,
    summary="Văn thư cấp số, ngày. / The clerk gives number and date.",
)
async def number(asked: Asked, form: NumberingForm) -> Response:
    """The second step: two signatures of the agency's key over the typed blanks."""
    return await _step(asked, Step.NUMBER, form)


@router.post(
    PATH + "/{sequence_id}/seal",
    response_model=SequenceView,
    responses=_ANSWERS,
    summary="Đóng dấu cơ quan. / The agency's seal.",
)
async def seal(
    asked: Asked,
) -> Response:
    """The last step: over a third of the leader's signature; the document is issued."""
    return await _step(asked, Step.SEAL)


@router.post(
    PATH + "/{sequence_id}/issue",
    response_model=SequenceView,
    responses=_ANSWERS,
    summary="Cấp số, ngày và đóng dấu một lần. / Number, date and seal in one go.",
)
async def issue(asked: Asked, form: NumberingForm) -> Response:
    """For agencies that let one clerk do both; refused where duties are separated."""
    return await _step(asked, Step.ISSUE, form)


async def _step(asked: _Ask, step: Step, form: NumberingForm | None = None) -> Response:
    """Take a step; 200 when it was done while the client waited, else 202."""
    request, house, caller = asked.request, asked.house, asked.caller
    caller.require(step.role)
    await request.app.state.readiness.require("token")
    await request.app.state.readiness.require("clock")
    found, _ = await blocking(
        house.sequences.step,
        caller,
        asked.sequence_id,
        step,
        _claim(asked.key, PATH, asked.sequence_id, step.value, form and form.model_dump()),
        version=asked.version,
        numbering=form.numbering() if form else None,
    )
    waited = preference(asked.prefer)
    if found.step_running is not None and waited.wait_s:
        await _waiting(request, house).settled(found.id, waited.wait_s, request)
        found = await blocking(house.sequences.get, caller, found.id)
    headers = {"location": f"{PATH}/{found.id}"}
    if waited.applied is not None:
        headers["preference-applied"] = waited.applied
    if found.step_running is not None:
        headers["retry-after"] = "1"
        return resource(request, shown(found), version=found.version, status=202, headers=headers)
    if found.error is not None and found.done(step.parts[-1]) is None:
        raise SigningFailed(str(found.error["message"]), record_id=found.id)
    return resource(request, shown(found), version=found.version, headers=headers)


def _waiting(request: Request, house: House) -> Waiting:
    """Whoever waits for sequences in this process; one event loop, so no lock."""
    state = request.app.state
    if not hasattr(state, "sequences_waiting"):
        state.sequences_waiting = Waiting(house.sequences.settled)
    found: Waiting = state.sequences_waiting
    return found


_RECORD: dict[int | str, dict[str, Any]] = {
    202: {
        "description": "Đã nhận; theo dõi ở Location. / Accepted; follow it at Location.",
        "headers": _TAGS,
    },
    **problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429),
}


@router.post(
    PATH + "/{sequence_id}/annexes",
    status_code=202,
    response_model=RecordView,
    responses=_RECORD,
    summary="Ký phụ lục ở tệp riêng. / Sign an annex in a file of its own.",
)
async def annex(
    house: CurrentHouse,
    caller: CurrentCaller,
    sequence_id: IdPath,
    key: IdempotencyKey,
    form: AnnexForm,
) -> Response:
    """The agency's signature (P4) with number and symbol of the issued document."""
    claim = _claim(key, PATH, sequence_id, "annexes", form.model_dump())
    record, _ = await blocking(
        house.sequences.attachments.annex, caller, sequence_id, form.document.sha256, claim
    )
    return _accepted(record)


@router.post(
    PATH + "/{sequence_id}/copies",
    status_code=202,
    response_model=RecordView,
    responses=_RECORD,
    summary="Bản sao điện tử: SY, TrS, SL. / An electronic copy.",
)
async def copy(
    house: CurrentHouse,
    caller: CurrentCaller,
    sequence_id: IdPath,
    key: IdempotencyKey,
    form: CopyForm,
) -> Response:
    """The copying agency's signature (P5) on the copy of the issued document."""
    claim = _claim(key, PATH, sequence_id, "copies", form.model_dump())
    record, _ = await blocking(
        house.sequences.attachments.copy,
        caller,
        sequence_id,
        form.form,
        form.document.sha256,
        claim,
        key=form.key,
        copying_agency=form.copying_agency,
    )
    return _accepted(record)


def _accepted(record: Record) -> Response:
    headers = {
        "location": f"/v1/signatures/{record.id}",
        "etag": f'"{record.version}"',
        "retry-after": "1",
    }
    return JSONAnswer(shown_record(record), 202, headers)


@router.get(
    PATH + "/{sequence_id}/documents",
    response_model=Page[RecordView],
    responses=problems(401, 403, 404, 422, 429),
    summary="Văn bản, phụ lục, bản sao. / The document, its annexes and copies.",
)
async def documents(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    sequence_id: IdPath,
    after: After = None,
    limit: Limit = 50,
) -> Response:
    """Records of the sequence, oldest first."""
    found = await blocking(house.sequences.attachments.list, caller, sequence_id, after, limit + 1)
    return page(request, [shown_record(record) for record in found], limit)
