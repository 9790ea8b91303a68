"""What the operator is told of a stack: alarms, as the table `stacks` keeps them."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from dossier.intake.alarms import Alarm
from dossier.model import JSON


class StationAlarm(enum.StrEnum):
    """Alarms beside those of splitting (`dossier.intake.alarms.AlarmKind`)."""

    ANNOUNCED_COUNT = "announced-count"
    FAULTY_PAGE = "faulty-page"
    POOR_IMAGE = "poor-image"
    PLACE_GONE = "place-gone"


_WORDS = {
    StationAlarm.ANNOUNCED_COUNT: (
        "Trạm quét báo {expected} trang, nhận được {found}; hãy đếm lại tập giấy và quét bổ sung.",
        "The station announced {expected} pages, {found} came; count the paper, scan what is "
        "missing.",
    ),
    StationAlarm.FAULTY_PAGE: (
        "Có trang máy không đọc được; hãy xem ảnh, quét lại nếu ảnh hỏng.",
        "There are pages that the machine cannot read; look at them, scan again what is damaged.",
    ),
    StationAlarm.POOR_IMAGE: (
        "Ảnh không đạt yêu cầu ({found}); hãy quét lại các trang này.",
        "The images do not do ({found}); scan these pages again.",
    ),
    StationAlarm.PLACE_GONE: (
        "Trang quét lại không còn chỗ để đặt vào nên được để riêng; hãy đưa vào đúng giấy tờ.",
        "The place of a page that was scanned again is gone, so it is set aside; put it into its "
        "paper.",
    ),
}


@dataclass(frozen=True, slots=True)
class StackAlarm:
    """One alarm: `kind` is of one of the two enumerations; pages and paper are ids."""

    kind: str
    vi: str
    en: str
    pages: tuple[str, ...] = ()
    paper: str | None = None
    expected: str = ""
    found: str = ""

    @classmethod
    def of(cls, alarm: Alarm, pages: Sequence[str], papers: Sequence[str]) -> Self:
        """An alarm of splitting, with ids for its positions."""
        vi, _, en = alarm.message.partition(" / ")
        paper = None if alarm.document is None else papers[alarm.document]
        about = tuple(pages[position] for position in alarm.pages)
        return cls(alarm.kind.value, vi, en, about, paper, alarm.expected, alarm.found)

    @classmethod
    def at_station(
        cls,
        kind: StationAlarm,
        pages: Iterable[str] = (),
        paper: str | None = None,
        expected: str = "",
        found: str = "",
    ) -> Self:
        """An alarm of the station."""
        vi, en = (text.format(expected=expected, found=found) for text in _WORDS[kind])
        return cls(kind.value, vi, en, tuple(pages), paper, expected, found)

    def to_json(self) -> dict[str, JSON]:
        """Stable keys."""
        return {
            "kind": self.kind,
            "vi": self.vi,
            "en": self.en,
            "pages": list(self.pages),
            "paper": self.paper,
            "expected": self.expected,
            "found": self.found,
        }

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> Self:
        """Read what `to_json` wrote."""
        return cls(**{**entries, "pages": tuple(entries["pages"])})
