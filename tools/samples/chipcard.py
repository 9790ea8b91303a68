"""Copies of chip identity cards of both generations: wholly invented, with the QR of the data.

The card of 2021 (căn cước công dân) has its QR code on the front, with origin and residence; that
of 2024 (căn cước) has both on the back, so a copy shows the two sides below each other. Layouts
follow what is printed on such cards (labels in Vietnamese and English); portrait, chip and ground
are tinted shapes. Numbers begin with 097, which is no province.
"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw

from tools.samples.blocks import COUNTRY, MOTTO
from tools.samples.fiction import Fiction
from tools.samples.idcard import CARD_HEIGHT_MM, CARD_WIDTH_MM
from tools.samples.layout import Sheet
from tools.samples.marks import Coverage, Patch
from tools.samples.typefaces import FAMILIES

Generation = Literal["2021", "2024"]
GENERATIONS: tuple[Generation, ...] = ("2021", "2024")
LIFELONG = "Không thời hạn"
_QR_MM = 11.0
_BACK_MM = 6.0  # between the two sides of a copy
_TINT = (176, 216, 228)
_GREY = (96, 102, 110)
_BLACK = (20, 20, 24)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who a card belongs to; `expires` None: for life."""

    number: str
    name: str
    born: dt.date
    sex: Literal["Nam", "Nữ"]
    origin: str
    residence: str
    issued: dt.date
    expires: dt.date | None

    def payload(self, generation: Generation) -> str:
        """The text of the card's QR code."""
        parts = [
            self.number, "", self.name, f"{self.born:%d%m%Y}", self.sex, self.residence,
            f"{self.issued:%d%m%Y}",
        ]  # fmt: skip
        return "|".join(parts + ([""] * 3 if generation == "2024" else []))


def invent(seed: int | str) -> Holder:
    """A holder whose number agrees with birth and sex, and whose card runs until an age."""
    story = Fiction(f"chipcard/{seed}")
    rng = story.rng
    born = dt.date(rng.randint(1950, 2009), rng.randint(1, 12), rng.randint(1, 28))
    sex: Literal["Nam", "Nữ"] = rng.choice(("Nam", "Nữ"))
    century = 2 * (born.year // 100 - 19) + (sex == "Nữ")
    number = f"097{century}{born.year % 100:02d}{rng.randint(0, 999_999):06d}"
    issued = dt.date(rng.randint(2021, 2025), rng.randint(1, 12), rng.randint(1, 28))
    until = next((a for a in (25, 40, 60) if issued < _after(born, a - 2)), None)
    place = story.place
    home = f"{story.hamlet().capitalize()}, {place.commune}, {place.province}"
    return Holder(
        number, story.person(), born, sex, f"{place.commune}, {place.province}", home, issued,
        None if until is None else _after(born, until),
    )  # fmt: skip


def _after(day: dt.date, years: int) -> dt.date:
    return day.replace(year=day.year + years)


def copy_of(
    holder: Holder, generation: Generation, dpi: int, *, code: str | None = None,
    left: float = 62.0, top: float = 40.0,
) -> tuple[Sheet, list[Patch]]:  # fmt: skip
    """The copy's print on an A4 sheet with its fields, and what lies under it: ground and code.

    `code` is what the QR code says where it is not the holder's own: a card that was tampered
    with. An empty one leaves the code out.
    """
    text = holder.payload(generation) if code is None else code
    sheet = Sheet(FAMILIES["Liberation Sans"], 6.2)
    if generation == "2021":
        _front_2021(sheet, holder, left, top)
        at = (left + CARD_WIDTH_MM - 3.0 - _QR_MM / 2, top + 2.6 + _QR_MM / 2)
        patches = _ground(dpi, left, top, portrait=True)
    else:
        below = top + CARD_HEIGHT_MM + _BACK_MM
        _front_2024(sheet, holder, left, top)
        _back_2024(sheet, holder, left, below)
        at = (left + CARD_WIDTH_MM - 4.0 - _QR_MM / 2, below + 4.0 + _QR_MM / 2)
        patches = [
            *_ground(dpi, left, top, portrait=True), *_ground(dpi, left, below, portrait=False)
        ]  # fmt: skip
    sheet.fields |= {
        "number": holder.number, "name": holder.name.upper(), "born": holder.born.isoformat(),
        "sex": holder.sex, "nationality": "Việt Nam", "residence": holder.residence,
        "expires": LIFELONG if holder.expires is None else holder.expires.isoformat(),
    }  # fmt: skip
    if generation == "2021":
        sheet.fields["origin"] = holder.origin
    else:
        sheet.fields["issued"] = holder.issued.isoformat()
        sheet.fields["birthplace"] = holder.origin
    return sheet, patches + ([_code(text, dpi, at)] if text else [])


def _front_2021(sheet: Sheet, who: Holder, left: float, top: float) -> None:
    x0, x1 = left + 27.0, left + CARD_WIDTH_MM - 3.0
    _heading(sheet, left, top, "CĂN CƯỚC CÔNG DÂN", "Citizen Identity Card")
    sheet.text(f"Số / No.: **{who.number}**", size=7.8, left=x0, right=x1, after=0.5)
    sheet.text("Họ và tên / Full name:", left=x0, right=x1)
    sheet.text(who.name.upper(), size=7.2, left=x0, right=x1, after=0.3)
    sheet.text(f"Ngày sinh / Date of birth: {who.born:%d/%m/%Y}", left=x0, right=x1, after=0.3)
    _sex_and_nation(sheet, who, x0, x1)
    sheet.text("Quê quán / Place of origin:", left=x0, right=x1)
    sheet.text(who.origin, size=6.8, left=x0, right=x1, after=0.3)
    hamlet, _, rest = who.residence.partition(", ")
    sheet.text(f"Nơi thường trú / Place of residence: {hamlet},", left=x0, right=x1 + 2)
    sheet.text(rest, size=6.8, left=x0, right=x1)
    sheet.y = top + CARD_HEIGHT_MM - 7.0
    sheet.text(f"Có giá trị đến: {_until(who)}", size=5.2, left=left + 2.0, right=x0 + 6)
    sheet.text("Date of expiry", size=5.0, left=left + 2.0, right=x0)


def _front_2024(sheet: Sheet, who: Holder, left: float, top: float) -> None:
    x0, x1 = left + 27.0, left + CARD_WIDTH_MM - 3.0
    _heading(sheet, left, top, "CĂN CƯỚC", "IDENTITY CARD")
    for label, value in (
        ("Số định danh cá nhân / Personal identification number:", f"**{who.number}**"),
        ("Họ, chữ đệm và tên khai sinh / Full name:", who.name.upper()),
        ("Ngày, tháng, năm sinh / Date of birth:", f"{who.born:%d/%m/%Y}"),
    ):
        sheet.text(label, size=5.6, left=x0, right=x1 + 2)
        sheet.text(value, size=7.4, left=x0, right=x1, after=0.3)
    _sex_and_nation(sheet, who, x0, x1)


def _back_2024(sheet: Sheet, who: Holder, left: float, top: float) -> None:
    x0, x1 = left + 4.0, left + CARD_WIDTH_MM - 18.0
    sheet.y = top + 3.0
    for label, value in (
        ("Nơi cư trú / Place of residence:", who.residence),
        ("Nơi đăng ký khai sinh / Place of birth:", who.origin),
        ("Ngày, tháng, năm cấp / Date of issue:", f"{who.issued:%d/%m/%Y}"),
        ("Ngày, tháng, năm hết hạn / Date of expiry:", _until(who)),
    ):
        sheet.text(label, size=5.6, left=x0, right=x1)
        sheet.text(value, size=6.8, left=x0, right=x1, after=0.5)


def _heading(sheet: Sheet, left: float, top: float, kind: str, english: str) -> None:
    x0, x1 = left + 16.0, left + CARD_WIDTH_MM - 15.0
    sheet.y = top + 2.2
    for text, size in (
        (COUNTRY, 5.4), ("SOCIALIST REPUBLIC OF VIET NAM", 4.6), (MOTTO, 5.2),
        ("Independence - Freedom - Happiness", 4.6), (kind, 9.0), (english, 5.0),
    ):  # fmt: skip
        sheet.text(text, size=size, style="bold", align="center", leading=1.05, left=x0, right=x1)
    sheet.y += 0.8


def _sex_and_nation(sheet: Sheet, who: Holder, x0: float, x1: float) -> None:
    line = f"Giới tính / Sex: {who.sex} Quốc tịch / Nationality: Việt Nam"
    sheet.text(line, left=x0, right=x1, after=0.3)


def _until(who: Holder) -> str:
    return LIFELONG if who.expires is None else f"{who.expires:%d/%m/%Y}"


def _ground(dpi: int, left: float, top: float, *, portrait: bool) -> list[Patch]:
    """A side's tinted ground and its edge, with a silhouette where the portrait is."""
    scale = dpi / 25.4
    size = (round(CARD_WIDTH_MM * scale), round(CARD_HEIGHT_MM * scale))
    middle = (left + CARD_WIDTH_MM / 2, top + CARD_HEIGHT_MM / 2)
    corner = round(3.2 * scale)
    ground, edge = Image.new("L", size, 0), Image.new("L", size, 0)
    draw = ImageDraw.Draw(ground)
    draw.rounded_rectangle((0, 0, size[0] - 1, size[1] - 1), corner, fill=140)
    if portrait:
        x, y = 4.0 * scale, 18.0 * scale
        ImageDraw.Draw(edge).rectangle((x, y, x + 19 * scale, y + 25 * scale), fill=110)
    ImageDraw.Draw(edge).rounded_rectangle(
        (0, 0, size[0] - 1, size[1] - 1), corner, outline=200, width=2
    )
    return [Patch(_coverage(ground), _TINT, *middle), Patch(_coverage(edge), _GREY, *middle)]


def _code(text: str, dpi: int, at: tuple[float, float]) -> Patch:
    modules = cv2.QRCodeEncoder.create().encode(text)
    side = round(_QR_MM * dpi / 25.4)
    qr = cv2.resize(255 - modules, (side, side), interpolation=cv2.INTER_AREA)
    return Patch(_coverage(Image.fromarray(qr)), _BLACK, *at)


def _coverage(image: Image.Image) -> Coverage:
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def another(holder: Holder, rng: random.Random) -> Holder:
    """The same person's card with one digit of the number changed: a forged print or code."""
    at = rng.randint(6, 11)
    digit = str((int(holder.number[at]) + rng.randint(1, 9)) % 10)
    return replace(holder, number=holder.number[:at] + digit + holder.number[at + 1 :])
