"""A dossier from the scanner to its sealed records, by an operator who has only a keyboard.

    with journey_service(folder) as station:
        journey = Journey(station, page)
        journey.sign_in()
        journey.scan_in()                # cover sheet and ten pages, out of a network scanner
        journey.scan_the_bad_page_again()
        journey.check_all()              # what the machine doubts, by Telex
        journey.look_at_records()

Nothing is made up: scanner, web and workers are real, keys lie in a token. The operator knows what
people can read on the paper (`tests.journey_papers`) and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, Page, expect

from dossier.audit.log import AuditLog
from dossier.identity import Identity, local_administrator
from dossier.model import Role
from dossier.storage.database import Database
from tests.escl_papers import Sheet
from tests.escl_simulator import EsclSimulator
from tests.fixtures_installation import run_sohoa
from tests.journey_papers import DPI, PrintedPage, PrintedPaper, journey_papers
from tests.printed_codes import drawn
from tests.running_service import RunningService
from tests.scanned_sheets import scanned
from tools.samples.groundtruth import PAGE_HEIGHT_MM, PAGE_WIDTH_MM

AGENCY = "H22.12"
STATION = "quầy 1"
DOSSIER = "H22.12-261123-0042"
OPERATOR = "Nguyễn Thị Quét (mẫu)"
OWNER = "000190000017"
BAD = 5  # the page that is scanned badly: the decision's third, behind the cover sheet
_WAIT_MS = 90_000
_CROP = re.compile(r"at=(\d+),(\d+),(\d+),(\d+)")


@dataclass
class JourneyStation:
    """A service with a scanner, an operator, and a dossier that lies in the feeder."""

    running: RunningService
    scanner: EsclSimulator
    papers: tuple[PrintedPaper, ...]
    key: str

    @property
    def url(self) -> str:
        return self.running.url

    @property
    def pages(self) -> list[PrintedPage]:
        """The printed pages in the order of scanning, behind the cover sheet."""
        return [page for paper in self.papers for page in paper.pages]


@contextmanager
def journey_service(data: Path) -> Iterator[JourneyStation]:
    """A new installation in `data`, served, with its own workers."""
    done = run_sohoa("init", "--data", data)
    assert done.code == 0, done.told
    with EsclSimulator() as scanner:
        settings = f'\n[scanners.quay-1]\nurl = "{scanner.url}"\n'
        with (data / "sohoa.toml").open("a", encoding="utf-8") as file:
            file.write(settings)
        with RunningService(data) as running:
            papers = journey_papers()
            clerk = running.new_client(AGENCY, ("clerk",))
            sheet = _cover_sheet(running, clerk, papers)
            scans = [page.scan() for paper in papers for page in paper.pages]
            scans[BAD - 2] = papers[1].pages[2].scan(blurred=True)
            scanner.feeder.extend(Sheet(side) for side in (sheet, *scans))
            yield JourneyStation(running, scanner, papers, _person(data))


def _person(data: Path) -> str:
    database = Database(f"sqlite:///{data / 'house.db'}")
    try:
        identity = Identity(database, AuditLog(database))
        admin = local_administrator("test")
        person = identity.principals.add(
            admin, AGENCY, kind="user", name=OPERATOR, roles=(Role.SCANNER, Role.OFFICER)
        )
        return identity.api_keys.issue(admin, person.id).text
    finally:
        database.close()


def _cover_sheet(
    running: RunningService, key: str, papers: tuple[PrintedPaper, ...]
) -> Image.Image:
    order = {
        "dossier_code": DOSSIER,
        "station": STATION,
        "components": [
            {"code": paper.code, "name": paper.name, "pages": len(paper.pages)} for paper in papers
        ],
    }
    made = running.ask(
        "POST",
        "/v1/cover-sheets",
        order,
        authorised=key,
        headers={"idempotency-key": "journey"},
    )
    assert made.status == 201, made
    place = f"/v1/cover-sheets/{made.json['serial']}/sheet"
    printed = running.ask("GET", place, authorised=key)
    assert printed.status == 200, printed
    page = scanned(drawn(printed.body, DPI), DPI, 12, skew=0.2)
    return Image.fromarray(page).convert("RGB")


@dataclass
class Journey:
    """One operator at one page. `seen(name)` is called at each screen of the way."""

    station: JourneyStation
    page: Page
    seen: Callable[[str], None] = lambda name: None
    in_mid_word: Callable[[Locator], AbstractContextManager[None]] | None = None
    """What happens once, while a name is half typed; the rest is typed inside of it."""
    doubted: list[tuple[str, str, str]] = field(default_factory=list)
    """(component, target, what people read there) of all that the machine asked."""

    def tab_to(self, selector: str) -> None:
        """Press Tab until it has the focus."""
        for _ in range(120):
            if self.page.locator(f"{selector}:focus").count():
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached by Tab")

    def sign_in(self) -> None:
        self.page.goto(f"{self.station.url}/console")
        expect(self.page.locator("#key")).to_be_focused()
        self.seen("sign-in")
        self.page.keyboard.type(self.station.key)
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Tập giấy")

    def scan_in(self) -> None:
        """A new stack, filled from the scanner, closed; until its papers wait to be checked."""
        page = self.page
        self.tab_to("#reference")
        self.compose("Hồ sơ bà Mẫu (thử)")
        self.tab_to("#station")
        page.keyboard.press("Control+a")
        self.compose(STATION)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Hồ sơ bà Mẫu (thử)")
        self.tab_to("form[action$='/scan'] button")
        page.keyboard.press("Enter")
        expect(page.locator(".run")).to_contain_text("11 trang", timeout=_WAIT_MS)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#bar .state")).to_have_text("Đang sắp xếp, kiểm tra", timeout=_WAIT_MS)
        expect(page.locator(".paper-row")).to_have_count(3)

    def scan_the_bad_page_again(self) -> None:
        """The page that is marked as bad, found, looked at, and scanned in its place."""
        page = self.page
        bad = page.locator(".where-paper", has=page.locator(".badge-wrong"))
        expect(bad).to_have_count(1)
        expect(bad.locator(".page-number")).to_contain_text(str(BAD))
        current = page.locator(".strip [aria-current]")
        for _ in range(12):
            if current.locator(".badge-wrong").count():
                break
            before = current.get_attribute("id")
            page.keyboard.press("j")
            expect(current).not_to_have_attribute("id", before or "")
        self.seen("stack")
        self.station.scanner.feeder.append(Sheet(self.station.pages[BAD - 2].scan()))
        page.keyboard.press("x")
        expect(page.locator("#files-replace")).to_be_focused()
        self.tab_to("#rescan form[action$='/scan'] button")
        page.keyboard.press("Enter")
        expect(bad).to_have_count(0, timeout=_WAIT_MS)

    def compose(self, text: str) -> None:
        """What Telex does: letters change under the caret until each word is done."""
        session = self.page.context.new_cdp_session(self.page)
        for number, word in enumerate(text.split(" ")):
            if number:
                self.page.keyboard.insert_text(" ")
            for end in range(1, len(word) + 1):
                part = {"text": word[:end], "selectionStart": end, "selectionEnd": end}
                session.send("Input.imeSetComposition", part)
            session.send("Input.insertText", {"text": word})
        session.detach()

    # --- checking ---------------------------------------------------------------------------

    def check_all(self) -> None:
        """Every paper that waits, until none does."""
        page = self.page
        self.tab_to(".screens a[href='/console/check']")
        page.keyboard.press("Enter")
        for _ in self.station.papers:
            expect(page.get_by_role("heading", level=1)).to_have_text("Kiểm tra giấy tờ")
            self.seen("check-queue")
            expect(page.locator("#next-paper")).to_be_focused()
            page.keyboard.press("Enter")
            page.wait_for_url("**/console/papers/**")
            self.seen("check")
            self.check_one()
        expect(page.get_by_role("heading", level=1)).to_have_text("Kiểm tra giấy tờ")

    def check_one(self) -> None:
        """The paper that was taken: each doubtful place is compared with the paper."""
        page = self.page
        code = re.search(r"TP-\d\d", page.locator("#bar").inner_text())
        assert code is not None
        paper = next(one for one in self.station.papers if one.code == code[0])
        while not page.locator(".good").count():
            row = page.locator("li.row:has(input[type=text]:focus)")
            expect(row).to_have_count(1)
            target = row.locator("[name=target]").input_value()
            text = self.read(paper, row, target)
            self.doubted.append((paper.code, target, text))
            self.answer(row, target, text)
        page.keyboard.press("Control+Enter")
        expect(page.locator("#said")).to_have_text("Đã kết thúc kiểm tra.")

    def answer(self, row: Locator, target: str, text: str) -> None:
        """Type what stands on the paper where something else was read, then say so."""
        page = self.page
        field = row.locator("input[type=text]")
        if field.input_value() != text:
            page.keyboard.press("Control+a")
            page.keyboard.press("Delete")
            half = len(text) // 2
            self.compose(text[:half])
            happening: AbstractContextManager[None] = nullcontext()
            if self.in_mid_word is not None and target == "field:signer_name":
                happening, self.in_mid_word = self.in_mid_word(row.locator(".saved")), None
            with happening:
                self.compose(text[half:])
            expect(field).to_have_value(text)
        before = row.get_attribute("id") or ""
        page.keyboard.press("Enter")
        expect(page.locator(f"li.row.current:not(#{before}), .good").first).to_be_visible()

    def read(self, paper: PrintedPaper, row: Locator, target: str) -> str:
        """What a person reads there, on the paper itself."""
        about, _, name = target.partition(":")
        if about == "field":
            return OWNER if name == "owner_id" else paper.says[name]
        place = _CROP.search(row.locator(".crop").get_attribute("src") or "")
        assert place is not None
        left, top, width, height = (int(one) / 1000 for one in place.groups())
        shown = self.page.locator(".where-paper a").evaluate_all("all => all.map(a => a.id)")
        printed = self.station.pages[shown.index(f"row-{name.partition(':')[0]}")]
        return " ".join(
            word.text
            for line in printed.sheet.truth("").lines
            for word in line.words
            if left < (word.left + word.right) / 2 / PAGE_WIDTH_MM < left + width
            and top < (word.top + word.bottom) / 2 / PAGE_HEIGHT_MM < top + height
        )

    # --- what becomes of it -----------------------------------------------------------------

    def look_at_records(self, folder: Path) -> list[Path]:
        """Wait until all is filed; the records, downloaded into `folder`, the newest first."""
        page = self.page
        self._go("r", "Bản ghi")
        count = len(self.station.papers)
        expect(page.locator("#list .state-filed")).to_have_count(count, timeout=_WAIT_MS)
        self.seen("records")
        found = []
        for number in range(count):
            self.tab_to(f"tbody tr:nth-child({number + 1}) a")
            page.keyboard.press("Enter")
            expect(page.locator("#record")).to_be_visible()
            self.seen("record")
            with page.expect_download() as download:
                page.keyboard.press("Enter")
            path = folder / download.value.suggested_filename
            download.value.save_as(path)
            found.append(path)
            self._go("r", "Bản ghi")
        return found

    def _go(self, key: str, title: str) -> None:
        self.page.keyboard.press("g")
        self.page.wait_for_timeout(80)  # a barcode gun is faster
        self.page.keyboard.press(key)
        expect(self.page.get_by_role("heading", level=1)).to_have_text(title)

    def search(self, text: str) -> None:
        """Look for a text on all pages."""
        page = self.page
        page.keyboard.press("/")
        expect(page.locator("#find")).to_be_focused()
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(page.locator(".hits a").first).to_be_visible()
        expect(page.locator(".mark.found").first).to_be_visible()
        self.seen("search")

    def look_at_stacks(self) -> None:
        """The list; the stack is done."""
        self._go("q", "Tập giấy")
        expect(self.page.locator("#list .state-done")).to_have_count(1)
        self.seen("stacks")

    def look_at_the_day(self) -> None:
        """The station's figures."""
        self.tab_to(".screens a[href='/console/day']")
        self.page.keyboard.press("Enter")
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Số liệu trong ngày")
        self.seen("day")
