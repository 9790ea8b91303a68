"""What every route takes from its request: the house, the caller, the page of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec, TypeVar, cast

from fastapi import Depends, Query, Request
from fastapi.concurrency import run_in_threadpool

from dossier.model import Caller

if TYPE_CHECKING:
    from api.house import House

P = ParamSpec("P")
T = TypeVar("T")


def _house(request: Request) -> Any:  # noqa: ANN401 - FastAPI resolves the annotation at run time
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
    Query(max_length=64, description="Con trỏ của trang trước. / Cursor of the last page."),
]
Limit = Annotated[int, Query(ge=1, le=200, description="Số mục một trang. / Items a page.")]


def house_of(request: Request) -> House:
    """The house of the application that serves `request`."""
    return cast("House", request.app.state.house)


async def blocking(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run what blocks (database, blobs, agent) in a thread."""
    return await run_in_threadpool(work, *args, **kwargs)
