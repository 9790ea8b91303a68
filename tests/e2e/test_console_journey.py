"""From the scanner to sealed records by keyboard alone, all parts real, killed in mid-word.

No test of this module uses a mouse, and nothing is written into the database.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, Locator, expect

from dossier.storage.database import Database
from dossier.storage.station_tables import paper_entries, stack_pages
from ocr.conformance import check_conformance
from tests.console_journey import DOSSIER, Journey, JourneyStation, journey_service
from tests.fixtures_browser import serious_findings
from tests.fixtures_installation import run_sohoa
from tests.sealed import pdfsig_verdicts

DOUBTED = [  # smudged on the paper, and no other field is
    ("TP-02", "field:signer_name"),
    ("TP-02", "field:doc_number"),
    ("TP-03", "field:issued_date"),
]


@pytest.fixture(scope="module")
def station(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JourneyStation]:
    expect.set_options(timeout=30_000)  # other tests may have the processors, too
    try:
        with journey_service(tmp_path_factory.mktemp("journey") / "data") as made:
            yield made
    finally:
        expect.set_options(timeout=5_000)


def _typed(station: JourneyStation, target: str) -> list[str]:
    database = Database(f"sqlite:///{station.running.data / 'house.db'}")
    try:
        with database.read() as connection:
            found = sa.select(paper_entries.c.value).where(paper_entries.c.target == target)
            return list(connection.execute(found).scalars())
    finally:
        database.close()


@contextmanager
def _killed(station: JourneyStation, saved: Locator) -> Iterator[None]:
    """kill -9 for all of the service; what was acknowledged is there, the rest is tried again."""
    expect(saved).to_have_text("đã lưu")
    station.running.kill()
    assert _typed(station, "field:signer_name") == ["Lò Vă"]
    yield
    expect(saved).to_have_text("chưa lưu, đang thử lại")
    station.running.start()
    expect(saved).to_have_text("đã lưu", timeout=30_000)
    assert _typed(station, "field:signer_name") == ["Lò Văn Mẫu"]


@pytest.mark.no_cover
def test_a_dossier_from_the_scanner_to_its_sealed_records(
    station: JourneyStation, browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(locale="vi-VN", viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.set_default_timeout(60_000)
    elsewhere: list[str] = []
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(station.url) else elsewhere.append(asked.url),
    )
    screens: Counter[str] = Counter()

    def seen(name: str) -> None:
        screens[name] += 1
        assert serious_findings(page) == [], name

    journey = Journey(station, page, seen, lambda saved: _killed(station, saved))
    journey.sign_in()
    journey.scan_in()
    journey.scan_the_bad_page_again()
    journey.check_all()
    assert journey.in_mid_word is None
    fields = [
        (code, target)
        for code, target, _ in journey.doubted
        if target.startswith("field:") and not target.startswith("field:owner_")
    ]
    assert fields == DOUBTED
    records = journey.look_at_records(tmp_path)
    journey.look_at_stacks()
    journey.search("lo van mau")
    journey.look_at_the_day()
    context.close()
    assert elsewhere == []
    assert set(screens) == {
        *("sign-in", "stack", "check-queue", "check", "records", "record"),
        *("stacks", "search", "day"),
    }
    assert [path.name for path in records[::-1]] == [f"{DOSSIER}.00{n}.pdf" for n in (1, 2, 3)]
    for path, paper in zip(records[::-1], station.papers, strict=True):
        _judged(station, path)
        told = subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True)
        assert told.stdout.count("\f") == len(paper.pages)
        words = Counter(told.stdout.split())
        printed = Counter(word for one in paper.pages for word in one.words)
        assert printed - words == Counter(), (printed - words, words - printed)
    database = Database(f"sqlite:///{station.running.data / 'house.db'}")
    with database.read() as connection:
        kept = connection.execute(sa.select(sa.func.count()).select_from(stack_pages)).scalar_one()
    database.close()
    assert kept == 12  # the cover sheet, ten pages, and the bad scan of one of them


def _judged(station: JourneyStation, path: Path) -> None:
    """PDF/A, signed by the officer and sealed by the agency, for poppler and for our verifier."""
    assert check_conformance(path).findings == ()
    assert pdfsig_verdicts(path) == ["Signature is Valid."] * 2
    done = run_sohoa("verify", path, "--json", "--data", station.running.data)
    assert done.code == 0, done.told
    report = json.loads(done.out)
    assert report["indication"] == "TOTAL-PASSED"
    assert [one["level"] for one in report["signatures"]][-1] == "B-LTA"
