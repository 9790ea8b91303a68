"""One pile of paper through each of the four ways in, and what became of it, comparably.

fed = scanned_over_escl(papers, folder, dpi)       # what the scanner made of it, for all ways
stack = WAYS["folder"](room, fed)                  # its id, closed
canonical(room, stack)                             # without ids and times
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from PIL import Image

from api.house import House
from api.settings import Settings, TokenSettings
from api.web.app import create_app
from dossier.identity import Identity, local_administrator
from dossier.inboxes.inbox import Inbox, InboxOrder
from dossier.inboxes.rows import InboxRows
from dossier.intake.observations import Side
from dossier.model import Role
from dossier.scanners.address import address_of
from dossier.scanners.capture import capture
from dossier.scanners.escl import Patience, Scanner
from dossier.scanners.tickets import ScanWish, settle
from dossier.scanners.values import ColorMode
from dossier.stacks.reports import StackAlarm
from dossier.stacks.values import Way
from dossier.storage.station_tables import papers as papers_table
from dossier.storage.store import digest_of
from dossier.storage.uploads import Uploads
from tests.escl_simulator import EsclSimulator
from tests.reading_room import AGENCY, CALLER, ORDER, STATION, ReadingRoom
from tests.station_papers import ScannedSide, StationPapers

_PATIENT = Patience(answer_s=30, busy_s=30, document_s=60, pause_s=0.02)
COUNTER = replace(ORDER, profile="working")


@dataclass(frozen=True)
class FedSheet:
    """A sheet in the feeder; its pictures are made when it is drawn in."""

    front: bytes
    back: bytes
    dpi: int

    def sides(self, *, duplex: bool) -> list[Image.Image]:
        """As 300-dpi pictures."""
        shown = [self.front, self.back] if duplex else [self.front]
        return [self._picture(data) for data in shown]

    def _picture(self, data: bytes) -> Image.Image:
        image = Image.open(io.BytesIO(data))
        size = (image.width * 300 // self.dpi, image.height * 300 // self.dpi)
        return image.resize(size, Image.Resampling.BICUBIC)


def scanned_over_escl(papers: StationPapers, folder: Path, dpi: int) -> list[ScannedSide]:
    """Draw the pile through the simulated scanner's duplex feeder into `folder`."""
    sides = papers.sides
    feeder = [
        FedSheet(front.data, back.data, dpi)
        for front, back in zip(sides[::2], sides[1::2], strict=True)
    ]
    with EsclSimulator(feeder, jpeg_quality=85) as simulator:  # type: ignore[arg-type]
        scanner = Scanner(address_of("quay-3", simulator.url), _PATIENT)
        can = scanner.capabilities()
        wish = ScanWish(duplex=True, dpi=dpi, color_mode=ColorMode.GRAYSCALE_8)
        settings = settle(wish, can)
        found = capture(scanner, can, settings, folder, now=lambda: datetime.now(UTC))
    return [
        ScannedSide(side.name, (folder / page.file).read_bytes(), Side(page.side))
        for side, page in zip(sides, found.pages, strict=True)
    ]


# --- the four ways --------------------------------------------------------------------------------


def by_scanner(room: ReadingRoom, fed: Sequence[ScannedSide]) -> str:
    """As `sohoa scan` hands its pages on."""
    stack, _ = room.stacks.open(CALLER, Way.ESCL, COUNTER)
    for number, one in enumerate(fed):
        digest = room.bring(one.data)
        name = f"trang-{number + 1:04d}.jpg"
        room.stacks.add_scan(CALLER, stack.id, digest, name, side=one.side, position=number)
    room.stacks.close(CALLER, stack.id)
    return stack.id


def by_folder(room: ReadingRoom, fed: Sequence[ScannedSide]) -> str:
    """As files that are copied into a watched folder."""
    identity = Identity(room.database, room.audit)
    principal = identity.principals.add(
        local_administrator("test"), AGENCY, kind="client", name="Thư mục", roles=[Role.SCANNER]
    )
    root = room.folder / "vao"
    dropped = root / "tap-1"
    dropped.mkdir(parents=True)
    for number, one in enumerate(fed):
        (dropped / f"trang-{number + 1:04d}.jpg").write_bytes(one.data)
    order = InboxOrder(STATION, root, principal.id, AGENCY, COUNTER, duplex=True, settle_s=0.2)
    inbox = Inbox(
        order,
        InboxRows(room.database, room.holdings),
        room.blobs,
        room.holdings,
        room.stacks,
        identity,
    )
    made: list[str] = []
    while not made:
        made = inbox.look()
        time.sleep(0.05)
    return made[0]


def by_http(room: ReadingRoom, fed: Sequence[ScannedSide], way: Way = Way.HTTP) -> str:
    """As a client of the HTTP interface sends them."""
    return asyncio.run(_sent(room, fed, way))


def by_console(room: ReadingRoom, fed: Sequence[ScannedSide]) -> str:
    """As the operators' page uploads them: the same interface, another way."""
    return by_http(room, fed, Way.CONSOLE)


WAYS: dict[str, Callable[[ReadingRoom, Sequence[ScannedSide]], str]] = {
    "escl": by_scanner,
    "folder": by_folder,
    "http": by_http,
    "console": by_console,
}


async def _sent(room: ReadingRoom, fed: Sequence[ScannedSide], way: Way) -> str:
    identity = Identity(room.database, room.audit)
    admin = local_administrator("test")
    client = identity.principals.add(
        admin, AGENCY, kind="client", name="Máy trạm", roles=[Role.SCANNER]
    )
    key = identity.api_keys.issue(admin, client.id).text
    app = create_app(_house(room, identity))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://sohoa.example",
        headers={"authorization": f"Bearer {key}"},
    ) as http:
        order = {k: v for k, v in COUNTER.to_json().items() if v not in ("", None, [])}
        opened = await http.post("/v1/stacks", json={"way": way.value, **order},
                                 headers={"idempotency-key": "tap-1"})  # fmt: skip
        stack: str = _good(opened).json()["id"]
        for number, one in enumerate(fed):
            digest = digest_of(one.data)
            _good(
                await http.put(
                    f"/v1/blobs/{digest}",
                    content=one.data,
                    headers={"content-type": "image/jpeg"},
                )
            )
            form = {
                "sha256": digest,
                "name": f"trang-{number + 1:04d}.jpg",
                "side": one.side.value,
                "position": number,
            }
            _good(await http.post(f"/v1/stacks/{stack}/scans", json=form))
        _good(await http.post(f"/v1/stacks/{stack}/close"))
    return stack


def _good(answer: httpx.Response) -> httpx.Response:
    assert answer.is_success, answer.text
    return answer


def _house(room: ReadingRoom, identity: Identity) -> House:
    """The parts that paper comes in by."""
    settings = Settings(
        data_dir=room.folder, token=TokenSettings(module=room.folder / "none.so", label="none")
    )
    parts: dict[str, Any] = dict.fromkeys((field.name for field in fields(House)), None)
    parts |= {
        "settings": settings,
        "database": room.database,
        "blobs": room.blobs,
        "holdings": room.holdings,
        "uploads": Uploads(room.folder / "uploads", room.blobs, room.database, room.holdings),
        "audit": room.audit,
        "jobs": room.jobs,
        "identity": identity,
        "stacks": room.stacks,
        "arranging": room.arranging,
    }
    return House(**parts)


# --- what became of it ----------------------------------------------------------------------------


def canonical(room: ReadingRoom, stack: str) -> dict[str, Any]:
    """Splits, alarms, pages aside and every digest in order; pages by their place, from 0."""
    pages = room.pages(stack)
    place = {page.id: number for number, page in enumerate(pages)}
    arrangement = room.arrangement(stack)
    number = {paper.id: n for n, paper in enumerate(arrangement.papers)}
    alarms = [StackAlarm.from_json(alarm) for alarm in room.get(stack).alarms]
    with room.database.read() as connection:
        found = connection.execute(
            sa.select(papers_table).where(papers_table.c.stack_id == stack)
        ).all()
    rows = {row.id: row for row in found}
    return {
        "state": room.get(stack).state.value,
        "pages": [
            [page.sha256, page.state.value, page.reading_sha256, page.picture_sha256]
            for page in pages
        ],
        "turns": [(page.summary or {}).get("turns") for page in pages],
        "papers": [
            {
                "dossier": paper.dossier_code,
                "component": paper.component_code,
                "sheet": paper.sheet_serial,
                "pages": [place[page] for page in paper.page_ids],
                "notes": [
                    [place[placed.page], place[placed.note_of]]
                    for placed in paper.pages
                    if placed.note_of
                ],
                "state": rows[paper.id].state,
                "summary": rows[paper.id].summary,
                "people": rows[paper.id].checks_required,
            }
            for paper in arrangement.papers
        ],
        "aside": [[place[one.placed.page], one.why.value] for one in arrangement.aside],
        "sheets": [place[page] for page in arrangement.sheets],
        "refused": [place[page] for page in arrangement.refused_sheets],
        "separators": [place[page] for page in arrangement.separators],
        "alarms": [
            [
                alarm.kind,
                [place[page] for page in alarm.pages],
                None if alarm.paper is None else number[alarm.paper],
                alarm.expected,
                alarm.found,
            ]
            for alarm in alarms
        ],
    }


def faults_of(
    fed: Sequence[ScannedSide], papers: StationPapers, found: dict[str, Any]
) -> list[str]:
    """What is wrong with a result, judged by what is known of the paper; empty: nothing."""
    names = [side.name for side in fed]
    faults = []
    places = [
        *(page for paper in found["papers"] for page in paper["pages"]),
        *(page for page, _ in found["aside"]),
        *found["sheets"],
        *found["refused"],
        *found["separators"],
    ]
    if sorted(places) != list(range(len(fed))):
        faults.append("a page is nowhere, or in two places")
    if any(state != "read" for _, state, _, _ in found["pages"]):
        faults.append("a page was not read")
    turned = {name for name, turns in zip(names, found["turns"], strict=True) if turns}
    if {name for name in turned if "-p" in name} != set(papers.wrong["upside-down"]):
        faults.append("not the page that lay upside down is turned")
    blank = {n for n, name in enumerate(names) if name.endswith("-sau")}
    if {page for page, _ in found["aside"]} != blank:
        faults.append("blank backs and no others are set aside")
    sheets = [n for n, name in enumerate(names) if "-bia" in name and n not in blank]
    if found["sheets"] != sheets:
        faults.append("not every genuine sheet split")
    said: dict[str, set[int]] = {}
    for kind, about, *_ in found["alarms"]:
        said.setdefault(kind, set()).update(about)
    for kind in ("other-station", "expired-sheet", "forged-sheet", "attached-note"):
        wanted = {names.index(name) for name in papers.wrong[kind]}
        if not wanted <= said.get(kind, set()):
            faults.append(f"no alarm: {kind}")
    refused = {names.index(n) for k in ("other-station", "expired-sheet") for n in papers.wrong[k]}
    if set(found["refused"]) != refused:
        faults.append("not the sheets of another station and time are refused")
    noted = papers.wrong["attached-note"]
    tied = [pair for paper in found["papers"] for pair in paper["notes"]]
    pairs = zip(noted[::2], noted[1::2], strict=True)
    if tied != [[names.index(second), names.index(first)] for first, second in pairs]:
        faults.append("the page with a note is not tied to the page without")
    short = papers.dossiers[1]
    counted = {
        found["papers"][paper]["dossier"]
        for kind, _, paper, *_ in found["alarms"]
        if kind == "page-count"
    }
    if short not in counted:
        faults.append("no alarm: page-count of the dossier with a missing page")
    return faults
