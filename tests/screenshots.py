"""Pictures of the public page for the documentation: python -m tests.screenshots docs/img

A service of its own signs a decision, a forger alters it; Chromium shows what a citizen sees of
both, on a desk (1366 × 768) and on a telephone, in Vietnamese and English. `make screenshots`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.citizens_papers import altered, installation, printed_code, sign
from tests.fakes import SoftwareKey
from tests.fixtures_browser import launched
from tests.running_service import RunningService

_DESK = {"width": 1366, "height": 768}
_PHONE = {"width": 390, "height": 844}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        key = SoftwareKey(label="proof")
        data = installation(Path(place) / "data", key)
        with RunningService(data) as service, sync_playwright() as playwright:
            files = _papers(service, Path(place), key)
            browser = launched(playwright, "--lang=vi")
            try:
                _take(browser, service.url, files, folder)
            finally:
                browser.close()


def _papers(service: RunningService, folder: Path, key: SoftwareKey) -> dict[str, Path]:
    signed = sign(service)
    papers = {
        "valid.pdf": signed,
        "changed.pdf": altered(signed),
        "photo.png": printed_code(signed, key),
    }
    for name, content in papers.items():
        (folder / name).write_bytes(content)
    return {name.partition(".")[0]: folder / name for name in papers}


def _take(browser: Browser, url: str, files: dict[str, Path], folder: Path) -> None:
    def page(size: dict[str, int], locale: str = "vi-VN") -> Page:
        context = browser.new_context(viewport=size, locale=locale)  # type: ignore[arg-type]
        opened = context.new_page()
        opened.goto(f"{url}/verify")
        return opened

    def answered(opened: Page, kind: str) -> Page:
        opened.set_input_files("#document", files[kind])
        opened.click("#upload button[type=submit]")
        opened.wait_for_url("**/verify/results/**")
        opened.evaluate(
            "for (const i of document.images) i.loading = 'eager'"
        )  # a picture of the whole page does not scroll
        opened.wait_for_load_state("networkidle")
        return opened

    def keep(opened: Page, name: str, *, whole: bool = False) -> None:
        opened.screenshot(path=folder / f"verify-{name}.png", full_page=whole)
        opened.context.close()

    keep(page(_DESK), "ask", whole=True)
    keep(answered(page(_DESK), "valid"), "valid")
    keep(answered(page(_DESK), "changed"), "changed", whole=True)
    keep(answered(page(_DESK, "en-GB"), "changed"), "changed-en")
    keep(answered(page(_PHONE), "valid"), "valid-phone")
    photo = page(_PHONE)
    photo.set_input_files("#photo", files["photo"])
    photo.click("form[action*=photo] button")
    photo.wait_for_selector(".verdict")
    keep(photo, "photo-phone")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
