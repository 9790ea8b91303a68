"""Durable jobs: what waits, what runs, what failed; cancelled through what they work for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request, Response

from api.web.doorway import After, CurrentCaller, CurrentHouse, JSONAnswer, Limit, blocking, page
from api.web.problem_documents import problems
from api.web.routes.signatures import moment
from api.web.schemas import ID_PATTERN, IdPath, JobView, Page
from dossier.errors import StateConflict
from dossier.model import JSON, Caller, JobState

if TYPE_CHECKING:
    from api.house import House
    from dossier.queue import jobs

router = APIRouter(tags=["Công việc / Jobs"])


def shown(job: jobs.JobView) -> dict[str, JSON]:
    """A job as clients see it."""
    return {
        "id": job.id,
        "queue": job.queue,
        "kind": job.kind,
        "subject": job.subject,
        "state": job.state.value,
        "attempts": job.attempts,
        "crashes": job.crashes,
        "error": job.error,
        "run_at": moment(job.run_at),
        "created_at": moment(job.created_at),
        "finished_at": moment(job.finished_at),
    }


@router.get(
    "/v1/jobs",
    response_model=Page[JobView],
    responses=problems(401, 403, 422, 429),
    summary="Công việc của cơ quan, mới nhất trước. / Jobs, newest first.",
)
async def list_jobs(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    after: After = None,
    limit: Limit = 50,
    state: Annotated[JobState | None, Query()] = None,
    subject: Annotated[
        str | None, Query(pattern=ID_PATTERN, description="Mã hồ sơ. / What it works for.")
    ] = None,
) -> Response:
    """Jobs of the caller's agency."""
    found = await blocking(house.jobs.list, caller, after, limit + 1, state=state, subject=subject)
    return page(request, [shown(job) for job in found], limit)


@router.get(
    "/v1/jobs/{job_id}",
    response_model=JobView,
    responses=problems(401, 404, 422, 429),
    summary="Một công việc. / One job.",
)
async def get_job(house: CurrentHouse, caller: CurrentCaller, job_id: IdPath) -> Response:
    """The job as it stands."""
    return JSONAnswer(shown(await blocking(house.jobs.get, caller, job_id)))


@router.delete(
    "/v1/jobs/{job_id}",
    response_model=JobView,
    responses=problems(401, 403, 404, 409, 422, 429),
    summary="Hủy việc chưa bắt đầu. / Cancel a job that has not begun.",
)
async def cancel_job(house: CurrentHouse, caller: CurrentCaller, job_id: IdPath) -> Response:
    """Cancel what the job works for, by the rules of that; the job follows."""
    return JSONAnswer(shown(await blocking(_cancel, house, caller, job_id)))


def _cancel(house: House, caller: Caller, job_id: str) -> jobs.JobView:
    job = house.jobs.get(caller, job_id)
    if job.kind == "signature":
        house.records.cancel(caller, job.subject)
    elif job.kind == "digitize":
        house.digitizations.cancel(caller, job.subject)
    else:
        raise StateConflict(
            f"Việc loại “{job.kind}” được hủy qua {job.subject} mà nó phục vụ. / A job of this "
            "kind is cancelled through what it works for."
        )
    return house.jobs.get(caller, job_id)
