"""One citizen's dossier on paper, ten pages, as a counter scans it at 300 dpi.

    first, second, third = journey_papers()    # a request, a decision, a report
    second.pages[0].scan()                     # as it comes out of the feeder
    second.pages[2].scan(blurred=True)         # as it comes when the glass is dirty
    second.says["doc_number"]                  # what people read there, whatever machines do

Three places were smudged after printing: people can read what stands there, a machine should
doubt it. People and numbers are made up.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from tools.samples import blocks
from tools.samples.blocks import Agency, Signer
from tools.samples.degrade import Recipe, compose, official_marks
from tools.samples.fiction import Fiction, Place
from tools.samples.groundtruth import MM_PER_INCH, TruthWord
from tools.samples.layout import Ink, Sheet
from tools.samples.typefaces import FAMILIES

DPI = 300
_FAMILY = FAMILIES["Liberation Serif"]
_PLACE = Place("xã", "Tân Thử", "Mẫu Giang")
_COMMITTEE = Agency(("ỦY BAN NHÂN DÂN", "XÃ TÂN THỬ"), 0, "UBND", "CHỦ TỊCH")
_DIVISION = Agency(("UBND XÃ TÂN THỬ", "PHÒNG KINH TẾ"), 1, "PKT", "TRƯỞNG PHÒNG")
_ROUND_SEAL = "ỦY BAN NHÂN DÂN XÃ TÂN THỬ"


@dataclass(frozen=True)
class Smudge:
    """A wet finger over a part of a word: `begin` and `end` in parts of its width."""

    word: str
    begin: float = 0.0
    end: float = 1.0
    run: float = 1.6
    dirt: float = 0.04


@dataclass(frozen=True)
class PrintedPage:
    """A page of paper."""

    sheet: Sheet
    seed: int
    smudges: tuple[Smudge, ...] = ()
    is_sealed: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        """All that is printed, in its order."""
        return tuple(self.sheet.truth("").text.split())

    def scan(self, *, blurred: bool = False) -> Image.Image:
        """As a scanner sees it."""
        tilt = random.Random(self.seed).uniform(-0.3, 0.3)
        recipe = Recipe(skew_degrees=tilt, blur_px=3.6 if blurred else 0.5)
        ink = self.sheet.draw_ink(DPI).copy()
        words = {word.text: word for line in self.sheet.truth("").lines for word in line.words}
        for smudge in self.smudges:
            _smear(ink, words[smudge.word], smudge, self.seed)
        marks = random.Random(self.seed)
        patches = official_marks(self.sheet, marks, DPI, _ROUND_SEAL) if self.is_sealed else []
        page = compose(ink, patches, recipe, DPI, self.seed)
        return Image.fromarray(np.clip(page, 0, 255).astype(np.uint8))


@dataclass
class PrintedPaper:
    """A paper of the dossier. `says`: its fields by name, as people read them."""

    code: str
    name: str
    pages: list[PrintedPage] = field(default_factory=list)

    @property
    def says(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for page in self.pages:
            for name, value in page.sheet.fields.items():
                values = (value,) if isinstance(value, str) else value
                for number, one in enumerate(values, 1):
                    found[name if number == 1 else f"{name}:{number}"] = one
        return found


def _smear(ink: Ink, word: TruthWord, smudge: Smudge, seed: int) -> None:
    """The ink runs, and specks of dirt lie on it."""
    width = word.right - word.left
    left, top, right, bottom = (
        round(mm * DPI / MM_PER_INCH)
        for mm in (
            word.left + smudge.begin * width,
            word.top - 0.8,
            word.left + smudge.end * width,
            word.bottom + 0.8,
        )
    )
    part = ink[top:bottom, left:right].astype(np.float32)
    grain = np.random.default_rng(seed).random(part.shape).astype(np.float32)
    grain = cv2.GaussianBlur(grain, (0, 0), 1.6)
    dirt = 255 * (grain > np.quantile(grain, 1 - smudge.dirt))
    run = cv2.GaussianBlur(part, (0, 0), smudge.run)
    ink[top:bottom, left:right] = np.clip(0.85 * run + dirt, 0, 255).astype(np.uint8)


def journey_papers() -> tuple[PrintedPaper, PrintedPaper, PrintedPaper]:
    """The dossier: a page, four pages, five pages."""
    request = PrintedPaper("TP-01", "Đơn đề nghị (mẫu)", [PrintedPage(_request(), 1)])
    decision = PrintedPaper(
        "TP-02",
        "Quyết định (mẫu)",
        [
            PrintedPage(_decision(), 2, (Smudge("4127/QĐ-UBND", 0.0, 0.09, run=2.5, dirt=0.1),)),
            PrintedPage(_further(2, _ARTICLES[:2]), 3),
            PrintedPage(_further(3, _ARTICLES[2:4]), 4),
            PrintedPage(
                _signed(4, _ARTICLES[4], Signer((), "CHỦ TỊCH", "Lò Văn Mẫu"), "Như Điều 5"),
                5,
                (Smudge("Văn", run=2.4, dirt=0.06),),
                is_sealed=True,
            ),
        ],
    )
    head = Signer((), "TRƯỞNG PHÒNG", "Vàng Thị Nháp")
    report = PrintedPaper(
        "TP-03",
        "Báo cáo thẩm tra (mẫu)",
        [
            PrintedPage(_report(), 6, (Smudge("12"),)),
            *(PrintedPage(_further(n, [_FACTS[n - 2]]), 5 + n) for n in (2, 3, 4)),
            PrintedPage(_signed(5, "Trên đây là kết quả kiểm tra.", head, "Như trên"), 11),
        ],
    )
    return request, decision, report


_ARTICLES = (
    "Điều 2. Kinh phí thực hiện là 12.500.000 đồng, lấy từ ngân sách xã năm 2026.",
    "Điều 3. Giao Phòng Kinh tế đo đạc, cắm mốc và lập hồ sơ thửa đất.",
    "Điều 4. Văn phòng công bố quyết định này tại trụ sở trong mười ngày.",
    "Bản đồ thửa đất kèm theo là một phần của quyết định này.",
    "Điều 5. Quyết định này có hiệu lực từ ngày ký.",
)
_FACTS = (
    "1. Thửa đất số 127 có diện tích 240 m2, không có tranh chấp.",
    "2. Ranh giới đã cắm mốc, các hộ liền kề đã ký biên bản.",
    "3. Hồ sơ đủ điều kiện cấp giấy chứng nhận.",
)


def _sheet() -> Sheet:
    return Sheet(_FAMILY, 14.0, left=30.0, y=20.0)


def _story(seed: str) -> Fiction:
    story = Fiction(seed, place=_PLACE)
    story.year, story.month, story.day = 2026, 3, 12
    return story


def _further(number: int, texts: Sequence[str]) -> Sheet:
    sheet = _sheet()
    blocks.page_number(sheet, number)
    for text in texts:
        blocks.paragraph(sheet, text)
    return sheet


def _signed(number: int, text: str, signer: Signer, first: str) -> Sheet:
    sheet = _further(number, [text])
    blocks.signature(sheet, signer, [first, "Lưu: VT"])
    return sheet


def _request() -> Sheet:
    sheet = _sheet()
    blocks.plain_header(sheet)
    blocks.title(sheet, "ĐƠN ĐỀ NGHỊ", "Cấp giấy chứng nhận quyền sử dụng đất")
    blocks.addressee(sheet, ["Ủy ban nhân dân xã Tân Thử, tỉnh Mẫu Giang"])
    for line in (
        "Họ và tên: Hoàng Thị Mẫu",
        "Ngày sinh: 02/09/1990",
        "Số căn cước công dân: 000190000017",
        "Nơi thường trú: thôn Nà Mẫu, xã Tân Thử",
    ):
        sheet.text(line, after=1.0)
    blocks.paragraph(sheet, "Tôi đề nghị cấp giấy chứng nhận cho thửa đất số 127, tờ bản đồ số 15.")
    sheet.fields["citizen_number"] = "000190000017"
    return sheet


def _decision() -> Sheet:
    sheet, story = _sheet(), _story("decision")
    blocks.header(sheet, story, _COMMITTEE, number="4127", symbol="QĐ-UBND")
    blocks.title(sheet, "QUYẾT ĐỊNH", "Cấp giấy chứng nhận quyền sử dụng đất", code="QĐ")
    blocks.paragraph(sheet, "Căn cứ Luật Đất đai ngày 18 tháng 01 năm 2024;", italic=True)
    blocks.paragraph(
        sheet,
        "**Điều 1.** Cấp giấy chứng nhận cho bà Hoàng Thị Mẫu, số căn cước công dân 000190000017.",
    )
    return sheet


def _report() -> Sheet:
    sheet, story = _sheet(), _story("report")
    blocks.header(sheet, story, _DIVISION, number="152", symbol="BC-PKT")
    blocks.title(sheet, "BÁO CÁO", "Cấp giấy chứng nhận quyền sử dụng đất", code="BC")
    blocks.addressee(sheet, ["Ủy ban nhân dân xã Tân Thử"])
    blocks.paragraph(sheet, "Thửa đất của bà Hoàng Thị Mẫu, số căn cước công dân 000190000017:")
    return sheet
