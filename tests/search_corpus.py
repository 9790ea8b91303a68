"""Pages as an office has them, made up and cheap: what 100,000 pages are searched in.

Two thirds are decisions, so that the commonest question has the most answers; each has a number
of its own, a person's name, formulas of administration, and syllables strewn in. One page in fifty
was written without marks. The same seed gives the same pages.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import sqlalchemy as sa

from dossier.search.folding import tokens
from dossier.search.values import packed
from dossier.storage.database import Database
from dossier.storage.tables import search_documents, search_pages
from tests.search_pages import AGENCY, NEIGHBOUR, page_of

PAGES_OF_DOCUMENT = 4
_AT_ONCE = 1000
_MADE_AT = datetime(2026, 1, 5, tzinfo=UTC)
_FORMULAS = """
Căn cứ Luật Tổ chức chính quyền địa phương
theo đề nghị của Trưởng phòng
Điều 1. Cấp giấy phép xây dựng cho
Điều 2. Quyết định này có hiệu lực kể từ ngày ký
chịu trách nhiệm thi hành
cộng hòa xã hội chủ nghĩa việt nam
độc lập tự do hạnh phúc
nơi nhận lưu văn thư
người nộp hồ sơ
thửa đất số
tờ bản đồ số
địa chỉ thường trú tại khu Đ lô
số điện thoại liên hệ
giấy chứng nhận quyền sử dụng đất
đăng ký kinh doanh
trích lục khai sinh
xác nhận tình trạng hôn nhân
hộ khẩu thường trú
biên bản kiểm tra hiện trạng
ý kiến thẩm định của cơ quan chuyên môn
thời hạn giải quyết
phiếu tiếp nhận hồ sơ và hẹn trả kết quả
bộ phận tiếp nhận và trả kết quả
lệ phí theo quy định
công chức tư pháp hộ tịch
ủy ban nhân dân xã
chủ tịch ủy ban nhân dân
văn phòng đăng ký
quyết toán kinh phí năm
định mức chi thường xuyên
kế hoạch đầu tư công trung hạn
báo cáo kết quả thực hiện nhiệm vụ
hội đồng nhân dân khóa
thông báo kết luận cuộc họp
đơn vị sự nghiệp công lập
hợp đồng lao động
bảo hiểm xã hội
chế độ ưu đãi người có công
trợ cấp xã hội hằng tháng
vệ sinh an toàn thực phẩm
phòng cháy chữa cháy
đường giao thông nông thôn
"""
_SURNAMES = "Nguyễn Trần Lê Phạm Hoàng Huỳnh Phan Vũ Võ Đặng Bùi Đỗ Hồ Ngô Dương Lý"
_MIDDLE = "Văn Thị Đức Hữu Minh Thanh Ngọc Quang Xuân Kim"
_GIVEN = (
    "Mẫu Thử An Bình Chi Dũng Giang Hà Hạnh Hùng Hương Khánh Lan Linh Long Mai Nam Nga Oanh Phúc "
    "Quý Sơn Tâm Thảo Tuấn Uyên Vinh Yến"
)
_ONSETS = "b c ch d đ g gi h kh l m n ng nh ph qu r s t th tr v x"
_RHYMES = (
    "a à á ả ã ạ ai ài ái an àn án ang àng áng anh ành ao ào áo âm ân âu ay ây en èn em êm ên ênh "
    "iên iền iến in inh oa òa oan oàn om on ong òng óng ô ồ ố ôi ồi ốn ơi ơn u ù ú ung ùng úng uôn "
    "uyên uyền uyết ư ừ ứ ưng ương ường ưởng ượng"
)
_KINDS = (("QĐ", "QUYẾT ĐỊNH"),) * 4 + (("TB", "THÔNG BÁO"), ("BC", "BÁO CÁO"))
_OFFICES = ("UBND", "HĐND", "SNV", "STP", "SXD")


class Corpus:
    """Texts of pages, endlessly. `number_of(n)` is printed on the page `n` alone."""

    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        syllables = [onset + rhyme for onset in _ONSETS.split() for rhyme in _RHYMES.split()]
        self._random.shuffle(syllables)
        self.syllables = syllables
        self._formulas = _FORMULAS.strip().splitlines()
        # a few are everywhere, most are rare, as words are (Zipf)
        self._weights = list(accumulate(1 / (rank + 5) for rank in range(len(syllables))))

    def number_of(self, n: int) -> str:
        """Number and symbol of page `n`."""
        return f"{n + 1}/{_KINDS[n % len(_KINDS)][0]}-{_OFFICES[n % len(_OFFICES)]}"

    def text(self, n: int) -> str:
        """The text of page `n`; ask for the pages in their order."""
        draw = self._random
        person = _person(draw)
        parts = ["Số:", self.number_of(n), _KINDS[n % len(_KINDS)][1], "Về việc"]
        strewn = draw.choices(self.syllables, cum_weights=self._weights, k=90)
        for place, formula in enumerate(draw.choices(self._formulas, k=18)):
            parts += [formula, *strewn[5 * place : 5 * place + 5], str(draw.randrange(1, 400))]
        parts += ["ông bà", person, f"ngày {draw.randrange(1, 29)} tháng {draw.randrange(1, 13)}"]
        text = " ".join(parts)
        return text if n % 50 else " ".join(t.folded for w in text.split() for t in tokens(w))


def fill(database: Database, corpus: Corpus, count: int) -> dict[str, Any]:
    """Put `count` pages into the tables; nine of ten are `AGENCY`'s. Rebuild the index afterwards.

    By whole rows: `SearchIndex.put` would take the time of ten scanners' month.
    """
    words = 0
    for first in range(0, count, _AT_ONCE):
        pages = []
        documents = []
        for n in range(first, min(first + _AT_ONCE, count)):
            document, number = divmod(n, PAGES_OF_DOCUMENT)
            if number == 0:
                documents.append(_document(document))
            page = page_of(corpus.text(n), number + 1)
            words += len(page.words)
            pages.append(
                {
                    "id": (document << 13 | 8191) - number,
                    "document_id": f"dig_{document:026d}",
                    "page": number + 1,
                    "width_px": page.width_px,
                    "height_px": page.height_px,
                    "words": packed(page.words),
                }
            )
        with database.begin() as connection:
            connection.execute(sa.insert(search_documents), documents)
            connection.execute(sa.insert(search_pages), pages)
    return {"pages": count, "words_a_page": round(words / count)}


def agency_of(n: int) -> str:
    """Whose page `n` is."""
    return NEIGHBOUR if n // PAGES_OF_DOCUMENT % 10 == 9 else AGENCY


def _person(draw: random.Random) -> str:
    return " ".join(draw.choice(names.split()) for names in (_SURNAMES, _MIDDLE, _GIVEN))


def _document(number: int) -> dict[str, Any]:
    return {
        "id": f"dig_{number:026d}",
        "agency_id": agency_of(number * PAGES_OF_DOCUMENT),
        "title": f"Văn bản mẫu {number}",
        "dossier_code": f"H22.12-260301-{number:05d}",
        "component_code": "KQ.01",
        "indexed_at": _MADE_AT,
    }


def questions(corpus: Corpus, pages: int, count: int) -> Iterator[tuple[str, str]]:
    """(kind, words), `count` of each kind, of what officers look for."""
    draw = random.Random(2)
    common = ("quyết định", "giấy phép", "chủ tịch", "ủy ban nhân dân", "đường", "hộ khẩu")
    for _ in range(count):
        number = corpus.number_of(draw.randrange(0, pages))
        person = _person(draw)
        marked = draw.choice(common)
        rare = " ".join(draw.choices(corpus.syllables[-800:], k=2))
        yield "decision, no marks: quyet dinh", "quyet dinh"
        yield "decision, marks: quyết định", "quyết định"
        yield "one letter: d", "d"
        yield "common words, marks", marked
        yield "common words, no marks", plain(marked)
        yield "common words apart", plain(f"{marked} {draw.choice(common)} {draw.randrange(400)}")
        yield "number and symbol, marks", number
        yield "number and symbol, no marks", unmarked(number)
        yield "name, marks", f'"{person}"'
        yield "name, no marks", plain(person)
        yield "rare syllables", plain(rare)
        yield "nothing to be found", "quyet dinh khongcotrongkho"


def unmarked(number: str) -> str:
    """Number and symbol as somebody types them who has no marks: ``123/qd-ubnd``."""
    return plain(number).replace(" ", "/", 1).replace(" ", "-")


def plain(text: str) -> str:
    """The words without their marks."""
    return " ".join(token.folded for token in tokens(text))
