"""What is found out about a printout: values, JSON, and a sentence in two languages."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from signer.clock import VIETNAM
from signer.proofcode import ProofClaims


class CodeStatus(enum.StrEnum):
    """What the code on the paper is worth."""

    GENUINE = "genuine"
    EXPIRED = "expired"  # genuine, and its validity is over
    FORGED = "forged"
    UNKNOWN_KEY = "unknown-key"
    NO_PROOF = "no-proof"  # there is a code, but none of an issued result
    NOT_FOUND = "not-found"


class Verdict(enum.StrEnum):
    """The answer as a whole."""

    CODE_GENUINE = "code-genuine"
    """The code holds; the words on the paper were not compared with the original."""
    SAME = "same"
    DIFFERS = "differs"
    CANNOT_SAY = "cannot-say"


class Finding(enum.StrEnum):
    """What is found at a place."""

    CHANGED = "changed"
    ADDED = "added"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Place:
    """A place where the paper is not, or not surely, like the original.

    `box_mm` is left, top, right, bottom from the upper left of the page; `expected` and `read`
    are the words there, None where nothing can be read.
    """

    page: int
    box_mm: tuple[float, float, float, float]
    finding: Finding
    expected: str | None
    read: str | None

    def to_json(self) -> dict[str, Any]:
        """As `docs/printout.md` describes it."""
        return {
            "page": self.page,
            "box_mm": [round(side, 1) for side in self.box_mm],
            "finding": self.finding.value,
            "expected": self.expected,
            "read": self.read,
        }


@dataclass(frozen=True, slots=True)
class ComparedPage:
    """One page of the paper against the original's page `page` (from 1; None: none is like it)."""

    photo_page: int
    page: int | None
    verdict: Verdict
    words: int = 0
    agreement: float = 0.0
    places: tuple[Place, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As `docs/printout.md` describes it."""
        return {
            "photo_page": self.photo_page,
            "page": self.page,
            "verdict": self.verdict.value,
            "words": self.words,
            "agreement": round(self.agreement, 3),
            "places": [place.to_json() for place in self.places],
        }


@dataclass(frozen=True, slots=True)
class CodeFinding:
    """The code that was read. `claims` are proved when `status` is genuine or expired."""

    status: CodeStatus
    claims: ProofClaims | None = None
    key_subject: str | None = None
    host: str | None = None
    message: str | None = None

    @property
    def is_proved(self) -> bool:
        """Whether the claims are the agency's word."""
        return self.status in (CodeStatus.GENUINE, CodeStatus.EXPIRED)

    def to_json(self) -> dict[str, Any]:
        """As `docs/printout.md` describes it."""
        return {
            "status": self.status.value,
            "claims": None if self.claims is None else _claims_json(self.claims),
            "key": self.key_subject,
            "lookup_host": self.host,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class PrintoutReport:
    """Everything about one printout. `same_code`: whether the record bears the paper's code."""

    code: CodeFinding
    same_code: bool | None = None
    pages: tuple[ComparedPage, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """A forged code or one changed word decides; what is not known is not claimed."""
        if self.code.status is CodeStatus.FORGED or self.same_code is False:
            return Verdict.DIFFERS
        verdicts = [page.verdict for page in self.pages]
        if Verdict.DIFFERS in verdicts:
            return Verdict.DIFFERS
        if not self.code.is_proved or any(v is not Verdict.SAME for v in verdicts):
            return Verdict.CANNOT_SAY
        return Verdict.SAME if verdicts else Verdict.CODE_GENUINE

    @property
    def places(self) -> Iterator[Place]:
        """Every place of every page."""
        return (place for page in self.pages for place in page.places)

    @property
    def sentence(self) -> tuple[str, str]:
        """Vietnamese and English."""
        if self.verdict is Verdict.DIFFERS:
            if self.code.status is CodeStatus.FORGED:
                return _SENTENCES["forged"]
            if self.same_code is False:
                return _SENTENCES["other-record"]
        if self.verdict is Verdict.CANNOT_SAY and not self.code.is_proved:
            return _SENTENCES[self.code.status.value]
        if self.verdict is Verdict.CODE_GENUINE and self.code.status is CodeStatus.EXPIRED:
            return _SENTENCES["expired"]
        return _SENTENCES[self.verdict.value]

    def to_json(self) -> dict[str, Any]:
        """As `docs/printout.md` describes it."""
        vi, en = self.sentence
        return {
            "verdict": self.verdict.value,
            "sentence": {"vi": vi, "en": en},
            "code": self.code.to_json(),
            "same_code": self.same_code,
            "pages": [page.to_json() for page in self.pages],
        }


def _claims_json(claims: ProofClaims) -> dict[str, Any]:
    until = claims.valid_until
    return {
        "issuer": claims.issuer,
        "code": claims.code,
        "number": claims.number,
        "decided_on": claims.decided_on.isoformat() if claims.decided_on else None,
        "holder": claims.holder,
        "source_sha256": claims.digest.hex(),
        "issued_at": claims.issued_at.astimezone(VIETNAM).isoformat(),
        "valid_until": until.astimezone(VIETNAM).isoformat() if until else None,
    }


_SENTENCES = {
    "code-genuine": (
        "Mã trên bản in là thật. Mã chỉ xác nhận những gì mã ghi; hãy so các dòng dưới đây với bản "
        "in, hoặc đối chiếu với bản gốc.",
        "The code on the printout is genuine. It vouches for what it says itself: compare the "
        "lines below with the paper, or have the paper compared with the original.",
    ),
    "same": (
        "Mã là thật và bản in khớp với bản gốc.",
        "The code is genuine and the printout is like the original.",
    ),
    "differs": (
        "Bản in KHÁC bản gốc tại những chỗ nêu dưới đây; đừng tin nội dung trên giấy.",
        "The printout DIFFERS from the original at the places below; do not trust the paper.",
    ),
    "cannot-say": (
        "Mã là thật, nhưng ảnh không đủ rõ để kết luận bản in có khớp bản gốc hay không; hãy quét "
        "lại ở 200 dpi trở lên.",
        "The code is genuine, but the image does not allow to say whether the printout is like the "
        "original; scan it again at 200 dpi or more.",
    ),
    "forged": (
        "Mã trên bản in là GIẢ hoặc đã bị sửa; đừng tin bản in này.",
        "The code on the printout is FORGED or was altered; do not trust this printout.",
    ),
    "other-record": (
        "Mã trên bản in KHÔNG phải mã của bản gốc đưa ra đối chiếu.",
        "The code on the printout is NOT that of the original it was compared with.",
    ),
    "expired": (
        "Mã trên bản in là thật nhưng kết quả đã hết thời hạn ghi trong mã.",
        "The code on the printout is genuine, but the validity that it states is over.",
    ),
    "unknown-key": (
        "Mã do một khóa chưa được tin cậy ký; chưa xác định được.",
        "The code is signed with a key that is not trusted here; nothing can be said.",
    ),
    "no-proof": (
        "Mã QR trên ảnh không phải mã xác thực kết quả; chưa xác định được.",
        "The QR code in the image is no proof of an issued result; nothing can be said.",
    ),
    "not-found": (
        "Không đọc được mã QR nào trong ảnh; hãy chụp thẳng, đủ sáng, cả trang giấy.",
        "No QR code could be read in the image; photograph the whole page straight and well lit.",
    ),
}
