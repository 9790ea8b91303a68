"""The standing parts of an administrative paper: the cells of NĐ 30/2020, Appendix I.

Cell numbers in the comments are those of the decree's layout diagram: 1 national header,
2 agencies, 3 number and symbol, 4 place and date, 5a type and abstract, 5b abstract of an
official letter, 7 authority, title and name, 9a addressee, 9b recipients.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import Style

COUNTRY = "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM"
MOTTO = "Độc lập - Tự do - Hạnh phúc"


@dataclass(frozen=True, slots=True)
class Agency:
    """Who issues: the lines of cell 2 (parent lines first) and the abbreviation in symbols.

    `split` names the line where the issuing agency begins; a people's committee is one agency
    over two lines, so its split is 0.
    """

    lines: tuple[str, ...]
    split: int
    short: str
    head: str  # title of its head, e.g. CHỦ TỊCH

    @property
    def name(self) -> str:
        """The issuing agency."""
        return " ".join(self.lines[self.split :])

    @property
    def parent(self) -> str:
        """The agency above it; empty for a people's committee or council."""
        return " ".join(self.lines[: self.split])


@dataclass(frozen=True, slots=True)
class Signer:
    """Cell 7: authority lines (TM., KT., TL., TUQ.), title, full name."""

    authority: tuple[str, ...]
    title: str
    name: str


def committee(story: Fiction) -> Agency:
    """The commune's people's committee."""
    place = story.place
    lines = ("ỦY BAN NHÂN DÂN", f"{place.kind.upper()} {place.commune.upper()}")
    return Agency(lines, 0, "UBND", "CHỦ TỊCH")


def council(story: Fiction) -> Agency:
    """The commune's people's council."""
    place = story.place
    lines = ("HỘI ĐỒNG NHÂN DÂN", f"{place.kind.upper()} {place.commune.upper()}")
    return Agency(lines, 0, "HĐND", "CHỦ TỊCH")


def division(story: Fiction) -> Agency:
    """A division of the commune's committee, a provincial department or a service centre."""
    place = story.place
    choice = story.rng.randrange(3)
    if choice == 0:
        above = f"UBND {place.kind.upper()} {place.commune.upper()}"
        return Agency((above, story.matter.unit.upper()), 1, story.matter.code, "TRƯỞNG PHÒNG")
    above = f"UBND TỈNH {place.province.upper()}"
    if choice == 1:
        name, short = story.rng.choice(
            (
                ("SỞ NỘI VỤ", "SNV"),
                ("SỞ TƯ PHÁP", "STP"),
                ("SỞ XÂY DỰNG", "SXD"),
                ("SỞ Y TẾ", "SYT"),
            )
        )
        return Agency((above, name), 1, short, "GIÁM ĐỐC")
    return Agency((above, "TRUNG TÂM PHỤC VỤ", "HÀNH CHÍNH CÔNG"), 1, "TTPVHCC", "GIÁM ĐỐC")


def signer_for(story: Fiction, agency: Agency) -> Signer:
    """A head or somebody in the head's place, as NĐ 30 abbreviates it."""
    name = story.signer_name()
    rng = story.rng
    if agency.short in ("UBND", "HĐND"):
        body = f"TM. {agency.lines[0]}"
        return rng.choice(
            (
                Signer((), agency.head, name),
                Signer((body,), agency.head, name),
                Signer((body, "KT. CHỦ TỊCH"), "PHÓ CHỦ TỊCH", name),
                Signer(("TL. CHỦ TỊCH",), "CHÁNH VĂN PHÒNG", name),
            )
        )
    return rng.choice(
        (
            Signer((), agency.head, name),
            Signer((f"KT. {agency.head}",), f"PHÓ {agency.head}", name),
            Signer((f"TUQ. {agency.head}",), "CHÁNH VĂN PHÒNG", name),
            Signer((), f"Q. {agency.head}", name),
        )
    )


def header(
    sheet: Sheet,
    story: Fiction,
    agency: Agency,
    *,
    number: str | None,
    symbol: str,
    letter_abstract: str = "",
    handwritten: bool = False,
) -> None:
    """Cells 1-4, and 5b when `letter_abstract` is given.

    `number` None leaves out cell 3. With `handwritten` the number and the day and month are
    written by pen into gaps of the print, as clerks do; they are then no printed fields.
    """
    rng = story.rng
    middle = 92.0 + rng.uniform(-2, 2)
    left_edge, right_edge = 22.0, 195.0
    small = rng.choice((12.0, 12.5, 13.0))
    place = f"{story.place.commune}, "
    day, month = f"{story.day:02d}", f"{story.month:02d}" if story.month <= 2 else str(story.month)

    def left() -> None:
        for n, line in enumerate(agency.lines):
            bold = n >= max(agency.split, len(agency.lines) - 1 if agency.split == 0 else 0)
            style: Style = "bold" if bold else "regular"
            ends = sheet.text(
                line, size=small, style=style, align="center", left=left_edge, right=middle,
                fit=True,
            )  # fmt: skip
        width = (ends[1] - ends[0]) * 0.4
        centre = (left_edge + middle) / 2
        sheet.rule(centre - width / 2, centre + width / 2, sheet.y + 0.9)
        sheet.y += 2.2
        if number is not None:
            _number_cell(sheet, number, symbol, left_edge, middle, pen=handwritten)
        if letter_abstract:
            sheet.y += 0.8
            sheet.text(
                letter_abstract, size=12, align="center", left=left_edge + 6, right=middle - 6
            )

    def right() -> None:
        sheet.text(
            COUNTRY,
            size=small,
            style="bold",
            align="center",
            left=middle,
            right=right_edge,
            fit=True,
        )
        ends = sheet.text(
            MOTTO, size=13.5, style="bold", align="center", left=middle, right=right_edge, fit=True
        )
        sheet.rule(ends[0], ends[1], sheet.y + 0.9)
        sheet.y += 3.2
        if handwritten:
            _pen_date(sheet, place, day, month, story.year, middle, right_edge)
        else:
            text = f"{place}{story.issued()}"
            sheet.text(
                text, size=13.5, style="italic", align="center", left=middle, right=right_edge,
                fit=True,
            )  # fmt: skip

    sheet.columns(left, right)
    sheet.y += 4.0
    sheet.fields["agency"] = agency.name
    if agency.parent:
        sheet.fields["parent_agency"] = agency.parent
    sheet.fields["place"] = story.place.commune
    if not handwritten:
        sheet.fields["issued_date"] = story.issued_iso()
    if number is not None:
        sheet.fields["doc_symbol"] = symbol
        if not handwritten:
            sheet.fields["doc_number"] = number


def _number_cell(
    sheet: Sheet, number: str, symbol: str, left: float, right: float, *, pen: bool
) -> None:
    if not pen:
        sheet.text(f"Số: {number}/{symbol}", size=13, align="center", left=left, right=right)
        return
    centre = (left + right) / 2
    top = sheet.y
    sheet.text("Số:", size=13, left=centre - 22, right=centre)
    baseline = sheet.y
    sheet.y = top
    sheet.text(f"/{symbol}", size=13, left=centre + 1, right=right)
    sheet.handwriting(number, centre - 13, baseline - 1.2, 4.6)


def _pen_date(
    sheet: Sheet, place: str, day: str, month: str, year: int, left: float, right: float
) -> None:
    start = left + 6
    top = sheet.y
    for text, x in ((f"{place}ngày", 0.0), ("tháng", 52.0), (f"năm {year}", 73.0)):
        sheet.y = top
        sheet.text(text, size=13.5, style="italic", left=start + x, right=right + 20)
    baseline = sheet.y - 1.2
    sheet.handwriting(day, start + 45, baseline, 4.4)
    sheet.handwriting(month, start + 65, baseline, 4.4)


def plain_header(sheet: Sheet) -> None:
    """Country and motto, centred, as on applications."""
    sheet.text(COUNTRY, size=13, style="bold", align="center")
    ends = sheet.text(MOTTO, size=13.5, style="bold", align="center")
    sheet.rule(ends[0], ends[1], sheet.y + 0.8)
    sheet.y += 5.0


def title(sheet: Sheet, name: str, abstract: str, *, code: str = "") -> None:
    """Cell 5a: the type's name and the abstract."""
    sheet.text(name, size=14, style="bold", align="center", after=0.6)
    if abstract:
        ends = sheet.text(
            abstract, size=13.5, style="bold", align="center", left=sheet.left + 8,
            right=sheet.right - 8,
        )  # fmt: skip
        middle = (ends[0] + ends[1]) / 2
        sheet.rule(middle - 14, middle + 14, sheet.y + 0.9)
        sheet.fields["abstract"] = abstract
    sheet.y += 3.4
    if code:
        sheet.fields["doc_type"] = code


def paragraph(sheet: Sheet, text: str, *, italic: bool = False, after: float = 1.4) -> None:
    """Justified body text with a first-line indent."""
    style: Style = "italic" if italic else "regular"
    sheet.text(text, style=style, align="justify", indent=10.0, after=after)


def points(sheet: Sheet, story: Fiction, least: int, until: float, *, first: int = 1) -> int:
    """Numbered tasks: at least `least`, then more until `until` mm; the next number."""
    n = first
    for task in story.tasks(least + 9):
        if n - first >= least and sheet.y > until:
            break
        paragraph(sheet, f"{n}. {task}")
        n += 1
    return n


def addressee(sheet: Sheet, names: Sequence[str]) -> None:
    """Cell 9a: `Kính gửi`, on one line or as a list."""
    if len(names) == 1:
        sheet.text(f"Kính gửi: {names[0]}", align="center", after=2.2)
        return
    sheet.text("Kính gửi:", left=sheet.left + 24)
    for n, name in enumerate(names):
        end = "." if n == len(names) - 1 else ";"
        sheet.text(f"- {name}{end}", left=sheet.left + 40)
    sheet.y += 2.2


def signature(
    sheet: Sheet,
    signer: Signer,
    recipients: Sequence[str],
    *,
    role_note: str = "",
    dated: str = "",
) -> None:
    """Cells 9b and 7 side by side; remembers where pen and seal go."""
    sheet.y += 3.0
    left_edge, middle, right_edge = sheet.left, sheet.left + 68.0, sheet.right + 5.0
    where: list[float] = []

    def left() -> None:
        if recipients:
            sheet.text("Nơi nhận:", size=12, style="bolditalic", left=left_edge, right=middle)
            for n, name in enumerate(recipients):
                end = "." if n == len(recipients) - 1 else ";"
                sheet.text(f"- {name}{end}", size=11, left=left_edge, right=middle)

    def right() -> None:
        if dated:
            sheet.text(
                dated, size=13, style="italic", align="center", left=middle, right=right_edge,
                fit=True,
            )  # fmt: skip
        for line in signer.authority:
            sheet.text(line, style="bold", align="center", left=middle, right=right_edge)
        sheet.text(signer.title, style="bold", align="center", left=middle, right=right_edge)
        if role_note:
            sheet.text(
                role_note, size=12, style="italic", align="center", left=middle, right=right_edge
            )
        where.append(sheet.y)
        sheet.y += 22.0
        sheet.text(signer.name, style="bold", align="center", left=middle, right=right_edge)

    sheet.columns(left, right)
    sheet.signature_at = ((middle + right_edge) / 2, where[0] + 11.0)
    sheet.fields["signer_name"] = signer.name
    sheet.fields["signer_title"] = signer.title
    if signer.authority:
        sheet.fields["signer_authority"] = " ".join(signer.authority)
    if recipients:
        sheet.fields["recipients"] = tuple(recipients)


def page_number(sheet: Sheet, number: int) -> None:
    """The page number, centred in the top margin; none on page 1."""
    sheet.y = 9.0
    sheet.text(str(number), size=13, align="center")
    sheet.y = 20.0


def leader(sheet: Sheet, text: str, *, size: float | None = None, indent: float = 0.0) -> None:
    """A form line whose rest is filled with dots, as `Họ và tên: Nguyễn Văn Mẫu ........`."""
    size = size or sheet.size_pt
    start = sheet.left + indent
    room = sheet.right - start
    dots = ""
    while sheet.measure(f"{text} {dots}....", size) < room:
        dots += "...."
    line = f"{text} {dots}" if len(dots) >= 8 else text
    sheet.text(line, size=size, left=start, after=0.8)


def side_by_side(sheet: Sheet, left: Signer, right: Signer, note: str) -> None:
    """Two signature columns (forms, minutes); the right one is the signer of record."""
    sheet.y += 3.0
    middle = (sheet.left + sheet.right) / 2
    where: list[float] = []

    def column(who: Signer, x0: float, x1: float) -> None:
        sheet.text(who.title, style="bold", align="center", left=x0, right=x1)
        sheet.text(note, size=12, style="italic", align="center", left=x0, right=x1)
        where.append(sheet.y)
        sheet.y += 20.0
        sheet.text(who.name, style="bold", align="center", left=x0, right=x1)

    sheet.columns(
        lambda: column(left, sheet.left, middle), lambda: column(right, middle, sheet.right)
    )
    sheet.signature_at = ((middle + sheet.right) / 2, where[-1] + 10.0)
    sheet.fields["signer_name"] = right.name
    sheet.fields["signer_title"] = right.title
