"""What a counter scans in a morning: dossiers behind cover sheets, both sides, and what goes wrong.

    papers = station_papers(key, at, dossiers=12)       # 200 images
    papers.sides[3].data                                # a JPEG, in the order of a duplex feeder
    papers.wrong                                        # which side is what, by its kind

The first dossiers have something wrong each, in this order (a small stack has the same ones):

    0  a page under an attached note, and the same page without it
    1  one page of paper is missing (its sheet was never fed)
    2  one page upside down, and one under a coffee stain; after it a sheet of another station
    3  after it a forged sheet     (of three dossiers: after the third one)
    4  after it an expired sheet   (of less than five dossiers: after the last one)

People and numbers are made up.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from dossier.intake.cover_sheet import AnnouncedComponent, CoverSheetOrder, claims_of
from dossier.intake.cover_sheet import draw_cover_sheet as drawn_sheet
from dossier.intake.observations import Side
from hsm.keys import SigningKey
from signer.coversheet import sign_cover_sheet
from tests.printed_codes import drawn
from tests.reading_room import AGENCY, STATION, jpeg
from tests.scanned_sheets import MM_PER_INCH, a4, scanned, with_note
from tools.samples import documents, forms
from tools.samples.fiction import Fiction
from tools.samples.typefaces import FAMILIES

FAMILY = FAMILIES["Liberation Serif"]
_KINDS = (
    *(forms.application, documents.decision, documents.report, documents.notice),
    *(documents.submission, documents.plan, forms.receipt, documents.official_letter),
)
_USUAL = (2, 1, 4, 3)  # pages of the components of a dossier
_HALF_MM = 150
_SECOND = (2, 1)  # of the second sheet, where a dossier has two


@dataclass(frozen=True)
class ScannedSide:
    """One image: what it is (``hs02-p3``, ``hs02-bia``, ``hs02-p3-sau``), its bytes, its side."""

    name: str
    data: bytes
    side: Side


@dataclass
class StationPapers:
    """A stack; `wrong` names the sides that something is wrong with."""

    sides: list[ScannedSide] = field(default_factory=list)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    dossiers: list[str] = field(default_factory=list)


def station_papers(
    key: SigningKey,
    at: dt.datetime,
    dossiers: int = 12,
    *,
    dpi: int = 200,
    components: tuple[int, ...] = _USUAL,
    seed: int = 1,
    short: bool = False,
) -> StationPapers:
    """The stack. Of twelve dossiers with the usual components it has 200 images.

    `short`: each page is printed in its upper half only, so it is read in half the time.
    """
    return _Counter(key, at, dpi, seed, short).stack(dossiers, components)


class _Counter:
    """Prints, fills, stains and feeds the paper."""

    def __init__(self, key: SigningKey, at: dt.datetime, dpi: int, seed: int, short: bool) -> None:
        self._key = key
        self._at = at
        self._dpi = dpi
        self._rng = random.Random(seed)
        self._seed = seed
        self._short = short
        self._pages = 0
        self._made = StationPapers()

    def stack(self, dossiers: int, components: tuple[int, ...]) -> StationPapers:
        for number in range(dossiers):
            code = f"{AGENCY}-260302-{number + 1:04d}"
            self._made.dossiers.append(code)
            is_large = dossiers > 5 and number % 3 == 0
            is_last = number == dossiers - 1
            self._sheet(f"hs{number:02d}-bia", code, components, stained=number == 0)
            self._dossier(number, components)
            if is_large:
                self._sheet(f"hs{number:02d}-bia2", code, _SECOND)
                self._dossier(number, _SECOND, first=sum(components))
            if number == 2:
                self._sheet("other", code, components, station="quay-9", kind="other-station")
            if number == 3 or (is_last and dossiers < 4):
                self._sheet("forged", code, components, kind="forged-sheet")
            if number == 4 or (is_last and dossiers < 5):
                self._sheet("expired", code, components, kind="expired-sheet")
        return self._made

    def _dossier(self, number: int, components: tuple[int, ...], first: int = 0) -> None:
        """The paper behind a sheet: printed on both sides, each component on sheets of its own."""
        page = first
        for nth, pages in enumerate(components):
            names = [f"hs{number:02d}-p{page + n}" for n in range(pages)]
            page += pages
            is_first_single = pages == 1 and 1 not in components[:nth]
            if number == 1 and is_first_single and not first:
                self._made.wrong["missing"] = names
                continue
            for at in range(0, pages, 2):
                noted = number == 0 and is_first_single
                self._feed(number, names[at : at + 2], is_noted=noted)

    def _feed(self, number: int, names: list[str], *, is_noted: bool) -> None:
        """One sheet of paper, its second side printed or blank."""
        inks = [self._print() for _ in names]
        if is_noted:
            noted = with_note(self._scan(inks[0]), self._dpi, 60, 60 if self._short else 110)
            self._add(f"{names[0]}-note", noted, Side.FRONT)
            self._add(f"{names[0]}-note-sau", self._scan(255 - a4(self._dpi)), Side.BACK)
            self._made.wrong.setdefault("attached-note", []).extend((f"{names[0]}-note", names[0]))
        for name, ink, side in zip(names, inks, (Side.FRONT, Side.BACK), strict=False):
            is_turned = number == 2 and name.endswith("-p0")
            is_stained = number == 2 and name.endswith("-p1")
            if is_turned or is_stained:
                what = "upside-down" if is_turned else "stained"
                self._made.wrong.setdefault(what, []).append(name)
            self._add(name, self._scan(ink, turns=2 * is_turned, ring=is_stained), side)
        if len(names) == 1:
            self._add(f"{names[0]}-sau", self._scan(255 - a4(self._dpi)), Side.BACK)

    def _sheet(
        self,
        name: str,
        dossier: str,
        components: tuple[int, ...],
        *,
        station: str = STATION,
        stained: bool = False,
        kind: str = "",
    ) -> None:
        """A cover sheet, its back blank."""
        announced = tuple(
            AnnouncedComponent(f"TP-{n:02d}", "Giấy tờ mẫu", pages)
            for n, pages in enumerate(components, 1)
        )
        at, valid_for = self._at, dt.timedelta(days=7)
        if kind == "expired-sheet":
            at, valid_for = at - dt.timedelta(minutes=90), dt.timedelta(minutes=30)
        order = CoverSheetOrder(
            AGENCY, "UBND xã Mẫu Sơn Thử", dossier, station, announced, valid_for
        )
        claims = claims_of(order, self._rng.randbytes(10), at)
        payload = sign_cover_sheet(claims, self._key)
        if kind == "forged-sheet":  # a genuine signature, under another serial
            payload = payload.replace(claims.serial, self._rng.randbytes(10))
        page = drawn(drawn_sheet(order, claims, payload), self._dpi)
        self._add(name, self._scan(page, ring=stained), Side.FRONT)
        self._add(f"{name}-sau", self._scan(255 - a4(self._dpi)), Side.BACK)
        if kind:
            self._made.wrong.setdefault(kind, []).append(name)

    def _print(self) -> np.ndarray:
        """The next page: a document's first one, no two alike."""
        kind = _KINDS[self._pages % len(_KINDS)]
        self._pages += 1
        story = Fiction(f"{self._seed}-{self._pages}")
        sheet = kind(story, FAMILY)[0]
        page = np.asarray(255 - sheet.draw_ink(self._dpi), np.uint8)
        if self._short:
            page[round(_HALF_MM / MM_PER_INCH * self._dpi) :] = 255
        return page

    def _scan(self, page: np.ndarray, *, turns: int = 0, ring: bool = False) -> np.ndarray:
        skew = self._rng.uniform(-0.8, 0.8)
        return scanned(
            page, self._dpi, self._rng.randrange(1 << 30), skew=skew, turns=turns, ring=ring
        )

    def _add(self, name: str, raster: np.ndarray, side: Side) -> None:
        data = jpeg(Image.fromarray(raster), self._dpi, 80)
        self._made.sides.append(ScannedSide(name, data, side))
