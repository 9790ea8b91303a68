"""The part that each signature plays in a clerical sequence (`domain.md` 5.5, 5.8; NĐ 30/2020).

Our own records name their fields. Others do not: there the part is read from what an office
cannot do otherwise. A person signs between title and name; the clerk's number and date are low
boxes over blanks at the head of page 1, of the same key as the seal; the seal overlaps the
person's signature; the gazette signs last, in the top margin, with another key; scanned paper
carries the agency's signature at the top right. A part is a description, never a judgement: it
takes nothing from the verdict and adds nothing to it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from signer.verification.checks import Part
from signer.verification.parts.places import LOW, Place
from signer.verification.parts.subjects import Subject, unaccented

_OWN_NAME = re.compile(
    r"(leader|number|date|seal|officer|publisher|annex|copy)(?:-(\w+))?(?:_\d+)?"
)
_PROFILES = {
    "P1": Part.LEADER, "P2": Part.SEAL, "P4": Part.ANNEX, "P5": Part.COPY, "P6": Part.COPY,
    "P7": Part.OFFICER, "SO": Part.NUMBER, "NGAY": Part.DATE,
}  # fmt: skip
_SPOKEN = {  # what people name fields, without accents
    "lanh dao": Part.LEADER, "chu ky lanh dao": Part.LEADER, "nguoi ky": Part.LEADER,
    "con dau": Part.SEAL, "dong dau": Part.SEAL, "dau": Part.SEAL,
    "so": Part.NUMBER, "so van ban": Part.NUMBER, "them so": Part.NUMBER,
    "ngay": Part.DATE, "ngay van ban": Part.DATE, "them ngay": Part.DATE,
    "cong bao": Part.PUBLISHER, "phat hanh": Part.PUBLISHER,
    "phu luc": Part.ANNEX, "sao y": Part.COPY, "sao luc": Part.COPY, "trich sao": Part.COPY,
    "nguoi so hoa": Part.OFFICER,
}  # fmt: skip
_ANNEX_WORDS = ("phu luc", "kem theo van ban")
_COPY_WORDS = ("sao y", "sao luc", "trich sao", "so hoa")
_GAZETTE_WORDS = ("cong bao", "cong thong tin")
_PERSONAL_SIZE = (55.0, 25.0)  # points: smaller is an initial
_ONE_SITTING = dt.timedelta(minutes=2)  # clerk's tools sign number, date and seal in one go


@dataclass(frozen=True, slots=True)
class Mark:
    """What one signature shows of its part; `place` is None where nothing is seen."""

    name: str
    subject: Subject
    key: bytes
    organisation: str
    words: str  # reason and location, without accents
    time: dt.datetime | None
    place: Place | None


def parts_of(marks: Sequence[Mark]) -> list[Part]:
    """The parts of all signatures of a file, in the order in which they were made."""
    found = [_by_name(mark.name) for mark in marks]
    persons = [i for i, mark in enumerate(marks) if _is_person(i, marks)]
    offices = [i for i in range(len(marks)) if i not in persons]
    for i in persons:
        found[i] = found[i] or _of_person(marks[i], marks[i + 1 :])
    _name_blanks(marks, offices, found)
    leaders = [i for i in range(len(marks)) if found[i] is Part.LEADER]
    for i in offices:
        found[i] = found[i] or _of_office(i, marks, found, leaders)
    return [part or Part.OTHER for part in found]


def _by_name(name: str) -> Part | None:
    """What the name of a field of ours, or a spoken name, says."""
    own = _OWN_NAME.fullmatch(name.lower())
    if own:
        return _PROFILES.get((own[2] or "").upper(), Part(own[1]))
    return _SPOKEN.get(" ".join(unaccented(name).replace("_", " ").split()))


def _is_person(i: int, marks: Sequence[Mark]) -> bool:
    """By certificate; where it does not tell: a later mark of another key overlaps it."""
    mark = marks[i]
    if mark.subject is not Subject.UNKNOWN:
        return mark.subject is Subject.PERSON
    place = mark.place
    if place is None or place.is_blank or place.is_corner:
        return False
    return any(
        other.place is not None and other.key != mark.key and other.place.overlaps(place)
        for other in marks[i + 1 :]
    )


def _of_person(mark: Mark, later: Sequence[Mark]) -> Part:
    place = mark.place
    if place is None:
        is_followed = any(other.subject is Subject.ORGANISATION for other in later)
        return Part.LEADER if is_followed else Part.OTHER
    if place.is_corner:
        return Part.OFFICER
    width, height = _PERSONAL_SIZE
    is_full = place.x1 - place.x0 >= width and place.y1 - place.y0 >= height
    return Part.LEADER if is_full and not place.is_blank else Part.OTHER


def _name_blanks(marks: Sequence[Mark], offices: Sequence[int], found: list[Part | None]) -> None:
    """Number and date: a pair on one line is told by its order, one alone by its half."""
    open_ones = [
        i for i in offices if found[i] is None and (p := marks[i].place) is not None and p.is_blank
    ]
    open_ones.sort(key=lambda i: _left(marks[i]))
    for left, right in pairwise(open_ones):
        if found[left] is None and _are_one_line(marks[left], marks[right]):
            found[left], found[right] = Part.NUMBER, Part.DATE
    for i in open_ones:
        place = marks[i].place
        siblings = [j for j in offices if j != i and marks[j].key == marks[i].key]
        # nobody numbers what nobody signed: alone on its page it is no blank
        if found[i] is None and place is not None and (siblings or len(offices) < len(marks)):
            taken = {found[j] for j in siblings}
            part = Part.DATE if place.is_right else Part.NUMBER
            found[i] = part if part not in taken else None


def _left(mark: Mark) -> float:
    return mark.place.x0 if mark.place else 0.0


def _are_one_line(left: Mark, right: Mark) -> bool:
    """Two blanks side by side, signed with one key in one sitting."""
    a, b = left.place, right.place
    if a is None or b is None or left.key != right.key or a.x1 > b.x1:
        return False
    if left.time and right.time and abs(left.time - right.time) > _ONE_SITTING:
        return False
    return abs(a.from_top - b.from_top) <= LOW


def _of_office(
    i: int, marks: Sequence[Mark], found: Sequence[Part | None], leaders: Sequence[int]
) -> Part:
    mark, place = marks[i], marks[i].place
    is_decision = bool(leaders) or Part.NUMBER in found
    if place is None:
        return Part.SEAL if any(leader < i for leader in leaders) else Part.OTHER
    if place.is_corner or (place.is_blank and not is_decision):
        if any(word in mark.words for word in _ANNEX_WORDS):
            return Part.ANNEX
        if any(word in mark.words for word in _COPY_WORDS):
            return Part.COPY
        if any(word in unaccented(mark.organisation) for word in _GAZETTE_WORDS):
            return Part.PUBLISHER
        earlier = [marks[j] for j in range(i)]
        if any(other.key == mark.key for other in earlier):
            return Part.OTHER
        return Part.PUBLISHER if is_decision or earlier else Part.COPY
    if place.is_blank:
        return Part.OTHER
    over = any((p := marks[j].place) is not None and p.overlaps(place) for j in leaders)
    sealed = Part.SEAL in found[:i]
    return Part.SEAL if over or not sealed else Part.OTHER
