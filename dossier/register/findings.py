"""What is wrong with a register, and where: one closed list of findings, in two languages."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from dossier.model import JSON


class Fault(enum.Enum):
    """Kinds of findings; the value is (code, Vietnamese, English)."""

    OTHER_LOG = ("other-log", "của sổ đăng ký khác", "it is of another log")
    KEY_CHANGED = (
        "key-changed",
        "hai điểm niêm phong ký bằng hai khóa khác nhau",
        "the two checkpoints are signed by different keys",
    )
    SHRUNK = (
        "shrunk",
        "điểm niêm phong mới có ít mục hơn điểm cũ",
        "the newer checkpoint has fewer entries than the older one",
    )
    UNREADABLE = ("unreadable", "dòng hoặc mục không đọc được", "it cannot be read")
    MISSING = ("missing", "thiếu mục", "entries are missing")
    OUT_OF_ORDER = ("out-of-order", "mục đứng sai thứ tự", "it is out of order")
    TRUNCATED = ("truncated", "bản sao bị cắt cụt", "the copy was cut short")
    REWRITTEN = (
        "rewritten",
        "các mục trước điểm niêm phong cũ đã bị viết lại",
        "entries before the older checkpoint were removed, altered or reordered",
    )
    DIFFERENT = (
        "different",
        "các mục không khớp điểm niêm phong mới",
        "the entries are not those of the newer checkpoint",
    )
    ALTERED = ("altered", "mục khác với bản đã giữ", "the entry differs from the one that was kept")
    REMOVED = ("removed", "mục đã giữ không còn", "an entry that was kept is gone")
    REORDERED = ("reordered", "mục đã giữ nay ở chỗ khác", "an entry that was kept has moved")
    BACKDATED = ("backdated", "thời gian của mục bị lùi", "the entry's time was set back")
    POSTDATED = ("postdated", "thời gian của mục ở tương lai", "the entry's time lies ahead")
    ISSUED_TWICE = ("issued-twice", "một mã được cấp hai lần", "one code was issued twice")
    NUMBER_TWICE = (
        "number-twice",
        "một số văn bản được cấp hai lần mà không có thay thế",
        "one decision number was issued twice and nothing superseded",
    )
    NEVER_ISSUED = (
        "never-issued",
        "sự kiện của kết quả chưa từng phát hành",
        "it is about a result that was never issued",
    )

    @property
    def code(self) -> str:
        """The stable name, for machines."""
        return self.value[0]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at entry `index` (None: of the log as a whole)."""

    fault: Fault
    index: int | None = None
    detail: str = ""

    def __str__(self) -> str:
        _, vi, en = self.fault.value
        place = "" if self.index is None else f"{self.index}: "
        detail = f" ({self.detail})" if self.detail else ""
        return f"{place}{vi} / {en}{detail}"

    def to_json(self) -> dict[str, JSON]:
        """For machines."""
        _, vi, en = self.fault.value
        return {
            "code": self.fault.code,
            "index": self.index,
            "vi": vi,
            "en": en,
            "detail": self.detail,
        }


class Verdict(enum.StrEnum):
    """What an audit comes to."""

    SOUND = "sound"
    UNPROVED = "unproved"  # nothing is wrong, but the copy does not lead to both checkpoints
    BROKEN = "broken"


MOST_FINDINGS = 1000
"""More are counted, not listed."""


@dataclass(frozen=True, slots=True)
class RegisterReport:
    """What an audit of a copy found. `entries` were read whole, `hashes` as hashes only."""

    origin: str
    old_size: int | None
    new_size: int
    entries: int
    hashes: int
    findings: tuple[Finding, ...]
    more: int = 0  # findings that are not listed
    unproved: tuple[str, ...] = field(default_factory=tuple)

    @property
    def verdict(self) -> Verdict:
        """Sound only when everything was shown to be."""
        if self.findings:
            return Verdict.BROKEN
        return Verdict.UNPROVED if self.unproved else Verdict.SOUND

    def to_json(self) -> dict[str, JSON]:
        """For machines."""
        return {
            "verdict": self.verdict.value,
            "origin": self.origin,
            "old_size": self.old_size,
            "new_size": self.new_size,
            "entries": self.entries,
            "hashes": self.hashes,
            "findings": [finding.to_json() for finding in self.findings],
            "more_findings": self.more,
            "unproved": list(self.unproved),
        }
