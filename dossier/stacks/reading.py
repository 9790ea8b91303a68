"""Everything that was learnt of one scanned page, kept as a blob; its image need not be opened.

data = reading.to_bytes()            # equal readings give equal bytes
reading = PageReading.from_bytes(data)
reading.page.lines                   # words, boxes in pixels of the upright page
reading.quality                      # `ocr.quality`, held to the profile of the stack's order
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from dossier.errors import StoreError
from dossier.intake.page_trace import PageTrace
from dossier.model import JSON
from dossier.stacks.plainvalues import packed, unpacked
from ocr.fields.card_reading import CardReading
from ocr.page import Box, PageFault, QuarterTurns, RecognisedPage
from ocr.quality.findings import Code, PageQuality, Severity
from ocr.reading.recognise import EngineInfo
from ocr.separators.blanks import BlankLook
from ocr.separators.patch_codes import PatchCode

VERSION = 1
"""Of the form. Entries may come, none may change its meaning without another number."""

NOWHERE = Path()
"""The path of images in a stored reading: they are taken from the scan again when needed."""

_BADGES = {
    Code.LOW_RESOLUTION: "N",
    Code.DPI_IMPLAUSIBLE: "N",
    Code.WRONG_ORIENTATION: "X",
    Code.LOW_CONFIDENCE: "?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageReading:
    """One page of a scan as the machine read it.

    `page` has the source's SHA-256 for a name, its number in its file, and no path to any image.
    `codes` are the payloads of the QR codes on it, octet by octet. `trace` is None where it could
    not be made. `pen`: boxes of words in blue ink (`FieldCollector.take`). `printed_number`: the
    digits in the middle of the top. `machine_turns` are the quarter turns that the machine found;
    `page.turns` differs from them when a person said otherwise and the page was read again.
    `key` names file, page and settings (`dossier.stacks.page_work`).
    """

    page: RecognisedPage
    codes: tuple[bytes, ...] = ()
    patches: frozenset[PatchCode] = frozenset()
    blank: BlankLook | None = None
    trace: PageTrace | None = None
    card: CardReading | None = None
    pen: frozenset[Box] = frozenset()
    printed_number: int | None = None
    machine_turns: QuarterTurns = 0
    engine: EngineInfo | None = None
    key: str = ""
    version: int = VERSION

    def to_bytes(self) -> bytes:
        """As it is stored."""
        kept = replace(self.page.image.kept, path=NOWHERE)
        image = replace(self.page.image, kept=kept)
        return packed(replace(self, page=replace(self.page, image=image, compact=None)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what `to_bytes` wrote. Raises `StoreError`."""
        found = unpacked(cls, data)
        if found.version > VERSION:
            raise StoreError(
                "Bản đọc trang do phiên bản mới hơn ghi; hãy cập nhật chương trình. / The page's "
                "reading was written by a newer version; update the program."
            )
        return found

    @property
    def quality(self) -> PageQuality | None:
        """What is wrong with the image; None where it could not be looked at."""
        return self.page.quality

    @property
    def fault(self) -> PageFault | None:
        """Why there is no text."""
        return self.page.fault

    @property
    def is_blank(self) -> bool:
        """Whether nothing was written, stamped or printed on it."""
        return self.blank is not None and self.blank.blank

    @property
    def word_count(self) -> int:
        """Words that were read."""
        return sum(len(line.words) for line in self.page.lines)

    @property
    def doubtful_count(self) -> int:
        """Words that a person has to look at."""
        return len(self.page.doubtful_words)

    def summary(self) -> dict[str, JSON]:
        """What the strip of pages shows (`stack_pages.summary`): plain numbers and badges.

        Badges: T blank, N low resolution, X turned, ? read with doubt, ! something is wrong with
        the image, P a patch code. `findings` are those of the image, the
        gravest first; any of severity `block` asks for another scan.
        """
        page = self.page
        return {
            "key": self.key,
            "width_px": page.width_px,
            "height_px": page.height_px,
            "dpi": [round(d, 1) for d in page.dpi],
            "turns": self.machine_turns,
            "words": self.word_count,
            "doubtful": self.doubtful_count,
            "confidence": round(page.confidence, 1),
            "blank": self.is_blank,
            "printed_number": self.printed_number,
            "patches": sorted(self.patches),
            "codes": len(self.codes),
            "card": self.card is not None,
            "fault": None if page.fault is None else _fault(page.fault),
            "badges": list(self._badges()),
            "findings": [
                {"code": f.code.value, "severity": f.severity.value, "vi": f.vi, "en": f.en}
                for f in (page.quality.findings if page.quality is not None else ())
            ],
        }

    def _badges(self) -> Sequence[str]:
        badges = ["T"] if self.is_blank else []
        for finding in self.page.quality.findings if self.page.quality is not None else ():
            if finding.severity is not Severity.NOTE:
                badges.append(_BADGES.get(finding.code, "!"))
        if self.page.fault is not None:
            badges.append("!")
        badges += ["P"] if self.patches else []
        return tuple(dict.fromkeys(badges))


def _fault(fault: PageFault) -> dict[str, JSON]:
    return {"kind": fault.kind, "message": fault.message}
