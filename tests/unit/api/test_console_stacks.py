"""The list of stacks and the screen of one: ways in, edits with undo, strangers, bad values."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from api.console.files import clean_name
from api.console.scanning import ScanRun
from api.console.screen import console_of
from api.console.strip import Where, strip_of
from api.settings import ScannerSettings
from dossier.intake.observations import Side
from dossier.stacks.values import StackState
from tests.console_room import ORIGIN, PageLook, scan_file
from tests.escl_papers import stack as sheets
from tests.escl_simulator import EsclSimulator
from tests.fixtures_console import ConsoleRoom, Operator
from tests.fixtures_signing import OTHER_AGENCY

HOSTILE = '<script>alert(1)</script>\u202e"><img src=x onerror=alert(1)>'


@pytest.fixture
def thu(console: ConsoleRoom) -> Operator:
    return console.signed_in()


def _open(thu: Operator, **form: str) -> str:
    answer = thu.post("/console/stacks", **({"station": "quầy 1", "once": "a" * 32} | form))
    assert answer.status_code == 303, answer.text
    found = re.match(r"/console/stacks/(stk_\w+)", answer.headers["location"])
    assert found is not None
    return found[1]


def test_a_stack_is_opened_filled_closed_and_listed(console: ConsoleRoom, thu: Operator) -> None:
    stack = _open(thu, reference="Hồ sơ bà Mẫu", pages="3", urgent="on")
    assert _open(thu, reference="Hồ sơ bà Mẫu", pages="3", urgent="on") == stack  # sent twice
    files = [(f"trang {n}.jpg", scan_file(n)) for n in range(3)]
    shown = thu.done(thu.upload(f"/console/stacks/{stack}/files", files))
    assert "Scanned 0 / expected 3" in shown.text  # no worker looks at them here
    # the sending broke off behind the second file, and the person sends all of it again
    thu.upload(f"/console/stacks/{stack}/files", [*files[1:], ("d.png", b"\x89PNG\r\n\x1a\nx")])
    scans = console.house.stacks.scans(thu.caller, stack)
    assert [scan.name for scan in scans] == ["trang 0.jpg", "trang 1.jpg", "trang 2.jpg", "d.png"]
    assert [scan.position for scan in scans] == [0, 1, 2, 3]
    thu.done(thu.post(f"/console/stacks/{stack}/close"))
    found, _ = console.house.stacks.get(thu.caller, stack)
    assert found.state is StackState.READING
    assert found.order.officer == thu.caller.name
    listed = thu.get("/console").text
    assert "Hồ sơ bà Mẫu" in listed
    assert "Urgent" in listed
    assert "Being read" in listed
    calm = thu.post(f"/console/stacks/{stack}/calm", back="list")
    assert calm.headers["location"] == f"/console?said=stack-calm#{stack}"
    thu.done(thu.post(f"/console/stacks/{stack}/cancel"))
    assert console.house.stacks.get(thu.caller, stack)[0].state is StackState.CANCELLED
    assert thu.post(f"/console/stacks/{stack}/burn").status_code == 404


def test_what_is_no_scan_is_refused_and_says_so(console: ConsoleRoom, thu: Operator) -> None:
    stack = _open(thu)
    path = f"/console/stacks/{stack}/files"
    for files in ([("a.txt", b"chao")], [("", b"")], [("evil.jpg", b"MZ" + b"\0" * 90)]):
        refused = thu.upload(path, files)
        assert refused.status_code == 422, files
        assert "data-message" in refused.text
    kept = thu.upload(path, [("1.jpg", scan_file(1)), ("a.txt", b"chao")])
    assert kept.status_code == 422
    assert [s.name for s in console.house.stacks.scans(thu.caller, stack)] == ["1.jpg"]
    answer = thu.web.ask("POST", path, content=b"x", headers=thu.headers())
    assert answer.status_code == 415
    broken = {**thu.headers(), "content-type": "multipart/form-data; boundary=x"}
    answer = thu.web.ask("POST", path, content=b"--x\r\nnothing", headers=broken)
    assert answer.status_code == 400
    for token in ("", "0" * 64):
        files = [("files", ("2.jpg", scan_file(2)))]
        answer = thu.web.ask(
            "POST", path, data={"form-token": token}, files=files, headers=thu.headers()
        )
        assert answer.status_code == 403
    foreign = thu.headers() | {"origin": "https://example.org"}
    answer = thu.web.ask(
        "POST", path, data={"form-token": thu.form_token()}, files=files, headers=foreign
    )
    assert answer.status_code == 403
    assert len(console.house.stacks.scans(thu.caller, stack)) == 1


def test_another_agency_sees_nothing(console: ConsoleRoom, thu: Operator) -> None:
    stack, pages = console.maker.arranged(thu.caller)
    stranger = console.signed_in(agency=OTHER_AGENCY, name="Người xã khác")
    assert stack not in stranger.get("/console").text
    place = f"/console/stacks/{stack}"
    asked = [
        stranger.get(place),
        stranger.get(f"{place}/pages/{pages[0]}/picture.webp"),
        stranger.post(f"{place}/do/rotate", page=pages[0]),
        stranger.post(f"{place}/undo"),
        stranger.post(f"{place}/redo"),
        stranger.post(f"{place}/close"),
        stranger.post(f"{place}/cancel"),
        stranger.post(f"{place}/hurry"),
        stranger.post(f"{place}/scan/stop"),
        stranger.upload(f"{place}/files", [("1.jpg", scan_file(9))]),
    ]
    assert [answer.status_code for answer in asked] == [404] * len(asked)
    for answer in asked:
        assert "Nguyễn Thị Thu" not in answer.text
    found, _ = console.house.stacks.get(thu.caller, stack)
    assert found.state is StackState.ARRANGED
    assert found.seq == 1


def test_pages_are_turned_set_aside_split_and_it_is_undone(
    console: ConsoleRoom, thu: Operator
) -> None:
    stack, pages = console.maker.arranged(thu.caller)
    place = f"/console/stacks/{stack}"

    def do(action: str, page: str, **more: str) -> str:
        return thu.done(thu.post(f"{place}/do/{action}", page=page, **more)).text

    def strip() -> list[tuple[str, int, str, int]]:
        present = console.house.arranging.arrangement(thu.caller, stack)
        assert present is not None
        found = strip_of(console.house.stacks.pages(thu.caller, stack), present.arrangement)
        return [(p.id, p.turns, p.where.value, p.place) for p in found.pages]

    shown = do("rotate", pages[1])
    assert 'aria-current="true"' in shown
    assert f"{pages[1]}/picture.webp?turns=1" in shown
    picture = thu.get(f"{place}/pages/{pages[1]}/picture.webp?turns=1&width=160")
    assert picture.headers["content-type"] == "image/webp"
    assert "private" in picture.headers["cache-control"]
    do("aside", pages[2])
    assert strip()[2] == (pages[2], 0, "aside", 0)
    assert "Bring back" in thu.get(f"{place}?page={pages[2]}").text
    do("aside", pages[2])
    assert strip()[2][2] == "paper"
    do("split", pages[2])
    do("assign", pages[2], paper=_paper_of(console, thu, stack, pages[2]), dossier_code="H1")
    shown = do("up", pages[3])
    assert [page for page, *_ in strip()] == [pages[0], pages[1], pages[3], pages[2]]
    assert "H1" in shown
    do("original", pages[0])
    do("tie", pages[1])
    assert "Second image" in thu.get(f"{place}?page={pages[1]}").text
    do("tie", pages[1])
    do("to-paper-before", pages[3])
    do("merge", pages[2])
    assert [where for _, _, where, _ in strip()] == ["paper"] * 4
    for _ in range(11):
        thu.done(thu.post(f"{place}/undo"))
    assert strip() == [(page, 0, "paper", n) for n, page in enumerate(pages, 1)]
    assert thu.post(f"{place}/undo").status_code == 409
    thu.done(thu.post(f"{place}/redo"))
    assert strip()[1][1] == 1
    assert thu.post(f"{place}/do/rotate", page="pg_none").status_code == 422
    assert thu.post(f"{place}/do/merge", page=pages[0]).status_code == 422
    assert thu.post(f"{place}/do/tie", page=pages[0]).status_code == 422
    assert thu.post(f"{place}/do/explode", page=pages[0]).status_code == 404
    assert thu.post(f"{place}/do/rotate", page=pages[0], version="1").status_code == 412


def _paper_of(console: ConsoleRoom, thu: Operator, stack: str, page: str) -> str:
    present = console.house.arranging.arrangement(thu.caller, stack)
    assert present is not None
    return present.arrangement.home(page)[0].id


def test_a_rescan_and_an_insert_name_their_place(console: ConsoleRoom, thu: Operator) -> None:
    stack, pages = console.maker.arranged(thu.caller)
    path = f"/console/stacks/{stack}/files"
    new = [("lai.jpg", scan_file(40))]
    answer = thu.upload(path, new, purpose="replace", page=pages[1])
    assert answer.headers["location"].endswith(f"?page={pages[1]}&said=files-taken")
    paper = _paper_of(console, thu, stack, pages[0])
    thu.done(
        thu.upload(path, [("c.jpg", scan_file(41))], purpose="insert", page=pages[0], paper=paper)
    )
    purposes = [scan.purpose for scan in console.house.stacks.scans(thu.caller, stack)][4:]
    assert [(p["kind"], p["by"]) for p in purposes] == [
        ("replace", thu.caller.name),
        ("insert", thu.caller.name),
    ]
    assert thu.upload(path, [("e.jpg", scan_file(42))], purpose="eat").status_code == 422
    assert thu.upload(path, [("f.jpg", scan_file(43))]).status_code == 409  # no more paper comes


def test_what_strangers_wrote_is_shown_and_does_nothing(
    console: ConsoleRoom, thu: Operator
) -> None:
    long = "ê" * 10_000
    looks = (
        PageLook(
            badges=("N", "?", "!", "X", "T", "P"),
            findings=({"code": "BLURRED", "severity": "block", "vi": HOSTILE, "en": long},),
        ),
    )
    alarm = {"kind": "duplicate-page", "pages": [], "vi": HOSTILE, "en": HOSTILE + long}
    stack, pages = console.maker.arranged(
        thu.caller, looks, reference=HOSTILE.replace("\u202e", "")[:200], alarms=[alarm]
    )
    place = f"/console/stacks/{stack}"
    paper = _paper_of(console, thu, stack, pages[0])
    thu.done(thu.post(f"{place}/do/assign", page=pages[0], paper=paper, dossier_code=HOSTILE[:60]))
    for path in ("/console", place, f"{place}?page={HOSTILE}", f"/console/find?code={HOSTILE}"):
        page = thu.get(path)
        text = page.text if page.status_code == 200 else ""
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "\u202e" not in re.sub(r'value="[^"]*"', "", text)
        assert len(text) < 60_000
    assert 'class="badge badge-doubt"' in thu.get(place).text
    for text in (long, HOSTILE, "\x00", "-1", "1" * 400):
        answer = thu.post("/console/stacks", station="quầy", pages=text, reference=text)
        assert answer.status_code in (303, 422)
    assert thu.post("/console/stacks", station="").status_code == 422
    assert thu.post("/console/stacks", filler="x" * 300_000).status_code == 413


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("../../etc/a.jpg", "a.jpg"),
        ("C:\\scan\\b.tif", "b.tif"),
        ("a\u202eb\x00c.pdf", "abc.pdf"),
        ("Qu\u00fd\u0302.jpg", "Qu\u00fd\u0302.jpg"),
        ("x" * 500 + ".pdf", "…" + "x" * 115 + ".pdf"),
        ("", ""),
    ],
)
def test_names_of_files(told: str, kept: str) -> None:
    assert clean_name(told) == kept


def test_a_barcode_leads_to_the_newest_stack_of_its_dossier(
    console: ConsoleRoom, thu: Operator
) -> None:
    stack, pages = console.maker.arranged(thu.caller)
    paper = _paper_of(console, thu, stack, pages[0])
    thu.post(f"/console/stacks/{stack}/do/assign", paper=paper, dossier_code="000.00.01.H22-1")
    found = thu.get("/console/find?code=000.00.01.H22-1")
    assert found.headers["location"] == f"/console/stacks/{stack}"
    stranger = console.signed_in(agency=OTHER_AGENCY, name="Người xã khác")
    other = stranger.get("/console/find?code=000.00.01.H22-1")
    assert other.headers["location"] == "/console/search?q=000.00.01.H22-1"


def test_pages_that_are_in_no_paper_have_a_place(console: ConsoleRoom, thu: Operator) -> None:
    looks = (PageLook(), PageLook(blank=True), PageLook())
    stack, pages = console.maker.arranged(thu.caller, looks)
    present = console.house.arranging.arrangement(thu.caller, stack)
    assert present is not None
    strip = strip_of(console.house.stacks.pages(thu.caller, stack), present.arrangement)
    assert [page.id for page in strip.pages] == pages
    assert strip.pages[1].where is Where.ASIDE
    assert strip.pages[1].badges == ("T",)
    assert strip.counted == 2
    before, behind = strip.beside(pages[1])
    assert before is not None
    assert behind is not None
    assert (before.id, behind.id) == (pages[0], pages[2])
    assert strip.beside("pg_none") == (None, None)


def test_static_files(console: ConsoleRoom) -> None:
    page = console.web.ask("GET", "/console/sign-in").text
    named = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', page)
    assert len(named) == 3
    for path in named:
        answer = console.web.ask("GET", path)
        assert "immutable" in answer.headers["cache-control"]
    assert console.web.ask("GET", "/console/static/x/../../app.py").status_code == 404
    assert console.web.ask("GET", "/console/nothing", headers={"origin": ORIGIN}).status_code == 404


def test_a_network_scanner_of_the_settings_fills_a_stack(console: ConsoleRoom) -> None:
    size = (620, 874)
    with EsclSimulator(sheets(2, size=size), size=size) as simulator:
        settings = console.web.settings.model_copy(
            update={"scanners": {"quay-3": ScannerSettings(url=simulator.url)}}
        )
        console.web.app.state.house = replace(console.house, settings=settings)
        thu = console.signed_in()
        made = _open(thu)
        place = f"/console/stacks/{made}"
        assert "<option>quay-3</option>" in thu.get(place).text
        assert thu.post(f"{place}/scan", device="http://169.254.169.254/").status_code == 422
        thu.done(thu.post(f"{place}/scan", device="quay-3", duplex="on", paper_size="max"))
        runs = console_of(console.web.app).scans
        _until(lambda: not (runs.of(made) or ScanRun("")).is_running)
        run = runs.of(made)
        assert run is not None
        assert (run.pages, run.message) == (4, "")
        scans = console.house.stacks.scans(thu.caller, made)
        assert [scan.side for scan in scans] == [Side.FRONT, Side.BACK] * 2
        assert "4 pages scanned" in thu.get(place).text
        # the feeder is empty now: the screen says what to do, and nothing is lost
        thu.done(thu.post(f"{place}/scan", device="quay-3", paper_size="max"))
        _until(lambda: not (runs.of(made) or ScanRun("")).is_running)
        assert 'class="error"' in thu.get(place).text
        assert len(console.house.stacks.scans(thu.caller, made)) == 4
        folder = console.web.folder / "console" / "scans" / made
        assert (folder / "pages" / "0001.jpg").is_file()
        thu.done(thu.post(f"{place}/close"))
        assert not folder.exists()  # they are in the stack's scans


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
