"""What people confirmed, laid over what the machine read: words of a page, fields of a paper. Pure.

    said = Said.of(paper, entries, corrections)
    made = corrected_page(reading.page, page_id, said)
    made.lines                                  # for the text layer: each word in its box
    made.corrections                            # for the manifest: machine beside person
    checked_fields(proposals, said), accepted_findings(said), paper_checks(paper)

A word that is typed as two shares its box by the letters; one whose neighbour was taken out and
that now holds both takes the neighbour's box in, too. Only confirmed values count: a draft is
nobody's word.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dossier.checking.owners import OWNER_ID
from dossier.checking.values import About, Correction, Entry, Paper, Target
from dossier.stacks.proposals import PaperProposals
from ocr.fields.extract import Field
from ocr.page import Box, Line, RecognisedPage, Word
from ocr.record.checked import (
    AcceptedFinding,
    CheckedField,
    Confirmation,
    PaperCheck,
    Person,
    WordCorrection,
)

_CERTAIN = 100.0  # confidence of what a named person stands for


@dataclass(frozen=True, slots=True)
class Said:
    """What people stand for, by target; how they are called; each target's newest correction."""

    entries: Mapping[str, Entry]
    newest: Mapping[str, Correction]
    names: Mapping[str, str]

    @classmethod
    def of(
        cls, paper: Paper, entries: Mapping[str, Entry], corrections: Iterable[Correction]
    ) -> Said:
        """Sort what was typed for a paper; `corrections` oldest first."""
        noted = list(corrections)
        names = {check.by: check.name for check in paper.checks}
        names |= {correction.by: correction.name for correction in noted}
        return cls(
            {target: entry for target, entry in entries.items() if entry.is_confirmed},
            {str(correction.target): correction for correction in noted},
            names,
        )

    def confirmation(self, entry: Entry) -> Confirmation:
        """Who stands for a value, since when, and why."""
        person = Person(entry.by, self.names.get(entry.by, entry.by))
        return Confirmation(person, entry.at, entry.reason)


@dataclass(frozen=True, slots=True)
class CorrectedPage:
    """The lines of a page as people left them, and what they changed, in reading order."""

    lines: tuple[Line, ...]
    corrections: tuple[WordCorrection, ...]


def corrected_page(page: RecognisedPage, page_id: str, said: Said) -> CorrectedPage:
    """Lay the confirmed words over a page. A confirmed word is doubtful no more."""
    noted: list[WordCorrection] = []
    lines: list[Line] = []
    number = 0
    for line in page.lines:
        first, number = number + 1, number + len(line.words)
        typed = [said.entries.get(_target(page_id, n)) for n in range(first, number + 1)]
        for place, (word, entry) in enumerate(zip(line.words, typed, strict=True), first):
            if entry is not None and entry.value != word.text:
                noted.append(_noted(place, False, word.box, word.text, entry, said))
        if not any(typed):
            lines.append(line)
            continue
        words = _laid_over(line.words, typed)
        if words:
            lines.append(replace(line, words=words, box=_around([w.box for w in words])))
    for place, box in enumerate(page.unread, 1):
        entry = said.entries.get(_target(page_id, place, is_gap=True))
        if entry is not None and entry.value:
            noted.append(_noted(place, True, box, None, entry, said))
            _put_in(lines, _shared(entry.value, box))
    return CorrectedPage(tuple(lines), tuple(noted))


def _target(page_id: str, number: int, *, is_gap: bool = False) -> str:
    return str(Target(About.WORD, page_id, number, is_gap))


def _noted(
    number: int, is_gap: bool, box: Box, machine: str | None, entry: Entry, said: Said
) -> WordCorrection:
    newest = said.newest.get(str(entry.target))
    told = said.confirmation(entry)
    station = "" if newest is None else newest.station
    return WordCorrection(
        number, is_gap, box, machine, entry.value, told.by, entry.at, entry.reason, station
    )


def _laid_over(words: Sequence[Word], typed: Sequence[Entry | None]) -> tuple[Word, ...]:
    """The words of one line with what was typed for each."""
    made: list[Word] = []
    place = 0
    while place < len(words):
        word, entry = words[place], typed[place]
        place += 1
        if entry is None:
            made.append(word)
        elif entry.value == word.text:
            made.append(replace(word, doubtful=False, alternative=None))
        elif entry.value:
            boxes = [word.box]
            letters = len(word.text)
            while place < len(words) and _is_taken_in(words, typed, place, entry.value, letters):
                boxes.append(words[place].box)
                letters += len(words[place].text)
                place += 1
            made += _shared(entry.value, _around(boxes))
    return tuple(made)


def _is_taken_in(
    words: Sequence[Word], typed: Sequence[Entry | None], place: int, value: str, letters: int
) -> bool:
    """Whether the word at `place` was taken out because `value`, before it, holds it, too."""
    entry = typed[place]
    holds = len(value) >= letters + (len(words[place].text) + 1) // 2
    return entry is not None and not entry.value and holds


def _shared(value: str, box: Box) -> list[Word]:
    """The words of a value, each with the part of the box that its letters need."""
    parts = value.split()
    each = box.width / len(" ".join(parts))
    made, left = [], box.left
    for part in parts:
        right = left + each * len(part)
        made.append(Word(part, replace(box, left=left, right=right), _CERTAIN, _CERTAIN))
        left = right + each
    return made


def _around(boxes: Sequence[Box]) -> Box:
    return Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def _put_in(lines: list[Line], words: list[Word]) -> None:
    """Put added words into the line that they stand in, or make a line of them."""
    box = _around([word.box for word in words])
    middle = (box.top + box.bottom) / 2
    near = [n for n, line in enumerate(lines) if line.box.top <= middle < line.box.bottom]
    if near:
        place = min(near, key=lambda n: _apart(lines[n].box, box))
        line = lines[place]
        both = sorted((*line.words, *words), key=lambda word: word.box.left)
        lines[place] = replace(line, words=tuple(both), box=_around([line.box, box]))
        return
    row = max((line.row for line in lines), default=-1) + 1
    new = Line(tuple(words), box, box.bottom - box.height / 5, 0.0, box.height, row, 0)
    below = next((n for n, line in enumerate(lines) if line.box.top > middle), len(lines))
    lines.insert(below, new)


def _apart(one: Box, other: Box) -> float:
    """Pixels between two boxes from left to right; 0 where they overlap."""
    return max(0.0, other.left - one.right, one.left - other.right)


def checked_fields(proposals: PaperProposals | None, said: Said) -> tuple[CheckedField, ...]:
    """The fields as people left them: the proposed ones in their order, then what was added.

    `machine` None: nothing was read there. An empty value: a person says that there is none.
    """
    found = []
    counts: dict[str, int] = {}
    places: list[tuple[str, Field | None, int, Box]] = []
    if proposals is not None:
        places += ((f.name, f, f.page, f.box) for f in proposals.fields.fields)
        places += ((u.name, None, u.page, u.box) for u in proposals.fields.unread)
    for name, read, page, box in places:
        counts[name] = counts.get(name, 0) + 1
        entry = said.entries.get(str(Target(About.FIELD, name, counts[name])))
        if entry is None and read is None:
            continue
        found.append(
            CheckedField(
                name,
                entry.value if entry else (read.value if read else ""),
                read.value if read else None,
                page,
                box,
                read.certainty if read else None,
                said.confirmation(entry) if entry else None,
            )
        )
    added = [
        entry
        for entry in said.entries.values()
        if entry.target.about is About.FIELD
        and entry.target.number > counts.get(entry.target.name, 0)
        and (entry.value or entry.target.name == OWNER_ID)  # that there is none is a statement
    ]
    for entry in sorted(added, key=lambda e: (e.target.name, e.target.number)):
        name, confirmed = entry.target.name, said.confirmation(entry)
        found.append(CheckedField(name, entry.value, None, confirmed=confirmed))
    return tuple(found)


def accepted_findings(said: Said) -> tuple[AcceptedFinding, ...]:
    """The findings and alarms that people let stand, with their reasons, oldest first."""
    found = [e for e in said.entries.values() if e.target.about is About.FINDING]
    return tuple(
        AcceptedFinding(entry.machine or "", said.confirmation(entry))
        for entry in sorted(found, key=lambda e: (e.at, str(e.target)))
    )


def paper_checks(paper: Paper) -> tuple[PaperCheck, ...]:
    """Who went through the paper, in their order."""
    return tuple(
        PaperCheck(Person(check.by, check.name), check.at, check.changed) for check in paper.checks
    )
