"""Forms that citizens and one-stop units use: applications, receipts, lists, minutes."""

from __future__ import annotations

from tools.samples import blocks
from tools.samples.blocks import Signer
from tools.samples.documents import new_sheet, recipients_of
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.typefaces import Family

_APPLICATIONS = (
    ("ĐƠN ĐỀ NGHỊ CẤP GIẤY PHÉP XÂY DỰNG", "(Sử dụng cho công trình nhà ở riêng lẻ)"),
    ("ĐƠN ĐỀ NGHỊ CẤP LẠI GIẤY CHỨNG NHẬN", "(Dùng cho hộ gia đình, cá nhân)"),
    ("ĐƠN XIN XÁC NHẬN TÌNH TRẠNG HÔN NHÂN", "(Dùng để bổ sung hồ sơ)"),
    ("ĐƠN ĐĂNG KÝ BIẾN ĐỘNG ĐẤT ĐAI", "(Theo mẫu số 11/ĐK)"),
    ("ĐƠN ĐỀ NGHỊ HỖ TRỢ SỬA CHỮA NHÀ Ở", "(Dành cho hộ nghèo, hộ cận nghèo)"),
)


def application(story: Fiction, family: Family, *, form: int | None = None) -> list[Sheet]:
    """An application with dot leaders; place and date above the signature."""
    sheet = new_sheet(family, story)
    place = story.place
    blocks.plain_header(sheet)
    name, note = story.rng.choice(_APPLICATIONS) if form is None else _APPLICATIONS[form]
    sheet.text(name, size=14, style="bold", align="center")
    sheet.text(note, size=12.5, style="italic", align="center", after=3.0)
    sheet.fields["abstract"] = name
    blocks.addressee(sheet, [f"{place.organ}, tỉnh {place.province}"])
    person, number = story.person(), story.citizen_number()
    home = f"{story.hamlet()}, {place.kind} {place.commune}, tỉnh {place.province}"
    phone = f"000.0{story.rng.randint(100, 999)}.{story.rng.randint(100, 999)}"
    sheet.text("**1. Thông tin người đề nghị**", indent=0, after=1.0)
    blocks.leader(sheet, f"- Họ và tên: {person}")
    blocks.leader(sheet, f"- Ngày sinh: {story.date_slashes()}")
    blocks.leader(sheet, f"- Số căn cước công dân: {number}")
    blocks.leader(sheet, f"- Nơi thường trú: {home}")
    blocks.leader(sheet, f"- Điện thoại: {phone}")
    sheet.text("**2. Nội dung đề nghị**", after=1.0)
    rng = story.rng
    blocks.leader(
        sheet, f"- Thửa đất số: {rng.randint(1, 400)}; tờ bản đồ số: {rng.randint(1, 90)}"
    )
    area = f"{rng.randint(60, 480)},{rng.randint(1, 9)}"
    blocks.leader(sheet, f"- Diện tích: {area} m2; mục đích sử dụng: đất ở tại nông thôn")
    blocks.leader(sheet, f"- Lý do: {story.matter.topic[:52].rsplit(' ', 1)[0]}")
    blocks.paragraph(sheet, story.facts(1)[0])
    blocks.leader(sheet, "- Ý kiến khác:")
    sheet.text("**3. Giấy tờ kèm theo**", after=1.0)
    papers = ("Bản sao giấy tờ về quyền sử dụng đất;", "Bản vẽ vị trí, 02 bộ;", "Ảnh hiện trạng.")
    for n, paper in enumerate(papers, 1):
        sheet.text(f"{n}. {paper}", left=sheet.left + 6)
    sheet.y += 1.5
    blocks.paragraph(
        sheet,
        "Tôi cam đoan những lời khai trên đây là đúng sự thật và hoàn toàn chịu trách nhiệm trước "
        "pháp luật về nội dung đã khai.",
    )
    signer = Signer((), "NGƯỜI LÀM ĐƠN", person)
    blocks.signature(
        sheet, signer, [], role_note="(Ký, ghi rõ họ tên)",
        dated=f"{place.commune}, {story.issued()}",
    )  # fmt: skip
    sheet.fields["citizen_number"] = (number,)
    sheet.fields["issued_date"] = story.issued_iso()
    sheet.fields["place"] = place.commune
    return [sheet]


def receipt(story: Fiction, family: Family) -> list[Sheet]:
    """A receipt of a dossier with the appointment and a table of papers."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=story.number(), symbol="TNHS")
    name = "GIẤY TIẾP NHẬN HỒ SƠ VÀ HẸN TRẢ KẾT QUẢ"
    rng = story.rng
    sheet.text(name, size=14, style="bold", align="center", after=1.0)
    sheet.fields["abstract"] = name
    code = f"000.00.00.X{rng.randint(0, 99):02d}-{story.year % 100:02d}{story.month:02d}"
    code += f"{story.day:02d}-{rng.randint(1, 9999):04d}"
    sheet.text(f"Mã hồ sơ: {code}", align="center", after=2.0)
    sheet.fields["dossier_code"] = code
    person, number = story.person(), story.citizen_number()
    blocks.paragraph(sheet, f"Bộ phận Một cửa đã tiếp nhận hồ sơ của ông (bà): {person}")
    sheet.text(f"Số căn cước công dân: {number}", indent=10, after=0.8)
    sheet.text(f"Địa chỉ: {story.hamlet()}, {story.place.kind} {story.place.commune}", indent=10,
               after=0.8)  # fmt: skip
    blocks.paragraph(sheet, f"Nội dung yêu cầu giải quyết: {story.matter.topic}.")
    sheet.text("Thành phần hồ sơ nộp gồm:", indent=10, after=2.0)
    rows = [["STT", "Tên giấy tờ", "Bản chính", "Bản sao"]]
    papers = (
        "Đơn đề nghị theo mẫu",
        "Giấy chứng nhận đã cấp (bản gốc)",
        "Tờ khai lệ phí trước bạ và tờ khai thuế thu nhập cá nhân",
        "Văn bản ủy quyền (nếu có)",
        "Sơ đồ vị trí thửa đất có xác nhận của các hộ liền kề",
    )
    for n, paper in enumerate(rng.sample(papers, rng.randint(3, 5)), 1):
        rows.append([str(n), paper, str(rng.randint(0, 2)), str(rng.randint(0, 3))])
    sheet.table(rows, (1, 7, 2, 2), aligns=("center", "left", "center", "center"))
    blocks.paragraph(
        sheet,
        f"Thời gian trả kết quả: {rng.randint(7, 16)} giờ 30 phút, ngày {story.recent()}. "
        f"Lệ phí phải nộp: {story.fill('{money}')} đồng.",
    )
    blocks.side_by_side(
        sheet,
        Signer((), "NGƯỜI NỘP HỒ SƠ", person),
        Signer((), "NGƯỜI TIẾP NHẬN HỒ SƠ", story.person()),
        "(Ký và ghi rõ họ tên)",
    )
    sheet.fields["citizen_number"] = (number,)
    return [sheet]


def roster(story: Fiction, family: Family) -> list[Sheet]:
    """A list of citizens: a dense table of names, dates and citizen numbers."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=None, symbol="")
    abstract = f"Công dân nhận kết quả giải quyết thủ tục hành chính tháng {story.month}"
    sheet.text("DANH SÁCH", size=14, style="bold", align="center")
    abstract = f"{abstract} năm {story.year}"
    sheet.text(abstract, style="bold", align="center", after=3.0)
    sheet.fields["abstract"] = abstract
    rows = [["STT", "Họ và tên", "Ngày sinh", "Số căn cước", "Nơi thường trú"]]
    numbers = []
    for n in range(1, story.rng.randint(12, 21)):
        numbers.append(story.citizen_number())
        rows.append([str(n), story.person(), story.date_slashes(), numbers[-1], story.hamlet()])
    sheet.table(
        rows, (1, 4.4, 2.6, 3.2, 4), size=11.5,
        aligns=("center", "left", "center", "center", "left"),
    )  # fmt: skip
    blocks.side_by_side(
        sheet,
        Signer((), "NGƯỜI LẬP BIỂU", story.person()),
        Signer((), "CHỦ TỊCH", story.person()),
        "(Ký, ghi rõ họ tên)",
    )
    sheet.fields["citizen_number"] = tuple(numbers)
    return [sheet]


def minutes(story: Fiction, family: Family) -> list[Sheet]:
    """BB: minutes with the parties and their citizen numbers."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=story.number(), symbol="BB-UBND")
    blocks.title(sheet, "BIÊN BẢN", f"Kiểm tra hiện trạng và {story.matter.topic}", code="BB")
    blocks.paragraph(
        sheet,
        f"Hôm nay, hồi {story.rng.randint(7, 11)} giờ 15 phút ngày {story.recent()}, tại "
        f"{story.hamlet()}, chúng tôi gồm có:",
    )
    numbers = (story.citizen_number(), story.citizen_number())
    sheet.text("**I. THÀNH PHẦN**", left=sheet.left + 10, after=1.0)
    for n, number in enumerate(numbers, 1):
        blocks.paragraph(
            sheet,
            f"{n}. Ông (bà) {story.person()}, sinh ngày {story.date_slashes()}, số CCCD: {number}, "
            f"trú tại {story.hamlet()}.",
        )
    sheet.text("**II. NỘI DUNG**", left=sheet.left + 10, after=1.0)
    for fact in story.facts(2):
        blocks.paragraph(sheet, fact)
    blocks.points(sheet, story, 2, story.rng.uniform(140, 175))
    blocks.paragraph(
        sheet,
        "Biên bản được lập thành 03 bản có giá trị như nhau, đã đọc lại cho mọi người cùng nghe, "
        "công nhận là đúng và ký tên dưới đây./.",
    )
    blocks.side_by_side(
        sheet,
        Signer((), "NGƯỜI LẬP BIÊN BẢN", story.person()),
        Signer((), "CHỦ TRÌ", story.person()),
        "(Ký, ghi rõ họ tên)",
    )
    sheet.fields["citizen_number"] = numbers
    return [sheet]


def authorization(story: Fiction, family: Family) -> list[Sheet]:
    """GUQ between citizens: no agency header and no number."""
    sheet = new_sheet(family, story)
    place = story.place
    blocks.plain_header(sheet)
    blocks.title(sheet, "GIẤY ỦY QUYỀN", "", code="GUQ")
    sheet.fields["abstract"] = "GIẤY ỦY QUYỀN"
    giver, taker = story.person(), story.person()
    numbers = (story.citizen_number(), story.citizen_number())
    blocks.paragraph(
        sheet,
        f"Hôm nay, {story.issued()}, tại {place.kind} {place.commune}, tỉnh {place.province}, "
        "chúng tôi gồm có:",
    )
    for role, who, number in (("A", giver, numbers[0]), ("B", taker, numbers[1])):
        part = "ỦY QUYỀN" if role == "A" else "ĐƯỢC ỦY QUYỀN"
        sheet.text(f"**BÊN {part} (Bên {role}):**", after=1.0)
        blocks.paragraph(
            sheet,
            f"Ông (bà) {who}, sinh ngày {story.date_slashes()}, số căn cước: {number}, nơi thường "
            f"trú: {story.hamlet()}, {place.kind} {place.commune}.",
        )
    blocks.paragraph(
        sheet,
        "**Điều 1.** Bên A ủy quyền cho Bên B thay mặt mình nộp hồ sơ, bổ sung giấy tờ, nhận kết "
        f"quả về việc {story.matter.topic}.",
    )
    blocks.paragraph(
        sheet,
        f"**Điều 2.** Thời hạn ủy quyền là {story.rng.randint(3, 36)} tháng kể từ ngày ký; bên B "
        "không được ủy quyền lại cho người thứ ba.",
    )
    blocks.paragraph(
        sheet,
        "**Điều 3.** Hai bên cam kết chịu trách nhiệm trước pháp luật về những thông tin đã ghi ở "
        "trên; mọi tranh chấp tự thỏa thuận, nếu không được thì đề nghị Tòa án giải quyết.",
    )
    blocks.side_by_side(
        sheet, Signer((), "BÊN B", taker), Signer((), "BÊN A", giver), "(Ký, ghi rõ họ tên)"
    )
    sheet.fields["citizen_number"] = numbers
    sheet.fields["issued_date"] = story.issued_iso()
    return [sheet]


def introduction(story: Fiction, family: Family) -> list[Sheet]:
    """GGT: a letter of introduction."""
    agency = blocks.committee(story)
    sheet = new_sheet(family, story)
    blocks.header(sheet, story, agency, number=story.number(500), symbol="GGT-UBND")
    blocks.title(sheet, "GIẤY GIỚI THIỆU", "", code="GGT")
    sheet.fields["abstract"] = "GIẤY GIỚI THIỆU"
    number = story.citizen_number()
    blocks.leader(sheet, f"{story.place.organ} trân trọng giới thiệu:", indent=8)
    blocks.leader(sheet, f"Ông (bà): {story.person()}", indent=8)
    blocks.leader(sheet, f"Số căn cước công dân: {number}", indent=8)
    blocks.leader(sheet, "Chức vụ: Công chức Văn phòng - Thống kê", indent=8)
    blocks.leader(sheet, "Được cử đến: Trung tâm Phục vụ hành chính công tỉnh", indent=8)
    blocks.paragraph(sheet, f"Về việc: {story.matter.topic}.")
    blocks.paragraph(sheet, story.tasks(1)[0])
    blocks.paragraph(
        sheet,
        "Đề nghị Quý cơ quan tạo điều kiện để người có tên ở trên hoàn thành nhiệm vụ. Giấy này có "
        f"giá trị đến hết ngày {story.recent()}./.",
    )
    blocks.signature(sheet, blocks.signer_for(story, agency), recipients_of(story))
    sheet.fields["citizen_number"] = (number,)
    return [sheet]
