"""A paper that is being checked, as values for its screen: what is doubtful first, then the rest.

    sheet = checksheet_of(material, proposals, readings, entries, strip)
    sheet.open                       # rows that wait for a person
    sheet.after("field:abstract")    # the next one that does

Pure: all that it needs is handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from api.console.pages import Mark, already_turned, around, turned
from api.console.pages import Sheet as Page
from api.console.strip import Strip
from dossier.checking.material import Material, OpenFinding
from dossier.checking.owners import OWNER_FIELDS, SOURCES, ProposedOwner, target_of
from dossier.checking.values import About, Entry, Target
from dossier.stacks.proposals import PaperProposals
from dossier.stacks.reading import PageReading
from ocr.page import Box

_THOUSAND = 1000
_MARGIN = 12
OWNER_TARGETS = tuple(map(target_of, OWNER_FIELDS))


@dataclass(frozen=True, slots=True)
class Row:
    """A field, a word, or a place with ink and no word. `crop` is ``x,y,width,height``.

    `state`: open (nobody said anything), draft, confirmed. `said` are findings about it, in both
    languages, with the value that they suggest.
    """

    target: str
    kind: str
    name: str
    number: int
    page: str
    page_number: int
    turns: int
    crop: str
    box: Mark | None
    machine: str | None
    value: str
    certainty: int | None
    doubtful: bool
    state: str
    version: int
    said: tuple[tuple[str, str, str], ...] = ()

    @property
    def dom_id(self) -> str:
        """Its id in the page."""
        return self.target.replace(":", "-")

    @property
    def is_open(self) -> bool:
        """Whether a person has to confirm it."""
        return self.doubtful and self.state != "confirmed"


@dataclass(frozen=True, slots=True)
class Checksheet:
    """The rows of a paper: the doubtful ones in their order, and fields that were read surely."""

    doubtful: tuple[Row, ...]
    sure: tuple[Row, ...]

    @property
    def open(self) -> tuple[Row, ...]:
        """What still waits for a person."""
        return tuple(row for row in self.doubtful if row.is_open)

    @property
    def rows(self) -> tuple[Row, ...]:
        """All of them."""
        return (*self.doubtful, *self.sure)

    def row(self, target: str) -> Row | None:
        """The row of a target."""
        return next((row for row in self.rows if row.target == target), None)

    def after(self, target: str) -> Row | None:
        """The first open row behind a target, else the first of all; None when none is open."""
        targets = [row.target for row in self.doubtful]
        at = targets.index(target) + 1 if target in targets else 0
        return next((row for row in self.doubtful[at:] if row.is_open), next(iter(self.open), None))


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """A finding that stands in the way; `reason` says why it may stay, once somebody said so."""

    finding: OpenFinding
    reason: str


def checksheet_of(
    material: Material,
    proposals: PaperProposals,
    readings: Mapping[str, PageReading],
    entries: Mapping[str, Entry],
    strip: Strip,
    owner: ProposedOwner | None = None,
) -> Checksheet:
    """The rows of a paper. `readings` are by page; `owner` None: nobody has to know it."""
    maker = _Maker(material, proposals, readings, entries, strip)
    fields = maker.fields(asked_apart=() if owner is None else OWNER_TARGETS)
    owners = () if owner is None else maker.owner(owner)
    known = {row.target for row in fields}
    disputed = [
        row
        for target in entries
        if target.startswith("word:") and target not in material.doubtful
        for row in maker.words((target,))
    ]
    words = maker.words([t for t in material.doubtful if t not in known])
    doubtful = [row for row in fields if row.doubtful]
    sure = (row for row in fields if not row.doubtful)
    return Checksheet(
        (*doubtful, *words, *(row for row in owners if row.doubtful)),
        (*sure, *(row for row in owners if not row.doubtful), *disputed),
    )


class _Maker:
    def __init__(
        self,
        material: Material,
        proposals: PaperProposals,
        readings: Mapping[str, PageReading],
        entries: Mapping[str, Entry],
        strip: Strip,
    ) -> None:
        self._material, self._proposals = material, proposals
        self._readings, self._entries, self._strip = readings, entries, strip
        self._said: dict[str, list[tuple[str, str, str]]] = {}
        for finding in proposals.field_findings:
            told = (finding.vi, finding.en, finding.suggestion)
            self._said.setdefault(finding.field, []).append(told)

    def fields(self, asked_apart: Collection[str]) -> list[Row]:
        counts: dict[str, int] = {}
        found = []
        for one in self._proposals.fields.fields:
            counts[one.name] = number = counts.get(one.name, 0) + 1
            target = str(Target(About.FIELD, one.name, number))
            found.append(self._row(target, one.page, one.box, round(one.certainty)))
        for unread in self._proposals.fields.unread:
            counts[unread.name] = number = counts.get(unread.name, 0) + 1
            target = str(Target(About.FIELD, unread.name, number))
            found.append(self._row(target, unread.page, unread.box, None))
        for target, entry in self._entries.items():  # what a person added
            if target in asked_apart or entry.target.about is not About.FIELD:
                continue
            if all(row.target != target for row in found):
                found.append(self._row(target, 1, None, None))
        return found

    def owner(self, owner: ProposedOwner) -> list[Row]:
        """The owner's three values; where they come from is said beside them."""
        vi, en = SOURCES[owner.source]
        found = []
        for target in OWNER_TARGETS if self._material.pages else ():
            row = self._row(target, 1, None, None)
            value = row.value if row.state != "open" else owner.value(target)
            is_asked = target in owner.asked or row.state == "confirmed"
            found.append(replace(row, value=value, doubtful=is_asked, said=((vi, en, ""),)))
        return found

    def words(self, targets: Sequence[str]) -> list[Row]:
        numbers = {page: number for number, page in enumerate(self._material.pages, 1)}
        found = []
        for text in targets:
            target = Target.parse(text)
            reading = self._readings.get(target.name)
            if target.about is not About.WORD or reading is None:
                continue
            words = [word for line in reading.page.lines for word in line.words]
            places: Sequence[Box] = (
                reading.page.unread if target.is_gap else [word.box for word in words]
            )
            if target.number > len(places):
                continue
            certainty = None
            if not target.is_gap:
                word = words[target.number - 1]
                certainty = round(word.confidence if word.certainty is None else word.certainty)
            page = numbers.get(target.name, 1)
            found.append(self._row(text, page, places[target.number - 1], certainty))
        return found

    def _row(self, target: str, number: int, box: Box | None, certainty: int | None) -> Row:
        parsed = Target.parse(target)
        read = self._material.readings.get(target)
        entry = self._entries.get(target)
        page = self._material.pages[min(number, len(self._material.pages)) - 1]
        placed = self._strip.page(page)
        turns = placed.turns if placed is not None else 0
        mark, crop = self._place(page, turns, box)
        machine = read.text if read is not None else None
        kind = parsed.about.value if not parsed.is_gap else "gap"
        return Row(
            target,
            kind,
            parsed.name if parsed.about is About.FIELD else kind,
            parsed.number,
            page,
            placed.number if placed is not None else number,
            turns,
            crop,
            mark,
            machine,
            entry.value if entry is not None else machine or "",
            certainty,
            read is not None and read.doubtful,
            entry.state.value if entry is not None else "open",
            entry.version if entry is not None else 0,
            tuple(self._said.get(parsed.name, ())) if parsed.about is About.FIELD else (),
        )

    def _place(self, page: str, turns: int, box: Box | None) -> tuple[Mark | None, str]:
        reading = self._readings.get(page)
        if reading is None or box is None:
            return None, ""
        mark = Mark("current", *around(box))
        size = (reading.page.width_px, reading.page.height_px)
        whole = turned(Page(*size, (mark,)), turns - already_turned(reading))
        (seen,) = whole.marks
        x = max(0, int(seen.x / whole.width * _THOUSAND) - _MARGIN // 2)
        y = max(0, int(seen.y / whole.height * _THOUSAND) - _MARGIN // 2)
        width = min(_THOUSAND, int(seen.width / whole.width * _THOUSAND) + _MARGIN)
        height = min(_THOUSAND, int(seen.height / whole.height * _THOUSAND) + _MARGIN)
        return mark, f"{x},{y},{width},{height}"
