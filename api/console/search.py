"""Full-text search, and where on the page's image the words stand.

GET /console/search?q=…&hit=2&after=…
GET /console/search/pages/{document}/{page}.webp
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from fastapi import APIRouter, Request, Response

from api.console.pages import Mark, Sheet
from api.console.screen import HOME, console_of, show, signed_in, words_for
from api.web.doorway import blocking, house_of
from api.web.problem_documents import in_language
from dossier.errors import InvalidOrder, NotFound
from dossier.search.values import Found, Hit
from dossier.stacks.arrangement import Arrangement
from dossier.storage.station_tables import papers, stack_history, stack_pages

if TYPE_CHECKING:
    from api.house import House
    from dossier.model import Caller

router = APIRouter(include_in_schema=False)
_PLACE = f"{HOME}/search"
_LISTED = 20
_PRIVATE = {"cache-control": "private, max-age=600", "vary": "cookie"}


@router.api_route(_PLACE, methods=["GET", "HEAD"])
async def search(request: Request) -> Response:
    """The pages that hold all words, best first; one of them as an image with its words marked."""
    session = await signed_in(request)
    query = request.query_params.get("q", "").strip()[:400]
    found, problem = Found((), None), ""
    if query:
        house = house_of(request)
        after = request.query_params.get("after") or None
        try:
            found = await blocking(house.search.search, session.caller, query, after, _LISTED)
        except InvalidOrder as error:
            problem = in_language(str(error), words_for(request).language)
    chosen = request.query_params.get("hit", "")
    number = int(chosen) if chosen.isascii() and chosen.isdigit() and len(chosen) < 4 else 0
    hit = found.hits[number] if number < len(found.hits) else next(iter(found.hits), None)
    return show(
        request,
        session,
        "search.html",
        status=422 if problem else 200,
        query=query,
        found=found,
        problem=problem,
        hit=hit,
        number=number if number < len(found.hits) else 0,
        sheet=sheet_of_hit(hit) if hit is not None else None,
        after=request.query_params.get("after", ""),
    )


def sheet_of_hit(hit: Hit) -> Sheet:
    """The page of a hit with the words that were searched for."""
    boxes = (word.box for word in hit.words)
    marks = (Mark("found", x0, y0, x1 - x0, y1 - y0) for x0, y0, x1, y1 in boxes)
    return Sheet(hit.width_px, hit.height_px, tuple(marks))


@router.get(f"{_PLACE}/pages/{{document_id}}/{{number}}.webp")
async def picture(request: Request, document_id: str, number: int) -> Response:
    """A page of something that can be found. Raises `NotFound`, also for another agency's."""
    session = await signed_in(request)
    content = await blocking(_picture, request, session.caller, document_id, number)
    return Response(content, media_type="image/webp", headers=_PRIVATE)


def _picture(request: Request, caller: Caller, document_id: str, number: int) -> bytes:
    house = house_of(request)
    if document_id.startswith("ppr_"):
        sha256, turns = _page_of_paper(house, caller, document_id, number)
        return console_of(request.app).pictures.get(sha256, turns)
    record = house.digitizations.get(caller, document_id)
    if record.result_sha256 is None:
        raise _no_page()
    return console_of(request.app).pictures.drawn(record.result_sha256, number)


def _page_of_paper(house: House, caller: Caller, paper_id: str, number: int) -> tuple[str, int]:
    """The picture of a page of a paper, from 1, and its quarter turns."""
    with house.database.read() as connection:
        row = connection.execute(
            sa.select(papers.c.stack_id, stack_history.c.arrangement)
            .join(
                stack_history,
                sa.and_(
                    stack_history.c.stack_id == papers.c.stack_id,
                    stack_history.c.seq == papers.c.arrangement_seq,
                ),
            )
            .where(papers.c.id == paper_id, papers.c.agency_id == caller.agency_id)
        ).first()
        if row is None:
            raise _no_page()
        pages = Arrangement.from_json(row.arrangement).paper(paper_id).pages
        if not 1 <= number <= len(pages):
            raise _no_page()
        placed = pages[number - 1]
        sha256 = connection.execute(
            sa.select(stack_pages.c.picture_sha256).where(stack_pages.c.id == placed.page)
        ).scalar()
    if sha256 is None:
        raise _no_page()
    return sha256, placed.turns


def _no_page() -> NotFound:
    return NotFound("Không có trang này. / There is no such page.")
