"""The checking screen: leases, what is typed and confirmed, ends of checks, strangers."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from dossier.model import Role
from dossier.stacks.proposals import PageFinding
from dossier.stacks.values import PaperState
from tests.checking_room import BLOCKED, field_of
from tests.console_room import read_paper
from tests.fixtures_console import ConsoleRoom, Operator
from tests.fixtures_signing import OTHER_AGENCY

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
FIELDS = (
    field_of("doc_number", "12", doubtful=True),
    field_of("abstract", "Về việc thử"),
    field_of("agency", "UBND XA MAU", doubtful=True),
)


@pytest.fixture
def thu(console: ConsoleRoom) -> Operator:
    return console.signed_in()


def _paper(console: ConsoleRoom, thu: Operator, **how: Any) -> str:
    return read_paper(console.maker, thu.caller, **({"fields": FIELDS} | how))[1]


def _state(console: ConsoleRoom, thu: Operator, paper: str) -> PaperState:
    return console.house.checking.get(thu.caller, paper).state


def _at(answer: httpx.Response) -> str:
    found = re.search(r"at=([^&]*)", answer.headers["location"])
    assert found is not None
    return found[1].replace("%3A", ":")


def test_from_the_queue_to_the_end_of_a_check(console: ConsoleRoom, thu: Operator) -> None:
    paper = _paper(console, thu)
    listed = thu.get("/console/check")
    assert "Waiting 1, being checked 0" in listed.text
    assert f'href="/console/papers/{paper}"' in listed.text
    before = thu.get(f"/console/papers/{paper}").text
    assert "data-save" not in before  # read only: nobody has it yet
    assert "readonly" in before
    shown = thu.done(thu.post("/console/check/next"))
    order = re.findall(r'data-save="[^"]+" data-target="([^"]+)"', shown.text)
    assert order[:2] == ["field:doc_number", "field:agency"]  # doubtful fields, then words
    assert order[2].startswith("word:pg_")
    assert order[3] == "field:abstract"
    assert 'id="value-field-doc_number" name="value" value="12"' in shown.text
    assert shown.text.count("autofocus") == 1
    assert "60 % certain" in shown.text
    crop = re.search(r'class="crop" src="([^"]+)"', shown.text)
    assert crop is not None
    cut = thu.get(crop[1].replace("&amp;", "&"))
    assert cut.headers["content-type"] == "image/webp"
    refused = thu.post(f"/console/papers/{paper}/finish")
    assert refused.status_code == 409
    assert "Not finished yet" in refused.text
    steps = [
        thu.post(f"/console/papers/{paper}/confirm", target=target, value=value)
        for target, value in zip(order[:3], ("123", "UBND XÃ MẪU", "12/QĐ-UBND"), strict=True)
    ]
    assert [_at(step) for step in steps] == [order[1], order[2], "done"]
    all_said = thu.get(steps[-1].headers["location"]).text
    assert "All doubtful places are confirmed." in all_said
    assert "The machine read:" in all_said
    taken_back = thu.done(thu.post(f"/console/papers/{paper}/take-back", target=order[0]))
    assert "1 places left" in taken_back.text
    thu.post(f"/console/papers/{paper}/confirm", target=order[0], value="123")
    done = thu.done(thu.post(f"/console/papers/{paper}/finish"))
    assert "The check has ended." in done.text
    assert _state(console, thu, paper) is PaperState.CHECKED
    found = console.house.checking.get(thu.caller, paper)
    assert found.doc_number == "123"
    assert "Open it for checking again" in thu.get(f"/console/papers/{paper}").text
    thu.done(thu.post(f"/console/papers/{paper}/reopen", reason="đọc lại số"))
    assert _state(console, thu, paper) is PaperState.TO_CHECK


def test_what_is_typed_is_kept_and_never_overwritten_by_a_late_repeat(
    console: ConsoleRoom, thu: Operator
) -> None:
    paper = _paper(console, thu)
    thu.post(f"/console/papers/{paper}/take")
    path = f"/console/papers/{paper}/type"

    def typed(value: str, version: int) -> httpx.Response:
        return thu.post(path, target="field:abstract", value=value, version=str(version))

    assert typed("Ve viec", 1).json() == {"version": 1, "value": "Ve viec"}
    assert typed("V\u1ec1 vi\u00ea\u0323c", 2).json()["value"] == "Về việc"  # NFC
    assert typed("Ve", 1).status_code == 412
    assert console.house.checking.entries(thu.caller, paper)["field:abstract"].value == "Về việc"
    assert 'value="Về việc"' in thu.get(f"/console/papers/{paper}").text
    for value in ("x" * 10_000, "a\u202eb", "a\x00b"):
        assert typed(value, 9).status_code == 422
    for target in ("", "field:", "word:pg_x:1", "finding:x", HOSTILE):
        assert thu.post(path, target=target, value="x").status_code == 422
    assert thu.post(path, target="field:abstract", value="x", form_token="0").status_code == 403


def test_two_people_never_have_one_paper(console: ConsoleRoom, thu: Operator) -> None:
    papers = {_paper(console, thu) for _ in range(2)}
    van = console.signed_in(name="Trần Văn Ví (mẫu)")
    places = [one.post("/console/check/next").headers["location"] for one in (thu, van)]
    taken = [re.findall(r"ppr_\w+", place)[0] for place in places]
    assert set(taken) == papers
    assert thu.post("/console/check/next").headers["location"] == places[0]  # hers already
    other = van.get(f"/console/papers/{taken[0]}").text
    assert "Nguyễn Thị Thu (mẫu) is checking this paper." in other
    assert "data-save" not in other
    for path, form in (
        ("type", {"target": "field:abstract", "value": "x"}),
        ("confirm", {"target": "field:abstract", "value": "x"}),
        ("take", {}),
        ("finish", {}),
        ("keep", {}),
        ("hold", {"reason": "x"}),
    ):
        answer = van.post(f"/console/papers/{taken[0]}/{path}", **form)
        assert answer.status_code == 409, path
    assert thu.post(f"/console/papers/{taken[0]}/keep").status_code == 204
    thu.post(f"/console/papers/{taken[0]}/release")
    assert van.post(f"/console/papers/{taken[0]}/take").status_code == 303
    nothing = thu.done(thu.post("/console/check/next"))
    assert "No paper waits for you." in nothing.text


def test_another_agency_finds_no_paper(console: ConsoleRoom, thu: Operator) -> None:
    paper = _paper(console, thu)
    stranger = console.signed_in(
        agency=OTHER_AGENCY, name="Người xã khác", roles=(Role.SCANNER, Role.OFFICER)
    )
    assert paper not in stranger.get("/console/check").text
    target = {"target": "field:abstract", "value": "x"}
    answers = [
        stranger.get(f"/console/papers/{paper}"),
        *(stranger.post(f"/console/papers/{paper}/{step}", **target) for step in ("type", "take")),
        stranger.post(f"/console/papers/{paper}/confirm", **target),
        stranger.post(f"/console/papers/{paper}/take-back", **target),
        stranger.post(f"/console/papers/{paper}/resolve", finding="x", reason="x"),
        *(
            stranger.post(f"/console/papers/{paper}/{step}", reason="x", ground="photocopy")
            for step in ("keep", "release", "finish", "hold", "resume", "refuse", "reopen", "retry")
        ),
        stranger.post(f"/console/papers/{paper}/reuse", earlier=paper),
    ]
    assert {answer.status_code for answer in answers} == {404}
    assert _state(console, thu, paper) is PaperState.TO_CHECK


def test_findings_hold_and_refusal_ask_for_reasons(console: ConsoleRoom, thu: Operator) -> None:
    paper = _paper(console, thu, fields=(), doubtful=(), findings=(PageFinding(1, BLOCKED),))
    thu.post(f"/console/papers/{paper}/take")
    shown = thu.get(f"/console/papers/{paper}").text
    assert "the image is blurred" in shown
    finding = re.search(r'name="finding" value="([^"]+)"', shown)
    assert finding is not None
    path = f"/console/papers/{paper}"
    assert thu.post(f"{path}/finish").status_code == 409
    assert thu.post(f"{path}/resolve", finding=finding[1], reason=" ").status_code == 422
    assert thu.post(f"{path}/resolve", finding="other", reason="x").status_code == 404
    kept = thu.done(thu.post(f"{path}/resolve", finding=finding[1], reason=HOSTILE))
    assert "<script>alert" not in kept.text
    assert "&lt;script&gt;alert(1)" in kept.text
    assert thu.post(f"{path}/hold", reason="").status_code == 422
    thu.done(thu.post(f"{path}/hold", reason="chờ người dân"))
    assert _state(console, thu, paper) is PaperState.HELD
    assert "Back into the queue" in thu.get(path).text
    thu.done(thu.post(f"{path}/resume"))
    thu.done(thu.post(f"{path}/take"))
    assert thu.post(f"{path}/refuse", ground="because", reason="x").status_code == 422
    thu.done(thu.post(f"{path}/refuse", ground="photocopy", reason="bản chụp"))
    assert _state(console, thu, paper) is PaperState.REFUSED
    assert thu.post(f"{path}/explode").status_code == 404


def test_what_machines_read_is_shown_and_does_nothing(console: ConsoleRoom, thu: Operator) -> None:
    fields = (field_of("abstract", HOSTILE, doubtful=True), field_of("doc_number", "ê" * 1500))
    paper = _paper(console, thu, fields=fields, words=(HOSTILE, "\u202e2"), doubtful=(1, 2))
    for path in ("/console/check", f"/console/papers/{paper}", f"/console/papers/{paper}?at=next"):
        page = thu.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
    for query in (f"at={HOSTILE}", "at=word:pg_x:9", "page=pg_none", "page=" + "x" * 3000):
        assert thu.get(f"/console/papers/{paper}?{query}").status_code == 200


def test_a_paper_of_two_people(console: ConsoleRoom, thu: Operator) -> None:
    paper = _paper(console, thu, fields=FIELDS[:1], doubtful=(), people=2)
    path = f"/console/papers/{paper}"
    thu.post(f"{path}/take")
    thu.post(f"{path}/confirm", target="field:doc_number", value="12")
    thu.post(f"{path}/finish")
    assert _state(console, thu, paper) is PaperState.TO_CHECK
    assert thu.post(f"{path}/take").status_code == 403  # she went through it already
    van = console.signed_in(name="Trần Văn Ví (mẫu)")
    van.post(f"{path}/take")
    assert "1/2 people" in van.get(path).text
    van.post(f"{path}/confirm", target="field:doc_number", value="12")
    van.done(van.post(f"{path}/finish"))
    assert _state(console, thu, paper) is PaperState.CHECKED


def test_pages_are_arranged_from_the_checking_screen(console: ConsoleRoom, thu: Operator) -> None:
    stack, paper, pages = read_paper(console.maker, thu.caller, fields=FIELDS)
    thu.post(f"/console/papers/{paper}/take")
    answer = thu.post(
        f"/console/stacks/{stack}/do/rotate", page=pages[0], back=f"/console/papers/{paper}"
    )
    assert answer.headers["location"].startswith(f"/console/papers/{paper}?")
    shown = thu.get(answer.headers["location"])
    assert "being read" in shown.text
    away = thu.post(
        f"/console/stacks/{stack}/do/rotate", page=pages[0], back="https://example.org/"
    )
    assert away.headers["location"].startswith(f"/console/stacks/{stack}?")
