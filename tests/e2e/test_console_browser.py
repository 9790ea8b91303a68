"""The console in Chromium by keyboard alone: intake to the end of a check, with and without script.

No test of this module uses a mouse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Page, expect

from dossier.stacks.values import PaperState
from dossier.storage.station_tables import paper_entries, papers
from tests.checking_room import field_of
from tests.console_room import PageLook, read_paper, scan_file
from tests.console_service import ConsoleService, console_service
from tests.fixtures_browser import BrowserAt, serious_findings

FIELDS = (
    field_of("doc_number", "12", doubtful=True),
    field_of("signer_name", "Nguyen Thi Mau", doubtful=True),
    field_of("abstract", "Về việc thử nghiệm (hư cấu)"),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleService]:
    with console_service(tmp_path_factory.mktemp("console") / "data") as made:
        yield made


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"trang {n}.jpg" for n in range(1, 5)]
    for number, path in enumerate(paths):
        path.write_bytes(scan_file(100 + number))
    return paths


def _sign_in(page: Page, service: ConsoleService, key: str) -> None:
    page.goto(f"{service.url}/console")
    expect(page.locator("#key")).to_be_focused()
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Tập giấy|Stacks"))


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(80):
        if page.locator(f"{selector}:focus").count():
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{selector} cannot be reached by Tab")


def _choose(page: Page, selector: str, files: list[Path]) -> None:
    """Files by the keyboard: the chooser opens with a key."""
    chosen: list[object] = []

    def choose(chooser: object) -> None:
        chosen.append(chooser)
        chooser.set_files(files)  # type: ignore[attr-defined]

    page.once("filechooser", choose)
    page.locator(selector).focus()
    for _ in range(10):
        page.keyboard.press("Space")
        page.wait_for_timeout(200)
        if chosen:
            return
    raise AssertionError("no file chooser")


def _compose(page: Page, text: str) -> None:
    """What Telex does: letters change under the caret until the word is done."""
    session = page.context.new_cdp_session(page)
    for end in range(1, len(text) + 1):
        part = text[:end]
        session.send(
            "Input.imeSetComposition",
            {"text": part, "selectionStart": len(part), "selectionEnd": len(part)},
        )
    session.send("Input.insertText", {"text": text})
    session.detach()


def test_from_intake_to_the_end_of_a_check_by_keyboard(
    service: ConsoleService, browser_at: BrowserAt, scans: list[Path]
) -> None:
    key, caller = service.person("Nguyễn Thị Phím (mẫu)")
    page = browser_at(service.url)
    _sign_in(page, service, key)
    # a new stack
    if page.locator("#new-stack[open]").count() == 0:
        page.keyboard.press("n")
    _tab_to(page, "#reference")
    page.keyboard.type("Hồ sơ bàn phím")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Hồ sơ bàn phím")
    stack = page.url.rpartition("/")[2].partition("?")[0]
    _choose(page, "#files-", scans)
    _tab_to(page, ".intake button")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Đã nhận tệp.")
    found = service.maker.stacks.scans(caller, stack)
    assert [scan.name for scan in found] == [path.name for path in scans]
    page.keyboard.press("Control+Enter")
    expect(page.locator("#bar .state")).to_have_text("Đang đọc")
    looks = (PageLook(), PageLook(badges=("?",)), PageLook(blank=True), PageLook())
    pages = service.maker.split(caller, stack, looks)
    expect(page.locator("#bar .state")).to_have_text("Đang sắp xếp, kiểm tra", timeout=15_000)
    # the machines' work is seen without a key; now the pages
    current = page.locator(".strip [aria-current]")
    expect(current).to_have_attribute("id", f"row-{pages[0]}")
    page.keyboard.press("j")
    expect(current).to_have_attribute("id", f"row-{pages[1]}")
    assert page.title().startswith("Hồ sơ bàn phím")
    page.keyboard.press("r")
    expect(page.locator("#said")).to_have_text("Đã xoay trang.")
    expect(current.locator(".badge-turned")).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator("#said")).to_have_text("Đã hoàn tác.")
    expect(current.locator(".badge-turned")).to_have_count(0)
    page.keyboard.press("ArrowDown")
    expect(current).to_have_attribute("id", f"row-{pages[2]}")
    expect(current.locator(".kind")).to_have_text("Để riêng")
    page.keyboard.press("b")
    expect(current.locator(".kind")).to_have_count(0)
    page.keyboard.press("b")
    expect(current.locator(".kind")).to_have_text("Để riêng")
    page.keyboard.press("ArrowDown")
    expect(current).to_have_attribute("id", f"row-{pages[3]}")
    page.keyboard.press("s")
    expect(page.locator(".paper-row")).to_have_count(2)
    page.keyboard.press("x")
    expect(page.locator("#files-replace")).to_be_focused()
    assert serious_findings(page) == []
    # the list of keys
    page.locator("#page-title").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("g")
    page.wait_for_timeout(80)
    page.keyboard.press("q")
    expect(page.get_by_role("heading", level=1)).to_have_text("Tập giấy")
    assert serious_findings(page) == []


def test_a_check_by_keyboard_with_telex(service: ConsoleService, browser_at: BrowserAt) -> None:
    key, caller = service.person("Nguyễn Thị Gõ (mẫu)")
    _, paper, pages = read_paper(service.maker, caller, fields=FIELDS, reference="Kiểm tra")
    page = browser_at(service.url)
    _sign_in(page, service, key)
    page.goto(f"{service.url}/console/papers/{paper}")
    assert serious_findings(page) == []
    page.keyboard.press("Enter")  # takes it
    number = page.locator("#value-field-doc_number")
    expect(number).to_be_focused()
    page.keyboard.type("123")
    expect(page.locator("#saved-value-field-doc_number")).to_have_text("đã lưu")
    page.keyboard.press("Enter")
    name = page.locator("#value-field-signer_name")
    expect(name).to_be_focused()
    expect(page.locator(".mark.current")).to_have_count(1)
    page.keyboard.press("Control+a")
    page.keyboard.press("Delete")
    for n, word in enumerate(("Nguyễn", "Thị", "Mẫu")):
        if n:
            page.keyboard.insert_text(" ")
        _compose(page, word)
    expect(name).to_have_value("Nguyễn Thị Mẫu")
    expect(page.locator("#saved-value-field-signer_name")).to_have_text("đã lưu")
    assert _entry(service, paper, "field:signer_name") == "Nguyễn Thị Mẫu"
    page.keyboard.press("f")  # letters are letters while one types
    page.keyboard.press("Backspace")
    page.keyboard.press("Alt+z")
    expect(page.locator(".sheet.zoomed")).to_have_count(1)
    expect(page.locator("#value-field-signer_name")).to_have_value("Nguyễn Thị Mẫu")
    page.keyboard.press("F2")
    word = page.locator(f"#value-word-{pages[0]}-2")
    expect(word).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Đã xác nhận.")
    expect(page.locator("#value-field-signer_name")).to_be_focused()  # passed over: it waits
    page.keyboard.press("Enter")
    expect(page.locator(".good")).to_be_visible()
    assert serious_findings(page) == []
    page.keyboard.press("Control+z")
    expect(page.locator("#said")).to_have_text("Đã rút xác nhận.")
    page.keyboard.press("Enter")
    expect(page.locator(".good")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#said")).to_have_text("Đã kết thúc kiểm tra.")
    assert _state(service, paper) == PaperState.CHECKED
    assert serious_findings(page) == []


def test_two_browsers_on_one_queue(service: ConsoleService, browser_at: BrowserAt) -> None:
    people = [service.person(f"Người kiểm tra {n} (mẫu)") for n in range(2)]
    papers_made = {
        read_paper(service.maker, people[0][1], pages=1, reference=f"Hàng chờ {n}")[1]
        for n in range(3)
    }
    pages = [browser_at(service.url) for _ in people]
    for page, (key, _) in zip(pages, people, strict=True):
        _sign_in(page, service, key)
        page.goto(f"{service.url}/console/check")
    taken: list[str] = []
    for page in (*pages, pages[0]):
        expect(page.locator("#next-paper")).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/papers/**")
        taken.append(page.url.rpartition("/")[2].partition("?")[0])
        word = page.locator("input[id^=value-word]").first
        expect(word).to_be_focused()
        if len(taken) == 1:
            page.keyboard.press("Enter")
            expect(page.locator(".good")).to_be_visible()
            page.keyboard.press("Control+Enter")
            expect(page.get_by_role("heading", level=1)).to_have_text("Kiểm tra giấy tờ")
    assert len(set(taken)) == 3
    assert set(taken) <= papers_made | set(taken)
    other = pages[1]
    other.goto(f"{service.url}/console/papers/{taken[2]}")
    expect(other.get_by_text("Người kiểm tra 0 (mẫu) đang kiểm tra giấy tờ này.")).to_be_visible()
    assert other.locator("[data-save]").count() == 0
    for page in pages:
        page.goto(f"{service.url}/console")


def test_a_restart_loses_no_acknowledged_keystroke_and_signs_nobody_out(
    service: ConsoleService, browser: Browser
) -> None:
    key, caller = service.person("Nguyễn Văn Bền (mẫu)")
    _, paper, _ = read_paper(service.maker, caller, fields=FIELDS[:1], doubtful=())
    page = browser.new_context(locale="vi-VN").new_page()  # whose console may tell of a lost server
    _sign_in(page, service, key)
    page.goto(f"{service.url}/console/papers/{paper}")
    page.keyboard.press("Enter")
    field = page.locator("#value-field-doc_number")
    saved = page.locator("#saved-value-field-doc_number")
    expect(field).to_be_focused()
    page.keyboard.type("4711")
    expect(saved).to_have_text("đã lưu")
    service.running.kill()
    page.keyboard.type("5")
    expect(saved).to_have_text("chưa lưu, đang thử lại")  # and is not said to be saved
    assert _entry(service, paper, "field:doc_number") == "4711"
    service.running.start()
    expect(saved).to_have_text("đã lưu", timeout=15_000)
    assert _entry(service, paper, "field:doc_number") == "47115"
    page.keyboard.press("Enter")
    expect(page.locator(".good")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.locator("#said")).to_have_text("Đã kết thúc kiểm tra.")
    assert _state(service, paper) == PaperState.CHECKED
    page.context.close()


def test_the_main_path_without_script(
    service: ConsoleService, browser_at: BrowserAt, scans: list[Path]
) -> None:
    key, caller = service.person("Nguyễn Thị Giản (mẫu)")
    page = browser_at(service.url, script=False)
    page.goto(f"{service.url}/console")
    page.locator("#key").press_sequentially(key)
    page.keyboard.press("Enter")
    if page.locator("#new-stack[open]").count() == 0:
        page.locator("#new-stack summary").press("Enter")
    page.locator("#reference").press_sequentially("Khong script")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Khong script")
    stack = page.url.rpartition("/")[2].partition("?")[0]
    page.set_input_files("#files-", scans[:2])
    page.locator(".intake button").first.press("Enter")
    expect(page.locator("#said")).to_have_text("Đã nhận tệp.")
    page.locator("#close").press("Enter")
    pages = service.maker.split(caller, stack, (PageLook(), PageLook()))
    page.goto(f"{service.url}/console/stacks/{stack}")
    page.locator("#do-rotate").press("Enter")
    expect(page.locator(f"#row-{pages[0]} .badge-turned")).to_have_count(1)
    page.locator("#undo").press("Enter")
    expect(page.locator(f"#row-{pages[0]} .badge-turned")).to_have_count(0)
    _, paper, _ = read_paper(service.maker, caller, fields=FIELDS[:1], doubtful=())
    page.goto(f"{service.url}/console/papers/{paper}")
    page.locator("#step-take").press("Enter")
    field = page.locator("#value-field-doc_number")
    field.press_sequentially("0")
    field.press("Enter")
    expect(page.locator(".good")).to_be_visible()
    page.locator("#step-finish").press("Enter")
    expect(page.locator("#said")).to_have_text("Đã kết thúc kiểm tra.")
    assert _state(service, paper) == PaperState.CHECKED


def test_keys_can_be_switched_off_and_a_barcode_gun_leads_to_its_dossier(
    service: ConsoleService, browser_at: BrowserAt
) -> None:
    key, caller = service.person("Nguyễn Văn Mã (mẫu)")
    stack, _, pages = read_paper(service.maker, caller, codes=("H22.12-MAVACH-7", "TP1"))
    page = browser_at(service.url)
    _sign_in(page, service, key)
    page.locator("#content").focus()
    page.keyboard.type("H22.12-MAVACH-7")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/console/stacks/{stack}"))
    page.goto(f"{service.url}/console/settings")
    page.locator("[name=letter-keys]").press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_have_text("Đã lưu tùy chọn.")
    page.goto(f"{service.url}/console/stacks/{stack}")
    page.keyboard.press("j")
    page.wait_for_timeout(300)
    current = page.locator(".strip [aria-current]")
    expect(current).to_have_attribute("id", f"row-{pages[0]}")
    page.keyboard.press("ArrowDown")
    expect(current).to_have_attribute("id", f"row-{pages[1]}")


def test_every_screen_in_both_languages_small_and_large(
    service: ConsoleService, browser_at: BrowserAt
) -> None:
    key, caller = service.person("Nguyễn Thị Rõ (mẫu)")
    stack, paper, _ = read_paper(service.maker, caller, fields=FIELDS)
    page = browser_at(service.url, width=683, height=384)  # 200 % of 1366 × 768
    _sign_in(page, service, key)
    places = (
        "/console/sign-in",
        "/console",
        "/console/check",
        "/console/settings",
        "/console/search?q=khong",
        f"/console/stacks/{stack}",
        f"/console/papers/{paper}",
        "/console/nothing",
    )
    for place in places:
        for language in ("vi", "en"):
            joint = "&" if "?" in place else "?"
            page.goto(f"{service.url}{place}{joint}lang={language}")
            assert page.locator("html").get_attribute("lang") == language
            assert page.get_by_role("main").count() == 1
            assert page.get_by_role("heading", level=1).count() == 1
            assert page.evaluate("document.documentElement.scrollWidth") <= 683, place
        assert serious_findings(page) == [], place
        targets = page.evaluate(
            """[...document.querySelectorAll('a, button, summary, input, select')]
                .filter(e => e.getClientRects().length && !e.closest('p') && !e.matches('.skip')
                    && e.type !== 'checkbox')
                .map(e => [e.outerHTML.slice(0, 90), e.getBoundingClientRect().height])"""
        )
        assert [target for target in targets if target[1] < 24] == [], place  # WCAG 2.5.8
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto(f"{service.url}/console/papers/{paper}")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_in_viewport()
    page.emulate_media(reduced_motion="reduce")
    duration = "getComputedStyle(document.querySelector('button')).transitionDuration"
    assert page.evaluate(duration) in ("0s", "")


def _entry(service: ConsoleService, paper: str, target: str) -> str | None:
    with service.database.read() as connection:
        found: str | None = connection.execute(
            sa.select(paper_entries.c.value).where(
                paper_entries.c.paper_id == paper, paper_entries.c.target == target
            )
        ).scalar()
    return found


def _state(service: ConsoleService, paper: str) -> str:
    with service.database.read() as connection:
        found: str = connection.execute(
            sa.select(papers.c.state).where(papers.c.id == paper)
        ).scalar_one()
    return found
