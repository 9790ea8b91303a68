"""How visible signatures look: dated configuration, with the rule that each comes from.

Instruments disagree on corner, image and text, and they change; so a profile is data with a
legal basis and dates, read from `profiles.toml` and from a file of the operator's own, never
a constant. Loading is strict: an unknown key, a wrong type, an unknown text field or two
versions of one profile for the same day are a `ProfileError` that names file and key.

Lengths are millimetres on paper, type sizes points. Values are immutable and may be shared
by threads.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cache
from importlib import resources
from itertools import pairwise, takewhile
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from signer.errors import ProfileError

CornerName = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
PageName = Literal["first", "last"]

TEXT_FIELDS = ("agency", "signer", "copy_form", "number_symbol", "time")
"""What a line of text may name in braces: the `StampFacts`, and the time of signing."""

_Length = Annotated[float, Field(ge=0, le=2000, allow_inf_nan=False)]
_Size = Annotated[float, Field(gt=0, le=500, allow_inf_nan=False)]
_Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
_Strings = Annotated[tuple[str, ...], Field(strict=False)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Spot(_Part):
    """A corner of a page as it is seen, and how far in from its two edges."""

    page: PageName = "first"
    corner: CornerName
    offset_x_mm: _Length
    offset_y_mm: _Length
    when_taken: Literal["stack", "refuse"] = "stack"
    gap_mm: _Length = 2.0


class CornerPlace(Spot):
    """A box of fixed size at a corner."""

    kind: Literal["corner"] = "corner"
    width_mm: _Size
    height_mm: _Size


class AnchorPlace(_Part):
    """Between the signer's title and full name, found in the text of the page."""

    kind: Literal["anchor"]
    width_mm: _Size
    height_mm: _Size
    last_pages: Annotated[int, Field(ge=1, le=50)] = 3
    """How many pages, counted from the end, are searched."""
    otherwise: Spot
    """Where the box goes when the text has no such place."""

    def fallback(self) -> CornerPlace:
        """`otherwise` with this place's box."""
        return CornerPlace(
            **self.otherwise.model_dump(), width_mm=self.width_mm, height_mm=self.height_mm
        )


class OverlapPlace(_Part):
    """Over the left part of a person's signature that is already in the document."""

    kind: Literal["overlap"]
    share: _Share = 1 / 3
    """How much of the signature's width is covered."""
    not_over: _Strings = ()
    """Patterns (`*`, `?`) of names of fields that are no person's signature."""


class BlankPlace(_Part):
    """Over what was left blank for the clerk, found in the text of the first page."""

    kind: Literal["blank"]
    blank: Literal["number", "date"]
    upper_share: _Share = 0.5
    """The part of the page, from its top, that is searched: the head of the document."""


class NoPlace(_Part):
    """Nothing is shown, nothing is signed on its own."""

    kind: Literal["none"]


Place = Annotated[
    CornerPlace | AnchorPlace | OverlapPlace | BlankPlace | NoPlace, Field(discriminator="kind")
]


class InkRule(_Part):
    """The colour that an image must have: a range of hues and how much may fall outside."""

    name: str
    hue_deg: Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)]
    tolerance_deg: Annotated[float, Field(gt=0, le=180, allow_inf_nan=False)]
    min_share: _Share = 0.9
    """Least part of the ink, by opacity, that must lie in the range."""
    min_saturation: Annotated[float, Field(ge=0, le=1)] = 0.25
    """Paler ink than this has no colour and counts as outside."""


class ImageRule(_Part):
    """Which image is drawn, how large, and what it must be like."""

    kind: Literal["signature", "seal"]
    width_mm: _Size | None = None
    """Real width of the ink. None: as large as the box allows, proportions kept."""
    side: Literal["left", "right"] = "left"
    """Where the image stands beside text; without text it is centred in the box."""
    gap_mm: _Length = 2.0
    ink: InkRule
    max_bytes: Annotated[int, Field(gt=0)] = 2_000_000
    max_pixels: Annotated[int, Field(gt=0)] = 4_000_000
    max_dpi: Annotated[int, Field(ge=72, le=2400)] = 600
    """Finer images are scaled down to this before they are embedded."""


class FontRule(_Part):
    """Type: the face, its sizes in points, its colour."""

    name: str = "Sohoa Serif"
    size_pt: Annotated[float, Field(ge=4, le=72, allow_inf_nan=False)] = 10.0
    min_size_pt: Annotated[float, Field(ge=4, le=72, allow_inf_nan=False)] = 7.0
    leading: Annotated[float, Field(ge=1.0, le=3.0, allow_inf_nan=False)] = 1.2
    colour: Annotated[str, Field(pattern="^#[0-9a-fA-F]{6}$")] = "#000000"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_size_pt > self.size_pt:
            raise ValueError("min_size_pt is larger than size_pt")
        return self


class TextRule(_Part):
    """Lines of text with named fields in braces, and how they stand in their box.

    No lines: no text.
    """

    lines: _Strings = ()
    align: Literal["left", "center", "right"] = "left"
    valign: Literal["top", "middle", "bottom"] = "top"

    @field_validator("lines")
    @classmethod
    def _known_fields(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            for _literal, name, spec, conversion in Formatter().parse(line):
                if name is not None and (name not in TEXT_FIELDS or spec or conversion):
                    known = ", ".join(f"{{{field}}}" for field in TEXT_FIELDS)
                    raise ValueError(f"unknown text field {{{name}}}; known: {known}")
        return lines


class AppearanceProfile(_Part):
    """One rule for how one kind of signature looks, within its dates."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$")]
    title_vi: str
    title_en: str
    legal_basis: Annotated[str, Field(min_length=1)]
    valid_from: date
    valid_to: date | None = None
    """Last day in force; None: still in force."""
    place: Place
    image: ImageRule | None = None
    text: TextRule = TextRule()
    font: FontRule = FontRule()

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        if self.valid_to is not None and self.valid_to < self.valid_from:
            raise ValueError("valid_to lies before valid_from")
        if isinstance(self.place, NoPlace):
            return self
        if isinstance(self.place, BlankPlace):
            if self.image is not None or self.text.lines:
                raise ValueError("what a blank takes is the number or the date: no image, no text")
            return self
        if self.image is None and not self.text.lines:
            raise ValueError("a visible profile needs an image or a text")
        if isinstance(self.place, OverlapPlace) and (self.image is None or self.text.lines):
            raise ValueError("a place that overlaps a signature takes an image and no text")
        if self.image is not None and self.image.width_mm is None:
            if isinstance(self.place, OverlapPlace) or self.image.kind == "seal":
                raise ValueError("a seal has a real size: give image.width_mm")
            if self.text.lines:
                raise ValueError("an image beside text has a real size: give image.width_mm")
        return self

    def in_force(self, day: date) -> bool:
        """Whether `day` lies within the profile's dates, both included."""
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


class Slot(_Part):
    """One claimant of a corner: a profile's id, or something else with a box of its own."""

    name: str
    box: Annotated[CornerPlace | None, Field(default=None)]


class Stack(_Part):
    """The order in which claimants of one corner stand, from its edge inwards."""

    page: PageName = "first"
    corner: CornerName
    gap_mm: _Length = 2.0
    slots: Annotated[tuple[Slot, ...], Field(strict=False, min_length=1)]


class _File(_Part):
    profile: Annotated[tuple[AppearanceProfile, ...], Field(strict=False)] = ()
    stack: Annotated[tuple[Stack, ...], Field(strict=False)] = ()


class ProfileSet:
    """Profiles by id and day, and the stacks of corners that several of them claim."""

    def __init__(self, profiles: Iterable[AppearanceProfile], stacks: Iterable[Stack] = ()) -> None:
        """Raises `ProfileError` for two versions of a profile that are in force together."""
        self.profiles = tuple(sorted(profiles, key=lambda p: (p.id, p.valid_from)))
        self.stacks = tuple(stacks)
        for earlier, later in pairwise(self.profiles):
            if earlier.id == later.id and earlier.in_force(later.valid_from):
                raise ProfileError(
                    f"profile {later.id}: the version from {later.valid_from} begins while that "
                    f"from {earlier.valid_from} is in force; give the earlier one a valid_to"
                )

    @property
    def ids(self) -> tuple[str, ...]:
        """Every known id, in order."""
        return tuple(dict.fromkeys(profile.id for profile in self.profiles))

    def get(self, profile_id: str, day: date) -> AppearanceProfile:
        """The version of a profile in force on `day` (Vietnamese date).

        Its corner already has the shift of its stack. Raises `ProfileError` for an unknown
        id, naming the known ones, and for a day on which no version is in force.
        """
        versions = [profile for profile in self.profiles if profile.id == profile_id]
        if not versions:
            raise ProfileError(
                f"unknown appearance profile {profile_id!r}; known: {', '.join(self.ids)}"
            )
        for profile in versions:
            if profile.in_force(day):
                return self._stacked(profile, day)
        dates = "; ".join(f"{p.valid_from} to {p.valid_to or 'today'}" for p in versions)
        raise ProfileError(
            f"profile {profile_id} is not in force on {day} (in force: {dates}); choose another "
            "profile or add a version with its legal basis to the profile file"
        )

    def slot(self, name: str, day: date) -> CornerPlace:
        """The place of a stack's claimant that is no profile (such as a printed QR code).

        Raises `ProfileError` when no stack has a slot of that name with a box.
        """
        for stack in self.stacks:
            for slot in stack.slots:
                if slot.name == name and slot.box is not None:
                    return _moved_in(slot.box, self._shift(stack, name, day))
        raise ProfileError(f"no stack has a slot {name!r} with a box: add one to the profile file")

    def _stacked(self, profile: AppearanceProfile, day: date) -> AppearanceProfile:
        place = profile.place
        if not isinstance(place, CornerPlace):
            return profile
        for stack in self.stacks:
            same = (stack.page, stack.corner) == (place.page, place.corner)
            if same and any(slot.name == profile.id for slot in stack.slots):
                moved = _moved_in(place, self._shift(stack, profile.id, day))
                return profile.model_copy(update={"place": moved})
        return profile

    def _shift(self, stack: Stack, name: str, day: date) -> float:
        """Millimetres that those before `name` take; a profile not in force takes none."""
        shift = 0.0
        for slot in takewhile(lambda slot: slot.name != name, stack.slots):
            box = slot.box or self._box_of(slot.name, day)
            if box is not None:
                shift += box.height_mm + stack.gap_mm
        return shift

    def _box_of(self, profile_id: str, day: date) -> CornerPlace | None:
        for profile in self.profiles:
            if profile.id == profile_id and profile.in_force(day):
                return profile.place if isinstance(profile.place, CornerPlace) else None
        return None


def _moved_in(place: CornerPlace, shift_mm: float) -> CornerPlace:
    return place.model_copy(update={"offset_y_mm": place.offset_y_mm + shift_mm})


@cache
def default_profiles() -> ProfileSet:
    """The profiles that Sohoa ships (`profiles.toml`). Read once a process."""
    text = resources.files("signer.sealing.appearance").joinpath("profiles.toml").read_text("utf-8")
    return _parse(_toml(text, "profiles.toml"), "profiles.toml")


def load_profiles(path: Path) -> ProfileSet:
    """The shipped profiles with those of the TOML file `path` put over them.

    A profile of the file replaces every shipped version of its id; `base = "P5"` in it takes
    over what it leaves out from the latest shipped version of P5. A stack replaces that of
    its corner. Raises `ProfileError` for anything that is not understood.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(
            f"cannot read the profile file {path}: {error}; it must be a readable UTF-8 TOML file"
        ) from error
    own = _toml(text, str(path))
    shipped = _toml(
        resources.files("signer.sealing.appearance").joinpath("profiles.toml").read_text("utf-8"),
        "profiles.toml",
    )
    listed = own.get("profile", [])
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise ProfileError(f"{path}: write each profile under its own [[profile]]")
    mine = _parse(own | {"profile": [_based(entry, shipped, path) for entry in listed]}, str(path))
    theirs = default_profiles()
    corners = {(stack.page, stack.corner) for stack in mine.stacks}
    return ProfileSet(
        [*mine.profiles, *(p for p in theirs.profiles if p.id not in mine.ids)],
        [*mine.stacks, *(s for s in theirs.stacks if (s.page, s.corner) not in corners)],
    )


def _toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{source} is not TOML: {error}") from error


def _based(entry: dict[str, Any], shipped: Mapping[str, Any], path: Path) -> dict[str, Any]:
    base = entry.get("base")
    if base is None:
        return entry
    versions = [profile for profile in shipped["profile"] if profile["id"] == base]
    if not versions:
        known = ", ".join(dict.fromkeys(profile["id"] for profile in shipped["profile"]))
        raise ProfileError(f"{path}: base = {base!r} is no shipped profile; known: {known}")
    latest = max(versions, key=lambda profile: profile["valid_from"])
    return _merged(latest, {key: value for key, value in entry.items() if key != "base"})


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = under.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            same_kind = value.get("kind", below.get("kind")) == below.get("kind")
            merged[key] = _merged(below, value) if same_kind else value
        else:
            merged[key] = value
    return merged


def _parse(tree: Mapping[str, Any], source: str) -> ProfileSet:
    try:
        parsed = _File.model_validate(tree)
    except ValidationError as error:
        raise ProfileError(_explain(error, tree, source)) from error
    return ProfileSet(parsed.profile, parsed.stack)


def _explain(error: ValidationError, tree: Mapping[str, Any], source: str) -> str:
    """One line a fault: file, profile, key, what is wrong."""
    faults = []
    for fault in error.errors(include_url=False):
        where = list(fault["loc"])
        named = ""
        if len(where) > 1 and where[0] == "profile" and isinstance(where[1], int):
            named = f"profile {tree['profile'][where[1]].get('id', where[1] + 1)}: "
            where = where[2:]
        faults.append(f"{source}: {named}{'.'.join(map(str, where))}: {fault['msg']}")
    return "; ".join(faults)
