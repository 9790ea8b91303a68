"""One page of each of the 27 document types of NĐ 30/2020, official letters, and the three copies.

Field extraction is measured on these. What can be written comes from `types.toml` in two
halves, `tuning` and `unseen`, which share no subject and no agency; so do the fonts. Rules are
tuned on one half and judged on the other. The page sets of `kinds.py`, on which reading is
measured, stay as they are.

Beside the usual fields a copy (Appendix I, Part II of the decree) has copy_form (SY, TrS, SL)
and copy_number, copy_symbol, copy_agency, copy_date, copy_signer of the copying agency.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tools.samples import blocks
from tools.samples.blocks import Agency, Signer
from tools.samples.documents import new_sheet
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import Family

Half = Literal["tuning", "unseen"]
FONTS: Mapping[Half, tuple[str, ...]] = {
    "tuning": ("Liberation Serif", "Tinos", "FreeSerif", "DejaVu Serif", "Arimo"),
    "unseen": ("TeX Gyre Termes", "Noto Serif", "Liberation Sans", "TeX Gyre Termes"),
}
COPIES = {"SY": "SAO Y", "TrS": "TRÍCH SAO", "SL": "SAO LỤC"}
LETTER = "CV"  # stands for an official letter, which has no code in the catalogue


@dataclass(frozen=True, slots=True)
class _Type:
    """A type as `types.toml` has it."""

    code: str
    name: str
    shape: str
    abstracts: tuple[str, ...]


@functools.lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("types.toml").read_text(encoding="utf-8"))


@functools.lru_cache(maxsize=1)
def _types() -> dict[str, _Type]:
    return {
        code: _Type(code, t["name"], t["shape"], tuple(t["abstract"]))
        for code, t in _data()["types"].items()
    }


def codes() -> tuple[str, ...]:
    """All that `paper` can make: the 27 type codes, CV, and SY, TrS, SL."""
    return (*_types(), LETTER, *COPIES)


def paper(code: str, seed: str, half: Half, family: Family) -> Sheet:
    """One page of a type or form of copy; the same arguments give the same page."""
    tale = _Tale(Fiction(f"{half}/{seed}/{code}"), half)
    if code == LETTER:
        return _letter(tale, family)
    if code in COPIES:
        return _copy(tale, family, code)
    kind = _types()[code]
    shapes: dict[str, Callable[[_Tale, Family, _Type], Sheet]] = {
        "articles": _articles,
        "letter": _titled,
        "attached": _attached,
        "agreement": _agreement,
        "slip": _slip,
    }
    return shapes[kind.shape](tale, family, kind)


class _Tale:
    """A story whose subject, agency and sentences come from one half."""

    def __init__(self, story: Fiction, half: Half) -> None:
        self.story = story
        self.rng = story.rng
        self._pool = _data()[half]
        self.topic = str(story.rng.choice(self._pool["topics"]))

    def agency(self) -> Agency:
        place = self.story.place
        raw = self.rng.choice(self._pool["issuers"])
        lines = tuple(
            line.format(
                KIND=place.kind.upper(),
                COMMUNE=place.commune.upper(),
                PROVINCE=place.province.upper(),
            )
            for line in raw["lines"]
        )
        return Agency(lines, raw["split"], raw["short"], raw["head"])

    def facts(self, count: int) -> list[str]:
        return [
            text.format(n=self.rng.randint(20, 900), m=self.rng.randint(2, 19))
            for text in self.rng.sample(self._pool["facts"], count)
        ]

    def abstract(self, kind: _Type) -> str:
        text = self.rng.choice(kind.abstracts)
        return str(text.format(topic=self.topic, year=self.story.year))

    def signer(self, agency: Agency) -> Signer:
        """TM., KT., TL., TUQ. or none, as the agency's kind allows (Appendix I, II.7)."""
        name, head = self.story.person(), agency.head
        deputy = f"PHÓ {head}"
        if agency.short in ("UBND", "HĐND"):
            body = f"TM. {agency.lines[0]}"
            choices = (
                Signer((body,), head, name),
                Signer((body, f"KT. {head}"), deputy, name),
                Signer((f"KT. {head}",), deputy, name),
                Signer((f"TL. {head}",), "CHÁNH VĂN PHÒNG", name),
                Signer((f"TUQ. {head}",), "GIÁM ĐỐC SỞ NỘI VỤ", name),
            )
        else:
            choices = (
                Signer((), head, name),
                Signer((f"KT. {head}",), deputy, name),
                Signer((f"TL. {head}",), "TRƯỞNG PHÒNG HÀNH CHÍNH", name),
                Signer((f"TUQ. {head}",), deputy, name),
                Signer((), f"Q. {head}", name),
            )
        return self.rng.choice(choices)

    def recipients(self) -> list[str]:
        place = self.story.place
        pool = (
            f"UBND tỉnh {place.province} (b/c)",
            "Các thôn, tổ dân phố",
            "Chủ tịch, các Phó Chủ tịch (b/c)",
            "Cổng thông tin điện tử",
            f"Đảng ủy {place.kind} {place.commune}",
        )
        first = self.rng.choice(("Như trên", "Như kính gửi", "Như Điều 3"))
        unit = self.rng.choice(("VP", "HC", "TH", "NV"))
        return [first, *self.rng.sample(pool, self.rng.randint(0, 3)), f"Lưu: VT, {unit}"]

    def symbol(self, code: str, agency: Agency) -> str:
        return f"{code}-{agency.short}"


def _open(
    tale: _Tale, family: Family, agency: Agency, symbol: str, *, letter_abstract: str = ""
) -> Sheet:
    sheet = new_sheet(family, tale.story)
    blocks.header(
        sheet, tale.story, agency, number=tale.story.number(), symbol=symbol,
        letter_abstract=letter_abstract,
    )  # fmt: skip
    return sheet


def _close(tale: _Tale, sheet: Sheet, agency: Agency) -> None:
    blocks.signature(sheet, tale.signer(agency), tale.recipients())


def _head_line(sheet: Sheet, kind: _Type, abstract: str) -> None:
    """Cell 5a; a paper without an abstract is known by its heading."""
    blocks.title(sheet, kind.name, abstract, code=kind.code)
    sheet.fields.setdefault("abstract", kind.name)


def _articles(tale: _Tale, family: Family, kind: _Type) -> Sheet:
    """NQ, QĐ: grounds, then articles. Normative ones carry the year in the symbol."""
    agency = tale.agency()
    if kind.code == "NQ":
        place = tale.story.place
        lines = ("HỘI ĐỒNG NHÂN DÂN", f"{place.kind.upper()} {place.commune.upper()}")
        agency = Agency(lines, 0, "HĐND", "CHỦ TỊCH")
    symbol = tale.symbol(kind.code, agency)
    if tale.rng.random() < 0.3:
        symbol = f"{tale.story.year}/{symbol}"
    sheet = _open(tale, family, agency, symbol)
    _head_line(sheet, kind, tale.abstract(kind))
    if tale.rng.random() < 0.6:
        issuer = agency.name if tale.rng.random() < 0.5 else f"{agency.head} {agency.name}"
        sheet.text(issuer, style="bold", align="center", after=2.0)
    for ground in tale.story.legal(3):
        blocks.paragraph(sheet, ground, italic=True, after=0.8)
    sheet.text(f"{kind.name}:", style="bold", align="center", after=2.0)
    for n, fact in enumerate(tale.facts(3), 1):
        blocks.paragraph(sheet, f"**Điều {n}.** {fact}")
    _close(tale, sheet, agency)
    return sheet


def _titled(tale: _Tale, family: Family, kind: _Type) -> Sheet:
    """A paper with a type name (form 1.4), or a telegram (1.6) with its addressee."""
    agency = tale.agency()
    sheet = _open(tale, family, agency, tale.symbol(kind.code, agency))
    _head_line(sheet, kind, tale.abstract(kind))
    if kind.code == "CĐ":
        sheet.text(f"{agency.name} điện:", style="bold", align="center", after=1.5)
        for name in ("Chủ tịch Ủy ban nhân dân các xã, phường", "Giám đốc các sở, ban, ngành"):
            sheet.text(f"- {name};", left=sheet.left + 24)
        sheet.y += 1.5
    elif kind.code in ("TTr", "HD", "BC") and tale.rng.random() < 0.6:
        blocks.addressee(sheet, [tale.story.place.organ])
    for fact in tale.facts(2):
        blocks.paragraph(sheet, fact)
    for n, fact in enumerate(tale.facts(3), 1):
        blocks.paragraph(sheet, f"{n}. {fact}")
    blocks.paragraph(sheet, f"Trên đây là nội dung {kind.name.lower()}, đề nghị thực hiện./.")
    _close(tale, sheet, agency)
    return sheet


def _attached(tale: _Tale, family: Family, kind: _Type) -> Sheet:
    """QC, QyĐ: issued with a decision (form 1.3), sometimes under a number of their own."""
    agency = tale.agency()
    story = tale.story
    own = tale.rng.random() < 0.5
    sheet = new_sheet(family, story)
    number = story.number() if own else None
    symbol = tale.symbol(kind.code, agency)
    blocks.header(sheet, story, agency, number=number, symbol=symbol)
    _head_line(sheet, kind, tale.abstract(kind))
    if not own:
        blocks_note = (
            f"(Ban hành kèm theo Quyết định số {story.number()}/QĐ-{agency.short} ngày "
            f"{story.recent()} của {agency.name.capitalize()})"
        )
        sheet.text(blocks_note, style="italic", align="center", after=3.0)
    sheet.text("**Chương I**", align="center")
    sheet.text("**QUY ĐỊNH CHUNG**", align="center", after=1.5)
    for n, fact in enumerate(tale.facts(4), 1):
        blocks.paragraph(sheet, f"**Điều {n}.** {fact}")
    _close(tale, sheet, agency)
    return sheet


def _agreement(tale: _Tale, family: Family, kind: _Type) -> Sheet:
    """BB, HĐ, BGN, BTT: two parties sign side by side; contracts may stand without an agency."""
    story = tale.story
    agency = tale.agency()
    centred = kind.code != "BB" and tale.rng.random() < 0.4
    if centred:
        sheet = _centred_agreement(tale, family, kind, agency)
    else:
        sheet = _open(tale, family, agency, tale.symbol(kind.code, agency))
        _head_line(sheet, kind, tale.abstract(kind))
        blocks.paragraph(sheet, f"Căn cứ nhu cầu và khả năng của các bên về {tale.topic};")
    for side in ("A", "B"):
        blocks.paragraph(sheet, f"**Bên {side}:** ông (bà) {story.person()}, chức vụ: đại diện.")
    for n, fact in enumerate(tale.facts(3), 1):
        blocks.paragraph(sheet, f"**Điều {n}.** {fact}")
    titles = ("THƯ KÝ", "CHỦ TRÌ") if kind.code == "BB" else ("ĐẠI DIỆN BÊN B", "ĐẠI DIỆN BÊN A")
    blocks.side_by_side(
        sheet, Signer((), titles[0], story.person()), Signer((), titles[1], story.person()),
        "(Ký, ghi rõ họ tên)",
    )  # fmt: skip
    return sheet


def _centred_agreement(tale: _Tale, family: Family, kind: _Type, agency: Agency) -> Sheet:
    """Country, heading and number below each other; the date in the first sentence."""
    story = tale.story
    sheet = new_sheet(family, story)
    blocks.plain_header(sheet)
    _head_line(sheet, kind, tale.abstract(kind))
    number, symbol = story.number(), tale.symbol(kind.code, agency)
    sheet.text(f"Số: {number}/{symbol}", size=13, align="center", after=2.5)
    place = story.place
    blocks.paragraph(
        sheet, f"Hôm nay, {story.issued()}, tại {place.organ}, chúng tôi gồm có các bên dưới đây:"
    )
    sheet.fields["doc_number"], sheet.fields["doc_symbol"] = number, symbol
    sheet.fields["issued_date"] = story.issued_iso()
    return sheet


def _slip(tale: _Tale, family: Family, kind: _Type) -> Sheet:
    """GUQ, GM, GGT, GNP, PG, PC, PB: short papers with lines to fill in (forms 1.7, 1.8, 1.10)."""
    agency = tale.agency()
    story = tale.story
    sheet = _open(tale, family, agency, tale.symbol(kind.code, agency))
    _head_line(sheet, kind, tale.abstract(kind))
    opening = {
        "GM": f"{agency.name.capitalize()} trân trọng kính mời:",
        "GGT": f"{agency.name.capitalize()} trân trọng giới thiệu:",
        "GNP": "Xét đơn đề nghị nghỉ phép, cơ quan cấp giấy nghỉ phép cho:",
    }.get(kind.code, f"Kính gửi: {story.place.organ}")
    blocks.leader(sheet, opening, indent=8)
    blocks.leader(sheet, f"Ông (bà): {story.person()}", indent=8)
    blocks.leader(sheet, f"Nơi công tác: {story.hamlet()}", indent=8)
    for fact in tale.facts(3):
        blocks.paragraph(sheet, fact)
    blocks.paragraph(sheet, f"Nội dung công việc: {tale.topic}./.")
    _close(tale, sheet, agency)
    return sheet


def _letter(tale: _Tale, family: Family) -> Sheet:
    """An official letter (form 1.5)."""
    agency = tale.agency()
    unit = tale.rng.choice(("VP", "NC", "KSTT", "THVX"))
    abstract = f"V/v {tale.topic}"
    sheet = _open(tale, family, agency, f"{agency.short}-{unit}", letter_abstract=abstract)
    sheet.fields["abstract"] = abstract
    blocks.addressee(sheet, [tale.story.place.organ])
    for fact in tale.facts(4):
        blocks.paragraph(sheet, fact)
    _close(tale, sheet, agency)
    return sheet


def _copy(tale: _Tale, family: Family, form: str) -> Sheet:
    """A copied notice and, below a rule, the copying agency's block (Appendix I, Part II.II).

    The form's name stands where an original has the national header (cell 1 of that layout);
    many offices set it in the middle below a whole second head, and so do some of these.
    """
    story = tale.story
    sheet = _titled_short(tale, family)
    sheet.y += 3.0
    sheet.rule(sheet.left, sheet.right, sheet.y, 0.3)
    sheet.y += 3.0
    original = dict(sheet.fields)
    copier = tale.agency()
    number, symbol = story.number(300), tale.symbol(form, copier)
    story.day, story.month = tale.rng.randint(1, 28), tale.rng.randint(1, 12)
    if tale.rng.random() < 0.3:
        blocks.header(sheet, story, copier, number=number, symbol=symbol)
        sheet.text(COPIES[form], size=14, style="bold", align="center", after=1.0)
    else:
        _copy_head(sheet, story, copier, form, f"Số: {number}/{symbol}")
    signer = tale.signer(copier)
    blocks.signature(sheet, signer, tale.recipients())
    own = {
        "copy_form": form, "copy_number": number, "copy_symbol": symbol,
        "copy_agency": copier.name, "copy_date": story.issued_iso(), "copy_signer": signer.name,
    }  # fmt: skip
    sheet.fields.clear()
    sheet.fields.update(original | own)
    return sheet


def _titled_short(tale: _Tale, family: Family) -> Sheet:
    kind = _types()["TB"]
    agency = tale.agency()
    sheet = _open(tale, family, agency, tale.symbol(kind.code, agency))
    _head_line(sheet, kind, tale.abstract(kind))
    blocks.paragraph(sheet, tale.facts(1)[0])
    blocks.signature(sheet, tale.signer(agency), tale.recipients()[:2])
    return sheet


def _copy_head(sheet: Sheet, story: Fiction, copier: Agency, form: str, number: str) -> None:
    """The copying agency at the left, the form's name at the right, number and date below."""
    middle, left_edge, right_edge = 92.0, 22.0, 195.0

    def left() -> None:
        for n, line in enumerate(copier.lines):
            bold = n >= copier.split
            sheet.text(
                line, size=12.5, style="bold" if bold else "regular", align="center",
                left=left_edge, right=middle, fit=True,
            )  # fmt: skip
        sheet.y += 2.0
        sheet.text(number, size=13, align="center", left=left_edge, right=middle)

    def right() -> None:
        sheet.text(
            COPIES[form], size=14, style="bold", align="center", left=middle, right=right_edge
        )
        sheet.y += 4.5
        sheet.text(
            f"{story.place.commune}, {story.issued()}", size=13.5, style="italic",
            align="center", left=middle, right=right_edge, fit=True,
        )  # fmt: skip

    sheet.columns(left, right)
    sheet.y += 4.0
