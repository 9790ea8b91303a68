"""Pictures of the console for the documentation: python -m tests.console_screenshots docs/img

A service of its own with papers that are plainly fictitious; Chromium at 1366 × 768.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from playwright.sync_api import Page, sync_playwright

from dossier.model import Caller
from dossier.search.index import SearchIndex
from dossier.search.values import PageText, PlacedWord, SearchDocument
from tests.checking_room import field_of, word_box
from tests.console_room import PageLook, read_paper
from tests.console_service import ConsoleService, console_service
from tests.fixtures_browser import launched

_FONT = Path(__file__).parent.parent / "api" / "public" / "static" / "fonts"
_LINES = (
    "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
    "Độc lập – Tự do – Hạnh phúc",
    "",
    "Số: 12/QĐ-UBND        Mẫu Sơn, ngày 02 tháng 3 năm 2026",
    "",
    "QUYẾT ĐỊNH MẪU (chỉ dùng thử)",
    "Về việc thử nghiệm trạm số hóa",
    "",
    "Điều 1. Văn bản này là hư cấu.",
    "Điều 2. Không ai phải thi hành văn bản này.",
    "",
    "Nguyễn Thị Mẫu",
)


def _page(lines: Sequence[str], words: Sequence[str] = ()) -> bytes:
    image = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype(str(_FONT / "BeVietnamPro-Regular.woff"), 30)
    for number, line in enumerate(lines):
        draw.text((110, 40 + 62 * number), line, font=font, fill="#20242a")
    small = font.font_variant(size=17)
    for number, word in enumerate(words):  # where `tests.checking_room` puts them
        draw.text((50 + 100 * number, 46), word, font=small, fill="#20242a")
    out = io.BytesIO()
    image.save(out, "WEBP", quality=75)
    return out.getvalue()


def _furnish(service: ConsoleService, caller: Caller) -> tuple[str, str]:
    """A stack that is arranged and a paper that waits; one that can be found."""
    finding = {
        "code": "BLURRED",
        "severity": "warn",
        "vi": "Chữ bị nhòe 0,31 mm (mức 0,25 mm) ở chỗ đánh dấu. Hãy lau kính, quét lại.",
        "en": "The print is blurred by 0.31 mm where marked. Clean the glass, rescan.",
    }
    picture = _page(_LINES)
    looks = (
        PageLook(picture=picture),
        PageLook(badges=("?",), picture=_page(("", *_LINES[8:])), findings=(finding,)),
        PageLook(blank=True, picture=_page(())),
        PageLook(badges=("N",), picture=_page(("Phụ lục (mẫu)", *_LINES[8:]))),
        PageLook(picture=_page(("Đơn đề nghị (mẫu)", *_LINES[8:]))),
    )
    alarm = {"kind": "gap", "pages": [], "vi": "Số trang in nhảy từ 3 sang 5.", "en": "A gap."}
    stack, _ = service.maker.arranged(caller, looks, "Hồ sơ bà Mẫu (thử)", [alarm])
    fields = (
        field_of("doc_number", "12", doubtful=True),
        replace(field_of("signer_name", "N.T.Mau", doubtful=True), box=word_box(1)),
        field_of("abstract", "Về việc thử nghiệm trạm số hóa"),
        field_of("agency", "UBND XÃ MẪU SƠN"),
    )
    _, paper, _ = read_paper(
        service.maker,
        caller,
        fields=fields,
        words=("124", "N.T.Mẫu", "XA"),
        doubtful=(3,),
        looks=(
            PageLook(picture=_page(("", *_LINES[:11]), ("124", "N.T.Mẫu", "XÃ"))),
            PageLook(picture=_page(_LINES[5:])),
        ),
        reference="Quyết định mẫu",
    )
    index = SearchIndex(service.database)
    words = [
        (230, 575, 480, 635, "QUYẾT"),
        (490, 575, 700, 635, "ĐỊNH"),
        (710, 575, 900, 635, "MẪU"),
    ]
    placed = tuple(PlacedWord(text, (a, b, c, d)) for a, b, c, d, text in words)
    document = SearchDocument(
        paper, caller.agency_id, "Quyết định mẫu", "H22.12-260301-0001", "TP1"
    )
    with service.database.begin() as connection:
        index.put(connection, document, [PageText(1, 2480, 3508, placed)])
    return stack, paper


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        console_service(Path(place) / "data") as service,
        sync_playwright() as playwright,
    ):
        key, caller = service.person("Nguyễn Thị Quét (mẫu)")
        stack, paper = _furnish(service, caller)
        browser = launched(playwright, "--lang=vi")
        size = {"width": 1366, "height": 768}
        page = browser.new_context(viewport=size, locale="vi-VN").new_page()  # type: ignore[arg-type]

        def keep(name: str) -> None:
            page.wait_for_timeout(1500)
            page.screenshot(path=folder / f"console-{name}.png")

        page.goto(f"{service.url}/console")
        keep("sign-in")
        page.fill("#key", key)
        page.keyboard.press("Enter")
        page.wait_for_selector("#list")
        keep("stacks")
        _at(page, service, f"/console/stacks/{stack}")
        page.keyboard.press("j")
        page.wait_for_selector("#previous")
        keep("stack")
        _at(page, service, f"/console/papers/{paper}")
        page.keyboard.press("Enter")
        page.wait_for_selector("[data-save]")
        page.keyboard.type("124")
        page.wait_for_selector("#saved-value-field-doc_number[data-state=saved]")
        keep("check")
        _at(page, service, "/console/search?q=quyet+dinh")
        keep("search")
        _at(page, service, "/console/day")
        keep("day")
        browser.close()


def _at(page: Page, service: ConsoleService, place: str) -> None:
    page.goto(service.url + place)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
