"""The citizen's page in Chromium: with and without script, mouse, or eyes; in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from signer.sealing.levels import Level
from signer.sealing.seal import SealRequest
from tests.citizens_papers import altered, installation, printed_code, sign
from tests.clerical import decision
from tests.fakes import SoftwareKey
from tests.fixtures_browser import BrowserAt, serious_findings
from tests.fixtures_signed import sealer_of
from tests.running_service import RunningService

PROOF_KEY = SoftwareKey(label="proof")
_CODE = re.compile("[0-9A-Z]{4}(-[0-9A-Z]{4}){3}")


@dataclass(frozen=True)
class Papers:
    """Files as a citizen has them on a disk."""

    signed: Path
    changed: Path
    hostile: Path
    text: Path
    photo: Path
    forged_photo: Path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """A whole service that lets one source ask as often as this module does."""
    data = installation(tmp_path_factory.mktemp("page") / "data", PROOF_KEY)
    with RunningService(data, {"SOHOA_WEB__PUBLIC_BURST": "500"}) as running:
        yield running


@pytest.fixture(scope="module")
def papers(
    service: RunningService, test_pki: Any, tmp_path_factory: pytest.TempPathFactory
) -> Papers:
    folder = tmp_path_factory.mktemp("papers")
    signed = sign(service)
    papers = Papers(
        *(folder / name for name in ("a.pdf", "b.pdf", "c.pdf", "d.txt", "e.png", "f.png"))
    )
    papers.signed.write_bytes(signed)
    papers.changed.write_bytes(altered(signed))
    papers.hostile.write_bytes(_hostile(test_pki))
    papers.text.write_text("không phải PDF")
    papers.photo.write_bytes(printed_code(signed, PROOF_KEY))
    papers.forged_photo.write_bytes(printed_code(signed, PROOF_KEY, forged=True))
    return papers


def _hostile(pki: Any) -> bytes:
    """Signed by nobody known, with a name and a reason that try to be markup."""
    key = pki.issue(common_name="<script>x=1</script>\u202egn")
    reason = "<img src=x onerror=alert(1)>" + "\u2066W" * 5_000
    request = SealRequest(key, Level.B_B, "<b>ô</b>", reason=reason, bytes_reserved=20_000)
    return sealer_of(pki).seal_bytes(decision(), request)[0]


def _checked(page: Page, service: RunningService, file: Path, query: str = "") -> None:
    """Upload `file` and be at the answer, with script or without."""
    page.goto(f"{service.url}/verify{query}")
    page.set_input_files("#document", file)
    page.click("#upload button[type=submit]")
    page.wait_for_url("**/verify/results/**")


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_signed_document_in_both_languages(
    script: bool, service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url, script=script)
    _checked(page, service, papers.signed)
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_contain_text("HỢP LỆ")
    expect(page.get_by_text("Được dấu thời gian chứng minh.")).to_be_visible()
    expect(page).to_have_title(re.compile("Hợp lệ – "))
    place = page.url
    page.get_by_role("link", name="English").click()  # the place is kept
    assert page.url == place + "?lang=en"
    expect(page.get_by_role("heading", level=1)).to_contain_text("VALID")
    assert page.locator("html").get_attribute("lang") == "en"
    with page.expect_download() as download:
        page.get_by_role("link", name="The report for programs").click()
    assert Path(download.value.path()).read_bytes().startswith(b'{"indication":"TOTAL-PASSED"')
    page.get_by_role("button", name="Delete it now").click()
    expect(page).to_have_url(service.url + "/verify?lang=en")


@pytest.mark.parametrize("locale", ["vi-VN", "en-GB"])
def test_a_changed_document_shows_what_was_changed(
    locale: str, service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url, locale=locale)
    _checked(page, service, papers.changed)
    said = "đã bị thay đổi sau khi ký" if locale == "vi-VN" else "was changed after it was signed"
    expect(page.get_by_role("heading", level=1)).to_contain_text(said)
    expect(page.locator("ins").first).to_contain_text("Quyết định khác")
    expect(page.locator("del").first).to_contain_text("Quyết định mẫu")
    frames = page.locator(".paper.now rect")
    assert frames.count() >= 1
    picture = page.locator(".paper.now img").first
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    assert page.evaluate("document.querySelector('.paper.now img').naturalWidth") > 500
    box, frame = picture.bounding_box(), frames.first.bounding_box()
    assert box is not None
    assert frame is not None
    assert box["x"] <= frame["x"] <= box["x"] + box["width"]
    assert box["y"] <= frame["y"] <= box["y"] + box["height"]
    assert serious_findings(page) == []


@pytest.mark.parametrize("script", [True, False], ids=["script", "no-script"])
def test_a_result_code_typed_with_the_keyboard(
    script: bool, service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url, script=script)
    _checked(page, service, papers.signed)
    expect(page.get_by_role("heading", name="Sổ đăng ký kết quả")).to_be_visible()
    expect(page.get_by_role("link", name="Gói bằng chứng")).to_be_visible()
    code = page.locator(".register .digest").first.inner_text()
    assert _CODE.fullmatch(code)
    page.goto(service.url + "/verify")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.locator("#code:focus").count():
            break
    page.keyboard.type(code.lower().replace("-", " "))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Đang có hiệu lực")
    expect(page.get_by_text(code)).to_be_visible()
    page.get_by_role("link", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("In force")
    expect(page.get_by_text(code)).to_be_visible()
    if script:
        assert serious_findings(page) == []
    mistyped = code[:-1] + ("B" if code.endswith("A") else "A")
    page.goto(f"{service.url}/verify?code={mistyped}&lang=en")
    summary = page.get_by_role("alert")
    expect(summary).to_be_visible()
    summary.get_by_role("link").click()
    expect(page.locator("#code")).to_be_focused()


@pytest.mark.parametrize(
    ("query", "script", "genuine", "forged"),
    [
        ("?lang=vi", True, "Mã thật", "Mã giả"),
        ("?lang=en", False, "Genuine code", "Forged code"),
    ],
)
def test_a_photograph_of_the_printed_code(
    query: str,
    script: bool,
    genuine: str,
    forged: str,
    service: RunningService,
    papers: Papers,
    browser_at: BrowserAt,
) -> None:
    page = browser_at(service.url, script=script, width=390, height=844)
    for photo, said in ((papers.photo, genuine), (papers.forged_photo, forged)):
        page.goto(f"{service.url}/verify{query}")
        page.set_input_files("#photo", photo)
        page.click("form[action*=photo] button")
        expect(page.get_by_role("heading", level=1)).to_contain_text(said)
        claims = page.get_by_text("UBND xã Mẫu Sơn Thử")
        expect(claims).to_have_count(1 if said == genuine else 0)
        if script:
            assert serious_findings(page) == []


def test_hostile_names_are_shown_and_do_nothing(
    service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url, width=390, height=844)
    odd = papers.hostile.with_name('"><img src=x onerror=alert(1)>\u202e.pdf')
    odd.write_bytes(papers.hostile.read_bytes())
    _checked(page, service, odd)
    who = page.locator(".card h3").first
    expect(who).to_contain_text("<script>x=1</script>\ufffdgn")
    assert page.title().startswith("Chưa xác định")
    assert page.locator("main img[src=x], main script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert len(page.locator(".card").first.inner_text()) < 8_000
    assert serious_findings(page) == []


def test_keyboard_alone(service: RunningService, papers: Papers, browser_at: BrowserAt) -> None:
    page = browser_at(service.url)
    page.goto(service.url + "/verify")

    def focused() -> str:
        told: str = page.evaluate("document.activeElement.id || document.activeElement.textContent")
        return told.strip()

    page.keyboard.press("Tab")
    assert focused() == "Đến nội dung chính"
    expect(page.locator(".skip")).to_be_in_viewport()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineWidth")
    assert outline == "3px"
    page.keyboard.press("Enter")
    assert focused() == "content"
    page.keyboard.press("Tab")
    assert focused() == "document"
    choosers: list[Any] = []
    page.on("filechooser", lambda chooser: choosers.append(chooser))
    for _ in range(10):  # the first press may come before Chromium lets the chooser be answered
        page.keyboard.press("Space")
        page.wait_for_timeout(300)
        if choosers:
            break
    choosers[0].set_files(papers.signed)
    while focused() != "Kiểm tra tệp này":
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/verify/results/**")
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(focused())
        if reached[-1].startswith("Mọi bước kiểm tra"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("details").first).to_have_attribute("open", "")
    assert reached[0] == "Đến nội dung chính"


def test_errors_stand_beside_the_input_and_take_the_focus(
    service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    for script in (True, False):
        page = browser_at(service.url, script=script)
        page.goto(service.url + "/verify")
        page.set_input_files("#document", papers.text)
        page.click("#upload button[type=submit]")
        summary = page.get_by_role("alert")
        expect(summary).to_contain_text("Tệp này không phải PDF.")
        described = page.locator("#document").get_attribute("aria-describedby") or ""
        assert "document-error" in described
        expect(page.locator("#document-error")).to_contain_text("Tệp này không phải PDF.")
        summary.get_by_role("link").click()
        expect(page.locator("#document")).to_be_focused()
        if script:
            assert page.title().startswith("Chưa gửi được")
            assert serious_findings(page) == []


def test_a_dropped_file_and_its_progress(
    service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url)
    page.goto(service.url + "/verify")
    content = list(papers.signed.read_bytes())
    dropped = page.evaluate_handle(
        """bytes => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], "ket-qua.pdf"));
            return data;
        }""",
        content,
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": dropped})
    expect(page.locator(".field.dropping")).to_have_count(1)
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    expect(page.locator(".chosen")).to_have_text("Đã chọn: ket-qua.pdf")
    expect(page.get_by_role("button", name="Kiểm tra tệp này")).to_be_focused()
    held: list[Any] = []
    page.route("**/verify", lambda route: held.append(route))
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("button", name="Kiểm tra tệp này")).to_be_disabled()
    held[0].fulfill(status=502, body="")
    expect(page.locator("#document-error")).to_contain_text("Hãy xem lại kết nối mạng")
    page.unroute("**/verify")
    page.click("#upload button[type=submit]")
    page.wait_for_url("**/verify/results/**")
    expect(page.get_by_role("heading", level=1)).to_contain_text("HỢP LỆ")


def test_large_text_and_small_screens_lose_nothing(
    service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url, width=683, height=384)  # 200 % of 1366 × 768
    _checked(page, service, papers.changed)
    for width in (683, 320):
        page.set_viewport_size({"width": width, "height": 500})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("button", name="Xóa ngay")).to_be_attached()
    targets = page.evaluate(
        """[...document.querySelectorAll('a, button, summary, input')]
            .filter(e => e.getClientRects().length && !e.closest('p') && !e.matches('.skip'))
            .map(e => [e.textContent.trim(), e.getBoundingClientRect().height])"""
    )
    assert [t for t in targets if t[1] < 24] == []  # WCAG 2.5.8


def test_printed_it_is_the_verdict_and_nothing_to_press(
    service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url)
    _checked(page, service, papers.changed)
    page.emulate_media(media="print", reduced_motion="reduce")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator(".card").first).to_be_visible()
    assert page.locator("button:visible, .languages:visible, .take:visible").count() == 0
    assert page.evaluate(
        "getComputedStyle(document.querySelector('.button')).transitionDuration"
    ) in (
        "0s",
        "",
    )
    assert page.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("query", ["?lang=vi", "?lang=en"])
@pytest.mark.parametrize("what", ["ask", "valid", "gone"])
def test_axe_finds_nothing_serious(
    what: str, query: str, service: RunningService, papers: Papers, browser_at: BrowserAt
) -> None:
    page = browser_at(service.url)
    if what == "ask":
        page.goto(f"{service.url}/verify{query}")
    elif what == "valid":
        _checked(page, service, papers.signed, query)
        page.locator("summary").first.click()
    else:
        page.goto(f"{service.url}/verify/results/{'x' * 43}{query}")
        said = "Không tìm thấy" if "vi" in query else "Not found"
        expect(page.get_by_role("heading", level=1)).to_have_text(said)
    assert serious_findings(page) == []
    assert page.locator("html").get_attribute("lang") == query[-2:]
    assert page.get_by_role("main").count() == 1
    assert page.get_by_role("banner").count() == 1
    assert page.get_by_role("contentinfo").count() == 1
    levels = page.evaluate(
        "[...document.querySelectorAll('h1,h2,h3,h4')].map(h => Number(h.tagName[1]))"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
