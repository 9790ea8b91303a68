"""A browser that asks nobody but the service under test.

def test_x(browser_at, service):
    page = browser_at(service.url)                     # Vietnamese, 1366 × 768
    page = browser_at(service.url, script=False, locale="en-GB", width=390, height=844)
    page.goto(service.url + "/verify")

When the test ends every page is asked what went wrong: an error in its console (which a breach of
the Content-Security-Policy is) or a request to another host fails the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_AXE = Path(__file__).parent / "vendor" / "axe-core-4.14.1" / "axe.min.js"
_SERIOUS = ("serious", "critical")

BrowserAt = Callable[..., Page]


def launched(playwright: Playwright, *more: str) -> Browser:
    return playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *more])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Of a module: while it runs, its thread belongs to an event loop."""
    with sync_playwright() as playwright:
        started = launched(playwright)
        yield started
        started.close()


@pytest.fixture
def browser_at(browser: Browser) -> Iterator[BrowserAt]:
    """Opens pages, each in a context of its own; see above."""
    contexts: list[Any] = []
    wrong: list[str] = []

    def opened(
        url: str,
        *,
        script: bool = True,
        locale: str = "vi-VN",
        width: int = 1366,
        height: int = 768,
        **options: Any,
    ) -> Page:
        context = browser.new_context(
            java_script_enabled=script,
            locale=locale,
            viewport={"width": width, "height": height},
            **options,
        )
        contexts.append(context)

        def watched(route: Any) -> None:
            asked = route.request.url
            if asked.startswith((url, "data:", "blob:")):
                route.continue_()
            else:
                wrong.append(f"asked {asked}")
                route.abort()

        context.route("**/*", watched)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on(
            "console",
            lambda said: (
                wrong.append(f"console: {said.text}")
                if said.type == "error" and "the server responded with a status of" not in said.text
                else None
            ),
        )
        page.on("dialog", lambda dialog: (wrong.append("dialog"), dialog.dismiss()))
        page.set_default_timeout(15_000)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def serious_findings(page: Page) -> list[str]:
    """What axe-core finds serious or critical (WCAG 2.2 A and AA, and best practices)."""
    page.evaluate(_AXE.read_text("utf-8") + "; undefined")
    found = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['id']} ({one['impact']}): {json.dumps([n['html'][:160] for n in one['nodes']][:3])}"
        for one in found
        if one["impact"] in _SERIOUS
    ]
