"""What can be wrong with a stack, each with its words for the operator."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class AlarmKind(enum.StrEnum):
    """Every alarm that splitting raises."""

    PAGE_COUNT = "page-count"
    GAP = "gap"
    DUPLICATE_PAGE = "duplicate-page"
    ATTACHED_NOTE = "attached-note"
    UNDIVIDED = "undivided"
    PAGES_BEFORE_SHEET = "pages-before-sheet"
    OTHER_STATION = "other-station"
    OTHER_AGENCY = "other-agency"
    EXPIRED_SHEET = "expired-sheet"
    NOT_YET_VALID = "not-yet-valid"
    FORGED_SHEET = "forged-sheet"
    UNKNOWN_KEY = "unknown-key"
    REPEATED_SHEET = "repeated-sheet"
    SEVERAL_SHEETS = "several-sheets"


_WORDS = {
    AlarmKind.PAGE_COUNT: (
        "Số trang khác với tờ bìa: cần {expected}, có {found}; kiểm tra trang thiếu hoặc thừa.",
        "The number of pages differs from the cover sheet: {expected} expected, {found} found; "
        "look for a missing or a surplus page.",
    ),
    AlarmKind.GAP: (
        "Thiếu mặt giấy giữa các trang này; hãy quét lại tờ đó.",
        "A side is missing between these pages; scan that sheet again.",
    ),
    AlarmKind.DUPLICATE_PAGE: (
        "Một trang được quét hai lần; bỏ một ảnh hoặc xác nhận cả hai.",
        "One page was scanned twice; take one image out, or confirm both.",
    ),
    AlarmKind.ATTACHED_NOTE: (
        "Hai ảnh của một trang, một ảnh có giấy ghi chú; chọn ảnh làm trang, giữ ảnh kia.",
        "Two images of one page, one with an attached note; choose which is the page, keep the "
        "other.",
    ),
    AlarmKind.UNDIVIDED: (
        "Chưa chia được tập giấy thành các thành phần hồ sơ; hãy chia bằng tay.",
        "The papers could not be divided into the dossier's components; divide them by hand.",
    ),
    AlarmKind.PAGES_BEFORE_SHEET: (
        "Có trang nằm trước tờ bìa đầu tiên; hãy gán vào hồ sơ.",
        "There are pages before the first cover sheet; assign them to a dossier.",
    ),
    AlarmKind.OTHER_STATION: (
        "Tờ bìa của quầy khác ({found}); lấy ra, kiểm tra các trang sau nó.",
        "The cover sheet is another station's ({found}); take it out, check the pages behind it.",
    ),
    AlarmKind.OTHER_AGENCY: (
        "Tờ bìa của cơ quan khác ({found}); lấy ra, kiểm tra các trang sau nó.",
        "The cover sheet is another agency's ({found}); take it out, check the pages behind it.",
    ),
    AlarmKind.EXPIRED_SHEET: (
        "Tờ bìa đã hết hạn ({found}); in tờ mới rồi quét lại hồ sơ.",
        "The cover sheet has expired ({found}); print a new one and scan the dossier again.",
    ),
    AlarmKind.NOT_YET_VALID: (
        "Tờ bìa ghi thời điểm lập ở tương lai ({found}); kiểm tra đồng hồ máy.",
        "The cover sheet says it was made in the future ({found}); check the clocks.",
    ),
    AlarmKind.FORGED_SHEET: (
        "Chữ ký trên tờ bìa không đúng; tờ này không tách hồ sơ. Báo người phụ trách.",
        "The signature of the cover sheet does not hold; it splits nothing. Tell the person in "
        "charge.",
    ),
    AlarmKind.UNKNOWN_KEY: (
        "Tờ bìa do khóa lạ ký; tờ này không tách hồ sơ. In lại tờ bìa tại hệ thống này.",
        "The cover sheet is signed with an unknown key; it splits nothing. Print it again here.",
    ),
    AlarmKind.REPEATED_SHEET: (
        "Tờ bìa này đã được quét; kiểm tra xem giấy tờ có đúng hồ sơ không.",
        "This cover sheet was scanned before; check whether the papers belong to its dossier.",
    ),
    AlarmKind.SEVERAL_SHEETS: (
        "Một trang mang nhiều mã tờ bìa khác nhau; trang này không tách hồ sơ.",
        "A page bears the codes of several cover sheets; it splits nothing.",
    ),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: the pages it is about (positions in the stack), and its document, if any.

    `expected` and `found` are what the words name: numbers of pages, a station, a time.
    """

    kind: AlarmKind
    pages: tuple[int, ...]
    document: int | None = None
    expected: str = ""
    found: str = ""

    @property
    def message(self) -> str:
        """What to do, Vietnamese and English."""
        vietnamese, english = _WORDS[self.kind]
        values = {"expected": self.expected, "found": self.found}
        return f"{vietnamese.format(**values)} / {english.format(**values)}"
