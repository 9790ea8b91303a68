"""Where the four signatures of a decision go, and how they look (domain.md 5.8).

All fields are made before the first signature, so that each later one only fills a form and the
first stays valid (S7). Number and date go over their typed blanks, or where the order says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from dossier.clerical.order import Place, SequenceOrder
from dossier.errors import InvalidOrder
from dossier.model import JSON
from signer.sealing.appearance.anchor import PageRows, lines_of, rows_of
from signer.sealing.appearance.blanks import Room, find_date, find_number, given_room
from signer.sealing.appearance.pictures import StampImages
from signer.sealing.appearance.plan import StampFacts, plan_stamp
from signer.sealing.appearance.profiles import AppearanceProfile, BlankPlace, ProfileSet
from signer.sealing.seal import FieldPlan
from signer.sealing.stamp import StampPlan

LEADER, NUMBER, DATE, SEAL = "leader", "number", "date", "seal"
_Finder = Callable[[PageRows, BlankPlace], Room | None]


@dataclass(frozen=True, slots=True)
class ClericalStamps:
    """The stamps of one document, laid out at one time (aware). `document` is read when asked."""

    order: SequenceOrder
    document: Path
    profiles: ProfileSet
    at: datetime

    def field(self, part: str) -> str:
        """The name of a part's signature field, as ``leader-P1``."""
        return f"{part}-{getattr(self.order, f'{part}_profile')}"

    def leader(self, signer: str, images: StampImages | None) -> StampPlan:
        """The authorised person's: centred between title and full name. Raises `ProfileError`."""
        return plan_stamp(
            self.order.leader_profile,
            StampFacts(signer=signer),
            self.at,
            images,
            self.profiles,
            lines=lambda: lines_of(self.document),
        )

    def seal(self, agency: str, images: StampImages | None) -> StampPlan:
        """The agency's: over a third of the leader's. Raises `ProfileError`."""
        return plan_stamp(
            self.order.seal_profile,
            StampFacts(agency=agency),
            self.at,
            images,
            self.profiles,
            over=self.field(LEADER),
        )

    def number(self, number: int) -> StampPlan:
        """The number over its blank. Raises `InvalidOrder`, `ProfileError`."""
        return self.number_room().write_number(number, self._profile(self.order.number_profile))

    def date(self, day: date) -> StampPlan:
        """Day, month and year over their blanks. Raises `InvalidOrder`, `ProfileError`."""
        return self.date_room().write_date(day, self._profile(self.order.date_profile))

    def number_room(self) -> Room:
        """Raises `InvalidOrder` where there is no blank, or another symbol behind it."""
        room = self._room(
            self.order.number_place,
            self.order.number_profile,
            find_number,
            ("number_place", "“Số:      /ký hiệu”"),
        )
        if room.symbol and not room.symbol.startswith(self.order.symbol):
            raise InvalidOrder(
                f"Văn bản in ký hiệu “{room.symbol}”, yêu cầu nêu “{self.order.symbol}”; hãy sửa "
                "một trong hai. / The document is typed with another symbol than the order's; "
                "correct one of them.",
                field="symbol",
            )
        return room

    def date_room(self) -> Room:
        """Raises `InvalidOrder` where there is no blank."""
        return self._room(
            self.order.date_place,
            self.order.date_profile,
            find_date,
            ("date_place", "“ngày    tháng    năm”"),
        )

    def facts(self) -> dict[str, JSON]:
        """What is typed of the date already, which a date that is given has to agree with."""
        return {"typed_date": [slot.typed for slot in self.date_room().slots]}

    def fields(self, leader: StampPlan, seal: StampPlan) -> Sequence[FieldPlan]:
        """All four fields, empty, in the order in which they will be filled."""
        return (
            FieldPlan(self.field(LEADER), leader),
            FieldPlan(self.field(NUMBER), self.number_room().empty()),
            FieldPlan(self.field(DATE), self.date_room().empty()),
            FieldPlan(self.field(SEAL), seal),
        )

    def _profile(self, profile_id: str) -> AppearanceProfile:
        return self.profiles.get(profile_id, self.at.date())

    def _room(
        self, given: Place | None, profile_id: str, find: _Finder, missing: tuple[str, str]
    ) -> Room:
        if given is not None:
            rows = rows_of(self.document, given.page - 1)
            return given_room(rows.page_index, rows.page, given.rect)
        place = self._profile(profile_id).place
        room = find(rows_of(self.document), place) if isinstance(place, BlankPlace) else None
        if room is None:
            name, pattern = missing
            raise InvalidOrder(
                f"Không thấy chỗ trống {pattern} ở đầu trang 1; hãy nêu {name} gồm page và rect "
                "[x0, y0, x1, y1] (điểm, gốc dưới trái), hoặc chừa chỗ trống trong văn bản. / No "
                f"blank {pattern} was found at the head of page 1; give {name} with page and rect "
                "[x0, y0, x1, y1] in points from the lower left, or leave a blank in the document.",
                field=name,
            )
        return room
