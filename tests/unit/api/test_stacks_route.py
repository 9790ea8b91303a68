"""/v1/stacks: scans come in, the stack is closed; its pages are arranged, with undo."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.arranged_stacks import ORDER, arranged_stack, filled_stack, read_and_split
from tests.fixtures_signing import AGENCY
from tests.fixtures_web import Web, document


@pytest.fixture
def scans(web: Web) -> list[str]:
    return [web.room.put(document(n)) for n in range(3)]


def post(
    web: Web, path: str, form: Any = None, as_: str = "officer", **headers: str
) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.ask("POST", path, json=form, as_=as_, headers=named)


def test_a_stack_from_open_to_closed(web: Web, scans: list[str]) -> None:
    form = ORDER | {"reference": "lô 7", "urgent": True, "pages": 3, "profile": "archive"}
    opened = post(web, "/v1/stacks", form, idempotency_key="k")
    assert opened.status_code == 201, opened.text
    stack = opened.json()
    assert opened.headers["location"] == stack["links"]["self"]
    assert (stack["state"], stack["way"], stack["urgent"]) == ("open", "http", True)
    assert stack["order"].items() >= {"station": "quay-1", "reference": "lô 7"}.items()
    assert post(web, "/v1/stacks", form, idempotency_key="k").json()["id"] == stack["id"]
    assert post(web, "/v1/stacks", ORDER, idempotency_key="k").status_code == 409

    place = stack["links"]["scans"]
    for n, sha256 in enumerate(scans):
        scan = {"sha256": sha256, "name": f"{n}.jpg", "position": n, "side": "front"}
        first, again = post(web, place, scan), post(web, place, scan)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
    assert post(web, place, {"sha256": scans[1], "name": "x", "position": 0}).status_code == 409
    assert post(web, place, {"sha256": "0" * 64, "name": "x"}).status_code == 404
    found = web.ask("GET", place, as_="scanner").json()["items"]
    assert [(one["position"], one["sha256"], one["pages"]) for one in found] == [
        (n, sha256, None) for n, sha256 in enumerate(scans)
    ]
    for _ in range(2):
        closed = post(web, f"{stack['links']['self']}/close")
        assert (closed.status_code, closed.json()["state"]) == (200, "reading")
    one = web.ask("GET", stack["links"]["self"], as_="clerk")
    assert one.json()["counts"].items() >= {"scans": 3, "scans_waiting": 3, "pages": 0}.items()
    late = post(web, place, {"sha256": scans[0], "name": "x", "position": 3})
    assert late.status_code == 409
    assert web.ask("GET", stack["links"]["arrangement"], as_="officer").status_code == 409
    listed = web.ask("GET", "/v1/stacks", as_="officer", params={"state": "reading"}).json()
    assert [item["id"] for item in listed["items"]] == [stack["id"]]
    calmer = post(web, f"{stack['links']['self']}/priority", {"urgent": False})
    assert calmer.json()["urgent"] is False


def test_cancelled_and_empty_stacks(web: Web, scans: list[str]) -> None:
    empty = filled_stack(web, ORDER, [])
    assert post(web, f"{empty['links']['self']}/close").status_code == 409
    stack = filled_stack(web, ORDER, scans)
    for _ in range(2):
        gone = web.ask("DELETE", stack["links"]["self"], as_="officer")
        assert (gone.status_code, gone.json()["state"]) == (200, "cancelled")
    again = {"sha256": scans[0], "name": "x", "position": 9}
    assert post(web, stack["links"]["scans"], again).status_code == 409
    for as_ in ("leader", "clerk", "auditor", "admin"):
        assert post(web, "/v1/stacks", ORDER, as_, idempotency_key="z").status_code == 403


def test_pages_pictures_and_the_arrangement(web: Web, scans: list[str]) -> None:
    stack, pages = arranged_stack(web, AGENCY, scans)
    shown = web.ask("GET", stack["links"]["pages"], as_="officer").json()["items"]
    assert [page["id"] for page in shown] == pages
    assert shown[0]["summary"] == {"words": 12}
    picture = web.ask("GET", shown[0]["links"]["picture"], as_="officer")
    assert (picture.status_code, picture.content) == (200, b"RIFF")
    assert picture.headers["content-type"] == "image/webp"
    part = {"range": "bytes=1-2"}
    assert web.ask(
        "GET", shown[0]["links"]["picture"], as_="officer", headers=part
    ).content == b"IF"  # fmt: skip
    found = web.ask("GET", stack["links"]["arrangement"], as_="officer")
    assert found.json()["order"] == pages
    assert [p["page"] for p in found.json()["papers"][0]["pages"]] == pages
    assert found.headers["etag"] == f'"{stack["version"]}"'


def test_edits_undo_and_redo(web: Web, scans: list[str]) -> None:
    stack, pages = arranged_stack(web, AGENCY, scans)
    base = stack["links"]["self"]

    def turns() -> list[int]:
        found = web.ask("GET", stack["links"]["arrangement"], as_="officer").json()
        return [page["turns"] for paper in found["papers"] for page in paper["pages"]]

    def act(what: str, form: Any = None, version: int | None = None) -> httpx.Response:
        tag = web.ask("GET", base, as_="officer").headers["etag"]
        return post(
            web, f"{base}/{what}", form, if_match=tag if version is None else f'"{version}"'
        )

    rotate = {"kind": "rotate", "page": pages[1], "turns": 1}
    assert post(web, f"{base}/edits", rotate).status_code == 428
    assert act("edits", rotate, version=99).status_code == 412
    assert act("edits", rotate).status_code == 200
    assert turns() == [0, 1, 0]
    assert act("undo").status_code == 200
    assert turns() == [0, 0, 0]
    assert act("redo").status_code == 200
    assert turns() == [0, 1, 0]
    assert act("redo").status_code == 409
    assert act("edits", {"kind": "split", "page": pages[2]}).status_code == 200
    papers = web.ask("GET", stack["links"]["arrangement"], as_="officer").json()["papers"]
    assert [len(paper["pages"]) for paper in papers] == [2, 1]
    first, second = (paper["id"] for paper in papers)
    for form in (
        {"kind": "assign", "paper": second, "dossier_code": "H22-1", "component_code": "TP2"},
        {"kind": "mark-kind", "page": pages[0], "as_kind": "original"},
        {"kind": "set-aside", "page": pages[0]},
        {"kind": "bring-back", "page": pages[0]},
        {"kind": "move", "page": pages[0], "paper": first, "place": 1},
        {"kind": "reorder", "paper": first, "pages": pages[:2]},
        {"kind": "tie-note", "page": pages[1], "note_of": pages[0]},
        {"kind": "merge", "paper": second, "into": first},
    ):
        assert act("edits", form).status_code == 200, form
    for form in (
        {"kind": "rotate", "page": pages[1], "turns": 9},
        {"kind": "burn", "page": pages[1]},
        {"kind": "split", "page": pages[1], "new_paper": "ppr_mine"},
        {"kind": "rotate", "page": "pg_none", "turns": 1},
        {"kind": "replace", "page": pages[1], "by": pages[2]},
    ):
        assert act("edits", form).status_code == 422, form


def test_a_rescan_is_a_scan_with_a_purpose(web: Web, scans: list[str]) -> None:
    stack, pages = arranged_stack(web, AGENCY, scans[:2])
    place = stack["links"]["scans"]
    again = {"sha256": scans[2], "name": "lại.jpg", "position": 2}
    assert post(web, place, again).status_code == 409  # it is arranged: say what it is for
    wrong = again | {"purpose": {"kind": "replace", "page": "pg_none"}}
    assert post(web, place, wrong).status_code == 422
    added = post(web, place, again | {"purpose": {"kind": "replace", "page": pages[0]}})
    assert added.status_code == 201
    assert added.json()["purpose"].items() >= {"kind": "replace", "page": pages[0]}.items()
    papers = web.ask("GET", stack["links"]["arrangement"], as_="officer").json()["papers"]
    insert = {"kind": "insert", "paper": papers[0]["id"], "after": pages[1]}
    form = {"sha256": scans[2], "name": "chèn.jpg", "position": 3, "purpose": insert}
    assert post(web, place, form).status_code == 201


def test_a_page_without_a_picture_and_one_of_another_stack(web: Web, scans: list[str]) -> None:
    stack, pages = arranged_stack(web, AGENCY, scans[:1])
    other = filled_stack(web, ORDER, scans[:1])
    post(web, f"{other['links']['self']}/close")
    theirs = read_and_split(web, other["id"], AGENCY)
    wrong = f"{stack['links']['pages']}/{theirs[0]}/picture"
    assert web.ask("GET", wrong, as_="officer").status_code == 404
    assert web.ask("GET", f"{stack['links']['pages']}/{pages[0]}/picture").status_code == 401
