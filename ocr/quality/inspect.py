"""All measures of a page together: `inspect_page`. Read it from top to bottom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ocr.page import Box, RecognisedPage
from ocr.quality.colour import fingers, red_seal
from ocr.quality.findings import Code, Finding, PageQuality, Place
from ocr.quality.focus import blur
from ocr.quality.geometry import (
    colour_channels,
    cut_edges,
    letter_height_mm,
    likely_dpi,
    scale_percent,
)
from ocr.quality.light import bleed_through, shadow
from ocr.quality.picture import MM_PER_INCH, reduced
from ocr.quality.profiles import Profile
from ocr.quality.sentences import finding
from ocr.reading.raster import Raster

_DOUBTFUL_WORD = 70.0  # confidence below which a word is shown
_SHOWN = 40  # places of one finding: more would cover the page
_SMALLEST_PX = 60  # of the small picture's sides, 20 mm: an identity card has 150
_FEW_LETTERS = 40  # fewer say nothing of a page's confidence


def inspect_page(page: RecognisedPage, raster: Raster, profile: Profile) -> PageQuality:
    """Everything that is wrong with a page, the gravest first.

    `raster` is the kept image's pixels (not turned), `page` what was read of it. About 50 ms of
    CPU a 300-dpi page. Missing seals are decided for a whole paper: `missing_seal`.
    """
    picture = reduced(raster, page.image.dpi, page.turns)
    whole = (picture.whole,)
    found = _Findings(profile)
    # 1 what the file says of itself
    channels = colour_channels(picture)
    found.add(Code.LOW_RESOLUTION, min(page.dpi), whole)
    found.add(Code.NOT_COLOUR, channels, whole)
    turned_by = 90 * ((page.turns - page.image.exif_turns) % 4)
    found.add(Code.WRONG_ORIENTATION, turned_by, whole)
    if min(picture.small.shape[:2]) < _SMALLEST_PX:  # a strip or a speck: no page
        return PageQuality(
            profile.id, picture.page_mm, channels == 3, None, tuple(found.by_severity())
        )
    # 2 the sheet; what the file says of its resolution is held to paper and letters
    letters = None if page.blank else letter_height_mm(picture)
    likely = likely_dpi(page.dpi[1], picture.page_mm, letters, profile.papers)
    if likely is not None:
        found.add(Code.DPI_IMPLAUSIBLE, 100 * abs(page.dpi[1] / likely - 1), whole)
    else:  # where the resolution is wrong, the scale is too
        scale = scale_percent(picture, profile.papers)
        if scale is not None:
            found.add(Code.SCALED, abs(scale[0] - 100), (scale[1],))
    found.add(Code.SKEWED, abs(page.skew_degrees), whole)
    found.add(Code.CUT_EDGE, *cut_edges(picture))
    # 3 light and what lies on the glass
    covered, at, mask = fingers(picture)
    found.add(Code.FINGER, covered, at)
    found.add(Code.SHADOW, *shadow(picture, mask))
    if not page.blank:
        spread, where = blur(picture)
        real = page.dpi[1] / (likely or page.dpi[1])
        # blurred print has pale edges, which look like a back's
        if not found.add(Code.BLURRED, spread * real, where):
            found.add(Code.BLEED_THROUGH, *bleed_through(picture))
    # 4 what was read
    if not page.blank:
        _add_confidence(found, page)
    seal = red_seal(picture) if channels == 3 else None
    return PageQuality(profile.id, picture.page_mm, channels == 3, seal, tuple(found.by_severity()))


def missing_seal(pages: Sequence[PageQuality], profile: Profile) -> Finding | None:
    """The finding that an original bears no red seal on any of its pages, or None.

    For papers that must be sealed originals; whoever knows the paper asks. Its place is the
    whole last page, where the seal belongs. Pages without colour cannot show a seal: they are
    found for that, and not for this too.
    """
    if not pages or not all(page.has_colour for page in pages):
        return None
    largest = max((page.seal.diameter_mm for page in pages if page.seal), default=0.0)
    found = _Findings(profile)
    found.add(Code.SEAL_MISSING, largest, (Place(0.0, 0.0, *pages[-1].page_mm),))
    return next(iter(found.by_severity()), None)


class _Findings:
    """Collects what crosses a threshold."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._found: list[Finding] = []

    def add(self, code: Code, value: float, places: tuple[Place, ...]) -> bool:
        """Whether it crossed one."""
        threshold = self._profile.crossed(code, value)
        if threshold is None or not places:
            return False
        self._found.append(finding(code, value, threshold, places))
        return True

    def by_severity(self) -> Iterable[Finding]:
        return sorted(self._found, key=lambda f: f.severity.rank)


def _add_confidence(found: _Findings, page: RecognisedPage) -> None:
    words = [w for line in page.lines for w in line.words]
    if page.fault is not None or sum(len(w.text) for w in words) < _FEW_LETTERS:
        return
    doubtful = sorted(
        (w for w in words if w.confidence < _DOUBTFUL_WORD), key=lambda w: w.confidence
    )
    places = tuple(_place(w.box, page.dpi) for w in doubtful[:_SHOWN])
    found.add(
        Code.LOW_CONFIDENCE,
        page.confidence,
        places
        or (Place(0.0, 0.0, *(_mm(page.width_px, page.dpi[0]), _mm(page.height_px, page.dpi[1]))),),
    )


def _place(box: Box, dpi: tuple[float, float]) -> Place:
    return Place(
        _mm(box.left, dpi[0]), _mm(box.top, dpi[1]), _mm(box.right, dpi[0]), _mm(box.bottom, dpi[1])
    )


def _mm(pixels: float, dpi: float) -> float:
    return pixels / dpi * MM_PER_INCH
