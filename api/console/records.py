"""What becomes of a paper whose check has ended: draft, officer's mark, acceptance, seal, record.

GET /console/records?after=…                those of the agency, the newest first
                                            (tried again: POST /console/papers/{paper}/retry)
GET /console/records/{paper}                how far one is, who did what
GET /console/records/{paper}/{file}         its PDF: ``record``, ``original`` (that came signed)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response

from api.console.screen import HOME, show, signed_in
from api.web.doorway import blocking, house_of
from api.web.downloads import download
from dossier.checking.values import Paper, paper_of
from dossier.errors import NotFound
from dossier.filing.filing import PaperFiles, may_be_retried
from dossier.stacks.values import PaperState
from dossier.storage.station_tables import papers

if TYPE_CHECKING:
    from api.house import House
    from dossier.model import Caller
    from dossier.signing.records import Record
    from dossier.storage.store import BlobInfo

router = APIRouter(include_in_schema=False)
_PLACE = f"{HOME}/records"
_LISTED = 30
CHECKED = (PaperState.CHECKED, PaperState.MARKED, PaperState.ACCEPTED, PaperState.FILED)
STEPS = ("check", "draft", "mark", "accept", "seal")


@dataclass(frozen=True, slots=True)
class Step:
    """A step on the way to the record. `state`: done, next, failed, later. `at`: ISO 8601."""

    name: str
    state: str
    who: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True)
class Filed:
    """A paper, its steps, and its files as far as they are there. `record` is the signature's.

    `verdict`: what the verification said before the record was published (ETSI EN 319 102-1).
    """

    paper: Paper
    steps: tuple[Step, ...]
    files: PaperFiles
    record: Record | None
    verdict: str

    @property
    def may_be_retried(self) -> bool:
        """Whether a person may have it tried again."""
        return may_be_retried(self.paper)

    @property
    def is_moving(self) -> bool:
        """Whether machines are at work on it."""
        return self.paper.error is None and self.paper.state in CHECKED[:-1]


@router.api_route(_PLACE, methods=["GET", "HEAD"])
async def record_list(request: Request) -> Response:
    """Papers whose check has ended, and those that filing held, the newest first."""
    session = await signed_in(request)
    after = request.query_params.get("after") or None
    found = await blocking(_listed, house_of(request), session.caller, after)
    return show(
        request,
        session,
        "records.html",
        papers=found[:_LISTED],
        next_after=found[_LISTED - 1].id if len(found) > _LISTED else None,
        is_moving=any(paper.state in CHECKED[:-1] for paper in found[:_LISTED]),
    )


def _listed(house: House, caller: Caller, after: str | None) -> list[Paper]:
    query = (
        sa.select(papers)
        .where(
            papers.c.agency_id == caller.agency_id,
            sa.or_(papers.c.state.in_(CHECKED), _held_with_an_error()),
        )
        .order_by(papers.c.id.desc())
        .limit(_LISTED + 1)
    )
    if after is not None:
        query = query.where(papers.c.id < after)
    with house.database.read() as connection:
        return [paper_of(row) for row in connection.execute(query)]


def _held_with_an_error() -> sa.ColumnElement[bool]:
    """Papers that a machine held; a person's hold has no error."""
    error = sa.func.coalesce(sa.cast(papers.c.error, sa.Text), "null")  # none, or JSON's null
    return sa.and_(papers.c.state == PaperState.HELD, error != "null")


@router.api_route(f"{_PLACE}/{{paper_id}}", methods=["GET", "HEAD"])
async def record_screen(request: Request, paper_id: str) -> Response:
    """How far the record of one paper is. Raises `NotFound`, also for another agency's."""
    session = await signed_in(request)
    filed = await blocking(_looked_up, house_of(request), session.caller, paper_id)
    return show(
        request,
        session,
        "record.html",
        filed=filed,
        paper=filed.paper,
        said=request.query_params.get("said", ""),
    )


def _looked_up(house: House, caller: Caller, paper_id: str) -> Filed:
    paper = house.checking.get(caller, paper_id)
    files = house.filing.files_of(caller, paper_id)
    record = house.filing.record_of(caller, paper_id) if paper.record_id else None
    verdict = ""
    if files.record is not None and record is not None and record.report_sha256 is not None:
        report: dict[str, Any] = json.loads(house.blobs.get(record.report_sha256))
        verdict = str(report.get("indication", ""))
    return Filed(paper, steps_of(paper, record), files, record, verdict)


def steps_of(paper: Paper, record: Record | None) -> tuple[Step, ...]:
    """The steps of a paper in their order, with who took them and when."""
    mark, accepted = paper.mark or {}, paper.accepted or {}
    check = paper.checks[-1] if paper.checks else None
    is_filed = paper.state is PaperState.FILED
    published = record.published_at if record is not None and is_filed else None
    done: Sequence[tuple[bool, str, str]] = (
        (
            check is not None and len(paper.checks) >= paper.checks_required,
            ", ".join(dict.fromkeys(one.name for one in paper.checks)),
            check.at.isoformat() if check is not None else "",
        ),
        (paper.draft_sha256 is not None, "", ""),
        (paper.marked_sha256 is not None, mark.get("name", ""), mark.get("at", "")),
        (bool(accepted), accepted.get("name", ""), accepted.get("at", "")),
        (is_filed, paper.agency_id, published.isoformat() if published is not None else ""),
    )
    found: list[Step] = []
    waiting = "failed" if paper.error is not None else "next"
    for name, (is_done, who, at) in zip(STEPS, done, strict=True):
        if is_done:
            found.append(Step(name, "done", who, at))
        else:
            found.append(Step(name, waiting))
            waiting = "later"
    return tuple(found)


@router.api_route(f"{_PLACE}/{{paper_id}}/{{file}}", methods=["GET", "HEAD"])
async def record_file(request: Request, paper_id: str, file: str) -> Response:
    """A file of the record under its name by rule (D14). Raises `NotFound` before it is there."""
    session = await signed_in(request)
    house = house_of(request)
    info, name = await blocking(_file, house, session.caller, paper_id, file)
    return await download(request, house.blobs, info, media_type="application/pdf", filename=name)


def _file(house: House, caller: Caller, paper_id: str, file: str) -> tuple[BlobInfo, str]:
    house.checking.get(caller, paper_id)
    files = house.filing.files_of(caller, paper_id)
    there = {"record": files.record, "original": files.original}
    sha256 = there.get(file)
    if sha256 is None:
        raise NotFound(
            "Chưa có tệp này; hãy xem giấy tờ đang ở bước nào. / There is no such file yet; look "
            "how far the paper is."
        )
    stem = files.name.removesuffix(".pdf")
    with house.database.read() as connection:
        info = house.holdings.require(connection, caller.agency_id, sha256)
    return info, files.name if file == "record" else f"{stem}.original.pdf"
