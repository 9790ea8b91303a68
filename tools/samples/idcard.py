"""A photocopy of an identity card: wholly invented, with a QR of the invented data.

The QR holds number||name|date of birth|sex|address|date of issue, the order of the chip card's
own code. The portrait is a grey silhouette and a line says that it is a specimen.
"""

from __future__ import annotations

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tools.samples.blocks import COUNTRY, MOTTO
from tools.samples.fiction import Fiction
from tools.samples.layout import Sheet
from tools.samples.marks import Coverage, Patch
from tools.samples.typefaces import FAMILIES, Family

CARD_WIDTH_MM, CARD_HEIGHT_MM = 85.6, 54.0  # ID-1 of ISO/IEC 7810
_QR_MM = 13.0
_TINT = (168, 214, 232)
_GREY = (90, 96, 104)
_KIND = "CĂN CƯỚC CÔNG DÂN"


def card_sheet(
    story: Fiction, holder: str, number: str, *, left: float = 62.0, top: float = 48.0
) -> tuple[Sheet, str]:
    """The card's print on an A4 sheet, and the text of its QR."""
    name = holder.upper()
    family: Family = FAMILIES["Liberation Sans"]
    sheet = Sheet(family, 6.5, left=left + 27.0, right=left + CARD_WIDTH_MM - 3.0, y=top + 2.6)
    x0, x1 = left + 14.0, left + CARD_WIDTH_MM - 14.0
    for text, size, after in ((COUNTRY, 5.6, 0.0), (MOTTO, 5.2, 0.8), (_KIND, 9.0, 1.4)):
        sheet.text(text, size=size, style="bold", align="center", after=after, left=x0, right=x1)
    born, issued = story.date_slashes(), f"{story.day:02d}/{story.month:02d}/{story.year}"
    place = story.place
    home = f"{story.hamlet().capitalize()}, {place.commune}, {place.province}"
    sheet.text(f"Số: {number}", size=7.5, after=0.7)
    for label, value in (
        ("Họ và tên", name),
        ("Ngày sinh", born),
        ("Giới tính", "Nam"),
        ("Quốc tịch", "Việt Nam"),
        ("Nơi thường trú", home),
    ):
        sheet.text(f"{label}: {value}", after=0.55)
    sheet.y = top + CARD_HEIGHT_MM + 12
    sheet.left, sheet.right, sheet.size_pt = 30.0, 190.0, 12.0
    sheet.text("Bản chụp mẫu, không có giá trị sử dụng.", style="italic", align="center")
    sheet.fields["citizen_number"] = (number,)
    code = "|".join((number, "", holder, born.replace("/", ""), "Nam", home,
                     issued.replace("/", "")))  # fmt: skip
    return sheet, code


def _coverage(image: Image.Image) -> Coverage:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def card_patches(code: str, dpi: int, left: float = 62.0, top: float = 48.0) -> list[Patch]:
    """The card's tinted ground with edge and portrait, and its QR in black."""
    scale = dpi / 25.4
    size = (round(CARD_WIDTH_MM * scale), round(CARD_HEIGHT_MM * scale))
    middle = (left + CARD_WIDTH_MM / 2, top + CARD_HEIGHT_MM / 2)
    ground = Image.new("L", size, 0)
    draw = ImageDraw.Draw(ground)
    corner = round(3.2 * scale)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), corner, fill=150)
    lines = Image.new("L", size, 0)
    draw = ImageDraw.Draw(lines)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), corner, outline=200, width=2)
    x0, y0 = 4.0 * scale, 21.0 * scale
    draw.rectangle((x0, y0, x0 + 20 * scale, y0 + 26 * scale), fill=70)
    draw.ellipse((x0 + 5 * scale, y0 + 4 * scale, x0 + 15 * scale, y0 + 15 * scale), fill=190)
    draw.pieslice((x0 + scale, y0 + 15 * scale, x0 + 19 * scale, y0 + 40 * scale), 180, 360,
                  fill=190)  # fmt: skip
    draw.rectangle((x0, y0 + 26 * scale, x0 + 20 * scale, y0 + 33 * scale), fill=0)
    modules = cv2.QRCodeEncoder.create().encode(code)
    side = round(_QR_MM * scale)
    qr = cv2.resize(255 - modules, (side, side), interpolation=cv2.INTER_AREA)
    at = (left + CARD_WIDTH_MM - 3.5 - _QR_MM / 2, top + 3.0 + _QR_MM / 2)
    return [
        Patch(_coverage(ground), _TINT, *middle),
        Patch(_coverage(lines), _GREY, *middle),
        Patch(_coverage(Image.fromarray(qr)), (20, 20, 24), *at),
    ]
