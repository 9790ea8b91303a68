"""Checking papers: the queue, and the screen of one paper under a lease.

GET  /console/check                         the queue and its health
POST /console/check/next                    the next paper, now before the person
GET  /console/papers/{id}?at=…&page=…       the screen
POST /console/papers/{id}/type              what is typed, each time; JSON once it is durable
POST /console/papers/{id}/confirm           a person stands for a value; …/take-back
POST /console/papers/{id}/resolve           why a finding may stay
POST /console/papers/{id}/{step}            take, keep, release, finish, hold, resume, refuse,
                                            reuse, reopen, retry
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from api.console.arranging import Looked, look
from api.console.checksheet import Checksheet, OpenQuestion, Row, checksheet_of
from api.console.pages import Sheet, sheet_of
from api.console.screen import HOME, back_to, console_of, sent_form, show, signed_in
from api.web.doorway import JSONAnswer, blocking, house_of
from dossier.checking.completeness import Missing
from dossier.checking.grounds import GROUNDS
from dossier.checking.looking import Checklist, ReuseCandidate, cursor_of
from dossier.checking.material import is_resolved
from dossier.checking.rows import findings_of, pages_of
from dossier.checking.taking import Wanted
from dossier.checking.values import Paper, Target
from dossier.errors import InvalidOrder, NotFound, VersionConflict
from dossier.filing.filing import may_be_retried
from dossier.intake.catalogues import Exclusion
from dossier.intake.review_depth import ReviewDepth
from dossier.stacks.proposals import PaperProposals
from dossier.stacks.values import PaperState
from ocr.fields.extract import DocumentFields

if TYPE_CHECKING:
    from api.house import House
    from dossier.model import Caller

router = APIRouter(include_in_schema=False)
QUEUE = f"{HOME}/check"
_PAPER = f"{HOME}/papers/{{paper_id}}"
_LISTED = 50


@dataclass(frozen=True, slots=True)
class Checked:
    """A paper as its screen shows it. `sheet` None: it is being read."""

    paper: Paper
    is_mine: bool
    holder: str | None
    seen: Looked
    rows: Checksheet | None
    proposals: PaperProposals | None
    questions: tuple[OpenQuestion, ...]
    missing: tuple[Missing, ...]
    checklist: Checklist | None
    reuse: tuple[ReuseCandidate, ...]
    last_said: str
    current: Row | None
    picture: Sheet | None


# --- the queue -----------------------------------------------------------------------------


@router.api_route(QUEUE, methods=["GET", "HEAD"])
async def queue(request: Request) -> Response:
    """Papers that wait, the most urgent first."""
    session = await signed_in(request)
    desk = house_of(request).checking
    after = request.query_params.get("after")

    def work() -> tuple[list[Paper], Any]:
        papers = desk.queue(session.caller, after, _LISTED + 1)
        return papers, desk.health(session.caller)

    papers, health = await blocking(work)
    return show(
        request,
        session,
        "check.html",
        papers=papers[:_LISTED],
        next_after=cursor_of(papers[_LISTED - 1]) if len(papers) > _LISTED else None,
        health=health,
        said=request.query_params.get("said", ""),
    )


@router.post(f"{QUEUE}/next")
async def take_next(request: Request) -> Response:
    """The next paper; of one stack where the form names it."""
    session, form = await sent_form(request)
    wanted = Wanted(stack_id=form.get("stack") or None)
    paper = await blocking(house_of(request).checking.next, session.caller, wanted)
    if paper is None:
        return back_to(QUEUE, "check-none")
    return back_to(f"{HOME}/papers/{paper.id}", at="next")


# --- one paper -----------------------------------------------------------------------------


@router.api_route(_PAPER, methods=["GET", "HEAD"])
async def paper_screen(request: Request, paper_id: str) -> Response:
    """The screen of one paper; read only for whoever has not taken it."""
    session = await signed_in(request)
    query = request.query_params
    checked = await blocking(
        _look, request, session.caller, paper_id, query.get("at", ""), query.get("page", "")
    )
    page = checked.seen.page
    before, behind = checked.seen.strip.beside(page.id) if page else (None, None)
    return show(
        request,
        session,
        "paper.html",
        checked=checked,
        seen=checked.seen,
        page=page,
        before=before,
        behind=behind,
        zoom=query.get("zoom") == "in",
        grounds=GROUNDS,
        may_be_retried=may_be_retried(checked.paper),
        keep_s=int(house_of(request).checking.lease_s // 3) or 1,
        said=query.get("said", ""),
    )


def _look(request: Request, caller: Caller, paper_id: str, at: str, page_id: str) -> Checked:
    house = house_of(request)
    desk = house.checking
    paper = desk.get(caller, paper_id)
    holder = desk.holder(caller, paper_id)
    is_mine = holder is not None and paper.lease_by == caller.principal_id
    checklist = desk.checklist(caller, paper.dossier_code) if paper.dossier_code else None
    entries = desk.entries(caller, paper_id)
    seen = look(request, caller, paper.stack_id, page_id or None)
    said = [e for e in entries.values() if e.is_confirmed and e.by == caller.principal_id]
    last_said = str(max(said, key=lambda e: e.at).target) if said else ""
    if paper.state is PaperState.PROPOSING or (
        paper.proposals_sha256 is None and paper.state is not PaperState.TO_CHECK
    ):
        return Checked(
            paper, is_mine, holder, seen, None, None, (), (), checklist, (), last_said, None, None
        )
    with house.database.read() as connection:
        pages = pages_of(connection, paper) if paper.proposals_sha256 is None else ()
        material = console_of(request.app).materials.of(paper, pages)
        findings = findings_of(connection, paper, material)
    proposals = material.proposals or _nothing_read(paper)
    readings_of = console_of(request.app).readings.of
    found = {page.page: readings_of(page.reading_sha256) for page in proposals.pages}
    readings = {page: reading for page, reading in found.items() if reading is not None}
    owner = desk.owner(caller, paper_id) if paper.state is PaperState.TO_CHECK else None
    rows = checksheet_of(material, proposals, readings, entries, seen.strip, owner)
    current = rows.after("") if at == "next" else rows.row(at)
    if not page_id:
        first = material.pages[0] if material.pages else None
        seen = look(request, caller, paper.stack_id, current.page if current else first)
    picture = seen.sheet
    if seen.page is not None and seen.page.id in readings and seen.page.has_picture:
        is_here = current is not None and current.box is not None and current.page == seen.page.id
        more = (current.box,) if is_here and current is not None and current.box else ()
        reading = readings[seen.page.id]
        picture = sheet_of(seen.page.page, seen.page.turns, reading, more)
    questions = tuple(
        OpenQuestion(finding, (entries[str(finding.target)].reason or ""))
        if is_resolved(finding, entries)
        else OpenQuestion(finding, "")
        for finding in findings
    )
    return Checked(
        paper,
        is_mine,
        holder,
        seen,
        rows,
        proposals,
        questions,
        desk.missing(caller, paper_id) if paper.state is PaperState.TO_CHECK else (),
        checklist,
        desk.candidates_for_reuse(caller, paper_id),
        last_said,
        current,
        picture,
    )


def _nothing_read(paper: Paper) -> PaperProposals:
    """For a paper that the machine failed on: people type its fields."""
    return PaperProposals(
        paper=paper.id,
        arrangement_seq=paper.arrangement_seq,
        pages=(),
        fields=DocumentFields((), (), ""),
        depth=ReviewDepth(2, ()),
    )


# --- what is typed and said ----------------------------------------------------------------


@router.post(f"{_PAPER}/type")
async def keep_typed(request: Request, paper_id: str) -> Response:
    """Keep what is typed; answered once it is durable. Raises as `CheckingDesk.type`.

    And `VersionConflict` when something newer is kept already: another window is typing.
    """
    session, form = await sent_form(request)
    target = Target.parse(form.get("target", ""))
    number = _number(form.get("version", ""))
    desk = house_of(request).checking
    kept = await blocking(
        desk.type, session.caller, paper_id, target, form.get("value", ""), number
    )
    if number is not None and kept.version != number:
        raise VersionConflict(
            "Mục này vừa được gõ ở cửa sổ khác; hãy tải lại trang. / This was typed in another "
            "window meanwhile; load the page again."
        )
    return JSONAnswer({"version": kept.version, "value": kept.value})


@router.post(f"{_PAPER}/confirm")
async def confirm(request: Request, paper_id: str) -> Response:
    """Stand for a value and go on to the next one that waits. Raises as `CheckingDesk.confirm`."""
    session, form = await sent_form(request)
    target = Target.parse(form.get("target", ""))
    desk = house_of(request).checking
    caller, value, reason = session.caller, form.get("value", ""), form.get("reason") or None
    await blocking(desk.confirm, caller, paper_id, target, value, reason)
    following = await blocking(_following, request, caller, paper_id, str(target))
    return back_to(f"{HOME}/papers/{paper_id}", "confirmed", at=following)


def _following(request: Request, caller: Caller, paper_id: str, target: str) -> str:
    """The next doubtful target that nobody confirmed; the first of all behind the last one."""
    desk = house_of(request).checking
    paper = desk.get(caller, paper_id)
    material = console_of(request.app).materials.of(paper)
    entries = desk.entries(caller, paper_id)
    owner = desk.owner(caller, paper_id)

    asked = owner.asked if owner is not None else ()

    def is_open(one: str) -> bool:
        return one in asked or one not in entries or not entries[one].is_confirmed

    targets = (*material.doubtful, *asked)
    at = targets.index(target) + 1 if target in targets else 0
    return next((one for one in (*targets[at:], *targets[:at]) if is_open(one)), "done")


@router.post(f"{_PAPER}/take-back")
async def take_back(request: Request, paper_id: str) -> Response:
    """Make a confirmation a draft again."""
    session, form = await sent_form(request)
    target = Target.parse(form.get("target", ""))
    await blocking(house_of(request).checking.take_back, session.caller, paper_id, target)
    return back_to(f"{HOME}/papers/{paper_id}", "taken-back", at=str(target))


@router.post(f"{_PAPER}/resolve")
async def resolve(request: Request, paper_id: str) -> Response:
    """Say why a finding may stay."""
    session, form = await sent_form(request)
    await blocking(
        house_of(request).checking.resolve,
        session.caller,
        paper_id,
        form.get("finding", ""),
        form.get("reason", ""),
    )
    return back_to(f"{HOME}/papers/{paper_id}", "resolved", at="next")


@router.post(f"{_PAPER}/{{step}}")
async def do_step(request: Request, paper_id: str, step: str) -> Response:
    """What becomes of a paper. Raises as the step of `CheckingDesk` does."""
    session, form = await sent_form(request)
    do = _STEPS.get(step)
    if do is None:
        raise NotFound("Không có thao tác này. / There is no such step.")
    await blocking(do, house_of(request), session.caller, paper_id, form)
    if step == "keep":
        return Response(status_code=204)
    if step == "retry":
        return back_to(f"{HOME}/records/{paper_id}", "paper-retry")
    if step in ("take", "resume", "reopen"):
        return back_to(f"{HOME}/papers/{paper_id}", f"paper-{step}", at="next")
    return back_to(QUEUE, f"paper-{step}")


def _refuse(house: House, caller: Caller, paper_id: str, form: Mapping[str, str]) -> None:
    try:
        ground = Exclusion(form.get("ground", ""))
    except ValueError as error:
        raise InvalidOrder(
            "Hãy chọn căn cứ không số hóa. / Choose why it is not to be digitised.", field="ground"
        ) from error
    house.checking.refuse(caller, paper_id, ground, form.get("reason", ""))


def _retry(house: House, caller: Caller, paper_id: str, _: Mapping[str, str]) -> None:
    house.filing.retry(caller, paper_id)


def _simply(name: str) -> Callable[[House, Caller, str, Mapping[str, str]], None]:
    def do(house: House, caller: Caller, paper_id: str, _: Mapping[str, str]) -> None:
        getattr(house.checking, name)(caller, paper_id)

    return do


def _with(name: str, entry: str) -> Callable[[House, Caller, str, Mapping[str, str]], None]:
    def do(house: House, caller: Caller, paper_id: str, form: Mapping[str, str]) -> None:
        getattr(house.checking, name)(caller, paper_id, form.get(entry, ""))

    return do


_STEPS: Mapping[str, Callable[[House, Caller, str, Mapping[str, str]], None]] = {
    "take": _simply("take"),
    "keep": _simply("keep"),
    "release": _simply("release"),
    "finish": _simply("finish"),
    "resume": _simply("resume"),
    "retry": _retry,
    "hold": _with("hold", "reason"),
    "reopen": _with("reopen", "reason"),
    "reuse": _with("reuse", "earlier"),
    "refuse": _refuse,
}


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
