"""From a profile and the facts of a signing to a visible signature, ready to be drawn.

    plan = plan_stamp("P2", facts, at, images)     # everything that can be checked, is
    stamp = plan.resolve(document)                 # page and rectangle
    number = stamp.draw(sink)                      # the form XObject

Text and images come from the operator's data and the signing certificate alone, never from
the document that is signed: what a stranger wrote into a file must not appear as the
agency's word. All values are immutable; a plan may be resolved for many documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase
from importlib import resources
from typing import Literal

from signer.clock import VIETNAM
from signer.errors import ProfileError
from signer.sealing.appearance.anchor import Anchor, LineSource, find_anchor
from signer.sealing.appearance.face import Face, compose
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.placement import (
    View,
    centred,
    contained,
    corner_rect,
    overlap_rect,
)
from signer.sealing.appearance.profiles import (
    AnchorPlace,
    AppearanceProfile,
    BlankPlace,
    CornerPlace,
    NoPlace,
    OverlapPlace,
    ProfileSet,
    default_profiles,
)
from signer.sealing.stamp import DocumentGeometry, ObjectSink, PageGeometry, Rect

_LEAST_ANCHORED = 0.6  # of the box: smaller than this a signature is no longer legible


class CopyForm(StrEnum):
    """Forms of copies (NĐ 30/2020, Phụ lục III): full, extract, of a received document."""

    SY = "SAO Y"
    TRS = "TRÍCH SAO"
    SL = "SAO LỤC"


@dataclass(frozen=True, slots=True)
class StampFacts:
    """What a stamp may say. Only what the profile's text names has to be given.

    `signer` also tells which block of the document an anchored signature belongs to.
    """

    agency: str | None = None
    signer: str | None = None
    copy_form: CopyForm | None = None
    number_symbol: str | None = None


@dataclass(frozen=True, slots=True)
class PlacedStamp:
    """A visible signature at its place (`signer.sealing.stamp.Stamp`)."""

    page_index: int
    rect: Rect
    rotate: int
    face: Face
    anchored: bool
    """Whether the place was found from the document: its text, or a signature in it."""

    def draw(self, sink: ObjectSink) -> int:
        """Add the form XObject and what it needs; return its object number."""
        return self.face.draw(sink, self.rotate)


@dataclass(frozen=True, slots=True)
class PlannedStamp:
    """A checked stamp without a place (`signer.sealing.stamp.StampPlan`)."""

    profile: AppearanceProfile
    place: CornerPlace | AnchorPlace | OverlapPlace
    face: Face
    signer: str | None
    lines: LineSource | None
    over: str | None

    def resolve(self, document: DocumentGeometry) -> PlacedStamp:
        """Choose page and rectangle.

        The text of the document is read only if the profile looks for its place there.
        Raises `ProfileError` when the page has no room, or the signature that the stamp has
        to overlap is not there.
        """
        match self.place:
            case CornerPlace() as place:
                return self._at_corner(place, document)
            case AnchorPlace() as place:
                return self._at_anchor(place, document)
            case place:
                return self._over_signature(place, document)

    def _at_corner(self, place: CornerPlace, document: DocumentGeometry) -> PlacedStamp:
        index = 0 if place.page == "first" else len(document.pages) - 1
        page = document.pages[index]
        taken = [rect for at, rect in document.signature_rects.values() if at == index]
        rect = corner_rect(place, page, taken, size_pt=(self.face.width, self.face.height))
        return PlacedStamp(index, rect, View(page).turn, self.face, anchored=False)

    def _at_anchor(self, place: AnchorPlace, document: DocumentGeometry) -> PlacedStamp:
        if self.lines is not None:
            pages = document.pages
            first = len(pages) - place.last_pages
            lines = [line for line in self.lines() if line.page_index >= first]
            anchor = find_anchor(lines, pages, self.signer)
            if anchor is not None:
                page = pages[anchor.page_index]
                rect = self._between(anchor, page)
                return PlacedStamp(
                    anchor.page_index, rect, View(page).turn, self.face, anchored=True
                )
        return self._at_corner(place.fallback(), document)

    def _between(self, anchor: Anchor, page: PageGeometry) -> Rect:
        """The face centred in the room, scaled down to it, within the page."""
        view = View(page)
        low, high = anchor.room
        height = max(high - low, _LEAST_ANCHORED * self.face.height)
        size = contained(
            (self.face.width, self.face.height),
            (min(self.face.width, view.width), min(self.face.height, height)),
        )
        half = size[0] / 2
        middle = min(max(anchor.centre, half), view.width - half)
        return view.to_user(centred(size, (middle, low, middle, high)))

    def _over_signature(self, place: OverlapPlace, document: DocumentGeometry) -> PlacedStamp:
        rects = document.signature_rects
        if self.over is not None:
            if self.over not in rects:
                raise ProfileError(
                    f"the document has no visible signature {self.over!r}; visible: "
                    f"{', '.join(rects) or 'none'}"
                )
            index, signature = rects[self.over]
        else:
            persons = [
                rect
                for name, rect in rects.items()
                if not any(fnmatchcase(name.casefold(), p.casefold()) for p in place.not_over)
            ]
            if not persons:
                raise ProfileError(
                    f"profile {self.profile.id} goes over a person's visible signature and the "
                    "document has none: the authorised person signs first, then the agency"
                )
            index, signature = persons[-1]
        page = document.pages[index]
        rect = overlap_rect(signature, page, (self.face.width, self.face.height), place.share)
        return PlacedStamp(index, rect, View(page).turn, self.face, anchored=True)


def plan_stamp(
    profile_id: str,
    facts: StampFacts,
    at: datetime,
    images: StampImages | None = None,
    profiles: ProfileSet | None = None,
    *,
    lines: LineSource | None = None,
    over: str | None = None,
) -> PlannedStamp:
    """Lay out the stamp of `profile_id` as it looks at the time of signing `at` (aware).

    `lines` gives the document's text to profiles with an anchor, such as
    `lambda: lines_of(path)`; without it they use their coordinates. `over` names the
    signature field that a seal overlaps; without it, the last one of a person.

    Everything that does not depend on the document is checked here, before a key is touched.
    Raises `ProfileError`: unknown profile or one not in force, a missing fact or image, text
    that does not fit or cannot be shown, an image that breaks its rule.
    """
    if at.tzinfo is None:
        raise ProfileError("the time of signing has no zone: give an aware datetime")
    local = at.astimezone(VIETNAM)
    profile = (profiles or default_profiles()).get(profile_id, local.date())
    place = profile.place
    if isinstance(place, NoPlace):
        raise ProfileError(
            f"profile {profile.id} is no visible signature ({profile.title_en}): sign the main "
            "document"
        )
    if isinstance(place, BlankPlace):
        raise ProfileError(
            f"profile {profile.id} ({profile.title_en}) belongs to the clerical sequence, where "
            "the agency's key gives number and date: order a sequence"
        )
    texts = _texts(profile, facts, local)
    face = compose(profile, texts, images or StampImages())
    return PlannedStamp(profile, place, face, facts.signer, lines, over)


def specimen_images(person: Literal[1, 2] = 1) -> StampImages:
    """The made-up seal and one of two signatures that Sohoa ships for trying out.

    Each says on its face that it is a specimen ("mẫu").
    """
    assets = resources.files("signer.sealing.appearance").joinpath("assets")
    return StampImages(
        signature=assets.joinpath(f"specimen-signature-{person}.png").read_bytes(),
        seal=assets.joinpath("specimen-seal.png").read_bytes(),
    )


def _texts(profile: AppearanceProfile, facts: StampFacts, local: datetime) -> list[str]:
    values = {
        "agency": facts.agency,
        "signer": facts.signer,
        "copy_form": facts.copy_form.value if facts.copy_form else None,
        "number_symbol": facts.number_symbol,
        "time": local.isoformat(timespec="seconds"),
    }
    for name, value in values.items():
        if not (value or "").strip() and any(f"{{{name}}}" in line for line in profile.text.lines):
            raise ProfileError(f"profile {profile.id} shows {name}, which is not given: state it")
    return [line.format(**values) for line in profile.text.lines]
