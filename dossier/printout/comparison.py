"""A page of paper held to the original, word by word.

    compared = compare(scan, page, engine, start)

The scan is laid over the page (`registration`), and windows as large as a digit are compared
(`likeness`). A word with a window that differs is a suspect; it is convicted when print is gone
or print was added there, and the recogniser, which reads both pictures of the word, reads two
words. Where neither is clear the answer is that nothing can be said, not that all is well.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from dossier.printout.likeness import WINDOW_PX, Evidence, Ink, Likeness, ink_of, likeness
from dossier.printout.original import MM_A_PIXEL, OriginalPage
from dossier.printout.registration import Matrix, register
from dossier.printout.report import ComparedPage, Finding, Place, Verdict
from dossier.printout.words import WordBox, joined, word_boxes
from ocr.reading.raster import Grey
from ocr.reading.recognise import LineMode, Reading, Recogniser

SUSPECT = 0.09  # unlikeness from which a word is looked at again
_UNLIKE = 0.16  # unlikeness from which missing print decides, whatever is read
_OUTSTANDING = 3.0  # times as unlike as most words of the page: more than the scanner did
_MOST_WORDS = 75  # percentile of the words' unlikeness that counts as the scanner's work
_TOO_POOR = 0.1  # a scan that is so unlike everywhere hides a digit
_CLEAR = 0.02  # of a window's ink gone or added: different whatever is read
_PLAIN = 0.05  # different in a window that is hardly unlike, where two words are surely read
_SLIGHT = 0.015  # different when two words are read
_STRIKING = 0.35  # unlikeness that cannot pass as the same, even if it reads so
_AGREES = 0.6  # median correlation of the pieces: below, the scan is too poor to judge
_SURE = 80.0  # confidence from which a reading is believed
_SURE_ADDED = 88.0
_LEAST_ADDED = 2  # letters or digits: a speck is read as one of them
_ADDED_PX = (12, 70)  # height of added words
_SEEN = 0.97  # of a word's area that the scan has to show
_COLOURED = 0.25  # of a word's area under a seal: not judged by its ink
_MARGIN_PX = (5, 6)
_GAP_PX = 14
_READING_DPI = 300


@dataclass(frozen=True, slots=True)
class Suspect:
    """A word that may have been altered, and what its pictures read."""

    box: WordBox
    unlike: float
    limit: float
    evidence: Evidence
    page: Reading
    scan: Reading
    own: str | None
    """What the record's own text says there."""

    @property
    def finding(self) -> Finding | None:
        """None: it is the same word after all."""
        amount = self.evidence.gone + self.evidence.added
        ours, theirs = _letters(self.page.text), _letters(self.scan.text)
        is_sure = self.scan.confidence >= _SURE
        read_same = bool(theirs) and is_sure and theirs in (ours, _letters(self.own or ""))
        if read_same:
            striking = self.unlike > _STRIKING and amount > 2 * _CLEAR
            return Finding.UNCLEAR if striking else None
        if self.unlike < self.limit:
            is_plain = self.limit <= _UNLIKE and amount >= _PLAIN and ours != theirs
            return Finding.CHANGED if is_plain and is_sure else None
        if amount >= _CLEAR or (amount >= _SLIGHT and ours != theirs):
            return Finding.CHANGED
        # a stain: the word under it is there, or cannot be seen
        return Finding.UNCLEAR if self.unlike > _STRIKING else None


@dataclass(frozen=True, slots=True)
class Crop:
    """The same place in both pictures, for people to look at."""

    place: Place
    original: Grey
    paper: Grey


def compare(
    scan: Grey,
    page: OriginalPage,
    engine: Recogniser,
    start: Matrix | None,
    exempt: Sequence[WordBox] = (),
) -> tuple[ComparedPage, list[Crop]] | None:
    """Compare; None when the scan does not show this page. `exempt`: the code itself."""
    placed = register(scan, page.grey, start)
    if placed is None:
        return None
    page_ink = ink_of(page.grey)
    alike = likeness(page_ink, ink_of(placed.grey), placed.covered)
    words = word_boxes(_without(page_ink, exempt))
    seen, unseen = _seen(words, placed.covered)
    found = [(box, Finding.UNCLEAR) for box in unseen]
    noise = _noise(seen, alike)
    suspects = _suspects(seen, alike, page, engine, max(_UNLIKE, _OUTSTANDING * noise))
    for suspect in suspects:
        if suspect.finding is not None:
            found.append((suspect.box, suspect.finding))
    found += _added(words, alike, placed.covered, engine, exempt)
    places = _places(found, page, alike, engine)
    verdict = _verdict(places, is_poor=placed.agreement < _AGREES or noise > _TOO_POOR)
    crops = [Crop(place, _part(page.grey, place), _part(placed.grey, place)) for place in places]
    compared = ComparedPage(0, page.number, verdict, len(words), placed.agreement, tuple(places))
    return compared, crops


def with_photo_page(compared: ComparedPage, number: int) -> ComparedPage:
    """The same, for page `number` of what was handed in."""
    return replace(compared, photo_page=number)


def _verdict(places: Sequence[Place], *, is_poor: bool) -> Verdict:
    if is_poor:
        return Verdict.CANNOT_SAY
    findings = {place.finding for place in places}
    if findings & {Finding.CHANGED, Finding.ADDED}:
        return Verdict.DIFFERS
    return Verdict.CANNOT_SAY if findings else Verdict.SAME


def _seen(
    words: Sequence[WordBox], covered: NDArray[np.bool_]
) -> tuple[list[WordBox], list[WordBox]]:
    """Words that the image shows, and those that it does not: cut off, or outside of it."""
    seen: list[WordBox] = []
    unseen: list[WordBox] = []
    for box in words:
        wide = box.grown(WINDOW_PX[0] // 2, WINDOW_PX[1] // 2, covered.shape)
        shown = covered[wide.top : wide.bottom, wide.left : wide.right].mean() >= _SEEN
        (seen if shown else unseen).append(box)
    return seen, unseen


def _noise(words: Sequence[WordBox], alike: Likeness) -> float:
    """What the scanner makes of a word that nobody altered: most of them are none."""
    peaks = [alike.unlike[b.top : b.bottom, b.left : b.right].max() for b in words]
    return float(np.percentile(peaks, _MOST_WORDS)) if peaks else 1.0


def _suspects(
    words: Sequence[WordBox],
    alike: Likeness,
    original: OriginalPage,
    engine: Recogniser,
    limit: float,
) -> list[Suspect]:
    boxes, peaks = [], []
    for box in words:
        part = alike.unlike[box.top : box.bottom, box.left : box.right]
        peak = float(part.max())
        under = original.coloured[box.top : box.bottom, box.left : box.right].mean()
        if peak > SUSPECT and under < _COLOURED:
            row, column = np.unravel_index(int(part.argmax()), part.shape)
            boxes.append(box)
            peaks.append((peak, box.left + int(column), box.top + int(row)))
    ours = _read(alike.page, boxes, engine)
    theirs = _read(alike.scan, boxes, engine)
    return [
        Suspect(box, peak, limit, alike.evidence(x, y), page, scan, original.text_in(box))
        for box, (peak, x, y), page, scan in zip(boxes, peaks, ours, theirs, strict=True)
    ]


def _added(
    words: Sequence[WordBox],
    alike: Likeness,
    covered: NDArray[np.bool_],
    engine: Recogniser,
    exempt: Sequence[WordBox],
) -> list[tuple[WordBox, Finding]]:
    """Print where the page has none: read as words, and as dark as print."""
    shape = alike.page.shape
    taken = [box.grown(*_MARGIN_PX, shape) for box in (*words, *exempt)]
    strange = covered & (alike.unlike > _STRIKING)
    alone = _without(np.where(strange, alike.scan, 0.0).astype(np.float32), taken)
    low, high = _ADDED_PX
    boxes = [box for box in word_boxes(alone) if low <= box.bottom - box.top <= high]
    boxes = [box for box in joined(boxes, _GAP_PX) if box.right - box.left >= low]
    return [
        (box, Finding.ADDED)
        for box, reading in zip(boxes, _read(alone, boxes, engine), strict=True)
        if reading.confidence >= _SURE_ADDED and len(_letters(reading.text)) >= _LEAST_ADDED
    ]


def _without(ink: Ink, boxes: Sequence[WordBox]) -> Ink:
    left = ink.copy()
    for box in boxes:
        left[box.top : box.bottom, box.left : box.right] = 0.0
    return left


def _places(
    found: Sequence[tuple[WordBox, Finding]],
    page: OriginalPage,
    alike: Likeness,
    engine: Recogniser,
) -> list[Place]:
    """One place for neighbours with the same finding, and what is to be read there."""
    places = []
    for finding in Finding:
        boxes = joined([box for box, what in found if what is finding], _GAP_PX)
        ours = _read(alike.page, boxes, engine)
        theirs = _read(alike.scan, boxes, engine)
        for box, expected, read in zip(boxes, ours, theirs, strict=True):
            sides = (box.left, box.top, box.right, box.bottom)
            left, top, right, bottom = (side * MM_A_PIXEL for side in sides)
            own = None if finding is Finding.ADDED else page.text_in(box) or expected.text or None
            places.append(
                Place(page.number, (left, top, right, bottom), finding, own, read.text or None)
            )
    return places


def _read(ink: Ink, boxes: Sequence[WordBox], engine: Recogniser) -> list[Reading]:
    """What the recogniser sees in each box; asked in another way where it sees nothing."""
    crops = [_crop(ink, box.grown(*_MARGIN_PX, ink.shape)) for box in boxes]
    readings = engine.read(crops, _READING_DPI, LineMode.LINE)
    empty = [at for at, reading in enumerate(readings) if not reading.words]
    again = engine.read([crops[at] for at in empty], _READING_DPI, LineMode.RAW)
    for at, reading in zip(empty, again, strict=True):
        readings[at] = reading
    return readings


def _crop(ink: Ink, box: WordBox) -> Grey:
    """A word as the recogniser likes it: dark on white, enlarged, with white around."""
    part = np.clip(255 * (1 - ink[box.top : box.bottom, box.left : box.right]), 0, 255)
    large = cv2.resize(part.astype(np.uint8), None, fx=1.5, fy=1.5, interpolation=cv2.INTER_CUBIC)
    return np.asarray(
        cv2.copyMakeBorder(large, 14, 14, 14, 14, cv2.BORDER_CONSTANT, value=255), np.uint8
    )


def _part(grey: Grey, place: Place) -> Grey:
    left, top, right, bottom = (round(side / MM_A_PIXEL) for side in place.box_mm)
    box = WordBox(left, top, right, bottom).grown(40, 16, grey.shape)
    return grey[box.top : box.bottom, box.left : box.right]


def _letters(text: str) -> str:
    """Letters and digits alone: the recogniser's commas prove nothing."""
    return "".join(c for c in unicodedata.normalize("NFC", text) if c.isalnum())
