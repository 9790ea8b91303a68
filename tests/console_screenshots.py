"""Pictures of the console for the documentation: python -m tests.console_screenshots docs/img

Of one journey (`tests.console_journey`): a service of its own, real scans that real machines read,
people and papers that are plainly fictitious. Chromium at 1366 × 768.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections import Counter
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

from tests.console_journey import Journey, journey_service
from tests.fixtures_browser import launched

_COLOURS = 128
_SHOWN = {"sign-in", "stacks", "stack", "check", "record", "search", "day"}
_NTH = {"check": 2, "record": 1}  # the paper with a smudged name; the newest record


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as place,
        journey_service(Path(place) / "data") as station,
        sync_playwright() as playwright,
    ):
        browser = launched(playwright, "--lang=vi")
        size = {"width": 1366, "height": 768}
        page = browser.new_context(viewport=size, locale="vi-VN").new_page()  # type: ignore[arg-type]
        times: Counter[str] = Counter()

        def keep(name: str) -> None:
            times[name] += 1
            if name in _SHOWN and times[name] == _NTH.get(name, times[name]):
                page.wait_for_timeout(1500)
                _written(page.screenshot(), folder / f"console-{name}.png")

        journey = Journey(station, page, keep)
        journey.sign_in()
        journey.scan_in()
        journey.scan_the_bad_page_again()
        journey.check_all()
        journey.look_at_records(Path(place))
        journey.look_at_stacks()
        journey.search("lo van mau")
        journey.look_at_the_day()
        browser.close()


def _written(shot: bytes, path: Path) -> None:
    """A screen has few colours: a palette makes the file small."""
    with Image.open(io.BytesIO(shot)) as image:
        few = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
        few.save(path, "PNG", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
