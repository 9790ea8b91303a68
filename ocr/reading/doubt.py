"""Which words of a page a person has to look at, and what a second reading makes of them.

Every word gets the chance that it is right. Words that are doubtful after one reading, and only
those, are cut out and read a second time, smoothed: an error of the engine seldom survives the
change of image, a right word mostly does. Where the second reading is the surer one it wins.
Read `looks_at` from top to bottom. The numbers are data (`ocr.reading.doubt_scale`); nothing is
learned at run time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from ocr.page import Line, Word
from ocr.reading.doubt_evidence import Features, page_features, shape_of
from ocr.reading.doubt_ink import ink_features
from ocr.reading.doubt_places import ReadCell, working_span
from ocr.reading.doubt_scale import DoubtScale, bundled_doubt_scale, certainty_of
from ocr.reading.placing import View
from ocr.reading.raster import Grey
from ocr.reading.recognise import LineMode, Reading, Recogniser
from ocr.reading.segmentation import PAD_PX, Layout

_BESIDE_PX = 5  # of the line's image on either side of a word
_SMOOTHING_PX = 0.9
_LEADER = "._…·"


@dataclass(frozen=True, slots=True)
class Look:
    """A word under judgement.

    `features` and `score` (log odds of being wrong) stand after one reading; `second` is what the
    second one saw, None where there was none.
    """

    word: Word
    features: Features
    score: float
    second: Reading | None = None

    @property
    def second_text(self) -> str | None:
        """What the second reading saw, NFC; empty where it saw nothing."""
        return None if self.second is None else unicodedata.normalize("NFC", self.second.text)

    @property
    def second_features(self) -> Features:
        """What the second reading adds. Only for a word that was read again."""
        text, word = self.second_text, self.word
        found = {"base": 1.0, "first": self.score}
        if not text:
            return found | {"vanished": 1.0}
        if self.wins:
            return found | {"won": 1.0}
        confidence = self.second.confidence if self.second else 0.0
        if text != word.text:
            lead = min(max(confidence - word.confidence + 10, 0.0), 30.0)
            return found | {"differs": 1.0, "differs_surer": lead / 10}
        # a doubt of the first reading alone is mostly a flaw of the image
        doubt = min(100 - confidence, 10.0) / 5
        return found | {"again_doubt": doubt, "again_doubt_more": max(90 - confidence, 0.0) / 20}

    @property
    def wins(self) -> bool:
        """Whether the second reading is the better one: one word, surer, of no odder shape."""
        text, second, word = self.second_text, self.second, self.word
        if second is None or not text or text == word.text or len(second.words) != 1:
            return False
        odder = len(shape_of(text).features) > len(shape_of(word.text).features)
        return second.confidence > word.confidence and not odder

    @property
    def final(self) -> Word:
        """The word as the surer reading has it."""
        if self.second is None or not self.wins:
            return self.word
        text, confidence = self.second_text or "", self.second.confidence
        return replace(self.word, text=text, confidence=confidence)


def look_again(
    cells: Sequence[ReadCell], engine: Recogniser, layout: Layout, view: View, dpi: int
) -> tuple[Line, ...]:
    """The lines with every word judged; `dpi` is that of the cut images.

    Raises RecognitionError when the engine fails.
    """
    scale = bundled_doubt_scale()
    return with_verdicts(cells, looks_at(cells, engine, layout, view, dpi, scale), scale)


def looks_at(
    cells: Sequence[ReadCell],
    engine: Recogniser,
    layout: Layout,
    view: View,
    dpi: int,
    scale: DoubtScale,
) -> list[list[Look]]:
    """Every word of the cells that have a line, read again where `scale` asks for it."""
    read = [c for c in cells if c.line is not None]
    # 1 what one reading tells
    looks = first_looks(read, layout, view, scale)
    # 2 read again what is doubtful
    return second_looks(read, looks, engine, view, dpi, scale)


def with_verdicts(
    cells: Sequence[ReadCell], looks: Sequence[Sequence[Look]], scale: DoubtScale
) -> tuple[Line, ...]:
    """The cells' lines with the certainty of each word, flagged where it is too low."""
    lines = [c.line for c in cells if c.line is not None]
    return tuple(
        replace(line, words=tuple(judged(look, scale) for look in of_line))
        for line, of_line in zip(lines, looks, strict=True)
    )


def first_looks(
    read: Sequence[ReadCell], layout: Layout, view: View, scale: DoubtScale
) -> list[list[Look]]:
    """Every word with what speaks for and against it, line by line."""
    lines = [c.line for c in read if c.line is not None]
    told = page_features(lines, dirt_of(layout))
    inked = ink_features(read, layout, view)
    return [
        [
            Look(word, found := of_text | of_ink, scale.first_score(found))
            for word, of_text, of_ink in zip(line.words, texts, inks, strict=True)
        ]
        for line, texts, inks in zip(lines, told, inked, strict=True)
    ]


def second_looks(
    read: Sequence[ReadCell],
    looks: Sequence[Sequence[Look]],
    engine: Recogniser,
    view: View,
    dpi: int,
    scale: DoubtScale,
) -> list[list[Look]]:
    """The looks; those at doubtful words with a second reading. One call of the engine."""
    places = [
        (n, k)
        for n, of_line in enumerate(looks)
        for k, look in enumerate(of_line)
        if certainty_of(look.score) < scale.again and look.word.text.strip(_LEADER)
    ]
    out = [list(of_line) for of_line in looks]
    if not places:
        return out
    images = [_word_image(read[n], looks[n][k].word, view) for n, k in places]
    for (n, k), reading in zip(places, engine.read(images, dpi, LineMode.LINE), strict=True):
        seen = replace(out[n][k], second=reading)
        if not _saw_neighbour(seen, looks[n], k):
            out[n][k] = seen
    return out


def _saw_neighbour(seen: Look, of_line: Sequence[Look], place: int) -> bool:
    """Whether the second reading is of the word beside: then the boxes are off, not the word."""
    text = seen.second_text
    if not text or text == seen.word.text:
        return False
    beside = (k for k in (place - 1, place + 1) if 0 <= k < len(of_line))
    return any(of_line[k].word.text == text for k in beside)


def judged(look: Look, scale: DoubtScale) -> Word:
    """The word as the surer reading has it, with its certainty, flagged where that is too low."""
    score = look.score if look.second is None else scale.second_score(look.second_features)
    certainty = round(certainty_of(score), 2)
    final = look.final
    other = look.word.text if look.wins else look.second_text
    return replace(
        final,
        certainty=certainty,
        doubtful=certainty < scale.threshold,
        alternative=other if other and other != final.text else None,
    )


def dirt_of(layout: Layout) -> float:
    """Specks and scraps that belong to no line, by letter of the page."""
    letters = sum(part.letters for row in layout.rows for part in row)
    scraps = len(layout.owner) - int(np.count_nonzero(layout.owner))
    return scraps / max(letters, 50)


def _word_image(read: ReadCell, word: Word, view: View) -> Grey:
    """The word out of its line's image at full height, smoothed, with white at its sides."""
    start, end = working_span(word, view)
    width = read.image.shape[1]
    left = min(max(0, int(start) - _BESIDE_PX - read.cell.left), width - 1)
    right = max(left + 1, min(width, int(end) + _BESIDE_PX + 1 - read.cell.left))
    padded = cv2.copyMakeBorder(
        read.image[:, left:right], 0, 0, PAD_PX, PAD_PX, cv2.BORDER_CONSTANT, value=(255,)
    )
    return np.asarray(cv2.GaussianBlur(padded, (0, 0), _SMOOTHING_PX), np.uint8)
