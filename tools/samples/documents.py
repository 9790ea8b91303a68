"""The papers: one function a kind, each giving its pages with ground truth.

`KINDS` lists them. The type codes are those of NĐ 30/2020, Appendix III (QĐ decision,
NQ resolution, CT directive, TTr submission, BC report, TB notice, KH plan, BB minutes, GM
invitation, GGT introduction, GUQ authorization, HD guidance, SY copy); an official letter has
none. Applications, receipts and lists are forms outside the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.samples import blocks
from tools.samples.blocks import Agency, Signer
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import Family

Builder = Callable[[Fiction, Family], list[Sheet]]


def new_sheet(family: Family, story: Fiction) -> Sheet:
    wide = "Sans" in family.name or "DejaVu" in family.name or family.name == "Noto Serif"
    size = 12.0 if wide else story.rng.choice((13.0, 13.5, 13.5, 14.0))
    left = story.rng.choice((28.0, 30.0, 30.0, 32.0))
    return Sheet(family, size, left=left, y=story.rng.uniform(17.0, 22.0))


def recipients_of(story: Fiction, first: str = "Như trên") -> list[str]:
    place = story.place
    pool = [
        f"Thường trực Đảng ủy {place.kind} (b/c)",
        f"UBND tỉnh {place.province} (b/c)",
        "Trung tâm Phục vụ hành chính công",
        "Các thôn, tổ dân phố",
        "Đài Truyền thanh cơ sở",
        "Chủ tịch, các Phó Chủ tịch",
    ]
    keep = story.rng.sample(pool, story.rng.randint(1, 3))
    return [first, *keep, f"Lưu: VT, {story.matter.code}"]


def _topic(story: Fiction) -> str:
    return story.matter.topic


def decision(story: Fiction, family: Family, *, handwritten: bool = False) -> list[Sheet]:
    """QĐ, two pages: grounds and first articles, then the rest and the signature."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(
        sheet, story, agency, number=story.number(), symbol="QĐ-UBND", handwritten=handwritten
    )
    blocks.title(sheet, "QUYẾT ĐỊNH", f"Về việc {_topic(story)} năm {story.year}", code="QĐ")
    name = agency.name if story.rng.random() < 0.5 else f"CHỦ TỊCH {agency.name}"
    sheet.text(name, style="bold", align="center", after=2.0)
    for ground in story.legal(4):
        blocks.paragraph(sheet, ground, italic=True, after=0.8)
    blocks.paragraph(
        sheet,
        f"Theo đề nghị của Trưởng {story.matter.unit} tại Tờ trình số {story.number()}/TTr-"
        f"{story.matter.code} ngày {story.recent()}.",
        italic=True,
        after=2.0,
    )
    sheet.text("QUYẾT ĐỊNH:", style="bold", align="center", after=2.0)
    task = story.tasks(1)[0]
    blocks.paragraph(
        sheet,
        f"**Điều 1.** Phê duyệt kèm theo Quyết định này Phương án {_topic(story)} trên địa bàn "
        f"{story.place.kind} {story.place.commune}, tỉnh {story.place.province}, gồm những nội "
        "dung chủ yếu sau đây:",
    )
    following = blocks.points(sheet, story, 2, story.rng.uniform(225, 245))
    second = new_sheet(family, story)
    second.size_pt, second.left = sheet.size_pt, sheet.left
    blocks.page_number(second, 2)
    blocks.points(second, story, 1, story.rng.uniform(40, 90), first=following)
    money = story.fill("{money}")
    blocks.paragraph(
        second,
        f"**Điều 2.** Kinh phí thực hiện là {money} đồng, bố trí từ nguồn sự nghiệp của ngân sách "
        "địa phương và các nguồn hợp pháp khác; việc quản lý, sử dụng và quyết toán theo quy định "
        "hiện hành.",
    )
    blocks.paragraph(
        second,
        f"**Điều 3.** Giao {story.matter.unit} chủ trì, phối hợp với các đơn vị liên quan tổ chức "
        f"thực hiện; {task[0].lower()}{task[1:]}",
    )
    blocks.paragraph(second, f"**Điều 4.** {story.closing()}")
    blocks.paragraph(
        second,
        f"**Điều 5.** Chánh Văn phòng, Trưởng {story.matter.unit}, Trưởng các thôn và các tổ chức, "
        "cá nhân có liên quan chịu trách nhiệm thi hành Quyết định này./.",
    )
    blocks.signature(second, blocks.signer_for(story, agency), recipients_of(story, "Như Điều 5"))
    return [sheet, second]


def _titled(
    story: Fiction,
    family: Family,
    agency: Agency,
    code: str,
    name: str,
    abstract: str,
    to: list[str],
    opening: str,
    closing: str,
    *,
    points: int = 4,
    year_in_symbol: bool = False,
) -> list[Sheet]:
    """A one-page letter with a type name: opening, facts, numbered points, closing."""
    sheet = new_sheet(family, story)
    number = story.number()
    symbol = f"{story.year}/{code}-{agency.short}" if year_in_symbol else f"{code}-{agency.short}"
    blocks.header(sheet, story, agency, number=number, symbol=symbol)
    blocks.title(sheet, name, abstract, code=code)
    if to:
        blocks.addressee(sheet, to)
    blocks.paragraph(sheet, opening)
    for fact in story.facts(3 if points > 1 else 1):
        blocks.paragraph(sheet, fact)
    blocks.points(sheet, story, points, story.rng.uniform(150, 195) if points > 1 else 0.0)
    blocks.paragraph(sheet, closing)
    blocks.signature(sheet, blocks.signer_for(story, agency), recipients_of(story))
    return [sheet]


def report(story: Fiction, family: Family) -> list[Sheet]:
    """BC."""
    period = story.rng.choice(("6 tháng đầu năm", "quý III năm", "9 tháng đầu năm", "năm"))
    return _titled(
        story,
        family,
        blocks.division(story) if story.rng.random() < 0.5 else blocks.committee(story),
        "BC",
        "BÁO CÁO",
        f"Kết quả {_topic(story)} {period} {story.year}",
        [],
        f"Thực hiện chế độ báo cáo định kỳ, đơn vị báo cáo kết quả {_topic(story)} như sau:",
        "Trên đây là báo cáo kết quả thực hiện, kính đề nghị cấp có thẩm quyền xem xét, chỉ đạo./.",
    )


def notice(story: Fiction, family: Family) -> list[Sheet]:
    """TB, sometimes with the citizen number of the people concerned."""
    pages = _titled(
        story,
        family,
        blocks.committee(story),
        "TB",
        "THÔNG BÁO",
        f"Về việc niêm yết công khai hồ sơ {_topic(story)}",
        [],
        f"{story.place.organ} thông báo để các tổ chức, cá nhân trên địa bàn được biết và thực "
        "hiện những nội dung sau:",
        "Mọi ý kiến phản ánh xin gửi về Bộ phận Một cửa trong giờ hành chính./.",
        points=3,
    )
    return pages


def plan(story: Fiction, family: Family) -> list[Sheet]:
    """KH with a table of work."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=story.number(), symbol="KH-UBND")
    blocks.title(sheet, "KẾ HOẠCH", f"{_capital(_topic(story))} năm {story.year}", code="KH")
    blocks.paragraph(sheet, f"{story.legal(1)[0][:-1]}, {story.place.organ} ban hành Kế hoạch:")
    sheet.text("**I. MỤC ĐÍCH, YÊU CẦU**", left=sheet.left + 10, after=1.0)
    for n, fact in enumerate(story.facts(2), 1):
        blocks.paragraph(sheet, f"{n}. {fact}")
    sheet.text("**II. PHÂN CÔNG NHIỆM VỤ**", left=sheet.left + 10, after=2.0)
    rows = [["STT", "Nội dung công việc", "Đơn vị chủ trì", "Thời hạn"]]
    for n, task in enumerate(story.tasks(story.rng.randint(4, 6)), 1):
        rows.append([str(n), task.split(";")[0].rstrip("."), story.matter.unit, _short(story)])
    sheet.table(rows, (1, 7, 4, 2.4), size=11.5, aligns=("center", "left", "left", "center"))
    blocks.paragraph(sheet, "Trên đây là Kế hoạch, yêu cầu các đơn vị nghiêm túc thực hiện./.")
    blocks.signature(sheet, blocks.signer_for(story, agency), recipients_of(story))
    return [sheet]


def submission(story: Fiction, family: Family) -> list[Sheet]:
    """TTr: a submission letter with a table of members."""
    agency = blocks.division(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=story.number(), symbol=f"TTr-{agency.short}")
    blocks.title(sheet, "TỜ TRÌNH", f"Về việc {_topic(story)}", code="TTr")
    blocks.addressee(sheet, [f"Chủ tịch {story.place.organ}"])
    for fact in story.facts(3):
        blocks.paragraph(sheet, fact)
    blocks.paragraph(
        sheet, f"{agency.name.capitalize()} kính trình cấp có thẩm quyền xem xét, phê duyệt dự "
        "toán và danh sách cán bộ tham gia như sau:", after=2.2,
    )  # fmt: skip
    rows = [["STT", "Họ và tên", "Chức vụ", "Số ngày", "Thành tiền (đồng)"]]
    roles = ["Trưởng phòng", "Phó Trưởng phòng", "Chuyên viên", "Văn thư", "Kế toán"]
    for n in range(1, story.rng.randint(5, 9)):
        money = f"{story.rng.randint(1, 9)}.{story.rng.randint(10, 98) * 10}.000"
        rows.append([str(n), story.person(), story.rng.choice(roles), story.fill("{n2}"), money])
    sheet.table(rows, (1, 4.6, 3.6, 1.8, 3.4), aligns=("center", "left", "left", "center", "right"))
    for task in story.tasks(2):
        blocks.paragraph(sheet, task)
    blocks.paragraph(sheet, "Kính trình cấp có thẩm quyền xem xét, quyết định./.")
    blocks.signature(sheet, blocks.signer_for(story, agency), recipients_of(story))
    return [sheet]


def official_letter(story: Fiction, family: Family) -> list[Sheet]:
    """An official letter: no type name, abstract after `V/v` under the number."""
    agency = blocks.division(story) if story.rng.random() < 0.6 else blocks.committee(story)
    sheet = new_sheet(family, story)
    symbol = f"{agency.short}-{story.matter.code}"
    abstract = f"V/v {_topic(story)}"
    blocks.header(
        sheet, story, agency, number=story.number(), symbol=symbol, letter_abstract=abstract
    )
    sheet.fields["abstract"] = abstract
    blocks.addressee(
        sheet,
        ["Trưởng các thôn, tổ dân phố", "Hiệu trưởng các trường học", "Trạm Y tế"]
        if story.rng.random() < 0.6
        else [story.place.organ],
    )
    blocks.paragraph(
        sheet,
        f"Thực hiện ý kiến chỉ đạo tại Công văn số {story.number()}/UBND-VP ngày "
        f"{story.recent()} về {_topic(story)}, đơn vị đề nghị triển khai các nội dung sau:",
    )
    blocks.points(sheet, story, 3, story.rng.uniform(130, 175))
    blocks.paragraph(sheet, story.facts(1)[0])
    blocks.paragraph(
        sheet,
        f"Quá trình thực hiện nếu có vướng mắc, liên hệ ông {story.person()}, điện thoại "
        f"000.0{story.rng.randint(100, 999)}.{story.rng.randint(100, 999)}./.",
    )
    blocks.signature(sheet, blocks.signer_for(story, agency), recipients_of(story))
    return [sheet]


def resolution(story: Fiction, family: Family) -> list[Sheet]:
    """NQ of a people's council; the symbol may carry the year."""
    agency = blocks.council(story)
    return _titled(
        story,
        family,
        agency,
        "NQ",
        "NGHỊ QUYẾT",
        f"Về {_topic(story)}",
        [],
        f"{agency.lines[0].capitalize()} {story.place.kind} {story.place.commune} khóa II, kỳ họp "
        f"thứ {story.rng.randint(2, 19)}; xét Tờ trình số {story.number()}/TTr-UBND; sau khi thảo "
        "luận, quyết nghị:",
        f"Nghị quyết này được thông qua ngày {story.recent()} và có hiệu lực từ ngày ký./.",
        points=3,
        year_in_symbol=story.rng.random() < 0.4,
    )


def directive(story: Fiction, family: Family) -> list[Sheet]:
    """CT."""
    return _titled(
        story,
        family,
        blocks.committee(story),
        "CT",
        "CHỈ THỊ",
        f"Về tăng cường {_topic(story)}",
        [],
        "Thời gian qua, công tác này đã đạt một số kết quả tích cực; tuy nhiên, việc tổ chức thực "
        "hiện ở một vài nơi còn chậm.",
        "Yêu cầu thủ trưởng các đơn vị nghiêm túc thực hiện Chỉ thị này./.",
        points=4,
    )


def guidance(story: Fiction, family: Family) -> list[Sheet]:
    """HD."""
    return _titled(
        story,
        family,
        blocks.division(story),
        "HD",
        "HƯỚNG DẪN",
        _capital(_topic(story)),
        ["Các đơn vị trực thuộc", "Trưởng các thôn, tổ dân phố"],
        "Để thống nhất trong quá trình thực hiện, đơn vị hướng dẫn một số nội dung cụ thể như sau:",
        "Đề nghị các đơn vị phản ánh kịp thời những khó khăn để được hướng dẫn bổ sung./.",
        points=3,
    )


def invitation(story: Fiction, family: Family) -> list[Sheet]:
    """GM."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=story.number(400), symbol="GM-UBND")
    blocks.title(sheet, "GIẤY MỜI", f"Họp về {_topic(story)}", code="GM")
    blocks.paragraph(sheet, f"{story.place.organ} trân trọng kính mời: Ông (bà) {story.person()}.")
    blocks.paragraph(sheet, f"Tới dự buổi họp bàn về {_topic(story)}.")
    blocks.paragraph(sheet, f"Chủ trì: Đồng chí {story.person()}, Phó Chủ tịch.")
    hour, minute = story.rng.randint(7, 16), story.rng.choice(("00", "15", "30", "45"))
    blocks.paragraph(sheet, f"Thời gian: {hour} giờ {minute} phút, thứ Hai, ngày {story.recent()}.")
    blocks.paragraph(sheet, "Địa điểm: Phòng họp số 2, tầng 3, trụ sở Ủy ban nhân dân.")
    blocks.paragraph(sheet, f"Nội dung chuẩn bị: {story.tasks(1)[0]}")
    blocks.paragraph(sheet, story.facts(1)[0])
    blocks.paragraph(sheet, "Rất mong ông (bà) sắp xếp công việc, đến dự đúng giờ./.")
    blocks.signature(sheet, blocks.signer_for(story, agency), recipients_of(story))
    return [sheet]


def copy_certified(story: Fiction, family: Family) -> list[Sheet]:
    """A paper copy (SAO Y): a short notice, then the copying agency's own block below a line."""
    sheet = _titled(
        story,
        family,
        blocks.committee(story),
        "TB",
        "THÔNG BÁO",
        f"Về {_topic(story)}",
        [],
        "Nay thông báo để nhân dân được biết và cùng thực hiện.",
        "Thông báo này thay cho giấy mời họp thôn./.",
        points=1,
    )[0]
    sheet.y += 4.0
    sheet.rule(sheet.left, sheet.right, sheet.y, 0.3)
    sheet.y += 2.0
    keep = dict(sheet.fields)
    copier = blocks.division(story)
    number = story.number(300)
    blocks.header(sheet, story, copier, number=number, symbol=f"SY-{copier.short}")
    sheet.text("SAO Y", size=14, style="bold", align="center", after=1.0)
    signer = Signer(("TL. " + copier.head,), "CHÁNH VĂN PHÒNG", story.person())
    blocks.signature(sheet, signer, [])
    sheet.fields.clear()
    sheet.fields.update(keep)
    sheet.fields |= {
        "copy_form": "SY",
        "copy_number": number,
        "copy_symbol": f"SY-{copier.short}",
        "copy_agency": copier.name,
        "copy_date": story.issued_iso(),
        "copy_signer": signer.name,
    }
    return [sheet]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _short(story: Fiction) -> str:
    return f"{story.day:02d}/{story.month:02d}/{story.year}"
