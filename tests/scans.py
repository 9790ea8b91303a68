"""Printed pages as pixels, for tests of `ocr`: known text, known place, nothing from disk."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ocr.intake.checks import TakenPage
from ocr.intake.limits import ORDINARY, Limits
from ocr.intake.survey import pages_of, survey, take

FONT = Path("/usr/share/fonts/truetype/croscore/Tinos-Regular.ttf")

TEXT = (
    "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
    "Độc lập - Tự do - Hạnh phúc",
    "Căn cứ Luật Tổ chức chính quyền địa phương ngày 19 tháng 6 năm 2015;",
    "Xét đề nghị của Trưởng phòng Tài nguyên và Môi trường tại Tờ trình số 45,",
    "Điều 1. Cấp giấy chứng nhận quyền sử dụng đất cho ông Nguyễn Văn Mẫu.",
    "Điều 2. Quyết định này có hiệu lực kể từ ngày ký.",
)


def printed(
    lines: Sequence[str] = TEXT, *, dpi: int = 200, size_inches: tuple[float, float] = (8.27, 4.5)
) -> Image.Image:
    """A grey page with the lines, 13 points high, half an inch from the top."""
    width, height = (round(side * dpi) for side in size_inches)
    page = Image.new("L", (width, height), 250)
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype(FONT, round(13 / 72 * dpi))
    for k, line in enumerate(lines):
        draw.text((round(0.6 * dpi), round((0.5 + 0.32 * k) * dpi)), line, fill=20, font=font)
    return page


def take_all(path: Path, work: Path, limits: Limits = ORDINARY) -> list[TakenPage]:
    """All pages of one file; the first error is raised."""
    return [take(page, work, limits) for page in pages_of(survey([path], limits))]


def take_one(path: Path, work: Path, limits: Limits = ORDINARY) -> TakenPage:
    """The page of a file with one page."""
    (taken,) = take_all(path, work, limits)
    return taken


def letters(text: str) -> str:
    """Text without white space, for comparisons that do not depend on it."""
    return "".join(text.split())


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG whose header claims a size and whose data is a few bytes of zeros."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        crc = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        chunk(k, b) for k, b in ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    )


def photo(width: int = 400, height: int = 300) -> Image.Image:
    """A colour picture without text."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.stack([x * 255 // width, y * 255 // height, (x + y) % 256], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))
