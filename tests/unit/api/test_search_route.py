"""GET /v1/search: hits with their boxes, pages of a list, who may ask, what is refused."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dossier.search.values import SearchDocument
from tests.fixtures_signing import AGENCY, OTHER_AGENCY
from tests.fixtures_web import Web
from tests.search_pages import box_of, page_of


def put(web: Web, name: str, *pages: str, agency: str = AGENCY) -> None:
    document = SearchDocument(f"dig_{name}", agency, f"Văn bản {name}", "H22-1", "KQ.01")
    with web.room.database.begin() as connection:
        texts = [page_of(text, number) for number, text in enumerate(pages, 1)]
        web.house.search.put(connection, document, texts)


def ask(web: Web, q: str, as_: str | None = "officer", **params: Any) -> httpx.Response:
    return web.ask("GET", "/v1/search", params={"q": q, **params}, as_=as_)


def test_a_hit(web: Web) -> None:
    put(web, "a", "bìa", "Nay quyết định cấp phép")
    (hit,) = ask(web, "quyet dinh").json()["items"]
    assert hit.pop("document").items() >= {"id": "dig_a", "title": "Văn bản a"}.items()
    assert hit == {
        "page": 2,
        "width_px": 1654,
        "height_px": 2339,
        "exact": False,
        "adjacent": True,
        "snippet": [
            {"text": "Nay", "match": False},
            {"text": "quyết định", "match": True},
            {"text": "cấp phép", "match": False},
        ],
        "words": [
            {"text": "quyết", "box": list(box_of(1)), "exact": False},
            {"text": "định", "box": list(box_of(2)), "exact": False},
        ],
        "links": {
            "digitization": "/v1/digitizations/dig_a",
            "record": "/v1/digitizations/dig_a/record#page=2",
        },
    }


def test_pages_of_a_list(web: Web) -> None:
    for n in range(5):
        put(web, str(n), "quyết định", "quyet dinh")
    whole = ask(web, "quyết định", limit=100).json()
    assert whole["next"] is None
    assert len(whole["items"]) == 10
    answer = ask(web, "quyết định", limit=4)
    items = answer.json()["items"]
    while answer.json()["next"] is not None:
        path = answer.headers["link"].removeprefix("<").partition(">")[0]
        answer = web.ask("GET", path, as_="officer")
        items += answer.json()["items"]
    assert items == whole["items"]
    assert "link" not in answer.headers


def test_who_may_search_what(web: Web) -> None:
    put(web, "ours", "quyết định")
    put(web, "theirs", "quyết định", agency=OTHER_AGENCY)
    for role in ("scanner", "officer", "leader", "clerk", "auditor"):
        for mark, name in (("", "dig_ours"), ("@B", "dig_theirs")):
            items = ask(web, "quyet", role + mark).json()["items"]
            assert [hit["document"]["id"] for hit in items] == [name], role + mark
    assert ask(web, "quyet", None).status_code == 401
    refused = ask(web, "quyet", "admin")
    assert refused.status_code == 403
    assert refused.headers["content-type"] == "application/problem+json"
    assert ask(web, "quyet", "auditor@*").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"q": ""}, "q"),
        ({"q": "-/-"}, "q"),
        ({"q": "x" * 201}, "q"),
        ({"q": "x", "after": "7.7"}, "after"),
        ({"q": "x", "limit": "101"}, "limit"),
        ({}, "q"),
    ],
)
def test_what_is_refused(web: Web, params: dict[str, str], field: str) -> None:
    answer = web.ask("GET", "/v1/search", params=params, as_="officer")
    assert answer.status_code == 422
    problem = answer.json()
    assert problem["status"] == 422
    assert any(entry["field"].endswith(field) for entry in problem["errors"]), problem
