"""What every route takes from its request: the house, the caller, the page of a list, versions.

    @router.get("/v1/things", responses=problems(401, 422, 429))
    async def things(request: Request, house: CurrentHouse, caller: CurrentCaller,
                     after: After = None, limit: Limit = 50) -> Response:
        rows = await blocking(house.things.list, caller, after, limit + 1)
        return page(request, [shown(row) for row in rows], limit)

A list asks its store for one more than `limit`: the extra one only says that there is more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar, cast
from urllib.parse import urlencode

from fastapi import Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.errors import MalformedRequest, PreconditionRequired
from api.web.door import request_id_of
from dossier.model import JSON, Caller

if TYPE_CHECKING:
    from api.house import House

P = ParamSpec("P")
T = TypeVar("T")


async def _house(request: Request) -> Any:  # noqa: ANN401 - FastAPI resolves the annotation at run time
    return request.app.state.house


async def _caller(request: Request) -> Caller:
    """The caller that `api.auth` found for this request. Raises `Unauthenticated`."""
    from api.auth import authenticate

    return await authenticate(request)


CurrentHouse = Annotated[Any, Depends(_house)]
"""A `House`; routes narrow it with `house_of`."""

CurrentCaller = Annotated[Caller, Depends(_caller)]

After = Annotated[
    str | None,
    Query(
        max_length=64,
        pattern=r"^[A-Za-z0-9_.-]+$",
        description="Con trỏ của trang trước. / Cursor of the last page.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Số mục một trang. / Items a page.")]

IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Cùng khóa, cùng yêu cầu: cùng kết quả. / The same key and request give "
        "the same result, however often they are sent.",
    ),
]


_IfMatchHeader = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=64,
        description="ETag đã đọc. / The entity tag that was read.",
    ),
]


async def _if_match(if_match: _IfMatchHeader = None) -> int:
    version = await given_version(if_match)
    if version is None:
        raise PreconditionRequired(
            "Hãy gửi If-Match với ETag đã đọc. / Send If-Match with the ETag that you read."
        )
    return version


async def given_version(if_match: _IfMatchHeader = None) -> int | None:
    """The version in If-Match where it may be left out. Raises `MalformedRequest`."""
    if if_match is None:
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise MalformedRequest(
            'If-Match phải là ETag của tài nguyên, ví dụ "3". / If-Match has to be the ETag of '
            'the resource, as "3".',
            field="header.If-Match",
        )
    return int(text)


IfMatch = Annotated[int, Depends(_if_match)]
"""The version that the client read. Missing: 428."""


def house_of(request: Request) -> House:
    """The house of the application that serves `request`."""
    return cast("House", request.app.state.house)


def request_id(request: Request) -> str:
    """The id of this request in logs, traces, audit and problem documents."""
    return request_id_of(request.scope)


async def blocking(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks (database, blobs, agent) in a thread."""
    return await run_in_threadpool(work, *args, **kwargs)


class JSONAnswer(Response):
    """A JSON answer of plain values, written once: nothing is validated a second time."""

    media_type = "application/json"

    def render(self, content: JSON) -> bytes:
        """UTF-8 without blanks."""
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def resource(
    request: Request,
    content: JSON,
    *,
    version: int,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """One thing with its entity tag; 304 without a body when If-None-Match names that tag."""
    tag = f'"{version}"'
    told = {"etag": tag, **(headers or {})}
    if request.method in ("GET", "HEAD") and _matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=told)
    return JSONAnswer(content, status, told)


def _matches(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    tags = {entry.strip().removeprefix("W/") for entry in if_none_match.split(",")}
    return tag in tags or "*" in tags


def page(
    request: Request, items: Sequence[Mapping[str, JSON]], limit: int, *, cursor: str = "id"
) -> Response:
    """A page of a list: ``{"items": […], "next": cursor or null}`` and ``Link: …; rel="next"``.

    `items` may hold one more than `limit`; it is not shown. `cursor` names the entry of an item
    that `after` takes.
    """
    shown = items[:limit]
    after = str(shown[-1][cursor]) if len(items) > limit else None
    return listing(request, shown, after, limit)


def listing(
    request: Request, items: Sequence[Mapping[str, JSON]], after: str | None, limit: int
) -> Response:
    """A page of a list whose store knows the cursor of the next page (None: there is none)."""
    headers = {}
    if after is not None:
        query = {**request.query_params, "after": after, "limit": limit}
        headers["link"] = f'<{request.url.path}?{urlencode(query)}>; rel="next"'
    return JSONAnswer({"items": items, "next": after}, headers=headers)
