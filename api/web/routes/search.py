"""Full-text search: words in the pages of the caller's agency, and where they stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from api.web.doorway import After, CurrentCaller, CurrentHouse, blocking, listing
from api.web.problem_documents import problems
from api.web.schemas import Page
from dossier.model import JSON
from dossier.search.query import MAX_CHARS
from dossier.search.values import Hit

router = APIRouter(tags=["Số hóa / Digitization"])

Box = Annotated[
    list[int],
    Field(
        min_length=4,
        max_length=4,
        description="Trái, trên, phải, dưới (điểm ảnh). / Left, top, right, bottom in pixels.",
    ),
]


class DocumentView(BaseModel):
    """The record that a page is of; `id` is its digitization's."""

    id: str
    title: str
    dossier_code: str
    component_code: str
    indexed_at: str


class PieceView(BaseModel):
    """A part of a snippet; `match`: this was searched for."""

    text: str
    match: bool


class WordView(BaseModel):
    """A word that was searched for; `exact`: with the very marks that were typed."""

    text: str
    box: Box
    exact: bool


class HitView(BaseModel):
    """A page; boxes are in pixels of the upright page of `width_px` × `height_px`."""

    document: DocumentView
    page: int = Field(description="Trang của bản ghi, từ 1. / Page of the record, from 1.")
    width_px: int
    height_px: int
    exact: bool = Field(description="Đủ mọi từ đúng dấu. / All words with the marks as typed.")
    adjacent: bool = Field(description="Các từ đứng liền nhau. / The words stand side by side.")
    snippet: list[PieceView]
    words: list[WordView]
    links: dict[str, str]


def shown(hit: Hit) -> dict[str, JSON]:
    """A hit as clients see it."""
    base = f"/v1/digitizations/{hit.document.id}"
    links = {"digitization": base, "record": f"{base}/record#page={hit.page}"}
    return {**hit.to_json(), "links": links}


@router.get(
    "/v1/search",
    response_model=Page[HitView],
    responses=problems(401, 403, 422, 429),
    summary="Tìm trong toàn văn, có dấu hay không dấu. / Full-text search.",
)
async def search(
    request: Request,
    house: CurrentHouse,
    caller: CurrentCaller,
    q: Annotated[
        str,
        Query(
            min_length=1,
            max_length=MAX_CHARS,
            description="Từ cần tìm; đặt cụm từ trong ngoặc kép. / Words; phrases in quotation "
            "marks.",
            examples=["quyet dinh", "123/QĐ-UBND", '"chủ tịch ủy ban"'],
        ),
    ],
    after: After = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Số mục. / Items a page.")] = 20,
) -> Response:
    """Pages with all the words: marks as typed first, words side by side next, then the newest.

    Scanners, officers, leaders, clerks and auditors search their own agency's records.
    """
    found = await blocking(house.search.search, caller, q, after, limit)
    return listing(request, [shown(hit) for hit in found.hits], found.next, limit)
