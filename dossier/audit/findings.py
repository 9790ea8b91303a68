"""What is wrong with a chain, and where: one closed list of findings, in two languages."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from dossier.audit.chain import moment_text
from dossier.errors import ChainBroken
from dossier.model import JSON


class Fault(enum.Enum):
    """Kinds of findings; the value is (code, Vietnamese, English)."""

    UNREADABLE = ("unreadable", "dòng không đọc được", "the line cannot be read")
    EDITED = ("edited", "nội dung mục đã bị sửa", "the entry was edited")
    RELINKED = (
        "relinked",
        "mục đã bị sửa hoặc thay (mắt xích không khớp)",
        "the entry was edited or replaced (its link does not follow)",
    )
    MISSING = ("missing", "thiếu mục", "entries are missing")
    OUT_OF_ORDER = ("out-of-order", "mục đứng sai thứ tự", "the entry is out of order")
    FOREIGN = (
        "foreign",
        "mục của chuỗi khác hoặc số khác",
        "the entry is of another chain or number",
    )
    TRUNCATED = ("truncated", "bản xuất bị cắt cụt", "the export was cut short")
    REWRITTEN = (
        "rewritten",
        "các mục trước điểm niêm phong đã bị viết lại",
        "entries before the sealed head were rewritten",
    )
    HEAD_FORGED = ("head-forged", "điểm niêm phong giả mạo", "the head is forged")
    HEAD_MISSING = ("head-missing", "thiếu điểm niêm phong", "a sealed head is missing")
    WRONG_KEY = (
        "wrong-key",
        "điểm niêm phong ký bằng khóa khác",
        "the head was signed with another key",
    )
    BACKDATED = ("backdated", "thời gian của mục bị lùi", "the entry's time was set back")
    POSTDATED = ("postdated", "thời gian của mục ở tương lai", "the entry's time lies ahead")
    UNEXPLAINED = (
        "unexplained",
        "khóa đã được dùng mà không có lý do",
        "a key was used and nothing says why",
    )
    UNDISCLOSED = (
        "undisclosed",
        "kết quả đã phát hành mà không thấy khóa được dùng",
        "something was published that no recorded use of a key made",
    )

    @property
    def code(self) -> str:
        """The stable name, for machines."""
        return self.value[0]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, at entry `seq` of `chain` (to `until`, if more than one)."""

    fault: Fault
    chain: str
    seq: int
    detail: str = ""
    until: int | None = None
    line: int | None = None  # of the export

    def __str__(self) -> str:
        _, vi, en = self.fault.value
        place = f"{self.chain} {self.seq}"
        if self.until is not None and self.until != self.seq:
            place += f"–{self.until}"
        detail = f" ({self.detail})" if self.detail else ""
        return f"{place}: {vi} / {en}{detail}"

    def to_json(self) -> dict[str, JSON]:
        """For machines."""
        _, vi, en = self.fault.value
        return {
            "code": self.fault.code,
            "chain": self.chain,
            "seq": self.seq,
            "until": self.seq if self.until is None else self.until,
            "line": self.line,
            "detail": self.detail,
            "message": {"vi": vi, "en": en},
        }


class Verdict(enum.Enum):
    """What an audit export is worth."""

    SOUND = "sound"  # nothing is wrong, and a trusted, timestamped head covers it
    UNPROVED = "unproved"  # nothing is wrong, but no such head says so
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of verifying one export. `sealed` is the last entry under a good head."""

    chain: str
    installation: str
    agency: str | None
    exported_at: datetime | None
    entries: int
    disclosed: int  # entries that can be read, the others are digests
    link: str
    heads: int
    sealed: int
    sealed_at: datetime | None
    keys: tuple[str, ...]  # SHA-256 of the certificates that signed heads, in order of use
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """Sound, unproved or broken."""
        if self.findings:
            return Verdict.BROKEN
        return Verdict.SOUND if self.sealed and self.sealed_at is not None else Verdict.UNPROVED

    def __bool__(self) -> NoReturn:
        raise TypeError("ask for .verdict, or call .require_sound()")

    def require_sound(self) -> AuditReport:
        """Itself. Raises `ChainBroken` unless it is sound."""
        if self.verdict is Verdict.SOUND:
            return self
        if self.verdict is Verdict.UNPROVED:
            raise ChainBroken(
                f"Chuỗi “{self.chain}” chưa có điểm niêm phong kèm dấu thời gian nên chưa chứng "
                "minh được; hãy chờ niêm phong rồi xuất lại. / No timestamped head covers the "
                "chain, so nothing is proved; wait for the next head and export again."
            )
        raise ChainBroken(
            f"Nhật ký “{self.chain}” đã bị sửa ở {len(self.findings)} chỗ: {self.findings[0]}. Hãy "
            "giữ nguyên bản xuất và báo đơn vị kiểm tra. / The chain was altered; keep the export "
            "as it is and report it.",
            findings=tuple(map(str, self.findings)),
        )

    def to_json(self) -> dict[str, JSON]:
        """For machines."""
        return {
            "chain": self.chain,
            "installation": self.installation,
            "agency": self.agency,
            "exported_at": self.exported_at and moment_text(self.exported_at),
            "entries": self.entries,
            "disclosed": self.disclosed,
            "link": self.link,
            "heads": self.heads,
            "sealed": self.sealed,
            "sealed_at": self.sealed_at and moment_text(self.sealed_at),
            "keys": list(self.keys),
            "verdict": self.verdict.value,
            "findings": [finding.to_json() for finding in self.findings],
        }
